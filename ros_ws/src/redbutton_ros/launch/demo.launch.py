# mypy: disable-error-code="attr-defined,import-not-found,import-untyped"
"""A virtual board and a gate between two ROS domains, to try things with.

    ros2 launch redbutton_ros demo.launch.py
    echo reset > ~/.ros/redbutton/demo/buttons

Then, each in a terminal of its own (they take commands on standard input):

    ROS_DOMAIN_ID=42 ros2 run redbutton_ros demo_robot --ros-args -r __ns:=/demo      # load 1
    ROS_DOMAIN_ID=41 ros2 run redbutton_ros demo_planner --ros-args -r __ns:=/demo    # drive 0.3
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` and IncludeLaunchDescription call."""
    share = FindPackageShare("redbutton_ros")
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "planner_domain", default_value="41", description="ROS domain of the planner."
            ),
            DeclareLaunchArgument(
                "robot_domain", default_value="42", description="ROS domain of the robot."
            ),
            DeclareLaunchArgument(
                "namespace", default_value="demo", description="ROS namespace of the gate."
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(
                    [PathJoinSubstitution([share, "launch", "gate.launch.py"])]
                ),
                launch_arguments={
                    "virtual": "true",
                    "params_file": PathJoinSubstitution([share, "config", "demo.yaml"]),
                    "planner_domain": LaunchConfiguration("planner_domain"),
                    "robot_domain": LaunchConfiguration("robot_domain"),
                    "namespace": LaunchConfiguration("namespace"),
                    "port": "",
                    "key_file": "",
                    "enclave": "",
                    "log_level": "info",
                }.items(),
            ),
        ]
    )
