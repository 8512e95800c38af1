"""The host's end of the probe: moves the controller's contacts, and reads what was timed.

What the probe is, and what hangs on it: hardware/probe.yaml. Times are microseconds by the probe's
clock since `arm`, or seconds of time.monotonic() where it says so.
"""

import contextlib
import struct
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from typing_extensions import Self

from redbutton.errors import NoContact, RigFailed, WrongBoard
from redbutton.firmware import wire
from redbutton.firmware.probe import harness, protocol
from redbutton.link import SerialLink

CONTACT_S = 2.0
ANSWER_S = 0.2
TRIES = 10
WRITE_S = 0.5
KEEP_S = 0.1  # the host is heard at least so often
TURN_S = 0.005
ANSWER_TURN_S = 0.001
SYNC = 20
OUTPUTS = {name: i for i, (name, _, _) in enumerate(harness.OUTPUTS)}
STATES = {
    name: {state: i for i, (state, _) in enumerate(states)} for name, states, _ in harness.OUTPUTS
}
RELEASED = {
    name: next(state for state, high in states if not high) for name, states, _ in harness.OUTPUTS
}
WHERE = {f"switch {name}": where for name, _, where in harness.OUTPUTS} | {
    f"sense {name}": f"{where} to GPIO{gpio}" for name, gpio, where in harness.SENSES
}
BITS = {name: gpio - harness.FIRST_SENSE for name, gpio, _ in harness.SENSES}
MAP = protocol.map_id(harness.OUTPUTS, harness.SENSES)


class Edge(NamedTuple):
    """A sense changed."""

    us: int
    sense: str
    value: int


class Trace(NamedTuple):
    """What was recorded since `arm`: how every sense was at first, and each change of one."""

    first: dict[str, int]
    edges: tuple[Edge, ...]

    def edge(self, sense: str, value: int, since_us: int) -> Edge | None:
        """The first change of a sense to a value from a time on."""
        return next(
            (
                edge
                for edge in self.edges
                if (edge.sense, edge.value) == (sense, value) and edge.us >= since_us
            ),
            None,
        )

    def at(self, sense: str, us: int) -> int:
        """How a sense was at a time."""
        value = self.first[sense]
        for edge in self.edges:
            if edge.us <= us and edge.sense == sense:
                value = edge.value
        return value


class Done(NamedTuple):
    """An output was moved: when its pin was, us."""

    output: str
    state: str
    us: int


class Clock(NamedTuple):
    """The probe's clock against this computer's: its zero in time.monotonic(), and how far that
    can be wrong, s."""

    zero_s: float
    wrong_s: float

    def us(self, monotonic_s: float) -> int:
        """A moment of this computer by the probe's clock."""
        return round((monotonic_s - self.zero_s) * 1e6)


class Probe:
    """An open probe, kept awake by `turn`. Use as a context manager: it releases at the end."""

    def __init__(self, port: str) -> None:
        """Open and identify it. WrongBoard if it is something else, NoContact if nothing."""
        self.port = port
        self._link = SerialLink(port, WRITE_S)
        self._reader = wire.LineReader()
        self._sequence = 0
        self._kept = float("-inf")
        self._status: dict[str, int] = {}
        self._heard_s = 0.0
        self._records: dict[int, tuple[int, int]] = {}
        self.board = ""
        self.done: list[Done] = []
        try:
            self._identify()
        except BaseException:
            self._link.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(Exception):
            self._send(protocol.RELEASE)
        self._link.close()

    def fileno(self) -> int:
        """For select."""
        return self._link.fileno()

    def turn(self) -> None:
        """Take what has come, and stay awake. At least every KEEP_S, or everything is released."""
        self._hear()
        if time.monotonic() - self._kept >= KEEP_S:
            self._send(protocol.ASK_STATUS)

    def wait(self, seconds: float) -> None:
        """Let time go by, awake."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.turn()
            time.sleep(min(TURN_S, left))

    def act(self, output: str, state: str, at_us: int | None = None) -> None:
        """Move an output now, or at a time since `arm`."""
        payload = struct.pack(
            protocol.ACT_LAYOUT,
            OUTPUTS[output],
            STATES[output][state],
            protocol.NOW if at_us is None else at_us,
        )
        self._send(protocol.ACT, payload)

    def release(self) -> None:
        """Everything into the state of a probe without power."""
        self._ask(protocol.RELEASE)

    def arm(self) -> Clock:
        """Begin to record anew; the probe's clock from now on."""
        self.done.clear()
        self._records.clear()
        before = time.monotonic()
        self._ask(protocol.ARM, tries=1)
        if self._status["now"] > (time.monotonic() - before) * 1e6 + 1000:
            raise RigFailed(f"{self.port}: the probe's clock did not begin anew")
        return self.sync()

    def sync(self) -> Clock:
        """Compare the clocks: of several questions the one that was answered soonest."""
        best: Clock | None = None
        for _ in range(SYNC):
            sent = time.monotonic()
            self._ask(protocol.ASK_STATUS)
            wrong = (self._heard_s - sent) / 2
            if best is None or wrong < best.wrong_s:
                best = Clock(sent + wrong - self._status["now"] / 1e6, wrong)
        assert best is not None
        return best

    def levels(self) -> dict[str, int]:
        """How every sense is now."""
        self._ask(protocol.ASK_STATUS)
        return self._named(self._status["levels"])

    @property
    def silent(self) -> bool:
        """Whether everything was released since `arm` because this host was not heard."""
        return bool(self._status["flags"] & protocol.SILENT)

    def read(self) -> Trace:
        """What was recorded since `arm`. RigFailed if it is not whole."""
        self._ask(protocol.ASK_STATUS)
        if self._status["flags"] & protocol.LOST:
            raise RigFailed("the probe saw more changes than it could record")
        count = self._status["records"]
        for _ in range(TRIES * (1 + count // protocol.RECORDS_MAX)):
            missing = next((i for i in range(count) if i not in self._records), None)
            if missing is None:
                return self._trace([self._records[i] for i in range(count)])
            self._send(protocol.ASK_TRACE, struct.pack(protocol.ASK_TRACE_LAYOUT, missing))
            self._listen(ANSWER_S, partial(self._records.__contains__, missing))
        raise RigFailed(f"{self.port}: the probe does not tell what it recorded")

    def _trace(self, records: list[tuple[int, int]]) -> Trace:
        if not records:
            raise RigFailed(f"{self.port}: the probe recorded nothing")
        before = self._named(records[0][1])
        edges = []
        for us, levels in records[1:]:
            now = self._named(levels)
            edges += [Edge(us, name, now[name]) for name in now if now[name] != before[name]]
            before = now
        return Trace(self._named(records[0][1]), tuple(edges))

    @staticmethod
    def _named(levels: int) -> dict[str, int]:
        return {name: levels >> bit & 1 for name, bit in BITS.items()}

    # --- frames

    def _identify(self) -> None:
        end = time.monotonic() + CONTACT_S
        while not self.board:
            if time.monotonic() > end:
                raise NoContact(f"{self.port}: no probe is heard")
            self._send(protocol.ASK_IDENTITY)
            self._listen(ANSWER_S, lambda: bool(self.board))

    def _ask(self, kind: int, payload: bytes = b"", tries: int = TRIES) -> None:
        """Ask until it is answered."""
        for _ in range(tries):
            sequence = self._send(kind, payload)
            seconds = ANSWER_S if tries > 1 else CONTACT_S
            if self._listen(seconds, partial(self._echoed, sequence)):
                return
        raise NoContact(f"{self.port}: the probe does not answer")

    def _echoed(self, sequence: int) -> bool:
        return self._status.get("echo") == sequence

    def _listen(self, seconds: float, until: Callable[[], bool]) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._hear()
            if until():
                return True
            time.sleep(ANSWER_TURN_S)
        return False

    def _send(self, kind: int, payload: bytes = b"") -> int:
        self._sequence = self._sequence % 0xFFFF + 1
        self._kept = time.monotonic()
        self._link.write(wire.encode(kind, self._sequence, payload))
        return self._sequence

    def _hear(self) -> None:
        for byte in self._link.read():
            line = self._reader.push(byte)
            frame = wire.decode(line) if line else None
            if frame is not None:
                self._take(frame)

    def _take(self, frame: tuple[int, int, int, bytes]) -> None:
        _, kind, _, payload = frame
        if kind in (wire.HELLO, wire.STATUS):
            raise WrongBoard(f"{self.port} is a controller, and not the bench's probe")
        if kind == protocol.IDENTITY:
            self._take_identity(payload)
        elif kind == protocol.STATUS:
            values = struct.unpack(protocol.STATUS_LAYOUT, payload)
            self._status = dict(zip(protocol.STATUS_FIELDS, values, strict=True))
            self._heard_s = time.monotonic()
        elif kind == protocol.DONE:
            _, output, state, at, refused = struct.unpack(protocol.DONE_LAYOUT, payload)
            if refused:
                raise RigFailed(f"{self.port}: the probe cannot do what it was asked")
            name, states, _ = harness.OUTPUTS[output]
            self.done.append(Done(name, states[state][0], at))
        elif kind == protocol.TRACE:
            size = struct.calcsize(protocol.TRACE_LAYOUT)
            first, _ = struct.unpack(protocol.TRACE_LAYOUT, payload[:size])
            for i, record in enumerate(struct.iter_unpack(protocol.RECORD_LAYOUT, payload[size:])):
                self._records[first + i] = (record[0], record[1])

    def _take_identity(self, payload: bytes) -> None:
        magic, version, board, pin_map = struct.unpack(protocol.IDENTITY_LAYOUT, payload)
        if magic != protocol.MAGIC:
            raise WrongBoard(f"{self.port} is not the bench's probe")
        if version != bytes(protocol.VERSION) or pin_map != MAP:
            raise WrongBoard(
                f"{self.port} is a probe with other firmware or another pin map than this "
                "package's: install its files anew (redbutton bench probe-firmware)"
            )
        self.board = board.hex()
