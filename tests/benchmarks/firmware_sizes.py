"""How big the firmware is, as source, as bytecode and in heap.

usage: python tests/benchmarks/firmware_sizes.py

Heap is measured in the Unix port of MicroPython, whose words are twice as wide as the chip's: what
takes 190 KB there, the heap of the chip's stock build, takes nearly 380 KB here.
"""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "firmware")]

import sizes  # noqa: E402


def main() -> None:
    print(f"{'file':<16} {'source':>8} {'bytecode':>9} {'heap to compile':>16}")
    found = [sizes.measure(file) for file in sizes.files()]
    for size in found:
        print(f"{size.name:<16} {size.source:>8} {size.bytecode:>9} {size.compiling:>13} KB")
    source = sum(size.source for size in found)
    code = sum(size.bytecode for size in found)
    most = max(size.compiling for size in found)
    print(f"{'all':<16} {source:>8} {code:>9} {most:>13} KB at most")
    least = sizes.least_of_all(sizes.runs, 512)
    print(f"virtual board to RUN, its plant and stand-ins inside: from {least} KB on")


if __name__ == "__main__":
    main()
