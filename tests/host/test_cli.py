"""The command line as its users meet it: real processes, a real pseudo-terminal, real firmware."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import TIMEOUT_S, one_line, redbutton, running

from redbutton import __version__
from redbutton.attestation import digest, files
from redbutton.errors import (
    KeyUnreadable,
    NoContact,
    PortForbidden,
    PortInUse,
    PortMissing,
    VersionMismatch,
    WrongKey,
)
from redbutton.virtual.board import FIRMWARE, RealTimeBoard

HEARD_AGAIN_S = 5.0


@pytest.fixture
def key_file(tmp_path: Path, key: bytes) -> Path:
    """A file with the board's key."""
    file = tmp_path / "key"
    file.write_text(key.hex())
    return file


@pytest.fixture
def board(key: bytes, port: Path) -> Iterator[RealTimeBoard]:
    """A virtual board in real time."""
    with RealTimeBoard(key, port) as board:
        yield board


@pytest.fixture
def owner(board: RealTimeBoard, port: Path, key_file: Path) -> Iterator["subprocess.Popen[str]"]:
    """`redbutton run` on that board, heard by it."""
    with running("run", "-p", str(port), "-k", str(key_file), "--json") as process:
        assert process.stdout
        for line in process.stdout:
            if json.loads(line).get("state") == "STOPPED":
                break
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield process


def to_run(board: RealTimeBoard) -> None:
    """A person resets."""
    for _ in range(3):
        board.reset()
        if board.wait_load(True, 2.0):
            return
    raise AssertionError("no reset acted")


# --- what it says of itself


def test_help_lists_every_command_and_gives_examples() -> None:
    text = redbutton("--help").stdout
    for command in ("run", "status", "monitor", "stop", "reset", "demo", "virtual-board"):
        assert command in text
    assert "Example: redbutton stop" in redbutton("stop", "--help").stdout


def test_version_names_the_parts() -> None:
    first, *others = redbutton("--version").stdout.splitlines()
    assert first == f"redbutton {__version__}, protocol version 1"
    assert others[0] == f"firmware {digest(files()).hex()[:16]}, {len(files())} files"
    assert [line.split()[0] for line in others[1:]] == [
        *("Python", "MicroPython", "ROS", "model", "extras:")
    ]


def test_an_unknown_option_is_a_usage_error() -> None:
    result = redbutton("status", "--nonsense")
    assert result.returncode == 2
    assert "--nonsense" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.requirement("SR-07", "SR-25")
def test_reset_only_says_where_the_button_is() -> None:
    result = redbutton("reset")
    assert result.returncode == 1
    assert "a reset is a person at the controller" in result.stdout


# --- things that go wrong: one clear line, an exit code, nothing left running


@pytest.mark.parametrize("command", ["run", "status", "monitor", "stop"])
def test_a_port_that_is_not_there(command: str, key_file: Path, tmp_path: Path) -> None:
    arguments = ["-k", str(key_file)] if command == "run" else []
    result = redbutton(command, "-p", str(tmp_path / "nothing"), *arguments)
    assert result.returncode == PortMissing.exit_code
    assert "does not exist: is the controller plugged in?" in one_line(result)


def test_a_file_that_is_no_port(key_file: Path) -> None:
    result = redbutton("run", "-p", str(key_file), "-k", str(key_file))
    assert result.returncode == PortMissing.exit_code
    assert str(key_file) in one_line(result)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become a user without permission")
def test_a_port_without_permission(board: RealTimeBoard, port: Path, key_file: Path) -> None:
    os.chmod(port, 0o600)
    key_file.chmod(0o644)
    code = (
        "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534);"
        "from redbutton.errors import PortForbidden\n"
        "from redbutton.link import SerialLink\n"
        "try:\n    SerialLink(sys.argv[1])\n"
        "except PortForbidden as error:\n    print(error); sys.exit(error.exit_code)\n"
    )
    for folder in (port.parent, *port.parent.parents):
        if str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    result = subprocess.run(
        [sys.executable, "-c", "import redbutton.link, redbutton.errors\n" + code, str(port)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == PortForbidden.exit_code, result.stderr
    assert "no permission to open" in result.stdout


def test_a_port_in_use_names_its_owner(
    owner: "subprocess.Popen[str]", port: Path, key_file: Path
) -> None:
    result = redbutton("run", "-p", str(port), "-k", str(key_file))
    assert result.returncode == PortInUse.exit_code
    assert f"is in use by process {owner.pid}" in one_line(result)


def test_the_owner_of_a_port_is_not_disturbed_by_one_that_wants_it(
    board: RealTimeBoard, owner: "subprocess.Popen[str]", port: Path, key_file: Path
) -> None:
    to_run(board)
    redbutton("run", "-p", str(port), "-k", str(key_file))
    redbutton("status", "-p", str(port))
    assert board.load


@pytest.mark.requirement("SR-17")
def test_a_wrong_key(board: RealTimeBoard, port: Path, key_file: Path) -> None:
    key_file.write_text("00" * 32)
    result = redbutton("run", "-p", str(port), "-k", str(key_file))
    assert result.returncode == WrongKey.exit_code
    assert "the controller holds link key" in one_line(result)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "does not exist"),
        ("", "64 hexadecimal digits"),
        ("zz" * 32, "64 hexadecimal"),
        ("00" * 31, "64 hexadecimal"),
        ("\u00fc", "key"),
    ],
)
def test_a_key_file_that_holds_no_key(
    board: RealTimeBoard, port: Path, tmp_path: Path, content: str | None, complaint: str
) -> None:
    file = tmp_path / "bad"
    if content is not None:
        file.write_text(content)
    result = redbutton("run", "-p", str(port), "-k", str(file))
    assert result.returncode == KeyUnreadable.exit_code
    assert complaint in one_line(result)


def test_firmware_of_another_protocol_version_is_an_error_and_a_stop(
    key: bytes, port: Path, key_file: Path, tmp_path: Path
) -> None:
    patch = tmp_path / "patch"
    patch.mkdir()
    text = (FIRMWARE / "wire.py").read_text()
    (patch / "wire.py").write_text(text.replace("\nVERSION = 1\n", "\nVERSION = 2\n"))
    with RealTimeBoard(key, port, firmware=(patch, FIRMWARE)) as board:
        result = redbutton("run", "-p", str(port), "-k", str(key_file))
        board.reset()
        assert not board.wait_load(True, 0.5)
    assert result.returncode == VersionMismatch.exit_code
    assert "speaks protocol version 2, this host version 1" in one_line(result)


def test_a_terminal_that_is_no_controller_is_no_contact() -> None:
    master, slave = pty.openpty()
    try:
        result = redbutton("status", "-p", os.ttyname(slave))
    finally:
        os.close(master)
        os.close(slave)
    assert result.returncode == NoContact.exit_code
    assert "not heard" in one_line(result)


@pytest.mark.requirement("SR-04")
def test_unplugged_in_the_middle_it_stops_says_so_and_takes_up_again(
    board: RealTimeBoard, port: Path, key_file: Path
) -> None:
    with running("run", "-p", str(port), "-k", str(key_file), "--json") as process:
        said: list[dict[str, Any]] = []
        assert process.stdout
        lines = process.stdout
        threading.Thread(
            target=lambda: said.extend(json.loads(line) for line in lines if line[-1:] == "\n"),
            daemon=True,
        ).start()
        time.sleep(0.5)
        to_run(board)
        board.cable.unplug()
        assert board.wait_load(False, 1.0)
        time.sleep(0.3)
        assert f"{port} was unplugged" in [entry.get("error") for entry in said]
        board.cable.plug()
        deadline = time.monotonic() + HEARD_AGAIN_S
        while said[-1].get("state") != "STOPPED":
            assert time.monotonic() < deadline, said[-1]
            time.sleep(0.02)
        assert process.poll() is None
        assert not board.load
        to_run(board)


def test_nothing_is_left_running_after_an_error(port: Path, key: bytes, key_file: Path) -> None:
    key_file.write_text("00" * 32)
    with RealTimeBoard(key, port) as board:
        pid = board.pid
        redbutton("run", "-p", str(port), "-k", str(key_file))
    assert not Path(f"/proc/{pid}").exists()
    mine = [
        entry
        for entry in Path("/proc").glob("[0-9]*/cmdline")
        if str(port).encode() in _read(entry)
    ]
    assert mine == []


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


# --- what it is for


@pytest.mark.requirement("SR-21")
def test_status_says_what_is_measured(owner: "subprocess.Popen[str]", port: Path) -> None:
    state = json.loads(redbutton("status", "-p", str(port), "--json").stdout)
    assert (state["state"], state["load"]) == ("STOPPED", "OFF")
    assert state["measured"]["mirror_1_closed"]
    assert (
        "STOPPED, load off, first cause: power up" in redbutton("status", "-p", str(port)).stdout
    )


def test_status_needs_no_owner(board: RealTimeBoard, port: Path) -> None:
    state = json.loads(redbutton("status", "-p", str(port), "--json").stdout)
    assert state["present"] == ["heartbeat lost"]


@pytest.mark.requirement("SR-06", "SR-21")
def test_stop_stops_through_the_owner_and_waits_for_the_proof(
    board: RealTimeBoard, owner: "subprocess.Popen[str]", port: Path
) -> None:
    to_run(board)
    result = redbutton("stop", "-p", str(port), "--reason", "test", "--json")
    assert result.returncode == 0, result.stderr
    assert not board.load
    assert json.loads(result.stdout)["state"]["load"] == "OFF"


@pytest.mark.requirement("SR-06")
def test_stop_stops_without_an_owner(board: RealTimeBoard, port: Path) -> None:
    result = redbutton("stop", "-p", str(port))
    assert result.returncode == 0, result.stderr
    assert "stopped: both mirror contacts closed" in result.stdout


@pytest.mark.requirement("SR-21")
def test_a_stop_that_is_not_measured_is_not_claimed(
    board: RealTimeBoard, owner: "subprocess.Popen[str]", port: Path
) -> None:
    to_run(board)
    board.act("stick:mirror_2", 0)  # its wire has come off
    result = redbutton("stop", "-p", str(port))
    assert result.returncode == 12
    assert "not proven" in one_line(result)
    assert not board.load


@pytest.mark.requirement("SR-04", "SR-20")
def test_run_killed_is_a_stop_and_a_new_run_is_not_a_start(
    board: RealTimeBoard, owner: "subprocess.Popen[str]", port: Path, key_file: Path
) -> None:
    to_run(board)
    owner.kill()
    assert board.wait_load(False, 1.0)
    with running("run", "-p", str(port), "-k", str(key_file)):
        assert not board.wait_load(True, 1.5)


@pytest.mark.requirement("SR-21")
def test_monitor_says_no_contact_within_a_second_of_the_owners_death(
    board: RealTimeBoard, owner: "subprocess.Popen[str]", port: Path
) -> None:
    with running("monitor", "-p", str(port), "--json") as monitor:
        assert monitor.stdout
        assert json.loads(monitor.stdout.readline())["state"] == "STOPPED"
        os.kill(owner.pid, signal.SIGSTOP)
        begin = time.monotonic()
        try:
            state = json.loads(monitor.stdout.readline())
        finally:
            os.kill(owner.pid, signal.SIGCONT)
        assert state["state"] == "UNKNOWN"
        assert time.monotonic() - begin < 1.0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_run_quietly(
    board: RealTimeBoard, port: Path, key_file: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "redbutton.cli", "run", "-p", str(port), "-k", str(key_file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while "STOPPED" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(number)
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    assert err == ""
    assert "ended: without a heartbeat the controller stops" in out


def test_the_virtual_board_is_pressed_from_its_standard_input(tmp_path: Path) -> None:
    link = tmp_path / "vb"
    result = redbutton(
        "virtual-board",
        "--port-link",
        str(link),
        "--json",
        input="press\nnonsense\nkey on\nstick relay_1 1\nfree relay_1\nquit\n",
    )
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert events[0]["port"] == str(link)
    assert any(e.get("signal") == "contact_a" and e["value"] == 0 for e in events)
    assert any("not a command" in e.get("error", "") for e in events)
    assert not link.exists()
    assert not Path(f"{link}.hands").exists()


def test_a_virtual_board_on_a_path_too_long_for_a_socket_has_no_hands(tmp_path: Path) -> None:
    link = tmp_path / ("x" * 100)
    result = redbutton("virtual-board", "--port-link", str(link), "--json", input="quit\n")
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert any("no hands at" in e.get("error", "") for e in events)
