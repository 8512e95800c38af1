"""What is held and what people say to it, as the bytes that they sign.

Ed25519 (RFC 8032), by PyNaCl. A vote signs the digest of what is held, and whoever votes makes
that digest himself from what he was shown: he signs what he saw, or his vote does not count.
"""

import hashlib
import json
import struct
from collections.abc import Collection
from enum import Enum
from typing import Annotated, Any, Protocol

from pydantic import Field, field_validator

from redbutton.checks.verdict import Verdict
from redbutton.key import nacl
from redbutton.model import Frozen

COMMAND_MAX = 4096  # bytes
DEPTH_MAX = 32  # of objects and lists inside each other
REASON_MAX = 2000  # bytes of a verdict's rule and reason
NAME_MAX = 64
NONCE_SIZE = 16
DIGEST_SIZE = 32
KEY_SIZE = 32
SIGNATURE_SIZE = 64
ID_DIGITS = 8
HELD_DOMAIN = b"redbutton held command 2"
VOTE_DOMAIN = b"redbutton vote 1"


def _hex(digits: int) -> Any:
    return Field(pattern=f"^[0-9a-f]{{{digits}}}$")


def canonical(value: object) -> bytes:
    """The one form of a JSON value: ASCII, sorted keys, no spaces; ValueError if it has none."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def is_canonical(data: bytes) -> bool:
    """Whether these bytes are a JSON object in its one form: what is shown of them is all."""
    try:
        value = json.loads(data)
        return isinstance(value, dict) and _depth(value) <= DEPTH_MAX and canonical(value) == data
    except (ValueError, RecursionError):
        return False


def _depth(value: object) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def joined(*parts: bytes) -> bytes:
    """The parts one after the other, each after its length: no two lists of parts look alike."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


class Quorum(Frozen):
    """`k` different ones of `names` must approve. `what` they are asked about: a class of hazard,
    or plan."""

    what: str = Field(max_length=NAME_MAX)
    k: int
    names: tuple[str, ...]

    @property
    def possible(self) -> bool:
        """Whether it needs anybody, and no more people than it names."""
        return 1 <= self.k <= len(set(self.names))

    def approved_by(self, people: Collection[str]) -> tuple[str, ...]:
        """Those of these people whom it names, each once."""
        return tuple(name for name in dict.fromkeys(self.names) if name in people)

    def missing(self, people: Collection[str]) -> int:
        """How many more must approve after these people."""
        return max(0, self.k - len(self.approved_by(people)))


class Held(Frozen):
    """A command that waits for people.

    `command`: canonical JSON. `verdict`: why it is held. `profile`: digest of the robot's profile.
    `nonce`: random, so that no two are alike. `quorums`: all of them must approve. `expires`:
    seconds on the desk's monotonic clock.
    """

    command: str = Field(max_length=COMMAND_MAX)
    verdict: Verdict
    profile: Annotated[str, _hex(DIGEST_SIZE * 2)]
    nonce: Annotated[str, _hex(NONCE_SIZE * 2)]
    quorums: tuple[Quorum, ...] = Field(min_length=1)
    expires: float

    @field_validator("command")
    @classmethod
    def _canonical(cls, command: str) -> str:
        if not is_canonical(command.encode()):
            raise ValueError("not a canonical JSON object")
        return command

    @field_validator("verdict")
    @classmethod
    def _short(cls, verdict: Verdict) -> Verdict:
        if len((verdict.rule + verdict.reason).encode()) > REASON_MAX:
            raise ValueError("too long a reason")
        return verdict

    @field_validator("quorums")
    @classmethod
    def _possible(cls, quorums: tuple[Quorum, ...]) -> tuple[Quorum, ...]:
        if not all(quorum.possible for quorum in quorums):
            raise ValueError("nobody is needed, or more people than are named")
        return quorums

    @property
    def digest(self) -> bytes:
        """SHA-256 over all of it."""
        parts = (
            HELD_DOMAIN,
            bytes.fromhex(self.profile),
            bytes.fromhex(self.nonce),
            hashlib.sha256(self.command.encode()).digest(),
            canonical(self.verdict.model_dump(mode="json")),
            canonical([quorum.model_dump(mode="json") for quorum in self.quorums]),
            struct.pack(">d", self.expires),
        )
        return hashlib.sha256(joined(*parts)).digest()

    @property
    def id(self) -> str:
        """How people name it: the first digits of its digest."""
        return self.digest.hex()[:ID_DIGITS]


class Decision(str, Enum):
    """What a person says to a held command."""

    APPROVE = "approve"
    DENY = "deny"


class Vote(Frozen):
    """`id`: of what is held. `made`: when, in Unix seconds; it informs, nothing depends on it."""

    id: Annotated[str, _hex(ID_DIGITS)]
    approver: str = Field(max_length=NAME_MAX)
    decision: Decision
    made: float
    signature: Annotated[str, _hex(SIGNATURE_SIZE * 2)]

    def statement(self, digest: bytes) -> bytes:
        """What is signed, about what is held with this digest."""
        return joined(
            VOTE_DOMAIN,
            digest,
            self.approver.encode(),
            self.decision.value.encode(),
            struct.pack(">d", self.made),
        )

    def signed_with(self, public: bytes, digest: bytes) -> bool:
        """Whether it is signed with this key, about what is held with this digest."""
        library = nacl()
        try:
            library.signing.VerifyKey(public).verify(
                self.statement(digest), bytes.fromhex(self.signature)
            )
        except library.exceptions.CryptoError:
            return False
        return True


class Votable(Protocol):
    """What people can vote on."""

    @property
    def id(self) -> str: ...
    @property
    def digest(self) -> bytes: ...


def cast(held: Votable, approver: str, decision: Decision, made: float, key: bytes) -> Vote:
    """A vote signed with the approver's key. `made`: Unix time in seconds."""
    blank = Vote(
        id=held.id,
        approver=approver,
        decision=decision,
        made=made,
        signature="0" * SIGNATURE_SIZE * 2,
    )
    signature = nacl().signing.SigningKey(key).sign(blank.statement(held.digest)).signature
    return blank.model_copy(update={"signature": signature.hex()})


def public_key(key: bytes) -> bytes:
    """The public key that belongs to an approver's key."""
    return bytes(nacl().signing.SigningKey(key).verify_key)


def is_public_key(data: bytes) -> bool:
    """Whether it can be somebody's: of prime order and in its one encoding. With others, one
    secret may fit two keys, or none be needed."""
    return len(data) == KEY_SIZE and bool(nacl().bindings.crypto_core_ed25519_is_valid_point(data))
