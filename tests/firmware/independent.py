"""The frame format a second time, from its description and the standard library alone.

Nothing of redbutton is imported here: what both implementations agree on is the format.
"""

import base64
import hashlib
import hmac
import re
import struct
import zlib

HELLO, STATUS, EVENT, JOURNAL, ATTEST, WITNESS = 0x01, 0x02, 0x03, 0x05, 0x06, 0x07
ASK_HELLO, HEARTBEAT, STOP, STANDSTILL = 0x11, 0x12, 0x13, 0x14
ASK_JOURNAL, ASK_ATTEST, ASK_WITNESS = 0x16, 0x17, 0x18
LINE_MAX = 128

CANONICAL = re.compile(
    rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)?", re.DOTALL
)

# Field by field: name and width in bytes; unsigned, big-endian. "x": bytes as they are.
Fields = list[tuple[str, int, str]]
FIELDS: dict[int, Fields] = {
    HELLO: [
        ("boot", 2, "u"),
        ("firmware", 3, "x"),
        ("board", 8, "x"),
        ("key_id", 4, "x"),
        ("heartbeat_timeout", 2, "u"),
        ("stop_delay", 2, "u"),
        ("boot_cause", 1, "u"),
    ],
    STATUS: [
        ("nonce", 8, "x"),
        ("boot", 2, "u"),
        ("uptime", 4, "u"),
        ("state", 1, "u"),
        ("inputs", 2, "u"),
        ("outputs", 1, "u"),
        ("first", 1, "u"),
        ("causes", 4, "u"),
        ("present", 4, "u"),
        ("heartbeat_age", 2, "u"),
        ("echo", 2, "u"),
        ("transitions", 2, "u"),
        ("stop_requests", 2, "u"),
        ("heartbeats_taken", 2, "u"),
        ("heartbeats_refused", 2, "u"),
        ("refusal", 1, "u"),
        ("frames_malformed", 2, "u"),
        ("resets_refused", 2, "u"),
    ],
    EVENT: [
        ("boot", 2, "u"),
        ("number", 2, "u"),
        ("uptime", 4, "u"),
        ("before", 1, "u"),
        ("after", 1, "u"),
        ("cause", 1, "u"),
        ("inputs", 2, "u"),
        ("causes", 4, "u"),
    ],
    JOURNAL: [  # an entry and its tag may follow
        ("asked", 4, "u"),
        ("oldest", 4, "u"),
        ("next", 4, "u"),
        ("unwritten", 4, "u"),
        ("failures", 2, "u"),
    ],
    ATTEST: [
        ("nonce", 8, "x"),
        ("firmware", 32, "x"),
        ("heartbeat_timeout", 2, "u"),
        ("stop_delay", 2, "u"),
        ("name", 24, "x"),
        ("tag", 16, "x"),
    ],
    WITNESS: [
        ("digest", 32, "x"),
        ("boot", 2, "u"),
        ("power_up", 2, "u"),
        ("count", 4, "u"),
        ("uptime", 4, "u"),
        ("tag", 16, "x"),
    ],
    ASK_HELLO: [],
    HEARTBEAT: [("nonce", 8, "x"), ("tag", 16, "x")],
    STOP: [("category", 1, "u")],
    STANDSTILL: [],
    ASK_JOURNAL: [("sequence", 4, "u")],
    ASK_ATTEST: [("nonce", 8, "x")],
    ASK_WITNESS: [("digest", 32, "x")],
}

# An entry of the journal.
ENTRY: Fields = [
    ("sequence", 4, "u"),
    ("boot", 2, "u"),
    ("power_up", 2, "u"),
    ("number", 2, "u"),
    ("uptime", 4, "u"),
    ("before", 1, "u"),
    ("after", 1, "u"),
    ("cause", 1, "u"),
    ("first", 1, "u"),
    ("inputs", 2, "u"),
    ("causes", 4, "u"),
]


def pack(fields: Fields, values: "dict[str, int | str]") -> bytes:
    """The bytes of all fields in order; values of kind "x" are given in hexadecimal."""
    packed = b""
    for name, width, how in fields:
        value = values[name]
        part = bytes.fromhex(str(value)) if how == "x" else int(value).to_bytes(width, "big")
        assert len(part) == width, name
        packed += part
    return packed


def frame(kind: int, sequence: int, payload: bytes, version: int = 1) -> bytes:
    """The text between the newlines."""
    body = bytes([version, kind]) + sequence.to_bytes(2, "big") + payload
    return base64.b64encode(body + struct.pack(">I", zlib.crc32(body)))


def unframe(line: bytes) -> "tuple[int, int, int, bytes] | None":
    """(version, kind, sequence, payload), or None for whatever `frame` would not write."""
    if not CANONICAL.fullmatch(line):
        return None
    data = base64.b64decode(line, validate=True)
    if base64.b64encode(data) != line or len(data) < 8:
        return None
    body, crc = data[:-4], int.from_bytes(data[-4:], "big")
    if zlib.crc32(body) != crc:
        return None
    return body[0], body[1], int.from_bytes(body[2:4], "big"), body[4:]


def lines(stream: bytes) -> list[bytes]:
    """The lines in a stream that are whole, not empty and not longer than a frame may be."""
    return [line for line in stream.split(b"\n")[:-1] if 0 < len(line) <= LINE_MAX]


def frames(stream: bytes) -> list[tuple[int, int, int, bytes]]:
    """All frames in a stream."""
    return [found for line in lines(stream) if (found := unframe(line)) is not None]


def tag(key: bytes, sequence: int, nonce: bytes) -> bytes:
    """What proves a heartbeat: HMAC-SHA256 over version, kind, sequence, nonce; 16 bytes of it."""
    message = bytes([1, HEARTBEAT]) + sequence.to_bytes(2, "big") + nonce
    return hmac.new(key, message, hashlib.sha256).digest()[:16]


def heartbeat(key: bytes, sequence: int, nonce: bytes) -> bytes:
    """The text of a heartbeat that answers the challenge."""
    return frame(HEARTBEAT, sequence, nonce + tag(key, sequence, nonce))


def attestation_tag(key: bytes, body: bytes) -> bytes:
    """What proves an attestation: over version, kind, a sequence of zero, and all before it."""
    message = bytes([1, ATTEST, 0, 0]) + body
    return hmac.new(key, message, hashlib.sha256).digest()[:16]


def witness_tag(key: bytes, body: bytes) -> bytes:
    """What proves a witness's word: over version, kind, a sequence of zero, and all before it."""
    message = bytes([1, WITNESS, 0, 0]) + body
    return hmac.new(key, message, hashlib.sha256).digest()[:16]


def entry_tag(key: bytes, entry: bytes) -> bytes:
    """What proves an entry of the journal, under a key that is made from the link key."""
    of_journal = hmac.new(key, b"redbutton journal", hashlib.sha256).digest()
    return hmac.new(of_journal, entry, hashlib.sha256).digest()[:16]


def key_id(key: bytes) -> bytes:
    """Four bytes that name a key."""
    return hashlib.sha256(b"redbutton link key id" + key).digest()[:4]
