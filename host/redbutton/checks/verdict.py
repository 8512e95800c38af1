"""What a check says of a command or a plan: it may pass, it waits for a person, or it may not.

Every check has its own say, and the worst of them counts: a check can only make things worse.
"""

from collections.abc import Iterable
from enum import Enum

from redbutton.model import Frozen


class Judgement(str, Enum):
    """In the order of how bad it is."""

    ALLOW = "allow"
    HOLD = "hold"
    REFUSE = "refuse"


class Verdict(Frozen):
    """`rule`: the identifier of the rule that decided, "" if none objected. `step`: the index of
    the step of a plan that it is about, from 0, or None. `reason`: in words that a person
    understands."""

    verdict: Judgement
    rule: str = ""
    step: int | None = None
    reason: str = ""


ALLOWED = Verdict(verdict=Judgement.ALLOW)
_ORDER = tuple(Judgement)


def held(rule: str, reason: str, step: int | None = None) -> Verdict:
    """It waits for a person."""
    return Verdict(verdict=Judgement.HOLD, rule=rule, step=step, reason=_whole(reason))


def refused(rule: str, reason: str, step: int | None = None) -> Verdict:
    """It may not."""
    return Verdict(verdict=Judgement.REFUSE, rule=rule, step=step, reason=_whole(reason))


def _whole(text: str) -> str:
    """That can be told: half a character, in what a reason quotes, becomes "?"."""
    return text.encode(errors="replace").decode()


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of them, and of equals the first; allowed if there are none."""
    return max(verdicts, key=lambda verdict: _ORDER.index(verdict.verdict), default=ALLOWED)
