# mypy: disable-error-code="attr-defined,import-not-found,import-untyped"
"""Record what the gate says, what was asked of it and what it let through, as MCAP.

    ros2 launch redbutton_ros record.launch.py planner_domain:=1 output:=run_7

One recording for each ROS domain: OUTPUT_planner and OUTPUT_robot. A single domain makes one.
"""

import os
import re
import time

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction
from launch.substitutions import LaunchConfiguration

DOMAIN_MAX = 232
NAME = r"/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*"
# cmd_vel_request in one domain, cmd_vel in two: a name that nobody publishes costs nothing.
PLANNER = ("estop/state", "estop/e_stop", "planner/alive", "cmd_vel_request", "cmd_vel")
ROBOT = ("estop/state", "estop/e_stop", "estop/lock", "/diagnostics", "cmd_vel")


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` and IncludeLaunchDescription call."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "robots",
                default_value="",
                description="Namespaces of the robots, separated by spaces. Empty: none.",
            ),
            DeclareLaunchArgument(
                "planner_domain",
                default_value="",
                description="ROS domain of the planner. Empty: ROS_DOMAIN_ID.",
            ),
            DeclareLaunchArgument(
                "robot_domain",
                default_value="",
                description="ROS domain of the robot. Empty: ROS_DOMAIN_ID.",
            ),
            DeclareLaunchArgument(
                "planner_topics",
                default_value="",
                description="More topics of the planner's domain, separated by spaces.",
            ),
            DeclareLaunchArgument(
                "robot_topics",
                default_value="",
                description="More topics of the robot's domain, separated by spaces.",
            ),
            DeclareLaunchArgument(
                "output",
                default_value="",
                description="Name of the recordings. Empty: redbutton and the time.",
            ),
            OpaqueFunction(function=_start),
        ]
    )


def _start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    given = {
        name: LaunchConfiguration(name).perform(context).strip()
        for name in (
            *("robots", "planner_domain", "robot_domain", "planner_topics", "robot_topics"),
            "output",
        )
    }
    own = os.environ.get("ROS_DOMAIN_ID") or "0"
    planner = _domain("planner_domain", given["planner_domain"] or own)
    robot = _domain("robot_domain", given["robot_domain"] or own)
    asked = (*PLANNER, *given["planner_topics"].split())
    passed = (*ROBOT, *given["robot_topics"].split())
    robots = given["robots"].split()
    output = given["output"] or time.strftime("redbutton_%Y_%m_%d-%H_%M_%S")
    if planner == robot:
        return [_recorder(output, planner, robots, asked + passed)]
    return [
        _recorder(f"{output}_planner", planner, robots, asked),
        _recorder(f"{output}_robot", robot, robots, passed),
    ]


def _recorder(
    output: str, domain: int, robots: list[str], topics: tuple[str, ...]
) -> ExecuteProcess:
    names = sorted({_absolute(robot, topic) for robot in robots or [""] for topic in topics})
    return ExecuteProcess(
        # A regular expression, because the ways to list topics differ: Humble knows no --topics,
        # and the plain list is given up after Kilted.
        cmd=[
            *("ros2", "bag", "record", "--storage", "mcap", "--output", output),
            *("--regex", f"^({'|'.join(names)})$"),
        ],
        name=f"record_{domain}",
        additional_env={"ROS_DOMAIN_ID": str(domain)},
        output="screen",
    )


def _absolute(namespace: str, topic: str) -> str:
    for name in filter(None, (namespace, topic)):
        if not re.fullmatch(NAME, name):
            raise RuntimeError(f"{name!r} is no ROS name")
    if topic.startswith("/"):
        return topic
    return "/".join(("", *filter(None, (namespace.strip("/"), topic))))


def _domain(name: str, value: str) -> int:
    if not value.isdecimal() or int(value) > DOMAIN_MAX:
        raise RuntimeError(f"{name}:={value}: a ROS domain is a number from 0 to {DOMAIN_MAX}")
    return int(value)
