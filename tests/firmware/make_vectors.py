"""Writes vectors.json: frames of every kind, entries of the journal, and lines that are no frame.

Needs no redbutton.

python tests/firmware/make_vectors.py
"""

import base64
import json
import struct
import zlib
from pathlib import Path

import independent
from independent import (
    ASK_ATTEST,
    ASK_HELLO,
    ASK_JOURNAL,
    ASK_WITNESS,
    ATTEST,
    ENTRY,
    EVENT,
    FIELDS,
    HEARTBEAT,
    HELLO,
    JOURNAL,
    STANDSTILL,
    STATUS,
    STOP,
    WITNESS,
    Fields,
)

VECTORS = Path(__file__).with_name("vectors.json")

KEYS = [bytes(range(32)), bytes(32), b"\xff" * 32, bytes(7 * i & 0xFF for i in range(32))]
NONCES = [bytes(8), b"\xff" * 8, bytes(range(8)), bytes.fromhex("0a0d031b00ff5c36")]
SEQUENCES = [0, 1, 0x7FFF, 0x8000, 0xFFFF]

Values = dict[str, "int | str"]


def values_of(fields: Fields) -> list[Values]:
    """All fields zero, all at their largest, each different."""
    made = []
    for how in ("zero", "largest", "counting"):
        values: Values = {}
        for place, (name, width, form) in enumerate(fields, 1):
            filled = {
                "zero": bytes(width),
                "largest": b"\xff" * width,
                "counting": bytes(16 * place + i & 0xFF for i in range(width)),
            }[how]
            values[name] = filled.hex() if form == "x" else int.from_bytes(filled, "big")
        made.append(values)
    return made


def of_kinds(*kinds: int) -> list[dict]:
    """Frames of these kinds, with their fields as above."""
    made = [(kind, values) for kind in kinds for values in values_of(FIELDS[kind])]
    return [
        vector(kind, SEQUENCES[place % len(SEQUENCES)], values)
        for place, (kind, values) in enumerate(made)
    ]


def of_frames() -> list[dict]:
    """Every kind of frame of a controller that runs, and heartbeats."""
    vectors = of_kinds(HELLO, STATUS, EVENT, ASK_HELLO, STOP, STANDSTILL)
    vectors.append(vector(STOP, 7, {"category": 1}))
    for key in KEYS:
        for nonce, sequence in zip(NONCES, SEQUENCES, strict=False):
            tag = independent.tag(key, sequence, nonce)
            made = vector(HEARTBEAT, sequence, {"nonce": nonce.hex(), "tag": tag.hex()})
            vectors.append({**made, "key": key.hex(), "key_id": independent.key_id(key).hex()})
    return vectors


def of_attestation() -> list[dict]:
    """What asks for an attestation, and attestations; with "key", the tag is right."""
    vectors = of_kinds(ASK_ATTEST, ATTEST)
    for key in KEYS:
        for values in values_of(FIELDS[ATTEST]):
            body = independent.pack(FIELDS[ATTEST][:-1], values)
            tag = independent.attestation_tag(key, body).hex()
            vectors.append({**vector(ATTEST, 7, {**values, "tag": tag}), "key": key.hex()})
    return vectors


def of_witness() -> list[dict]:
    """What asks the controller to sign, and its word; with "key", the tag is right."""
    vectors = [*of_kinds(ASK_WITNESS, WITNESS), vector_of(ASK_WITNESS, 8, b"")]
    for key in KEYS:
        for values in values_of(FIELDS[WITNESS]):
            body = independent.pack(FIELDS[WITNESS][:-1], values)
            tag = independent.witness_tag(key, body).hex()
            vectors.append({**vector(WITNESS, 7, {**values, "tag": tag}), "key": key.hex()})
    return vectors


def of_entries() -> list[dict]:
    """Entries of the journal, each with the tag under a link key."""
    vectors = []
    for key in KEYS:
        for values in values_of(ENTRY):
            entry = independent.pack(ENTRY, values)
            tag = independent.entry_tag(key, entry).hex()
            made = {"key": key.hex(), "fields": values, "entry": entry.hex(), "tag": tag}
            vectors.append(made)
    return vectors


def vector(kind: int, sequence: int, fields: Values) -> dict:
    """One frame with its line."""
    return vector_of(kind, sequence, independent.pack(FIELDS[kind], fields), fields)


def vector_of(kind: int, sequence: int, payload: bytes, fields: "Values | None" = None) -> dict:
    """The same of a payload as it is."""
    return {
        "kind": kind,
        "sequence": sequence,
        "fields": {} if fields is None else fields,
        "payload": payload.hex(),
        "line": independent.frame(kind, sequence, payload).decode(),
    }


def of_malformed() -> list[dict]:
    """Lines, in hexadecimal, that are no frame, each with the reason."""
    good = independent.heartbeat(KEYS[0], 1, NONCES[2])  # 32 bytes: one "=" at its end
    stop = independent.frame(STOP, 1, b"\x01")  # 9 bytes: no "="
    hello = independent.frame(ASK_HELLO, 1, b"")  # 8 bytes: one "="
    nine = base64.b64encode(bytes(10))  # two "="
    body = base64.b64decode(good)
    wrong_crc = [
        base64.b64encode(body[:-4] + struct.pack(">I", zlib.crc32(body[:-4]) ^ 1 << bit))
        for bit in (0, 7, 8, 31)
    ]
    little_endian = base64.b64encode(body[:-4] + struct.pack("<I", zlib.crc32(body[:-4])))
    of_payload = base64.b64encode(body[:-4] + struct.pack(">I", zlib.crc32(body[4:-4])))
    short = b"\x01\x11\x00"
    short += struct.pack(">I", zlib.crc32(short))
    listed = [
        ("empty", b""),
        ("only padding", b"="),
        ("only padding", b"===="),
        ("one character", b"A"),
        ("words", b"MicroPython v1.29.0; type help() for more"),
        ("bytes that are no text", bytes(range(128, 192))),
        ("control characters", bytes(range(10)) + bytes(range(11, 32))),
        ("a zero byte before it", b"\x00" + good),
        ("a zero byte after it", good + b"\x00"),
        ("a space before it", b" " + good),
        ("a space after it", good + b" "),
        ("a space inside", good[:8] + b" " + good[8:]),
        ("a carriage return at its end", good + b"\r"),
        ("a carriage return inside", good[:4] + b"\r" + good[4:]),
        ("a character of no base64 inside", good[:4] + b"!" + good[4:]),
        ("a character of no base64 instead", good[:4] + b"!" + good[5:]),
        ("a byte above 127 inside", good[:4] + b"\xc3\xa4" + good[4:]),
        ("padding missing", good.rstrip(b"=")),
        ("padding missing", hello.rstrip(b"=")),
        ("padding doubled", good + b"="),
        ("padding where none belongs", stop + b"="),
        ("padding where none belongs", stop + b"===="),
        ("padding in the middle", good[:4] + b"=" + good[4:]),
        ("padding in front", b"=" + good),
        ("one of two paddings", nine[:-1]),
        ("text after the padding", good + stop),
        ("bits set that belong to no byte", good[:-2] + bytes([good[-2] + 1]) + b"="),
        ("bits set that belong to no byte", hello[:-2] + bytes([hello[-2] + 1]) + b"="),
        ("another alphabet", good.replace(b"+", b"-").replace(b"/", b"_")),
        ("small letters for large", good.swapcase()),
        ("two frames in one line", stop + stop),
        ("the frame backwards", good[::-1]),
        ("no room for a header", base64.b64encode(short)),
        ("nothing but a CRC", base64.b64encode(struct.pack(">I", 0))),
        ("nothing but a CRC", base64.b64encode(struct.pack(">I", zlib.crc32(b"")))),
        ("all bytes zero", base64.b64encode(bytes(12))),
        ("CRC in the other byte order", little_endian),
        ("CRC over the payload only", of_payload),
        ("CRC left away", base64.b64encode(body[:-4])),
        *(("CRC with a flipped bit", line) for line in wrong_crc),
        *((f"cut to {size} characters", good[:size]) for size in range(1, len(good))),
        *((f"first {size} characters gone", good[size:]) for size in range(1, len(good))),
    ]
    return [{"reason": reason, "line": line.hex()} for reason, line in listed]


def text() -> str:
    """What belongs into vectors.json."""
    vectors = {
        "frames": of_frames(),
        "attestation": of_attestation(),
        "journal": of_kinds(ASK_JOURNAL, JOURNAL),
        "witness": of_witness(),
        "entries": of_entries(),
        "malformed": of_malformed(),
    }
    return json.dumps(vectors, indent=1) + "\n"


if __name__ == "__main__":
    VECTORS.write_text(text())
