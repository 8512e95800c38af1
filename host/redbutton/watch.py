"""Watching the state and asking for a stop, whoever owns the port."""

import contextlib
import time
from collections.abc import Callable, Iterator

from redbutton.errors import NoContact, RedbuttonError
from redbutton.journal import JournalAnswer
from redbutton.link import find_port
from redbutton.local import Client, StopRequest, socket_path
from redbutton.model import SafetyState
from redbutton.owner import Owner

TURN_S = 0.02
JOURNAL_RETRY_S = 0.1
JOURNAL_TIMEOUT_S = 2.0


class Watch:
    """Through the owner's socket where there is an owner, else on the port itself.

    On the port itself no heartbeat is sent: to watch is not to vouch for anything.
    """

    def __init__(self, port: str | None) -> None:
        """Raises what opening the port raises, if nobody owns it."""
        self.port = port or find_port()
        self._owner: Owner | None = None
        self._client: Client | None = None
        try:
            self._client = Client(socket_path(self.port))
        except OSError:
            self._owner = Owner(self.port, key=None)

    @property
    def gone(self) -> bool:
        """Whether there was an owner, and is none any more."""
        return self._client is not None and self._client.gone

    def rejoin(self) -> None:
        """Join the owner that has come in place of the one that is gone, if there is one.

        The port itself is left to it: whoever watches must not be in its way.
        """
        with contextlib.suppress(OSError, RedbuttonError):
            client = Client(socket_path(self.port))
            self.close()
            self._client = client

    def filenos(self) -> list[int]:
        """For select: readable when `take` has something to do."""
        if self._owner is not None:
            return self._owner.filenos()
        return [] if self._client is None or self._client.gone else [self._client.fileno()]

    def take(self) -> list[SafetyState]:
        """The states told meanwhile, without waiting; UNKNOWN as soon as nothing is heard."""
        if self._owner is not None:
            self._owner.turn(alive=False)
            return [self._owner.state()]
        return [] if self._client is None or self._client.gone else self._client.take()

    def states(self) -> Iterator[SafetyState]:
        """The present state, over and over, UNKNOWN as soon as nothing is heard."""
        if self._client is not None:
            yield from self._client.states()
        while self._owner is not None:
            self._owner.wait(TURN_S)
            yield from self.take()

    def stop(self, request: StopRequest) -> bool:
        """Ask for a stop; whether that could be sent. What came of it is in later states."""
        if self._client is not None:
            self._client.stop(request)
            return True
        return self._owner is not None and self._owner.stop(request.category, request.reason)

    def journal(self, sequence: int) -> JournalAnswer:
        """Ask the controller for an entry of its journal; NoContact if it does not answer."""
        if self._client is not None:
            return self._client.journal(sequence, JOURNAL_TIMEOUT_S)
        assert self._owner is not None
        deadline = time.monotonic() + JOURNAL_TIMEOUT_S
        asked = float("-inf")
        while time.monotonic() < deadline:
            if time.monotonic() - asked >= JOURNAL_RETRY_S:
                self._owner.ask_journal(sequence)
                asked = time.monotonic()
            self._owner.wait(TURN_S)
            for event in self._owner.turn(alive=False):
                if isinstance(event, JournalAnswer) and event.asked == sequence:
                    return event
        problem = self._owner.state().problem
        raise NoContact(problem or "the controller does not answer for its journal")

    def until(
        self, wanted: Callable[[SafetyState], bool], timeout: float
    ) -> tuple[bool, SafetyState]:
        """Whether a state came to be as wanted in time, and the last state seen."""
        deadline = time.monotonic() + timeout
        state = SafetyState()
        for state in self.states():
            if wanted(state):
                return True, state
            if time.monotonic() > deadline:
                break
        return False, state

    def close(self) -> None:
        """Leave the owner, or the port."""
        if self._client is not None:
            self._client.close()
        if self._owner is not None:
            self._owner.close()
