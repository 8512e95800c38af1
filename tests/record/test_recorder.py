"""The process that writes, and the one that must not wait for it, in real time (SR-22, SR-18)."""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from logs import ORIGIN, entries, keys, kinds, verified
from waits import WAIT_S, until

from redbutton.model import State
from redbutton.owner import Owner
from redbutton.record import recorder as recorder_module
from redbutton.record.diary import Diary
from redbutton.record.folder import Escrow, create
from redbutton.record.recorder import Recorder
from redbutton.virtual.board import RealTimeBoard


def numbers(path: Path) -> list[int]:
    """Of the notes in a log, in its order."""
    return [entry["fields"]["i"] for entry in entries(path) if entry["kind"] == "note"]


def idle(recorder: Recorder) -> bool:
    """Everything is on the disk."""
    return not recorder._waiting


def kill(recorder: Recorder) -> None:
    assert recorder.pid is not None
    with contextlib.suppress(ProcessLookupError):
        os.kill(recorder.pid, signal.SIGKILL)


@pytest.mark.requirement("SR-22")
def test_what_is_noted_is_recorded_in_order(
    recorder: Recorder, escrow: Escrow, tmp_path: Path
) -> None:
    for i in range(500):
        recorder.note("note", i=i)
    until(recorder, lambda: idle(recorder))
    assert recorder.problem == ""
    assert numbers(tmp_path / "log") == list(range(500))
    assert verified(tmp_path / "log", keys(escrow)).faults == []
    assert kinds(tmp_path / "log")[:2] == ["begun", "writing"]


@pytest.mark.requirement("SR-22")
@pytest.mark.timeout(300)
def test_a_writer_that_is_killed_again_and_again_loses_nothing_and_writes_nothing_twice(
    recorder: Recorder, escrow: Escrow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "RESTART_S", 0.01)
    recorder._patience = 0.01
    dice = random.Random(1)
    told = 0
    for _ in range(8):
        until(recorder, lambda: recorder.journal is not None)  # it writes
        for _ in range(dice.randrange(50, 400)):
            recorder.note("note", i=told)
            told += 1
            recorder.turn(time.monotonic())
        time.sleep(dice.random() / 50)
        kill(recorder)
        until(recorder, lambda: recorder._socket is None)
        assert "has ended" in recorder.problem
        recorder._restart = 0.0
    until(recorder, lambda: idle(recorder))
    until(recorder, lambda: recorder.problem == "")
    assert numbers(tmp_path / "log") == list(range(told))
    assert verified(tmp_path / "log", keys(escrow)).faults == []
    assert kinds(tmp_path / "log").count("writing") == 9


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KB."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=128k", "none", str(place)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        why = f"no small file system can be mounted: {mounted.stderr.strip()}"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.requirement("SR-22")
@pytest.mark.timeout(300)
def test_a_full_disk_is_said_and_what_is_acknowledged_is_there_and_it_goes_on(
    small_disk: Path,
) -> None:
    escrow = create(small_disk / "log", ORIGIN)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(60 << 10))
    recorder = Recorder(small_disk / "log")
    try:
        told = 0
        end = time.monotonic() + WAIT_S
        while not recorder.problem:
            assert time.monotonic() < end
            recorder.note("note", i=told, text="x" * 200)
            told += 1
            until(recorder, lambda: len(recorder._waiting) < 50 or bool(recorder.problem))
        assert "No space left" in recorder.problem
        acknowledged = told - len(recorder._waiting)
        assert acknowledged > 0
        assert numbers(small_disk / "log")[:acknowledged] == list(range(acknowledged))
        for _ in range(10):
            recorder.note("note", i=told, text="x" * 200)
            told += 1
        ballast.unlink()
        until(recorder, lambda: idle(recorder))
        until(recorder, lambda: recorder.problem == "")
    finally:
        recorder.close()
    assert numbers(small_disk / "log") == list(range(told))
    assert verified(small_disk / "log", keys(escrow)).faults == []
    assert "resumed" in kinds(small_disk / "log")


@pytest.mark.requirement("SR-22")
def test_what_does_not_fit_is_counted_and_the_count_is_recorded(
    recorder: Recorder, escrow: Escrow, tmp_path: Path
) -> None:
    until(recorder, lambda: recorder.journal is not None)
    assert recorder.pid is not None
    os.kill(recorder.pid, signal.SIGSTOP)  # a disk that hangs
    try:
        for i in range(recorder_module.QUEUE_MAX + 100):
            recorder.note("note", i=i)
            if i % 100 == 0:
                recorder.turn(time.monotonic())
        assert recorder.lost == 100
        assert recorder.problem == "100 entries were lost: the disk is too slow, or fails"
    finally:
        os.kill(recorder.pid, signal.SIGCONT)
    until(recorder, lambda: idle(recorder) and not recorder.lost)
    assert recorder.problem == ""
    assert numbers(tmp_path / "log") == list(range(recorder_module.QUEUE_MAX))
    lost = [entry for entry in entries(tmp_path / "log") if entry["kind"] == "lost"]
    assert [entry["fields"] for entry in lost] == [{"count": 100}]
    report = verified(tmp_path / "log", keys(escrow))
    assert report.faults == []
    assert any("100 entries were lost" in remark for remark in report.remarks)


class Odd:
    """What no JSON can hold, and no text either."""

    def __str__(self) -> str:
        raise ValueError("no")


@pytest.mark.requirement("SR-22")
def test_noting_never_raises_whatever_it_is_given(recorder: Recorder, tmp_path: Path) -> None:
    endless: list[Any] = []
    endless.append(endless)
    for odd in (Odd(), endless, {Odd(): 1}):
        recorder.note("odd", value=odd)
    for fine in (Path("/x"), {1, 2}, "\ud800", float("nan"), b"x", "y" * 10_000_000):
        recorder.note("fine", value=fine)
    until(recorder, lambda: idle(recorder))
    assert kinds(tmp_path / "log").count("fine") == 6
    lost = [
        entry["fields"]["count"] for entry in entries(tmp_path / "log") if entry["kind"] == "lost"
    ]
    assert sum(lost) == 3


@pytest.mark.requirement("SR-22")
@pytest.mark.parametrize("wrong", ["missing", "locked", "damaged"])
def test_a_log_that_cannot_be_opened_is_said_and_nothing_else_happens(
    tmp_path: Path, wrong: str
) -> None:
    first = None
    if wrong != "missing":
        create(tmp_path / "log", ORIGIN)
    if wrong == "locked":
        first = Recorder(tmp_path / "log")
        until(first, lambda: first is not None and first.journal is not None)
    if wrong == "damaged":
        (tmp_path / "log" / "state").write_bytes(b"")
    recorder = Recorder(tmp_path / "log")
    expected = {"missing": "no record", "locked": "another process", "damaged": "is lost"}[wrong]
    until(recorder, lambda: expected in recorder.problem)
    recorder.note("note", i=1)
    recorder.turn(time.monotonic())
    assert expected in recorder.problem
    recorder.close()
    if first is not None:
        first.close()


@pytest.mark.requirement("SR-22", "SR-20")
@pytest.mark.timeout(300)
def test_a_disk_that_hangs_withholds_no_heartbeat_and_is_said_in_the_state(
    escrow: Escrow, tmp_path: Path, key: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "SILENT_S", 0.5)
    port = tmp_path / "vb"
    with RealTimeBoard(key, port, heartbeat_timeout_ms=1000) as board:
        recorder = Recorder(tmp_path / "log")
        owner = Owner(str(port), key, record=Diary(recorder))
        longest = 0.0

        def turn_until(what: object, seconds: float = WAIT_S) -> bool:
            nonlocal longest
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                begin = time.thread_time()
                owner.turn()
                longest = max(longest, time.thread_time() - begin)
                if callable(what) and what():
                    return True
                owner.wait(0.01)
            return False

        try:
            assert turn_until(lambda: recorder.journal is not None and owner.state().stopped)
            for _ in range(10):  # a press is void while the board writes its flash
                board.act("reset", 1)
                turn_until(None, 0.5)
                board.act("reset", 0)
                if turn_until(lambda: owner.state().running, 3.0):
                    break
            assert not owner.state().record_fails
            assert recorder.pid is not None
            os.kill(recorder.pid, signal.SIGSTOP)
            owner.record.note("note", i=1)
            assert turn_until(lambda: owner.state().record_fails)
            assert "takes no entries" in owner.record.problem
            since = len(board.changes)
            turn_until(None, 2.0)
            assert owner.state().state is State.RUN and board.load
            assert not [c for c in board.changes[since:] if c.signal == "load"]
            os.kill(recorder.pid, signal.SIGCONT)
            assert turn_until(lambda: not owner.state().record_fails)
            owner.stop()
            assert turn_until(lambda: owner.state().stopped)
            turn_until(lambda: not recorder._waiting)
        finally:
            owner.close()
            owner.record.close()
    assert longest < 0.5
    assert "transition" in kinds(tmp_path / "log")
