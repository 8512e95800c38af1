"""The one process that owns the port: link, session and local socket, turned by one loop.

`redbutton run` and the ROS 2 gate are both thin shells around this. The loop that turns it is the
loop whose life the heartbeat proves (SR-20), so nothing here starts a thread.
"""

import secrets
import select
import time

from redbutton import attestation
from redbutton.attestation import Expected
from redbutton.errors import LinkLost, PortMissing, RedbuttonError
from redbutton.journal import JournalAnswer
from redbutton.link import SerialLink, find_port
from redbutton.local import Server, socket_path
from redbutton.model import SafetyState
from redbutton.record.diary import Diary
from redbutton.session import Event, Fault, Session

RETRY_S = 0.2
JOURNAL_RETRY_S = 0.1


class Owner:
    """Owns a controller's port, survives its unplugging, and answers its challenges."""

    def __init__(
        self,
        port: str | None,
        key: bytes | None,
        expected: Expected | None = None,
        record: Diary | None = None,
    ) -> None:
        """Open the port now, so that a port that cannot be opened is an error at once.

        `port`: its path, or None to look for it. `key`: the link key, or None to only watch.
        `expected`: what the controller must attest before anything is vouched for; None: this
        package's firmware. `record`: where all of it is recorded; it is not closed here.
        """
        self.record = record or Diary()
        self.port = port or find_port()
        self.session = Session(
            key,
            first_sequence=secrets.randbelow(65536),
            expected=expected or attestation.expected(),
        )
        self._link: SerialLink | None = SerialLink(self.port)
        try:
            self._server = Server(socket_path(self.port))
        except RedbuttonError:
            self._link.close()
            raise
        self._problem: str | None = None
        self._retry = 0.0
        self._journal_retry = 0.0
        self._write(self.session.opened(time.monotonic()))

    def turn(self, alive: bool = True) -> list[Event]:
        """Do all that can be done now, without waiting; what happened since the last turn.

        `alive`: the caller vouches for everything that a heartbeat proves, now.
        """
        now = time.monotonic()
        events: list[Event] = []
        if self._link is None and now >= self._retry:
            self._reopen(now, events)
        if self._link is not None:
            try:
                events += self.session.receive(self._link.read(), now)
            except LinkLost as error:
                self._lose(error, events)
        if answer := self.session.answer(now, alive):
            self._write(answer)
        for request in self._server.turn(self.state(), now):
            self.stop(request.category)
            self.record.stop_request(now, **request.model_dump())
        for event in events:
            if isinstance(event, JournalAnswer):
                self._server.tell_journal(event)
                self._journal_retry = now
        asked = self._server.journal_asked
        if asked is not None and now >= self._journal_retry:
            self._journal_retry = now + JOURNAL_RETRY_S
            self.ask_journal(asked)
        self.record.turn(self, events, now)
        return events

    def filenos(self) -> list[int]:
        """For select: readable when something has come in."""
        handles = self._server.filenos()
        if self._link is not None:
            handles.append(self._link.fileno())
        return handles

    def wait(self, timeout: float) -> None:
        """Sleep until something comes in, at most `timeout` seconds."""
        select.select(self.filenos(), [], [], timeout)

    def stop(self, category: int = 0) -> bool:
        """Request a stop now; False if there is no link to send it on (SR-06)."""
        return self._write(self.session.stop(time.monotonic(), category))

    def ask_journal(self, sequence: int) -> None:
        """Ask for an entry of the controller's journal; a JournalAnswer comes of `turn`."""
        self._write(self.session.ask_journal(sequence, time.monotonic()))

    def ask_witness(self, digest: bytes) -> None:
        """Ask the controller to sign as a witness; a Witnessed comes of `turn`."""
        self._write(self.session.ask_witness(digest, time.monotonic()))

    def standstill(self) -> None:
        """Report standstill during a delayed stop (SR-05)."""
        self._write(self.session.standstill(time.monotonic()))

    def state(self) -> SafetyState:
        """The measured state, or UNKNOWN with the reason."""
        state = self.session.state(time.monotonic())
        if state.problem is None and self._problem is not None:
            state = SafetyState(problem=self._problem)
        if self.record.fails:
            return state.model_copy(update={"record_fails": True})
        return state

    def close(self) -> None:
        """Give everything up; the controller stops for want of a heartbeat."""
        self._server.close()
        if self._link is not None:
            self._link.close()

    def _write(self, data: bytes) -> bool:
        if self._link is None:
            return False
        try:
            self._link.write(data)
        except LinkLost as error:
            self._lose(error, [])
            return False
        return True

    def _lose(self, error: RedbuttonError, events: list[Event]) -> None:
        if self._link is not None:
            self._link.close()
        self._link = None
        self._problem = str(error)
        self._retry = time.monotonic() + RETRY_S
        events.append(Fault(error))

    def _reopen(self, now: float, events: list[Event]) -> None:
        try:
            self._link = SerialLink(self.port)
        except PortMissing:
            self._retry = now + RETRY_S
        except RedbuttonError as error:
            self._problem = str(error)
            self._retry = now + RETRY_S
        else:
            self._problem = None
            self._write(self.session.opened(now))
