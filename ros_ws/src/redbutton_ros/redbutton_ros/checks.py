"""The checks of the robot's profile on messages and goals, with what is known of where things are.

| parameter | type of the topic | what |
|---|---|---|
| pose | nav_msgs/Odometry | where the robot is, in the profile's frame |
| people | geometry_msgs/PoseArray | all who are seen, in the profile's frame |
| joints | sensor_msgs/JointState | where the joints are |

All in the robot's domain. An empty array: nobody is there. What is not heard, or is old, is not
known: then nothing passes that needs it. Goals: an action that the profile does not name is
refused, and so is a text in a goal that it does not name; places, paths and trajectories in a
goal are judged as such.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from redbutton.checks.motion import JointPoint, MotionCheck, MotionVerdict, PersonSeen, Pose
from redbutton.checks.profile import ParameterType, RobotProfile
from redbutton.checks.verdict import Judgement, Verdict
from redbutton.crossing import JOINT_TRAJECTORY, Crossing
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
        self._seen = Surroundings(robot, profile, {name: own[name] for name in TOPICS})
        latency = own["stop_latency"]
        self._streams = {entry.name: MotionCheck(profile, latency) for entry in crossing.inputs}
        self._goals = {entry.name: MotionCheck(profile, latency) for entry in crossing.actions}

    def command(self, name: str, kind: str, message: Any, now: float) -> MotionVerdict:
        """Of a message of an input; `kind`: its type."""
        check = self._streams[name]
        if kind == JOINT_TRAJECTORY:
            return self._trajectory(check, message, now)
        linear, angular, frame = twist_of(message)
        frame = frame or next(iter(self._profile.base_frames), "")
        seen = self._seen
        return check.twist(linear, angular, frame, now, seen.pose, seen.people(now))

    def rest(self, name: str, now: float) -> None:
        """An input's output was told to rest."""
        self._streams[name].twist(ZERO, ZERO, "", now, None, None)

    def goal(self, name: str, goal: Any, now: float) -> Verdict:
        """Of a goal for an action."""
        for verdict in self._of_goal(name, goal, now):
            if verdict.verdict is not Judgement.ALLOW:
                return verdict
        return Verdict(verdict=Judgement.ALLOW)

    def _of_goal(self, name: str, goal: Any, now: float) -> Iterator[Verdict]:
        action = self._profile.actions.get(name)
        if action is None:
            yield _refused("goal.action", f"the profile has no action {name}")
            return
        check = self._goals[name]
        for field, kind in goal.get_fields_and_field_types().items():
            value = getattr(goal, field)
            parameter = action.parameters.get(field)
            if kind in POSES:
                poses = [_pose(p.header.frame_id, p.pose, 0.0) for p in POSES[kind](value)]
                for pose in poses:
                    yield check.goal(pose).verdict
                if len(poses) > 1:
                    yield check.path(poses).verdict
            elif kind == TRAJECTORY:
                yield self._trajectory(check, value, now).verdict
            elif kind == "string" and value:
                if parameter is None or parameter.type is ParameterType.NUMBER:
                    yield _refused("goal.text", f"the profile lets {name} have no {field}")
            elif parameter is not None and parameter.range is not None:
                least, most = parameter.range.min, parameter.range.max
                if not (isinstance(value, int | float) and least <= value <= most):
                    yield _refused("goal.range", f"{field} is not within {least:g} to {most:g}")

    def _trajectory(self, check: MotionCheck, message: Any, now: float) -> MotionVerdict:
        points = [
            JointPoint(
                point.positions,
                point.time_from_start.sec + point.time_from_start.nanosec / SECOND,
                point.velocities,
                point.accelerations,
                point.effort,
            )
            for point in message.points
        ]
        seen = self._seen
        return check.trajectory(
            list(message.joint_names), points, now, seen.joints(now), seen.pose, seen.people(now)
        )


def _refused(rule: str, reason: str) -> Verdict:
    return Verdict(verdict=Judgement.REFUSE, rule=rule, reason=reason)


def _pose(frame: str, pose: Any, stamp: float) -> Pose:
    """As the checks take it. Yaw: of the x axis, seen from above."""
    q = pose.orientation
    yaw = math.atan2(2 * (q.w * q.z + q.x * q.y), 1 - 2 * (q.y * q.y + q.z * q.z))
    x, y, z = pose.position.x, pose.position.y, pose.position.z
    return Pose.model_construct(frame=frame, x=x, y=y, z=z, yaw=yaw, stamp=stamp)
