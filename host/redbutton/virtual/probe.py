"""The bench's probe on the virtual board: its real firmware, its pins wired to the same plant.

The firmware's files run in the real MicroPython interpreter, in a process of their own behind a
pseudo-terminal of its own; only `machine` and `rp2` are replaced (folder `probe_shim`). What it
moves acts on the board's plant, and what it sees are the plant's signals at the plant's own times.
Wires of the harness can be cut, crossed or shorted, so that a selftest has something to find.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from typing_extensions import Self

from redbutton.errors import NoContact
from redbutton.firmware.probe import harness
from redbutton.virtual.board import FIRMWARE, Change, RealTimeBoard, interpreter
from redbutton.virtual.cable import Cable

SHIM = Path(__file__).parent / "probe_shim"
END_S = 2.0
# Senses that are signals of the plant; those of contacts are wetted by the supply.
WETTED = ("contact_a", "contact_b", "mirror_1", "mirror_2", "reset", "key")
PLANT = (*WETTED, "supply", "load", "k1_pulses")
SIGNALS = {"k2": "k2_pin"}
FOLLOWS = 2  # state of a mirror contact's output


def files() -> dict[str, bytes]:
    """What belongs on the probe's flash, by name."""
    found = {file.name: file.read_bytes() for file in sorted((FIRMWARE / "probe").glob("*.py"))}
    return found | {"wire.py": (FIRMWARE / "wire.py").read_bytes()}


class VirtualProbe:
    """A probe wired to a virtual board. Use as a context manager, inside the board's."""

    def __init__(self, board: RealTimeBoard, port: Path) -> None:
        """`port`: where to link its pseudo-terminal."""
        self._board = board
        self._flash = tempfile.TemporaryDirectory(prefix="redbutton-")
        for name, content in files().items():
            (Path(self._flash.name) / name).write_bytes(content)
        shutil.rmtree(Path(self._flash.name) / "__pycache__", ignore_errors=True)
        self._lock = threading.RLock()
        self._high: set[int] = set()
        self._states = {name: -1 for name, _, _ in harness.OUTPUTS}
        self._told_us = 0
        self._powered = {"board": 1, "usb": 1}
        self._broken: dict[str, int] = {}  # wires that are cut (0) or shorted (1)
        self._crossed: dict[str, str] = {}
        moved_out, moved_in = os.pipe()
        seen_out, self._seen = os.pipe()
        self._process = subprocess.Popen(
            [interpreter(), "main.py", str(moved_in), str(seen_out)],
            cwd=self._flash.name,
            env={"MICROPYPATH": f"{SHIM}::.frozen"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(moved_in, seen_out),
            start_new_session=True,
            bufsize=0,
        )
        os.close(moved_in)
        os.close(seen_out)
        os.set_blocking(self._seen, False)
        assert self._process.stdin and self._process.stdout
        for stream in (self._process.stdin, self._process.stdout):
            os.set_blocking(stream.fileno(), False)
        self._move_all(self._now_us())
        self._cable = Cable(
            port, self._process.stdin.fileno(), self._process.stdout.fileno(), lambda: None
        )
        self._before = board.on_change
        board.on_change = self._changed
        self._see(self._now_us())
        self._moved = os.fdopen(moved_out)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._board.on_change = self._before
        self._cable.close()
        with contextlib.suppress(OSError):
            os.close(self._seen)
        self._process.terminate()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join(END_S)
        self._moved.close()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()
        self._flash.cleanup()

    @property
    def pid(self) -> int:
        """Of the interpreter."""
        return self._process.pid

    # --- wires that are wrong

    def wire(self, words: list[str]) -> None:
        """Do something to the harness: `cut WIRE`, `short WIRE`, `cross WIRE WIRE`, or `mend`.

        A wire is switch.NAME or sense.NAME, by the names of hardware/probe.yaml. A switch that is
        cut moves nothing; one that is shorted stays in its last state's place, as if closed. A
        sense that is cut reads 0, one that is shorted 1. ValueError for anything else.
        """
        wires = [f"switch.{name}" for name, _, _ in harness.OUTPUTS]
        wires += [f"sense.{name}" for name, _, _ in harness.SENSES]
        for wire in words[1:]:
            if wire not in wires:
                raise ValueError(f"no such wire: {wire}. There are {', '.join(wires)}")
        with self._lock:
            match words:
                case ["cut", wire]:
                    self._broken[wire] = 0
                case ["short", wire]:
                    self._broken[wire] = 1
                case ["cross", one, other] if one.partition(".")[0] == other.partition(".")[0]:
                    self._crossed |= {one: other, other: one}
                case ["mend"]:
                    self._broken.clear()
                    self._crossed.clear()
                case _:
                    raise ValueError("cut WIRE, short WIRE, cross WIRE WIRE (of one kind), mend")
            self._move_all(self._now_us())
            self._see(self._now_us())

    # --- what the probe moves

    def _listen(self) -> None:
        for line in self._moved:
            gpio, level, at_us = (int(word) for word in line.split())
            with self._lock:
                if level:
                    self._high.add(gpio)
                else:
                    self._high.discard(gpio)
                with contextlib.suppress(NoContact, OSError):
                    self._move_all(at_us)
        with self._lock, contextlib.suppress(NoContact, OSError):  # its pins are inputs again
            self._high.clear()
            self._move_all(self._now_us())

    def _move_all(self, at_us: int) -> None:
        """Let the plant follow the pins; never before what it was told already."""
        at_us = self._told_us = max(at_us, self._told_us)
        for name, states, _ in harness.OUTPUTS:
            driver = self._crossed.get(f"switch.{name}", f"switch.{name}").partition(".")[2]
            state = self._state(driver)
            if (broken := self._broken.get(f"switch.{name}")) is not None:
                at_rest = next(i for i, (_, high) in enumerate(states) if not high)
                state = at_rest if broken == 0 else 1 - at_rest
            if state != self._states[name]:
                self._states[name] = state
                self._move(name, state, at_us)

    def _state(self, name: str) -> int:
        states = next(states for other, states, _ in harness.OUTPUTS if other == name)
        pins = {gpio for _, high in states for gpio in high}
        high = pins & self._high
        return next((i for i, (_, gpios) in enumerate(states) if set(gpios) == high), 0)

    def _move(self, name: str, state: int, at_us: int) -> None:
        board = self._board
        at = at_us - board.started_us
        if name in ("board", "usb"):
            self._power(name, state, at_us)
        elif name in ("key", "supply"):
            board.act(name, state, at)
        else:
            value = -1 if name.startswith("mirror") and state == FOLLOWS else state
            board.act(f"stick:{name}", value, at)

    def _power(self, name: str, on: int, at_us: int) -> None:
        if self._powered[name] != on:
            self._powered[name] = on
            if name == "board":
                self._board.act("chip:power", on, at_us - self._board.started_us)
        if all(self._powered.values()):
            self._board.cable.plug()
        else:
            self._board.cable.unplug()
        self._see(at_us)

    # --- what it sees

    def _changed(self, change: Change) -> None:
        if self._before:
            self._before(change)
        with self._lock:
            self._see(change.at_us + self._board.started_us)

    def _see(self, at_us: int) -> None:
        values = self._board.values
        truth = dict(self._powered)
        for name, _, _ in harness.SENSES:
            if name not in truth:
                wet = values.get("supply", 0) if name in WETTED else 1
                truth[name] = values.get(SIGNALS.get(name, name), 0) & wet
        levels = 0
        for name, gpio, _ in harness.SENSES:
            wire = self._crossed.get(f"sense.{name}", f"sense.{name}")
            level = self._broken.get(f"sense.{name}", truth[wire.partition(".")[2]])
            levels |= level << gpio - harness.FIRST_SENSE
        with contextlib.suppress(OSError):  # a probe that hangs sees nothing
            os.write(self._seen, f"{at_us} {levels}\n".encode())

    @staticmethod
    def _now_us() -> int:
        return time.monotonic_ns() // 1000
