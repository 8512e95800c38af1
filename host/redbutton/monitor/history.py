"""What was measured, and when: the present state, and the last half minute of it."""

import math
from collections import deque
from itertools import pairwise
from typing import NamedTuple

from redbutton.model import SafetyState

STALE_S = 0.5
KEPT_S = 30.0
KEPT_MAX = 4000  # of a contact that flutters


class Sample(NamedTuple):
    """What was told at `at` (seconds of any monotonic clock), until the next sample."""

    at: float
    state: SafetyState


class History:
    """States as they come. Nothing that was told is believed for longer than STALE_S."""

    def __init__(self, began: float) -> None:
        self._newest = Sample(began, SafetyState(problem="the controller was not heard yet"))
        self._changes = deque([self._newest], KEPT_MAX)
        self.heard_at = began

    def take(self, at: float, state: SafetyState) -> None:
        """A state is told now."""
        if at > self._believed_until:
            self._changes.append(Sample(self._believed_until, SafetyState()))
        self._newest = Sample(at, state)
        if state.heard:
            self.heard_at = at
        if _drawn(state) != _drawn(self._changes[-1].state):
            self._changes.append(self._newest)
        while len(self._changes) > 1 and self._changes[1].at < at - KEPT_S:
            self._changes.popleft()

    def present(self, now: float) -> SafetyState:
        """The newest state with its age, or UNKNOWN if there is none that is fresh (SR-21)."""
        state = self._newest.state
        if not state.heard:
            return state
        if now > self._believed_until:
            return SafetyState(problem="nothing was told for too long")
        if state.age_ms is None:
            return state
        return state.model_copy(update={"age_ms": state.age_ms + (now - self._newest.at) * 1000})

    def bins(self, now: float, columns: int) -> list[list[SafetyState]]:
        """The last KEPT_S in so many equal parts: what was so in each, oldest first."""
        width = KEPT_S / columns
        last = math.floor(now / width)
        first = last - columns + 1
        bins: list[list[SafetyState]] = [[] for _ in range(columns)]
        samples = list(self._changes)
        if now > self._believed_until:
            samples.append(Sample(self._believed_until, SafetyState()))
        for (begin, state), (end, _) in pairwise([*samples, Sample(now, SafetyState())]):
            for i in range(max(first, math.floor(begin / width)), math.floor(end / width) + 1):
                bins[i - first].append(state)
        return bins

    @property
    def _believed_until(self) -> float:
        return self._newest.at + STALE_S


def _drawn(state: SafetyState) -> tuple[object, ...]:
    return state.state, state.load, state.measured
