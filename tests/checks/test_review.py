"""The way of a plan through people: held, approved once, and never through by accident."""

import pytest

from redbutton.approval.ballot import public_key
from redbutton.approval.desk import Desk
from redbutton.checks.request import RequestCheck
from redbutton.checks.review import Review
from redbutton.checks.verdict import Judgement

HELD = '{"plan": ["turn on Tap"]}'


@pytest.fixture
def review() -> Review:
    """With one person who could approve."""
    return Review(RequestCheck().judge, Desk({"anna": public_key(bytes(32))}, bytes(32)))


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
    assert review.answer(question, 0.0).verdict is not Judgement.ALLOW
    assert review.answer(HELD, 0.0).verdict is Judgement.HOLD


@pytest.mark.requirement("SR-26")
def test_where_nobody_may_approve_a_held_plan_stays_held() -> None:
    said = Review(RequestCheck().judge).answer(HELD, 0.0)
    assert said.verdict is Judgement.HOLD
    assert "nobody who may approve" in said.reason


@pytest.mark.requirement("SR-24")
def test_a_check_that_fails_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    check = RequestCheck()
    monkeypatch.setattr(check, "_verdicts", lambda given: 1 / 0)
    assert check.judge(HELD.encode()).rule == "request.error"
