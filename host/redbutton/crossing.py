"""What crosses the gate between the planner's and the robot's ROS domain: a checked description.

Nothing that is not named here crosses. Names are ROS names, relative ones move with the node's
namespace. Pure: no ROS here.
"""

import re
from collections import Counter
from collections.abc import Iterable
from enum import Enum
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator
from typing_extensions import Self

from redbutton.model import Frozen

TWIST = "geometry_msgs/msg/Twist"
TWIST_STAMPED = "geometry_msgs/msg/TwistStamped"
JOINT_TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"
# What may be sent on an output of each type.
CONVERTIBLE = {
    TWIST: (TWIST, TWIST_STAMPED),
    TWIST_STAMPED: (TWIST, TWIST_STAMPED),
    JOINT_TRAJECTORY: (JOINT_TRAJECTORY,),
}
OWN_TOPICS = "estop/"  # what the gate itself says


def _matching(pattern: str, what: str) -> Any:
    """Text of a form, for pydantic; an error names `what` it is not."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{text!r} is no {what}")
        return text

    return AfterValidator(check)


RosName = Annotated[str, _matching(r"[~/a-zA-Z_][\w/]*", "name of ROS's, as cmd_vel is")]
MessageType = Annotated[
    str, _matching(r"[a-zA-Z]\w*/msg/[A-Z]\w*", "message type, as sensor_msgs/msg/LaserScan is")
]
ActionType = Annotated[
    str,
    _matching(r"[a-zA-Z]\w*/action/[A-Z]\w*", "action type, as nav2_msgs/action/Spin is"),
]


class Side(str, Enum):
    """A ROS domain that the gate has a node in."""

    PLANNER = "planner"
    ROBOT = "robot"


class Output(Frozen):
    """A topic in the robot's domain that moves the robot: only the gate may publish there."""

    name: str
    topic: RosName
    type: str
    frame: str = ""


class Input(Frozen):
    """A topic on which somebody asks for motion.

    `priority`: while one of higher priority is in use, others on the same output are refused.
    `max_linear` (m/s), `max_angular` (rad/s): refused beyond; 0: no limit here. `deadline` (s): a
    publisher must promise it (QoS), and a miss is rest at once; 0: none. `lease` (s): the same for
    its life (QoS liveliness). `required`: no heartbeat while it is silent for longer than its
    deadline.
    """

    name: str
    output: str
    side: Side
    topic: RosName
    type: str
    priority: int = Field(0, ge=0, le=255)
    max_linear: float = Field(0.0, ge=0, allow_inf_nan=False)
    max_angular: float = Field(0.0, ge=0, allow_inf_nan=False)
    deadline: float = Field(0.0, ge=0, le=60, allow_inf_nan=False)
    lease: float = Field(0.0, ge=0, le=60, allow_inf_nan=False)
    required: bool = False

    @model_validator(mode="after")
    def _required_needs_deadline(self) -> Self:
        if self.required and not self.deadline:
            raise ValueError(f"input {self.name} is required, so it needs a deadline")
        return self


class Action(Frozen):
    """An action of the robot's that the planner may use through the gate."""

    name: str
    topic: RosName
    planner_topic: RosName
    type: ActionType


class TopicBack(Frozen):
    """A topic of the robot's that the planner may read."""

    name: str
    topic: RosName
    type: MessageType


class Crossing(Frozen):
    """All that crosses."""

    single_domain: bool
    outputs: tuple[Output, ...]
    inputs: tuple[Input, ...]
    actions: tuple[Action, ...] = ()
    topics_back: tuple[TopicBack, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        outputs = {output.name: output for output in self.outputs}
        for output in self.outputs:
            if output.type not in CONVERTIBLE:
                known = ", ".join(CONVERTIBLE)
                raise ValueError(f"output {output.name}: type {output.type} is none of {known}")
        for entry in self.inputs:
            target = outputs.get(entry.output)
            if target is None:
                raise ValueError(f"input {entry.name}: there is no output {entry.output!r}")
            if entry.type not in CONVERTIBLE[target.type]:
                raise ValueError(
                    f"input {entry.name}: {entry.type} cannot go out as {target.type}"
                )
        guarded = [output.topic for output in self.outputs]
        _unique("output topic", guarded)
        for side in Side:
            heard = [entry.topic for entry in self.inputs if entry.side is side]
            _unique(f"input topic in the {side.value}'s domain", heard)
            if side is Side.ROBOT or self.single_domain:
                for topic in set(heard) & set(guarded):
                    raise ValueError(f"{topic} is an input and an output in one domain")
        if self.single_domain:
            self._consistent_in_one_domain()
        _unique("action", [action.planner_topic for action in self.actions])
        back = [entry.topic for entry in self.topics_back]
        _unique("topic back", back)
        for topic in back:
            if topic.startswith(OWN_TOPICS):
                raise ValueError(f"topic back {topic}: only the gate itself says {OWN_TOPICS}...")
            if topic in [entry.topic for entry in self.inputs if entry.side is Side.PLANNER]:
                raise ValueError(f"topic back {topic} is an input in the planner's domain")
        return self

    def _consistent_in_one_domain(self) -> None:
        _unique("input topic", [entry.topic for entry in self.inputs])
        for action in self.actions:
            if action.topic == action.planner_topic:
                raise ValueError(
                    f"action {action.name}: planner and robot share a domain, so "
                    "planner_topic must differ from topic"
                )
        if self.topics_back:
            raise ValueError("topics_back: planner and robot share a domain, nothing to bring")


def _unique(what: str, names: Iterable[str]) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            raise ValueError(f"{what} {name} is named {times} times")
