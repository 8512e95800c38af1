"""Why some faults show in no run, and what a person must do about them: `latent.yaml`; why with
some the stop is late: `late.yaml`."""

from collections.abc import Iterable, Mapping
from functools import cache
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
    return {name: Explanation.model_validate(one) for name, one in _read("latent.yaml").items()}


@cache
def _reasons() -> dict[str, str]:
    return _read("late.yaml")


def _read(name: str) -> dict[str, Any]:
    text = resources.files("redbutton.bench").joinpath(name).read_text("utf-8")
    given: dict[str, Any] = yaml.safe_load(text)
    return given


def explained(fault: str, known: Explanations) -> Explanation | None:
    """The explanation that names a fault best."""
    best = _best(fault, known)
    return None if best is None else known[best]


def why_late(faults: Iterable[str]) -> str | None:
    """Why a stop with these faults may be late; None if nobody has said."""
    found = [best for fault in faults if (best := _best(fault, _reasons()))]
    return " ".join(_reasons()[best] for best in dict.fromkeys(found)) or None


def _best(fault: str, known: Iterable[str]) -> str | None:
    return max((name for name in known if fault.startswith(name)), key=len, default=None)
