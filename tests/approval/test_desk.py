"""What is held goes on once, exactly as it was approved, in time, or not at all."""

import math
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import (
    COMMAND,
    KEYS,
    LIFETIME_S,
    PROFILE,
    PUBLIC,
    WHY,
    hold,
    hold_for,
    made_desk,
    of_all,
    vote,
)

from redbutton.approval.ballot import (
    COMMAND_MAX,
    DEPTH_MAX,
    REASON_MAX,
    SIGNATURE_SIZE,
    Decision,
    Held,
    Quorum,
    Vote,
    canonical,
    cast,
)
from redbutton.approval.desk import ENDED_MAX, HELD_MAX, LIFETIME_MAX_S, Desk, Outcome, Standing
from redbutton.checks.hazard import Hazard
from redbutton.checks.verdict import ALLOWED, Judgement, Verdict
from redbutton.errors import ApprovalRefused

OTHER = canonical({"skill": "wave"})
OTHER_PROFILE = bytes(32)

pytestmark = pytest.mark.requirement("SR-26")


# --- one person


def test_what_is_approved_goes_on(desk: Desk) -> None:
    held = hold(desk)
    assert desk.vote(vote(held), 1.0) is Outcome.COUNTED
    assert desk.standing(held.id, 1.0) is Standing.APPROVED
    assert desk.take(held.id, COMMAND, 1.0)


def test_silence_means_no(desk: Desk) -> None:
    held = hold(desk)
    assert desk.standing(held.id, 1.0) is Standing.WAITING
    assert not desk.take(held.id, COMMAND, 1.0)


def test_it_goes_on_once(desk: Desk) -> None:
    held = hold(desk)
    desk.vote(vote(held), 1.0)
    assert desk.take(held.id, COMMAND, 1.0)
    assert not desk.take(held.id, COMMAND, 1.0)
    assert desk.standing(held.id, 1.0) is Standing.TAKEN


def test_a_vote_is_not_replayed_after_it_was_used(desk: Desk) -> None:
    held = hold(desk)
    desk.vote(vote(held), 1.0)
    desk.take(held.id, COMMAND, 1.0)
    assert desk.vote(vote(held), 1.0) is Outcome.NOT_HELD


def test_a_vote_does_not_fit_the_same_command_held_again(desk: Desk) -> None:
    first, again = hold(desk), hold(desk)
    assert first.id != again.id
    moved = vote(first).model_copy(update={"id": again.id})
    assert desk.vote(moved, 1.0) is Outcome.NOT_SIGNED
    assert not desk.take(again.id, COMMAND, 1.0)


def test_an_approval_of_one_lets_no_other_go_on(desk: Desk) -> None:
    one, other = hold(desk), hold(desk, command=OTHER)
    desk.vote(vote(one), 1.0)
    assert not desk.take(other.id, OTHER, 1.0)
    assert not desk.take(one.id, OTHER, 1.0)
    assert desk.take(one.id, COMMAND, 1.0)


def test_a_command_edited_by_one_byte_does_not_go_on(desk: Desk) -> None:
    """Any byte, to any other."""
    held = hold(desk)
    desk.vote(vote(held), 1.0)
    for index, byte in enumerate(COMMAND):
        for other in set(range(256)) - {byte}:
            edited = COMMAND[:index] + bytes([other]) + COMMAND[index + 1 :]
            assert not desk.take(held.id, edited, 1.0)
    assert desk.take(held.id, COMMAND, 1.0)


@given(index=st.integers(0, len(COMMAND) - 1), more=st.binary(min_size=1, max_size=1))
def test_a_command_with_a_byte_more_or_less_does_not_go_on(index: int, more: bytes) -> None:
    desk = made_desk()
    held = hold(desk)
    desk.vote(vote(held), 1.0)
    assert not desk.take(held.id, COMMAND[:index] + COMMAND[index + 1 :], 1.0)
    assert not desk.take(held.id, COMMAND[:index] + more + COMMAND[index:], 1.0)


@given(index=st.integers(0, SIGNATURE_SIZE - 1), bit=st.integers(0, 7))
def test_a_signature_edited_by_one_byte_is_none(index: int, bit: int) -> None:
    desk = made_desk()
    held = hold(desk)
    good = vote(held)
    edited = bytearray.fromhex(good.signature)
    edited[index] ^= 1 << bit
    bad = good.model_copy(update={"signature": edited.hex()})
    assert desk.vote(bad, 1.0) is Outcome.NOT_SIGNED
    assert desk.vote(good, 1.0) is Outcome.COUNTED


@pytest.mark.parametrize(
    "change",
    [
        {"command": OTHER.decode()},
        {"verdict": WHY.model_copy(update={"reason": "a spoon, far from everybody"})},
        {"verdict": WHY.model_copy(update={"step": 0})},
        {"verdict": WHY.model_copy(update={"hazards": frozenset({Hazard.SHARP})})},
        {"profile": OTHER_PROFILE.hex()},
        {"nonce": "00" * 16},
        {"quorums": of_all(1)},
        {"expires": LIFETIME_S + 1},
    ],
    ids=lambda change: str(next(iter(change))),
)
def test_a_vote_is_for_exactly_what_was_shown(desk: Desk, change: dict[str, object]) -> None:
    """Whoever shows something else gets a signature that fits nothing."""
    held = hold(desk, needed=2)
    shown = held.model_copy(update=change)
    moved = vote(shown).model_copy(update={"id": held.id})
    assert desk.vote(moved, 1.0) is Outcome.NOT_SIGNED


@pytest.mark.parametrize(
    "change",
    [{"approver": "ben"}, {"decision": Decision.APPROVE}, {"made": 1.0}],
    ids=lambda change: str(next(iter(change))),
)
def test_nothing_in_a_vote_can_be_changed(desk: Desk, change: dict[str, object]) -> None:
    held = hold(desk)
    bad = vote(held, decision=Decision.DENY).model_copy(update=change)
    assert desk.vote(bad, 1.0) is Outcome.NOT_SIGNED
    assert desk.standing(held.id, 1.0) is Standing.WAITING


@pytest.mark.parametrize(
    "change",
    [{"approver": "ben"}, {"decision": Decision.DENY}, {"made": 1.0}],
    ids=lambda change: str(next(iter(change))),
)
def test_who_voted_what_and_when_is_part_of_what_is_signed(
    desk: Desk, change: dict[str, object]
) -> None:
    held = hold(desk)
    good = vote(held)
    assert good.model_copy(update=change).statement(held.digest) != good.statement(held.digest)


def test_a_vote_with_a_key_of_nobody_is_refused(desk: Desk) -> None:
    held = hold(desk)
    forged = cast(held, "anna", Decision.APPROVE, 0.0, b"\x63" * 32)
    assert desk.vote(forged, 1.0) is Outcome.NOT_SIGNED


def test_a_stranger_has_no_vote(desk: Desk) -> None:
    held = hold(desk)
    stranger = cast(held, "mallory", Decision.APPROVE, 0.0, b"\x63" * 32)
    assert desk.vote(stranger, 1.0) is Outcome.NO_APPROVER
    assert not desk.take(held.id, COMMAND, 1.0)


def test_a_vote_on_nothing_is_refused(desk: Desk) -> None:
    elsewhere = hold(made_desk())
    assert desk.vote(vote(elsewhere), 1.0) is Outcome.NOT_HELD
    assert not desk.take(elsewhere.id, COMMAND, 1.0)


def test_the_time_that_a_vote_claims_changes_nothing(desk: Desk) -> None:
    early, late = hold(desk), hold(desk)
    assert desk.vote(vote(early, made=-1e9), 1.0) is Outcome.COUNTED
    assert desk.vote(vote(late, made=1e12), LIFETIME_S) is Outcome.NOT_HELD


# --- time


def test_what_is_not_approved_in_time_is_denied(desk: Desk) -> None:
    held = hold(desk)
    assert desk.vote(vote(held), LIFETIME_S) is Outcome.NOT_HELD
    assert desk.standing(held.id, LIFETIME_S) is Standing.EXPIRED


def test_an_approval_expires_with_what_it_approves(desk: Desk) -> None:
    held = hold(desk)
    desk.vote(vote(held), 1.0)
    assert not desk.take(held.id, COMMAND, LIFETIME_S)


def test_an_approval_lasts_until_it_expires(desk: Desk) -> None:
    held = hold(desk)
    desk.vote(vote(held), 1.0)
    assert desk.take(held.id, COMMAND, LIFETIME_S - 0.001)


@pytest.mark.parametrize("now", [9.999, -1e9, math.nan])
def test_a_clock_set_back_ends_all_that_is_held(desk: Desk, now: float) -> None:
    held = hold(desk, now=5.0)
    waits = hold(desk, now=5.0)
    desk.vote(vote(held), 10.0)
    assert not desk.take(held.id, COMMAND, now)
    assert desk.pending(11.0) == ()
    assert desk.vote(vote(waits), 11.0) is Outcome.NOT_HELD
    assert desk.standing(held.id, 11.0) is Standing.CLOCK_SET_BACK


def test_every_look_at_the_clock_counts(desk: Desk) -> None:
    held = hold(desk)
    desk.vote(vote(held), 0.0)
    desk.pending(10.0)
    assert not desk.take(held.id, COMMAND, 9.0)


def test_the_seconds_left_are_told(desk: Desk) -> None:
    hold(desk, now=5.0)
    assert [one.left_s for one in desk.pending(15.0)] == [LIFETIME_S - 10.0]


# --- more than one person


def test_two_of_three_must_approve(desk: Desk) -> None:
    held = hold(desk, needed=2)
    desk.vote(vote(held, "anna"), 1.0)
    assert not desk.take(held.id, COMMAND, 1.0)
    desk.vote(vote(held, "cleo"), 1.0)
    assert [one.approved_by for one in desk.pending(1.0)] == [("anna", "cleo")]
    assert desk.take(held.id, COMMAND, 1.0)


def test_the_same_person_counts_once(desk: Desk) -> None:
    held = hold(desk, needed=2)
    assert desk.vote(vote(held), 1.0) is Outcome.COUNTED
    assert desk.vote(vote(held), 1.0) is Outcome.TWICE
    assert desk.vote(vote(held, made=7.0), 1.0) is Outcome.TWICE
    assert not desk.take(held.id, COMMAND, 1.0)


def test_two_names_with_one_key_are_refused() -> None:
    with pytest.raises(ApprovalRefused, match="share a key"):
        Desk({"anna": PUBLIC["anna"], "anne": PUBLIC["anna"]}, PROFILE)


@pytest.mark.parametrize(
    "key",
    [b"", PUBLIC["anna"][:-1], bytes(32), b"\x01" + bytes(31), b"\xff" * 32],
    ids=["none", "short", "of order 4", "of order 1", "not canonical"],
)
def test_a_key_that_could_be_anybodys_is_refused(key: bytes) -> None:
    with pytest.raises(ApprovalRefused, match="not a public key"):
        Desk({"anna": key}, PROFILE)


@pytest.mark.parametrize("name", ["", "a" * 65, "anna\n", "an\u202ena"])
def test_a_name_that_cannot_be_shown_is_refused(name: str) -> None:
    with pytest.raises(ApprovalRefused, match="no name"):
        Desk({name: PUBLIC["anna"]}, PROFILE)


@pytest.mark.parametrize("needed", [0, -1, 4])
def test_more_approvals_than_approvers_are_refused_and_none_too(desk: Desk, needed: int) -> None:
    with pytest.raises(ApprovalRefused, match="cannot come from 3"):
        hold(desk, needed=needed)
    assert desk.pending(0.0) == ()


@pytest.mark.parametrize("name", ["anna", "ben"])
def test_one_denial_ends_it(desk: Desk, name: str) -> None:
    held = hold(desk)
    desk.vote(vote(held, "anna"), 1.0)
    assert desk.vote(vote(held, name, Decision.DENY), 1.0) is Outcome.COUNTED
    assert desk.standing(held.id, 1.0) is Standing.DENIED
    assert desk.vote(vote(held, "cleo"), 1.0) is Outcome.NOT_HELD
    assert not desk.take(held.id, COMMAND, 1.0)


# --- more than one quorum

BOTH = Quorum(what="mobility_aid", k=2, names=("anna", "ben"))
ONE = Quorum(what="plan", k=1, names=("ben", "cleo"))
CLEO = Quorum(what="medical", k=1, names=("cleo",))


def test_every_quorum_must_approve(desk: Desk) -> None:
    held = hold_for(desk, BOTH, CLEO)
    for name in ("anna", "ben"):
        assert not desk.take(held.id, COMMAND, 1.0)
        desk.vote(vote(held, name), 1.0)
    assert desk.standing(held.id, 1.0) is Standing.WAITING
    assert not desk.take(held.id, COMMAND, 1.0)
    desk.vote(vote(held, "cleo"), 1.0)
    assert desk.take(held.id, COMMAND, 1.0)


def test_a_person_of_one_quorum_does_not_stand_in_for_another(desk: Desk) -> None:
    held = hold_for(desk, BOTH, ONE)
    desk.vote(vote(held, "anna"), 1.0)
    desk.vote(vote(held, "cleo"), 1.0)
    assert desk.standing(held.id, 1.0) is Standing.WAITING
    assert not desk.take(held.id, COMMAND, 1.0)


def test_one_vote_counts_in_every_quorum_that_names_its_approver(desk: Desk) -> None:
    held = hold_for(desk, BOTH, ONE)
    assert desk.vote(vote(held, "ben"), 1.0) is Outcome.COUNTED
    assert desk.vote(vote(held, "ben"), 1.0) is Outcome.TWICE
    assert desk.vote(vote(held, "anna"), 1.0) is Outcome.COUNTED
    assert desk.take(held.id, COMMAND, 1.0)


def test_a_person_named_twice_counts_once(desk: Desk) -> None:
    held = hold_for(desk, Quorum(what="plan", k=2, names=("anna", "anna", "ben")))
    desk.vote(vote(held, "anna"), 1.0)
    assert not desk.take(held.id, COMMAND, 1.0)


@pytest.mark.parametrize("decision", list(Decision))
def test_an_approver_who_is_not_asked_has_no_vote(desk: Desk, decision: Decision) -> None:
    held = hold_for(desk, BOTH)
    assert desk.vote(vote(held, "cleo", decision), 1.0) is Outcome.NOT_ASKED
    assert [one.approved_by for one in desk.pending(1.0)] == [()]


def test_a_forged_vote_of_somebody_who_is_not_asked_is_said_to_be_forged(desk: Desk) -> None:
    held = hold_for(desk, BOTH)
    forged = cast(held, "cleo", Decision.APPROVE, 0.0, b"\x63" * 32)
    assert desk.vote(forged, 1.0) is Outcome.NOT_SIGNED


@pytest.mark.parametrize("name", ["anna", "ben", "cleo"])
def test_a_denial_in_any_quorum_ends_it(desk: Desk, name: str) -> None:
    held = hold_for(desk, BOTH, CLEO)
    for other in {"anna", "ben", "cleo"} - {name}:
        desk.vote(vote(held, other), 1.0)
    assert desk.vote(vote(held, name, Decision.DENY), 1.0) is Outcome.COUNTED
    assert desk.standing(held.id, 1.0) is Standing.DENIED


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize(
    "change",
    [{"what": "mobility_aie"}, {"k": 1}, {"names": ("anna", "bem")}, {"names": ("anna",)}],
    ids=str,
)
def test_a_vote_is_for_exactly_the_quorums_that_were_shown(
    desk: Desk, position: int, change: dict[str, object]
) -> None:
    """To the byte."""
    quorums = [CLEO, CLEO]
    quorums[position] = BOTH
    held = hold_for(desk, *quorums)
    quorums[position] = BOTH.model_copy(update=change)
    shown = held.model_copy(update={"quorums": tuple(quorums)})
    moved = vote(shown).model_copy(update={"id": held.id})
    assert desk.vote(moved, 1.0) is Outcome.NOT_SIGNED


def test_a_quorum_cannot_be_left_out_of_what_is_shown(desk: Desk) -> None:
    held = hold_for(desk, BOTH, CLEO)
    shown = held.model_copy(update={"quorums": (BOTH,)})
    moved = vote(shown).model_copy(update={"id": held.id})
    assert desk.vote(moved, 1.0) is Outcome.NOT_SIGNED


@pytest.mark.parametrize(
    ("quorums", "problem"),
    [
        ((), "nobody is named"),
        ((CLEO, Quorum(what="plan", k=0, names=("ben",))), "plan: 0 approvals cannot come from 1"),
        ((CLEO, Quorum(what="plan", k=3, names=("anna", "ben"))), "plan: 3 approvals cannot come"),
        ((Quorum(what="plan", k=2, names=("anna", "anna")),), "2 approvals cannot come from 1"),
        ((CLEO, Quorum(what="plan", k=1, names=("cleo", "eve"))), "plan: eve is no approver"),
    ],
    ids=["no quorum", "of nobody", "more than named", "one named twice", "of a stranger"],
)
def test_a_quorum_that_cannot_be_met_is_refused(
    desk: Desk, quorums: tuple[Quorum, ...], problem: str
) -> None:
    with pytest.raises(ApprovalRefused, match=problem):
        hold_for(desk, *quorums)
    assert desk.pending(0.0) == ()


@pytest.mark.parametrize("quorums", [(), of_all(0), of_all(4)], ids=["none", "of 0", "of 4"])
def test_what_nobody_could_approve_is_not_believed_at_the_other_end(
    desk: Desk, quorums: tuple[Quorum, ...]
) -> None:
    told = hold(desk).model_copy(update={"quorums": quorums}).model_dump_json()
    with pytest.raises(ValueError, match="quorums"):
        Held.model_validate_json(told)


def test_quorums_and_hazards_are_the_same_at_the_other_end(desk: Desk) -> None:
    why = WHY.model_copy(update={"hazards": frozenset({None, Hazard.MEDICAL, Hazard.SHARP})})
    held = desk.hold(COMMAND, why, (BOTH, CLEO), 0.0, LIFETIME_S)
    there = Held.model_validate_json(held.model_dump_json())
    assert there == held
    assert there.digest == held.digest


def test_what_two_quorums_approved_expires_with_it(desk: Desk) -> None:
    held = hold_for(desk, BOTH, CLEO)
    for name in KEYS:
        desk.vote(vote(held, name), 1.0)
    assert not desk.take(held.id, COMMAND, LIFETIME_S)


# --- the profile


def test_a_changed_profile_ends_all_that_is_held(desk: Desk) -> None:
    held = hold(desk)
    desk.vote(vote(held), 1.0)
    desk.adopt(PUBLIC, OTHER_PROFILE)
    assert not desk.take(held.id, COMMAND, 1.0)
    assert desk.standing(held.id, 1.0) is Standing.PROFILE_CHANGED


def test_commands_are_held_under_the_profile_that_was_adopted(desk: Desk) -> None:
    desk.adopt({"ben": PUBLIC["ben"]}, OTHER_PROFILE)
    held = hold(desk)
    assert held.profile == OTHER_PROFILE.hex()
    assert desk.vote(vote(held, "anna"), 0.0) is Outcome.NO_APPROVER
    assert desk.vote(vote(held, "ben"), 0.0) is Outcome.COUNTED


def test_a_profile_that_is_refused_changes_nothing(desk: Desk) -> None:
    held = hold(desk)
    for approvers, digest in (({"anna": b""}, PROFILE), ({}, b"")):
        with pytest.raises(ApprovalRefused):
            desk.adopt(approvers, digest)
    assert desk.standing(held.id, 0.0) is Standing.WAITING
    assert desk.approvers == PUBLIC


def test_a_profile_without_approvers_holds_nothing() -> None:
    with pytest.raises(ApprovalRefused, match="0 approvers"):
        hold(Desk({}, PROFILE))


# --- what can be held


@pytest.mark.parametrize("judgement", [Judgement.ALLOW, Judgement.REFUSE])
def test_people_cannot_approve_what_a_check_refused(desk: Desk, judgement: Judgement) -> None:
    verdict = ALLOWED.model_copy(update={"verdict": judgement})
    with pytest.raises(ApprovalRefused, match=judgement.value):
        desk.hold(COMMAND, verdict, of_all(1), 0.0, LIFETIME_S)


@pytest.mark.parametrize(
    "command",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b'{"a": 1}',
        b'{"b":1,"a":1}',
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b'{"a":1}\n',
        '{"a":"é"}'.encode(),
        b'{"a":"\xff"}',
        b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}",
        b'{"a":' + b"[" * DEPTH_MAX + b"]" * DEPTH_MAX + b"}",
        b'{"a":' * (DEPTH_MAX + 1) + b"1" + b"}" * (DEPTH_MAX + 1),
        b'{"a":"' + b"x" * COMMAND_MAX + b'"}',
    ],
    ids=range(15),
)
def test_a_command_with_more_than_one_reading_is_not_held(desk: Desk, command: bytes) -> None:
    with pytest.raises(ApprovalRefused, match="not a canonical JSON object"):
        hold(desk, command=command)


def test_the_longest_and_the_deepest_command_are_held(desk: Desk) -> None:
    hold(desk, command=b'{"a":' * DEPTH_MAX + b"1" + b"}" * DEPTH_MAX)
    hold(desk, command=b'{"a":"' + b"x" * (COMMAND_MAX - 8) + b'"}')


@pytest.mark.parametrize("reason", ["x" * (REASON_MAX + 1), "\ud800"], ids=["long", "no text"])
def test_a_reason_that_cannot_be_told_is_not_held(desk: Desk, reason: str) -> None:
    verdict = Verdict(verdict=Judgement.HOLD, reason=reason)
    with pytest.raises(ApprovalRefused, match="the reason"):
        desk.hold(COMMAND, verdict, of_all(1), 0.0, LIFETIME_S)


@pytest.mark.parametrize("lifetime_s", [0.0, -1.0, LIFETIME_MAX_S + 1, math.inf, math.nan])
def test_nothing_is_held_for_ever_or_for_no_time(desk: Desk, lifetime_s: float) -> None:
    with pytest.raises(ApprovalRefused, match="at most 3600 s"):
        desk.hold(COMMAND, WHY, of_all(1), 0.0, lifetime_s)


def test_a_flood_of_held_commands_is_refused(desk: Desk) -> None:
    first = [hold(desk) for _ in range(HELD_MAX)]
    for _ in range(1000):
        with pytest.raises(ApprovalRefused, match="16 commands are held"):
            hold(desk)
    assert [one.held for one in desk.pending(0.0)] == first


def test_there_is_room_again_when_some_expired(desk: Desk) -> None:
    for _ in range(HELD_MAX):
        hold(desk)
    hold(desk, now=LIFETIME_S)


def test_what_is_over_is_forgotten_in_the_end(desk: Desk) -> None:
    ended = [hold(desk, now=number * LIFETIME_S) for number in range(ENDED_MAX + 2)]
    now = (ENDED_MAX + 2) * LIFETIME_S
    assert desk.standing(ended[0].id, now) is Standing.UNKNOWN
    assert desk.standing(ended[-1].id, now) is Standing.EXPIRED


def test_the_same_is_never_held_twice_even_without_randomness(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "token_bytes", bytes)
    held = hold(desk)
    with pytest.raises(ApprovalRefused, match="was held before"):
        hold(desk)
    desk.vote(vote(held), 0.0)
    desk.take(held.id, COMMAND, 0.0)
    with pytest.raises(ApprovalRefused, match="was held before"):
        hold(desk)


# --- what ends without a vote


def test_a_restart_forgets_what_was_held(desk: Desk) -> None:
    held = hold(desk)
    desk.vote(vote(held), 1.0)
    again = made_desk()
    assert not again.take(held.id, COMMAND, 1.0)
    assert again.vote(vote(held), 1.0) is Outcome.NOT_HELD
    assert again.standing(held.id, 1.0) is Standing.UNKNOWN


def test_a_withdrawn_command_does_not_go_on(desk: Desk) -> None:
    held = hold(desk)
    desk.vote(vote(held), 1.0)
    desk.withdraw(held.id)
    desk.withdraw(held.id)
    assert not desk.take(held.id, COMMAND, 1.0)
    assert desk.standing(held.id, 1.0) is Standing.WITHDRAWN


@pytest.mark.requirement("SR-10")
def test_after_a_stop_nothing_held_before_goes_on(desk: Desk) -> None:
    held = hold(desk)
    desk.vote(vote(held), 1.0)
    desk.clear(Standing.STOPPED)
    assert not desk.take(held.id, COMMAND, 1.0)
    assert desk.standing(held.id, 1.0) is Standing.STOPPED


# --- over the wire


def test_what_is_held_has_the_same_digest_at_the_other_end(desk: Desk) -> None:
    held = desk.hold(COMMAND, WHY, of_all(2), 0.1, 1 / 3)
    assert Held.model_validate_json(held.model_dump_json()).digest == held.digest


def test_a_vote_is_the_same_at_the_other_end(desk: Desk) -> None:
    held = hold(desk)
    ballot = cast(held, "anna", Decision.APPROVE, 1 / 3, KEYS["anna"])
    assert desk.vote(Vote.model_validate_json(ballot.model_dump_json()), 0.0) is Outcome.COUNTED
