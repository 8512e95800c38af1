"""Policies: default deny, forbid overrides, and an error refuses."""

from pathlib import Path

import pytest

from redbutton.checks.plan import PlanCheck
from redbutton.checks.policy import Policies, Question
from redbutton.checks.verdict import Judgement

PLACE_CUP = Question("place", "vessel", frozenset({"vessel"}))
PERMIT_ALL = "permit(principal, action, resource);"


def verdict_of(text: str, question: Question = PLACE_CUP) -> tuple[Judgement, str]:
    """The verdict of policies on one question, with its rule."""
    verdict = Policies(text).judge([question])[question]
    return verdict.verdict, verdict.rule


@pytest.mark.requirement("SR-24")
def test_what_no_policy_permits_waits_for_a_person() -> None:
    assert verdict_of("") == (Judgement.HOLD, "policy.default")


@pytest.mark.requirement("SR-24")
def test_what_one_policy_forbids_no_other_permits() -> None:
    forbid = '@id("no-cups") forbid(principal, action, resource == Thing::"vessel");'
    assert verdict_of(PERMIT_ALL + forbid) == (Judgement.REFUSE, "policy.no-cups")


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize(
    "text",
    ["permit(", PERMIT_ALL + "forbid(principal, action, resource) when { context.nothing };"],
    ids=["syntax", "evaluation"],
)
def test_an_error_in_a_policy_refuses(text: str) -> None:
    assert verdict_of(text) == (Judgement.REFUSE, "policy.error")


@pytest.mark.requirement("SR-24")
def test_a_policy_file_that_is_not_there_refuses(tmp_path: Path) -> None:
    verdict = Policies.load(tmp_path / "none.cedar").judge([PLACE_CUP])[PLACE_CUP]
    assert (verdict.verdict, verdict.rule) == (Judgement.REFUSE, "policy.error")


def test_a_profiles_own_file_counts(tmp_path: Path) -> None:
    file = tmp_path / "lab.cedar"
    file.write_text('permit(principal, action == Action::"look", resource);')
    check = PlanCheck(policies=Policies.load(file))
    assert check.judge(["look at Cup"]).verdict is Judgement.ALLOW
    held = check.judge(["look at Cup", "pick Cup"])
    assert (held.verdict, held.rule, held.step) == (Judgement.HOLD, "policy.default", 1)


@pytest.mark.requirement("SR-24")
def test_a_policy_may_speak_of_places_and_people() -> None:
    text = PERMIT_ALL + 'forbid(principal, action, resource) when { context.place == "lab 2" };'
    check = PlanCheck(policies=Policies(text))
    assert check.judge([{"name": "go", "place": "lab 1"}]).verdict is Judgement.ALLOW
    assert check.judge([{"name": "go", "place": "lab 2"}]).verdict is Judgement.REFUSE
