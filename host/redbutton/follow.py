"""The measured state as the owner of the port tells it, for what runs beside the owner all day.

Never opens the port itself: without an owner there is no contact. Joins the next owner when one is
gone.
"""

import contextlib
import time

from pydantic import ValidationError

from redbutton.errors import PortMissing, RedbuttonError
from redbutton.link import DEFAULT_PORT, find_port
from redbutton.local import Client, StopRequest, socket_path
from redbutton.model import SafetyState, State

STALE_S = 0.5
RETRY_S = 0.2


class Follow:
    """A client of the owner of a port. All times are of time.monotonic()."""

    def __init__(self, port: str | None = None) -> None:
        """`port`: of the controller; None to look for it. It need not be there yet."""
        self.port = port or _found()
        self._client: Client | None = None
        self._state = SafetyState()
        self._told = 0.0  # when the state came
        self._retry = float("-inf")

    def fileno(self) -> int:
        """For select: readable when `turn` has something to do; -1 if nobody is there."""
        return -1 if self._client is None else self._client.fileno()

    def turn(self) -> None:
        """Take what the owner has told, without waiting; look for one if there is none."""
        now = time.monotonic()
        if self._client is None:
            if now >= self._retry:
                self._join(now)
            return
        try:
            states = self._client.take()
        except ValidationError:
            self._lose("the owner of the port speaks another version")
            return
        if states:
            self._state, self._told = states[-1], now
        if self._client.gone:
            self._lose("the owner of the port is gone")

    def state(self) -> SafetyState:
        """As measured, as old as it is now; UNKNOWN if that is more than 0.5 s."""
        age_ms = self._state.age_ms
        if not self._state.heard or age_ms is None:
            return self._state
        age_ms += (time.monotonic() - self._told) * 1000
        if age_ms > STALE_S * 1000:
            return SafetyState(problem="what the owner of the port told is too old")
        return self._state.model_copy(update={"age_ms": age_ms})

    def stop(self, request: StopRequest) -> bool:
        """Ask for a stop now; False if there is nobody to ask (SR-06)."""
        for _ in range(2):  # the owner may just have been replaced
            if self._client is None:
                self._join(time.monotonic())
            if self._client is None:
                return False
            try:
                self._client.stop(request)
                return True
            except RedbuttonError:
                self._lose("the owner of the port is gone")
        return False

    def stopped_since(self, begin: float) -> bool:
        """Measured stopped, by a request or locked out, and that measured after `begin`."""
        state = self.state()
        if not state.stopped or state.age_ms is None:
            return False
        asked = "stop requested" in state.causes or state.state is State.LOCKOUT
        return asked and state.age_ms / 1000 < time.monotonic() - begin

    def close(self) -> None:
        """Leave."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _join(self, now: float) -> None:
        self._retry = now + RETRY_S
        try:
            self._client = Client(socket_path(self.port))
        except OSError:
            self._state = SafetyState(problem="nobody owns the port: is `redbutton run` running?")
        except RedbuttonError as error:
            self._state = SafetyState(problem=str(error))

    def _lose(self, problem: str) -> None:
        self.close()
        self._state = SafetyState(problem=problem)
        self._retry = time.monotonic()


def _found() -> str:
    """The port that its owner would find; the usual one while it is unplugged."""
    with contextlib.suppress(PortMissing):
        return find_port()
    return DEFAULT_PORT
