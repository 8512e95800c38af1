"""The host's end of the protocol, without any input or output (sans-I/O).

Bytes and time go in; events and bytes to send come out. Every rule of the host's side of the
protocol stands here:

Rule 1: a measurement is believed only while it is fresh by the host's own clock. A status frame
        echoes the last frame that the controller took from us, so it was made after we sent that
        one; nothing that waited in a buffer can pass for news.
Rule 2: only the newest challenge is answered, once, and only when the caller says that what the
        heartbeat proves is true in this moment.
Rule 3: another protocol version or another key withholds the heartbeat, and says so.
Rule 4: where an attestation is expected, nothing is vouched for before the controller, asked with
        a nonce of ours, has attested exactly that; and again whenever it has started anew.
Rule 5: a controller whose clock runs at another rate than ours gets no heartbeat: none of its
        limits would hold.
Rule 6: a stop request is sent again until the controller has taken it, and while it has not led to
        a measured stop in its time, there is no heartbeat either.
"""

import os
import struct
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from redbutton.attestation import Configuration, Expected
from redbutton.clock_rate import UNSTEADY_BOARD, ClockRate
from redbutton.errors import (
    AttestationFailed,
    ClockWrong,
    RedbuttonError,
    VersionMismatch,
    WrongBoard,
    WrongKey,
)
from redbutton.firmware import decide, wire
from redbutton.firmware.probe import protocol
from redbutton.journal import JournalAnswer, answer_of
from redbutton.model import (
    Contacts,
    Counters,
    Identity,
    SafetyState,
    State,
    cause_name,
    cause_names,
    state_of,
)

FRESH_S = 0.1
ASK_PERIOD_S = 0.03
ATTEST_PERIOD_S = 0.1
ATTEST_TIMEOUT_S = 1.0
STOP_PERIOD_S = 0.005
STOP_TIMEOUT_S = 0.02
STOP_DELAY_MAX_S = decide.STOP_DELAY_MAX / 1000
SENT_REMEMBERED = 128
SEQUENCE = 0xFFFF


@dataclass(frozen=True)
class Hello:
    """The controller said who it is."""

    identity: Identity


@dataclass(frozen=True)
class Attested:
    """The controller proved what it runs, and it is what was expected."""

    firmware: bytes
    configuration: Configuration


@dataclass(frozen=True)
class Transition:
    """The controller went from one state to another."""

    number: int
    before: State
    after: State
    cause: str | None
    causes: tuple[str, ...]
    uptime_ms: int
    measured: Contacts


@dataclass(frozen=True)
class TransitionsLost:
    """Some transitions were not told: their frames were lost on the way."""

    count: int


@dataclass(frozen=True)
class Rebooted:
    """The controller started anew."""


@dataclass(frozen=True)
class Fault:
    """Something that withholds the heartbeat until a person mends it."""

    error: RedbuttonError


@dataclass(frozen=True)
class Witnessed:
    """What the controller signed last as a witness, see wire.WITNESS_FIELDS; b"": nothing."""

    statement: bytes


Event = (
    Hello | Attested | Transition | TransitionsLost | Rebooted | Fault | JournalAnswer | Witnessed
)


class _Stop:
    """A stop request that has not led to a measured stop yet. Times in s."""

    def __init__(self, category: int, now: float, timeout: float) -> None:
        self.category = category
        self.since = now
        self.until = now + timeout  # so long there is a heartbeat
        self.taken = False
        self.sent: deque[int] = deque(maxlen=SENT_REMEMBERED)  # sequence numbers of its frames
        self.last = now  # when it was sent


class _Status(NamedTuple):
    """Fields of a status frame, see wire.STATUS_FIELDS."""

    nonce: bytes
    boot: int
    uptime: int
    state: int
    inputs: int
    outputs: int
    first: int
    causes: int
    present: int
    heartbeat_age: int
    echo: int
    transitions: int
    stop_requests: int
    heartbeats_taken: int
    heartbeats_refused: int
    refusal: int
    frames_malformed: int
    resets_refused: int


class Session:
    """One host talking to one controller. Times are seconds of any monotonic clock."""

    def __init__(
        self,
        key: bytes | None = None,
        fresh_s: float = FRESH_S,
        first_sequence: int = 0,
        expected: Expected | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """`key`: the link key (32 bytes; ValueError otherwise), or None to only watch.

        `first_sequence`: where to begin numbering frames. Choose it at random, so that what the
        controller echoes of an earlier session is not taken for an echo of this one. `expected`:
        what the controller must attest; None: it is not asked. `random`: where nonces come from.
        """
        self._signer = wire.Signer(key) if key is not None else None
        self._key_id = wire.key_id(key) if key is not None else None
        self._fresh_s = fresh_s
        self._expected = expected
        self._random = random
        self.identity: Identity | None = None
        self.fault: RedbuttonError | None = None
        self._sequence = first_sequence & SEQUENCE
        self._boot: int | None = None
        self._number: int | None = None
        self._stop: _Stop | None = None
        self._since = 0.0
        self._shown: tuple[int, int] | None = None
        self._restart()

    def _restart(self) -> None:
        self._reader = wire.LineReader()
        self._sent: OrderedDict[int, float] = OrderedDict()
        self._status: _Status | None = None
        self._told: SafetyState | None = None  # what the status says
        self._status_sequence: int | None = None
        self._made_after: float | None = None
        self._answered = b""
        self._asked = float("-inf")
        self._begin_life()

    def _begin_life(self) -> None:
        """Of the controller: what it proved before does not count."""
        self._clock = ClockRate()
        self._attested = self._expected is None
        self._attest_nonce = self._random(wire.NONCE_SIZE)
        self._attest_since: float | None = None
        self._attest_asked = float("-inf")

    # --- the port

    def opened(self, now: float) -> bytes:
        """The port was opened (again): forget what was heard before; what to send first."""
        self._restart()
        self.identity = None
        self.fault = None
        return self._ask(now)

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Take bytes from the port, in any pieces. Never raises, whatever they are."""
        events: list[Event] = []
        self._clock.turn(now)
        if self._clock.wrong and not (self.identity and self.identity.board == UNSTEADY_BOARD):
            self._fail(ClockWrong(self._clock.wrong), events)
        for byte in data:
            line = self._reader.push(byte)
            frame = wire.decode(line) if line else None
            if frame is not None:
                self._take(frame, now, events)
        asked = self._attest_since
        if not self._attested and asked is not None and now - asked > ATTEST_TIMEOUT_S:
            self._fail(
                AttestationFailed("the controller does not attest its firmware: flash it"), events
            )
        return events

    # --- what to send

    def answer(self, now: float, alive: bool = True) -> bytes:
        """The heartbeat that answers the newest challenge, if there is one to answer.

        `alive`: the caller vouches, now, for all that a heartbeat proves (SR-20). Without it, or
        where the heartbeat is withheld, the controller is only asked to say hello, now and then,
        so that its measurements stay provably fresh.
        """
        stop = self._stop
        if stop is not None and not stop.taken and not 0 <= now - stop.last < STOP_PERIOD_S:
            return self._send_stop(stop, now)
        alive = alive and (stop is None or stop.since <= now < stop.until)
        if alive and self._signer is not None and self.fault is None:
            return self._heartbeat(self._signer, now)
        if now - self._asked >= ASK_PERIOD_S:
            return self._ask(now)
        return b""

    def due(self, now: float, alive: bool = True) -> float:
        """When there is something to do again, if nothing is heard until then; `now`: at once."""
        stop, status = self._stop, self._status
        if self._clock.waits:
            return now
        times = [float("inf")]
        if stop is not None:
            times.append(stop.until if stop.taken else stop.last + STOP_PERIOD_S)
            alive = alive and now < stop.until
        if self._attest_since is not None and not self._attested and self.fault is None:
            times.append(self._attest_since + ATTEST_TIMEOUT_S)
        if not alive or self._signer is None or self.fault is not None:
            times.append(self._asked + ASK_PERIOD_S)
        elif status is not None and not self._attested:
            times.append(self._attest_asked + ATTEST_PERIOD_S)
        elif status is not None and status.nonce != self._answered:
            return now
        return min(times)

    def _heartbeat(self, signer: wire.Signer, now: float) -> bytes:
        status = self._status
        if status is None:
            return b""
        if not self._attested:
            return self._ask_attest(now)
        if status.nonce == self._answered:
            return b""
        self._answered = status.nonce
        return signer.heartbeat(self._next(now), status.nonce)

    def stop(self, now: float, category: int = 0) -> bytes:
        """A stop request. `category` 1 lets the controller's stop delay run (IEC 60204-1).

        Until the controller has taken it, `answer` sends it again every STOP_PERIOD_S.
        """
        before = self._stop
        delayed = category == 1 and (before is None or before.category == 1)
        timeout = STOP_TIMEOUT_S
        if delayed:
            known = self.identity
            timeout += known.stop_delay_ms / 1000 if known else STOP_DELAY_MAX_S
        self._stop = _Stop(1 if delayed else 0, now, timeout)
        if before is not None:
            self._stop.until = min(self._stop.until, before.until)
        return self._send_stop(self._stop, now)

    def _send_stop(self, stop: _Stop, now: float) -> bytes:
        stop.last = now
        frame = wire.encode(
            wire.STOP, self._next(now), struct.pack(wire.STOP_LAYOUT, stop.category)
        )
        stop.sent.append(self._sequence)
        return frame

    def standstill(self, now: float) -> bytes:
        """The actuators stand still: a delayed stop need not wait longer."""
        return wire.encode(wire.STANDSTILL, self._next(now), b"")

    def ask_journal(self, sequence: int, now: float) -> bytes:
        """A question for an entry of the journal; a JournalAnswer follows, if nothing is lost."""
        payload = struct.pack(wire.ASK_JOURNAL_LAYOUT, sequence)
        return wire.encode(wire.ASK_JOURNAL, self._next(now), payload)

    def ask_witness(self, digest: bytes, now: float) -> bytes:
        """A request to sign a digest (32 bytes) as a witness, or with b"" to say what was signed
        last; a Witnessed follows, if the controller can sign and nothing is lost."""
        return wire.encode(wire.ASK_WITNESS, self._next(now), digest)

    def _ask(self, now: float) -> bytes:
        self._asked = now
        return wire.encode(wire.ASK_HELLO, self._next(now), b"")

    def _ask_attest(self, now: float) -> bytes:
        if now - self._attest_asked < ATTEST_PERIOD_S:
            return b""
        self._attest_asked = now
        if self._attest_since is None:
            self._attest_since = now
        return wire.encode(wire.ASK_ATTEST, self._next(now), self._attest_nonce)

    def _next(self, now: float) -> int:
        self._sequence = (self._sequence + 1) & SEQUENCE
        self._sent[self._sequence] = now
        if len(self._sent) > SENT_REMEMBERED:
            self._sent.popitem(last=False)
        return self._sequence

    # --- what was heard

    def state(self, now: float) -> SafetyState:
        """The measured state, or UNKNOWN if none is fresh (SR-21)."""
        status = self._status
        problem = str(self.fault) if self.fault else None
        if status is None or self._made_after is None or now - self._made_after > self._fresh_s:
            return SafetyState(problem=problem)
        if self._told is None:  # reading a status takes longer than telling it again
            self._told = _read(status)
        if self._told.state is State.UNKNOWN:
            return self._told
        return self._told.model_copy(
            update={
                "for_s": now - self._since,
                "age_ms": (now - self._made_after) * 1000,
                "heartbeat_timeout_ms": self.identity and self.identity.heartbeat_timeout_ms,
                "problem": problem,
            }
        )

    def _take(self, frame: tuple[int, int, int, bytes], now: float, events: list[Event]) -> None:
        version, kind, sequence, payload = frame
        if version != wire.VERSION:
            self._fail(
                VersionMismatch(
                    f"the controller speaks protocol version {version}, this host version "
                    f"{wire.VERSION}: install the firmware that came with this host"
                ),
                events,
            )
        elif kind == wire.STATUS and len(payload) == struct.calcsize(wire.STATUS_LAYOUT):
            self._take_status(sequence, payload, now, events)
        elif kind == wire.EVENT and len(payload) == struct.calcsize(wire.EVENT_LAYOUT):
            self._take_event(payload, events)
        elif kind == wire.ATTEST and len(payload) == struct.calcsize(wire.ATTEST_LAYOUT):
            self._take_attest(payload, events)
        elif kind == wire.HELLO and len(payload) == struct.calcsize(wire.HELLO_LAYOUT):
            self._take_hello(payload, events)
        elif kind == wire.JOURNAL and (answer := answer_of(payload)):
            events.append(answer)
        elif kind == wire.WITNESS and len(payload) in (0, struct.calcsize(wire.WITNESS_LAYOUT)):
            events.append(Witnessed(payload))
        elif kind in protocol.FROM_PROBE:
            self._fail(
                WrongBoard("the board on this port is the bench's probe, no controller"), events
            )

    def _take_status(self, sequence: int, payload: bytes, now: float, events: list[Event]) -> None:
        status = _Status(*struct.unpack(wire.STATUS_LAYOUT, payload))
        if status.boot != self._boot:
            if self._boot is not None:
                events.append(Rebooted())
                self._number = 0
                self._begin_life()
            self._boot = status.boot
            self._status_sequence = None
        elif self._status_sequence is not None and not _newer(sequence, self._status_sequence):
            return  # delivered twice or late: it says nothing about now
        self._status_sequence = sequence
        self._status = status
        self._told = None
        self._made_after = self._sent.get(status.echo)
        if self._made_after is not None:
            self._clock.take(status.uptime, self._made_after)
        self._follow_stop(status)
        if self._shown != (status.state, status.transitions):
            self._shown = (status.state, status.transitions)
            self._since = now

    def _follow_stop(self, status: _Status) -> None:
        """What a status frame says of a stop request: that it was taken, and led to a stop."""
        stop = self._stop
        if stop is None:
            return
        stop.taken = stop.taken or status.echo in stop.sent
        if stop.taken and status.state in (decide.STOPPED, decide.LOCKOUT):
            self._stop = None

    def _take_event(self, payload: bytes, events: list[Event]) -> None:
        fields = dict(
            zip(wire.EVENT_FIELDS, struct.unpack(wire.EVENT_LAYOUT, payload), strict=True)
        )
        number = fields["number"]
        if self._boot == fields["boot"] and self._number is not None:
            lost = (number - self._number - 1) & SEQUENCE
            if 0 < lost < SEQUENCE // 2:
                events.append(TransitionsLost(lost))
        self._number = number
        events.append(
            Transition(
                number=number,
                before=state_of(fields["before"]),
                after=state_of(fields["after"]),
                cause=cause_name(fields["cause"]),
                causes=cause_names(fields["causes"]),
                uptime_ms=fields["uptime"],
                measured=Contacts.from_bits(fields["inputs"]),
            )
        )

    def _take_attest(self, payload: bytes, events: list[Event]) -> None:
        """Believed once, if it answers our question under the key."""
        nonce, firmware, timeout, delay, name, _ = struct.unpack(wire.ATTEST_LAYOUT, payload)
        if self._attested or self._expected is None or self._attest_since is None:
            return
        if nonce != self._attest_nonce or not (self._signer and self._signer.attested(payload)):
            return
        found = Configuration(
            heartbeat_timeout_ms=timeout,
            stop_delay_ms=delay,
            name=name.rstrip(b"\0").decode(errors="replace"),
        )
        wanted = self._expected.configuration
        if firmware != self._expected.firmware:
            self._fail(
                AttestationFailed(
                    f"the controller's files are not the firmware that this host expects (digest "
                    f"{firmware.hex()[:16]}, not {self._expected.firmware.hex()[:16]}): flash it"
                ),
                events,
            )
        elif wanted is not None and (differences := wanted.differences(found)):
            self._fail(
                AttestationFailed(
                    f"the controller is not configured as this host has it recorded: {differences}"
                ),
                events,
            )
        else:
            self._attested = True
            events.append(Attested(firmware, found))

    def _take_hello(self, payload: bytes, events: list[Event]) -> None:
        fields = dict(
            zip(wire.HELLO_FIELDS, struct.unpack(wire.HELLO_LAYOUT, payload), strict=True)
        )
        identity = Identity(
            board=fields["board"].hex(),
            firmware=".".join(str(part) for part in fields["firmware"]),
            key_id=fields["key_id"].hex(),
            heartbeat_timeout_ms=fields["heartbeat_timeout"],
            stop_delay_ms=fields["stop_delay"],
            boot_cause=cause_name(fields["boot_cause"]) or "unknown",
        )
        if identity != self.identity:
            self.identity = identity
            events.append(Hello(identity))
        if self._key_id is not None and fields["key_id"] != self._key_id:
            held = "no link key" if not any(fields["key_id"]) else f"link key {identity.key_id}"
            self._fail(
                WrongKey(f"the controller holds {held}, this host holds {self._key_id.hex()}"),
                events,
            )

    def _fail(self, error: RedbuttonError, events: list[Event]) -> None:
        if self.fault is None:
            self.fault = error
            events.append(Fault(error))


def _newer(sequence: int, than: int) -> bool:
    """Whether a 16-bit sequence number comes after another one."""
    return 0 < (sequence - than) & SEQUENCE < SEQUENCE // 2


def _read(status: _Status) -> SafetyState:
    """What a status says, but for what time does to it."""
    measured = Contacts.from_bits(status.inputs)
    state = state_of(status.state)
    if state is State.UNKNOWN:
        return SafetyState(problem=f"the controller reports state {status.state:#x}")
    return SafetyState(
        state=state,
        load=measured.load,
        measured=measured,
        first_cause=cause_name(status.first),
        causes=cause_names(status.causes),
        present=cause_names(status.present),
        heartbeat_age_ms=status.heartbeat_age,
        counters=Counters(
            transitions=status.transitions,
            stop_requests=status.stop_requests,
            heartbeats_taken=status.heartbeats_taken,
            heartbeats_refused=status.heartbeats_refused,
            frames_malformed=status.frames_malformed,
            resets_refused=status.resets_refused,
        ),
        refusal=_refusal(status.refusal),
        journal_fails=bool(status.inputs & wire.JOURNAL_FAILS),
    )


def _refusal(code: int) -> str | None:
    if code == wire.REFUSAL_NONE:
        return None
    return wire.REFUSALS[code] if code < len(wire.REFUSALS) else f"reason {code}"
