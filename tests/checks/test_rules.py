"""Every rule fires on its example and not on its counter-example."""

from typing import Any

import pytest

from redbutton.checks.ontology import Ontology, Verbs
from redbutton.checks.plan import PlanCheck
from redbutton.checks.policy import Policies
from redbutton.checks.rules import FOLLOWING, MOMENTARY, ROLES, Phrase, Rule, Rules
from redbutton.checks.text import TextScreen
from redbutton.checks.verdict import Judgement

SHIPPED = Rules.shipped()
WORD_SOURCES = (Ontology.shipped(), Verbs.shipped())


def alone(*rules: Rule, phrases: tuple[Phrase, ...] = ()) -> PlanCheck:
    """A check with no other rules, and a policy that permits all."""
    everything = Policies("permit(principal, action, resource);")
    return PlanCheck(*WORD_SOURCES, Rules(rules, phrases), everything)


@pytest.mark.requirement("SR-24", "SR-27")
@pytest.mark.parametrize("rule", SHIPPED.rules, ids=lambda rule: rule.id)
def test_a_rule_objects_to_its_example(rule: Rule) -> None:
    verdict = alone(rule).judge(rule.example.plan, rule.example.world)
    assert (verdict.rule, verdict.verdict) == (rule.id, rule.level)
    assert verdict.step is not None
    assert verdict.reason


@pytest.mark.parametrize("rule", SHIPPED.rules, ids=lambda rule: rule.id)
def test_no_rule_objects_to_its_counter_example(rule: Rule, check: PlanCheck) -> None:
    verdict = check.judge(rule.not_example.plan, rule.not_example.world)
    assert verdict.verdict is Judgement.ALLOW, verdict


@pytest.mark.requirement("SR-27")
@pytest.mark.parametrize("phrase", SHIPPED.phrases, ids=lambda phrase: phrase.id)
def test_a_phrase_is_found_in_its_example_only(phrase: Phrase) -> None:
    screen = TextScreen(alone(phrases=(phrase,)))
    verdict = screen.judge(phrase.example)
    assert (verdict.rule, verdict.verdict) == (phrase.id, phrase.level)
    assert screen.judge(phrase.not_example).verdict is Judgement.ALLOW


@pytest.mark.parametrize("rule", SHIPPED.rules, ids=lambda rule: rule.id)
def test_every_rule_asks_for_what_exists(rule: Rule) -> None:
    ontology, verbs = WORD_SOURCES
    for condition in (*rule.when, *rule.unless):
        assert set(condition.act) <= {*verbs.acts, *FOLLOWING, "unknown"}
        for role in ROLES:
            for one in getattr(condition, role) or ():
                asked = {tag.removeprefix("holds_") for tag in one.all | one.none}
                assert asked <= ontology.tags | MOMENTARY


def rule_of(**given: Any) -> dict[str, Any]:
    """A file with one rule that is well, except for what is given."""
    rule = {
        "id": "lab.rule",
        "hazard": "sharp",
        "source": "the lab's own",
        "level": "hold",
        "when": {"act": ["pick"], "object": ["sharp !knife"]},
        "words": "{object} is sharp",
        "example": ["pick Scissors"],
        "not_example": ["pick Knife"],
    }
    return {"rules": [{**rule, **given}]}


def test_a_lab_writes_rules_in_the_same_form() -> None:
    check = alone(*Rules.read(rule_of()).rules)
    assert check.judge(["pick Scissors"]).reason == "Scissors is sharp"
    assert check.judge(["pick Knife"]).verdict is Judgement.ALLOW


@pytest.mark.parametrize(
    "given",
    [
        {"level": "allow"},
        {"when": {"object": ["sharp"]}},
        {"when": {"act": ["pick"], "object": []}},
        {"when": {"act": ["pick"], "colour": ["red"]}},
        {"hazard": "silly"},
        {"words": "{nobody}"},
    ],
    ids=[
        "permits",
        "no act",
        "asks for nothing",
        "no such role",
        "no such hazard",
        "no such name",
    ],
)
def test_a_rule_that_permits_or_makes_no_sense_is_an_error(given: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError)):
        Rules.read(rule_of(**given))
