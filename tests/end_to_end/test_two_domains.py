"""What crosses the gate from the planner's domain to the robot's, and back: real nodes, real DDS.

The gate is a process of its own; planner and robot are nodes of this one, in their own domains.
"""

import math
import time
from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import DescribeParameters, ListParameters
from rclpy.duration import Duration
from rclpy.qos import LivelinessPolicy, QoSProfile
from ros_side import LATCHED, MakeScene, RosSide, Scene, speeds, stamped, trajectory, twist, wait
from std_msgs.msg import Bool, Empty, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from redbutton_msgs.srv import CheckPlan

OF_RCLPY = {"use_sim_time", "start_type_description_service", "qos_overrides"}
TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"
STAMPED = "geometry_msgs/msg/TwistStamped"


# --- velocities


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize("asked", [Twist, TwistStamped], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("out", [Twist, TwistStamped], ids=lambda kind: f"to {kind.__name__}")
def test_a_velocity_crosses_as_either_type(scene: MakeScene, asked: Any, out: Any) -> None:
    kinds = {Twist: "geometry_msgs/msg/Twist", TwistStamped: STAMPED}
    here = scene(
        input__planner__topic="cmd_vel",
        input__planner__type=kinds[asked],
        output__base__type=kinds[out],
        output__base__frame="base_link",
    )
    heard = here.robot.hear(out, "cmd_vel")
    here.planner.say(asked, "cmd_vel").publish(twist(0.3) if asked is Twist else stamped(0.3))
    assert wait(lambda: 0.3 in speeds(heard))
    if out is TwistStamped:
        assert heard[-1].header.frame_id == "base_link"
        assert abs(heard[-1].header.stamp.sec - time.time()) < 5


@pytest.mark.requirement("SR-24", "SR-10")
def test_a_header_that_is_old_makes_a_command_stale(scene: MakeScene) -> None:
    here = scene(input__planner__type=STAMPED)
    heard = here.robot.hear(Twist, "cmd_vel")
    time.sleep(0.5)  # or it would be one from before the reset
    here.planner.say(TwistStamped, "cmd_vel_request").publish(stamped(0.3, age=0.4))
    assert wait(lambda: here.state.commands_refused == 1)
    assert here.state.refusal.startswith("stale: made 0."), here.state.refusal
    assert 0.3 not in speeds(heard)


@pytest.mark.requirement("SR-24")
def test_a_command_beyond_its_limit_is_refused_and_the_robot_rests(scene: MakeScene) -> None:
    here = scene(input__planner__max_linear=0.5)
    heard = here.robot.hear(Twist, "cmd_vel")
    commands = here.planner.say(Twist, "cmd_vel_request")
    commands.publish(twist(0.4))
    assert wait(lambda: speeds(heard) == [0.4])
    commands.publish(twist(0.6))
    assert wait(lambda: speeds(heard) == [0.4, 0.0])
    assert wait(lambda: "beyond 0.5 m/s" in here.state.refusal)


def test_a_person_with_a_joystick_in_the_robots_domain_has_priority(scene: MakeScene) -> None:
    here = scene(
        inputs="[planner,teleop]",
        input__teleop__side="robot",
        input__teleop__topic="joy_vel",
        input__teleop__priority=100,
    )
    heard = here.robot.hear(Twist, "cmd_vel")
    commands = here.planner.say(Twist, "cmd_vel_request")
    joystick = here.robot.say(Twist, "joy_vel")
    joystick.publish(twist(-0.1))
    assert wait(lambda: -0.1 in speeds(heard))
    commands.publish(twist(0.3))
    assert wait(lambda: here.state.refusal == "teleop has priority")
    assert 0.3 not in speeds(heard)


@pytest.mark.requirement("SR-24")
def test_a_publisher_that_breaks_its_deadline_brings_the_robot_to_rest(scene: MakeScene) -> None:
    here = scene(input__planner__deadline=0.1)
    heard = here.robot.hear(Twist, "cmd_vel")
    promise = QoSProfile(depth=10, deadline=Duration(nanoseconds=50_000_000))
    commands = here.planner.say(Twist, "cmd_vel_request", promise)
    here.send(commands, twist(0.3), 0.3)
    sent = time.monotonic()
    assert wait(lambda: speeds(heard)[-1] == 0.0, 5.0)
    assert time.monotonic() - sent < 0.45, "before a silence counts as rest"


@pytest.mark.requirement("SR-24")
def test_a_publisher_that_does_not_prove_its_life_brings_the_robot_to_rest(
    scene: MakeScene,
) -> None:
    here = scene(input__planner__lease=0.2)
    heard = here.robot.hear(Twist, "cmd_vel")
    promise = QoSProfile(
        depth=10,
        liveliness=LivelinessPolicy.MANUAL_BY_TOPIC,
        liveliness_lease_duration=Duration(nanoseconds=100_000_000),
    )
    here.planner.say(Twist, "cmd_vel_request", promise).publish(twist(0.3))
    sent = time.monotonic()
    assert wait(lambda: speeds(heard)[-2:] == [0.3, 0.0], 5.0)
    assert time.monotonic() - sent < 0.45, "before a silence counts as rest"


# --- trajectories


@pytest.mark.requirement("SR-24", "SR-10")
def test_a_trajectory_crosses_and_a_stop_tells_the_arm_to_drop_it(scene: MakeScene) -> None:
    here = scene(
        output__base__type=TRAJECTORY,
        output__base__topic="arm/joint_trajectory",
        input__planner__type=TRAJECTORY,
        input__planner__topic="arm/joint_trajectory",
    )
    heard = here.robot.hear(JointTrajectory, "arm/joint_trajectory")
    arm = here.planner.say(JointTrajectory, "arm/joint_trajectory")
    arm.publish(trajectory(0.0, 0.5))
    assert wait(lambda: [len(m.points) for m in heard] == [2])
    here.stage.board.press()
    assert wait(lambda: len(heard) > 1 and len(heard[-1].points) == 0)
    arm.publish(trajectory(0.0, 0.5))
    time.sleep(0.3)
    assert [m for m in heard[1:] if m.points] == []


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (trajectory(0.0, math.nan), "not finite"),
        (JointTrajectory(points=trajectory(0.0).points), "a number for each of 0 joints"),
        (
            JointTrajectory(joint_names=["a", "a"], points=[JointTrajectoryPoint()]),
            "a number for each of 2 joints",
        ),
        (
            JointTrajectory(joint_names=["elbow"], points=2 * trajectory(0.0).points),
            "point 1 is not after",
        ),
    ],
    ids=["not a number", "no names", "no numbers", "no time"],
)
def test_a_malformed_trajectory_is_refused(
    scene: MakeScene, wrong: JointTrajectory, said: str
) -> None:
    here = scene(output__base__type=TRAJECTORY, input__planner__type=TRAJECTORY)
    heard = here.robot.hear(JointTrajectory, "cmd_vel")
    here.planner.say(JointTrajectory, "cmd_vel_request").publish(wrong)
    assert wait(lambda: said in here.state.refusal), here.state.refusal
    assert [m for m in heard if m.points] == []


# --- back to the planner


def test_a_topic_on_the_list_comes_back_and_no_other(scene: MakeScene) -> None:
    here = scene(topics_back="[odom]", topic_back__odom__type="nav_msgs/msg/Odometry")
    heard = here.planner.hear(Odometry, "odom")
    odometry = here.robot.say(Odometry, "odom")
    other = here.robot.node.create_publisher(String, "battery", LATCHED)
    message = Odometry()
    message.pose.pose.position.x = 1.5
    odometry.publish(message)
    other.publish(String(data="90 %"))
    assert wait(lambda: [m.pose.pose.position.x for m in heard] == [1.5])
    assert here.planner.node.count_publishers("battery") == 0


@pytest.mark.requirement("SR-25")
def test_what_comes_back_cannot_be_sent_the_other_way(scene: MakeScene) -> None:
    here = scene(topics_back="[odom]", topic_back__odom__type="nav_msgs/msg/Odometry")
    heard: list[Odometry] = []
    here.robot.node.create_subscription(Odometry, "odom", heard.append, 10)
    forged = here.planner.node.create_publisher(Odometry, "odom", 10)
    here.send(forged, Odometry(), 0.5)
    assert heard == []


# --- strangers, and what must be there


@pytest.mark.requirement("SR-24", "SR-20")
def test_a_stranger_on_a_guarded_topic_is_a_stop_with_its_name(scene: MakeScene) -> None:
    here = scene()
    assert here.stage.board.load
    stranger = here.robot.node.create_publisher(Twist, "cmd_vel", 10)
    assert here.stage.board.wait_load(False, 2.0)
    assert wait(lambda: list(here.state.withheld) == ["/robot_side publishes /cmd_vel"])
    assert not here.stage.board.load
    here.stage.board.reset()
    time.sleep(1.0)
    assert not here.stage.board.load, "no reset acts while it is there"
    here.robot.node.destroy_publisher(stranger)
    assert wait(lambda: not here.state.withheld)
    assert here.stage.reset()


def stops_when_silent(here: Scene, side: RosSide, publisher: Any, message: Any, said: str) -> None:
    """A heartbeat is made while this is heard, and no longer."""
    timer = side.node.create_timer(0.05, lambda: publisher.publish(message))
    assert wait(lambda: not here.state.withheld)
    assert here.stage.reset()
    timer.cancel()
    assert here.stage.board.wait_load(False, 2.0)
    assert wait(lambda: said in "".join(here.state.withheld))


@pytest.mark.requirement("SR-20")
def test_a_planner_that_is_required_and_not_seen_is_a_stop(scene: MakeScene) -> None:
    here = scene(run=False, vouches=False, planner_timeout=0.5)
    assert wait(lambda: list(here.state.withheld) == ["planner/alive was never heard"])
    alive = here.planner.say(Empty, "planner/alive")
    stops_when_silent(here, here.planner, alive, Empty(), "planner/alive was not heard")


@pytest.mark.requirement("SR-20")
def test_a_robot_that_is_required_and_no_longer_heard_is_a_stop(scene: MakeScene) -> None:
    here = scene(run=False, vouches=False, odometry="odom", odometry_timeout=0.5)
    odometry = here.robot.say(Odometry, "odom")
    stops_when_silent(here, here.robot, odometry, Odometry(), "odom was not heard")


@pytest.mark.requirement("SR-20")
def test_an_input_that_is_required_and_falls_silent_is_a_stop(scene: MakeScene) -> None:
    here = scene(
        run=False, vouches=False, input__planner__deadline=0.5, input__planner__required=True
    )
    promise = QoSProfile(depth=10, deadline=Duration(nanoseconds=300_000_000))
    commands = here.planner.say(Twist, "cmd_vel_request", promise)
    stops_when_silent(here, here.planner, commands, Twist(), "input planner was not heard")


# --- stops


@pytest.mark.requirement("SR-06", "SR-21")
@pytest.mark.parametrize("side", ["planner", "robot"])
def test_a_stop_can_be_asked_for_in_both_domains(scene: MakeScene, side: str) -> None:
    here = scene()
    answer = getattr(here, side).call(Trigger, "estop/stop", Trigger.Request())
    assert (answer.success, answer.message) == (
        True,
        "stopped: both mirror contacts measured closed",
    )
    assert not here.stage.board.load


@pytest.mark.parametrize("side", ["planner", "robot"])
def test_tools_that_know_only_a_bool_hear_of_the_stop(scene: MakeScene, side: str) -> None:
    here = scene()
    heard = getattr(here, side).hear(Bool, "estop/e_stop", LATCHED)
    assert wait(lambda: heard and heard[-1].data is False)
    here.stage.board.press()
    assert wait(lambda: heard[-1].data is True)


def test_twist_mux_is_locked_while_the_robot_may_not_run(scene: MakeScene) -> None:
    here = scene(run=False)
    heard = here.robot.hear(Bool, "estop/lock")
    assert wait(lambda: len(heard) > 3)
    assert all(message.data for message in heard)
    assert here.stage.reset()
    assert wait(lambda: heard[-1].data is False)


def test_a_fleet_manager_reads_the_stop_in_the_words_of_vda_5050(scene: MakeScene) -> None:
    here = scene()
    assert wait(lambda: here.state.vda5050_e_stop == "NONE")
    here.stage.board.press()
    assert wait(lambda: here.state.vda5050_e_stop == "MANUAL")


def test_diagnostics_name_the_board_and_what_is_the_matter(scene: MakeScene) -> None:
    here = scene(run=False)
    heard = here.robot.hear(DiagnosticArray, "/diagnostics")
    assert wait(lambda: heard and heard[-1].status[0].hardware_id)
    controller, gate = heard[-1].status
    assert controller.name == "redbutton: controller"
    assert controller.message.startswith("STOPPED, load off, first cause: power up")
    assert (gate.level, gate.message) == (b"\x00", "makes the heartbeat")


@pytest.mark.requirement("SR-25")
def test_no_plan_is_allowed_as_long_as_nobody_has_said_which(scene: MakeScene) -> None:
    here = scene(run=False)
    answer = here.planner.call(CheckPlan, "estop/check_plan", CheckPlan.Request(plan="{}"))
    assert (answer.verdict, answer.rule) == (CheckPlan.Response.REFUSE, "default")


# --- parameters


@pytest.mark.requirement("SR-25")
def test_every_parameter_is_described_and_can_be_set_by_nobody(scene: MakeScene) -> None:
    here = scene(run=False, actions="[go]", action__go__type="test_msgs/action/Fibonacci")
    listed = here.robot.call(ListParameters, "gate/list_parameters", ListParameters.Request())
    names = [n for n in listed.result.names if n.split(".")[0] not in OF_RCLPY]
    request = DescribeParameters.Request(names=names)
    described = here.robot.call(DescribeParameters, "gate/describe_parameters", request)
    assert len(names) > 20
    for parameter in described.descriptors:
        assert parameter.description, parameter.name
        assert parameter.read_only, parameter.name
        if parameter.type == ParameterType.PARAMETER_DOUBLE:
            assert parameter.floating_point_range, parameter.name


def test_parameters_come_from_a_file(scene: MakeScene, tmp_path: Path) -> None:
    file = tmp_path / "gate.yaml"
    file.write_text(
        """/**/gate:
  ros__parameters:
    inputs: [planner, teleop]
    actions: [""]
    input:
      planner: {max_linear: 0.5}
      teleop: {side: robot, topic: joy_vel, priority: 10}
"""
    )
    here = scene(arguments=["--params-file", str(file)])
    heard = here.robot.hear(Twist, "cmd_vel")
    here.robot.say(Twist, "joy_vel").publish(twist(0.7))
    here.planner.say(Twist, "cmd_vel_request").publish(twist(0.6))
    assert wait(lambda: 0.7 in speeds(heard))
    assert wait(lambda: "beyond 0.5 m/s" in here.state.refusal)


@pytest.mark.parametrize(("single", "topic"), [(False, "/cmd_vel"), (True, "/cmd_vel_request")])
def test_the_planner_asks_on_the_robots_own_topic_where_it_has_a_domain_of_its_own(
    scene: MakeScene, single: bool, topic: str
) -> None:
    here = scene(run=False, single_domain=single, input__planner__topic="''")
    assert wait(lambda: here.planner.node.count_subscribers(topic))


# --- one domain only


@pytest.mark.requirement("SR-24")
def test_in_one_domain_the_gate_works_by_other_names_and_says_that_it_is_weaker(
    scene: MakeScene,
) -> None:
    here = scene(single_domain=True)
    heard = here.robot.hear(Twist, "cmd_vel")
    diagnostics = here.robot.hear(DiagnosticArray, "/diagnostics")
    here.planner.say(Twist, "cmd_vel_request").publish(twist(0.3))
    assert wait(lambda: 0.3 in speeds(heard))
    assert here.state.single_domain
    assert wait(lambda: diagnostics and diagnostics[-1].status[1].level == b"\x01")
    assert "share a domain" in diagnostics[-1].status[1].message


@pytest.mark.requirement("SR-24", "SR-20")
def test_in_one_domain_a_planner_that_goes_past_the_gate_is_a_stop(scene: MakeScene) -> None:
    here = scene(single_domain=True)
    past = here.planner.node.create_publisher(Twist, "cmd_vel", 10)
    here.send(past, twist(0.5), 0.5)
    assert here.stage.board.wait_load(False, 2.0)
    assert "/planner_side publishes /cmd_vel" in here.state.withheld
