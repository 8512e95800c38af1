"""What can go wrong around the gate must end in a stop, or be kept from the robot.

After each of them the robot runs again without anything being started anew but what was killed.
"""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import SetParameters
from rclpy.action.client import ActionClient
from rclpy.node import Node
from ros_side import CountingRobot, MakeScene, RosSide, speeds, twist, wait
from test_msgs.action import Fibonacci

from redbutton import attestation
from redbutton.attestation import Configuration, Record
from redbutton_msgs.srv import RequestStop

DELAY_MS = 800
CATEGORY_1 = RequestStop.Request(category=RequestStop.Request.CATEGORY_1)


def stop_category_1(side: RosSide) -> Any:
    """Ask for it; the answer to come."""
    client: Any = side.node.create_client(RequestStop, "estop/request_stop")
    assert client.wait_for_service(10.0)
    return client.call_async(CATEGORY_1)


# --- stop category 1


@pytest.mark.requirement("SR-05")
def test_in_a_category_1_stop_a_velocity_comes_down_on_its_ramp(scene: MakeScene) -> None:
    here = scene(stop_delay_ms=DELAY_MS, deceleration=1.0)
    heard = here.robot.hear(Twist, "cmd_vel")
    commands = here.planner.say(Twist, "cmd_vel_request")
    commands.publish(twist(0.5))
    assert wait(lambda: speeds(heard) == [0.5])
    asked = time.monotonic()
    answer = stop_category_1(here.planner)
    assert wait(lambda: heard and speeds(heard)[-1] == 0.0)
    ramp = speeds(heard)
    assert ramp == sorted(ramp, reverse=True)
    assert len(ramp) > 5
    dead = here.stage.board.wait_change("load", 0, asked, 5.0)
    assert dead is not None
    assert dead.wall_s - asked >= DELAY_MS / 1000, "the controller keeps its own deadline"
    assert here.planner.result(answer).stopped
    assert not here.stage.board.load


@pytest.mark.requirement("SR-05")
@pytest.mark.parametrize(("speed", "sooner"), [(0.0, True), (0.2, False)])
def test_a_standstill_that_odometry_proves_cuts_the_power_sooner(
    scene: MakeScene, speed: float, sooner: bool
) -> None:
    here = scene(stop_delay_ms=DELAY_MS, odometry="odom")
    odometry = here.robot.say(Odometry, "odom")
    message = Odometry()
    message.twist.twist.linear.x = speed
    here.robot.node.create_timer(0.02, lambda: odometry.publish(message))
    asked = time.monotonic()
    stop_category_1(here.planner)
    dead = here.stage.board.wait_change("load", 0, asked, 5.0)
    assert dead is not None
    assert (dead.wall_s - asked < DELAY_MS / 1000) == sooner


@pytest.mark.requirement("SR-05", "SR-24")
def test_no_command_passes_during_a_category_1_stop(scene: MakeScene) -> None:
    here = scene(stop_delay_ms=DELAY_MS)
    heard = here.robot.hear(Twist, "cmd_vel")
    commands = here.planner.say(Twist, "cmd_vel_request")
    stop_category_1(here.planner)
    assert wait(lambda: here.state.state == here.state.STOPPING)
    here.send(commands, twist(0.3), 0.3)
    assert 0.3 not in speeds(heard)


# --- too much, and nonsense


@pytest.mark.requirement("SR-24")
def test_a_flood_of_commands_delays_no_stop_and_passes_nothing_after_it(
    scene: MakeScene, say: Callable[[str], None]
) -> None:
    """As many as a process can send, with no pause: it is said how many that were."""
    here = scene()
    heard = here.robot.hear(Twist, "cmd_vel", 1)
    commands = here.planner.say(Twist, "cmd_vel_request")
    forward = twist(0.3)
    sent = 0
    flooding = True

    def flood() -> None:
        nonlocal sent
        while flooding:
            commands.publish(forward)
            sent += 1

    flooder = threading.Thread(target=flood)
    flooder.start()
    time.sleep(1.0)
    say(f"a flood of {sent} commands in a second")
    here.stage.board.press()
    assert here.stage.board.wait_load(False, 1.0)
    time.sleep(0.5)
    passed = here.state.commands_passed
    time.sleep(0.5)
    assert here.state.commands_passed == passed
    assert sent > 1000
    flooding = False
    flooder.join()
    assert wait(lambda: speeds(heard)[-1] == 0.0)
    here.stage.board.release()
    assert here.stage.reset()


@pytest.mark.requirement("SR-24", "SR-20")
def test_very_many_publishers_do_not_keep_the_gate_from_its_work(scene: MakeScene) -> None:
    here = scene()
    unknown = [here.planner.node.create_publisher(Twist, f"unknown_{i}", 1) for i in range(950)]
    unknown += [here.planner.node.create_publisher(Twist, "cmd_vel_request", 1) for _ in range(50)]
    heard = here.robot.hear(Twist, "cmd_vel")
    assert wait(lambda: here.planner.node.count_publishers("cmd_vel_request") == 50)

    def heard_through_it_all() -> bool:
        """On a busy machine discovery keeps the gate for a while: that is a stop, and a reset."""
        if not here.stage.board.load:
            here.stage.reset()
        unknown[-1].publish(twist(0.3))
        time.sleep(0.6)  # so that each is a new command
        return 0.3 in speeds(heard)

    assert wait(heard_through_it_all, 30.0)
    here.stage.board.press()
    assert here.stage.board.wait_load(False, 1.0)


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_never_reaches_the_robot(scene: MakeScene, value: float) -> None:
    here = scene()
    heard = here.robot.hear(Twist, "cmd_vel")
    here.send(here.planner.say(Twist, "cmd_vel_request"), twist(value), 0.3)
    assert wait(lambda: here.state.refusal == "not finite")
    assert here.state.commands_passed == 0
    assert not [speed for speed in speeds(heard) if not math.isfinite(speed)]


# --- a gate that hangs


@pytest.mark.requirement("SR-20", "SR-21")
def test_a_gate_that_was_frozen_says_so_afterwards(scene: MakeScene) -> None:
    here = scene()
    assert here.stage.gate
    here.stage.gate.send_signal(signal.SIGSTOP)
    assert here.stage.board.wait_load(False, 1.0)
    time.sleep(0.5)
    here.stage.gate.send_signal(signal.SIGCONT)
    assert wait(lambda: here.state.hung.startswith("the gate's executor, for "))
    assert here.stage.reset()


@pytest.mark.requirement("SR-10", "SR-20")
def test_commands_that_wait_for_a_frozen_gate_are_dropped(scene: MakeScene) -> None:
    here = scene()
    assert here.stage.gate
    heard = here.robot.hear(Twist, "cmd_vel")
    commands = here.planner.say(Twist, "cmd_vel_request")
    here.stage.gate.send_signal(signal.SIGSTOP)
    here.send(commands, twist(0.3), 0.5)
    assert not here.stage.board.load
    here.stage.gate.send_signal(signal.SIGCONT)
    assert here.stage.reset()
    time.sleep(0.5)
    assert 0.3 not in speeds(heard)


# --- the planner looks for a way round


def found(node: Node, kind: Any, name: str) -> bool:
    """Whether there is such a service."""
    return node.create_client(kind, name).wait_for_service(1.0)


@pytest.mark.requirement("SR-25")
def test_nothing_of_the_robots_domain_is_in_the_planners(
    scene: MakeScene, say: Callable[[str], None]
) -> None:
    here = scene(run=False)
    CountingRobot(here.robot)
    robot_only = {"/cmd_vel", "/diagnostics", "/estop/lock", "/battery"}
    here.robot.node.create_publisher(Twist, "battery", 1)
    node = here.planner.node
    assert wait(
        lambda: (
            ("/estop/state", ["redbutton_msgs/msg/SafetyState"])
            in node.get_topic_names_and_types()
        )
    )
    topics = {name for name, _ in node.get_topic_names_and_types()}
    services = {n for n, _ in node.get_service_names_and_types() if "planner_side" not in n}
    assert wait(lambda: len(node.get_node_names()) > 1)
    nodes = set(node.get_node_names())
    tried = {
        "the gate's parameters": found(node, SetParameters, "/gate/set_parameters"),
        "the robot's parameters": found(node, SetParameters, "/robot_side/set_parameters"),
        "/estop/lock": node.count_publishers("/estop/lock"),
        "/cmd_vel": node.count_subscribers("/cmd_vel"),
        "the robot's action": ActionClient(node, Fibonacci, "count").wait_for_server(1.0),
        "/diagnostics": node.count_publishers("/diagnostics"),
    }
    seen = {"nodes": nodes, "topics": topics, "services": services}
    lines = [
        f"the planner sees these {what}: {', '.join(sorted(it))}" for what, it in seen.items()
    ]
    lines += [
        f"it tries {what}: {'REACHED' if got else 'not there'}" for what, got in tried.items()
    ]
    say("\n".join(lines))
    assert not any(tried.values())
    assert not topics & robot_only
    assert nodes == {"gate", "planner_side"}
    assert services == {"/estop/check_plan", "/estop/request_stop", "/estop/stop"}


@pytest.mark.requirement("SR-25")
def test_what_the_planner_publishes_under_the_robots_names_stays_in_its_domain(
    scene: MakeScene,
) -> None:
    here = scene()
    heard: list[Any] = []
    for kind, topic in ((Twist, "cmd_vel"), (Odometry, "odom")):
        here.robot.node.create_subscription(kind, topic, heard.append, 10)
        here.send(here.planner.node.create_publisher(kind, topic, 10), kind(), 0.3)
    assert [
        message for message in heard if isinstance(message, Odometry) or any(speeds([message]))
    ] == []
    assert here.stage.board.load, "nor is it a stop"


def test_the_gate_ends_in_time_when_it_is_told_to(scene: MakeScene) -> None:
    here = scene(run=False)
    assert here.stage.gate
    begin = time.monotonic()
    os.kill(here.stage.gate.pid, signal.SIGINT)
    assert here.stage.gate.wait(5.0) == 0
    assert time.monotonic() - begin < 3.0


# --- security that is asked for and is not there


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize("keystore", ["missing", "empty"])
def test_a_gate_that_is_to_enforce_security_does_not_start_without(
    ros: None, domain: int, tmp_path: Path, keystore: str
) -> None:
    """The Fast DDS of these packages has no security; that of a ROS distribution enforces it."""
    if keystore == "empty":
        (tmp_path / "enclaves").mkdir()
    secure = {
        "ROS_SECURITY_ENABLE": "true",
        "ROS_SECURITY_STRATEGY": "Enforce",
        "ROS_SECURITY_KEYSTORE": str(tmp_path),
        "ROS_DOMAIN_ID": str(domain),
    }
    result = subprocess.run(
        [sys.executable, "-m", "redbutton_ros.gate"],
        env={**os.environ, **secure},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert result.returncode == 15
    assert result.stderr.strip().splitlines()[-1].startswith("gate: ROS 2 does not start: ")


# --- the network


@pytest.mark.requirement("SR-20")
def test_a_network_that_goes_down_is_a_stop_and_nothing_needs_to_be_started_anew(
    ros: None, domain: int
) -> None:
    """By UDP only, in a network namespace of its own: the loopback interface is all there is."""
    result = subprocess.run(
        [
            "unshare",
            "-rn",
            sys.executable,
            str(Path(__file__).with_name("cut_off.py")),
            str(domain),
        ],
        env={**os.environ, "FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.stdout, result.stderr
    assert json.loads(result.stdout.splitlines()[-1]) == {"ran": True, "dead": True, "again": True}


# --- a controller that is another


@pytest.mark.requirement("SR-23")
def test_an_attestation_that_differs_is_in_state_and_diagnostics_and_nothing_runs(
    scene: MakeScene,
) -> None:
    here = scene(run=False, vouches=False)
    here.stage.end_gate()
    attestation.record_file(here.stage.key_file).write_text(
        Record(
            board="",
            key_id="",
            configuration=Configuration(heartbeat_timeout_ms=1, stop_delay_ms=0),
        ).model_dump_json()
    )
    here.states.clear()
    here.stage.start_gate()
    diagnostics = here.robot.hear(DiagnosticArray, "/diagnostics")
    complaint = "not configured as this host has it recorded"
    assert wait(lambda: any(complaint in text for text in here.state.withheld))

    def told(name: str) -> bool:
        return any(
            complaint in status.message and status.level != DiagnosticStatus.OK
            for array in diagnostics
            for status in array.status
            if status.name == f"redbutton: {name}"
        )

    assert wait(lambda: told("controller") and told("gate"))
    here.stage.board.reset()
    assert not here.stage.board.wait_load(True, 1.0)
