"""Execution is held to the plan that was checked: its ways, its speed, its steps in order."""

from collections.abc import Callable
from typing import Any

import pytest
from checks_profiles import profile_of

from redbutton.checks.execution import Execution
from redbutton.checks.goal import Goal, Seen
from redbutton.checks.motion import JointPoint, MotionCheck, Pose
from redbutton.checks.ontology import Verbs
from redbutton.checks.own import plan_check_of
from redbutton.checks.permission import Permission
from redbutton.checks.plan import Action

pytestmark = pytest.mark.requirement("SR-24")

CORRIDOR = 0.5
LIFETIME = 60.0
PLACE = {"type": "place"}
SPEED = {"type": "number", "unit": "m/s", "range": {"min": 0.1, "max": 1.0}, "optional": True}
VERBS = Verbs.shipped()
PROFILE = profile_of(
    limits={
        "joints": {
            "a": {
                "position": {"min": -1, "max": 1}, "velocity": 0.5, "acceleration": 2, "effort": 9
            }
        },
        "linear_acceleration": 9.0,
    },
    places={
        "door": {"position": [4, 0]},
        "bench": {"position": [4, 3], "words": ["work bench"]},
    },
    actions={
        "go_to": {"parameters": {"place": PLACE, "speed": SPEED}},
        "pick": {"parameters": {"object": {"type": "text"}}},
        "say": {"parameters": {"text": {"type": "text"}}},
    },
    execution={"corridor": CORRIDOR, "lifetime": LIFETIME},
)  # fmt: skip
START = Pose(frame="map", x=0.0, y=0.0)
TO_THE_BENCH: list[dict[str, Any]] = [
    {"name": "go to", "place": "door"},
    {"name": "go to", "place": "work bench"},
    {"name": "pick", "object": "Cup"},
]
Begin = Callable[[list[dict[str, Any]]], Execution]


@pytest.fixture
def execution() -> Execution:
    """Of a profile that asks for a plan; none is in force."""
    return Execution(PROFILE, Permission(PROFILE, plan_check_of(PROFILE)), VERBS)


@pytest.fixture
def begin(execution: Execution) -> Begin:
    """Let a plan be in force from 0 s on."""

    def begin(plan: list[dict[str, Any]]) -> Execution:
        execution.begin([Action.model_validate(step) for step in plan], START, 0.0)
        return execution

    return begin


def drive(
    execution: Execution,
    x: float,
    y: float,
    yaw: float = 0.0,
    speed: float = 0.3,
    now: float = 1.0,
) -> str:
    """The rule that refuses this speed ahead from rest, "" if none does."""
    check = MotionCheck(PROFILE, 0.0, execution.envelope)
    pose = Pose(frame="map", x=x, y=y, yaw=yaw, stamp=now)
    return check.twist((speed, 0.0, 0.0), (0.0,) * 3, "base_link", now, pose, ()).verdict.rule


def move_joints(execution: Execution) -> str:
    check = MotionCheck(PROFILE, 0.0, execution.envelope)
    points = [JointPoint([0.1], 1.0)]
    return check.trajectory(["a"], points, 1.0, {"a": 0.0}, START, ()).verdict.rule


def test_without_a_plan_nothing_moves_but_to_rest(execution: Execution) -> None:
    assert drive(execution, 0.0, 0.0) == "motion.no_plan"
    assert move_joints(execution) == "motion.no_plan"
    assert drive(execution, 0.0, 0.0, speed=0.0) == ""


@pytest.mark.parametrize(
    ("x", "y", "yaw", "rule"),
    [
        (0.0, 0.0, 0.0, ""),
        (2.0, 0.3, 0.0, ""),
        (2.0, 0.4, 1.57, "motion.corridor"),  # it could not stop inside
        (2.0, 0.6, 0.0, "motion.corridor"),
        (4.0, 1.5, 1.57, ""),
        (2.0, 1.5, 0.64, "motion.corridor"),  # the short cut to the bench
        (4.0, 3.4, 1.57, "motion.corridor"),
        (-0.4, 0.0, 3.14, "motion.corridor"),
    ],
)
def test_it_moves_along_the_ways_of_the_plan_only(
    begin: Begin, x: float, y: float, yaw: float, rule: str
) -> None:
    assert drive(begin(TO_THE_BENCH), x, y, yaw) == rule


def test_no_faster_than_the_plan_says(begin: Begin) -> None:
    slow = [{"name": "go to", "place": "door", "parameters": {"speed": 0.2}}]
    assert drive(begin(slow), 0.0, 0.0, speed=0.2) == ""
    assert drive(begin(slow), 0.0, 0.0, speed=0.21) == "motion.planned_speed"


def test_a_plan_that_goes_nowhere_moves_no_base(begin: Begin) -> None:
    assert drive(begin([{"name": "say", "parameters": {"text": "hi"}}]), 0.0, 0.0) != ""


def test_joints_move_if_a_step_needs_them(begin: Begin) -> None:
    assert move_joints(begin(TO_THE_BENCH)) == ""
    assert move_joints(begin(TO_THE_BENCH[:2])) == "motion.planned_arm"


def test_a_plan_is_in_force_for_its_lifetime(begin: Begin) -> None:
    execution = begin(TO_THE_BENCH)
    assert drive(execution, 0.0, 0.0, now=LIFETIME - 0.1) == ""
    assert drive(execution, 0.0, 0.0, now=LIFETIME) == "motion.no_plan"


@pytest.mark.requirement("SR-10")
def test_a_stop_ends_it(begin: Begin) -> None:
    execution = begin(TO_THE_BENCH)
    execution.end()
    assert drive(execution, 0.0, 0.0) == "motion.no_plan"
    assert execution.goal(Goal("go_to", {"place": "door"})).rule == "execution.step"


def test_the_plan_that_was_allowed_last_counts(begin: Begin) -> None:
    begin(TO_THE_BENCH)
    execution = begin([{"name": "go to", "place": "bench"}])
    assert drive(execution, 2.0, 1.5, 0.64) == ""
    assert drive(execution, 3.0, 0.0) == "motion.corridor"


@pytest.mark.parametrize(
    ("goals", "rule"),
    [
        ([Goal("go_to", {"place": "door"}), Goal("go_to", {"place": "bench"})], ""),
        ([Goal("go_to", {"place": "bench"})], ""),
        ([Goal("go_to", {"place": "bench"}), Goal("go_to", {"place": "door"})], "execution.step"),
        ([Goal("go_to", {"place": "door"}), Goal("go_to", {"place": "door"})], "execution.step"),
        ([Goal("pick", {"object": "cup"})], ""),
        ([Goal("pick", {"object": "knife"})], "execution.step"),
        ([Goal("go_to", {"place": "door", "speed": 0.5})], "execution.step"),
        ([Goal("go_to", ways=[[Pose(frame="map", x=4.1, y=0.1)]])], ""),
        ([Goal("go_to", ways=[[Pose(frame="map", x=4.0, y=1.5)]])], "execution.step"),
        ([Goal("say", {"text": ""})], "execution.step"),
    ],
    ids=str,
)
def test_goals_are_steps_of_the_plan_each_once_and_in_their_order(
    begin: Begin, goals: list[Goal], rule: str
) -> None:
    execution = begin(TO_THE_BENCH)
    assert [execution.goal(goal).rule for goal in goals][-1] == rule


def test_a_profile_without_it_asks_for_no_plan() -> None:
    free = PROFILE.model_copy(update={"execution": None})
    execution = Execution(free, Permission(free, plan_check_of(free)), VERBS)
    assert execution.goal(Goal("go_to", {"place": "door"})).rule == ""


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        (Goal("go_to", {"place": "door"}), ""),
        (Goal("fly"), "profile.action"),
        (Goal("go_to", {"place": "door", "speed": 0.5}), "execution.step"),
    ],
    ids=str,
)
def test_a_goal_is_judged_by_profile_motion_and_plan(begin: Begin, asked: Goal, rule: str) -> None:
    execution = begin(TO_THE_BENCH)
    motion = MotionCheck(PROFILE, 0.0, execution.envelope)
    assert execution.judge(asked, motion, Seen(START, (), None), 1.0).rule == rule
