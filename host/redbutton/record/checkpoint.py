"""Checkpoints: size and root of the log at a moment, signed by the log and by the controller.

A checkpoint is a signed note (C2SP, signed-note and tlog-checkpoint): text with origin, size, root
and, as an extension line, the time; then a line for each signature. The log signs with Ed25519
(RFC 8032, PyNaCl). The controller signs with a key that it made itself and that never leaves it
(`wire.WITNESS`): so whoever takes the computer over later cannot make it have signed another past.
"""

import base64
import binascii
import hashlib
import struct
from typing import NamedTuple

from redbutton.errors import RecordWrong
from redbutton.firmware import wire
from redbutton.key import nacl

DASH = "\N{EM DASH}"
ED25519 = b"\x01"
WITNESS_TYPE = b"\xffredbutton witness 1"  # 0xff: a type of our own, named by what follows
ID_SIZE = 4
NOTE_MAX = 4096
TIME = "time "


class Checkpoint(NamedTuple):
    """What is signed. `time`: seconds since 1970."""

    origin: str
    size: int
    root: bytes
    time: int

    @property
    def text(self) -> str:
        """The note's text."""
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\n{TIME}{self.time}\n"

    @property
    def digest(self) -> bytes:
        """What the controller is asked to sign: SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).digest()


class Statement(NamedTuple):
    """What the controller says with its signature, see wire.WITNESS_FIELDS."""

    digest: bytes
    boot: int
    power_up: int
    counter: int
    uptime: int
    tag: bytes

    @classmethod
    def of(cls, payload: bytes) -> "Statement | None":
        """From the payload of a WITNESS frame; None if it is none."""
        if len(payload) != struct.calcsize(wire.WITNESS_LAYOUT):
            return None
        return cls(*struct.unpack(wire.WITNESS_LAYOUT, payload))

    @property
    def payload(self) -> bytes:
        """As in the frame."""
        return struct.pack(wire.WITNESS_LAYOUT, *self)

    def authentic(self, key: bytes) -> bool:
        """Whether a controller with this witness key said it."""
        return wire.Signer(key).witnessed(self.payload)


class Signed(NamedTuple):
    """A checkpoint with its signatures: name, key id, signature."""

    checkpoint: Checkpoint
    signatures: tuple[tuple[str, bytes, bytes], ...]

    @property
    def note(self) -> str:
        """The whole note."""
        lines = [
            f"{DASH} {name} {base64.b64encode(identity + signature).decode()}\n"
            for name, identity, signature in self.signatures
        ]
        return self.checkpoint.text + "\n" + "".join(lines)

    def witnessed(self, statement: Statement) -> "Signed":
        """With the controller's signature, too."""
        name = witness_name(self.checkpoint.origin)
        signature = (name, _id(name, WITNESS_TYPE), statement.payload)
        return self._replace(signatures=(*self.signatures, signature))

    def statements(self) -> list[Statement]:
        """What controllers have signed; nothing is checked of it."""
        name = witness_name(self.checkpoint.origin)
        return [
            said
            for who, identity, signature in self.signatures
            if (who, identity) == (name, _id(name, WITNESS_TYPE))
            and (said := Statement.of(signature)) is not None
        ]

    def signed_by(self, public: bytes) -> bool:
        """Whether the log with this public key (32 bytes) signed it."""
        name = self.checkpoint.origin
        identity = _id(name, ED25519 + public)
        signatures = [s for who, key, s in self.signatures if (who, key) == (name, identity)]
        return bool(signatures) and all(
            _verified(public, self.checkpoint.text.encode(), signature) for signature in signatures
        )


def witness_name(origin: str) -> str:
    """The name of the controller's signature under checkpoints of a log."""
    return f"{origin}/controller"


def sign(checkpoint: Checkpoint, seed: bytes) -> Signed:
    """By the log. `seed`: its signing key, 32 bytes; MissingTool without PyNaCl."""
    key = nacl().signing.SigningKey(seed)
    text = checkpoint.text.encode()
    identity = _id(checkpoint.origin, ED25519 + bytes(key.verify_key))
    signature = bytes(key.sign(text).signature)
    return Signed(checkpoint, ((checkpoint.origin, identity, signature),))


def public_key(seed: bytes) -> bytes:
    """Of a signing key."""
    return bytes(nacl().signing.SigningKey(seed).verify_key)


def read(note: str, what: str = "the checkpoint") -> Signed:
    """A note as it is written; RecordWrong if it is none. No signature is checked."""
    try:
        text, _, tail = note.rpartition("\n\n")
        origin, size, root, *more = text.split("\n")
        if len(more) != 1 or not more[0].startswith(TIME):
            raise ValueError
        time = more[0].removeprefix(TIME)
        signatures = []
        for line in tail.splitlines():
            dash, name, code = line.split(" ")
            data = base64.b64decode(code, validate=True)
            if dash != DASH or len(data) <= ID_SIZE:
                raise ValueError
            signatures.append((name, data[:ID_SIZE], data[ID_SIZE:]))
        found = Checkpoint(origin, int(size), base64.b64decode(root, validate=True), int(time))
        signed = Signed(found, tuple(signatures))
    except (ValueError, binascii.Error):
        raise RecordWrong(f"{what} is no signed checkpoint of a record") from None
    if len(note) > NOTE_MAX or signed.note != note:
        raise RecordWrong(f"{what} is no signed checkpoint of a record")
    return signed


def _id(name: str, key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + key).digest()[:ID_SIZE]


def _verified(public: bytes, text: bytes, signature: bytes) -> bool:
    library = nacl()
    try:
        library.signing.VerifyKey(public).verify(text, signature)
    except (library.exceptions.CryptoError, ValueError, TypeError):
        return False
    return True
