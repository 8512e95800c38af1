"""`redbutton rotate-key`: another key on both sides, from wherever it was interrupted (SR-17)."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import one_line, redbutton

from redbutton import attestation, key, maintenance, rotation
from redbutton.errors import NotInMaintenance, RotationUnfinished, WrongKey
from redbutton.firmware import wire
from redbutton.maintenance import Maintenance
from redbutton.model import State
from redbutton.virtual.board import RealTimeBoard
from redbutton.virtual.chain import Chain

BOOT_S = 0.5
SERVICE = 65534  # a user who is not root


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    """The board's flash."""
    folder = tmp_path / "flash"
    folder.mkdir()
    return folder


@pytest.fixture
def board(flash: Path, port: Path) -> Iterator[RealTimeBoard]:
    """In maintenance."""
    with RealTimeBoard(None, port, flash=flash, before={"key": 1}) as board:
        yield board


@pytest.fixture
def file(board: RealTimeBoard, port: Path, tmp_path: Path) -> Path:
    """The host's key, which the board was provisioned with."""
    file = tmp_path / "etc" / "key"
    with Maintenance(str(port)) as at_prompt:
        maintenance.provision(at_prompt, file, False, 250, 30, "arm")
    return file


def on_board(flash: Path) -> bytes:
    """The key in the board's flash."""
    return bytes.fromhex(json.loads((flash / "settings.json").read_text())["key"])


def kept(file: Path) -> list[str]:
    """What is in the key's folder."""
    return sorted(path.name for path in file.parent.iterdir())


@pytest.mark.requirement("SR-17", "SR-19")
def test_both_sides_get_a_new_key_and_nothing_stays_of_the_old_one(
    board: RealTimeBoard, flash: Path, port: Path, file: Path
) -> None:
    old = key.load(file)
    if os.getuid() == 0:
        os.chown(file, SERVICE, SERVICE)
    owner = file.stat().st_uid
    result = redbutton("rotate-key", "-p", str(port), "-k", str(file), "--json")
    assert result.returncode == 0, result.stderr
    new = key.load(file)
    assert new != old and on_board(flash) == new
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_uid == owner, "the service reads it"
    assert kept(file) == ["key", "key.json", "key.witness"]
    said = json.loads(result.stdout)
    record = attestation.load_record(file)
    assert said["key_id"] == wire.key_id(new).hex() == (record and record.key_id)
    assert said["configuration"] == {
        "heartbeat_timeout_ms": 250,
        "stop_delay_ms": 30,
        "name": "arm",
    }, "all else stays"
    everywhere = [path for place in (flash, file.parent) for path in place.rglob("*")]
    for text in (result.stdout, result.stderr):
        assert new.hex() not in text and old.hex() not in text
    assert not [p for p in everywhere if p.is_file() and old.hex().encode() in p.read_bytes()]

    board.act("key", 0)
    time.sleep(BOOT_S)
    assert redbutton("attest", "-p", str(port), "-k", str(file)).returncode == 0
    file.write_text(old.hex())
    result = redbutton("attest", "-p", str(port), "-k", str(file))
    assert result.returncode == WrongKey.exit_code


def test_in_operation_or_with_another_key_nothing_is_touched(
    board: RealTimeBoard, flash: Path, port: Path, file: Path
) -> None:
    before, own = on_board(flash), key.load(file)
    stranger = key.create(file)
    with pytest.raises(WrongKey, match="`redbutton provision`"):
        rotation.rotate(str(port), file)
    file.write_text(own.hex())
    board.act("key", 0)
    time.sleep(BOOT_S)
    result = redbutton("rotate-key", "-p", str(port), "-k", str(file))
    assert result.returncode == NotInMaintenance.exit_code
    assert "turn the key switch" in one_line(result)
    assert on_board(flash) == before != stranger
    assert kept(file) == ["key", "key.json", "key.witness"]


# --- interrupted


class Crash(BaseException):
    """The host's power fails."""


def crash_at(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Make the rotation end there, once."""
    owner, name, after = CRASHES[place]
    whole: Callable[..., Any] = getattr(owner, name)

    def crashing(*given: Any, **named: Any) -> Any:
        if after:
            whole(*given, **named)
        raise Crash

    monkeypatch.setattr(owner, name, crashing)


# place: (whose, what, after it and not before it)
CRASHES: dict[str, tuple[Any, str, bool]] = {
    "before the new key is on the disk": (rotation, "_prepare", False),
    "before the board is touched": (rotation, "_store", False),
    "before the board has stored it": (Maintenance, "provision", False),
    "when the board has stored it": (Maintenance, "provision", True),
    "before it is proved": (Maintenance, "proof", False),
    "before the commit": (rotation, "_commit", False),
    "between the record and the key": (Path, "replace", True),
    "when all is done": (rotation, "_commit", True),
}
OLD_ON_BOARD = list(CRASHES)[:3]


def interrupted(monkeypatch: pytest.MonkeyPatch, place: str, port: Path, file: Path) -> None:
    with monkeypatch.context() as patch:
        if place == "between the record and the key":
            whole = rotation._commit

            def commit(key_file: Path) -> Any:
                crash_at(patch, place)
                return whole(key_file)

            patch.setattr(rotation, "_commit", commit)
        else:
            crash_at(patch, place)
        with pytest.raises(Crash):
            rotation.rotate(str(port), file)


def usable(flash: Path, file: Path) -> bool:
    """Whether one of the host's keys is the board's."""
    held = [key.load(path) for path in (file, key.next_file(file)) if path.exists()]
    return on_board(flash) in held


@pytest.mark.requirement("SR-17", "SR-19")
@pytest.mark.parametrize("place", CRASHES)
def test_from_every_point_it_goes_on_when_it_is_run_again(
    board: RealTimeBoard,
    flash: Path,
    port: Path,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    old = key.load(file)
    interrupted(monkeypatch, place, port, file)
    assert (on_board(flash) == old) == (place in OLD_ON_BOARD)
    assert usable(flash, file)
    record = rotation.rotate(str(port), file)
    assert key.load(file) == on_board(flash) != old
    assert record.key_id == wire.key_id(key.load(file)).hex()
    assert attestation.load_record(file) == record
    assert kept(file) == ["key", "key.json", "key.witness"]


@pytest.mark.requirement("SR-17")
@pytest.mark.parametrize("place", ["before the commit", "between the record and the key"])
def test_a_commit_that_is_missing_is_made_in_operation_too(
    board: RealTimeBoard,
    flash: Path,
    port: Path,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    """The controller attests under the new key; until then `run` says what to do."""
    interrupted(monkeypatch, place, port, file)
    board.act("key", 0)
    time.sleep(BOOT_S)
    result = redbutton("run", "-p", str(port), "-k", str(file))
    assert result.returncode == RotationUnfinished.exit_code
    assert "finish it with `redbutton rotate-key`" in one_line(result)
    rotation.rotate(str(port), file)
    assert key.load(file) == on_board(flash)
    assert kept(file) == ["key", "key.json", "key.witness"]


@pytest.mark.requirement("SR-17")
def test_where_the_board_still_holds_the_old_key_that_one_is_in_force(
    board: RealTimeBoard,
    flash: Path,
    port: Path,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interrupted(monkeypatch, "before the board is touched", port, file)
    board.act("key", 0)
    time.sleep(BOOT_S)
    with pytest.raises(RotationUnfinished, match="still holds the old key, which is in force"):
        rotation.rotate(str(port), file)
    assert redbutton("attest", "-p", str(port), "-k", str(file)).returncode == 0
    assert key.next_file(file).exists()


# --- the old key from then on


def rotated(flash: Path, port: Path, tmp_path: Path) -> tuple[bytes, bytes]:
    """The old key, and the new one."""
    file = tmp_path / "rotated" / "key"
    with RealTimeBoard(None, port, flash=flash, before={"key": 1}):
        with Maintenance(str(port)) as at_prompt:
            maintenance.provision(at_prompt, file, False, None, None, None)
        old = key.load(file)
        rotation.rotate(str(port), file)
    return old, key.load(file)


@pytest.mark.requirement("SR-17", "SR-04")
def test_no_heartbeat_under_the_old_key_counts_fresh_or_replayed(
    flash: Path, port: Path, tmp_path: Path
) -> None:
    old, new = rotated(flash, port, tmp_path)
    with Chain(old, flash=tmp_path / "flash-before", firmware=firmware(tmp_path)) as before:
        before.run()
        recorded = [line for line in before.sent_by_host if is_heartbeat(line)]
    with Chain(None, host_key=new, flash=flash) as chain:  # type: ignore[arg-type]
        chain.alive = False
        signer, sequence = wire.Signer(old), 30_000

        def attack() -> None:
            nonlocal sequence
            status = chain.session._status
            if status is not None and chain.board.now_us % 10_000 == 0:  # what the link carries
                sequence += 1
                chain.board.write(signer.heartbeat(sequence, status.nonce))
                chain.board.write(recorded[sequence % len(recorded)])

        chain.step(300, on_tick=attack)
        chain.board.act("reset", 1)
        chain.step(300, on_tick=attack)
        chain.board.act("reset", 0)
        chain.step(600, on_tick=attack)
        chain.step(100)  # the host is heard again
        counters = chain.state.counters
        assert counters is not None
        assert counters.heartbeats_taken == 0
        assert counters.heartbeats_refused > 100
        assert not chain.energised_since(0)
        assert chain.state.state is State.STOPPED
        assert "heartbeat lost" in chain.state.present

        chain.alive = True  # the host with the new key, and no attack any more
        chain.step(200)
        chain.press_reset()
        assert chain.board.load

        chain.alive = False  # and in RUN: heartbeats under the old key keep nothing up
        chain.step(400, on_tick=attack)
        assert not chain.board.load


def is_heartbeat(line: bytes) -> bool:
    """Whether a line that the host sent is one."""
    frame = wire.decode(line.strip())
    return frame is not None and frame[1] == wire.HEARTBEAT


def firmware(tmp_path: Path) -> tuple[Path, ...]:
    """The firmware, for a board whose flash must be there."""
    from redbutton.virtual.board import FIRMWARE

    (tmp_path / "flash-before").mkdir()
    return (FIRMWARE,)


# --- the journal


@pytest.mark.requirement("SR-22")
def test_entries_from_before_are_not_taken_for_forged(
    board: RealTimeBoard, port: Path, file: Path
) -> None:
    board.act("key", 0)
    time.sleep(BOOT_S)
    board.act("key", 1)
    board.power_cycle()
    time.sleep(BOOT_S)
    rotation.rotate(str(port), file)
    board.act("key", 0)
    time.sleep(BOOT_S)
    result = redbutton("journal", "-p", str(port), "-k", str(file), "--json")
    assert result.returncode == 0, result.stderr
    checked = [json.loads(line)["authentic"] for line in result.stdout.splitlines()]
    assert None in checked and checked[-1] is True and False not in checked
    assert checked == sorted(checked, key=lambda authentic: authentic is True)
    said = redbutton("journal", "-p", str(port), "-k", str(file)).stdout
    assert "older key" in said
