"""What a service tells systemd: a socket of the test's stands for systemd's end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from redbutton.notify import Notifier
from redbutton.virtual.board import RealTimeBoard

PATIENCE_S = 60.0


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch, runtime_folder: Path) -> Iterator[socket.socket]:
    """systemd's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(runtime_folder / "notify"))
        listening.settimeout(PATIENCE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(runtime_folder / "notify"))
        yield listening


def told(manager: socket.socket) -> list[str]:
    """All that was told and not yet read."""
    lines = []
    manager.setblocking(False)
    try:
        while True:
            lines += manager.recv(4096).decode().splitlines()
    except BlockingIOError:
        return lines


def test_without_systemd_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notifier = Notifier()
    notifier.tell("READY=1")
    notifier.turned("RUN")


def test_an_abstract_address(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"redbutton-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        Notifier().tell("READY=1")
        assert told(listening) == ["READY=1"]


def test_a_status_is_told_when_it_changes(manager: socket.socket) -> None:
    notifier = Notifier()
    for status in ("STOPPED", "STOPPED", "RUN\nREADY=1"):
        notifier.turned(status)
    assert told(manager) == ["STATUS=STOPPED", "STATUS=RUN READY=1"]


@pytest.mark.parametrize(
    ("pid", "usec", "expected"),
    [
        (None, "1000000", 4),
        ("own", "1000000", 4),
        ("1", "1000000", 0),  # meant for another process
        (None, None, 0),
        (None, "soon", 0),
    ],
)
def test_the_watchdog_hears_of_turns_four_times_as_often_as_it_must(
    manager: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    mocker: MockerFixture,
    pid: str | None,
    usec: str | None,
    expected: int,
) -> None:
    for name, value in (("WATCHDOG_PID", pid), ("WATCHDOG_USEC", usec)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, str(os.getpid()) if value == "own" else value)
    clock = mocker.patch("redbutton.notify.time.monotonic")
    notifier = Notifier()
    for turn in range(100):  # a second
        clock.return_value = 5.0 + turn * 0.01
        notifier.turned("")
    assert told(manager).count("WATCHDOG=1") == expected


def test_a_manager_that_reads_nothing_is_not_waited_for(manager: socket.socket) -> None:
    notifier = Notifier()
    for number in range(2000):
        notifier.turned(f"state {number}")
    assert len(told(manager)) < 2000


@pytest.mark.requirement("SR-20")
def test_run_tells_of_its_life_until_it_hangs(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch, key: bytes, tmp_path: Path
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    keys = tmp_path / "key"
    keys.write_text(key.hex())
    with RealTimeBoard(key, tmp_path / "port"):
        process = subprocess.Popen(
            [sys.executable, "-m", "redbutton.cli", "run", "-p", tmp_path / "port", "-k", keys],
            stdout=subprocess.DEVNULL,
        )
        try:
            seen: list[str] = []
            while "WATCHDOG=1" not in seen or not any("STATUS=STOPPED" in s for s in seen):
                seen += manager.recv(4096).decode().splitlines()
            assert seen[0] == "READY=1"
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.2)
            told(manager)
            time.sleep(0.8)
            assert told(manager) == []  # systemd would end it now
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_S)
            assert told(manager)[-1] == "STOPPING=1"
        finally:
            process.kill()
            process.wait()
