"""The people of these tests, and what they are asked."""

from nacl.signing import SigningKey

from redbutton.approval.ballot import Decision, Held, Vote, canonical, cast
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


def hold(desk: Desk, now: float = 0.0, needed: int = 1, command: bytes = COMMAND) -> Held:
    """A command is held for 30 s."""
    return desk.hold(command, WHY, needed, now, LIFETIME_S)


def vote(
    held: Held, name: str = "anna", decision: Decision = Decision.APPROVE, made: float = 0.0
) -> Vote:
    """Somebody's vote, with his key."""
    return cast(held, name, decision, made, KEYS[name])
