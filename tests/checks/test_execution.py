"""Execution is held to the plan that was checked: its ways, its speed, its steps in order."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import shapely
from checks_profiles import profile_of

from redbutton.checks.execution import WAYS_MOST, Course, Execution, TooManyWays
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
WIDE: dict[str, Any] = {
    "actions": {"go_to": {"parameters": {"place": PLACE}}},
    "execution": {"corridor": CORRIDOR, "lifetime": LIFETIME},
}
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
        course = execution.course([Action.model_validate(step) for step in plan])
        assert course
        execution.begin(Course.model_validate_json(course.model_dump_json()), START, 0.0)
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
    assert execution.goal(Goal("pick", {"object": "cup"}), LIFETIME).rule == "execution.step"
    assert execution.goal(Goal("pick", {"object": "cup"}), LIFETIME - 0.1).rule == ""


def _named(number: int) -> str:
    return f"p{chr(97 + number // 26)}{chr(97 + number % 26)}"


def with_places(count: int) -> Execution:
    """A profile with so many places in a row, in pairs of different distances."""
    places = {_named(i): {"position": [float(i), float(i * i % 7)]} for i in range(count)}
    wide = profile_of(**{**WIDE, "places": places})
    return Execution(wide, Permission(wide, plan_check_of(wide)), VERBS)


def test_a_plan_of_many_steps_between_few_places_is_soon_in_force() -> None:
    execution = with_places(12)
    plan = [Action(name="go to", place=_named(i * i % 12)) for i in range(3000)]
    began = time.process_time()
    course = execution.course(plan)
    assert course
    execution.begin(course, START, 0.0)
    assert time.process_time() - began < 2.0


def test_more_different_ways_than_can_be_checked_are_refused() -> None:
    execution = with_places(WAYS_MOST + 2)
    plan = [Action(name="go to", place=_named(i)) for i in range(WAYS_MOST + 2)]
    assert execution.course(plan[:3])
    with pytest.raises(TooManyWays, match="201 different ways"):
        execution.course(plan)


BOW_TIE = shapely.to_wkb(shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), hex=True)


@pytest.mark.parametrize("ways", ["zz", "é", "00", BOW_TIE])
def test_what_is_no_shape_is_no_course(execution: Execution, ways: str) -> None:
    course = execution.course([Action(name="go to", place="door")])
    assert course
    with pytest.raises(ValueError, match="shape"):
        Course.model_validate({**course.model_dump(), "ways": ways})


@pytest.mark.requirement("SR-10")
def test_a_stop_ends_it(begin: Begin) -> None:
    execution = begin(TO_THE_BENCH)
    execution.end()
    assert drive(execution, 0.0, 0.0) == "motion.no_plan"
    assert execution.goal(Goal("go_to", {"place": "door"}), 1.0).rule == "execution.step"


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
    assert [execution.goal(goal, 1.0).rule for goal in goals][-1] == rule


def test_a_profile_without_it_asks_for_no_plan() -> None:
    free = PROFILE.model_copy(update={"execution": None})
    execution = Execution(free, Permission(free, plan_check_of(free)), VERBS)
    assert execution.goal(Goal("go_to", {"place": "door"}), 1.0).rule == ""


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
