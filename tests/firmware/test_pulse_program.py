"""K1's pulses: the program of firmware/pulse.py, cycle by cycle in emulators of the PIO (SR-14).

Times are cycles of the program at 128 kHz (7.8125 us); its divider is exact at 125 MHz. Limits are
written out here, not taken from the code under test.
"""

import itertools
import random
import types
from pathlib import Path

import pulse_bench
import pytest
import yaml
from pulse_bench import EMULATORS, Emulated

CIRCUIT = Path(__file__).parents[2] / "hardware" / "circuit.yaml"
HZ = 128_000
TICK = HZ // 1000  # the control loop feeds once a millisecond
PULSE = 16  # 8 kHz
LONG = 12 * TICK  # longer than anything that can be queued
FEED = 7  # the word that the firmware writes: eight pulses, counted from zero
WORDS = [0, FEED, 0xF, 0x10, 0xFFFFFFFF, 0xF0000000, 0x80000000]
WORDS += [1 << bit for bit in range(32)] + random.Random(14).choices(range(1 << 32), k=40)

pytestmark = pytest.mark.requirement("SR-14")


@pytest.fixture(params=EMULATORS)
def pulse(request: pytest.FixtureRequest) -> types.ModuleType:
    """firmware/pulse.py, whose state machines run in one of the emulators."""
    return pulse_bench.load(EMULATORS[request.param])


@pytest.fixture
def machine(pulse: types.ModuleType) -> Emulated:
    """A state machine with the program, switched on and not fed."""
    machine: Emulated = pulse.rp2.StateMachine(0, pulse.burst, freq=HZ)
    machine.active(1)
    machine.advance(10)
    return machine


@pytest.fixture
def channel(pulse: types.ModuleType) -> object:
    """The firmware's own pulse channel, off since power-up."""
    return pulse.PulseChannel(pulse_bench.GPIO)


@pytest.fixture
def behind(pulse: types.ModuleType, channel: object) -> Emulated:
    """The state machine behind `channel`."""
    machine: Emulated = pulse.made[0]
    return machine


def rises(machine: Emulated, since: int = 0) -> list[int]:
    return [cycle for cycle, level in machine.edges if level and cycle >= since]


def lasted(machine: Emulated, since: int) -> int:
    """Cycles from `since` to the last edge."""
    return machine.edges[-1][0] - since


def feed(channel: object, machine: Emulated, ticks: int) -> None:
    """The control loop runs for so many ticks."""
    for _ in range(ticks):
        channel.pulse()  # type: ignore[attr-defined]
        machine.advance(TICK)


def ms(cycles: float) -> float:
    return cycles * 1000 / HZ


# --- the program


def test_the_program_is_the_one_that_the_firmware_gives_to_its_state_machine(
    pulse: types.ModuleType, channel: object, behind: Emulated
):
    assert behind.program is pulse.burst
    assert behind.asked["number"] == 0  # type: ignore[attr-defined]
    assert behind.asked["freq"] == HZ  # type: ignore[attr-defined]
    assert pulse.Pin.call_args.args[0] == pulse_bench.GPIO
    assert pulse.Pin.call_args.kwargs == {"value": 0}


def test_it_fits_the_chip_and_never_reads_without_waiting(pulse: types.ModuleType):
    assert len(pulse.burst.opcodes) <= 32
    assert "pull block" in pulse.burst.text
    assert "noblock" not in pulse.burst.text
    assert not pulse.burst.settings["autopull"]
    assert not pulse.burst.settings["fifo_join"]  # a joined queue would be twice as deep


def test_without_a_word_the_pin_is_low_and_stays_low(machine: Emulated):
    machine.advance(LONG)
    assert machine.edges == []


def test_the_word_that_the_firmware_writes_is_a_burst_of_eight_pulses_in_one_millisecond(
    machine: Emulated,
):
    start = machine.now
    machine.put(FEED)
    machine.advance(LONG)
    assert len(rises(machine)) == 8
    assert machine.pin == 0
    assert ms(lasted(machine, start)) <= 1.0


@pytest.mark.parametrize("word", WORDS, ids=hex)
def test_no_word_lasts_longer_than_eight_pulses_in_a_millisecond(machine: Emulated, word: int):
    start = machine.now
    machine.put(word)
    machine.advance(LONG)
    assert 1 <= len(rises(machine)) <= 8
    assert machine.pin == 0
    assert ms(lasted(machine, start)) <= 1.0


def test_after_a_word_it_waits_for_the_next_with_the_pin_low(machine: Emulated):
    machine.put(FEED)
    machine.advance(LONG)
    before = len(machine.edges)
    machine.advance(LONG)
    assert len(machine.edges) == before
    machine.put(FEED)
    machine.advance(LONG)
    assert len(machine.edges) == 2 * before
    assert machine.pin == 0


def test_a_full_queue_of_the_firmwares_words_outlives_the_processor_by_five_milliseconds(
    machine: Emulated,
):
    machine.put(FEED)
    machine.advance(3)  # one is running
    start = machine.now
    for _ in range(machine.FIFO + 2):  # the queue takes no more than four
        machine.put(FEED)
    machine.advance(LONG)
    assert len(rises(machine)) == 5 * 8
    assert machine.pin == 0
    assert ms(lasted(machine, start)) <= 5.1


def test_a_full_queue_of_the_longest_words_outlives_the_processor_by_five_milliseconds(
    machine: Emulated,
):
    machine.put(0xFFFFFFFF)
    machine.advance(3)
    start = machine.now
    for _ in range(machine.FIFO + 2):
        machine.put(0xFFFFFFFF)
    machine.advance(LONG)
    assert len(rises(machine)) == 5 * 8
    assert machine.pin == 0
    assert ms(lasted(machine, start)) <= 5.1


def test_pulses_come_at_eight_kilohertz_half_of_the_time_high(machine: Emulated):
    machine.put(FEED)
    machine.advance(LONG)
    up = rises(machine)
    assert {after - before for before, after in itertools.pairwise(up)} == {PULSE}
    widths = {
        machine.edges[i + 1][0] - machine.edges[i][0] for i in range(0, len(machine.edges), 2)
    }
    assert widths == {PULSE // 2}


def test_between_two_words_the_pin_is_low_for_less_than_a_tenth_of_a_millisecond(
    machine: Emulated,
):
    machine.put(FEED)
    machine.put(FEED)
    machine.advance(LONG)
    falls = [cycle for cycle, level in machine.edges if not level]
    up = rises(machine)
    assert len(up) == 16
    assert max(ms(rise - fall) for fall, rise in zip(falls, up[1:], strict=False)) < 0.1


# --- instructions executed by hand


def test_the_constants_are_what_the_assembler_makes(pulse: types.ModuleType):
    assert pulse_bench.assemble("pull noblock side 0") == pulse.PULL
    assert pulse_bench.assemble("nop side 0") == pulse.PIN_LOW
    assert pulse_bench.assemble("nop side 1") == pulse.PIN_HIGH


def test_every_instruction_of_the_program_sets_the_pin(pulse: types.ModuleType):
    """The constants hold only then: else one bit more says whether an instruction sets it."""
    assert ".side_set 1\n" in pulse.burst.text


def test_a_low_pin_by_hand_ends_a_pulse_at_any_moment(pulse: types.ModuleType):
    for moment in range(3, 140):
        machine = pulse.rp2.StateMachine(0, pulse.burst)
        machine.active(1)
        machine.put(FEED)
        machine.put(FEED)
        machine.advance(moment)
        machine.active(0)
        machine.exec(pulse.PIN_LOW)
        assert machine.pin == 0
        machine.advance(LONG)
        assert machine.pin == 0
        assert machine.edges[-1][0] <= moment


def test_a_high_pin_by_hand_is_one_edge_and_then_a_level(
    machine: Emulated, pulse: types.ModuleType
):
    machine.active(0)
    machine.exec(pulse.PIN_HIGH)
    machine.advance(LONG)
    assert [level for _, level in machine.edges] == [1]


def test_four_pulls_by_hand_empty_the_queue(pulse: types.ModuleType):
    machine = pulse.rp2.StateMachine(0, pulse.burst)
    for _ in range(machine.FIFO):
        machine.put(0xFFFFFFFF)
    assert machine.tx_fifo() == 4
    for _ in range(4):
        machine.exec(pulse.PULL)
    assert machine.tx_fifo() == 0
    machine.exec(pulse.PULL)  # one more does not wait for a word
    assert machine.edges == []


# --- the channel, as the control loop uses it


def test_a_channel_that_was_never_fed_makes_no_edge(channel, behind: Emulated):
    behind.advance(LONG)
    channel.off()
    behind.advance(LONG)
    assert behind.edges == []


def test_fed_every_tick_the_pulses_have_no_gap(channel, behind: Emulated):
    feed(channel, behind, 200)
    up = rises(behind)
    assert max(after - before for before, after in itertools.pairwise(up)) <= PULSE + 2
    assert ms(200 * TICK - up[-1]) < 0.2
    assert len(up) == pytest.approx(1600, rel=0.03)


def test_a_tick_that_comes_a_millisecond_late_leaves_no_gap(channel, behind: Emulated):
    for _ in range(70):  # at every phase of a word against the tick
        feed(channel, behind, 3)
        behind.advance(TICK)
    up = rises(behind)
    assert max(after - before for before, after in itertools.pairwise(up)) <= PULSE + 2


def last_edge_after_the_last_feed(pulse: types.ModuleType) -> float:
    """The longest, in ms, over every phase of a word against the tick."""
    longest = 0.0
    for ticks in range(1, 70):
        channel = pulse.PulseChannel(pulse_bench.GPIO)
        machine = pulse.made[-1]
        feed(channel, machine, ticks)
        fed = machine.now - TICK
        machine.advance(LONG)
        assert machine.pin == 0
        longest = max(longest, ms(lasted(machine, fed)))
    return longest


def test_when_the_loop_hangs_the_pulses_end_within_three_milliseconds(pulse: types.ModuleType):
    assert last_edge_after_the_last_feed(pulse) <= 3.0


def test_the_circuit_is_proven_with_the_same_pulses(pulse: types.ModuleType):
    circuit = yaml.safe_load(CIRCUIT.read_text())["pulse"]
    assert circuit["frequency"] == HZ / PULSE
    queued = last_edge_after_the_last_feed(pulse) / 1000
    assert queued <= circuit["queue"] <= queued + 0.3e-3


def test_off_ends_the_pulses_at_once_at_any_moment(pulse: types.ModuleType):
    for moment in range(1, 140, 3):
        channel = pulse.PulseChannel(pulse_bench.GPIO)
        machine = pulse.made[-1]
        feed(channel, machine, 2)
        machine.advance(moment)
        channel.off()
        ended = machine.now
        assert machine.pin == 0
        machine.advance(LONG)
        assert machine.edges[-1][0] <= ended


def test_what_was_queued_before_off_is_never_emitted(channel, behind: Emulated):
    feed(channel, behind, 5)
    channel.off()
    ended = behind.now
    channel.starve()
    behind.advance(LONG)
    assert rises(behind, ended) == []


def test_a_channel_that_was_off_pulses_again_when_it_is_fed(channel, behind: Emulated):
    feed(channel, behind, 5)
    channel.off()
    behind.advance(LONG)
    again = behind.now
    feed(channel, behind, 10)
    assert rises(behind, again)[0] <= again + 3
    assert len(rises(behind, again)) == pytest.approx(80, abs=3)


def test_switched_on_and_starved_the_pin_stays_low(channel, behind: Emulated):
    for _ in range(30):
        channel.starve()
        behind.advance(TICK)
    assert behind.edges == []


def test_a_level_is_one_edge_however_often_it_is_asked_for(channel, behind: Emulated):
    for _ in range(30):
        channel.level()
        behind.advance(TICK)
    assert [level for _, level in behind.edges] == [1]
    channel.off()
    assert behind.pin == 0


def test_a_level_ends_the_pulses(channel, behind: Emulated):
    feed(channel, behind, 5)
    channel.level()
    before = len(behind.edges)
    behind.advance(LONG)
    assert len(behind.edges) == before
    assert behind.pin == 1


# --- the emulators


def test_both_emulators_see_the_same_edges() -> None:
    stories = []
    for emulator in EMULATORS.values():
        pulse = pulse_bench.load(emulator)
        channel = pulse.PulseChannel(pulse_bench.GPIO)
        machine = pulse.made[0]
        for word in (FEED, 0xFFFFFFFF, 0x12345678):
            feed(channel, machine, 7)
            machine.advance(word % 50)
            channel.off()
            machine.advance(TICK)
        stories.append(machine.edges)
    assert all(len(story) > 100 for story in stories)
    assert all(story == stories[0] for story in stories)
