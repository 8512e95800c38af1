"""The controller's end of the link: challenges out, requests and heartbeats in (SR-17, SR-18).

Whatever the host sends, one tick reads at most BYTES_PER_TICK bytes, decodes at most one line of
a frame's length and computes at most one tag. What the host has not sent whole by then waits.
"""

import struct

import decide
import micropython
import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from board import Port

BYTES_PER_TICK = 16
LINE_MIN = 12  # base64 of the shortest frame
CHALLENGES = 4  # how many of the last ones a heartbeat may answer
STATUS_PERIOD_MS = 20
COUNTER = 0xFFFF
UPTIME = 0x3FFFFFFF  # ms since power-up, modulo 2**30: fits a small integer of the chip


class Link:
    """Frames to and from the host. `heartbeat` is what the last `receive` found for `decide`."""

    def __init__(
        self,
        port: "Port",
        random: "Callable[[int], bytes]",
        key: "bytes | None",
        witness_key: "bytes | None" = None,
    ) -> None:
        self._port = port
        self._random = random
        self._reader = wire.LineReader()
        self._bytes = bytearray(BYTES_PER_TICK)
        self._at = 0  # those from here
        self._end = 0  # to here are still to be looked at
        self._signer = wire.Signer(key) if key is not None else None
        self.key_id = wire.key_id(key) if key is not None else b"\0\0\0\0"
        self.statement = b""  # what an attestation says, see wire.STATEMENT_LAYOUT
        self.attestation = b""  # the payload that answers, until it is sent
        self._witness_signer = wire.Signer(witness_key) if witness_key is not None else None
        self.witness = b""  # the payload of what was signed last
        self.witness_asked = False
        self.boots = 0  # power-ups so far, see Journal.boot
        self._witnessed = 0
        self.boot = struct.unpack(">H", random(2))[0]
        self.heartbeat = decide.NO_HEARTBEAT
        self.tagged = False  # the last `receive` computed a tag
        self.lines = 0  # taken and sent, each of which leaves garbage
        self.hello_asked = True  # the first frame of all is a hello
        self.journal_asked = -1  # sequence of an entry, or -1
        self.echo = 0
        self.stop_requests = 0
        self.heartbeats_taken = 0
        self.heartbeats_refused = 0
        self.refusal = wire.REFUSAL_NONE
        self.frames_malformed = 0
        self._sequence = 0
        self._nonces = [b""] * CHALLENGES
        self._issued = [0] * CHALLENGES
        self._ends = [0] * CHALLENGES  # see Port.end: a host that answers has read so far
        self._newest = 0

    @micropython.native
    def receive(self, now: int) -> int:
        """Take what the host sent, within the bounds of one tick; its requests as decide's bits.

        `now`: uptime in ms, modulo UPTIME + 1.
        """
        self.heartbeat = decide.NO_HEARTBEAT
        self.tagged = False
        left = BYTES_PER_TICK
        while left:
            if self._at == self._end:
                self._at = 0
                self._end = self._port.read(self._bytes, left)
                if not self._end:
                    return 0
            line = self._reader.push(self._bytes[self._at])
            self._at += 1
            left -= 1
            if line is None:
                continue
            self.lines += 1
            if len(line) >= LINE_MIN:
                return self._take(line, now)
            self.frames_malformed = (self.frames_malformed + 1) & COUNTER
        return 0

    def _take(self, line: bytes, now: int) -> int:
        frame = wire.decode(line)
        if frame is None:
            self.frames_malformed = (self.frames_malformed + 1) & COUNTER
            return 0
        version, kind, sequence, payload = frame
        if version != wire.VERSION:
            return decide.VERSION_DIFFERS
        request = 0
        if kind == wire.STOP:
            # Nothing in a stop request can be wrong enough for it not to be one (SR-06).
            self.stop_requests = (self.stop_requests + 1) & COUNTER
            request = decide.STOP_CATEGORY_1 if payload == b"\x01" else decide.STOP_CATEGORY_0
        elif kind == wire.HEARTBEAT and len(payload) == wire.NONCE_SIZE + wire.TAG_SIZE:
            self._answer(sequence, payload, now)
        elif kind == wire.STANDSTILL and not payload:
            request = decide.STANDSTILL
        elif kind == wire.ASK_HELLO and not payload:
            self.hello_asked = True
        elif kind == wire.ASK_ATTEST and len(payload) == wire.NONCE_SIZE:
            if self._signer is not None:  # without a key there is nothing to attest with
                self.tagged = True
                self.attestation = self._signer.attestation(payload + self.statement)
        elif kind == wire.ASK_JOURNAL and len(payload) == struct.calcsize(wire.ASK_JOURNAL_LAYOUT):
            self.journal_asked = struct.unpack(wire.ASK_JOURNAL_LAYOUT, payload)[0]
        elif kind == wire.ASK_WITNESS and len(payload) in (0, wire.DIGEST_SIZE):
            self._sign(payload, now)
        else:
            self.frames_malformed = (self.frames_malformed + 1) & COUNTER
            return 0
        self.echo = sequence
        return request

    def _answer(self, sequence: int, payload: bytes, now: int) -> None:
        """A heartbeat counts once, if it answers a live challenge under the key."""
        nonce = payload[: wire.NONCE_SIZE]
        live = -1
        for i in range(CHALLENGES):
            if self._nonces[i] == nonce:
                live = i
        self.tagged = self._signer is not None and live >= 0
        if self._signer is None:
            self._refuse(wire.REFUSAL_NO_KEY)
        elif live < 0:
            self._refuse(wire.REFUSAL_STALE)
        elif not self._signer.authentic(sequence, payload):
            self._refuse(wire.REFUSAL_FORGED)
        else:
            self.heartbeat = (now - self._issued[live]) & UPTIME
            self.heartbeats_taken = (self.heartbeats_taken + 1) & COUNTER
            self._port.taken(self._ends[live])
            # This challenge and the older ones are answered: replay and reordering end here.
            while True:
                self._nonces[live] = b""
                if live == (self._newest + 1) % CHALLENGES:
                    return
                live = (live - 1) % CHALLENGES

    def _sign(self, digest: bytes, now: int) -> None:
        """Sign as a witness, and count; without a witness key there is no answer."""
        if self._witness_signer is None:
            return
        self.witness_asked = True
        if digest and digest != self.witness[: wire.DIGEST_SIZE]:
            self.tagged = True
            self._witnessed = (self._witnessed + 1) & UPTIME
            self.witness = self._witness_signer.witness(
                struct.pack(
                    wire.WITNESS_BODY_LAYOUT, digest, self.boots, self.boot, self._witnessed, now
                )
            )

    def _refuse(self, reason: int) -> None:
        self.heartbeats_refused = (self.heartbeats_refused + 1) & COUNTER
        self.refusal = reason

    def send(self, kind: int, payload: bytes) -> bool:
        """Queue one frame; False if the host does not take what is queued already."""
        self.lines += 1
        if not self._port.write(wire.encode(kind, self._sequence, payload)):
            return False
        self._sequence = (self._sequence + 1) & COUNTER
        return True

    def send_status(
        self, now: int, decision: decide.Decide, inputs: int, outputs: int, transitions: int
    ) -> None:
        """The measured state, with a new challenge."""
        nonce = self._random(wire.NONCE_SIZE)
        sent = self.send(
            wire.STATUS,
            struct.pack(
                wire.STATUS_LAYOUT,
                nonce,
                self.boot,
                now,
                decision.state,
                inputs,
                outputs,
                decision.first,
                decision.causes,
                decision.present,
                decision.heartbeat_age,
                self.echo,
                transitions,
                self.stop_requests,
                self.heartbeats_taken,
                self.heartbeats_refused,
                self.refusal,
                self.frames_malformed,
                decision.resets_refused,
            ),
        )
        if sent:
            self._newest = (self._newest + 1) % CHALLENGES
            self._nonces[self._newest] = nonce
            self._issued[self._newest] = now
            self._ends[self._newest] = self._port.end
