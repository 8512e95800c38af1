"""The gate's rules: what passes, when, and the reason for what does not."""

import math

import pytest

from redbutton.gate import COMMAND_AGE_S, REST_S, Gate
from redbutton.model import Contacts, Load, SafetyState, State

FORWARD = (0.3, 0.0, 0.0, 0.0, 0.0, 0.0)
ZERO = (0.0,) * 6


def state_of(state: State, mirrors_closed: bool) -> SafetyState:
    """A fresh state with both mirror contacts closed or open."""
    measured = Contacts(
        contact_a_closed=True,
        contact_b_closed=True,
        mirror_1_closed=mirrors_closed,
        mirror_2_closed=mirrors_closed,
        reset_pressed=False,
        key_maintenance=False,
        supply_ok=True,
    )
    return SafetyState(state=state, load=measured.load, measured=measured)


RUN = state_of(State.RUN, mirrors_closed=False)
STOPPED = state_of(State.STOPPED, mirrors_closed=True)


@pytest.fixture
def gate() -> Gate:
    """A gate that has seen RUN for a second, nothing asked of it."""
    gate = Gate()
    gate.observe(RUN, 0.0)
    return gate


@pytest.mark.requirement("SR-24")
def test_a_new_command_in_measured_run_passes(gate: Gate) -> None:
    assert gate.command(FORWARD, made=1.0, state=RUN, now=1.0).passed


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize(
    "state",
    [
        SafetyState(),
        STOPPED,
        state_of(State.RUN, mirrors_closed=True),
        state_of(State.STOPPING, mirrors_closed=False),
        state_of(State.STOPPED, mirrors_closed=False),
        state_of(State.LOCKOUT, mirrors_closed=True),
        SafetyState(state=State.RUN, load=Load.UNPROVEN),
    ],
    ids=[
        "not heard",
        "stopped",
        "run, load off",
        "stopping",
        "stopped, load on",
        "lockout",
        "run, unproven",
    ],
)
def test_nothing_passes_in_any_other_state(gate: Gate, state: SafetyState) -> None:
    verdict = gate.command(FORWARD, made=1.0, state=state, now=1.0)
    assert not verdict.passed
    assert verdict.reason.startswith("not running")


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("axis", range(6))
def test_a_command_that_is_not_finite_is_refused(gate: Gate, axis: int, value: float) -> None:
    values = tuple(value if i == axis else 0.0 for i in range(6))
    assert gate.command(values, made=1.0, state=RUN, now=1.0).reason == "not finite"


@pytest.mark.requirement("SR-24", "SR-10")
@pytest.mark.parametrize(
    ("age", "passes"),
    [
        (0.0, True),
        (COMMAND_AGE_S, True),
        (COMMAND_AGE_S + 0.001, False),
        (-COMMAND_AGE_S, True),
        (-COMMAND_AGE_S - 0.001, False),
    ],
)
def test_a_command_is_recent_or_refused(gate: Gate, age: float, passes: bool) -> None:
    assert gate.command(FORWARD, made=10.0 - age, state=RUN, now=10.0).passed == passes


@pytest.mark.requirement("SR-10")
def test_a_command_made_before_the_reset_is_refused() -> None:
    gate = Gate()
    gate.observe(STOPPED, 0.0)
    gate.observe(RUN, 5.0)
    assert gate.command(FORWARD, made=4.99, state=RUN, now=5.01).reason == "made before the reset"


@pytest.mark.requirement("SR-10")
def test_a_stream_that_goes_on_over_the_reset_is_no_new_command() -> None:
    gate = Gate()
    for tick in range(200):
        now = tick * 0.05
        state = RUN if now >= 5.0 else STOPPED
        assert not gate.command(FORWARD, made=now, state=state, now=now).passed


@pytest.mark.requirement("SR-10")
def test_a_zero_command_brings_the_stream_to_rest(gate: Gate) -> None:
    gate.command(FORWARD, made=0.9, state=STOPPED, now=0.9)
    assert not gate.command(FORWARD, made=1.0, state=RUN, now=1.0).passed
    assert gate.command(ZERO, made=1.1, state=RUN, now=1.1).passed
    assert gate.command(FORWARD, made=1.2, state=RUN, now=1.2).passed


@pytest.mark.requirement("SR-10")
@pytest.mark.parametrize(("silence", "passes"), [(REST_S - 0.01, False), (REST_S, True)])
def test_a_silence_brings_the_stream_to_rest(silence: float, passes: bool) -> None:
    gate = Gate()
    gate.command(FORWARD, made=0.0, state=STOPPED, now=0.0)
    gate.observe(RUN, 0.1)
    assert gate.command(FORWARD, made=silence, state=RUN, now=silence).passed == passes


@pytest.mark.requirement("SR-10")
def test_every_stop_asks_for_rest_anew_even_one_that_no_command_saw(gate: Gate) -> None:
    assert gate.command(FORWARD, made=1.0, state=RUN, now=1.0).passed
    gate.observe(STOPPED, 1.01)
    gate.observe(RUN, 1.02)
    assert not gate.command(FORWARD, made=1.05, state=RUN, now=1.05).passed


def test_a_command_that_is_not_renewed_runs_out_once(gate: Gate) -> None:
    gate.command(FORWARD, made=1.0, state=RUN, now=1.0)
    assert not gate.run_out(1.0 + REST_S - 0.01)
    assert gate.run_out(1.0 + REST_S)
    assert not gate.run_out(1.0 + REST_S + 1)


def test_passed_and_refused_are_counted_with_the_last_reason(gate: Gate) -> None:
    gate.command(FORWARD, made=1.0, state=RUN, now=1.0)
    gate.command(FORWARD, made=1.0, state=STOPPED, now=1.1)
    assert (gate.passed, gate.refused) == (1, 1)
    assert gate.refusal.startswith("not running: STOPPED")
