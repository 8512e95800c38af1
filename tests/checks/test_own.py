"""What a lab adds in its robot's profile: rules, policies and words, that make nothing easier."""

from typing import Any

import pytest
from checks_profiles import profile_of

from redbutton.checks.own import plan_check_of
from redbutton.checks.profile import RobotProfile, digest
from redbutton.checks.verdict import Judgement
from redbutton.errors import ProfileWrong

RULE: dict[str, Any] = {
    "id": "lab.wet-plants",
    "hazard": "property",
    "source": "the lab's own",
    "level": "hold",
    "when": {"act": ["pick"], "object": ["plant !knife"]},
    "words": "{object} may drip",
    "example": ["pick HousePlant"],
    "not_example": ["pick Cup"],
}


@pytest.mark.requirement("SR-24")
def test_a_rule_of_the_lab_holds() -> None:
    check = plan_check_of(profile_of(rules=[RULE]))
    said = check.judge(["pick HousePlant"])
    assert (said.verdict, said.rule) == (Judgement.HOLD, "lab.wet-plants")
    assert check.judge(["throw Vase"]).rule == "throw.hazard", "what is shipped still counts"


@pytest.mark.requirement("SR-24")
def test_a_policy_of_the_lab_forbids() -> None:
    policy = '@id("no-look") forbid(principal, action == Action::"look", resource);'
    said = plan_check_of(profile_of(policies=policy)).judge(["look at Cup"])
    assert (said.verdict, said.rule) == (Judgement.REFUSE, "policy.no-look")


@pytest.mark.requirement("SR-24")
def test_no_policy_of_the_lab_permits_the_safety_stop() -> None:
    check = plan_check_of(profile_of(policies="permit(principal, action, resource);"))
    assert check.judge(["unplug EmergencyStop"]).verdict is Judgement.REFUSE


def test_a_word_of_the_lab_is_one_for_an_act() -> None:
    check = plan_check_of(profile_of(verbs={"pick": ["zupf"]}))
    assert check.judge(["zupf Cup"]).verdict is Judgement.ALLOW


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"rules": [{**RULE, "id": "throw.hazard"}]}, "rule throw.hazard is there twice"),
        ({"rules": [{**RULE, "when": {"act": ["zupf"]}}]}, "there is no act zupf"),
        (
            {"rules": [{**RULE, "when": {"act": ["pick"], "object": ["grene"]}}]},
            "nothing is grene",
        ),
        ({"rules": [{**RULE, "example": ["pick Cup"]}]}, "does not object to its example"),
        ({"rules": [{**RULE, "not_example": ["pick HousePlant"]}]}, "its other example is held"),
        ({"policies": "permit(everything);"}, "policies: "),
        ({"verbs": {"zupf": ["pick"]}}, "there is no act zupf"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ProfileWrong, match=problem):
        plan_check_of(profile_of(**changes))


@pytest.mark.requirement("SR-26")
def test_a_changed_rule_is_another_profile() -> None:
    one, other = profile_of(rules=[RULE]), profile_of(rules=[{**RULE, "level": "refuse"}])
    assert digest(one) != digest(other)
    again = RobotProfile.model_validate(one.model_dump(mode="json", by_alias=True))
    assert digest(again) == digest(one)


@pytest.mark.requirement("SR-24")
def test_who_a_person_of_the_profile_is_counts_in_plans() -> None:
    people = {"default": {"distance": 0.5}, "tim": {"distance": 1.0, "who": "child"}}
    check = plan_check_of(profile_of(people=people))
    plan = ["pick Scissors", "hand Scissors to Tim"]
    assert check.judge(plan).rule == "hand.vulnerable"
    says_adult = {"people": [{"name": "Tim", "place": "Sofa"}]}
    assert check.judge(plan, says_adult).rule == "hand.vulnerable", "the world makes nobody older"
