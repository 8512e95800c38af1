"""A goal for an action: its parameters, its places, its motion. The first objection counts."""

from collections.abc import Iterable
from typing import Any

import pytest

from redbutton.checks.goal import Goal, Seen, Trajectory, judge_goal
from redbutton.checks.motion import JointPoint, MotionCheck, Pose
from redbutton.checks.own import plan_check_of
from redbutton.checks.permission import Permission
from redbutton.checks.profile import EXAMPLES, load

PROFILE = load(EXAMPLES / "home_manipulator.yaml")
PERMISSION = Permission(PROFILE, plan_check_of(PROFILE))
NOBODY = Seen(
    Pose(frame=PROFILE.frame, x=3.0, y=1.0), (), dict.fromkeys(PROFILE.limits.joints, 0.0)
)
SOFA = {"place": "sofa"}


def at(x: float, y: float, frame: str = PROFILE.frame) -> Pose:
    return Pose(frame=frame, x=x, y=y)


def said_of(goal: Goal, seen: Seen = NOBODY) -> str:
    return judge_goal(PERMISSION, MotionCheck(PROFILE, 0.1), goal, seen, 0.0).rule


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize(
    ("ways", "rule"),
    [
        ([[at(3.0, 1.0)]], ""),
        ([[at(3.0, 1.0), at(3.5, 1.0)]], ""),
        ([[at(3.0, 1.0)], [at(99.0, 1.0)]], "motion.workspace"),
        ([[at(3.0, 1.0, "odom")]], "motion.frame"),
        ([[at(3.0, 1.0), Pose.model_construct(frame="map", x=float("nan"), y=0.0)]], "motion."),
    ],
)
def test_every_pose_and_all_between_them_is_judged(ways: Any, rule: str) -> None:
    said = said_of(Goal("go_to", SOFA, ways))
    assert said.startswith(rule) and bool(said) == bool(rule)


@pytest.mark.requirement("SR-24")
def test_parameters_are_judged_by_the_profile() -> None:
    assert said_of(Goal("go_to", {"place": "sofa", "tree": "spin.xml"})) == "profile.parameter"
    assert said_of(Goal("fly")) == "profile.action"


@pytest.mark.requirement("SR-24")
def test_a_trajectory_in_a_goal_is_judged_as_one() -> None:
    joint, limits = next(iter(PROFILE.limits.joints.items()))
    too_far = Trajectory([joint], [JointPoint([limits.position.max + 0.1], 9.0)])
    assert said_of(Goal("go_to", SOFA, trajectories=[too_far])).startswith("motion.")


class _Broken(Iterable[Any]):
    def __iter__(self) -> Any:
        raise RuntimeError("broken")


@pytest.mark.requirement("SR-24")
def test_what_cannot_be_judged_is_refused() -> None:
    broken: Any = _Broken()
    assert said_of(Goal("go_to", SOFA, ways=broken)) == "goal.error"
