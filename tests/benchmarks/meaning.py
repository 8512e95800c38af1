"""How much of other people's harmful instructions the check of meaning holds: a figure, no test.

    python tests/benchmarks/meaning.py FILE     # JSON: {"rows": [{"text": ..., "label": 1 or 0}]}

Label 1 is harmful; rows without a label do not count. Intervals are Wilson's (1927), 95 %. Do not
tune to what this prints.
"""

import json
import math
import sys
import time
from pathlib import Path

import numpy as np

from redbutton.checks.meaning import Meaning
from redbutton.checks.verdict import ALLOWED

Z = 1.96  # standard deviations that 95 % lie within


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Between which shares the true one lies."""
    share, shrink = hits / of, Z * Z / of
    middle = (share + shrink / 2) / (1 + shrink)
    half = Z / (1 + shrink) * math.sqrt(share * (1 - share) / of + shrink / (4 * of))
    return middle - half, middle + half


def main(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))["rows"]
    rows = [row for row in content if row["label"] in (0, 1)]
    check = Meaning()
    held: dict[int, list[bool]] = {0: [], 1: []}
    took = []
    for row in rows:
        start = time.perf_counter()
        held[row["label"]].append(check.judge(row["text"]) != ALLOWED)
        took.append(1e3 * (time.perf_counter() - start))
    for label, what in ((1, "harmful texts held"), (0, "harmless texts held")):
        hits, of = sum(held[label]), len(held[label])
        low, high = wilson(hits, of)
        print(f"{what:20} {hits:4} of {of:4} = {hits / of:.1%} ({low:.1%} to {high:.1%})")
    print("ms a text, p50 and p99: {:.1f} {:.1f}".format(*np.percentile(took, [50, 99])))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
