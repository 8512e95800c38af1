"""A planner that speaks another DDS than ROS 2 does here: what the gate refuses is no habit of one
implementation. The planner's process holds Eclipse Cyclone DDS and nothing of ROS 2."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from redbutton.demo.stage import Player, Stage

HERE = Path(__file__).parent
DEAD_WITHIN_S = 1.0
FOUND_S = 10.0
REST_S = 0.7  # longer than the silence that counts as rest
SPEED = 0.3
OF_ROS = ("LD_LIBRARY_PATH", "AMENT_PREFIX_PATH", "ROS_AUTOMATIC_DISCOVERY_RANGE")


@pytest.fixture
def stage(ros: None, domain: int) -> Iterator[Stage]:
    """The gate, a robot, and a planner in Cyclone DDS that has found them; stopped."""
    pytest.importorskip("cyclonedds")
    with Stage(domain=domain, players=False) as stage:
        stage.robot = Player("redbutton_ros.demo_robot", stage.environment)
        planners = {name: value for name, value in os.environ.items() if name not in OF_ROS}
        stage.planner = Player(
            "cyclone_planner",
            {
                **planners,
                "ROS_DOMAIN_ID": str(domain),
                "PYTHONPATH": str(HERE),
                "_ROS_WHEELS_BOOTSTRAP_COMPLETE": "1",  # else ROS's wheels set a library path
            },
        )
        assert _wait(lambda: read(stage)["gates"] and "state" in read(stage), FOUND_S)
        assert _wait(lambda: "asked" in stage.robot.last, FOUND_S)
        yield stage


def read(stage: Stage) -> dict[str, object]:
    """What the planner has read of the state."""
    assert stage.planner
    return stage.planner.ask("state")


def drive(stage: Stage) -> None:
    assert stage.planner
    stage.planner.ask(f"drive {SPEED}")


def rest(stage: Stage) -> None:
    assert stage.planner
    stage.planner.ask("rest")
    time.sleep(REST_S)


def moves(stage: Stage, within_s: float = 3.0) -> bool:
    """Whether the robot comes to move in time."""
    return _wait(lambda: stage.robot and stage.robot.last["moving"], within_s)


def _wait(condition: Callable[[], object], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.requirement("SR-24")
def test_its_commands_pass_in_run_and_in_no_other_state(stage: Stage) -> None:
    drive(stage)
    assert not moves(stage, 0.5)
    assert str(read(stage)["refusal"]).startswith("not running: STOPPED")
    rest(stage)
    assert stage.reset()
    drive(stage)
    assert moves(stage)


@pytest.mark.requirement("SR-02", "SR-10")
def test_the_button_ends_it_and_a_reset_does_not_bring_it_back_before_it_has_rested(
    stage: Stage,
) -> None:
    assert stage.reset()
    drive(stage)
    assert moves(stage)

    stage.board.press()
    assert stage.board.wait_load(False, DEAD_WITHIN_S)
    stage.board.release()
    assert stage.reset()
    assert stage.board.load
    assert not moves(stage, 1.0)
    assert str(read(stage)["refusal"]).startswith("no new command since the reset")

    rest(stage)
    drive(stage)
    assert moves(stage)


@pytest.mark.requirement("SR-21")
def test_it_reads_the_measured_state(stage: Stage) -> None:
    assert read(stage)["state"] == "STOPPED"
    assert stage.reset()
    assert _wait(lambda: not read(stage)["load_proven_off"], DEAD_WITHIN_S)
    assert read(stage)["state"] == "RUN"

    stage.board.press()
    assert _wait(lambda: read(stage)["load_proven_off"], DEAD_WITHIN_S)
    assert not stage.board.load
    told = read(stage)
    assert (told["state"], told["first_cause"]) == ("STOPPED", "button contact A")
