"""Whether the controller's clock runs at the rate of the host's, seen from the host alone.

Every limit of the controller is counted by its one clock: at half its rate a lost heartbeat stops
the robot after twice its timeout, at twice its rate a press of 75 ms resets. No program on the
chip can notice that. The host can: every status frame tells the controller's uptime, and was made
after the host had sent the frame that it echoes, and before the host had read it. So how much time
went by on the host between any two of them has a least and a most, and however late frames are
sent or read, only that range widens: nothing but a wrong rate takes the uptime out of it.

`RATE`: a crystal in order is 50 ppm off, a bad one some hundred; from a few percent on, the limits
of `decide` no longer hold. What is beyond it adds up, over the two moments between which it is the
most (Page's cumulative sum, Biometrika 41, 1954), and `SLACK_S` of that is a wrong clock: twice
the rate after 0.1 s, half of it after 0.3 s, 10 % after 2 s. Where one of the clocks leaps (a host
that was stopped or suspended, a clock that was set, frames that were lost, flash that was
written), what went by before says nothing, and counting begins anew.
"""

RATE = 0.05
SLACK_S = 0.1
LEAP_S = 0.1
# What the virtual board in real time says that it is. A busy computer makes its clock stand still
# and catch up, which is no fault of anything.
UNSTEADY_BOARD = b"VIRTUAL1".hex()
UPTIME = 0x3FFFFFFF  # ms; then the controller's uptime begins at 0 again (firmware/link.py)


class ClockRate:
    """Watches one life of the controller. `wrong`: None, or in words what is."""

    def __init__(self) -> None:
        self.wrong: str | None = None
        self._now: float | None = None
        self._heard: tuple[int, float] | None = None  # in this turn, the last of all
        self._begin()

    def _begin(self) -> None:
        self._uptime: int | None = None  # the newest, as it was told
        self._counted = 0.0  # by the controller since the beginning, s
        self._least_fast = self._least_slow = float("inf")

    @property
    def waits(self) -> bool:
        """Whether the next turn has something to compare."""
        return self._heard is not None

    def turn(self, now: float) -> None:
        """The host is about to read its port, at `now` in s of its monotonic clock.

        What it read in the turn before was made before `now`, however long that turn took.
        """
        leapt = self._now is not None and not 0 <= now - self._now <= LEAP_S
        self._now = now
        heard, self._heard = self._heard, None
        if leapt:
            self._begin()
        elif heard is not None and heard[1] <= now:
            self._take(*heard, now)

    def take(self, uptime: int, after: float) -> None:
        """A status frame says this uptime (ms), and was made after `after` (s)."""
        self._heard = uptime, after

    def _take(self, uptime: int, after: float, before: float) -> None:
        if self._uptime is not None:
            went_by = (uptime - self._uptime & UPTIME) / 1000
            if went_by > LEAP_S:
                self._begin()
            self._counted += went_by
        self._uptime = uptime
        fast = self._counted - (1 + RATE) * before
        slow = (1 - RATE) * after - self._counted
        if fast - self._least_fast > SLACK_S:
            self.wrong = _words("faster")
        elif slow - self._least_slow > SLACK_S:
            self.wrong = _words("slower")
        self._least_fast = min(self._least_fast, self._counted - (1 + RATE) * after)
        self._least_slow = min(self._least_slow, (1 - RATE) * before - self._counted)


def _words(how: str) -> str:
    return (
        f"the controller's clock runs more than {RATE * 100:.0f} % {how} than this host's: if the "
        "controller's is wrong, so is every limit that it keeps"
    )
