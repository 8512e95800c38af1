"""The one way in which the bench says how long most stops took."""

import math
from collections.abc import Sequence


def quantile(ordered: Sequence[float], q: float) -> float:
    """The nearest rank: the smallest value that at least the share `q` does not exceed."""
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]
