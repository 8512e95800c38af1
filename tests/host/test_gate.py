"""The gate's rules: what passes, when, and the reason for what does not."""

import math

import pytest

from redbutton.crossing import JOINT_TRAJECTORY, TWIST, Input, Side
from redbutton.gate import COMMAND_AGE_S, REST_S, Command, Gate, Passage
from redbutton.model import Contacts, Load, SafetyState, State

FORWARD = Command((0.3, 0.0, 0.0, 0.0, 0.0, 0.0), linear=0.3)
ZERO = Command((0.0,) * 6, moves=False)
TRAJECTORY = Command((0.1, 0.2), lasts=True)


def input_of(name: str, **given: object) -> Input:
    """An input to the output base, with no limits unless given."""
    return Input.model_validate(
        {
            "name": name,
            "output": "base",
            "side": Side.PLANNER,
            "topic": name,
            "type": TWIST,
            **given,
        }
    )


PLANNER = input_of("planner", max_linear=0.5, max_angular=1.0)
TELEOP = input_of("teleop", priority=10, side=Side.ROBOT)
ARM = input_of("arm", output="arm", type=JOINT_TRAJECTORY)


def made_gate() -> Gate:
    """Three inputs, two of them on one output, and an action."""
    return Gate([PLANNER, TELEOP, ARM], ["navigate"])


def ask(
    gate: Gate, now: float, command: Command = FORWARD, by: str = "planner", **given: object
) -> Passage:
    """A command that is made now, in RUN unless given otherwise."""
    state = given.get("state", RUN)
    made = given.get("made", now)
    assert isinstance(state, SafetyState)
    assert isinstance(made, float)
    return gate.command(by, command, made, state, now)


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
    gate = made_gate()
    gate.observe(RUN, 0.0)
    return gate


@pytest.mark.requirement("SR-24")
def test_a_new_command_in_measured_run_passes(gate: Gate) -> None:
    assert ask(gate, 1.0).passed


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
    verdict = ask(gate, 1.0, state=state)
    assert not verdict.passed
    assert verdict.reason.startswith("not running")


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("axis", range(6))
def test_a_command_that_is_not_finite_is_refused(gate: Gate, axis: int, value: float) -> None:
    command = Command(tuple(value if i == axis else 0.0 for i in range(6)))
    assert ask(gate, 1.0, command).reason == "not finite"


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
    assert ask(gate, 10.0, FORWARD, made=10.0 - age, state=RUN).passed == passes


@pytest.mark.requirement("SR-10")
def test_a_command_made_before_the_reset_is_refused() -> None:
    gate = made_gate()
    gate.observe(STOPPED, 0.0)
    gate.observe(RUN, 5.0)
    assert ask(gate, 5.01, FORWARD, made=4.99, state=RUN).reason == "made before the reset"


@pytest.mark.requirement("SR-10")
def test_a_stream_that_goes_on_over_the_reset_is_no_new_command() -> None:
    gate = made_gate()
    for tick in range(200):
        now = tick * 0.05
        state = RUN if now >= 5.0 else STOPPED
        assert not ask(gate, now, state=state).passed


@pytest.mark.requirement("SR-10")
def test_a_zero_command_brings_the_stream_to_rest(gate: Gate) -> None:
    ask(gate, 0.9, state=STOPPED)
    assert not ask(gate, 1.0).passed
    assert ask(gate, 1.1, ZERO).passed
    assert ask(gate, 1.2).passed


@pytest.mark.requirement("SR-10")
@pytest.mark.parametrize(("silence", "passes"), [(REST_S - 0.01, False), (REST_S, True)])
def test_a_silence_brings_the_stream_to_rest(silence: float, passes: bool) -> None:
    gate = made_gate()
    ask(gate, 0.0, state=STOPPED)
    gate.observe(RUN, 0.1)
    assert ask(gate, silence, state=RUN).passed == passes


@pytest.mark.requirement("SR-10")
def test_every_stop_asks_for_rest_anew_even_one_that_no_command_saw(gate: Gate) -> None:
    assert ask(gate, 1.0).passed
    gate.observe(STOPPED, 1.01)
    gate.observe(RUN, 1.02)
    assert not ask(gate, 1.05).passed


def test_a_command_that_is_not_renewed_runs_out_once(gate: Gate) -> None:
    ask(gate, 1.0)
    assert gate.run_out(1.0 + REST_S - 0.01) == []
    assert gate.run_out(1.0 + REST_S) == ["base"]
    assert gate.run_out(1.0 + REST_S + 1) == []


def test_refused_commands_do_not_renew_the_one_that_passed(gate: Gate) -> None:
    ask(gate, 1.0)
    ask(gate, 1.0 + REST_S / 2, TRAJECTORY, by="arm", made=0.0)
    assert gate.run_out(1.0 + REST_S) == ["base"]


def test_a_trajectory_does_not_run_out(gate: Gate) -> None:
    assert ask(gate, 1.0, TRAJECTORY, by="arm").passed
    assert gate.run_out(100.0) == []


@pytest.mark.requirement("SR-24")
def test_the_input_that_moves_the_robot_is_refused_and_the_output_must_rest(gate: Gate) -> None:
    ask(gate, 1.0)
    refused = ask(gate, 1.1, Command((math.nan,)))
    assert (refused.passed, refused.rest) == (False, True)
    assert ask(gate, 1.2, Command((math.nan,))).rest is False, "once"


@pytest.mark.requirement("SR-24")
def test_a_refused_input_that_does_not_move_the_output_leaves_it_alone(gate: Gate) -> None:
    ask(gate, 1.0, by="teleop")
    assert ask(gate, 1.1, Command((math.nan,))).rest is False
    assert gate.run_out(1.0 + REST_S) == ["base"]


@pytest.mark.requirement("SR-24")
def test_a_missed_deadline_is_rest_of_the_output_that_the_input_moves(gate: Gate) -> None:
    ask(gate, 1.0)
    assert gate.rest("teleop") is None
    assert gate.rest("planner") == "base"
    assert gate.rest("planner") is None


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize(
    ("linear", "angular", "reason"),
    [
        (0.5, 1.0, ""),
        (0.51, 0.0, "linear speed 0.51 m/s is beyond 0.5 m/s of planner"),
        (0.0, 1.01, "angular speed 1.01 rad/s is beyond 1 rad/s of planner"),
    ],
)
def test_a_command_beyond_the_limits_of_its_input_is_refused(
    gate: Gate, linear: float, angular: float, reason: str
) -> None:
    assert ask(gate, 1.0, Command(linear=linear, angular=angular)).reason == reason


@pytest.mark.requirement("SR-24")
def test_a_malformed_command_is_refused_with_what_is_wrong(gate: Gate) -> None:
    assert ask(gate, 1.0, Command(problem="a joint is named twice")).reason.endswith("twice")


def test_while_an_input_of_higher_priority_is_in_use_others_are_refused(gate: Gate) -> None:
    assert ask(gate, 1.0).passed
    assert ask(gate, 1.1, by="teleop").passed
    assert ask(gate, 1.2).reason == "teleop has priority"
    assert ask(gate, 1.2, by="arm").passed, "another output"
    assert ask(gate, 1.1 + REST_S).passed


def test_a_refused_input_of_higher_priority_is_not_in_use(gate: Gate) -> None:
    ask(gate, 1.0, by="teleop", made=0.0)
    assert ask(gate, 1.1).passed


@pytest.mark.requirement("SR-10")
def test_each_input_comes_to_rest_by_itself(gate: Gate) -> None:
    ask(gate, 0.9, state=STOPPED)
    gate.observe(RUN, 1.0)
    assert ask(gate, 1.05, by="teleop").passed
    assert not ask(gate, 1.1).passed


@pytest.mark.requirement("SR-10", "SR-24")
def test_a_goal_passes_only_in_run_and_not_one_that_is_sent_on_over_the_reset(gate: Gate) -> None:
    assert gate.goal("navigate", True, RUN, 1.0).passed
    assert gate.goal("navigate", True, STOPPED, 2.0).reason.startswith("not running")
    assert gate.goal("navigate", True, RUN, 2.1).reason.startswith("no new command")
    assert gate.goal("navigate", True, RUN, 2.1 + REST_S).passed


@pytest.mark.requirement("SR-24")
def test_a_goal_that_no_server_of_the_robots_takes_is_refused_with_that_reason(gate: Gate) -> None:
    assert gate.goal("navigate", False, RUN, 1.0).reason == "the robot has no server for navigate"
    assert gate.goal("navigate", True, RUN, 1.1).passed, "it may be asked again at once"


def test_the_silence_of_an_input_is_told(gate: Gate) -> None:
    assert math.isinf(gate.silence("planner", 1.0))
    ask(gate, 1.0, made=0.0)
    assert gate.silence("planner", 1.5) == 0.5


def test_passed_and_refused_are_counted_with_the_last_reason(gate: Gate) -> None:
    ask(gate, 1.0)
    ask(gate, 1.1, FORWARD, made=1.0, state=STOPPED)
    assert (gate.passed, gate.refused) == (1, 1)
    assert gate.refusal.startswith("not running: STOPPED")
