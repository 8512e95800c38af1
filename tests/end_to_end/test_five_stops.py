"""The five stops, judged at the modelled load; then all that software can do; then a person."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from redbutton.demo import attacks
from redbutton.demo.stage import Stage

DEAD_WITHIN_S = 1.0  # wall time on a shared machine; the exact times are tested in virtual time
HOST_ACTS_S = 2.0
SPEED = 0.3


def drive(stage: Stage) -> None:
    """From power-up to a driving robot."""
    assert stage.planner and stage.robot
    assert stage.reset()
    stage.planner.ask(f"drive {SPEED}")
    moving(stage)


def moving(stage: Stage) -> None:
    """Wait until the robot moves."""
    assert stage.robot
    deadline = time.monotonic() + 5
    while not stage.robot.last.get("moving"):
        assert time.monotonic() < deadline, f"the robot does not move: {_why(stage)}"
        time.sleep(0.02)


def _why(stage: Stage) -> object:
    assert stage.planner
    return stage.planner.ask("state")


def kill(stage: Stage) -> None:
    assert stage.gate
    stage.gate.kill()
    stage.gate.wait()


def freeze(stage: Stage) -> None:
    assert stage.gate
    stage.gate.send_signal(signal.SIGSTOP)


def thaw(stage: Stage) -> None:
    assert stage.gate
    stage.gate.send_signal(signal.SIGCONT)


def ask_for_a_stop(stage: Stage) -> None:
    assert stage.planner
    stage.planner.tell("stop")


def nothing(stage: Stage) -> None:
    pass


STOPS: dict[str, tuple[Callable[[Stage], object], Callable[[Stage], object]]] = {
    "button": (lambda stage: stage.board.press(), lambda stage: stage.board.release()),
    "request": (ask_for_a_stop, nothing),
    "gate killed": (kill, lambda stage: stage.start_gate()),
    "gate frozen": (freeze, thaw),
    "unplugged": (
        lambda stage: stage.board.cable.unplug(),
        lambda stage: stage.board.cable.plug(),
    ),
}


@pytest.mark.timeout(180)
@pytest.mark.requirement(
    "SR-01", "SR-02", "SR-04", "SR-06", "SR-07", "SR-10", "SR-17", "SR-20", "SR-25"
)
@pytest.mark.parametrize("name", STOPS)
def test_a_stop_is_a_stop_until_a_person_resets(stage: Stage, name: str) -> None:
    stop, mend = STOPS[name]
    drive(stage)
    begin = time.monotonic()

    stop(stage)
    assert stage.board.wait_load(False, DEAD_WITHIN_S), f"the load is on after: {name}"
    dead = stage.board.last("load", 0)
    mend(stage)
    end = time.monotonic() + HOST_ACTS_S
    tried = 0
    while time.monotonic() < end or tried < len(attacks.BY_HOST):
        attacks.BY_HOST[tried % len(attacks.BY_HOST)][1](stage)
        tried += 1
    assert stage.planner
    stage.planner.ask(f"drive {SPEED}")  # and the planner has not given up
    time.sleep(0.5)
    came_on = [
        change
        for change in stage.board.changes
        if change.signal == "load" and change.value and change.wall_s > dead.wall_s
    ]
    assert came_on == []
    assert dead.wall_s - begin < DEAD_WITHIN_S

    assert stage.reset(), "a reset does not bring it back"
    _does_not_move(stage, 1.0)
    stage.planner.ask("rest")
    _does_not_move(stage, 0.7)
    stage.planner.ask(f"drive {SPEED}")
    moving(stage)


def _does_not_move(stage: Stage, seconds: float) -> None:
    assert stage.robot
    x = stage.robot.last["x"]
    time.sleep(seconds)
    assert stage.board.load
    assert (stage.robot.last["x"], stage.robot.last["moving"]) == (x, False)


@pytest.mark.requirement("SR-20", "SR-04")
def test_an_executor_that_hangs_in_a_callback_is_a_stop(stage: Stage, tmp_path: Path) -> None:
    """The process lives and another of its threads runs on; the command path does not."""
    hang = tmp_path / "hang"
    stage.end_gate()
    stage.gate_module = [str(Path(__file__).with_name("hanging_gate.py")), str(hang)]
    stage.start_gate()
    drive(stage)
    hang.touch()
    assert stage.board.wait_load(False, DEAD_WITHIN_S)
    assert stage.gate and stage.gate.poll() is None
    time.sleep(1.5)
    assert stage.state().first_cause == "heartbeat lost"
    assert not stage.board.load
    assert stage.reset()


@pytest.mark.requirement("SR-24")
def test_a_velocity_that_is_not_a_number_moves_nothing(stage: Stage) -> None:
    assert stage.planner and stage.robot
    assert stage.reset()
    stage.planner.ask("drive nan")
    time.sleep(0.5)
    state = stage.planner.ask("state")
    assert (state["commands_passed"], state["refusal"]) == (0, "not finite")
    assert not stage.robot.last["moving"]


@pytest.mark.requirement("SR-10")
def test_at_a_stop_the_robot_is_told_to_stand_still(stage: Stage) -> None:
    assert stage.planner and stage.robot
    drive(stage)
    stage.board.press()
    stage.board.wait_load(False, DEAD_WITHIN_S)
    deadline = time.monotonic() + DEAD_WITHIN_S
    while stage.robot.last["asked"] != 0.0:
        assert time.monotonic() < deadline


@pytest.mark.requirement("SR-21")
def test_the_stop_service_answers_when_the_stop_is_measured(stage: Stage) -> None:
    assert stage.planner
    assert stage.reset()
    answer = stage.planner.ask("stop")
    assert answer == {
        "success": True,
        "message": "stopped: both mirror contacts measured closed",
    }
    assert not stage.board.load


@pytest.mark.requirement("SR-21")
def test_the_stop_service_claims_nothing_that_is_not_measured(stage: Stage) -> None:
    assert stage.planner
    assert stage.reset()
    stage.board.act("stick:mirror_1", 0)
    answer = stage.planner.ask("stop")
    assert answer["success"] is False
    assert "not proven" in answer["message"]
    assert not stage.board.load


@pytest.mark.requirement("SR-04", "SR-21")
def test_waiting_for_a_proof_does_not_keep_the_heartbeat_from_turning(stage: Stage) -> None:
    assert stage.planner
    assert stage.reset()
    stage.board.act("stick:mirror_1", 0)
    stage.planner.tell("stop")
    time.sleep(1.0)
    assert "heartbeat lost" not in stage.state().causes


@pytest.mark.requirement("SR-25")
def test_the_gate_has_no_service_that_could_reset_and_no_parameter_that_can_be_set(
    stage: Stage,
) -> None:
    assert stage.planner
    drive(stage)
    assert stage.planner.ask("services")["called"] == ["/estop/check_plan"]  # but the stops
    assert stage.planner.ask("parameter command_age 1000000.0")["set"] is False


@pytest.mark.requirement("SR-21")
def test_a_late_subscriber_gets_the_state_at_once(stage: Stage) -> None:
    """The state is latched: who comes later need not wait for a change."""
    assert stage.planner
    assert stage.planner.ask("state")["state"] == "STOPPED"


@pytest.mark.parametrize(
    ("argument", "complaint"),
    [
        ("port:=/nowhere", "/nowhere does not exist: is the controller plugged in?"),
        ("key_file:=/nowhere", "no link key: /nowhere does not exist"),
        ("profile:=/nowhere", "/nowhere: No such file or directory"),
        ("command_age:=-1.0", "parameter command_age: "),
        ("input.planner.max_linear:=fast", "parameter input.planner.max_linear: "),
        ("input.planner.max_liner:=1.0", "there is no parameter input.planner.max_liner"),
        ("input.planner.output:=arm", "input planner: there is no output 'arm'"),
        ("output.base.type:=std_msgs/msg/Bool", "output base: type std_msgs/msg/Bool is none of"),
        ("input.planner.side:=both", "parameter input.planner.side: "),
        ("inputs:=[]", "parameter inputs: an empty list has no type in ROS"),
        ("odometry_timeout:=1", "parameter odometry_timeout: "),
        (
            "actions:=[go] action.go.type:=nowhere_msgs/action/Go",
            "nowhere_msgs/action/Go is not installed here: is package nowhere_msgs?",
        ),
    ],
)
def test_a_gate_that_cannot_start_says_why_in_one_line(
    stage: Stage, argument: str, complaint: str
) -> None:
    import subprocess
    import sys

    stage.end_gate()
    wrong = {**stage.parameters, **dict(word.split(":=", maxsplit=1) for word in argument.split())}
    given = [word for item in wrong.items() for word in ("-p", ":=".join(item))]
    result = subprocess.run(
        [sys.executable, "-m", "redbutton_ros.gate", "--ros-args", *given],
        env=stage.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert result.returncode not in (0, 1)
    assert result.stderr.strip().startswith(f"gate: {complaint}")
    assert len(result.stderr.strip().splitlines()) == 1


def test_nothing_is_left_behind(ros: None, domain: int) -> None:
    with Stage(domain=domain) as stage:
        folder = stage.port.parent
    assert not folder.exists()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            assert (
                str(folder).encode() not in entry.read_bytes()
                or int(entry.parent.name) == os.getpid()
            )
        except OSError:
            continue
