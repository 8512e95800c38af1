"""Logs that are written in real time."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from logs import ORIGIN

from redbutton.record.folder import Escrow, create
from redbutton.record.recorder import Recorder

WAIT_S = 60.0  # a shared machine; nothing is asserted of it


@pytest.fixture
def escrow(tmp_path: Path) -> Escrow:
    """Of a new log in `tmp_path / "log"`."""
    return create(tmp_path / "log", ORIGIN)


@pytest.fixture
def recorder(escrow: Escrow, tmp_path: Path) -> Iterator[Recorder]:
    """A process that writes it."""
    recorder = Recorder(tmp_path / "log")
    yield recorder
    recorder.close()


def until(recorder: Recorder, done: Callable[[], bool]) -> None:
    """Turn until it is so."""
    end = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < end, recorder.problem
        recorder.turn(time.monotonic())
        time.sleep(0.002)
