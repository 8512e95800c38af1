"""Parameters of the gate: all of them, described, typed, with their ranges. None can be set later.

Lists name what there is (`outputs: [base]`), and each name has parameters of its own
(`output.base.topic`). What is not known here is an error: a misspelt limit must not be no limit.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from redbutton.checks.motion import STOP_LATENCY_S
from redbutton.crossing import TWIST, Crossing, Side
from redbutton.errors import RedbuttonError
from redbutton.gate import COMMAND_AGE_S, REST_S

NONE = [""]  # an empty list has no type in ROS
DOMAIN_MAX = 232


class SettingsWrong(RedbuttonError):
    """The parameters of a node do not fit together."""

    exit_code = 14


@dataclass(frozen=True)
class Setting:
    """One parameter. `least`, `most`: its range, for numbers."""

    name: str
    default: Any
    description: str
    least: float = 0.0
    most: float = 0.0


GATE = (
    Setting("port", "", "the controller's port; empty: look for it"),
    Setting("key_file", "", "file of the link key; empty: the default one"),
    Setting(
        "planner_domain",
        -1,
        "ROS domain of the planner; -1: the robot's own, which is weaker: the planner can then "
        "reach past the gate. The robot's domain is the process's ROS_DOMAIN_ID",
        -1,
        DOMAIN_MAX,
    ),
    Setting("record", "", "folder of the log; empty: the usual one, if a log was made there"),
    Setting("profile", "", "YAML file of the robot's profile; empty: only what inputs limit"),
    Setting(
        "profile_in_force",
        "",
        "file of the gate's that remembers the profile in force, if that names who may change it; "
        "empty: /var/lib/redbutton/profile-in-force.yaml. Each robot has its own",
    ),
    Setting("pose", "", "nav_msgs/Odometry in the robot's domain: where it is, by the profile"),
    Setting("people", "", "geometry_msgs/PoseArray in the robot's domain: all who are seen"),
    Setting("joints", "", "sensor_msgs/JointState in the robot's domain: where the joints are"),
    Setting("operator_group", "", "whose members may approve held plans; empty: the gate's own"),
    Setting("planner_user", "", "the user who may never approve, member or not"),
    Setting(
        "stop_latency",
        STOP_LATENCY_S,
        "from what asks for a stop to the load being off, as measured, in seconds",
        0.0,
        10.0,
    ),
    Setting("command_age", COMMAND_AGE_S, "how old a command may be, in seconds", 0.01, 10.0),
    Setting("rest", REST_S, "silence that counts as rest, in seconds", 0.05, 10.0),
    Setting(
        "planner_timeout",
        0.0,
        "no heartbeat unless planner/alive was heard within so many seconds; 0: not asked for",
        0.0,
        60.0,
    ),
    Setting(
        "watch_strangers",
        True,
        "stop if anybody else publishes in the robot's domain what moves it",
    ),
    Setting(
        "deceleration",
        0.0,
        "ramp of a velocity output in a category 1 stop, in m/s^2; 0: zero at once",
        0.0,
        100.0,
    ),
    Setting("odometry", "", "nav_msgs/Odometry in the robot's domain that proves standstill"),
    Setting(
        "odometry_timeout",
        0.0,
        "no heartbeat unless odometry was heard within so many seconds; 0: not asked for",
        0.0,
        60.0,
    ),
)
LISTS = (
    Setting("outputs", ["base"], "names of the topics that move the robot"),
    Setting("inputs", ["planner"], "names of the topics that ask for motion"),
    Setting("actions", NONE, "names of the robot's actions that the planner may use"),
    Setting("topics_back", NONE, "names of the robot's topics that the planner may read"),
)
OUTPUT = (
    Setting("topic", "cmd_vel", "topic in the robot's domain"),
    Setting("type", TWIST, "its message type"),
    Setting("frame", "", "frame_id of a stamped output"),
)
INPUT = (
    Setting("output", "base", "the output that it moves"),
    Setting("side", "planner", "the domain that it is in: planner or robot"),
    Setting(
        "topic",
        "",
        "topic in that domain; empty: as its output's, with _request if both share a domain",
    ),
    Setting("type", TWIST, "its message type"),
    Setting("priority", 0, "the higher wins, while it is in use", 0, 255),
    Setting("max_linear", 0.0, "refused beyond, in m/s; 0: no limit here", 0.0, 100.0),
    Setting("max_angular", 0.0, "refused beyond, in rad/s; 0: no limit here", 0.0, 100.0),
    Setting(
        "deadline", 0.0, "its publisher must promise it (QoS), in seconds; 0: none", 0.0, 60.0
    ),
    Setting(
        "lease", 0.0, "its publisher must prove its life (QoS) so often, in s; 0: none", 0.0, 60.0
    ),
    Setting("required", False, "no heartbeat while it is silent for longer than its deadline"),
)
ACTION = (
    Setting("topic", "", "name of the action in the robot's domain; empty: the same name"),
    Setting("planner_topic", "", "its name for the planner; empty: the same, or with _request"),
    Setting("type", "", "its type, for example nav2_msgs/action/NavigateToPose"),
)
TOPIC_BACK = (
    Setting("topic", "", "topic in both domains; empty: the same name"),
    Setting("type", "", "its message type"),
)
GROUPS = (("output", OUTPUT), ("input", INPUT), ("action", ACTION), ("topic_back", TOPIC_BACK))


def declare(node: Node, setting: Setting, prefix: str = "") -> Any:
    """Declare a parameter that is read-only (SR-25); its value."""
    descriptor = ParameterDescriptor(description=setting.description, read_only=True)
    if setting.most > setting.least:
        if isinstance(setting.default, float):
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(setting.least), to_value=float(setting.most))
            ]
        else:
            descriptor.integer_range = [
                IntegerRange(from_value=int(setting.least), to_value=int(setting.most), step=1)
            ]
    name = prefix + setting.name
    try:
        value = node.declare_parameter(name, setting.default, descriptor).value
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        raise SettingsWrong(f"parameter {name}: {error}") from None
    if value is None:
        raise SettingsWrong(f"parameter {name}: an empty list has no type in ROS: leave it out")
    return value


def read(node: Node) -> tuple[dict[str, Any], Crossing]:
    """Declare and check everything; the gate's own settings, and what crosses.

    SettingsWrong, naming what does not fit.
    """
    own = {setting.name: declare(node, setting) for setting in GATE}
    single = own["planner_domain"] in (-1, node.context.get_domain_id())
    listed = {setting.name: [n for n in declare(node, setting) if n] for setting in LISTS}
    groups = {}
    for (group, settings), names in zip(GROUPS, listed.values(), strict=True):
        groups[group] = [
            {"name": name, **{s.name: declare(node, s, f"{group}.{name}.") for s in settings}}
            for name in names
        ]
    moved = {entry["name"]: entry["topic"] for entry in groups["output"]}
    for entry in groups["input"]:
        topic = moved.get(entry["output"], entry["name"])
        other = topic if not single and entry["side"] == Side.PLANNER.value else f"{topic}_request"
        entry["topic"] = entry["topic"] or other
    for entry in groups["action"]:
        entry["topic"] = entry["topic"] or entry["name"]
        other = f"{entry['topic']}_request" if single else entry["topic"]
        entry["planner_topic"] = entry["planner_topic"] or other
    for entry in groups["topic_back"]:
        entry["topic"] = entry["topic"] or entry["name"]
    _nothing_unknown(node)
    if own["odometry_timeout"] and not own["odometry"]:
        raise SettingsWrong("parameter odometry_timeout: which odometry is not said")
    try:
        crossing = Crossing.model_validate(
            {
                "single_domain": single,
                "outputs": groups["output"],
                "inputs": groups["input"],
                "actions": groups["action"],
                "topics_back": groups["topic_back"],
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = _where(first["loc"], listed)
        raise SettingsWrong(where + first["msg"].removeprefix("Value error, ")) from None
    return own, crossing


def _where(place: tuple[int | str, ...], listed: dict[str, list[str]]) -> str:
    """The parameter that an error is about."""
    if len(place) < 2 or not isinstance(place[1], int):
        return ""
    name = listed[str(place[0])][place[1]]
    group = str(place[0]).replace("topics", "topic").removesuffix("s")
    return f"parameter {'.'.join([group, name, *map(str, place[2:])])}: "


def _nothing_unknown(node: Node) -> None:
    """What was given but is no parameter: rclpy keeps it to itself."""
    given = set(getattr(node, "_parameter_overrides", {}))
    unknown = {name for name in given if not node.has_parameter(name)} - {"use_sim_time"}
    unknown = {name for name in unknown if not name.startswith("qos_overrides.")}
    if unknown:
        raise SettingsWrong(f"there is no parameter {', '.join(sorted(unknown))}")
