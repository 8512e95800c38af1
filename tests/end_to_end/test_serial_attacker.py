"""A serial attacker with the whole port: every documented way to MicroPython's prompt (SR-19).

In operation the controller takes none of them: the load stays as it was, no prompt appears, and no
file changes. That each of them would work is shown on firmware that lacks the line against it.
"""

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from flashes import patched_firmware
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from redbutton.model import State
from redbutton.virtual.board import FIRMWARE, RealTimeBoard
from redbutton.virtual.chain import Chain

PROMPTS = (b">>> ", b"raw REPL", b"MicroPython", b"soft reboot", b"Traceback", b"=== ")

# name: bytes. Sources: reference/repl and the sources of mpremote and pyboard.py.
ATTACKS = {
    "interrupt": b"\x03",
    "interrupt twice, as mpremote does": b"\r\x03\x03",
    "interrupts, a flood": b"\x03" * 2000,
    "raw REPL": b"\r\x01",
    "raw REPL after an interrupt": b"\r\x03\x03\r\x01",
    "friendly REPL": b"\r\x02",
    "soft reset": b"\x04",
    "soft reset, a flood": b"\x04" * 2000,
    "paste mode": b"\x05import machine\r\nmachine.bootloader()\r\n\x04",
    "raw paste": b"\x05A\x01" + b"import machine; machine.bootloader()\x04",
    "a command in the raw REPL": b"\r\x03\x01import os\nos.remove('main.py')\x04",
    "a command in the friendly REPL": b"\r\n\r\nimport os; os.remove('main.py')\r\n",
    "a file, as ampy writes it": b"\r\x03\x03\x01f=open('main.py','wb')\nf.close()\x04",
    "boot loader by command": b"\x03import machine\r\nmachine.bootloader()\r\n",
    "mount, as mpremote does": b"\r\x03\x01import os\nos.mount(RemoteFS(),'/remote')\x04",
    "everything mixed": bytes(range(32)) * 64,
    "escape sequences": b"\x1b[A\r\x1b[A\r\x1bOM",
    "a break and nothing": b"\x00" * 500,
    "a NUL and an interrupt in a line": b"AAAA\x00\x03\x04\x01\n",
}


def files(flash: Path) -> dict[str, str]:
    """Every file on the flash but the journal's, which the controller writes."""
    return {
        str(file.relative_to(flash)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in flash.rglob("*")
        if file.is_file() and file.parent.name != "entries"
    }


def assert_closed(chain: Chain, before: dict[str, str]) -> None:
    """No prompt was seen, nothing restarted, no file is another."""
    assert not [text for text in PROMPTS if text in chain.sent_by_board]
    assert not chain.board.resets
    assert files(chain.board.flash) == before


@pytest.fixture
def running(key: bytes) -> Iterator[Chain]:
    """A chain in RUN, load on."""
    with Chain(key) as chain:
        yield chain.run()


@pytest.mark.requirement("SR-19")
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_bytes_open_a_prompt_while_running(running: Chain, attack: str) -> None:
    before = files(running.board.flash)
    on_us = running.board.last("load", 1).at_us
    running.board.write(ATTACKS[attack])
    running.step(200)
    assert_closed(running, before)
    assert running.board.load or len(ATTACKS[attack]) > 1000, "a flood may crowd out heartbeats"
    assert not running.energised_since(on_us + 1)


@pytest.mark.requirement("SR-19")
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_bytes_open_a_prompt_while_stopped_or_starting(key: bytes, attack: str) -> None:
    """Before the firmware's first line the bytes lie there already, and come in every tick."""
    with Chain(key) as chain:
        chain.alive = chain.connected = False
        before = files(chain.board.flash)
        chain.board.write(ATTACKS[attack])
        for _ in range(20):
            chain.board.write(ATTACKS[attack])
            chain.step(5)
        chain.connected = True
        chain.step(8000)  # what is queued is worked off
        assert_closed(chain, before)
        assert chain.state.state is State.STOPPED
        assert not chain.energised_since(0)


@pytest.mark.requirement("SR-19")
def test_all_of_them_one_after_the_other_and_a_stop_is_still_a_stop(running: Chain) -> None:
    before = files(running.board.flash)
    for attack in ATTACKS.values():
        running.board.write(attack)
        running.board.touch()
        running.step(50)
    assert_closed(running, before)
    running.board.act("button", 1)
    running.step(20)
    assert not running.board.load


@pytest.mark.requirement("SR-19")
@pytest.mark.parametrize("state", ["RUN", "STOPPED", "LOCKOUT"])
def test_a_line_speed_of_1200_baud_starts_no_boot_loader(key: bytes, state: str) -> None:
    with Chain(key) as chain:
        chain.step(100)
        if state != "STOPPED":
            chain.run()
        if state == "LOCKOUT":
            chain.board.act("stick:contact_a", 0)
            chain.step(300)
        before = files(chain.board.flash)
        for _ in range(10):
            chain.board.touch()
            chain.step(50)
        assert_closed(chain, before)
        assert chain.state.state.value == state
        assert chain.board.load == (state == "RUN")


# --- what these attacks do where the line against them is missing


def test_without_its_first_line_an_interrupt_ends_the_firmware(key: bytes, tmp_path: Path) -> None:
    firmware = patched_firmware(tmp_path, "main.py", "micropython.kbd_intr(-1)", "pass")
    with Chain(key, firmware=firmware) as chain:
        chain.run()
        chain.board.write(ATTACKS["interrupt"])
        chain.step(20)
        assert chain.board.resets == ["reset"]
        assert not chain.board.load


def test_outside_of_a_scheduled_call_1200_baud_starts_the_boot_loader(
    key: bytes, tmp_path: Path
) -> None:
    firmware = patched_firmware(
        tmp_path, "main.py", "micropython.schedule(operate, None)", "operate(None)"
    )
    with Chain(key, firmware=firmware) as chain:
        chain.run()
        chain.board.touch()
        chain.step(20)
        assert chain.board.resets == ["boot loader"]
        assert not chain.board.load


def test_without_the_reset_at_its_end_what_is_raised_opens_the_prompt(
    key: bytes, tmp_path: Path
) -> None:
    text = (FIRMWARE / "main.py").read_text()
    end = text[
        text.index("    try:\n        import controller") : text.index("import maintenance")
    ]
    firmware = patched_firmware(tmp_path, "main.py", end, "    raise OSError\n\n\noperate(None)\n")
    with Chain(key, firmware=firmware) as chain:
        chain.step(10)
        assert b">>> " in chain.sent_by_board


# --- the real port, and the real tools


@pytest.fixture
def board(key: bytes, tmp_path: Path) -> Iterator[RealTimeBoard]:
    """A board in operation, in real time."""
    with RealTimeBoard(key, tmp_path / "port") as board:
        time.sleep(0.3)
        yield board


@pytest.mark.requirement("SR-19")
@pytest.mark.parametrize("speed", [1200, 300, 115200])
def test_no_line_setting_opens_it(board: RealTimeBoard, tmp_path: Path, speed: int) -> None:
    before = files(board.flash)
    for _ in range(3):
        with serial.Serial(str(tmp_path / "port"), speed, exclusive=True) as port:
            port.send_break(0.01)
            port.write(b"\x03\x03\r\x01")
            time.sleep(0.05)
            heard = port.read(port.in_waiting)
        assert heard and not [text for text in PROMPTS if text in heard]
        time.sleep(0.3)
    assert not board.resets
    assert files(board.flash) == before


@pytest.mark.requirement("SR-19")
def test_the_models_port_takes_1200_baud_for_what_it_is(key: bytes, tmp_path: Path) -> None:
    """In maintenance MicroPython itself listens: there it does start the boot loader."""
    with RealTimeBoard(key, tmp_path / "port", before={"key": 1}) as board:
        time.sleep(0.3)
        serial.Serial(str(tmp_path / "port"), 1200).close()
        time.sleep(0.5)
        assert board.resets == ["boot loader"]


@pytest.mark.requirement("SR-19")
@pytest.mark.parametrize("soft_reset", [True, False])
def test_the_library_of_mpremote_gets_no_prompt(
    board: RealTimeBoard, tmp_path: Path, soft_reset: bool
) -> None:
    transport = SerialTransport(str(tmp_path / "port"), timeout=1)
    try:
        with pytest.raises(TransportError, match="could not enter raw repl"):
            transport.enter_raw_repl(soft_reset=soft_reset, timeout_overall=1)
    finally:
        transport.close()
    assert not board.resets


@pytest.mark.requirement("SR-19")
def test_mpremote_itself_gets_no_file_and_no_prompt(board: RealTimeBoard, tmp_path: Path) -> None:
    before = files(board.flash)
    result = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", str(tmp_path / "port"), "fs", "ls"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode != 0
    assert "could not enter raw repl" in result.stdout + result.stderr
    assert not board.resets
    assert files(board.flash) == before
