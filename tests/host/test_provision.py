"""`redbutton provision`: one link key on both sides, times and name within limits."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import one_line, redbutton, running

from redbutton import attestation, key
from redbutton.attestation import Configuration
from redbutton.errors import (
    AttestationFailed,
    KeyUnreadable,
    NotInMaintenance,
    RedbuttonError,
    WrongKey,
)
from redbutton.firmware import wire
from redbutton.maintenance import Maintenance, provision
from redbutton.virtual.board import RealTimeBoard
from redbutton.virtual.chain import Chain


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    """The board's flash."""
    folder = tmp_path / "flash"
    folder.mkdir()
    return folder


@pytest.fixture
def board(flash: Path, port: Path) -> Iterator[RealTimeBoard]:
    """A board with firmware and no settings, in maintenance."""
    with RealTimeBoard(None, port, flash=flash, before={"key": 1}) as board:
        yield board


def stored(flash: Path) -> dict[str, object]:
    """The settings on the board."""
    return dict(json.loads((flash / "settings.json").read_text()))


def test_board_and_host_get_one_key_that_is_never_shown(
    board: RealTimeBoard, flash: Path, port: Path, tmp_path: Path
) -> None:
    file = tmp_path / "etc" / "key"
    result = redbutton("provision", "-p", str(port), "-k", str(file), "--name", "arm-2", "--json")
    assert result.returncode == 0, result.stderr
    made = key.load(file)
    assert stored(flash)["key"] == made.hex()
    assert file.stat().st_mode & 0o777 == 0o600
    said = json.loads(result.stdout.splitlines()[0])
    assert said["key_id"] == wire.key_id(made).hex()
    assert said["configuration"] == {
        "heartbeat_timeout_ms": 100,
        "stop_delay_ms": 0,
        "name": "arm-2",
    }
    record = attestation.record_file(file).read_text()
    for text in (result.stdout, result.stderr, record):
        assert made.hex() not in text and repr(made) not in text
    names = ["key", "key.json", "key.witness"]
    assert sorted(path.name for path in file.parent.iterdir()) == names


@pytest.mark.requirement("SR-22")
def test_the_witness_key_is_made_by_the_board_and_told_once(
    board: RealTimeBoard, flash: Path, port: Path, tmp_path: Path
) -> None:
    file, told = tmp_path / "key", tmp_path / "key.witness"
    result = redbutton("provision", "-p", str(port), "-k", str(file), "--json")
    said = json.loads(result.stdout.splitlines()[-1])
    assert (said["event"], said["file"]) == ("witness_key", str(told))
    first = stored(flash)["witness_key"]
    assert told.read_text() == f"{first}\n"
    assert told.stat().st_mode & 0o777 == 0o600
    assert str(first) not in result.stdout + result.stderr
    told.unlink()
    redbutton("provision", "-p", str(port), "-k", str(file), "--name", "arm")
    assert not told.exists()
    assert stored(flash)["witness_key"] == first
    redbutton("provision", "-p", str(port), "-k", str(file), "--new-witness")
    assert told.read_text() == f"{stored(flash)['witness_key']}\n" != f"{first}\n"


def test_a_key_that_is_there_is_used_and_a_new_one_only_on_request(
    board: RealTimeBoard, flash: Path, port: Path, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    old = key.create(file)
    with Maintenance(str(port)) as maintenance:
        provision(maintenance, file, False, None, None, None)
        assert key.load(file) == old
        provision(maintenance, file, True, None, None, None)
    assert key.load(file) != old
    assert stored(flash)["key"] == key.load(file).hex()


@pytest.mark.requirement("SR-04", "SR-05")
@pytest.mark.parametrize(
    ("timeout", "delay", "kept"),
    [(5, -3, (40, 0)), (5000, 5000, (1000, 1000)), (250, 300, (250, 300))],
)
def test_the_firmware_keeps_its_limits_and_says_so(
    board: RealTimeBoard,
    flash: Path,
    port: Path,
    tmp_path: Path,
    timeout: int,
    delay: int,
    kept: tuple[int, int],
) -> None:
    result = redbutton(
        "provision",
        *("-p", str(port), "-k", str(tmp_path / "key"), "--json"),
        *("--heartbeat-timeout-ms", str(timeout), "--stop-delay-ms", str(delay)),
    )
    assert result.returncode == 0, result.stderr
    said = [json.loads(line) for line in result.stdout.splitlines()]
    clamped = {entry["what"]: entry["kept"] for entry in said if entry["event"] == "clamped"}
    configuration = next(e for e in said if e["event"] == "provisioned")["configuration"]
    found = (configuration["heartbeat_timeout_ms"], configuration["stop_delay_ms"])
    assert found == kept
    assert len(clamped) == (0 if (timeout, delay) == kept else 2)
    assert (stored(flash)["heartbeat_timeout_ms"], stored(flash)["stop_delay_ms"]) == kept


def test_what_is_not_named_stays(
    board: RealTimeBoard, flash: Path, port: Path, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    with Maintenance(str(port)) as maintenance:
        provision(maintenance, file, False, 250, 30, "arm")
        record, _ = provision(maintenance, file, False, None, 40, None)
    assert record.configuration == Configuration(
        heartbeat_timeout_ms=250, stop_delay_ms=40, name="arm"
    )


@pytest.mark.requirement("SR-23")
def test_what_was_provisioned_is_what_is_attested(
    board: RealTimeBoard, port: Path, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    with Maintenance(str(port)) as maintenance:
        provision(maintenance, file, False, 250, 30, "arm")
    board.act("key", 0)
    time.sleep(0.5)
    result = redbutton("attest", "-p", str(port), "-k", str(file), "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["name"] == "arm"
    record = attestation.record_file(file)
    record.write_text(record.read_text().replace("250", "500"))
    result = redbutton("attest", "-p", str(port), "-k", str(file))
    assert result.returncode == AttestationFailed.exit_code
    assert "heartbeat timeout ms is 250 and not 500" in result.stderr
    record.write_text("{")
    result = redbutton("run", "-p", str(port), "-k", str(file))
    assert "is not a record of `redbutton provision`" in one_line(result)


@pytest.mark.requirement("SR-23")
def test_a_mismatch_withholds_the_heartbeat_and_everybody_is_told(
    board: RealTimeBoard, port: Path, tmp_path: Path
) -> None:
    """By the service, which goes on, and by whoever asks it; and no reset acts."""
    file = tmp_path / "key"
    with Maintenance(str(port)) as maintenance:
        provision(maintenance, file, False, 250, 30, "arm")
    board.act("key", 0)
    time.sleep(0.5)
    record = attestation.record_file(file)
    record.write_text(record.read_text().replace("arm", "leg"))
    complaint = "name is 'arm' and not 'leg'"
    with running("run", "-p", str(port), "-k", str(file)) as service:
        assert service.stdout
        assert any(complaint in line for line in service.stdout)
        status = redbutton("status", "-p", str(port))
        assert "no heartbeat: the controller is not configured" in status.stdout
        assert complaint in status.stdout
        board.reset()
        assert not board.wait_load(True, 1.0)
        assert service.poll() is None


@pytest.mark.requirement("SR-19", "SR-17")
def test_in_operation_it_is_refused_and_another_key_is_told(
    port: Path, flash: Path, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    key.create(file)
    with RealTimeBoard(bytes(32), port, flash=flash):
        time.sleep(0.3)
        before = stored(flash)
        result = redbutton("provision", "-p", str(port), "-k", str(file), "--new-key")
        assert result.returncode == NotInMaintenance.exit_code
        assert stored(flash) == before
        result = redbutton("attest", "-p", str(port), "-k", str(file))
        assert result.returncode == WrongKey.exit_code


def test_a_key_that_cannot_be_written_is_known_before_the_board_is_touched(
    board: RealTimeBoard, flash: Path, port: Path, tmp_path: Path
) -> None:
    (tmp_path / "key.new").mkdir()
    with Maintenance(str(port)) as maintenance, pytest.raises(KeyUnreadable, match="cannot write"):
        provision(maintenance, tmp_path / "key", True, None, None, None)
    assert not (flash / "settings.json").exists()


def test_a_board_that_fails_leaves_the_old_key_on_the_host(
    board: RealTimeBoard, flash: Path, port: Path, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    old = key.create(file)
    (flash / "settings.json").mkdir()  # no file can take its place
    with Maintenance(str(port)) as maintenance, pytest.raises(RedbuttonError):
        provision(maintenance, file, True, None, None, None)
    assert key.load(file) == old
    assert sorted(path.name for path in tmp_path.glob("key*")) == ["key"]


def test_a_name_that_is_too_long_is_refused(
    board: RealTimeBoard, flash: Path, port: Path, tmp_path: Path
) -> None:
    with Maintenance(str(port)) as maintenance, pytest.raises(RedbuttonError, match="24 bytes"):
        provision(maintenance, tmp_path / "key", False, None, None, "\u00e4" * 13)
    assert not (flash / "settings.json").exists()


def test_settings_half_written_are_the_old_ones(key: bytes, flash: Path) -> None:
    """Power lost before the new file took the old one's place; the leftover is found (SR-23)."""
    with Chain(key, flash=flash) as chain:
        chain.run()
    (flash / "settings.json.new").write_text('{"key": "00')
    with Chain(key, flash=flash) as chain:
        chain.step(200)
        assert chain.state.heard
        assert isinstance(chain.session.fault, AttestationFailed)
