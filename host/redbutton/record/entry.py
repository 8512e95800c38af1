"""One entry of the log, and the key that evolves with each (pure; standard library only).

An entry is one line:

    {"entry":BODY,"mac":"64 hexadecimal digits"}

BODY is an object in JSON's one form (ASCII, sorted keys, no spaces) with the fields of `Body`.
`previous` is the hash of the body before it as a leaf of the tree (RFC 9162, 2.1.1): the chain.
The MAC is HMAC-SHA256 of BODY under a key of this one entry. The key of the next is a hash of it,
and the old one is erased (M. Bellare and B. Yee, "Forward integrity for secure audit logs", 1997;
B. Schneier and J. Kelsey, "Secure audit logs to support computer forensics", ACM TISSEC 2(2),
1999): whoever takes the computer over later holds no key that made an entry before. The first key
is with whoever verifies, and not on the robot.
"""

import hashlib
import hmac
import json
from typing import Any, NamedTuple

from redbutton.record.tree import leaf_hash

KEY_SIZE = 32
REPAIRED = "repaired"  # the kind of an entry
BODY_MAX = 16384  # bytes: what is larger is named by its digest
NO_ENTRY = "0" * 64  # `previous` of the first
BEFORE, BETWEEN, AFTER = b'{"entry":', b',"mac":"', b'"}\n'
MAC_DIGITS = 64
TAIL = len(BETWEEN) + MAC_DIGITS + len(AFTER)


class Body(NamedTuple):
    """What stands in an entry, by the names in JSON.

    `boot`: of the computer, random. `fields`: what happened, by `kind`. `monotonic_ms`: since
    the computer started. `run`, `number`: which process told it, and its how manieth that was; ""
    and 0 for what the writer tells itself. `time`: ISO 8601, UTC.
    """

    boot: str
    fields: dict[str, Any]
    kind: str
    monotonic_ms: int
    number: int
    previous: str
    run: str
    sequence: int
    time: str


TYPES = (str, dict, str, int, int, str, str, int, str)


class EntryWrong(ValueError):
    """Why a line is no entry."""


def next_key(key: bytes) -> bytes:
    """The key of the entry after the one with this key."""
    return hashlib.sha256(b"redbutton record next key\n" + key).digest()


def mac(key: bytes, body: bytes) -> bytes:
    """What proves an entry under the key of its place."""
    return hmac.digest(key, body, "sha256")


def end_mac(key: bytes, size: int, root: bytes) -> bytes:
    """What proves that a log has so many entries and not more, under the key of the next one."""
    return hmac.digest(key, b"redbutton record end\n%d\n" % size + root, "sha256")


def canonical(value: object) -> bytes:
    """JSON's one form; what JSON has no form for is written as text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()


def encode(body: Body) -> bytes:
    """The bytes of BODY."""
    data = canonical(body._asdict())
    if len(data) > BODY_MAX:
        large = canonical(body.fields)
        digest = hashlib.sha256(large).hexdigest()
        cut = body._replace(fields={"too_large": len(large), "sha256": digest})
        data = canonical(cut._asdict())
    return data


def line(body: bytes, key: bytes) -> bytes:
    """The whole line of an entry, with its line end."""
    return BEFORE + body + BETWEEN + mac(key, body).hex().encode() + AFTER


def split(text: bytes) -> tuple[bytes, bytes]:
    """The bytes of BODY and the MAC of a line with its end; EntryWrong if it is none."""
    end = len(text) - TAIL
    digits = text[end + len(BETWEEN) : -len(AFTER)]
    if (
        end <= len(BEFORE)
        or not text.startswith(BEFORE)
        or text[end : end + len(BETWEEN)] != BETWEEN
        or not text.endswith(AFTER)
    ):
        raise EntryWrong("is no entry")
    try:
        code = bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        raise EntryWrong("has no MAC") from None
    if code.hex().encode() != digits:
        raise EntryWrong("has no MAC")
    return text[len(BEFORE) : end], code


def decode(body: bytes) -> Body:
    """What stands in BODY; EntryWrong if it is not an object with exactly these fields."""
    try:
        fields = json.loads(body)
        found = Body(**fields)
    except (ValueError, TypeError, RecursionError):
        raise EntryWrong("is not of the form of an entry") from None
    if any(type(value) is not kind for value, kind in zip(found, TYPES, strict=True)):
        raise EntryWrong("is not of the form of an entry")
    return found


class Place(NamedTuple):
    """Where a log stands: entries so far, hash of the last, and the key of the next one."""

    size: int
    previous: str
    key: bytes

    def after(self, body: bytes) -> "Place":
        """One entry further. The key of this place is not kept."""
        return Place(self.size + 1, leaf_hash(body).hex(), next_key(self.key))


def first_place(key: bytes) -> Place:
    """Where a log begins."""
    return Place(0, NO_ENTRY, key)


def junk_fields(junk: bytes) -> dict[str, Any]:
    """What an entry of the kind REPAIRED says of the bytes in front of it that are no entry."""
    return {"bytes": len(junk), "sha256": hashlib.sha256(junk).hexdigest()}


def tells_of(body: bytes, junk: bytes) -> bool:
    """Whether an entry says that just these bytes in front of it are none."""
    said = decode(body)
    fields = junk_fields(junk)
    return said.kind == REPAIRED and said.fields.items() >= fields.items()
