# mypy: disable-error-code="attr-defined,import-not-found,import-untyped"
"""The gate of one robot and, on request, a virtual board for it.

    ros2 launch redbutton_ros gate.launch.py key_file:=/etc/redbutton/key
    ros2 launch redbutton_ros gate.launch.py virtual:=true namespace:=robot_1

A gate that has ended is a stop, and a stop must be seen: whatever was launched with it ends too.
It is not started again by itself.
"""

import os
import re
import shlex
import stat
from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    LogInfo,
    OpaqueFunction,
    Shutdown,
)
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

DOMAIN_MAX = 232
NAMESPACE = re.compile(r"/?([A-Za-z_]\w*(/[A-Za-z_]\w*)*)?", re.ASCII)
# `<>` keeps the pipe open for reading and writing: whoever presses may come and go.
BOARD = 'exec redbutton virtual-board --port-link "$1" --key-file "$2" <>"$3"'
WAIT = 'until [ -e "$0" ]; do sleep 0.1; done; exec "$@"'


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` and IncludeLaunchDescription call."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "virtual",
                default_value="false",
                choices=["true", "false"],
                description="Run a virtual board too, with its own port and key.",
            ),
            DeclareLaunchArgument(
                "port",
                default_value="",
                description="The controller's serial port. Empty: what params_file says.",
            ),
            DeclareLaunchArgument(
                "key_file",
                default_value="",
                description="File of the link key. Empty: what params_file says.",
            ),
            DeclareLaunchArgument(
                "params_file",
                default_value=PathJoinSubstitution(
                    [FindPackageShare("redbutton_ros"), "config", "base.yaml"]
                ),
                description="YAML file of the gate's parameters.",
            ),
            DeclareLaunchArgument(
                "planner_domain",
                default_value="",
                description="ROS domain of the planner. Empty: what params_file says.",
            ),
            DeclareLaunchArgument(
                "robot_domain",
                default_value="",
                description="ROS domain of the robot. Empty: ROS_DOMAIN_ID.",
            ),
            DeclareLaunchArgument(
                "namespace", default_value="", description="ROS namespace of the gate."
            ),
            DeclareLaunchArgument(
                "log_level",
                default_value="info",
                choices=["debug", "info", "warn", "error", "fatal"],
                description="How much the gate logs.",
            ),
            DeclareLaunchArgument(
                "enclave",
                default_value="",
                description="Security enclave (SROS2) of the gate. Empty: none given.",
            ),
            OpaqueFunction(function=_start),
        ]
    )


def _start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Everything is worked out here and now: a second robot sets the same names anew."""
    given = {
        name: LaunchConfiguration(name).perform(context).strip()
        for name in (
            *("virtual", "port", "key_file", "params_file", "planner_domain", "robot_domain"),
            *("namespace", "log_level", "enclave"),
        )
    }
    # launch_ros would only warn, and start a gate without the limits that are in the file.
    if not Path(given["params_file"]).is_file():
        raise RuntimeError(f"params_file:={given['params_file']}: there is no such file")
    if not NAMESPACE.fullmatch(given["namespace"]):
        raise RuntimeError(f"namespace:={given['namespace']}: that is no ROS namespace")
    if given["robot_domain"] and not given["planner_domain"]:
        raise RuntimeError("robot_domain is given, so say planner_domain too")

    # Arguments win over the file, and an argument that is not given leaves it alone.
    parameters: dict[str, str | int] = {
        name: given[name] for name in ("port", "key_file") if given[name]
    }
    if given["planner_domain"]:
        parameters["planner_domain"] = _domain("planner_domain", given["planner_domain"])
    environment = {}
    if given["robot_domain"]:
        environment["ROS_DOMAIN_ID"] = str(_domain("robot_domain", given["robot_domain"]))

    started: list[LaunchDescriptionEntity] = []
    prefix = {}
    if given["virtual"] == "true":
        if given["port"] or given["key_file"]:
            raise RuntimeError("virtual:=true brings its own port and key_file")
        folder = _folder(context, given["namespace"])
        port, key, buttons = (str(folder / name) for name in ("port", "key", "buttons"))
        parameters.update(port=port, key_file=key)
        prefix = {"prefix": f"sh -c {shlex.quote(WAIT)} {shlex.quote(port)}"}
        started += [
            ExecuteProcess(
                cmd=["sh", "-c", BOARD, "virtual-board", port, key, buttons],
                name="virtual_board",
                output="screen",
                on_exit=Shutdown(reason="the virtual board has ended"),
            ),
            LogInfo(msg=f"the virtual board's buttons: echo reset > {shlex.quote(buttons)}"),
        ]

    started.append(
        Node(
            package="redbutton_ros",
            executable="gate",
            exec_name="gate",
            # With its full name in the generated file, parameters given here win over all files.
            name="gate",
            namespace=given["namespace"],
            parameters=[given["params_file"], *([parameters] if parameters else [])],
            ros_arguments=[
                *("--log-level", given["log_level"]),
                *(("--enclave", given["enclave"]) if given["enclave"] else ()),
            ],
            additional_env=environment,
            output="screen",
            on_exit=Shutdown(reason="the gate has ended: the robot is stopped"),
            **prefix,
        )
    )
    return started


def _domain(name: str, value: str) -> int:
    if not value.isdecimal() or int(value) > DOMAIN_MAX:
        raise RuntimeError(f"{name}:={value}: a ROS domain is a number from 0 to {DOMAIN_MAX}")
    return int(value)


def _folder(context: LaunchContext, namespace: str) -> Path:
    """The folder of this namespace's virtual board, with a pipe for its buttons.

    Private to the user: who can write to the pipe is the person at the board.
    """
    if not namespace.startswith("/"):
        namespace = f"{context.launch_configurations.get('ros_namespace', '')}/{namespace}"
    home = Path(os.environ.get("ROS_HOME") or Path.home() / ".ros")
    folder = home / "redbutton" / namespace.strip("/")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "port").unlink(missing_ok=True)  # of a board that was killed
    buttons = folder / "buttons"
    if not buttons.exists():
        os.mkfifo(buttons, 0o600)
    if not stat.S_ISFIFO(buttons.stat().st_mode):
        raise RuntimeError(f"{buttons} is in the way: not a pipe")
    return folder
