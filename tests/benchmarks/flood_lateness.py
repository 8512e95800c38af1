"""How late the controller's ticks are in real time, with and without a flood on the link.

usage: python tests/benchmarks/flood_lateness.py [SECONDS]

The firmware runs in its interpreter on this computer, so the lateness is that of this computer's
scheduler and load and says nothing about the chip; the two columns are of one run and compare.
"""

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import serial

sys.path.insert(0, str(Path(__file__).parents[1]))

from flood import endless

from redbutton.virtual.board import RealTimeBoard


@dataclass(frozen=True)
class Run:
    """One run: statistics of the virtual board, bytes sent to it, seconds."""

    stats: dict[str, Any]
    sent: int
    seconds: float


def measure(folder: Path, seconds: float) -> tuple[Run, Run]:
    """The same board for `seconds` without and for `seconds` with a flood."""
    with RealTimeBoard(bytes(32), folder / "port") as board:
        time.sleep(0.3)
        port = serial.Serial(str(folder / "port"), timeout=0, write_timeout=0.05)
        runs = []
        for pieces in (None, endless(3)):
            board.stats()
            sent = 0
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                port.read(65536)
                if pieces is None:
                    time.sleep(0.005)
                    continue
                try:
                    sent += port.write(b"".join(next(pieces) for _ in range(8))) or 0
                except serial.SerialTimeoutException:
                    continue  # the cable is full: as much as it carries
            runs.append(Run(board.stats(), sent, seconds))
        port.close()
    return runs[0], runs[1]


def _quantile(stats: dict[str, Any], q: float) -> str:
    """From the histogram: the upper edge of the class that holds the quantile."""
    late = stats["lateness_us"]
    left = q * sum(late["counts"])
    for edge, count in zip([*late["steps"], late["max"]], late["counts"], strict=True):
        left -= count
        if left <= 0:
            return f"<= {edge} us"
    return f"{late['max']} us"


def table(quiet: Run, flooded: Run) -> str:
    """Both runs side by side."""
    rows = [("", "quiet", "flooded")]
    rows.append(
        (
            "sleeps measured",
            *(str(sum(r.stats["lateness_us"]["counts"])) for r in (quiet, flooded)),
        )
    )
    rows.append(("control ticks", *(str(r.stats["ticks"]) for r in (quiet, flooded))))
    rows.append(("bytes sent", *(str(r.sent) for r in (quiet, flooded))))
    for name, q in (("late p50", 0.5), ("late p99", 0.99)):
        rows.append((name, _quantile(quiet.stats, q), _quantile(flooded.stats, q)))
    rows.append(("late max", *(f"{r.stats['lateness_us']['max']} us" for r in (quiet, flooded))))
    rows.append(("heap in use", *(str(r.stats["heap_used"]) for r in (quiet, flooded))))
    rows.append(("most in a tick", *(str(r.stats["most_in_a_tick"]) for r in (quiet, flooded))))
    return "\n".join(f"{a:<16} {b:<42} {c}" for a, b, c in rows)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(f"{os.cpu_count()} processors; times of this computer, not of the chip")
        print(table(*measure(Path(name), float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)))
