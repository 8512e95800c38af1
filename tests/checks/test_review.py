"""The way of a plan through people: held, approved once, and never through by accident."""

import base64
import json
from typing import Any

import pytest
from checks_profiles import profile_of

from redbutton.approval.ballot import COMMAND_MAX, Decision, cast, public_key
from redbutton.approval.desk import Desk
from redbutton.checks.profile import Approval, Held
from redbutton.checks.request import RequestCheck
from redbutton.checks.review import READ_MOST, Review, desk_of, quorums_of
from redbutton.checks.verdict import Judgement, Verdict

HELD = '{"plan": ["turn on Tap"]}'
CHECK = RequestCheck()


def answer(review: Review, question: str) -> Verdict:
    """A question is judged, and goes its way."""
    data = question.encode(errors="replace")
    return review.answer(data, CHECK.judge(data), 0.0)


@pytest.fixture
def review() -> Review:
    """With one person who could approve."""
    desk = Desk({"anna": public_key(bytes(32))}, bytes(32))
    return Review(desk, {Held.PLAN: Approval(k=1, names=("anna",))})


@pytest.mark.requirement("SR-24", "SR-26")
@pytest.mark.parametrize(
    "question",
    [
        '{"plan": [{"name": "zorgle", "parameters": {"count": 1e999}}]}',
        '{"plan": ["zorgle"], "world": {"robot": {"position": [1e999, 0, 0]}}}',
        '{"plan": ["turn on \\ud800"]}',
        '{"plan": ["turn on \ud800"]}',
        "[" * 100_000,
    ],
)
def test_a_question_in_no_one_form_is_refused_and_ends_nothing(
    review: Review, question: str
) -> None:
    assert answer(review, question).verdict is not Judgement.ALLOW
    assert answer(review, HELD).verdict is Judgement.HOLD


@pytest.mark.requirement("SR-26")
@pytest.mark.parametrize("size", [COMMAND_MAX, READ_MOST])
def test_what_is_too_long_for_people_is_refused(review: Review, size: int) -> None:
    said = answer(review, json.dumps({"plan": ["turn on Tap"] * (1 + size // len("turn on Tap"))}))
    assert (said.verdict, said.rule) == (Judgement.REFUSE, "approval")
    assert f"{COMMAND_MAX} bytes" in said.reason


@pytest.mark.requirement("SR-26")
def test_where_nobody_may_approve_a_held_plan_stays_held() -> None:
    said = answer(Review(), HELD)
    assert said.verdict is Judgement.HOLD
    assert "nobody who may approve" in said.reason


@pytest.mark.requirement("SR-24")
def test_a_check_that_fails_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    check = RequestCheck()
    monkeypatch.setattr(check, "_verdicts", lambda given: 1 / 0)
    assert check.judge(HELD.encode()).rule == "request.error"


# --- who must approve what

KEYS = {name: bytes([number]) * 32 for number, name in enumerate(("anna", "carla", "doctor"), 1)}
PUBLIC = {name: base64.b64encode(public_key(key)).decode() for name, key in KEYS.items()}
PLAN = {"plan": {"k": 1, "names": ["anna"]}}
AID = {"mobility_aid": {"k": 1, "names": ["carla", "doctor"]}}
MEDICAL = {"medical": {"k": 1, "names": ["doctor"]}}

MOVE_AID = ("pick Walker", "place Walker in Hallway")
EMPTY_PILLS = ("empty Pills",)
LEAVE_TAP = ("turn on Tap",)
NOT_UNDERSTOOD = ("zorgle Cup",)


class Asking:
    """A planner that asks about plans, and the people who may approve them."""

    def __init__(self, approvals: dict[str, Any]) -> None:
        profile = profile_of(approvals=approvals, approvers=PUBLIC)
        self.desk = desk_of(profile)
        self.review = Review(self.desk, profile.approvals)

    def ask(self, *steps: str, **more: object) -> Verdict:
        """About a plan."""
        return answer(self.review, json.dumps({"plan": steps, **more}))

    def approve(self, name: str) -> None:
        """Somebody approves what is held."""
        assert self.desk
        (waiting,) = self.desk.pending(0.0)
        self.desk.vote(cast(waiting.held, name, Decision.APPROVE, 0.0, KEYS[name]), 0.0)

    def asked(self, *steps: str, **more: object) -> set[str]:
        """The quorums of a plan, by what they are asked about."""
        said = self.ask(*steps, **more)
        assert said.verdict is Judgement.HOLD
        assert self.desk
        return {quorum.what for one in self.desk.pending(0.0) for quorum in one.held.quorums}


@pytest.mark.requirement("SR-26")
def test_a_hazard_with_people_of_its_own_needs_them_alone() -> None:
    asking = Asking(PLAN | AID)
    assert asking.asked(*MOVE_AID) == {"mobility_aid"}
    asking.approve("anna")
    assert asking.ask(*MOVE_AID).verdict is Judgement.HOLD
    asking.approve("carla")
    assert asking.ask(*MOVE_AID).verdict is Judgement.ALLOW


@pytest.mark.requirement("SR-26")
def test_two_hazards_need_the_people_of_both() -> None:
    asking = Asking(AID | MEDICAL)
    assert asking.asked(*MOVE_AID, *EMPTY_PILLS) == {"mobility_aid", "medical"}
    asking.approve("carla")
    assert asking.ask(*MOVE_AID, *EMPTY_PILLS).verdict is Judgement.HOLD
    asking.approve("doctor")
    assert asking.ask(*MOVE_AID, *EMPTY_PILLS).verdict is Judgement.ALLOW


@pytest.mark.requirement("SR-26")
def test_one_person_may_stand_for_two_hazards() -> None:
    asking = Asking(AID | MEDICAL)
    asking.ask(*MOVE_AID, *EMPTY_PILLS)
    asking.approve("doctor")
    assert asking.ask(*MOVE_AID, *EMPTY_PILLS).verdict is Judgement.ALLOW


@pytest.mark.requirement("SR-26")
@pytest.mark.parametrize("other", [LEAVE_TAP, NOT_UNDERSTOOD], ids=["hazard", "no hazard"])
def test_whatever_has_no_people_of_its_own_needs_those_of_plan(other: tuple[str, ...]) -> None:
    assert Asking(PLAN | AID).asked(*other) == {"plan"}


@pytest.mark.requirement("SR-26")
@pytest.mark.parametrize("other", [LEAVE_TAP, NOT_UNDERSTOOD], ids=["hazard", "no hazard"])
def test_a_hazard_of_its_own_does_not_cover_what_else_is_objected_to(
    other: tuple[str, ...],
) -> None:
    asking = Asking(PLAN | AID)
    assert asking.asked(*MOVE_AID, *other) == {"mobility_aid", "plan"}
    asking.approve("doctor")
    assert asking.ask(*MOVE_AID, *other).verdict is Judgement.HOLD
    asking.approve("anna")
    assert asking.ask(*MOVE_AID, *other).verdict is Judgement.ALLOW


@pytest.mark.requirement("SR-26")
def test_a_text_that_is_objected_to_needs_the_people_of_plan_too() -> None:
    asking = Asking(PLAN | AID)
    text = "Place the brick on the wheelchair."
    assert asking.asked("pick Cup", text=text) == {"mobility_aid", "plan"}


@pytest.mark.requirement("SR-26")
@pytest.mark.parametrize(
    "steps", [LEAVE_TAP, NOT_UNDERSTOOD, MOVE_AID + LEAVE_TAP, MOVE_AID + NOT_UNDERSTOOD]
)
def test_without_an_entry_for_plan_nobody_may_approve_what_is_not_named(
    steps: tuple[str, ...],
) -> None:
    asking = Asking(AID)
    said = asking.ask(*steps)
    assert said.verdict is Judgement.HOLD
    assert "nobody who may approve" in said.reason
    assert asking.desk
    assert asking.desk.pending(0.0) == ()


@pytest.mark.requirement("SR-26")
def test_without_any_entry_nobody_may_approve() -> None:
    asking = Asking({})
    assert asking.desk is None
    assert "nobody who may approve" in asking.ask(*MOVE_AID).reason


@pytest.mark.requirement("SR-26")
def test_a_verdict_that_names_no_hazard_needs_the_people_of_plan() -> None:
    approvals = profile_of(approvals=PLAN | AID, approvers=PUBLIC).approvals
    assert [quorum.what for quorum in quorums_of(approvals, frozenset())] == ["plan"]
    assert quorums_of({}, frozenset()) == ()


@pytest.mark.requirement("SR-26")
def test_the_desk_knows_all_whom_any_entry_names_and_nobody_else() -> None:
    for approvals, names in ((MEDICAL, {"doctor"}), (PLAN | AID, set(KEYS))):
        desk = Asking(approvals).desk
        assert desk
        assert desk.approvers == {name: public_key(KEYS[name]) for name in names}
