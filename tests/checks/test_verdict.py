"""The worst verdict counts, and nothing that was objected to is lost beside it."""

import pytest

from redbutton.checks.hazard import Hazard
from redbutton.checks.plan import PlanCheck
from redbutton.checks.text import TextScreen
from redbutton.checks.verdict import ALLOWED, NO_CLASS, Judgement, Verdict, held, refused, worst

SHARP = Verdict(verdict=Judgement.HOLD, rule="sharp", hazards=frozenset({Hazard.SHARP}))
HOT = Verdict(verdict=Judgement.HOLD, rule="hot", hazards=frozenset({Hazard.HOT}))

pytestmark = pytest.mark.requirement("SR-26")


def test_the_worst_of_several_has_the_hazards_of_all() -> None:
    said = worst([ALLOWED, SHARP, HOT])
    assert (said.rule, said.hazards) == ("sharp", {Hazard.SHARP, Hazard.HOT})


def test_the_worst_of_the_worst_still_has_them() -> None:
    assert worst([worst([SHARP, HOT]), ALLOWED]).hazards == {Hazard.SHARP, Hazard.HOT}


@pytest.mark.parametrize(
    "other", [held("policy", "why"), Verdict(verdict=Judgement.HOLD, hazards=frozenset())]
)
def test_an_objection_of_no_class_is_not_lost_beside_a_hazard(other: Verdict) -> None:
    assert worst([SHARP, other]).hazards == {Hazard.SHARP, None}


def test_whoever_objects_and_names_no_hazard_still_objects() -> None:
    assert held("rule", "why").hazards == refused("rule", "why").hazards == NO_CLASS


def test_what_is_allowed_has_no_hazards() -> None:
    assert worst([ALLOWED, ALLOWED]) == worst([]) == ALLOWED
    assert ALLOWED.hazards == frozenset()


def test_a_plan_has_the_hazards_of_every_rule_that_objects(check: PlanCheck) -> None:
    said = check.judge(["pick Walker", "place Walker in Hallway", "empty Pills", "zorgle Cup"])
    assert said.hazards == {Hazard.MOBILITY_AID, Hazard.MEDICAL, None}


def test_a_text_has_the_hazard_of_a_phrase_and_may_mean_more(screen: TextScreen) -> None:
    said = screen.judge("Make sure she cannot reach her walker.")
    assert (said.rule, said.hazards) == ("text.aid", {Hazard.MOBILITY_AID, None})


def test_a_text_without_harm_has_no_hazards(screen: TextScreen) -> None:
    assert screen.judge("Look at the cup.") == ALLOWED
