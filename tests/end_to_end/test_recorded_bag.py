"""A recording as the planner: what was sent once is not a command now, where it says when it was.

Recordings are MCAP files as `ros2 bag record` makes them. They are played as `ros2 bag play` does:
the bytes as they were on the wire, at the pace of then.
"""

import time
from pathlib import Path
from typing import Any

import pytest
from geometry_msgs.msg import Twist, TwistStamped
from mcap.reader import make_reader
from mcap.writer import Writer
from rclpy.serialization import serialize_message
from ros_side import MakeScene, Scene, speeds, stamped, twist, wait

SECOND = 1_000_000_000
STEP_S = 0.05
SPEEDS = [0.1, 0.2, 0.3, 0.2, 0.1]
STAMPED = "geometry_msgs/msg/TwistStamped"
TOPIC = "cmd_vel_request"


def record(file: Path, kind: str, messages: list[Any]) -> Path:
    """A recording of messages that were sent `STEP_S` apart."""
    with file.open("wb") as stream:
        writer = Writer(stream)
        writer.start(profile="ros2")
        schema = writer.register_schema(name=kind, encoding="ros2msg", data=b"")
        channel = writer.register_channel(f"/{TOPIC}", "cdr", schema)
        begin = time.time_ns()
        for number, message in enumerate(messages):
            at = begin + int(number * STEP_S * SECOND)
            writer.add_message(channel, at, serialize_message(message), at)
        writer.finish()
    return file


def play(file: Path, publisher: Any) -> None:
    """Every message, at the pace at which it was recorded."""
    with file.open("rb") as stream:
        messages = [message for _, _, message in make_reader(stream).iter_messages()]
    begin = time.monotonic()
    for message in messages:
        due = begin + (message.log_time - messages[0].log_time) / SECOND
        time.sleep(max(0.0, due - time.monotonic()))
        publisher.publish(message.data)


def drive_and_record(here: Scene, commands: Any, file: Path) -> Path:
    """The planner drives the robot with stamped commands."""
    heard = here.robot.hear(Twist, "cmd_vel")
    sent = []
    for speed in SPEEDS:
        sent.append(stamped(speed))
        commands.publish(sent[-1])
        time.sleep(STEP_S)
    assert wait(lambda: [speed for speed in speeds(heard) if speed] == SPEEDS)
    return record(file, STAMPED, sent)


def replayed(here: Scene, commands: Any, file: Path) -> list[float]:
    """The speeds that the robot is told while a recording is played that shall be refused."""
    heard = here.robot.hear(Twist, "cmd_vel")
    before = here.state.commands_refused
    play(file, commands)
    assert wait(lambda: here.state.commands_refused == before + len(SPEEDS))
    return [speed for speed in speeds(heard) if speed]


@pytest.mark.requirement("SR-10")
def test_what_was_recorded_before_the_stop_moves_nothing_after_the_reset(
    scene: MakeScene, tmp_path: Path
) -> None:
    here = scene(input__planner__type=STAMPED)
    commands = here.planner.say(TwistStamped, TOPIC)
    file = drive_and_record(here, commands, tmp_path / "drive.mcap")
    here.stage.board.press()
    assert here.stage.board.wait_load(False, 1.0)
    here.stage.board.release()
    assert here.stage.reset()

    assert replayed(here, commands, file) == []
    assert here.state.refusal == "made before the reset"
    assert here.stage.board.load


@pytest.mark.requirement("SR-24")
def test_what_was_recorded_in_the_same_run_is_stale(scene: MakeScene, tmp_path: Path) -> None:
    here = scene(input__planner__type=STAMPED)
    commands = here.planner.say(TwistStamped, TOPIC)
    file = drive_and_record(here, commands, tmp_path / "drive.mcap")
    time.sleep(0.5)

    assert replayed(here, commands, file) == []
    assert here.state.refusal.startswith("stale: made")


@pytest.mark.requirement("SR-24")
def test_a_recording_without_stamps_is_a_planner_like_any_other(
    scene: MakeScene, tmp_path: Path
) -> None:
    """It passes in RUN, in order, and not before: the gate cannot know where it comes from."""
    here = scene(run=False)
    commands = here.planner.say(Twist, TOPIC)
    file = record(tmp_path / "drive.mcap", "geometry_msgs/msg/Twist", [twist(x) for x in SPEEDS])
    assert replayed(here, commands, file) == []
    assert here.state.refusal.startswith("not running: STOPPED")

    assert here.stage.reset()
    time.sleep(0.5)  # a stream is at rest after a silence
    heard = here.robot.hear(Twist, "cmd_vel")
    play(file, commands)
    assert wait(lambda: [speed for speed in speeds(heard) if speed] == SPEEDS)
