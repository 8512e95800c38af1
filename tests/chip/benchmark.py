"""What the firmware costs on the chip, in emulated microseconds.

usage: RP2_UF2=IMAGE python tests/chip/benchmark.py

Cycles of an emulated chip at 200 MHz whose flash never makes it wait: a real one is slower. The
time that the measuring itself takes at least is subtracted.
"""

import os
import sys
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import flash_image
import injected
import latency
from chip_bench import Bench
from emulated_chip import Chip

from redbutton.firmware import pins

KEY = bytes(range(32))
RUN_MS = 2000
EDGES = 1000


class Marks:
    """Times for which a pin was high: (from, to) in microseconds."""

    def __init__(self, chip: Chip, gpio: int) -> None:
        self.spans: list[tuple[float, float]] = []
        self._since: float | None = None
        chip.watch(gpio, self._changed)

    def _changed(self, us: float, level: int) -> None:
        if level:
            self._since = us
        elif self._since is not None:
            self.spans.append((self._since, us))
            self._since = None


def costs(uf2: Path) -> list[tuple[str, list[float]]]:
    """The time of each step and tick in RUN: (what, microseconds)."""
    chip = Chip(uf2, flash_image.build(injected.timed(flash_image.firmware(KEY))))
    empty, tick, step, answer = (
        Marks(chip, gpio)
        for gpio in (injected.EMPTY_MARK, injected.MARK, injected.STEP_MARK, injected.ASK)
    )
    bench = Bench(chip, KEY).to_run()
    start = chip.us
    fed: list[float] = []
    chip.watch(pins.WATCHDOG, lambda us, level: fed.append(us) if level else None)
    bench.run(RUN_MS)
    assert bench.plant.load
    marking = min(end - begin for begin, end in empty.spans)
    ticks: dict[bool, list[float]] = {False: [], True: []}
    for begin, end in tick.spans:
        if begin >= start:
            answers = sum(begin <= at < end for at, _ in answer.spans)
            ticks[answers > 0].append(end - begin - marking * (2 + answers))
    return [
        ("marking; least subtracted", [end - begin for begin, end in empty.spans]),
        ("step", [end - begin - marking for begin, end in step.spans if begin >= start]),
        ("tick", ticks[False]),
        ("tick with a heartbeat", ticks[True]),
        ("between feeds, marking too", [end - begin for begin, end in pairwise(fed)]),
    ]


def latencies(uf2: Path) -> Iterator[tuple[str, list[float]]]:
    """From the button's edge to both outputs off, under each load."""
    for load in injected.LOADS:
        files = injected.endless_run(flash_image.firmware(KEY), load)
        chip = Chip(uf2, flash_image.build(files))
        for gpio in (pins.CONTACT_A, pins.CONTACT_B):
            chip.drive(gpio, 1)
        assert chip.run_until(lambda chip=chip: chip.level(pins.K2), 2000)
        edges = latency.Stopwatch(chip).measure(EDGES)
        yield f"edge to off: {load}", [max(edge.k1, edge.k2) for edge in edges]


def row(what: str, times: list[float]) -> str:
    """One line: how many, p50, p99, max."""
    ordered = sorted(times)
    p50, p99 = (ordered[min(int(q * len(ordered)), len(ordered) - 1)] for q in (0.5, 0.99))
    return f"{what:<28} {len(ordered):>6} {p50:>8.1f} {p99:>8.1f} {ordered[-1]:>8.1f}"


def main() -> None:
    named = os.environ.get("RP2_UF2")
    if not named:
        sys.exit("not run: RP2_UF2 names no MicroPython image")
    print("emulated microseconds, not a board's")
    print(f"{'':<28} {'times':>6} {'p50':>8} {'p99':>8} {'max':>8}")
    for what, times in chain(costs(Path(named)), latencies(Path(named))):
        print(row(what, times), flush=True)


if __name__ == "__main__":
    main()
