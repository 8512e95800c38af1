"""The people of these tests, and what they are asked."""

from nacl.signing import SigningKey

from redbutton.approval.ballot import Decision, Held, Quorum, Vote, canonical, cast
from redbutton.approval.desk import Desk
from redbutton.checks.verdict import Judgement, Verdict

KEYS = {name: bytes([number]) * 32 for number, name in enumerate(("anna", "ben", "cleo"), 1)}
PUBLIC = {name: bytes(SigningKey(key).verify_key) for name, key in KEYS.items()}
PROFILE = bytes(range(32))
COMMAND = canonical({"skill": "hand_over", "object": "knife", "to": "person", "speed": 0.2})
WHY = Verdict(verdict=Judgement.HOLD, rule="sharp-near-person", reason="a knife, near a person")
LIFETIME_S = 30.0


class Clock:
    """A clock that stands still until it is set, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def made_desk() -> Desk:
    """Three approvers."""
    return Desk(PUBLIC, PROFILE)


def of_all(needed: int, desk: Desk | None = None) -> tuple[Quorum, ...]:
    """So many of all approvers."""
    names = tuple(PUBLIC if desk is None else desk.approvers)
    return (Quorum(what="plan", k=needed, names=names),)


def hold(desk: Desk, now: float = 0.0, needed: int = 1, command: bytes = COMMAND) -> Held:
    """A command is held for 30 s, until so many approve."""
    return desk.hold(command, WHY, of_all(needed, desk), now, LIFETIME_S)


def hold_for(desk: Desk, *quorums: Quorum) -> Held:
    """A command is held for 30 s, until all of these approve."""
    return desk.hold(COMMAND, WHY, quorums, 0.0, LIFETIME_S)


def vote(
    held: Held, name: str = "anna", decision: Decision = Decision.APPROVE, made: float = 0.0
) -> Vote:
    """Somebody's vote, with his key."""
    return cast(held, name, decision, made, KEYS[name])
