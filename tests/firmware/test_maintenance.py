"""Operation is closed and maintenance is dead: what boot.py and main.py make of it."""

import ast
import hashlib
from pathlib import Path

import pytest
from flashes import patched_firmware

from redbutton.firmware import attest, pins
from redbutton.model import State
from redbutton.virtual.board import FIRMWARE
from redbutton.virtual.chain import Chain

PROMPTS = (b">>> ", b"raw REPL", b"MicroPython", b"soft reboot", b"Traceback")
FILES = sorted(file.name for file in FIRMWARE.glob("*.py"))


def prompts(chain: Chain) -> list[bytes]:
    """What was sent that only MicroPython's prompt sends."""
    return [text for text in PROMPTS if text in chain.sent_by_board]


def constants(file: str) -> dict[str, object]:
    """The constants that a file of the firmware sets at its top level."""
    return {
        str(ast.unparse(node.targets[0])): ast.literal_eval(node.value)
        for node in ast.parse((FIRMWARE / file).read_text()).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.Tuple)
    }


def test_boot_needs_no_other_file_and_its_numbers_are_those_of_the_pin_map() -> None:
    boot = constants("boot.py")
    assert boot["OUTPUTS"] == (pins.K1, pins.K2, pins.WATCHDOG)
    assert boot["KEY"] == pins.KEY
    assert boot["MAIN"] == hashlib.sha256((FIRMWARE / "main.py").read_bytes()).hexdigest().encode()


def test_what_is_not_measured_is_what_the_controller_writes() -> None:
    journal = constants("journal.py")
    own = [constants("settings.py")["FILE"], constants("board.py")["LOCKOUT_FILE"]]
    entries = [f"{journal['FOLDER']}/{i}" for i in range(journal["SEGMENTS"])]  # type: ignore[call-overload]
    assert [*own, *entries] == attest.DATA


# --- maintenance


@pytest.mark.requirement("SR-16")
def test_in_maintenance_nothing_is_energised_and_no_reset_acts(key: bytes) -> None:
    with Chain(key, before={"key": 1}) as chain:
        chain.step(200)
        chain.press_reset()
        chain.press_reset()
        driven = {change.signal for change in chain.board.changes if change.value}
        assert not driven & {"load", "k1_pulses", "k1_level", "k2_pin", "coil_1", "coil_2"}
        assert not chain.state.heard
        assert prompts(chain)


@pytest.mark.requirement("SR-16", "SR-19")
def test_turning_the_key_while_running_stops_and_opens_nothing(key: bytes) -> None:
    with Chain(key) as chain:
        chain.run()
        chain.board.act("key", 1)
        chain.step(20)
        assert not chain.board.load
        for attack in (b"\x03", b"\r\x03\x03\r\x01", b"\x04"):
            chain.board.write(attack)
            chain.step(50)
        assert chain.state.first_cause == "key switch"
        assert not prompts(chain)
        assert not chain.board.resets


@pytest.mark.requirement("SR-16", "SR-19")
def test_a_power_cycle_with_the_key_in_maintenance_opens_and_turning_it_back_closes(
    key: bytes,
) -> None:
    with Chain(key) as chain:
        chain.step(100)
        chain.board.act("key", 1)
        chain.board.power_cycle()
        chain.step(200)
        assert prompts(chain)
        chain.sent_by_board.clear()
        chain.board.act("key", 0)
        chain.step(200)
        chain.board.write(b"\r\x03\x03\r\x01\x04")
        chain.step(100)
        assert chain.board.resets == ["power up", "reset"]
        assert chain.state.state is State.STOPPED
        assert not prompts(chain)


@pytest.mark.requirement("SR-16", "SR-19")
@pytest.mark.parametrize("soft_resets", [1, 2])
def test_turning_the_key_back_closes_after_a_soft_reset_too(key: bytes, soft_resets: int) -> None:
    with Chain(key, before={"key": 1}) as chain:
        chain.step(50)
        for _ in range(soft_resets):
            chain.board.write(b"\r\x01\x04")
            chain.step(60)
        chain.board.act("key", 0)
        chain.step(200)
        assert chain.board.resets == ["reset"]
        assert chain.state.heard


@pytest.mark.requirement("SR-16")
@pytest.mark.parametrize(
    ("again", "locked_out"),
    [
        pytest.param("power", False, id="a power cycle ends a lockout"),
        pytest.param("reset", True, id="a chip reset does not"),
    ],
)
def test_in_maintenance_a_lockout_is_ended_by_a_power_cycle_only(
    key: bytes, tmp_path: Path, again: str, locked_out: bool
) -> None:
    with Chain(key, flash=tmp_path, before={"key": 1}) as chain:
        chain.step(50)
        (tmp_path / "lockout").write_text("64")
        if again == "power":
            chain.board.power_cycle()
        else:
            chain.board.write(b"\r\x01import machine; machine.reset()\x04")
        chain.step(200)
        assert (tmp_path / "lockout").exists() == locked_out


@pytest.mark.requirement("SR-19")
@pytest.mark.parametrize("open_at_ms", [2, 10, 19])
def test_a_key_that_is_not_steadily_closed_at_boot_is_in_operation(
    key: bytes, open_at_ms: int
) -> None:
    with Chain(key, before={"key": 1}) as chain:
        chain.board.act("key", 0, open_at_ms * 1000 - 500)
        chain.board.act("key", 1, open_at_ms * 1000 + 700)
        chain.step(200)
        assert not prompts(chain)
        assert chain.state.heard


# --- files that are missing or damaged


def damage(flash: Path, name: str, how: str) -> None:
    file = flash / name
    whole = file.read_bytes()
    if how == "missing":
        file.unlink()
    elif how == "empty":
        file.write_bytes(b"")
    elif how == "cut":
        file.write_bytes(whole[: len(whole) // 2] + b"\n(")
    else:
        file.write_bytes(b"\xff\x00\x03" * 99)


@pytest.mark.requirement("SR-19", "SR-09")
@pytest.mark.parametrize("how", ["missing", "empty", "cut", "garbage"])
@pytest.mark.parametrize("name", [name for name in FILES if name != "boot.py"])
def test_a_damaged_file_leaves_the_board_off_and_closed_until_maintenance(
    key: bytes, tmp_path: Path, name: str, how: str
) -> None:
    with Chain(key, flash=tmp_path) as chain:
        chain.step(5)
        damage(tmp_path, name, how)
        chain.board.power_cycle()
        chain.sent_by_board.clear()
        chain.step(50)
        chain.board.write(b"\x03" * 50 + b"\r\x01\x04")
        chain.press_reset()
        if not (name == "maintenance.py" or (name == "indicate.py" and how == "empty")):
            assert chain.board.resets.count("reset") > 5
        assert not prompts(chain)
        assert not chain.energised_since(0)
        chain.board.act("key", 1)
        chain.board.power_cycle()
        chain.step(200)
        assert prompts(chain), "it could not be mended"
        assert not chain.energised_since(0)


# --- exceptions: all of them end in a reset of the chip, relays off

PLACES = {
    "tick": ("controller.py", "        before = self.decide.state\n        requests"),
    "frame handler": ("link.py", "        version, kind, sequence, payload = frame\n"),
    "decision": ("decide.py", "        row = TABLE.get(self.state)\n"),
    "inputs": ("board.py", "        openings_a = self._openings_a\n"),
    "sending": ("board.py", "        line = self._lines[0]\n"),
}


@pytest.mark.requirement("SR-19", "SR-09")
@pytest.mark.parametrize(
    "error", ["RuntimeError", "MemoryError", "KeyboardInterrupt", "SystemExit", "OSError(5)"]
)
@pytest.mark.parametrize("place", PLACES)
def test_an_exception_anywhere_resets_the_chip_with_the_relays_off(
    key: bytes, tmp_path: Path, place: str, error: str
) -> None:
    name, line = PLACES[place]
    indent = " " * (len(line) - len(line.lstrip()))
    raising = (
        f"{indent}import time as clock\n{indent}if 1100 < clock.ticks_ms() < 1200:\n"
        f"{indent}    raise {error}\n"
    )
    firmware = patched_firmware(tmp_path, name, line, raising + line)
    with Chain(key, firmware=firmware) as chain:
        chain.run()
        running_us = chain.board.now_us
        assert running_us < 1_100_000
        chain.step(300)
        assert chain.board.resets[0] == "reset"
        assert not chain.board.load
        assert chain.board.last("k2_pin", 0).at_us <= 1_122_000  # a frame comes every 20 ms
        assert not prompts(chain)
        chain.step(200)
        assert not chain.energised_since(running_us)
        assert chain.state.first_cause == "watchdog reset"


@pytest.mark.requirement("SR-19", "SR-02")
def test_an_exception_in_an_interrupt_locks_out(key: bytes, tmp_path: Path) -> None:
    """MicroPython removes a handler that raises; the loop sees that it is gone."""
    line = "        self._openings_a = (self._openings_a + 1) & 0xFFFF\n"
    firmware = patched_firmware(tmp_path, "board.py", line, "        raise MemoryError\n")
    with Chain(key, firmware=firmware) as chain:
        chain.run()
        chain.board.act("button", 1)
        chain.step(20)
        assert not chain.board.load
        assert chain.state.state is State.LOCKOUT
        assert not prompts(chain)
