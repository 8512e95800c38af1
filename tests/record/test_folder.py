"""The log on a disk that fails, is full, or is the last thing that a process wrote to (SR-22)."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from logs import ORIGIN, Told, body, entries, keys, kinds, made, read, verified

from redbutton.errors import RecordUnwritable, RecordWrong
from redbutton.record.folder import (
    SLOT_SIZE,
    Disk,
    Escrow,
    Folder,
    create,
    load_state,
    segments,
)

SLOT_STEP = 97  # bytes of the state between two moments at which the process may die


class Crash(BaseException):
    """The process is gone."""


class CrashingDisk(Disk):
    """Dies at a step: each byte of an entry, some of the state, each other call is one.

    `synced`: of each file how much would survive a loss of power.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.synced: dict[int, int] = {}

    def _step(self) -> None:
        if self.steps <= 0:
            raise Crash
        self.steps -= 1

    def write(self, handle: int, data: bytes) -> int:
        whole = min(len(data), self.steps)
        os.write(handle, data[:whole])
        self.steps -= whole
        if whole < len(data):
            raise Crash
        return len(data)

    def write_at(self, handle: int, data: bytes, offset: int) -> int:
        for at in range(0, len(data), SLOT_STEP):
            self._step()
            os.pwrite(handle, data[at : at + SLOT_STEP], offset + at)
        return len(data)

    def sync(self, handle: int) -> None:
        self._step()
        self.synced[os.fstat(handle).st_ino] = os.fstat(handle).st_size

    def cut(self, handle: int, size: int) -> None:
        self._step()
        os.ftruncate(handle, size)


@pytest.fixture
def fresh(tmp_path: Path) -> tuple[Escrow, Callable[[], Path]]:
    """The escrow of a log with two entries, and a way to get another copy of it."""
    escrow, folder = made(tmp_path / "made", 2)
    folder.close()
    copies = iter(range(1_000_000))

    def copy() -> Path:
        place = tmp_path / str(next(copies))
        shutil.copytree(tmp_path / "made", place)
        return place

    return escrow, copy


BATCHES = ((3,), (4,), (5, 6))


def work(path: Path, disk: Disk, segment_bytes: int) -> Iterator[int]:
    """Three batches; each entry that is acknowledged."""
    folder = Folder(path, disk, segment_bytes)
    try:
        for batch in BATCHES:
            folder.append([body(number) for number in batch])
            yield from batch
            folder.settle()
    finally:
        folder.close()


def steps_of(act: Callable[[Disk], None]) -> int:
    """How many there are when nothing dies."""
    disk = CrashingDisk(1_000_000)
    act(disk)
    return 1_000_000 - disk.steps


def lose_power(path: Path, disk: CrashingDisk, share: float) -> None:
    """Of what was not synced only a share is left."""
    for file in segments(path):
        size = file.stat().st_size
        kept = min(disk.synced.get(file.stat().st_ino, 0), size)
        os.truncate(file, kept + int((size - kept) * share))


@pytest.mark.requirement("SR-22")
@pytest.mark.parametrize("segment_bytes", [1 << 20, 1], ids=["one file", "a file a batch"])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.0], ids=["killed", "half synced", "power lost"])
def test_whatever_write_is_the_last_nothing_acknowledged_is_lost(
    fresh: tuple[Escrow, Callable[[], Path]], share: float, segment_bytes: int
) -> None:
    escrow, copy = fresh
    steps = steps_of(lambda disk: [*work(copy(), disk, segment_bytes)] and None)
    assert steps > 1000
    told = 0
    for step in range(0, steps, 1 if share == 1.0 and segment_bytes > 1 else 7):
        path, disk = copy(), CrashingDisk(step)
        disk.synced = {file.stat().st_ino: file.stat().st_size for file in segments(path)}
        acknowledged = [1, 2]
        with pytest.raises(Crash):
            for number in work(path, disk, segment_bytes):
                acknowledged.append(number)
        lose_power(path, disk, share)
        again = Told(path, disk=FailingDisk("none", 0), segment_bytes=segment_bytes)
        torn = again.folder.repair is not None
        assert again.tell("ended")
        again.folder.close()
        found = [entry["number"] for entry in entries(path) if entry["kind"] == "transition"]
        assert found[: len(acknowledged)] == acknowledged, step
        assert found == list(range(1, len(found) + 1)), step
        report = verified(path, keys(escrow))
        assert report.faults == [], step
        assert ("repaired" in kinds(path)) == torn
        told += torn
        shutil.rmtree(path)
    assert told or share == 0.0


@pytest.mark.requirement("SR-22")
def test_it_may_die_again_while_it_repairs_and_says_so_all_the_same(
    fresh: tuple[Escrow, Callable[[], Path]],
) -> None:
    escrow, copy = fresh

    def torn() -> Path:
        path = copy()
        with segments(path)[0].open("ab") as file:
            file.write(b'{"entry":{"boot":"bo')
        return path

    def act(path: Path, disk: Disk) -> None:
        again = Told(path, disk=disk)
        try:
            again.tell("transition", sign=False)
        finally:
            again.folder.close()

    steps = steps_of(lambda disk: act(torn(), disk))
    for step in range(0, steps, 23):
        path = torn()
        with pytest.raises(Crash):
            act(path, CrashingDisk(step))
        again = Told(path, disk=FailingDisk("none", 0))
        assert again.tell("ended")
        again.folder.close()
        assert verified(path, keys(escrow)).faults == []
        assert "repaired" in kinds(path)
        shutil.rmtree(path)


class FailingDisk(Disk):
    """Fails at one kind of call, so often. It syncs nothing, so that tests are fast."""

    def __init__(self, call: str, times: int, number: int = errno.ENOSPC) -> None:
        self.call, self.times, self.number = call, times, number

    def _fail(self, call: str) -> None:
        if call == self.call and self.times:
            self.times -= 1
            raise OSError(self.number, os.strerror(self.number))

    def write(self, handle: int, data: bytes) -> int:
        if self.call == "write" and self.times:
            os.write(handle, data[:100])  # a full disk takes what fits
        self._fail("write")
        return super().write(handle, data[:50])

    def write_at(self, handle: int, data: bytes, offset: int) -> int:
        self._fail("write_at")
        return super().write_at(handle, data, offset)

    def sync(self, handle: int) -> None:
        self._fail("sync")

    def cut(self, handle: int, size: int) -> None:
        self._fail("cut")
        super().cut(handle, size)


@pytest.mark.requirement("SR-22")
@pytest.mark.parametrize("call", ["write", "sync", "cut"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_disk_that_fails_leaves_the_log_as_it_was_and_is_tried_again(
    tmp_path: Path, call: str, number: int
) -> None:
    escrow, folder = made(tmp_path / "log", 2)
    folder.close()
    times = 6 if call == "cut" else 3  # cutting is tried twice
    told = Told(tmp_path / "log", disk=FailingDisk(call, times, number))
    for _ in range(3):
        assert not told.tell("transition", sign=False)
        assert os.strerror(number) in told.writer.problem
        told.number -= 1  # what was not written is told again
    assert told.tell("transition")
    assert told.writer.problem == ""
    told.folder.close()
    assert verified(tmp_path / "log", keys(escrow)).faults == []
    found = entries(tmp_path / "log")
    assert [entry["kind"] for entry in found[2:]] == [
        "writing",
        "resumed",
        "transition",
        "checkpoint",
        "witnessed",
    ]
    assert os.strerror(number) in found[3]["fields"]["problem"]


@pytest.mark.requirement("SR-22")
def test_where_only_the_state_cannot_be_written_entries_are_kept_and_it_is_said(
    tmp_path: Path,
) -> None:
    escrow, folder = made(tmp_path / "log", 2)
    folder.close()
    told = Told(tmp_path / "log", disk=FailingDisk("write_at", 1))
    assert told.tell("transition", sign=False)
    assert "No space left" in told.writer.problem
    assert load_state(tmp_path / "log").place.size == 2
    assert told.tell("transition", sign=False)
    assert told.writer.problem == ""
    told.folder.close()
    assert verified(tmp_path / "log", keys(escrow)).faults == []


@pytest.mark.requirement("SR-22")
def test_the_key_of_an_entry_that_exists_is_nowhere_in_the_folder(tmp_path: Path) -> None:
    from redbutton.record.entry import next_key

    escrow, folder = made(tmp_path / "log", 20)
    key = bytes.fromhex(escrow.first_key)
    everything = b"".join(file.read_bytes() for file in (tmp_path / "log").iterdir())
    for _ in range(20):
        assert key.hex().encode() not in everything
        assert key not in everything
        key = next_key(key)
    assert key.hex().encode() in everything
    folder.close()


def test_files_grow_to_their_size_and_the_chain_goes_on_across_them(tmp_path: Path) -> None:
    escrow = create(tmp_path / "log", ORIGIN)
    for begin in range(1, 60, 10):
        folder = Folder(tmp_path / "log", segment_bytes=2000)
        for number in range(begin, begin + 10):
            folder.append([body(number)])
            folder.settle()
        folder.close()
    files = segments(tmp_path / "log")
    assert len(files) > 5
    assert all(2000 <= file.stat().st_size < 2500 for file in files[:-1])
    assert [file.stem.lstrip("0") for file in files[:2]] == ["1", "8"]
    report = verified(tmp_path / "log", keys(escrow))
    assert (report.faults, report.entries) == ([], 60)


@pytest.mark.requirement("SR-22")
def test_entries_that_are_gone_stay_missing_and_the_log_goes_on_and_says_so(
    tmp_path: Path,
) -> None:
    escrow, folder = made(tmp_path / "log", 20)
    folder.close()
    file = segments(tmp_path / "log")[0]
    whole = file.stat().st_size
    os.truncate(file, whole - 500)
    for _ in range(2):
        told = Told(tmp_path / "log")
        assert told.tell("transition")
        told.folder.close()
    assert kinds(tmp_path / "log").count("repaired") == 1
    repaired = next(e for e in entries(tmp_path / "log") if e["kind"] == "repaired")
    assert repaired["sequence"] == 21
    assert repaired["fields"]["missing_bytes"] == 500
    report = verified(tmp_path / "log", keys(escrow))
    assert report.bad == 19
    assert "entry 19 " in report.faults[0]


@pytest.mark.requirement("SR-22")
def test_only_one_process_writes_a_log(tmp_path: Path) -> None:
    _, folder = made(tmp_path / "log", 1)
    with pytest.raises(RecordWrong, match="another process"):
        Folder(tmp_path / "log")
    folder.close()
    Folder(tmp_path / "log").close()


def test_a_log_is_made_once(tmp_path: Path) -> None:
    create(tmp_path / "log", ORIGIN)
    with pytest.raises(RecordWrong, match="not empty"):
        create(tmp_path / "log", ORIGIN)
    for origin in ("", "a b", "a+b", "a\nb"):
        with pytest.raises(RecordWrong, match="origin"):
            create(tmp_path / "other", origin)
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordWrong, match="file"):
        create(tmp_path / "file", ORIGIN)
    for file in (tmp_path / "log").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o700


def test_what_is_no_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordWrong, match="no record"):
        Folder(tmp_path / "none")
    create(tmp_path / "log", ORIGIN)
    (tmp_path / "log" / "log.json").write_text("{}")
    with pytest.raises(RecordWrong, match="damaged"):
        Folder(tmp_path / "log")
    create(tmp_path / "keyless", ORIGIN)
    (tmp_path / "keyless" / "signing-key").unlink()
    with pytest.raises(RecordUnwritable, match="signing-key"):
        Folder(tmp_path / "keyless")


@pytest.mark.requirement("SR-22")
def test_one_damaged_copy_of_the_state_is_enough_and_two_are_an_error(tmp_path: Path) -> None:
    escrow, folder = made(tmp_path / "log", 3)
    folder.close()
    state = tmp_path / "log" / "state"
    good = state.read_bytes()
    assert len(good) == 2 * SLOT_SIZE
    for slot in (0, 1):
        data = bytearray(good)
        data[slot * SLOT_SIZE + 200] ^= 1
        state.write_bytes(data)
        assert load_state(tmp_path / "log").place.size == 3
    state.write_bytes(bytes(2 * SLOT_SIZE))
    with pytest.raises(RecordWrong, match="key of the next entry is lost"):
        Folder(tmp_path / "log")
    with pytest.raises(RecordWrong, match="key of the next entry is lost"):
        verified(tmp_path / "log", keys(escrow))


def test_what_another_process_tells_twice_is_written_once(tmp_path: Path) -> None:
    made(tmp_path / "log", 2)[1].close()
    told = Told(tmp_path / "log")
    told.number = 0
    assert told.tell("transition", "transition", "fault", sign=False)  # the first two are there
    told.folder.close()
    assert [entry["number"] for entry in entries(tmp_path / "log") if entry["run"]] == [1, 2, 3]
    assert len(read(tmp_path / "log")) == 5  # writing, the fault and a checkpoint beside them
