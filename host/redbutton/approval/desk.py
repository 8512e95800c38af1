"""What is held now, and what may go on (SR-26).

Pure: no clock of its own; `now` is a monotonic clock's, in seconds. A held command goes on once,
and only if

1. the command is the one that was held, to the byte;
2. of each of its quorums enough different people have approved exactly it, each with his own key;
3. nobody of any of its quorums has denied it;
4. it has not expired, and the clock was never set back since;
5. the profile and its approvers are still those that it was held under.

Nothing is kept over a restart: what was held is gone, and its nonce with it, so that no vote of
before fits anything.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from redbutton.approval.ballot import (
    COMMAND_MAX,
    DIGEST_SIZE,
    NAME_MAX,
    NONCE_SIZE,
    REASON_MAX,
    Decision,
    Held,
    Quorum,
    Vote,
    is_public_key,
)
from redbutton.checks.verdict import Judgement, Verdict
from redbutton.errors import ApprovalRefused
from redbutton.model import Frozen

HELD_MAX = 16
ENDED_MAX = 64
LIFETIME_MAX_S = 3600.0


class Standing(str, Enum):
    """How it stands with a command. All but the first two are for good."""

    WAITING = "waiting"
    APPROVED = "approved"
    TAKEN = "approved and passed on"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    STOPPED = "ended by a stop"
    PROFILE_CHANGED = "ended by a change of the profile"
    CLOCK_SET_BACK = "ended by a clock set back"
    UNKNOWN = "not held"


class Outcome(str, Enum):
    """What became of a vote."""

    COUNTED = "counted"
    NOT_HELD = "no such command is held"
    NO_APPROVER = "not an approver of this profile"
    NOT_ASKED = "this approver is not asked about this command"
    NOT_SIGNED = "not signed with the approver's key for what is held"
    TWICE = "this approver has approved already"


class Waiting(Frozen):
    """What is held, who has approved it, and the seconds left."""

    held: Held
    approved_by: tuple[str, ...] = ()
    left_s: float

    @property
    def approved(self) -> bool:
        """Whether enough people of every quorum have approved it."""
        return all(not quorum.missing(self.approved_by) for quorum in self.held.quorums)


@dataclass
class _Case:
    held: Held
    approved_by: dict[str, None] = field(default_factory=dict)

    def waiting(self, now: float) -> Waiting:
        return Waiting(
            held=self.held, approved_by=tuple(self.approved_by), left_s=self.held.expires - now
        )


class Desk:
    """Holds commands until people have decided, or their time is over."""

    def __init__(self, approvers: Mapping[str, bytes], profile_digest: bytes) -> None:
        """`approvers`: their public keys (Ed25519) by name. Raises what `adopt` raises."""
        self._now = float("-inf")
        self._cases: dict[str, _Case] = {}
        self._ended: dict[str, Standing] = {}  # the newest last
        self.adopt(approvers, profile_digest)

    @property
    def approvers(self) -> Mapping[str, bytes]:
        """Their public keys by name."""
        return self._approvers

    def adopt(self, approvers: Mapping[str, bytes], profile_digest: bytes) -> None:
        """Go on under another profile: what was held under the one before is over.

        ApprovalRefused, and nothing is changed, if two approvers share a key, or something is no
        name, key or digest.
        """
        for name, public in approvers.items():
            if not (0 < len(name) <= NAME_MAX and name.isprintable()):
                raise ApprovalRefused(f"no name for an approver: {name!r}")
            if not is_public_key(public):
                raise ApprovalRefused(f"approver {name}: not a public key (Ed25519)")
        if len(set(approvers.values())) < len(approvers):
            raise ApprovalRefused("two approvers share a key: they would count as two people")
        if len(profile_digest) != DIGEST_SIZE:
            raise ApprovalRefused(f"a profile's digest has {DIGEST_SIZE} bytes")
        self._approvers = dict(approvers)
        self._profile = profile_digest
        self.clear(Standing.PROFILE_CHANGED)

    def hold(
        self,
        command: bytes,
        verdict: Verdict,
        quorums: Sequence[Quorum],
        now: float,
        lifetime_s: float,
    ) -> Held:
        """Hold a command until every one of `quorums` approves it, at most for `lifetime_s`.

        ApprovalRefused if that cannot be: the command must not go on then.
        """
        self._turn(now)
        if verdict.verdict is not Judgement.HOLD:
            raise ApprovalRefused(f"people decide on what is held, not on {verdict.verdict.value}")
        if not quorums:
            raise ApprovalRefused("nobody is named who must approve it")
        for quorum in quorums:
            people = set(quorum.names)
            if strangers := people - self._approvers.keys():
                raise ApprovalRefused(f"{quorum.what}: {min(strangers)} is no approver")
            if not quorum.possible:
                raise ApprovalRefused(
                    f"{quorum.what}: {quorum.k} approvals cannot come from {len(people)} approvers"
                )
        if not 0 < lifetime_s <= LIFETIME_MAX_S:
            raise ApprovalRefused(f"held for more than 0 s and at most {LIFETIME_MAX_S:.0f} s")
        if len(self._cases) >= HELD_MAX:
            raise ApprovalRefused(f"{HELD_MAX} commands are held already")
        try:
            held = Held(
                command=command.decode(),
                verdict=verdict,
                profile=self._profile.hex(),
                nonce=secrets.token_bytes(NONCE_SIZE).hex(),
                quorums=tuple(quorums),
                expires=now + lifetime_s,
            )
        except ValueError:
            raise ApprovalRefused(
                f"not a canonical JSON object of at most {COMMAND_MAX} bytes, or the reason "
                f"not text of at most {REASON_MAX} bytes"
            ) from None
        if held.id in self._cases or held.id in self._ended:
            raise ApprovalRefused(f"{held.id} was held before")
        self._cases[held.id] = _Case(held)
        return held

    def vote(self, vote: Vote, now: float) -> Outcome:
        """Count a vote of somebody whom one of its quorums names, in all that name him. One
        denial ends it, even after enough have approved."""
        self._turn(now)
        case = self._cases.get(vote.id)
        public = self._approvers.get(vote.approver)
        if public is None:
            return Outcome.NO_APPROVER
        if case is None:
            return Outcome.NOT_HELD
        if not vote.signed_with(public, case.held.digest):
            return Outcome.NOT_SIGNED
        if not any(vote.approver in quorum.names for quorum in case.held.quorums):
            return Outcome.NOT_ASKED
        if vote.decision is Decision.DENY:
            self._end(vote.id, Standing.DENIED)
        elif vote.approver in case.approved_by:
            return Outcome.TWICE
        else:
            case.approved_by[vote.approver] = None
        return Outcome.COUNTED

    def pending(self, now: float) -> tuple[Waiting, ...]:
        """All that is held, the longest-held first."""
        self._turn(now)
        return tuple(case.waiting(now) for case in self._cases.values())

    def standing(self, held_id: str, now: float) -> Standing:
        """How it stands with what was held; UNKNOWN if that was never, or long ago."""
        self._turn(now)
        case = self._cases.get(held_id)
        if case is None:
            return self._ended.get(held_id, Standing.UNKNOWN)
        return Standing.APPROVED if case.waiting(now).approved else Standing.WAITING

    def take(self, held_id: str, command: bytes, now: float) -> bool:
        """May this command go on? True once, and only for the command that was approved."""
        self._turn(now)
        case = self._cases.get(held_id)
        if case is None or not case.waiting(now).approved:
            return False
        if command != case.held.command.encode():
            return False
        self._end(held_id, Standing.TAKEN)
        return True

    def withdraw(self, held_id: str) -> None:
        """Whoever gave the command does not want it any more."""
        if held_id in self._cases:
            self._end(held_id, Standing.WITHDRAWN)

    def clear(self, why: Standing) -> None:
        """End all that is held: after a stop too, nothing from before it goes on (SR-10)."""
        for held_id in list(self._cases):
            self._end(held_id, why)

    def _turn(self, now: float) -> None:
        """End what is over. A clock that is set back, or is none (NaN), has lost all deadlines."""
        if not now >= self._now:
            self.clear(Standing.CLOCK_SET_BACK)
        self._now = now
        for held_id, case in list(self._cases.items()):
            if not now < case.held.expires:
                self._end(held_id, Standing.EXPIRED)

    def _end(self, held_id: str, why: Standing) -> None:
        del self._cases[held_id]
        self._ended[held_id] = why
        if len(self._ended) > ENDED_MAX:
            del self._ended[next(iter(self._ended))]
