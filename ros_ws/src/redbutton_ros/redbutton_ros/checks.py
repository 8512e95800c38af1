"""The checks of the robot's profile on messages and goals, with what is known of where things are.

| parameter | type of the topic | what |
|---|---|---|
| pose | nav_msgs/Odometry | where the robot is, in the profile's frame |
| people | geometry_msgs/PoseArray | all who are seen, in the profile's frame |
| joints | sensor_msgs/JointState | where the joints are |

All in the robot's domain. An empty array: nobody is there. What is not heard, or is old, is not
known: then nothing passes that needs it.

Of a goal, poses, paths and trajectories are judged as motion. Every other field is a parameter of
the action (a duration in s, a bool as 0 or 1), and one that the profile does not name must be as
it is in an empty goal.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message

from redbutton.checks.execution import Course, Execution
from redbutton.checks.goal import Goal, Seen, Trajectory
from redbutton.checks.motion import JointPoint, MotionCheck, MotionVerdict, PersonSeen, Pose
from redbutton.checks.own import plan_check_of
from redbutton.checks.permission import Permission
from redbutton.checks.profile import RobotProfile
from redbutton.checks.verdict import Verdict, refused
from redbutton.crossing import JOINT_TRAJECTORY, Crossing, Side
from redbutton_ros.kinds import SECOND, load, stamp_ns, twist_of

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

TOPICS = {
    "pose": "nav_msgs/msg/Odometry",
    "people": "geometry_msgs/msg/PoseArray",
    "joints": "sensor_msgs/msg/JointState",
}
# Hears whatever a sensor promises. With nothing to go wrong there are no events to wait for.
SENSOR = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
SILENT = SubscriptionEventCallbacks(use_default_callbacks=False)
ZERO = (0.0, 0.0, 0.0)
# Types of a goal's fields that say where to, and the poses in each.
POSES: dict[str, Callable[[Any], Iterable[Any]]] = {
    "geometry_msgs/PoseStamped": lambda pose: [pose],
    "sequence<geometry_msgs/PoseStamped>": lambda poses: poses,
    "nav_msgs/Path": lambda path: path.poses,
    "nav_msgs/Goals": lambda goals: goals.goals,
}
TRAJECTORY = "trajectory_msgs/JointTrajectory"


class Surroundings:
    """Where the robot, its joints and people are, as heard last."""

    def __init__(self, robot: Node, profile: RobotProfile, topics: dict[str, str]) -> None:
        """`topics`: by the names of `TOPICS`; "": there is none."""
        self._profile = profile
        self._logger = robot.get_logger()
        # A simulated clock is not the one that this compares with.
        self._stamp_counts = not robot.get_parameter("use_sim_time").value
        self.pose: Pose | None = None
        self._people: tuple[PersonSeen, ...] = ()
        self._joints: dict[str, float] = {}
        self._since = dict.fromkeys(TOPICS, -math.inf)
        hear = {"pose": self._on_pose, "people": self._on_people, "joints": self._on_joints}
        for name, topic in topics.items():
            if topic:
                robot.create_subscription(
                    load(TOPICS[name]), topic, hear[name], SENSOR, event_callbacks=SILENT
                )

    def people(self, now: float) -> Sequence[PersonSeen] | None:
        """All who are seen; None if that is not known."""
        return self._people if self._is_fresh("people", now) else None

    def joints(self, now: float) -> dict[str, float] | None:
        """Positions by name, in rad or m; None if they are not known."""
        return self._joints if self._is_fresh("joints", now) else None

    def _is_fresh(self, what: str, now: float) -> bool:
        return abs(now - self._since[what]) <= self._profile.pose_age

    def _on_pose(self, message: Any) -> None:
        self.pose = _pose(message.header.frame_id, message.pose.pose, self._made(message))

    def _on_people(self, message: Any) -> None:
        if message.header.frame_id != self._profile.frame:
            self._logger.error(
                f"people must be in {self._profile.frame}, not in {message.header.frame_id!r}",
                throttle_duration_sec=5.0,
            )
            return
        made = self._made(message)
        self._people = tuple(
            PersonSeen.model_construct(x=pose.position.x, y=pose.position.y, stamp=made)
            for pose in message.poses
        )
        self._since["people"] = made

    def _on_joints(self, message: Any) -> None:
        self._joints = dict(zip(message.name, message.position, strict=False))
        self._since["joints"] = self._made(message)

    def _made(self, message: Any) -> float:
        """When a message was made, on the monotonic clock."""
        age_ns = time.time_ns() - stamp_ns(message) if self._stamp_counts else 0
        return time.monotonic() - age_ns / SECOND


class Checks:
    """What the profile says of every input and action."""

    def __init__(
        self, robot: Node, crossing: Crossing, profile: RobotProfile, own: dict[str, Any]
    ) -> None:
        """`own`: the gate's settings."""
        self._profile = profile
        plans = plan_check_of(profile)
        self._permission = Permission(profile, plans)
        self._seen = Surroundings(robot, profile, {name: own[name] for name in TOPICS})
        self._execution = Execution(profile, self._permission, plans.verbs)
        latency = own["stop_latency"]
        planned = self._execution.envelope if profile.execution is not None else None
        self._streams = {
            entry.name: MotionCheck(
                profile, latency, planned if entry.side is Side.PLANNER else None
            )
            for entry in crossing.inputs
        }
        self._goals = {
            entry.name: MotionCheck(profile, latency, planned) for entry in crossing.actions
        }

    def begin(self, course: Course, now: float) -> None:
        """This plan was allowed, and is the one to be carried out."""
        self._execution.begin(course, self._seen.pose, now)

    def stopped(self) -> None:
        """No plan is carried out any more."""
        self._execution.end()

    def command(self, name: str, kind: str, message: Any, now: float) -> MotionVerdict:
        """Of a message of an input; `kind`: its type."""
        check = self._streams[name]
        if kind == JOINT_TRAJECTORY:
            asked = _trajectory(message)
            here = self._seen
            return check.trajectory(
                asked.names, asked.points, now, here.joints(now), here.pose, here.people(now)
            )
        linear, angular, frame = twist_of(message)
        frame = frame or next(iter(self._profile.base_frames), "")
        seen = self._seen
        return check.twist(linear, angular, frame, now, seen.pose, seen.people(now))

    def rest(self, name: str, now: float) -> None:
        """An input's output was told to rest."""
        self._streams[name].twist(ZERO, ZERO, "", now, None, None)

    def goal(self, name: str, goal: Any, now: float) -> Verdict:
        """Of a goal for an action."""
        seen = self._seen
        try:
            asked = self._asked(name, goal)
        except Exception as error:
            return refused("goal.error", f"it cannot be read: {type(error).__name__}")
        here = Seen(seen.pose, seen.people(now), seen.joints(now))
        return self._execution.judge(asked, self._goals[name], here, now)

    def _asked(self, name: str, message: Any) -> Goal:
        """What a goal's message asks for."""
        entry = self._profile.actions.get(name)
        named = entry.parameters if entry is not None else {}
        parameters: dict[str, object] = {}
        ways, trajectories = [], []
        for field, kind in message.get_fields_and_field_types().items():
            value = getattr(message, field)
            if kind in POSES:
                ways.append([_pose(p.header.frame_id, p.pose, 0.0) for p in POSES[kind](value)])
            elif kind == TRAJECTORY:
                trajectories.append(_trajectory(value))
            elif field in named or not _is_default(message, field):
                parameters[field] = PLAIN.get(kind, _as_it_is)(value)
        return Goal(name, parameters, ways, trajectories)


def _is_default(message: Any, field: str) -> bool:
    """Whether a field is as in an empty message, to the byte."""
    empty, one = type(message)(), type(message)()
    setattr(one, field, getattr(message, field))
    return bool(serialize_message(one) == serialize_message(empty))


def _as_it_is(value: object) -> object:
    return value


def _seconds(duration: Any) -> float:
    return float(duration.sec + duration.nanosec / SECOND)


# How a field of a type is as a parameter, where not as it is.
PLAIN: dict[str, Callable[[Any], object]] = {
    "builtin_interfaces/Duration": _seconds,
    "boolean": int,
}


def _trajectory(message: Any) -> Trajectory:
    points = [
        JointPoint(
            point.positions,
            _seconds(point.time_from_start),
            point.velocities,
            point.accelerations,
            point.effort,
        )
        for point in message.points
    ]
    return Trajectory(list(message.joint_names), points)


def _pose(frame: str, pose: Any, stamp: float) -> Pose:
    """As the checks take it. Yaw: of the x axis, seen from above."""
    q = pose.orientation
    yaw = math.atan2(2 * (q.w * q.z + q.x * q.y), 1 - 2 * (q.y * q.y + q.z * q.z))
    x, y, z = pose.position.x, pose.position.y, pose.position.z
    return Pose.model_construct(frame=frame, x=x, y=y, z=z, yaw=yaw, stamp=stamp)
