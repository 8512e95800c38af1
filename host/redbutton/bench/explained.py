"""Why some faults show in no run, and what a person must do about them: `latent.yaml`."""

from collections.abc import Mapping
from importlib import resources
from typing import Any

import yaml

from redbutton.model import Frozen


class Explanation(Frozen):
    """`person`: what somebody must do; empty: nothing. `harmless`: no channel of the stop, and
    nothing that watches one, is lost."""

    why: str
    person: str = ""
    harmless: bool


Explanations = Mapping[str, Explanation]


def explanations() -> dict[str, Explanation]:
    """Those that come with redbutton, by the beginning of the faults' names."""
    text = resources.files("redbutton.bench").joinpath("latent.yaml").read_text("utf-8")
    given: dict[str, Any] = yaml.safe_load(text)
    return {name: Explanation.model_validate(one) for name, one in given.items()}


def explained(fault: str, known: Explanations) -> Explanation | None:
    """The explanation that names a fault best."""
    fitting = [name for name in known if fault.startswith(name)]
    return known[max(fitting, key=len)] if fitting else None
