"""What the tools answer. Every text in it can be shown as it is, and is short."""

from datetime import datetime, timedelta, timezone
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from redbutton.checks.verdict import Judgement, Verdict
from redbutton.model import Contacts, Frozen, Load, SafetyState, State
from redbutton.plain import plain

LONGEST_TEXT = 500  # characters

Shown = Annotated[str, AfterValidator(lambda text: plain(text)[:LONGEST_TEXT])]


class StateAnswer(Frozen):
    """What the controller measured, or that it is not known."""

    contact: bool = Field(description="false: the controller is not heard, nothing is known")
    state: State
    load: Load = Field(description="OFF: both mirror contacts closed. UNPROVEN: not known")
    may_run: bool = Field(description="measured RUN with the load on")
    measured: Contacts | None = Field(description="the controller's inputs; null: not known")
    measured_at: str | None = Field(description="UTC, ISO 8601; by this computer's clock")
    age_ms: float | None = Field(description="how old the measurement is, at most")
    first_cause: Shown | None = Field(description="of the stop")
    causes: tuple[Shown, ...]
    blocking_a_reset: tuple[Shown, ...]
    problem: Shown | None
    sentence: Shown = Field(description="all of it, for a person")

    @classmethod
    def of(cls, state: SafetyState) -> "StateAnswer":
        """Of a state that was just read."""
        at = None
        if state.age_ms is not None:
            now = datetime.now(timezone.utc)
            at = (now - timedelta(milliseconds=state.age_ms)).isoformat(timespec="milliseconds")
        return cls(
            contact=state.heard,
            state=state.state,
            load=state.load,
            may_run=state.running,
            measured=state.measured,
            measured_at=at,
            age_ms=state.age_ms,
            first_cause=state.first_cause,
            causes=state.causes,
            blocking_a_reset=state.present,
            problem=state.problem,
            sentence=state.sentence(),
        )


class StopAnswer(Frozen):
    """What came of a request to stop."""

    requested: bool = Field(description="it was handed to whoever owns the controller's port")
    stopped: bool = Field(description="measured after the request: both mirror contacts closed")
    seen_after_ms: float | None = Field(description="from the request to that measurement")
    sentence: Shown
    state: StateAnswer


class VerdictAnswer(Frozen):
    """A judgement. Nothing was executed."""

    verdict: Judgement
    rule: Shown = Field(description="which rule decided; empty: none objected")
    step: int | None = Field(description="of the plan, from 0")
    reason: Shown
    executed: Literal[False] = False
    note: Shown = Field(description="what this verdict is worth, and what comes next")

    @classmethod
    def of(cls, verdict: Verdict, note: str) -> "VerdictAnswer":
        """Of a verdict."""
        return cls(
            verdict=verdict.verdict,
            rule=verdict.rule,
            step=verdict.step,
            reason=verdict.reason,
            note=note,
        )
