"""What the tests of the checks share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checks_profiles import changed, dumped

from redbutton.checks.plan import PlanCheck
from redbutton.checks.text import TextScreen


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a profile: a text as it is, else the base's with these fields."""

    def write(text: str | bytes | None = None, **changes: Any) -> Path:
        path = tmp_path / "robot.yaml"
        if text is None:
            text = dumped(changed(**changes))
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture(scope="session")
def check() -> PlanCheck:
    """The check of plans, as it is shipped."""
    return PlanCheck()


@pytest.fixture(scope="session")
def screen(check: PlanCheck) -> TextScreen:
    """The screen of texts, as it is shipped."""
    return TextScreen(check)
