"""The message types that may move a robot: what the rules see of each, and how each says rest.

| type | rest |
|---|---|
| geometry_msgs/Twist, TwistStamped | all zero |
| trajectory_msgs/JointTrajectory | no points: the controller drops what it was following |
"""

import math
from importlib import import_module
from typing import Any

from geometry_msgs.msg import Twist, TwistStamped
from trajectory_msgs.msg import JointTrajectory

from redbutton.crossing import JOINT_TRAJECTORY, TWIST, TWIST_STAMPED
from redbutton.gate import Command
from redbutton_ros.settings import SettingsWrong

SECOND = 1_000_000_000

Vector = tuple[float, float, float]


class Kind:
    """A message type of an input or an output."""

    message: type[Any]

    def command(self, message: Any) -> Command:
        """What the rules see of a message."""
        raise NotImplementedError

    def stamp_ns(self, message: Any) -> int:
        """When it says that it was made, in ns of the ROS clock; 0 if it does not say."""
        return 0

    def rest(self, frame: str, now_ns: int) -> Any:
        """A message that moves nothing."""
        raise NotImplementedError

    def scaled(self, message: Any, share: float, now_ns: int) -> Any:
        """The same motion, slower; rest where there is no such thing."""
        return self.rest("", now_ns)


class TwistKind(Kind):
    """Velocity without a header: linear in m/s, angular in rad/s (REP-103)."""

    message = Twist

    def command(self, message: Any) -> Command:
        """All six components."""
        linear, angular = message.linear, message.angular
        straight = (linear.x, linear.y, linear.z)
        turn = (angular.x, angular.y, angular.z)
        values = straight + turn
        return Command(values, any(values), math.hypot(*straight), math.hypot(*turn))

    def rest(self, frame: str, now_ns: int) -> Any:
        """All zero."""
        return Twist()

    def scaled(self, message: Any, share: float, now_ns: int) -> Any:
        """Each component times `share`."""
        return slower(message, share)


class TwistStampedKind(TwistKind):
    """The same with a header."""

    message = TwistStamped

    def command(self, message: Any) -> Command:
        """All six components."""
        return super().command(message.twist)

    def stamp_ns(self, message: Any) -> int:
        """Of its header."""
        return stamp_ns(message)

    def rest(self, frame: str, now_ns: int) -> Any:
        """All zero."""
        return stamped(Twist(), frame, now_ns)

    def scaled(self, message: Any, share: float, now_ns: int) -> Any:
        """Each component times `share`."""
        return stamped(slower(message.twist, share), message.header.frame_id, now_ns)


class JointTrajectoryKind(Kind):
    """Positions in rad or m over time, one row of numbers a point."""

    message = JointTrajectory

    def command(self, message: Any) -> Command:
        """Every number of every point; an empty trajectory moves nothing."""
        names, points = message.joint_names, message.points
        values: list[float] = []
        problem = ""
        if len(set(names)) != len(names):
            problem = "a joint is named twice"
        before = -1
        for index, point in enumerate(points):
            rows = (point.positions, point.velocities, point.accelerations, point.effort)
            if not any(rows) or any(row and len(row) != len(names) for row in rows):
                problem = f"point {index} does not have a number for each of {len(names)} joints"
            at = point.time_from_start.sec * SECOND + point.time_from_start.nanosec
            if at <= before:
                problem = f"point {index} is not after the one before it"
            before = at
            for row in rows:
                values.extend(row)
        return Command(tuple(values), bool(points), problem=problem, lasts=True)

    def stamp_ns(self, message: Any) -> int:
        """0: its header says when it shall begin, and not when it was made."""
        return 0

    def rest(self, frame: str, now_ns: int) -> Any:
        """No points."""
        return JointTrajectory()


KINDS: dict[str, Kind] = {
    TWIST: TwistKind(),
    TWIST_STAMPED: TwistStampedKind(),
    JOINT_TRAJECTORY: JointTrajectoryKind(),
}


def twist_of(message: Any) -> tuple[Vector, Vector, str]:
    """Linear (m/s), angular (rad/s) and frame of a velocity; "" where it names none."""
    frame = ""
    if isinstance(message, TwistStamped):
        frame, message = message.header.frame_id, message.twist
    linear, angular = message.linear, message.angular
    return (linear.x, linear.y, linear.z), (angular.x, angular.y, angular.z), frame


def with_twist(message: Any, linear: Vector, angular: Vector) -> Any:
    """The same message with another velocity."""
    twist = Twist()
    twist.linear.x, twist.linear.y, twist.linear.z = linear
    twist.angular.x, twist.angular.y, twist.angular.z = angular
    if isinstance(message, TwistStamped):
        return TwistStamped(header=message.header, twist=twist)
    return twist


def stamp_ns(message: Any) -> int:
    """Of a message's header, in ns of the ROS clock."""
    return int(message.header.stamp.sec) * SECOND + int(message.header.stamp.nanosec)


def slower(twist: Twist, share: float) -> Twist:
    """Each component times `share`."""
    result = Twist()
    for part, given in ((result.linear, twist.linear), (result.angular, twist.angular)):
        part.x, part.y, part.z = given.x * share, given.y * share, given.z * share
    return result


def stamped(twist: Twist, frame: str, now_ns: int) -> TwistStamped:
    """A velocity with a header."""
    message = TwistStamped(twist=twist)
    message.header.frame_id = frame
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(now_ns, SECOND)
    return message


def converted(message: Any, out: str, frame: str, now_ns: int) -> Any:
    """A message as the output of type `out` takes it."""
    if out == TWIST_STAMPED:
        twist = message.twist if isinstance(message, TwistStamped) else message
        return stamped(twist, frame, now_ns)
    return message.twist if isinstance(message, TwistStamped) else message


def load(name: str) -> Any:
    """The message, service or action class of a name such as nav_msgs/msg/Odometry.

    SettingsWrong if it is not installed.
    """
    package, folder, kind = name.split("/")
    try:
        return getattr(import_module(f"{package}.{folder}"), kind)
    except (ImportError, AttributeError):
        raise SettingsWrong(f"{name} is not installed here: is package {package}?") from None
