"""`redbutton flash`: the real tool, a real terminal, the real interpreter behind the prompt."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import one_line, redbutton, running
from pytest_mock import MockerFixture

from redbutton import attestation
from redbutton.attestation import Expected
from redbutton.errors import BoardNotWritten, NotInMaintenance, PortInUse
from redbutton.maintenance import Maintenance
from redbutton.virtual.board import FIRMWARE, RealTimeBoard
from redbutton.virtual.chain import Chain, firmware_on

WANTED = attestation.files()
GENUINE = Expected(attestation.digest(WANTED))


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    """A flash with the firmware on it, key and all, kept over power cycles."""
    folder = tmp_path / "flash"
    folder.mkdir()
    for name, content in WANTED.items():
        (folder / name).write_bytes(content)
    return folder


def in_maintenance(flash: Path, port: Path, key: bytes | None = None) -> RealTimeBoard:
    """A board powered up with its key switch in maintenance; its flash as it is."""
    return RealTimeBoard(key, port, flash=flash, firmware=(), before={"key": 1})


@pytest.fixture
def board(flash: Path, port: Path, key: bytes) -> Iterator[RealTimeBoard]:
    """The same, ready."""
    with in_maintenance(flash, port, key) as board:
        time.sleep(0.3)
        yield board


def nothing(*_: object) -> None:
    """Progress that nobody looks at."""


def assert_off_and_closed(flash: Path, key: bytes) -> None:
    """Powered up in operation: no load, no prompt, nothing that looks like a controller."""
    with Chain(key, flash=flash, firmware=()) as chain:
        chain.step(100)
        chain.board.write(b"\r\x03\x03\r\x01\x04")
        chain.press_reset()
        assert not chain.energised_since(0)
        assert not chain.state.heard
        assert bytes(chain.sent_by_board) == b""
        assert set(chain.board.resets) == {"reset"}


@pytest.mark.requirement("SR-19", "SR-23")
def test_a_blank_board_gets_the_firmware_of_this_package(port: Path, tmp_path: Path) -> None:
    blank = tmp_path / "blank"
    blank.mkdir()
    with in_maintenance(blank, port) as board:
        result = redbutton("flash", "-p", str(port), "--json")
        assert result.returncode == 0, result.stderr
        assert firmware_on(blank) == WANTED
        said = json.loads(result.stdout)
        assert said["firmware"] == GENUINE.firmware.hex()
        assert said["written"][0] == "boot.py" and said["written"][-1] == "main.py"
        board.act("key", 0)
        time.sleep(0.5)
        result = redbutton("status", "-p", str(port), "--json")
        assert "link key missing" in json.loads(result.stdout)["present"]


def test_only_what_differs_is_written_and_what_does_not_belong_is_removed(
    board: RealTimeBoard, flash: Path, port: Path
) -> None:
    (flash / "lockout").write_text("64")
    (flash / "entries").mkdir()
    (flash / "entries" / "0").write_bytes(b"journal")
    (flash / "lib" / "deep").mkdir(parents=True)
    for stray in ("lib/deep/evil.py", "old.py", "entries/9", "wire.py.new"):
        (flash / stray).write_text("evil")
    (flash / "link.py").write_bytes(WANTED["link.py"][:-1] + b"#")
    kept = {name: (flash / name).read_bytes() for name in ("settings.json", "lockout")}
    with Maintenance(str(port)) as maintenance:
        written, removed = maintenance.flash(WANTED, nothing)
    assert written == ["boot.py", "link.py", "main.py"]
    assert sorted(removed) == ["entries/9", "lib/deep/evil.py", "old.py", "wire.py.new"]
    assert firmware_on(flash) == WANTED
    assert not (flash / "lib").exists()
    assert {name: (flash / name).read_bytes() for name in kept} == kept
    assert (flash / "entries" / "0").read_bytes() == b"journal"
    with Maintenance(str(port)) as maintenance:
        assert maintenance.flash(WANTED, nothing) == ([], [])


@pytest.mark.requirement("SR-19")
def test_in_operation_it_is_refused_and_disturbs_nothing(
    flash: Path, port: Path, key: bytes
) -> None:
    with RealTimeBoard(key, port, flash=flash) as board:
        time.sleep(0.3)
        before = firmware_on(flash)
        result = redbutton("flash", "-p", str(port))
        assert result.returncode == NotInMaintenance.exit_code
        assert "is in operation, and closed: turn the key switch" in one_line(result)
        assert firmware_on(flash) == before
        assert not board.resets


def test_a_port_that_another_process_owns_is_left_alone(
    flash: Path, port: Path, key: bytes, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(key.hex())
    with (
        RealTimeBoard(key, port, flash=flash),
        running("run", "-p", str(port), "-k", str(tmp_path / "key")) as owner,
    ):
        time.sleep(1.5)
        result = redbutton("flash", "-p", str(port))
        assert result.returncode == PortInUse.exit_code
        assert f"is in use by process {owner.pid}" in one_line(result)


def test_something_else_on_the_port_is_no_board() -> None:
    master, slave = os.openpty()
    try:
        result = redbutton("flash", "-p", os.ttyname(slave))
    finally:
        os.close(master)
        os.close(slave)
    assert result.returncode == NotInMaintenance.exit_code
    assert "with the key switch in maintenance?" in one_line(result)


@pytest.mark.requirement("SR-19", "SR-16")
@pytest.mark.parametrize("at", [0.0, 0.2, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("who", ["board", "host"])
def test_power_lost_in_the_middle_leaves_a_board_that_stays_off_and_can_be_flashed(
    flash: Path, port: Path, key: bytes, who: str, at: float
) -> None:
    """The old firmware is another version: not one file of it stays."""
    for name in WANTED:
        if name not in ("boot.py", "wire.py", "journal.py", "decide.py"):  # to save time
            (flash / name).write_bytes(WANTED[name] + b"# old\n")
    board = in_maintenance(flash, port, key)

    def cut(name: str, done: int, total: int) -> None:
        if done >= at * total:
            if who == "host":
                raise KeyboardInterrupt
            os.kill(board.pid, signal.SIGKILL)
            board.cable.unplug()

    with board, pytest.raises((BoardNotWritten, KeyboardInterrupt)), Maintenance(str(port)) as m:
        m.flash(WANTED, cut)
    assert not (flash / "main.py").exists()
    assert_off_and_closed(flash, key)
    with in_maintenance(flash, port, key), Maintenance(str(port)) as m:
        m.flash(WANTED, nothing)
    with Chain(key, flash=flash, firmware=(), expected=GENUINE) as chain:
        chain.run()


def test_what_reads_back_wrong_is_an_error_and_leaves_no_main(
    flash: Path, port: Path, key: bytes, mocker: MockerFixture
) -> None:
    (flash / "link.py").write_text("old")
    digest_of = Maintenance.digest_of
    mocker.patch.object(
        Maintenance,
        "digest_of",
        lambda self, name: bytes(32) if name == "link.py" else digest_of(self, name),
    )
    wrong = pytest.raises(BoardNotWritten, match=r"link\.py reads back wrong: the board stays off")
    with in_maintenance(flash, port, key), Maintenance(str(port)) as maintenance, wrong:
        maintenance.flash(WANTED, nothing)
    assert_off_and_closed(flash, key)


def test_a_micropython_that_opens_its_port_before_boot_is_refused(
    board: RealTimeBoard, port: Path, mocker: MockerFixture
) -> None:
    mocker.patch("redbutton.maintenance.MICROPYTHON_MIN", (2, 0))
    with pytest.raises(NotInMaintenance, match="too old"):
        Maintenance(str(port))


def test_a_file_that_cannot_be_written_is_one_line(
    board: RealTimeBoard, flash: Path, port: Path
) -> None:
    (flash / "link.py").unlink()
    (flash / "link.py.new").mkdir()  # in its way
    result = redbutton("flash", "-p", str(port), "--json")
    assert result.returncode == BoardNotWritten.exit_code
    assert "link.py cannot be written: the board stays off" in one_line(result)
    assert not (flash / "main.py").exists()


def test_what_is_flashed_are_the_files_of_this_clone() -> None:
    assert set(WANTED) == {file.name for file in FIRMWARE.glob("*.py")}
    assert "boot.py" in WANTED and "main.py" in WANTED
