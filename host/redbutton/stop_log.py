"""Who asked for a stop: for people and the record. Every request stops; not every one is told.

A client that asks a thousand times a second is not to fill the record with it. Of each user the
first requests of a second are told one by one, and the others of that second as one, with their
number.
"""

from dataclasses import dataclass, replace

from redbutton.local import Peer
from redbutton.plain import plain

PERIOD_S = 1.0
ONE_BY_ONE = 5  # of a user in a period


@dataclass(frozen=True)
class StopRequested:
    """Somebody on this host asked for a stop. `category`: IEC 60204-1. `peer`: who, by the
    kernel's word; None: the program that owns the port.

    `times`: so many requests, of which this was the last. `sent`: there was a link to send it on.
    """

    category: int
    reason: str
    peer: Peer | None = None
    times: int = 1
    sent: bool = True

    def sentence(self) -> str:
        """One line for a person."""
        who = f" by user {self.peer.uid} (process {self.peer.pid})" if self.peer else ""
        often = f", {self.times} times" if self.times > 1 else ""
        lost = "" if self.sent else "; NOT SENT, there is no link to the controller"
        return (
            f"stop requested{who}{often}, category {self.category}: "
            f"{plain(self.reason) or 'no reason given'}{lost}"
        )


@dataclass
class _Second:
    """What a user asked in the second that began at `since`."""

    since: float
    told: int = 0
    more: StopRequested | None = None


class StopLog:
    """Pure: requests and time in, what is to be told out."""

    def __init__(self) -> None:
        self._users: dict[int | None, _Second] = {}

    def take(self, request: StopRequested, now: float) -> list[StopRequested]:
        """The request, if it is to be told now; else it is in what `due` gives later."""
        user = request.peer.uid if request.peer else None
        second = self._users.setdefault(user, _Second(now))
        if second.told < ONE_BY_ONE:
            second.told += 1
            return [request]
        before = second.more.times if second.more else 0
        second.more = replace(request, times=before + request.times)
        return []

    def due(self, now: float) -> list[StopRequested]:
        """What was kept back in seconds that are over."""
        over = [user for user, one in self._users.items() if now - one.since >= PERIOD_S]
        seconds = [self._users.pop(user) for user in over]
        return [one.more for one in seconds if one.more is not None]
