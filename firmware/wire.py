"""Frames between controller and host. Both ends import this one file.

One frame is one line:

    newline, base64(version, kind, sequence, payload, crc), newline

`version` and `kind` are one byte, `sequence` two, `crc` is the CRC-32 (zlib) of all before it;
integers are big-endian. The newline in front ends whatever garbage came before, so that neither
garbage nor a damaged frame ever costs the next good one. The first byte and the CRC keep their
places in every version of the protocol: so each end can tell another version from noise.

Only the exact text that `encode` would write is a frame: base64 decoders differ in what they
forgive, so `decode` encodes again and compares.

Written in the Python that MicroPython and CPython share.
"""

import binascii
import hashlib
import struct

try:
    import micropython
except ImportError:  # unreached: with blinka installed. CPython has no such module

    class micropython:  # type: ignore
        native = staticmethod(lambda function: function)


VERSION = 1

# Kinds of frames. From the controller:
HELLO = 0x01
STATUS = 0x02
EVENT = 0x03
ATTEST = 0x06
JOURNAL = 0x05
WITNESS = 0x07
# To the controller:
ASK_HELLO = 0x11
HEARTBEAT = 0x12
STOP = 0x13
STANDSTILL = 0x14
ASK_ATTEST = 0x17  # payload: a nonce
ASK_JOURNAL = 0x16
ASK_WITNESS = 0x18  # payload: what to sign, or nothing: what was signed last

LINE_MAX = 128  # characters of a line without its newlines
KEY_SIZE = 32
NONCE_SIZE = 8
TAG_SIZE = 16
DIGEST_SIZE = 32
NAME_SIZE = 24  # bytes of the name that a lab gives to its robot

HEADER = ">BBH"
HEADER_SIZE = 4
CRC_SIZE = 4
FRAME_MIN = HEADER_SIZE + CRC_SIZE

# Payloads, each with the names of its fields in order. Times in ms.
HELLO_LAYOUT = ">H3s8s4sHHB"
HELLO_FIELDS = (
    "boot",  # random number of this power-up
    "firmware",  # major, minor, patch
    "board",  # the chip's unique id
    "key_id",  # names the link key, zeros for none; see key_id()
    "heartbeat_timeout",
    "stop_delay",
    "boot_cause",  # index into decide.CAUSES
)
STATUS_LAYOUT = ">8sHIBHBBIIHHHHHHBHH"
STATUS_FIELDS = (
    "nonce",  # the challenge that a heartbeat answers
    "boot",
    "uptime",  # modulo 2**30
    "state",  # decide.STOPPED, LOCKOUT, STOPPING, RUN
    "inputs",  # as measured, bits of decide.INPUT_NAMES
    "outputs",  # as commanded, decide.K1 | K2
    "first",  # index into decide.CAUSES, 0xFF for none
    "causes",  # bits over decide.CAUSES: all since the load was last energised
    "present",  # those that last now
    "heartbeat_age",
    "echo",  # sequence of the last well-formed frame from the host
    "transitions",  # number of the last event
    "stop_requests",
    "heartbeats_taken",
    "heartbeats_refused",
    "refusal",  # why the last one was refused, see REFUSALS
    "frames_malformed",
    "resets_refused",
)
EVENT_LAYOUT = ">HHIBBBHI"
EVENT_FIELDS = (
    "boot",
    "number",
    "uptime",
    "before",  # state
    "after",  # state
    "cause",  # index into decide.CAUSES that tripped, 0xFF for a reset
    "inputs",  # as measured in that tick
    "causes",
)
ATTEST_LAYOUT = ">8s32sHH24s16s"
ATTEST_FIELDS = (
    "nonce",  # of the question
    "firmware",  # attest.measured
    "heartbeat_timeout",
    "stop_delay",
    "name",  # UTF-8, filled with zeros
    "tag",  # over all before it, see Signer.attestation
)
STATEMENT_LAYOUT = ">32sHH24s"  # what of it does not depend on the question
# The answer to ASK_WITNESS, or nothing if nothing was signed since power-up. Who has the computer
# later cannot make the controller have signed something else before: its key never leaves it, and
# it counts. The same digest twice running is signed once.
WITNESS_LAYOUT = ">32sHHII16s"
WITNESS_FIELDS = (
    "digest",  # as in the question: SHA-256 of a checkpoint of the host's log
    "boot",  # counts the power-ups, as in the journal
    "power_up",  # the random number that other frames call "boot"
    "count",  # of what was signed since power-up, from 1
    "uptime",
    "tag",  # over all before it, under the witness key; see Signer.witness
)
WITNESS_BODY_LAYOUT = ">32sHHII"
HEARTBEAT_LAYOUT = ">8s16s"  # nonce, tag
STOP_LAYOUT = ">B"  # stop category, IEC 60204-1: 0 or 1
ASK_JOURNAL_LAYOUT = ">I"  # sequence of an entry of the journal

# The answer: what follows, then the entry with its tag (ENTRY_LAYOUT and TAG_SIZE bytes), or
# nothing if it is missing or not made yet.
JOURNAL_LAYOUT = ">IIIIH"
JOURNAL_FIELDS = (
    "asked",  # for an entry that was overwritten the oldest is sent
    "oldest",  # sequence of the oldest entry that the journal can hold
    "next",  # sequence that the next entry will have
    "unwritten",  # sequence of the first entry that is not in flash yet
    "failures",  # writes to flash that failed since power-up
)
# An entry of the journal. Its tag is made with `journal_signer`.
ENTRY_LAYOUT = ">IHHHIBBBBHI"
ENTRY_FIELDS = (
    "sequence",  # counts the entries of all power-ups, from 1
    "boot",  # counts the power-ups, modulo 2**16
    "power_up",  # the random number that other frames call "boot"
    "number",  # of the transition, as in EVENT; of the entries lost, see LOST
    "uptime",
    "before",  # state, or POWERED_UP
    "after",  # state, or LOST
    "cause",  # index into decide.CAUSES that tripped, 0xFF for a reset
    "first",  # index of the first cause since the load was last energised
    "inputs",  # as measured in that tick
    "causes",
)
JOURNAL_FAILS = 0x8000  # in STATUS "inputs": the last write to flash failed
POWERED_UP = 0x00
LOST = 0x00

# Why a heartbeat did not count (STATUS "refusal").
REFUSAL_NONE = 0
REFUSAL_STALE = 1
REFUSAL_FORGED = 2
REFUSAL_NO_KEY = 3
REFUSALS = (
    "none",
    "its challenge is not live: too old, answered before, or never made",
    "its tag is not made with the controller's key",
    "the controller has no key",
)


def encode(kind: int, sequence: int, payload: bytes, version: int = VERSION) -> bytes:
    """The line, with both newlines."""
    body = struct.pack(HEADER, version, kind, sequence) + payload
    body += struct.pack(">I", binascii.crc32(body))
    return b"\n" + binascii.b2a_base64(body)


def decode(line: bytes) -> "tuple[int, int, int, bytes] | None":
    """(version, kind, sequence, payload) of a line without newlines, or None if it is no frame.

    Never raises. The layout of `payload` is the caller's to check.
    """
    try:
        body = binascii.a2b_base64(line)
        if len(body) < FRAME_MIN or binascii.b2a_base64(body)[:-1] != line:
            return None
    except ValueError:
        return None
    end = len(body) - CRC_SIZE
    if struct.unpack(">I", body[end:])[0] != binascii.crc32(body[:end]):
        return None
    version, kind, sequence = struct.unpack(HEADER, body[:HEADER_SIZE])
    return version, kind, sequence, body[HEADER_SIZE:end]


class LineReader:
    """Cuts a stream of bytes into lines; the work per byte and the memory are bounded."""

    def __init__(self) -> None:
        self._line = bytearray(LINE_MAX)
        self._length = 0

    @micropython.native
    def push(self, byte: int) -> "bytes | None":
        """The line that this byte ends, or None while there is none; b"" for one too long."""
        if byte != 0x0A:
            if self._length < LINE_MAX:
                self._line[self._length] = byte
            if self._length <= LINE_MAX:
                self._length += 1
            return None
        length = self._length
        self._length = 0
        if length == 0:
            return None
        if length > LINE_MAX:
            return b""
        return bytes(self._line[:length])


class Signer:
    """HMAC-SHA256 (RFC 2104), truncated for heartbeats and attestations."""

    def __init__(self, key: bytes) -> None:
        """`key`: exactly 32 bytes, else ValueError."""
        if len(key) != KEY_SIZE:
            raise ValueError(f"a link key has {KEY_SIZE} bytes, this one {len(key)}")
        self._inner = bytes([b ^ 0x36 for b in key]) + b"\x36" * (64 - KEY_SIZE)
        self._outer = bytes([b ^ 0x5C for b in key]) + b"\x5c" * (64 - KEY_SIZE)

    def tag(self, sequence: int, nonce: bytes) -> bytes:
        """The 16 bytes that prove a heartbeat: over its header and the challenge's nonce."""
        return self.mac(struct.pack(HEADER, VERSION, HEARTBEAT, sequence) + nonce)[:TAG_SIZE]

    def mac(self, message: bytes) -> bytes:
        """The whole HMAC-SHA256, 32 bytes."""
        inner = hashlib.sha256(self._inner + message).digest()
        return hashlib.sha256(self._outer + inner).digest()

    def heartbeat(self, sequence: int, nonce: bytes) -> bytes:
        """The line that answers the challenge."""
        return encode(HEARTBEAT, sequence, nonce + self.tag(sequence, nonce))

    def authentic(self, sequence: int, payload: bytes) -> bool:
        """Whether a heartbeat's tag is right."""
        return _same(payload[NONCE_SIZE:], self.tag(sequence, payload[:NONCE_SIZE]))

    def attestation(self, body: bytes) -> bytes:
        """The payload of ATTEST: nonce and statement (`body`), and the tag over them."""
        message = struct.pack(HEADER, VERSION, ATTEST, 0) + body
        return body + self.mac(message)[:TAG_SIZE]

    def attested(self, payload: bytes) -> bool:
        """Whether an attestation's tag is right."""
        return _same(payload[-TAG_SIZE:], self.attestation(payload[:-TAG_SIZE])[-TAG_SIZE:])

    def witness(self, body: bytes) -> bytes:
        """The payload of WITNESS: what is said (`body`), and the tag over it."""
        message = struct.pack(HEADER, VERSION, WITNESS, 0) + body
        return body + self.mac(message)[:TAG_SIZE]

    def witnessed(self, payload: bytes) -> bool:
        """Whether a witness's tag is right."""
        return _same(payload[-TAG_SIZE:], self.witness(payload[:-TAG_SIZE])[-TAG_SIZE:])


@micropython.native
def _same(given: bytes, expected: bytes) -> bool:
    """Whether a tag is the expected one; takes the same time wherever it differs."""
    difference = len(given) ^ TAG_SIZE
    for i in range(min(len(given), TAG_SIZE)):
        difference |= given[i] ^ expected[i]
    return difference == 0


def key_id(key: bytes) -> bytes:
    """Four bytes that name a link key and say nothing of it, so that the wrong one is noticed."""
    return hashlib.sha256(b"redbutton link key id" + key).digest()[:4]


def journal_signer(key: bytes) -> Signer:
    """Signs entries of the journal, under a key of their own made from the link key."""
    return Signer(Signer(key).mac(b"redbutton journal"))
