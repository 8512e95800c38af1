"""What a check found."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from redbutton.doctor.machine import Machine
from redbutton.model import Frozen


class Verdict(str, Enum):
    """Of one check."""

    OK = "ok"
    PROBLEM = "problem"
    NOT_CHECKED = "not checked"


class Finding(Frozen):
    """`says`: what was seen, in a line. `mend`: the command that mends it, for a problem; for
    what was not checked, how it can be."""

    verdict: Verdict
    says: str
    mend: str | None = None


def ok(says: str) -> Finding:
    """All is well, or there is nothing to look at here."""
    return Finding(verdict=Verdict.OK, says=says)


def problem(says: str, mend: str) -> Finding:
    """What is wrong, and the command that mends it."""
    return Finding(verdict=Verdict.PROBLEM, says=says, mend=mend)


def not_checked(says: str, mend: str | None = None) -> Finding:
    """Why it could not be looked at."""
    return Finding(verdict=Verdict.NOT_CHECKED, says=says, mend=mend)


@dataclass(frozen=True)
class Check:
    """`after`: checks without whose ok this one can see nothing. `live`: needs the running
    computer, not an image."""

    name: str
    look: Callable[[Machine], Finding]
    after: tuple[str, ...] = ()
    live: bool = False
