"""What the tests of approvals share."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from people import Clock, made_desk

from redbutton.approval.channel import ENVIRONMENT, Channel, Operators, Report, socket_path
from redbutton.approval.desk import Desk

PLANNER = 65534


@pytest.fixture
def desk() -> Desk:
    """With three approvers, nothing held."""
    return made_desk()


@pytest.fixture
def path(runtime_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the channel listens."""
    monkeypatch.setenv(ENVIRONMENT, str(runtime_folder / "operator"))
    return socket_path()


@pytest.fixture
def operators() -> Operators:
    """The group of whoever runs the tests."""
    return Operators(group=os.getegid(), planners=frozenset({PLANNER}))


@pytest.fixture
def reports() -> list[Report]:
    """What the channel reported."""
    return []


@pytest.fixture
def channel(
    path: Path, desk: Desk, operators: Operators, reports: list[Report]
) -> Iterator[Channel]:
    """The desk's end."""
    channel = Channel(path, desk, operators, reports.append)
    yield channel
    channel.close()


@pytest.fixture
def served(channel: Channel) -> Iterator[Clock]:
    """The channel turns by itself, on the clock that is given."""
    clock = Clock()
    over = threading.Event()

    def turn() -> None:
        while not over.wait(0.01):
            channel.turn(clock())

    thread = threading.Thread(target=turn)
    thread.start()
    yield clock
    over.set()
    thread.join()
