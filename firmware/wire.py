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

VERSION = 1

# Kinds of frames. From the controller:
HELLO = 0x01
STATUS = 0x02
EVENT = 0x03
# To the controller:
ASK_HELLO = 0x11
HEARTBEAT = 0x12
STOP = 0x13
STANDSTILL = 0x14

LINE_MAX = 128  # characters of a line without its newlines
KEY_SIZE = 32
NONCE_SIZE = 8
TAG_SIZE = 16

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
HEARTBEAT_LAYOUT = ">8s16s"  # nonce, tag
STOP_LAYOUT = ">B"  # stop category, IEC 60204-1: 0 or 1

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
    """Truncated HMAC-SHA256 (RFC 2104) under the link key, for heartbeats."""

    def __init__(self, key: bytes) -> None:
        """`key`: exactly 32 bytes, else ValueError."""
        if len(key) != KEY_SIZE:
            raise ValueError(f"a link key has {KEY_SIZE} bytes, this one {len(key)}")
        self._inner = bytes([b ^ 0x36 for b in key]) + b"\x36" * (64 - KEY_SIZE)
        self._outer = bytes([b ^ 0x5C for b in key]) + b"\x5c" * (64 - KEY_SIZE)

    def tag(self, sequence: int, nonce: bytes) -> bytes:
        """The 16 bytes that prove a heartbeat: over its header and the challenge's nonce."""
        message = struct.pack(HEADER, VERSION, HEARTBEAT, sequence) + nonce
        inner = hashlib.sha256(self._inner + message).digest()
        return hashlib.sha256(self._outer + inner).digest()[:TAG_SIZE]

    def heartbeat(self, sequence: int, nonce: bytes) -> bytes:
        """The line that answers the challenge."""
        return encode(HEARTBEAT, sequence, nonce + self.tag(sequence, nonce))

    def authentic(self, sequence: int, payload: bytes) -> bool:
        """Whether a heartbeat's tag is right; takes the same time wherever it differs."""
        expected = self.tag(sequence, payload[:NONCE_SIZE])
        given = payload[NONCE_SIZE:]
        difference = len(given) ^ TAG_SIZE
        for i in range(min(len(given), TAG_SIZE)):
            difference |= given[i] ^ expected[i]
        return difference == 0


def key_id(key: bytes) -> bytes:
    """Four bytes that name a link key and say nothing of it, so that the wrong one is noticed."""
    return hashlib.sha256(b"redbutton link key id" + key).digest()[:4]
