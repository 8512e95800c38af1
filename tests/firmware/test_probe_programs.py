"""The probe's two PIO programs, cycle by cycle in an emulator of the PIO. No silicon has run them.

Times are cycles of each program: the recorder's at 8 MHz, that of K1's pulses at 500 kHz.
"""

import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pioemu
import pulse_bench
import pytest

from redbutton.firmware import decide
from redbutton.firmware.probe import harness

RECORDER = Path(decide.__file__).parent / "probe" / "recorder.py"
SAMPLE = 8
OUT, RAW = harness.K1_PULSES, harness.K1
MASK = 0xFFFFFFFF


@pytest.fixture(scope="module")
def recorder() -> types.ModuleType:
    """firmware/probe/recorder.py, whose programs become text and opcodes."""
    rp2 = types.ModuleType("rp2")
    rp2.PIO = types.SimpleNamespace(OUT_LOW=2, SHIFT_LEFT=0, JOIN_RX=2)  # type: ignore
    rp2.asm_pio = lambda **settings: (  # type: ignore[attr-defined]
        lambda function: pulse_bench.record(function, **{**pulse_bench.DEFAULTS, **settings})
    )
    machine = types.ModuleType("machine")
    machine.Pin = mock.Mock()  # type: ignore[attr-defined]
    spec = importlib.util.spec_from_file_location("recorder_on_the_bench", RECORDER)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    stands = {"rp2": rp2, "machine": machine, "harness": harness}
    with mock.patch.dict(sys.modules, stands):
        spec.loader.exec_module(module)
    return module


def emulated(
    program: pulse_bench.Program, levels: Callable[[int], int], cycles: int, **arguments: Any
) -> Iterator[pioemu.State]:
    """The state after each instruction, with these levels of the GPIOs at each cycle."""

    def source(clock: int) -> int:
        return levels(clock)

    for _, after in pioemu.emulate(
        program.opcodes,
        stop_when=lambda _, state: state.clock > cycles,
        initial_state=pioemu.State(pin_directions=1 << OUT),
        input_source=source,
        shift_isr_right=bool(program.settings["in_shiftdir"]),
        wrap_target=program.wrap_target,
        wrap_top=program.wrap,
        **arguments,
    ):
        yield after


def recorded(
    module: types.ModuleType, levels: Callable[[int], int], cycles: int
) -> list[tuple[int, int]]:
    """(us, levels) of what the recorder puts into its queue, which DMA empties."""
    words: list[int] = []
    program = module.record
    state = None
    for state in emulated(program, levels, cycles):
        while state.receive_fifo:
            words.append(state.receive_fifo.popleft())
    assert state is not None
    return [(MASK - count, level) for level, count in zip(words[::2], words[1::2], strict=True)]


def test_both_programs_fit_one_pio_and_sample_every_sense(recorder: types.ModuleType) -> None:
    assert len(recorder.record.opcodes) + len(recorder.pulses.opcodes) <= 32
    assert f"in pins, {harness.SENSED}" in recorder.record.text
    assert recorder.CLOCK_HZ * 256 % recorder.SAMPLE_HZ == 0  # the divider is exact
    assert recorder.CLOCK_HZ * 256 % recorder.PULSES_HZ == 0
    assert recorder.SAMPLE_HZ == SAMPLE * 1_000_000


def test_what_is_there_at_first_is_recorded_at_zero(recorder: types.ModuleType) -> None:
    assert recorded(recorder, lambda clock: 0xC00, 400) == [(0, 0xC00)]
    assert recorded(recorder, lambda clock: 0, 400) == [(0, 0)]


def test_each_change_is_recorded_with_its_time_in_microseconds(
    recorder: types.ModuleType,
) -> None:
    changes = {0: 0x001, 80: 0x003, 240: 0x083, 4000: 0x000}

    def levels(clock: int) -> int:
        return next(level for at, level in sorted(changes.items(), reverse=True) if clock >= at)

    found = recorded(recorder, levels, 6000)
    assert [level for _, level in found] == list(changes.values())
    for (us, _), cycle in zip(found, changes, strict=True):
        assert 0 <= us - cycle / SAMPLE <= 2


def test_the_time_base_does_not_drift_with_the_number_of_changes(
    recorder: types.ModuleType,
) -> None:
    """Each change costs exactly one more sample: after 50 of them the count is still right."""
    period = 10 * SAMPLE
    found = recorded(recorder, lambda clock: clock // period & 1, 50 * period)
    assert len(found) >= 49
    for index, (us, _) in enumerate(found[1:], 1):
        assert 0 <= us - index * period / SAMPLE <= 2


def test_pins_that_are_no_senses_are_not_recorded(recorder: types.ModuleType) -> None:
    assert recorded(recorder, lambda clock: (clock // 64 & 1) << RAW, 4000) == [(0, 0)]


def envelope(module: types.ModuleType, raw: Callable[[int], int], cycles: int) -> list[int]:
    """The cycles at which the level made of K1's pin changes. It is low at first.

    The emulator reads WAIT PIN and IN PINS from GPIO0 on: K1's pin stands there and at its place.
    """
    edges: list[int] = []
    level = 0
    for state in emulated(
        module.pulses,
        lambda clock: raw(clock) | raw(clock) << RAW,
        cycles,
        jmp_pin=RAW,
        side_set_base=OUT,
        side_set_count=1,
    ):
        if (state.pin_values >> OUT & 1) != level:
            level ^= 1
            edges.append(state.clock)
    return edges


HALF = 500_000 // 16_000  # cycles of half a pulse at 8 kHz


def test_pulses_are_a_level_while_they_last(recorder: types.ModuleType) -> None:
    end = 100 * HALF
    rise, fall = envelope(
        recorder, lambda clock: clock // HALF & 1 if clock < end else 0, end + 400
    )
    assert HALF <= rise <= HALF + 4
    assert 0 < fall - end <= 64 + 4  # 128 us after the last edge


@pytest.mark.parametrize("level", [0, 1])
def test_a_level_is_no_pulses(recorder: types.ModuleType, level: int) -> None:
    """A pin that is stuck, high or low, reads as no pulses."""
    edges = envelope(recorder, lambda clock: level if clock > 100 else 0, 2000)
    assert len(edges) == 2 * level
    assert not edges or edges[1] - edges[0] <= 64 + 4
