"""What a check says of a command or a plan: it may pass, it waits for a person, or it may not.

Every check has its own say, and the worst of them counts: a check can only make things worse.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Annotated

from pydantic import Field, PlainSerializer, ValidationInfo, field_validator

from redbutton.checks.hazard import Hazard
from redbutton.model import Frozen


class Judgement(str, Enum):
    """In the order of how bad it is."""

    ALLOW = "allow"
    HOLD = "hold"
    REFUSE = "refuse"


def _in_order(hazards: frozenset[Hazard | None]) -> list[Hazard | None]:
    return sorted(hazards, key=lambda hazard: hazard.value if hazard else "")


Hazards = Annotated[
    frozenset[Hazard | None], PlainSerializer(_in_order, return_type=list[Hazard | None])
]


class Verdict(Frozen):
    """`rule`: the identifier of the rule that decided, "" if none objected. `step`: the index of
    the step of a plan that it is about, from 0, or None. `reason`: in words that a person
    understands. `hazards`: of all that objected, not of this rule alone; None is among them if an
    objection is of no class of hazard."""

    verdict: Judgement
    rule: str = ""
    step: int | None = None
    reason: str = ""
    hazards: Hazards = Field(default=frozenset(), validate_default=True)

    @field_validator("hazards")
    @classmethod
    def _never_of_nothing(
        cls, hazards: frozenset[Hazard | None], info: ValidationInfo
    ) -> frozenset[Hazard | None]:
        """Whoever objects and names no hazard still objects."""
        if hazards or info.data.get("verdict") is Judgement.ALLOW:
            return hazards
        return NO_CLASS


NO_CLASS: frozenset[Hazard | None] = frozenset({None})
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
    """The worst of them, and of equals the first, with the hazards of all; allowed if there are
    none."""
    said = tuple(verdicts)
    chosen = max(said, key=lambda verdict: _ORDER.index(verdict.verdict), default=ALLOWED)
    hazards = frozenset(hazard for verdict in said for hazard in verdict.hazards)
    return chosen if hazards == chosen.hazards else chosen.model_copy(update={"hazards": hazards})
