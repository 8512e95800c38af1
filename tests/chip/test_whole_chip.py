"""The firmware's files in MicroPython's stock image on an emulated chip: run where RP2_UF2 is set.

Times are emulated: cycles of a processor at 200 MHz that never waits for its flash. The verdict
about stopping is the plant's, or the pins'.
"""

import random
from collections.abc import Callable, Iterator

import flash_image
import injected
import latency
import pytest
from chip_bench import Bench
from emulated_chip import Chip

from redbutton.firmware import pins, wire
from redbutton.model import State
from redbutton.session import Transition

pytestmark = pytest.mark.timeout(3600)

MakeChip = Callable[..., Chip]
EDGES = 1000
OFF_US = 100  # by the interrupt
PULSES_END_MS = 10  # SR-14: the circuit takes the rest of its 20 ms
RESET_MS = 500  # SR-15
KEY = bytes(range(32))
REPL_SIGNS = (b">>>", b"===", b"MicroPython", b"Traceback", b"KeyboardInterrupt", b"raw REPL")


@pytest.fixture
def bench(make_chip: MakeChip) -> Callable[..., Bench]:
    """Make a chip, its plant and its host."""

    def make(files: dict[str, bytes] | None = None) -> Bench:
        return Bench(make_chip(files), KEY)

    return make


def files() -> dict[str, bytes]:
    return flash_image.firmware(KEY)


# --- in operation


@pytest.mark.requirement("SR-01", "SR-09")
def test_powered_up_it_is_stopped_and_no_output_ever_moved(bench: Callable[..., Bench]):
    stopped = bench()
    edges: list[tuple[float, int]] = []
    for gpio in (pins.K1, pins.K2):
        stopped.chip.watch(gpio, lambda us, level: edges.append((us, level)))
    stopped.to_stopped()
    assert "power up" in stopped.host.state.causes
    assert stopped.host.session.identity is not None
    assert not any(level for _, level in edges)
    assert not stopped.plant.load


@pytest.mark.requirement("SR-07", "SR-13")
def test_the_reset_button_leads_through_the_test_to_run(bench: Callable[..., Bench]):
    running = bench().to_run()
    assert running.plant.load
    visited = [event.after for event in running.host.events if isinstance(event, Transition)]
    assert visited[-2:] == [State.TESTING, State.RUN]
    assert running.chip.resets == []


@pytest.mark.requirement("SR-18")
def test_it_runs_for_two_seconds_without_a_reset_or_a_stop(bench: Callable[..., Bench]):
    running = bench().to_run()
    refused = running.host.state.counters.heartbeats_refused
    running.run(2000)
    assert running.plant.load
    assert running.chip.resets == []
    assert running.host.state.counters.heartbeats_refused == refused


@pytest.mark.requirement("SR-02")
@pytest.mark.parametrize("contact", ["contact_a", "contact_b"])
def test_an_opened_contact_of_the_button_drops_both_outputs_in_run(
    bench: Callable[..., Bench], contact: str
):
    running = bench().to_run()
    opened = running.chip.us
    running.plant.act(f"stick:{contact}", 0)
    running.run(0.5)
    assert running.plant.when("k2_pin", 0, opened) - opened <= OFF_US
    running.run(20)
    assert not running.plant.load
    assert running.state == "STOPPED"
    running.plant.act(f"stick:{contact}", -1)
    running.run(200)
    assert running.state == "STOPPED"


@pytest.mark.requirement("SR-04")
def test_a_host_that_falls_silent_stops_it(bench: Callable[..., Bench]):
    running = bench().to_run()
    running.host.alive = False
    silent = running.chip.us
    running.run(150)
    assert not running.plant.load
    assert running.plant.when("load", 0, silent) - silent <= 125_000


# --- the interrupt


@pytest.mark.requirement("SR-02")
@pytest.mark.parametrize("load", injected.LOADS)
def test_a_thousand_edges_of_the_button_are_answered_by_the_interrupt_in_time(
    make_chip: MakeChip, load: str
):
    """At random moments, under each load. Flash writes do not last here as long as on a board."""
    chip = make_chip(injected.endless_run(files(), load))
    for gpio in (pins.CONTACT_A, pins.CONTACT_B):
        chip.drive(gpio, 1)
    assert chip.run_until(lambda: chip.level(pins.K2), 2000)
    watch = latency.Stopwatch(chip)
    if load == "frame flood":
        frame = wire.encode(wire.HEARTBEAT, 1, bytes(wire.NONCE_SIZE + wire.TAG_SIZE))
        watch.also = lambda: chip.write(frame * 20) if chip.unsent < 500 else None
    edges = watch.measure(EDGES)
    assert chip.resets == []
    assert latency.worst(edges) <= OFF_US


# --- the processor hangs


def pulses_after(chip: Chip) -> list[float]:
    """Filled with the times of K1's edges from now on."""
    edges: list[float] = []
    chip.watch(pins.K1, lambda us, level: edges.append(us))
    return edges


def ask_for_the_fault(running: Bench) -> float:
    """Wake the fault; when it began."""
    began: list[float] = []
    running.chip.watch(
        injected.MARK, lambda us, level: began.append(us) if level and not began else None
    )
    running.chip.drive(injected.ASK, 1)
    assert running.chip.run_until(lambda: began, 100, 0.1), "the fault did not happen"
    return began[0]


def assert_it_stops_and_starts_again(running: Bench, edges: list[float], began: float) -> None:
    """Pulses end in time, the load goes off, the chip resets in time, and boots to STOPPED."""
    assert running.chip.run_until(lambda: running.chip.resets, RESET_MS + 100)
    running.chip.drive(injected.ASK, 0)
    assert max(edges, default=began) - began <= PULSES_END_MS * 1000
    assert running.chip.resets[0].us - began <= RESET_MS * 1000
    running.run(25)
    assert running.plant.when("load", 0, began) - began <= 20_000
    running.to_stopped()
    assert "watchdog reset" in running.host.state.causes
    assert not running.plant.load


@pytest.mark.requirement("SR-14", "SR-15", "SR-09")
@pytest.mark.parametrize("place", injected.PLACES, ids=".".join)
def test_a_loop_that_hangs_anywhere_in_a_tick(
    bench: Callable[..., Bench], place: tuple[str, str, str]
):
    running = bench(injected.fault(files(), place, injected.LOOP)).to_run()
    edges = pulses_after(running.chip)
    began = ask_for_the_fault(running)
    assert_it_stops_and_starts_again(running, edges, began)


@pytest.mark.requirement("SR-14", "SR-15")
def test_a_loop_that_hangs_with_interrupts_off(bench: Callable[..., Bench]):
    place = injected.PLACES[0]
    running = bench(injected.fault(files(), place, injected.LOOP_WITHOUT_INTERRUPTS)).to_run()
    edges = pulses_after(running.chip)
    began = ask_for_the_fault(running)
    assert_it_stops_and_starts_again(running, edges, began)


@pytest.mark.requirement("SR-14", "SR-15")
def test_a_frame_handler_that_hangs(bench: Callable[..., Bench]):
    place = injected.FRAME_HANDLER
    running = bench(injected.fault(files(), place, injected.LOOP_WITHOUT_INTERRUPTS)).to_run()
    edges = pulses_after(running.chip)
    began = ask_for_the_fault(running)
    assert_it_stops_and_starts_again(running, edges, began)


@pytest.mark.requirement("SR-14", "SR-15")
def test_an_interrupt_that_hangs(bench: Callable[..., Bench]):
    changed = injected.fault(files(), injected.INTERRUPT, injected.LOOP, arguments="self, pin")
    running = bench(changed).to_run()
    edges = pulses_after(running.chip)
    running.plant.act("button", 1)
    running.run(1)
    running.plant.act("button", 0)
    running.run(100)
    running.press_reset()
    running.run(700)
    assert running.state == "RUN"  # the fault slept
    running.chip.drive(injected.ASK, 1)
    pressed = running.chip.us
    running.plant.act("button", 1)
    assert_it_stops_and_starts_again(running, [us for us in edges if us > pressed], pressed)


@pytest.mark.requirement("SR-15", "SR-19")
@pytest.mark.parametrize("place", injected.PLACES[:6], ids=".".join)
def test_an_exception_in_the_loop(bench: Callable[..., Bench], place: tuple[str, str, str]):
    running = bench(injected.fault(files(), place, injected.RAISE)).to_run()
    edges = pulses_after(running.chip)
    began = ask_for_the_fault(running)
    assert_it_stops_and_starts_again(running, edges, began)
    assert not any(sign in running.host.heard for sign in REPL_SIGNS)


@pytest.mark.requirement("SR-02")
def test_an_interrupt_handler_that_raises_is_noticed_by_the_loop(bench: Callable[..., Bench]):
    changed = injected.fault(files(), injected.INTERRUPT, injected.RAISE, arguments="self, pin")
    running = bench(changed).to_run()
    running.chip.drive(injected.ASK, 1)
    running.plant.act("stick:contact_a", 0)
    running.run(30)
    assert not running.plant.load
    running.plant.act("stick:contact_a", -1)
    running.run(100)
    running.press_reset()
    running.run(700)
    assert running.state in ("STOPPED", "LOCKOUT")
    assert not running.plant.load


@pytest.mark.requirement("SR-14")
def test_pulses_that_are_no_longer_fed_end_and_drop_the_load(bench: Callable[..., Bench]):
    changed = injected.fault(files(), injected.FEEDING, "return None")
    running = bench(changed).to_run()
    edges = pulses_after(running.chip)
    began = ask_for_the_fault(running)
    running.run(30)
    assert max(edges, default=began) - began <= PULSES_END_MS * 1000
    assert running.plant.when("load", 0, began) - began <= 20_000


# --- the serial port

WAYS_IN = {
    "interrupt": b"\x03",
    "raw mode": b"\x03\x03\x01import os\x04",
    "raw paste": b"\x01\x05A\x01",
    "friendly mode": b"\x02\r\n",
    "soft reset": b"\x03\x04\x04",
    "paste mode": b"\x05print(1)\x04",
    "words": b"\r\nimport machine; machine.bootloader()\r\n",
    "everything": bytes(range(32)) * 2,
}


def assert_only_frames(heard: bytes) -> None:
    """Every whole line that was heard is empty or a frame of ours, and there are some."""
    lines = [line for line in heard.split(b"\n")[1:-1] if line]
    assert len(lines) > 3
    assert not [line for line in lines if wire.decode(line) is None]
    assert not [sign for sign in REPL_SIGNS if sign in heard]


@pytest.mark.requirement("SR-19")
@pytest.mark.parametrize("way", WAYS_IN)
def test_no_way_into_the_interpreter_is_open_in_run(bench: Callable[..., Bench], way: str):
    running = bench().to_run()
    running.host.heard.clear()
    for _ in range(10):
        running.chip.write(WAYS_IN[way])
        running.run(10)
    running.run(100)
    assert running.chip.resets == []
    assert_only_frames(bytes(running.host.heard))
    assert running.host.state.state is not State.UNKNOWN


@pytest.fixture
def flooded(bench: Callable[..., Bench]) -> Iterator[Bench]:
    """A flood of Ctrl-C, from the first moment of the chip's life on."""
    booting = bench()
    booting.host.alive = False
    booting.chip.every(
        1000, lambda: booting.chip.write(b"\x03" * 64) if booting.chip.unsent < 400 else None
    )
    yield booting


@pytest.mark.requirement("SR-18", "SR-19")
def test_a_flood_of_ctrl_c_during_boot_opens_no_interpreter(flooded: Bench):
    flooded.run(1500)
    assert flooded.chip.resets == []
    assert_only_frames(bytes(flooded.host.heard))


@pytest.mark.requirement("SR-18")
def test_a_flood_of_ctrl_c_in_run_leaves_the_button_its_time(bench: Callable[..., Bench]):
    running = bench().to_run()
    noise = random.Random(3)
    running.chip.every(
        1000,
        lambda: (
            running.chip.write(b"\x03" * noise.randrange(64))
            if running.chip.unsent < 400
            else None
        ),
    )
    running.run(100)
    assert running.chip.resets == []
    if running.plant.load:
        opened = running.chip.us
        running.plant.act("button", 1)
        running.run(20)
        assert running.plant.when("k2_pin", 0, opened) - opened <= OFF_US
    assert not running.plant.load or running.state == "RUN"


# --- memory


@pytest.mark.requirement("SR-22")
def test_a_lockout_is_in_flash_and_survives_the_power(
    bench: Callable[..., Bench], make_chip: MakeChip
):
    running = bench().to_run()
    running.plant.act("stick:contact_a", 0)  # contact B stays closed: they disagree
    running.run(300)
    assert running.state == "LOCKOUT"
    kept = running.chip.filesystem
    again = Bench(make_chip(), KEY)
    again.chip.filesystem = kept
    assert again.chip.run_until(lambda: again.state != "UNKNOWN", 2000, 5)
    assert again.state == "LOCKOUT"
