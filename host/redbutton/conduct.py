"""Unusual conduct: more of what is refused than a profile allows is a stop with that cause.

Pure: no clock of its own. Each kind of offence has a bound, so many in any 60 s. What is beyond
one is said until `clear`, which is for a reset: then counting begins anew.
"""

from collections import deque
from enum import Enum
from typing import Annotated

from pydantic import Field

from redbutton.document import Part

WINDOW_S = 60.0
BOUND_MOST = 100_000


class Offence(str, Enum):
    """What is counted.

    refused: commands, goals and plans that the rules or the profile forbid; not those that came
    at a wrong time, as when the robot stands. held: plans that wait for a person. malformed:
    requests that are none. strangers: publishers on guarded topics. frames: heartbeats that the
    controller refused, and lines that were no frame, as it counted them.
    """

    REFUSED = "refused"
    HELD = "held"
    MALFORMED = "malformed"
    STRANGERS = "strangers"
    FRAMES = "frames"


SAID = {
    Offence.REFUSED: "refused requests",
    Offence.HELD: "requests held for a person",
    Offence.MALFORMED: "malformed requests",
    Offence.STRANGERS: "strangers on guarded topics",
    Offence.FRAMES: "frames rejected by the controller",
}

Bound = Annotated[int, Field(strict=True, ge=0, le=BOUND_MOST)] | None


class ConductBounds(Part):
    """At most so many in any minute; null: not bounded."""

    refused: Bound = None
    held: Bound = None
    malformed: Bound = None
    strangers: Bound = None
    frames: Bound = None


class ConductWatch:
    """Counts. `exceeded`: which bound was passed, in words, until `clear`; else ""."""

    def __init__(self, bounds: ConductBounds | None = None) -> None:
        self._bounds = dict(bounds or ConductBounds())
        self._seen: dict[Offence, deque[float]] = {}
        self.exceeded = ""
        self.clear()

    def clear(self) -> None:
        """After a reset."""
        self.exceeded = ""
        for offence in Offence:
            bound = self._bounds[offence.value]
            # The times of the last ones: so many that the oldest in the window is one too many.
            if bound is not None:
                self._seen[offence] = deque(maxlen=bound + 1)

    def count(self, offence: Offence, now: float, times: int = 1) -> None:
        """`times` of them, now (seconds, any monotonic clock)."""
        seen = self._seen.get(offence)
        if seen is None or times <= 0:
            return
        assert seen.maxlen is not None
        seen.extend([now] * min(times, seen.maxlen))
        if not self.exceeded and len(seen) == seen.maxlen and now - seen[0] <= WINDOW_S:
            self.exceeded = (
                f"unusual conduct: more than {seen.maxlen - 1} {SAID[offence]} in a minute"
            )

    def counts(self, now: float) -> dict[str, str]:
        """Of all that is bounded, what was seen in the last minute: `3 of 60`, for people."""
        counted = {
            offence.value: sum(now - at <= WINDOW_S for at in seen)
            for offence, seen in self._seen.items()
        }
        return {name: f"{count} of {self._bounds[name]}" for name, count in counted.items()}
