"""Reading the journal: `redbutton journal` as its users meet it, and what it makes of answers."""

import functools
import json
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import command_line
import pytest

from redbutton.errors import JournalFaulty, KeyUnreadable, NoContact
from redbutton.firmware import decide, wire
from redbutton.journal import JournalAnswer, Reading, answer_of
from redbutton.local import Client, socket_path
from redbutton.local_server import Server
from redbutton.model import SafetyState, State
from redbutton.session import Session
from redbutton.virtual.board import RealTimeBoard

TIMEOUT_S = 30
OTHER_KEY = bytes(32)


def made(sequence: int, key: bytes, **changes: int) -> bytes:
    """An entry with its tag."""
    fields = {
        "sequence": sequence,
        "boot": 2,
        "power_up": 7,
        "number": 1,
        "uptime": 1234,
        "before": decide.RUN,
        "after": decide.STOPPED,
        "cause": 4,
        "first": 4,
        "inputs": 0,
        "causes": 1 << 4,
        **changes,
    }
    body = struct.pack(wire.ENTRY_LAYOUT, *(fields[name] for name in wire.ENTRY_FIELDS))
    return body + wire.journal_signer(key).mac(body)[:16]


def answer(asked: int, entry: bytes, oldest: int = 1, following: int = 5, **more: int) -> bytes:
    """The payload of a JOURNAL frame."""
    unwritten = more.get("unwritten", following)
    head = struct.pack(
        wire.JOURNAL_LAYOUT, asked, oldest, following, unwritten, more.get("failures", 0)
    )
    return head + entry


def read(key: bytes, *payloads: bytes, since: int = 0) -> Reading:
    reading = Reading(since, key)
    for payload in payloads:
        found = answer_of(payload)
        assert found
        reading.take(found)
    return reading


# --- what is made of answers


@pytest.mark.requirement("SR-22")
def test_a_whole_journal_has_no_faults(key: bytes) -> None:
    reading = read(key, *(answer(i, made(i, key)) for i in range(1, 5)), answer(5, b""))

    assert reading.over
    assert reading.faults() == []
    assert [entry.sequence for entry in reading.entries] == [1, 2, 3, 4]
    entry = reading.entries[0]
    assert (entry.before, entry.after, entry.cause) == (
        State.RUN,
        State.STOPPED,
        "button contact A",
    )
    assert entry.authentic and entry.stored


@pytest.mark.requirement("SR-22")
@pytest.mark.parametrize("bit", range(0, 40 * 8, 3))
def test_no_bit_of_an_entry_can_be_changed(key: bytes, bit: int) -> None:
    entry = bytearray(made(2, key))
    entry[bit // 8] ^= 1 << bit % 8

    reading = read(
        key, answer(1, made(1, key)), answer(2, bytes(entry)), answer(3, made(3, key)),
        answer(4, made(4, key)), answer(5, b""),
    )  # fmt: skip

    (fault,) = reading.faults()
    assert "entry 2" in fault


@pytest.mark.requirement("SR-22")
def test_an_entry_under_another_key_is_named(key: bytes) -> None:
    reading = read(key, answer(1, made(1, OTHER_KEY), following=2), answer(2, b"", following=2))

    assert reading.faults() == [
        "not made by this controller under this link key: entry 1",
    ]


@pytest.mark.requirement("SR-22")
def test_the_link_key_itself_signs_no_entry(key: bytes) -> None:
    """A heartbeat's tag can never pass for an entry's."""
    body = made(1, key)[:24]
    forged = body + wire.Signer(key).mac(body)[:16]

    reading = read(key, answer(1, forged, following=2), answer(2, b"", following=2))

    assert reading.faults()


@pytest.mark.requirement("SR-22")
def test_missing_entries_are_named(key: bytes) -> None:
    payloads = [answer(i, b"" if i in (2, 3, 7) else made(i, key), following=9) for i in range(9)]

    reading = read(key, *payloads[1:], answer(9, b"", following=9))

    assert reading.missing == [2, 3, 7]
    assert reading.faults() == ["missing: entries 2 to 3, entry 7"]


@pytest.mark.requirement("SR-22")
def test_an_entry_in_place_of_another_is_missing(key: bytes) -> None:
    reading = read(
        key,
        answer(1, made(3, key), following=3),
        answer(2, made(2, key), following=3),
        answer(3, b"", following=3),
    )

    assert reading.missing == [1]
    assert [entry.sequence for entry in reading.entries] == [2]


@pytest.mark.requirement("SR-22")
def test_entries_that_the_ring_has_overwritten_are_not_missing(key: bytes) -> None:
    reading = read(
        key,
        answer(1, made(64, key), oldest=64, following=66),
        answer(65, made(65, key), oldest=64, following=66),
        answer(66, b"", oldest=64, following=66),
    )

    assert [entry.sequence for entry in reading.entries] == [64, 65]
    assert reading.faults() == []


def test_an_answer_to_another_question_is_no_answer(key: bytes) -> None:
    reading = read(key, answer(4, made(4, key)))

    assert (reading.sequence, reading.entries, reading.over) == (1, [], False)


@pytest.mark.requirement("SR-22")
def test_a_flash_that_fails_is_a_fault_as_long_as_something_is_not_in_it(key: bytes) -> None:
    def faults(unwritten: int) -> list[str]:
        more = {"following": 3, "failures": 2, "unwritten": unwritten}
        return read(
            key,
            answer(1, made(1, key), **more),
            answer(2, made(2, key), **more),
            answer(3, b"", **more),
        ).faults()

    assert faults(3) == []
    (fault,) = faults(2)
    assert "flash fails" in fault and "entry 2" in fault


@pytest.mark.requirement("SR-22")
def test_lost_entries_are_told_in_words(key: bytes) -> None:
    lost = made(1, key, before=0, after=0, number=12, cause=0xFF, first=0xFF)

    (entry,) = read(key, answer(1, lost)).entries

    assert entry.sentence() == "12 entries lost: flash failed"
    assert entry.cause is None


@pytest.mark.parametrize("size", [0, 17, 19, 57, 59, 80])
def test_a_frame_of_another_size_is_no_answer(size: int) -> None:
    assert answer_of(bytes(size)) is None
    session = Session()
    line = wire.encode(wire.JOURNAL, 1, bytes(size))
    assert session.receive(line, 0.0) == []


# --- through the owner's socket


def test_the_owner_hands_on_a_question_and_its_answer_to_whoever_asked(
    runtime_folder: Path,
) -> None:
    path = socket_path("/dev/some", runtime_folder)
    server = Server(path)
    asking, other = Client(path), Client(path)
    try:
        asking._socket.sendall(b'{"journal":{"sequence":7}}\n')
        deadline = time.monotonic() + 2
        while server.journal_asked is None and time.monotonic() < deadline:
            assert server.turn(SafetyState(), time.monotonic()) == []
        assert server.journal_asked == 7
        server.tell_journal(JournalAnswer(asked=6, oldest=1, next=8, unwritten=8, failures=0))
        assert server.journal_asked == 7
        server.tell_journal(JournalAnswer(asked=7, oldest=1, next=8, unwritten=8, failures=0))
        assert server.journal_asked is None
        assert b'{"journal":{"asked":7' in asking._socket.recv(65536)
        assert b'journal":' not in other._socket.recv(65536)
    finally:
        asking.close()
        other.close()
        server.close()


def test_an_owner_whose_controller_does_not_answer_is_no_contact(runtime_folder: Path) -> None:
    path = socket_path("/dev/some", runtime_folder)
    server = Server(path)
    client = Client(path)
    try:
        with pytest.raises(NoContact):
            client.journal(1, 0.2)
    finally:
        client.close()
        server.close()


@pytest.mark.parametrize("sequence", [b"-1", b"4294967296", b'"x"', b"null"])
def test_a_question_that_is_none_is_refused_with_a_reason(
    runtime_folder: Path, sequence: bytes
) -> None:
    path = socket_path("/dev/some", runtime_folder)
    server = Server(path)
    client = Client(path)
    try:
        client._socket.sendall(b'{"journal":{"sequence":' + sequence + b"}}\n")
        for _ in range(20):
            server.turn(SafetyState(), 0.0)
            time.sleep(0.005)
        assert server.journal_asked is None
        assert b'{"error"' in client._socket.recv(65536)
    finally:
        client.close()
        server.close()


# --- the command


redbutton = functools.partial(command_line.redbutton, timeout=TIMEOUT_S)


@pytest.fixture
def files(tmp_path: Path, key: bytes) -> dict[str, Path]:
    """Port, flash, the right key and a wrong one."""
    for name, value in (("key", key), ("wrong", OTHER_KEY)):
        (tmp_path / name).write_text(value.hex())
    (tmp_path / "flash").mkdir()
    return {name: tmp_path / name for name in ("port", "flash", "key", "wrong")}


@pytest.fixture
def board(key: bytes, files: dict[str, Path]) -> Iterator[RealTimeBoard]:
    with RealTimeBoard(key, files["port"], flash=files["flash"]) as board:
        time.sleep(0.5)
        yield board


def journal(files: dict[str, Path], *more: str, key: str = "key") -> Any:
    return redbutton("journal", "-p", str(files["port"]), "-k", str(files[key]), *more)


@pytest.mark.requirement("SR-22")
def test_the_journal_is_read_from_the_port_and_through_its_owner(
    board: RealTimeBoard, files: dict[str, Path]
) -> None:
    direct = journal(files, "--json")
    assert direct.returncode == 0, direct.stderr
    (entry,) = [json.loads(line) for line in direct.stdout.splitlines()]
    assert (entry["sequence"], entry["before"], entry["after"]) == (1, None, "STOPPED")
    assert (entry["cause"], entry["authentic"], entry["stored"]) == ("power up", True, True)

    owner = subprocess.Popen(
        [
            sys.executable, "-m", "redbutton.cli", "run", "--json",
            "-p", str(files["port"]), "-k", str(files["key"]),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert owner.stdout
        for line in owner.stdout:
            if json.loads(line).get("state") == "STOPPED":
                break
        for _ in range(3):
            board.reset()
            if board.wait_load(True, 2.0):
                break
        through = journal(files)
        assert through.returncode == 0, through.stderr
        assert "started, STOPPED" in through.stdout
        assert "TESTING -> RUN" in through.stdout
        assert "not in flash yet" in through.stdout
        assert board.load
        later = journal(files, "--since", "2", "--json")
        sequences = [json.loads(line)["sequence"] for line in later.stdout.splitlines()]
        assert sequences[0] == 2
        assert board.load
    finally:
        owner.terminate()
        owner.communicate(timeout=TIMEOUT_S)


@pytest.mark.requirement("SR-22")
def test_a_wrong_key_is_one_clear_line_and_an_exit_code(
    board: RealTimeBoard, files: dict[str, Path]
) -> None:
    result = journal(files, key="wrong")

    assert result.returncode == JournalFaulty.exit_code
    assert "FORGED" in result.stdout
    (line,) = result.stderr.strip().splitlines()
    assert "not made by this controller under this link key: entry 1" in line
    unchecked = redbutton("journal", "-p", str(files["port"]), "--no-check")
    assert unchecked.returncode == 0
    assert "not checked" in unchecked.stdout


@pytest.mark.requirement("SR-22")
def test_a_missing_entry_is_one_clear_line_and_an_exit_code(
    key: bytes, files: dict[str, Path]
) -> None:
    for _ in range(3):
        with RealTimeBoard(key, files["port"], flash=files["flash"]):
            time.sleep(0.6)
    stored = files["flash"] / "entries" / "0"
    data = stored.read_bytes()
    stored.write_bytes(data[:44] + data[88:])
    with RealTimeBoard(key, files["port"], flash=files["flash"]):
        time.sleep(0.6)
        result = journal(files, "--json")

    assert result.returncode == JournalFaulty.exit_code
    (line,) = result.stderr.strip().splitlines()
    assert "missing: entry 2" in line
    assert [json.loads(line)["sequence"] for line in result.stdout.splitlines()] == [1, 3, 4]


def test_no_key_file_is_one_clear_line(tmp_path: Path) -> None:
    result = redbutton("journal", "-p", str(tmp_path / "port"), "-k", str(tmp_path / "nothing"))

    assert result.returncode == KeyUnreadable.exit_code
    assert len(result.stderr.strip().splitlines()) == 1


def test_help_gives_an_example() -> None:
    assert "Example: redbutton journal" in redbutton("journal", "--help").stdout
    assert "journal" in redbutton("--help").stdout
