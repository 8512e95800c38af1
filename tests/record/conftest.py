"""Logs that are written in real time."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from logs import ORIGIN

from redbutton.record.folder import Escrow, create
from redbutton.record.recorder import Recorder


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
