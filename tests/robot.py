"""A robot without ROS: a virtual board and `redbutton run`, in real time."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from redbutton import key
from redbutton.local import Client, socket_path
from redbutton.model import SafetyState
from redbutton.virtual.board import RealTimeBoard

TIMEOUT_MS = 1000  # of the heartbeat: the machine may be busy
OFF_S = 5.0
START_S = 60.0
RESETS = 15  # a busy machine makes a press void, now and then


class Robot:
    """Use as a context manager. `folder`: of its files and sockets, whose paths must be short."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = folder / "vb"
        self.key_file = folder / "key"
        self.environment = {**os.environ, "REDBUTTON_RUNTIME_DIR": str(folder)}
        self.service: subprocess.Popen[bytes] | None = None
        self.board = RealTimeBoard(
            key.create(self.key_file), self.port, heartbeat_timeout_ms=TIMEOUT_MS
        )
        prefer(self.board.pid)

    def __enter__(self) -> "Robot":
        self.serve()
        return self

    def __exit__(self, *error: object) -> None:
        self.end_service()
        self.board.close()

    def serve(self) -> None:
        """Start `redbutton run`, believed by it."""
        command = ("run", "-p", str(self.port), "-k", str(self.key_file), "--json")
        said = self.folder / "said"  # no pipe: nobody would empty it
        with said.open("w") as out:
            self.service = subprocess.Popen(
                [sys.executable, "-m", "redbutton.cli", *command],
                stdout=out,
                env=self.environment,
            )
        prefer(self.service.pid)
        assert until(lambda: '"attested"' in said.read_text(), START_S)

    def end_service(self, number: int = signal.SIGTERM) -> None:
        """By a signal."""
        if self.service is not None:
            self.service.send_signal(number)
            self.service.wait(timeout=START_S)
            self.service = None

    def state(self) -> SafetyState:
        """As its owner tells it."""
        client = Client(socket_path(str(self.port), self.folder))
        try:
            return next(state for state in client.states())
        finally:
            client.close()

    def to_run(self) -> None:
        """A person resets."""
        for _ in range(RESETS):
            if self.board.load or self._reset():
                return
        raise AssertionError(f"no reset acted: {self.state().sentence()}")

    def _reset(self) -> bool:
        self.board.reset()
        return self.board.wait_load(True, 1.5)

    def off(self) -> bool:
        """Whether the modelled load is off, or soon is."""
        return self.board.wait_load(False, OFF_S)


@contextlib.contextmanager
def robot_in_own_folder() -> Iterator[Robot]:
    """A robot whose sockets nobody else finds."""
    with tempfile.TemporaryDirectory(prefix="rb-") as folder, Robot(Path(folder)) as robot:
        yield robot


def prefer(pid: int) -> None:
    """Before all else that keeps the machine busy, where this user may say so."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, pid, -15)


def until(done: Callable[[], object], seconds: float) -> bool:
    """Wait until it is true; whether it came to be."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if done():
            return True
        time.sleep(0.01)
    return bool(done())
