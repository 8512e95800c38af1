"""A sealed profile: one that names who may change it, and that only these people change.

A profile is sealed if it has `profile` among its `approvals`. The gate remembers the one in force
in a file of its own, `InForce`. Another one takes its place only if enough of those whom *the one
in force* names have voted for it (SR-25, SR-26). Their votes stand in a file beside the new one.

A vote signs the digests of both profiles and how many changes there were before: it fits no other
profile, no other one before it, and no second time. It counts for seven days.

The first sealed profile is taken on trust, and so is what follows one that is not sealed. Who may
write the gate's file may do anything: it is the gate's user's, or root's.
"""

import base64
import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path

from pydantic import Field, ValidationError

from redbutton import document, key
from redbutton.approval.ballot import ID_DIGITS, Decision, Quorum, Vote, joined
from redbutton.checks.profile import Held, RobotProfile, digest, load
from redbutton.document import Part
from redbutton.errors import ProfileNotApproved, ProfileWrong
from redbutton.model import Frozen, first_problem
from redbutton.plain import plain

DEFAULT_FILE = Path("/var/lib/redbutton/profile-in-force.yaml")
VOTES = ".votes"  # after the profile's file name
VOTES_MOST = 100_000  # bytes
LIFETIME_S = 7 * 86400.0
AHEAD_S = 300.0  # clocks of people's computers
DOMAIN = b"redbutton profile change 1"
FIRST_USE = "taken on trust: the first that names who may change it"
ON_TRUST = "taken on trust: the one before named nobody who may change it"


class InForce(Part):
    """The profile in force. `changes`: how many there were before; `since`: Unix time in seconds;
    `how`: it came to be."""

    changes: int = Field(ge=0)
    since: float
    how: str
    profile: RobotProfile

    @property
    def quorum(self) -> Quorum | None:
        """Who must agree to another one; None if nobody is asked."""
        entry = self.profile.approvals.get(Held.PROFILE)
        if entry is None:
            return None
        return Quorum(what=Held.PROFILE.value, k=entry.k, names=entry.names)


class Change(Frozen):
    """From one profile to another, by their digests. `changes`: how many there were before."""

    changes: int
    before: str
    after: str

    @property
    def digest(self) -> bytes:
        """SHA-256 over all of it: what is signed."""
        parts = (
            DOMAIN,
            self.changes.to_bytes(8, "big"),
            bytes.fromhex(self.before),
            bytes.fromhex(self.after),
        )
        return hashlib.sha256(joined(*parts)).digest()

    @property
    def id(self) -> str:
        """How votes name it."""
        return self.digest.hex()[:ID_DIGITS]


class Votes(Frozen):
    """What stands in the file beside a profile."""

    votes: tuple[Vote, ...]


def read(file: Path) -> InForce:
    """The profile in force; ProfileWrong if the file is not there, or is none."""
    return document.read(file, InForce, ProfileWrong)


def change_of(before: InForce, after: RobotProfile) -> Change:
    """What people vote on."""
    return Change(changes=before.changes, before=digest(before.profile), after=digest(after))


def votes_file(profile: Path) -> Path:
    """Beside a profile."""
    return profile.with_name(profile.name + VOTES)


def read_votes(profile: Path) -> tuple[Vote, ...]:
    """The votes beside a profile, none if there is no such file; ProfileNotApproved if it is no
    file of votes."""
    file = votes_file(profile)
    try:
        with file.open("rb") as source:
            data = source.read(VOTES_MOST + 1)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ProfileNotApproved(plain(f"{file}: {error.strerror}")) from None
    if len(data) > VOTES_MOST:
        raise ProfileNotApproved(plain(f"{file}: is larger than {VOTES_MOST} bytes"))
    try:
        return Votes.model_validate_json(data).votes
    except ValidationError as error:
        raise ProfileNotApproved(plain(f"{file}: {first_problem(error)}")) from None


def add_vote(profile: Path, vote: Vote) -> None:
    """Put a vote beside a profile, to those on the same change."""
    others = [
        one for one in read_votes(profile) if one.id == vote.id and one.approver != vote.approver
    ]
    with key.replacing(votes_file(profile), 0o644) as out:
        out.write(Votes(votes=(*others, vote)).model_dump_json(indent=1) + "\n")


def agreed(before: InForce, change: Change, votes: Iterable[Vote], now: float) -> set[str]:
    """Who agrees to a change: each once, with the key that he has in the profile in force. `now`:
    Unix time in seconds. ProfileNotApproved if somebody who is asked is against it."""
    quorum = before.quorum
    found: set[str] = set()
    for vote in votes:
        if quorum is None or vote.approver not in quorum.names:
            continue
        public = base64.b64decode(before.profile.approvers[vote.approver])
        if vote.id != change.id or not vote.signed_with(public, change.digest):
            continue
        if vote.decision is Decision.DENY:
            raise ProfileNotApproved(f"{vote.approver} is against it")
        if -AHEAD_S <= now - vote.made <= LIFETIME_S:
            found.add(vote.approver)
    return found


def accepted(before: InForce, path: Path, after: RobotProfile, now: float) -> str:
    """How a changed profile comes to be in force; ProfileNotApproved, naming who is missing."""
    quorum = before.quorum
    if quorum is None:
        return ON_TRUST
    people = agreed(before, change_of(before, after), read_votes(path), now)
    names = quorum.approved_by(people)
    if missing := quorum.missing(people):
        others = ", ".join(name for name in quorum.names if name not in names)
        so_far = f"; {', '.join(names)} agreed" if names else ""
        raise ProfileNotApproved(
            f"{path} is not the profile in force, and {missing} more of {others} must sign it"
            f"{so_far} (redbutton profile sign)"
        )
    return f"approved by {', '.join(names)}"


def standing(before: InForce, path: Path, after: RobotProfile, now: float) -> str:
    """How a profile stands to the one in force: that it is this one, or how it would come to be;
    ProfileNotApproved if it would not."""
    if digest(before.profile) == digest(after):
        return "in force"
    return accepted(before, path, after, now)


def approver(before: InForce, public: bytes) -> str:
    """Whose key this is, of those who are asked about another profile; ProfileNotApproved: of
    nobody."""
    for name in before.quorum.names if before.quorum else ():
        if base64.b64decode(before.profile.approvers[name]) == public:
            return name
    raise ProfileNotApproved("your key is of nobody who may change the profile in force")


def admit(
    path: Path, file: Path = DEFAULT_FILE, now: float | None = None
) -> tuple[RobotProfile, str]:
    """The profile in `path`, if it may be in force, and how it came to be; "": it was before.

    `file` remembers it, if it or the one before names who may change it. `now`: Unix time in
    seconds. ProfileWrong, or ProfileNotApproved.
    """
    now = time.time() if now is None else now
    profile = load(path)
    before = read(file) if file.exists() else None
    if before is None and Held.PROFILE not in profile.approvals:
        return profile, ""
    if before is not None and digest(before.profile) == digest(profile):
        return profile, ""
    if before is None:
        how, changes = FIRST_USE, 0
    else:
        how, changes = accepted(before, path, profile, now), before.changes + 1
    _remember(file, InForce(changes=changes, since=now, how=how, profile=profile))
    return profile, how


def _remember(file: Path, state: InForce) -> None:
    data = json.dumps(state.model_dump(mode="json", by_alias=True), indent=1)
    try:
        file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with key.replacing(file, 0o644) as out:
            out.write(data + "\n")
    except OSError as error:
        raise ProfileNotApproved(
            f"the profile in force cannot be remembered: {file}: {error.strerror}"
        ) from None
