"""The one process that owns the port: link, session and local socket, turned by one loop.

`redbutton run` and the ROS 2 gate are both thin shells around this. The loop that turns it is the
loop whose life the heartbeat proves (SR-20), so nothing here starts a thread.
"""

import secrets
import select
import time
from collections.abc import Sequence
from dataclasses import dataclass

from redbutton import attestation
from redbutton.attestation import Expected
from redbutton.conduct import ConductWatch, Offence
from redbutton.errors import LinkLost, PortMissing, RedbuttonError
from redbutton.journal import JournalAnswer
from redbutton.link import SerialLink, find_port
from redbutton.local import REASON_MAX, Peer, StopRequest, socket_path
from redbutton.local_server import Server
from redbutton.model import Counters, SafetyState
from redbutton.plain import plain
from redbutton.planner_unit import PlannerActed, PlannerUnit
from redbutton.record.diary import Diary
from redbutton.session import Event, Fault, Rebooted, Session
from redbutton.stop_log import StopLog, StopRequested

RETRY_S = 0.2
JOURNAL_RETRY_S = 0.1
REST_S = 0.001, 0.01  # least and most, after a turn in which clients were served
COUNTER = 0xFFFF


@dataclass(frozen=True)
class ConductExceeded:
    """A bound of the profile was passed, and a stop asked for with these words."""

    words: str


Happening = Event | StopRequested | PlannerActed | ConductExceeded


class Owner:
    """Owns a controller's port, survives its unplugging, and answers its challenges."""

    def __init__(
        self,
        port: str | None,
        key: bytes | None,
        expected: Expected | None = None,
        *,
        planner: PlannerUnit | None = None,
        conduct: ConductWatch | None = None,
        notices: Sequence[str] = (),
        record: Diary | None = None,
    ) -> None:
        """Open the port now, so that a port that cannot be opened is an error at once.

        `port`: its path, or None to look for it. `key`: the link key, or None to only watch.
        `expected`: what the controller must attest before anything is vouched for; None: this
        package's firmware. `planner`: whose processes a stop freezes or kills. `conduct`: what
        counts as unusual; whoever sees more of it counts there too. `notices`: to be said in
        every state. `record`: where all of it is recorded; it is not closed here.
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
        self._planner = planner
        self._conduct = conduct or ConductWatch()
        self._notices = tuple(notices)
        self._counters: Counters | None = None  # as last heard
        self._malformed = 0
        self._ran = False
        self._requested: str | None = None  # the first since RUN: in which words
        self._said_of_conduct = ""
        self._stop_log = StopLog()
        self._happened: list[Happening] = []
        self._took = 0.0  # the last turn, in seconds
        self._write(self.session.opened(time.monotonic()))

    def turn(self, alive: bool = True) -> list[Happening]:
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
        state = self.state()
        self._observe(state, now, any(isinstance(event, Rebooted) for event in events))
        self._serve(state, now)
        self._follow_up(state, now)
        for event in events:
            if isinstance(event, JournalAnswer):
                self._server.tell_journal(event)
                self._journal_retry = now
        asked = self._server.journal_asked
        if asked is not None and now >= self._journal_retry:
            self._journal_retry = now + JOURNAL_RETRY_S
            self.ask_journal(asked)
        happened, self._happened = [*events, *self._happened], []
        self.record.turn(self, happened, now)
        self._took = time.monotonic() - now
        return happened

    def _serve(self, state: SafetyState, now: float) -> None:
        """Hear clients. However many ask for a stop in one turn, it is one to the controller."""
        asked = self._server.turn(state, now)
        if asked:
            strongest = min((one.request for one in asked), key=lambda one: one.category)
            peer = next(one.peer for one in asked if one.request is strongest)
            sent = self._ask_stop(strongest, peer, now)
            for one in asked:
                self._note_stop(one.request, one.peer, one.times, sent, now)
        self._happened += self._stop_log.due(now)
        malformed = self._server.malformed - self._malformed
        self._malformed = self._server.malformed
        self._conduct.count(Offence.MALFORMED, now, malformed)

    def _observe(self, state: SafetyState, now: float, rebooted: bool) -> None:
        """What the controller counted; a reset, from which on all is counted anew."""
        if state.counters is None:
            return
        if self._counters is not None and not rebooted:
            rejected = _rejected(self._counters, state.counters)
            self._conduct.count(Offence.FRAMES, now, rejected)
        self._counters = state.counters
        if state.running and not self._ran:
            self._conduct.clear()
            self._requested = None
        self._ran = state.running

    def _follow_up(self, state: SafetyState, now: float) -> None:
        """A stop for unusual conduct; the planner's unit."""
        words = self._conduct.exceeded
        if words != self._said_of_conduct:
            self._said_of_conduct = words
            if words:
                self._happened.append(ConductExceeded(words))
                self.stop(0, words)
        if self._planner is not None:
            running = state.running if state.heard else None
            self._happened += self._planner.turn(running, now)

    def filenos(self) -> list[int]:
        """For poll: readable when something has come in."""
        link = [] if self._link is None else [self._link.fileno()]
        return [self._server.fileno(), *link]

    def wait(self, timeout: float) -> None:
        """Sleep until something comes in, at most `timeout` seconds.

        Clients who always have something to say get half of a processor: after a turn that served
        some, only the controller is listened to for as long as that turn took.
        """
        link = [] if self._link is None else [self._link.fileno()]
        if self._server.served:
            least, most = REST_S
            rest = min(max(least, self._took), most)
            if _readable(link, rest):
                return
            timeout -= rest
        _readable([*link, self._server.fileno()], 0 if self._server.behind else timeout)

    def stop(self, category: int = 0, reason: str = "") -> bool:
        """Request a stop now; False if there is no link to send it on (SR-06).

        `category`: IEC 60204-1.
        """
        now = time.monotonic()
        text = reason.encode(errors="backslashreplace").decode()[:REASON_MAX]
        request = StopRequest.model_construct(category=1 if category == 1 else 0, reason=text)
        sent = self._ask_stop(request, None, now)
        self._note_stop(request, None, 1, sent, now)
        return sent

    def _ask_stop(self, request: StopRequest, peer: Peer | None, now: float) -> bool:
        sent = self._write(self.session.stop(now, request.category))
        if self._requested is None:
            who = f"user {peer.uid}: " if peer else ""
            self._requested = f"{who}{plain(request.reason) or 'no reason given'}"
        if self._planner is not None:
            self._happened += self._planner.stop_asked(now)
        return sent

    def _note_stop(
        self, request: StopRequest, peer: Peer | None, times: int, sent: bool, now: float
    ) -> None:
        said = StopRequested(request.category, request.reason, peer, times, sent)
        self._happened += self._stop_log.take(said, now)

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
        planner = self._planner.notice if self._planner is not None else ""
        if not (self._requested or self._notices or planner or self.record.fails):
            return state
        notices = (*self._notices, planner) if planner else self._notices
        told = {
            "requested": self._requested,
            "notices": notices,
            "record_fails": self.record.fails,
        }
        return state.model_copy(update=told)

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


def _rejected(before: Counters, after: Counters) -> int:
    """How many frames the controller has refused meanwhile."""
    return sum(
        (getattr(after, name) - getattr(before, name)) & COUNTER
        for name in ("heartbeats_refused", "frames_malformed")
    )


def _readable(handles: list[int], timeout: float) -> bool:
    """Wait for any of them, at most so many seconds."""
    poll = select.poll()
    for handle in handles:
        poll.register(handle, select.POLLIN)
    return bool(poll.poll(max(0.0, timeout) * 1000))
