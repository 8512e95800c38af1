"""A zone stop: one request, two robots in their namespaces, and each with its own reset."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from ros_side import RosSide, wait
from std_srvs.srv import Trigger

from redbutton.demo.stage import Stage

ROBOTS = ("/robot_1", "/robot_2")


@contextlib.contextmanager
def zone_of(robot_domain: int, *members: str) -> Iterator[None]:
    """The node of a zone with these members, in a process of its own."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "redbutton_ros.zone", "--ros-args"),
            *("-p", f"members:=[{','.join(members)}]"),
        ],
        env={
            **os.environ,
            "ROS_DOMAIN_ID": str(robot_domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        },
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(5.0)


@pytest.fixture
def robots(ros: None, domain: int) -> Iterator[list[Stage]]:
    """Two robots that run, each with a board and a gate of its own, in the same domains."""
    with contextlib.ExitStack() as stack:
        stages = [
            stack.enter_context(
                Stage(domain=domain, players=False, arguments=["-r", f"__ns:={name}"])
            )
            for name in ROBOTS
        ]
        for stage in stages:
            assert stage.reset()
        yield stages


def stop_the_zone(domain: int) -> Trigger.Response:
    with RosSide(domain, "person") as person:
        for name in ROBOTS:
            service = (f"{name}/estop/request_stop", ["redbutton_msgs/srv/RequestStop"])
            wait(lambda service=service: service in person.node.get_service_names_and_types())
        return person.call(Trigger, "zone/stop", Trigger.Request())


@pytest.mark.requirement("SR-06", "SR-21")
def test_a_zone_stop_stops_every_robot_and_says_so_when_it_is_measured(
    robots: list[Stage], domain: int
) -> None:
    with zone_of(domain + 1, *ROBOTS):
        answer = stop_the_zone(domain + 1)
    assert (answer.success, answer.message) == (
        True,
        "stopped, measured at each: /robot_1, /robot_2",
    )
    assert [stage.board.load for stage in robots] == [False, False]


@pytest.mark.requirement("SR-07")
def test_after_a_zone_stop_each_robot_needs_its_own_reset(
    robots: list[Stage], domain: int
) -> None:
    with zone_of(domain + 1, *ROBOTS):
        stop_the_zone(domain + 1)
    assert robots[0].reset()
    assert [stage.board.load for stage in robots] == [True, False]


@pytest.mark.requirement("SR-21")
def test_a_robot_that_is_not_reached_is_named_and_the_others_stop(
    robots: list[Stage], domain: int
) -> None:
    with zone_of(domain + 1, *ROBOTS, "/robot_3"):
        answer = stop_the_zone(domain + 1)
    assert (answer.success, answer.message) == (False, "/robot_3 is not reached")
    assert [stage.board.load for stage in robots] == [False, False]
