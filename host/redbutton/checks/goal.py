"""A goal for one of the robot's actions: may the planner give it, may the robot stand there?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from redbutton.checks.motion import JointPoint, MotionCheck, PersonSeen, Pose
from redbutton.checks.permission import Permission
from redbutton.checks.plain import flaw
from redbutton.checks.verdict import ALLOWED, Judgement, Verdict, refused, worst


@dataclass(frozen=True)
class Trajectory:
    """Of the joints `names`, through `points`."""

    names: Sequence[str]
    points: Sequence[JointPoint]


@dataclass(frozen=True)
class Goal:
    """`ways`: each the poses of a path, or one to go to. `parameters`: all else that it says."""

    action: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    ways: Sequence[Sequence[Pose]] = ()
    trajectories: Sequence[Trajectory] = ()


@dataclass(frozen=True)
class Seen:
    """What is known while a goal is judged; None: it is not."""

    pose: Pose | None
    people: Sequence[PersonSeen] | None
    joints: Mapping[str, float] | None


def judge_goal(
    permission: Permission, motion: MotionCheck, goal: Goal, seen: Seen, now: float
) -> Verdict:
    """The first objection. Never raises: what cannot be judged is refused."""
    try:
        if wrong := flaw(goal.parameters):
            return refused("goal.malformed", wrong)
        permitted = permission.of(goal.action, goal.parameters, placed=bool(goal.ways))
        if permitted.verdict is not Judgement.ALLOW:
            return permitted
        for way in goal.ways:
            said = worst(motion.goal(pose, now).verdict for pose in way)
            if said.verdict is Judgement.ALLOW and len(way) != 1:
                said = motion.path(way, now).verdict
            if said.verdict is not Judgement.ALLOW:
                return said
        for one in goal.trajectories:
            said = motion.trajectory(
                one.names, one.points, now, seen.joints, seen.pose, seen.people
            ).verdict
            if said.verdict is not Judgement.ALLOW:
                return said
    except Exception as error:
        return refused("goal.error", f"it cannot be judged: {type(error).__name__}")
    return ALLOWED
