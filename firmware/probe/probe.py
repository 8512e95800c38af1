"""What the probe does with what its host says. Knows no pin, so that it runs anywhere.

Rule 1: while no host is heard, and as soon as none has been for SILENCE_MS, everything is
        released: the button pressed, contacts open, the controller's supply off.
Rule 2: whatever the host asks for is done once, at its time, and told with the time that it took
        place. What cannot be done is told too.
"""

import struct
import time

import harness
import protocol
import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Hands(Protocol):
        """What moves contacts, see switches.py."""

        def set(self, output: int, state: int) -> None: ...

        def release(self) -> None: ...

    class Eyes(Protocol):
        """What records, see recorder.py."""

        @property
        def count(self) -> int: ...

        @property
        def lost(self) -> bool: ...

        def arm(self) -> None: ...

        def now(self) -> int: ...

        def at(self, index: int) -> "tuple[int, int]": ...

        def levels(self) -> int: ...

    class Line(Protocol):
        """The port, see port.py."""

        def read(self, into: bytearray) -> int: ...

        def write(self, line: bytes) -> None: ...

        def flush(self) -> None: ...


STATUS_MS = 100
IDENTITY_MS = 500
TURN_US = 1000
ACTS_MAX = 64
BYTES = 64  # a turn
TIME = 0xFFFFFFFF


class Probe:
    """Ties hands, eyes and port together."""

    def __init__(self, hands: "Hands", eyes: "Eyes", port: "Line", identity: bytes) -> None:
        self._hands = hands
        self._eyes = eyes
        self._port = port
        self._identity = identity
        self._reader = wire.LineReader()
        self._bytes = bytearray(BYTES)
        self._sequence = 0
        self._echo = 0
        self._due: list[tuple[int, int, int, int]] = []  # when, sequence, output, state; in order
        self._heard = time.ticks_ms()
        self._alone = True  # no host is heard, and everything is released
        self._silent = False
        self._status_at = self._heard
        self._identity_at = self._heard
        hands.release()

    def turn(self) -> int:
        """Do all that is to be done now; us until the next turn."""
        self._take()
        now = time.ticks_ms()
        if not self._alone and time.ticks_diff(now, self._heard) >= protocol.SILENCE_MS:
            self._release()
            self._silent = True
            self._alone = True
        wait = self._act()
        if time.ticks_diff(now, self._status_at) >= STATUS_MS:
            self._status_at = now
            self._tell_status()
        if time.ticks_diff(now, self._identity_at) >= IDENTITY_MS:
            self._identity_at = now
            self._send(protocol.IDENTITY, self._identity)
        self._port.flush()
        return wait

    def _release(self) -> None:
        self._hands.release()
        self._due.clear()

    def _take(self) -> None:
        for i in range(self._port.read(self._bytes)):
            line = self._reader.push(self._bytes[i])
            frame = wire.decode(line) if line else None
            if frame is None:
                continue
            version, kind, sequence, payload = frame
            if version == wire.VERSION and kind in protocol.TO_PROBE:
                self._heard = time.ticks_ms()
                self._alone = False
                self._echo = sequence
                self._obey(kind, sequence, payload)

    def _obey(self, kind: int, sequence: int, payload: bytes) -> None:
        if kind == protocol.ACT and len(payload) == struct.calcsize(protocol.ACT_LAYOUT):
            self._plan(sequence, *struct.unpack(protocol.ACT_LAYOUT, payload))
        elif kind == protocol.ARM:
            self._due.clear()
            self._silent = False
            self._eyes.arm()
            self._tell_status()
        elif kind == protocol.RELEASE:
            self._release()
            self._tell_status()
        elif kind == protocol.ASK_STATUS:
            self._tell_status()
        elif kind == protocol.ASK_IDENTITY:
            self._send(protocol.IDENTITY, self._identity)
        elif kind == protocol.ASK_TRACE and len(payload) == 2:
            self._tell_trace(struct.unpack(protocol.ASK_TRACE_LAYOUT, payload)[0])

    def _plan(self, sequence: int, output: int, state: int, at: int) -> None:
        known = output < len(harness.OUTPUTS) and state < len(harness.OUTPUTS[output][1])
        if not known or len(self._due) >= ACTS_MAX:
            self._done(sequence, output, state, True)
        elif at == protocol.NOW:
            self._do(sequence, output, state)
        else:
            index = len(self._due)
            while index and self._due[index - 1][0] > at:
                index -= 1
            self._due.insert(index, (at, sequence, output, state))

    def _act(self) -> int:
        """Do what is due; us until the next one, at most a turn."""
        while self._due:
            left = self._due[0][0] - self._eyes.now()
            if left > 0:
                return min(left, TURN_US)
            _, sequence, output, state = self._due.pop(0)
            self._do(sequence, output, state)
        return TURN_US

    def _do(self, sequence: int, output: int, state: int) -> None:
        self._hands.set(output, state)
        self._done(sequence, output, state, False)

    def _done(self, sequence: int, output: int, state: int, refused: bool) -> None:
        at = self._eyes.now() & TIME
        layout = protocol.DONE_LAYOUT
        self._send(protocol.DONE, struct.pack(layout, sequence, output, state, at, refused))

    def _flags(self) -> int:
        return (protocol.SILENT if self._silent else 0) | (protocol.LOST if self._eyes.lost else 0)

    def _tell_status(self) -> None:
        self._send(
            protocol.STATUS,
            struct.pack(
                protocol.STATUS_LAYOUT,
                self._echo,
                self._eyes.now() & TIME,
                self._eyes.levels(),
                self._eyes.count,
                self._flags(),
                len(self._due),
            ),
        )

    def _tell_trace(self, first: int) -> None:
        payload = struct.pack(protocol.TRACE_LAYOUT, first, self._flags())
        for index in range(first, min(first + protocol.RECORDS_MAX, self._eyes.count)):
            payload += struct.pack(protocol.RECORD_LAYOUT, *self._eyes.at(index))
        self._send(protocol.TRACE, payload)

    def _send(self, kind: int, payload: bytes) -> None:
        self._port.write(wire.encode(kind, self._sequence, payload))
        self._sequence = (self._sequence + 1) & 0xFFFF
