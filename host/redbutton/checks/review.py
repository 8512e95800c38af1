"""The way of a plan that was judged: held for people if it must be, allowed when they approved it.

Whoever asks about a held plan again is told how it stands; once enough people have approved it,
the first to ask is allowed, and nobody after (SR-26).

Who must approve depends on what was objected to. Each hazard that the profile has among its
`approvals` needs its own people; whatever else was objected to needs those of `plan`.
"""

import base64
import json
from collections.abc import Mapping, Set
from types import MappingProxyType

from redbutton.approval.ballot import COMMAND_MAX, Quorum, canonical
from redbutton.approval.desk import Desk, Standing
from redbutton.checks.hazard import Hazard
from redbutton.checks.profile import Approval, Held, RobotProfile, digest
from redbutton.checks.verdict import Judgement, Verdict, held, refused
from redbutton.errors import ApprovalRefused

LIFETIME_S = 300.0
READ_MOST = 4 * COMMAND_MAX  # bytes; in its one form it may be shorter

Approvals = Mapping[Held | Hazard, Approval]


def quorums_of(approvals: Approvals, hazards: Set[Hazard | None]) -> tuple[Quorum, ...]:
    """All who must approve what was objected to for these hazards; nobody if there is one that
    nobody may approve."""
    needed: set[Held | Hazard] = {
        hazard if hazard and hazard in approvals else Held.PLAN for hazard in hazards or {None}
    }
    if not needed <= approvals.keys():
        return ()
    return tuple(
        Quorum(what=what.value, k=approvals[what].k, names=approvals[what].names)
        for what in sorted(needed, key=lambda what: what.value)
    )


def desk_of(profile: RobotProfile) -> Desk | None:
    """With the keys of all whom the profile's `approvals` name for plans; None if there are
    none."""
    names = {
        name
        for what, approval in profile.approvals.items()
        if what is not Held.PROFILE
        for name in approval.names
    }
    if not names:
        return None
    keys = {name: base64.b64decode(profile.approvers[name]) for name in sorted(names)}
    return Desk(keys, bytes.fromhex(digest(profile)))


class Review:
    """Plans that are asked about, by what was asked to the byte."""

    def __init__(
        self,
        desk: Desk | None = None,
        approvals: Approvals = MappingProxyType({}),
        lifetime_s: float = LIFETIME_S,
    ) -> None:
        """`desk`: None if nobody could approve. `approvals`: the profile's. `lifetime_s`: how long
        a plan waits for people."""
        self._desk = desk
        self._approvals = approvals
        self._lifetime_s = lifetime_s
        self._held: dict[bytes, str] = {}

    def answer(self, question: bytes, verdict: Verdict, now: float) -> Verdict:
        """What is told of a question ({"plan", "world", "text"} in JSON) on which this is the
        checks' verdict. Never raises."""
        if verdict.verdict is not Judgement.HOLD:
            return verdict
        quorums = quorums_of(self._approvals, verdict.hazards)
        if self._desk is None or not quorums:
            return _because(verdict, "the profile names nobody who may approve it")
        if len(question) > READ_MOST:
            return refused("approval", f"it is held, and too long for people: {COMMAND_MAX} bytes")
        try:
            command = canonical(json.loads(question))
        except (ValueError, RecursionError):
            return refused("approval", "it is held, and has no one form that people could approve")
        case = self._held.get(command)
        if case is not None:
            return self._again(case, command, now)
        return self._hold(command, verdict, quorums, now)

    def stopped(self) -> None:
        """The robot was stopped: nothing from before goes on (SR-10)."""
        if self._desk is not None:
            self._desk.clear(Standing.STOPPED)
        self._held.clear()

    def _again(self, case: str, command: bytes, now: float) -> Verdict:
        assert self._desk is not None
        standing = self._desk.standing(case, now)
        if standing is Standing.WAITING:
            return held("approval", f"still waits for a person: {case}")
        del self._held[command]
        if self._desk.take(case, command, now):
            return Verdict(verdict=Judgement.ALLOW, rule="approval", reason=f"approved: {case}")
        return refused("approval", f"{standing.value}: {case}")

    def _hold(
        self, command: bytes, verdict: Verdict, quorums: tuple[Quorum, ...], now: float
    ) -> Verdict:
        assert self._desk is not None
        waiting = {entry.held.id for entry in self._desk.pending(now)}
        self._held = {asked: case for asked, case in self._held.items() if case in waiting}
        try:
            case = self._desk.hold(command, verdict, quorums, now, self._lifetime_s).id
        except ApprovalRefused as error:
            return refused("approval", str(error))
        self._held[command] = case
        return _because(verdict, f"waits for a person: {case}")


def _because(verdict: Verdict, more: str) -> Verdict:
    return verdict.model_copy(update={"reason": f"{verdict.reason} ({more})"})
