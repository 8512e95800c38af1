"""What software on the host can try against a stop: every way to run again that is not the button.

Each attempt returns what it got, in words. None of them looks at the load: whoever runs them does.
"""

import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from redbutton.demo.stage import Stage
from redbutton.errors import NoContact
from redbutton.firmware import wire
from redbutton.session import Session

TRY_S = 0.4
TELL_S = 0.15  # the gate tells its state at 10 Hz

Attempt = tuple[str, Callable[[Stage], str]]


def replay(stage: Stage) -> str:
    """Send every heartbeat again that was recorded on the cable, several times."""
    lines = [
        line
        for line in stage.board.cable.heard.split(b"\n")
        if (frame := wire.decode(line)) and frame[1] == wire.HEARTBEAT
    ]
    before = stage.state()
    _pour(stage, [b"\n" + line + b"\n" for line in lines * 3])
    return f"{len(lines)} recorded heartbeats sent 3 times; {_refused(stage, before)}"


def forge(stage: Stage) -> str:
    """Send heartbeats under invented keys, and well-formed nonsense of every kind."""
    before = stage.state()
    signer = wire.Signer(secrets.token_bytes(wire.KEY_SIZE))
    frames = [signer.heartbeat(i, secrets.token_bytes(8)) for i in range(50)]
    frames += [
        wire.encode(kind, i, secrets.token_bytes(i))
        for i, kind in enumerate((wire.HELLO, wire.STATUS, wire.EVENT, 0x00, 0x20, 0x7F, 0xFF) * 3)
    ]
    _pour(stage, frames)
    return f"{len(frames)} forged frames sent; {_refused(stage, before)}"


def keyboard(stage: Stage) -> str:
    """Ctrl-C, Ctrl-A (raw REPL), Ctrl-D (soft reset) and the Python that would switch a pin on."""
    before = stage.state()
    _pour(
        stage,
        [
            b"\x03\x03",
            b"\r\x01",
            b"from machine import Pin; Pin(17, Pin.OUT, value=1)\r\n",
            b"\x04",
            b"\x02",
            b"\x05",
            b"import machine; machine.reset()\r\n\x04",
        ],
    )
    return _refused(stage, before)


def garbage(stage: Stage) -> str:
    """Random bytes, as many as the cable takes in a moment."""
    before = stage.state()
    sent = _pour(stage, [secrets.token_bytes(256) for _ in range(40)])
    return f"{sent} random bytes sent; {_refused(stage, before)}"


def new_session(stage: Stage) -> str:
    """End the gate and speak to the controller with the right key, stolen: the worst case."""
    stage.end_gate()
    session = Session(stage.key, first_sequence=secrets.randbelow(65536))
    taken = 0
    with _port(stage) as port:
        os.write(port, session.opened(time.monotonic()))
        end = time.monotonic() + TRY_S
        while time.monotonic() < end:
            with contextlib.suppress(BlockingIOError):
                session.receive(os.read(port, 4096), time.monotonic())
            if answer := session.answer(time.monotonic()):
                os.write(port, answer)
                taken += 1
            time.sleep(0.002)
    said = session.state(time.monotonic()).sentence()
    stage.start_gate()
    return f"{taken} authentic heartbeats under the stolen key; {said}"


def restart_gate(stage: Stage) -> str:
    """End the gate and start it anew."""
    stage.end_gate()
    stage.start_gate()
    return stage.state().sentence()


def ask_command_line(stage: Stage) -> str:
    """`redbutton reset`."""
    answer = subprocess.run(
        [sys.executable, "-m", "redbutton.cli", "reset"],
        env=stage.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return f"exit code {answer.returncode}: a reset is a person at the controller"


def drive(stage: Stage) -> str:
    """The planner asks to drive."""
    assert stage.planner
    time.sleep(TELL_S)
    before = stage.planner.ask("state")
    stage.planner.ask("drive 0.5")
    time.sleep(TRY_S)
    stage.planner.ask("rest")
    time.sleep(TELL_S)
    after = stage.planner.ask("state")
    passed = after["commands_passed"] - before["commands_passed"]
    refused = after["commands_refused"] - before["commands_refused"]
    return f"{passed} commands passed, {refused} refused ({after['refusal']})"


def drive_past_the_gate(stage: Stage) -> str:
    """The planner publishes on the robot's own topic, which is not in its domain."""
    assert stage.planner and stage.robot
    stage.planner.ask("direct 0.5")
    heard = "heard it" if stage.robot.last.get("asked") == 0.5 else "heard nothing"
    return f"the robot {heard}; moving: {stage.robot.last.get('moving', False)}"


def lie_about_the_state(stage: Stage) -> str:
    """The planner publishes a state that says RUN."""
    assert stage.planner
    stage.planner.ask("forge")
    return f"the gate does not listen to it: {stage.state().sentence()}"


def call_services(stage: Stage) -> str:
    """The planner calls every service that it can find."""
    assert stage.planner
    called = stage.planner.ask("services")["called"]
    resets = [name for name in called if "reset" in name or "approve" in name]
    return f"{len(called)} services called, {len(resets)} of them a reset"


BY_HOST: tuple[Attempt, ...] = (
    ("replay recorded heartbeats", replay),
    ("forge heartbeats and frames", forge),
    ("Ctrl-C, raw REPL, soft reset", keyboard),
    ("random bytes", garbage),
    ("new session with the stolen key", new_session),
    ("restart the gate", restart_gate),
    ("redbutton reset", ask_command_line),
)
BY_PLANNER: tuple[Attempt, ...] = (
    ("ask the gate to drive", drive),
    ("drive past the gate", drive_past_the_gate),
    ("publish a state that says RUN", lie_about_the_state),
    ("call every service", call_services),
)


@contextlib.contextmanager
def _port(stage: Stage) -> Iterator[int]:
    """The port, opened beside its owner: the operating system's lock binds only the willing."""
    handle = os.open(stage.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        yield handle
    finally:
        os.close(handle)


def _pour(stage: Stage, pieces: list[bytes]) -> int:
    """Write it all as fast as the cable takes it; how many bytes it took."""
    sent = 0
    with _port(stage) as port:
        end = time.monotonic() + TRY_S
        for piece in pieces:
            rest = piece
            while rest and time.monotonic() < end:
                with contextlib.suppress(BlockingIOError):
                    written = os.write(port, rest)
                    sent += written
                    rest = rest[written:]
                    continue
                time.sleep(0.001)
    time.sleep(0.1)
    return sent


def _refused(stage: Stage, before: object) -> str:
    """What the controller counted of it, when it has worked through it."""
    with contextlib.suppress(NoContact):
        stage.wait_state(lambda state: state.heard, 3.0)
    state = stage.state()
    counted = getattr(before, "counters", None)
    if state.counters is None or counted is None:
        return state.sentence()
    heartbeats = state.counters.heartbeats_refused - counted.heartbeats_refused
    malformed = state.counters.frames_malformed - counted.frames_malformed
    return f"{heartbeats} refused as heartbeats, {malformed} as no frames"
