# mypy: disable-error-code="attr-defined,import-not-found,import-untyped"
"""Several robots, each with its gate in a namespace of its own, and one stop for all of them.

    ros2 launch redbutton_ros fleet.launch.py robots:="robot_1 robot_2" params_file:=fleet.yaml

Each robot has a controller of its own, so each has a port and a key of its own: say them in
params_file, under `/robot_1/gate` and so on. The zone's stop reaches all; each controller needs
its own reset. If any gate ends, all end: robots that may run on alone are launched one by one
with gate.launch.py.
"""

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
    Shutdown,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

HANDED_ON = ("virtual", "params_file", "planner_domain", "robot_domain", "log_level")


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` and IncludeLaunchDescription call."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "robots", description="Namespaces of the robots, separated by spaces."
            ),
            DeclareLaunchArgument(
                "virtual",
                default_value="false",
                choices=["true", "false"],
                description="Run a virtual board for each robot.",
            ),
            DeclareLaunchArgument(
                "params_file",
                default_value=PathJoinSubstitution(
                    [FindPackageShare("redbutton_ros"), "config", "base.yaml"]
                ),
                description="YAML file of the gates' parameters.",
            ),
            DeclareLaunchArgument(
                "planner_domain",
                default_value="",
                description="ROS domain of the planners. Empty: what params_file says.",
            ),
            DeclareLaunchArgument(
                "robot_domain",
                default_value="",
                description="ROS domain of the robots. Empty: ROS_DOMAIN_ID.",
            ),
            DeclareLaunchArgument(
                "zone",
                default_value="true",
                choices=["true", "false"],
                description="Run the node that stops all robots (zone/stop).",
            ),
            DeclareLaunchArgument(
                "log_level",
                default_value="info",
                choices=["debug", "info", "warn", "error", "fatal"],
                description="How much the nodes log.",
            ),
            OpaqueFunction(function=_start),
        ]
    )


def _start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    robots = LaunchConfiguration("robots").perform(context).split()
    members = ["/" + robot.strip("/") for robot in robots]
    if not members or len(set(members)) != len(members):
        raise RuntimeError("robots: name each robot once, for example robots:='robot_1 robot_2'")
    handed_on = {name: LaunchConfiguration(name).perform(context) for name in HANDED_ON}

    gate = PathJoinSubstitution([FindPackageShare("redbutton_ros"), "launch", "gate.launch.py"])
    started: list[LaunchDescriptionEntity] = [
        # A group each: what an included file sets stays in it.
        GroupAction(
            [
                IncludeLaunchDescription(
                    PythonLaunchDescriptionSource([gate]),
                    launch_arguments={
                        **handed_on,
                        "namespace": member,
                        "port": "",
                        "key_file": "",
                        "enclave": "",
                    }.items(),
                )
            ]
        )
        for member in members
    ]
    if LaunchConfiguration("zone").perform(context) == "true":
        domain = handed_on["robot_domain"].strip()
        started.append(
            Node(
                package="redbutton_ros",
                executable="zone",
                exec_name="zone",
                parameters=[{"members": members}],
                ros_arguments=["--log-level", handed_on["log_level"]],
                additional_env={"ROS_DOMAIN_ID": domain} if domain else {},
                output="screen",
                on_exit=Shutdown(reason="the zone has ended: there is no stop for all robots"),
            )
        )
    return started
