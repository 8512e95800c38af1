"""What the profile does not name, the planner may not: actions, parameters, things, places."""

from typing import Any

import pytest
from checks_profiles import profile_of

from redbutton.checks.own import plan_check_of
from redbutton.checks.permission import Permission
from redbutton.checks.plan import Action
from redbutton.checks.profile import EXAMPLES, RobotProfile, load
from redbutton.checks.verdict import Judgement

HOME = load(EXAMPLES / "home_manipulator.yaml")


def permission(profile: RobotProfile = HOME) -> Permission:
    return Permission(profile, plan_check_of(profile))


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize(
    ("action", "given", "reason"),
    [
        ("pick", {"object": "Knife"}, ""),
        ("pick", {"object": "kitchen knife"}, ""),
        ("pick", {"object": "Vase"}, "object of pick is no object of the profile: 'Vase'"),
        ("pick", {"object": 5}, "object of pick is no text"),
        ("pick", {}, "pick needs object"),
        ("pick", {"object": "Cup", "hard": 1}, "the profile lets pick have no hard"),
        ("go_to", {"place": "couch"}, ""),
        ("Go To", {"place": "sofa"}, ""),
        ("go_to", {"place": "balcony"}, "place of go_to is no place of the profile: 'balcony'"),
        ("go_to", {"place": "sofa", "speed": 0.4}, ""),
        (
            "go_to",
            {"place": "sofa", "speed": 0.41},
            "speed of go_to is not within 0.05 to 0.4 m/s",
        ),
        (
            "go_to",
            {"place": "sofa", "speed": True},
            "speed of go_to is not within 0.05 to 0.4 m/s",
        ),
        ("go_to", {"place": "sofa", "speed": float("nan")}, "speed of go_to is not within 0.05 "),
        (
            "go_to",
            {"place": "sofa", "speed": "0.3"},
            "speed of go_to is not within 0.05 to 0.4 m/s",
        ),
        ("hand_over", {"object": "cup", "person": "whoever"}, ""),
        ("say", {"text": "anything"}, ""),
        ("wash", {"object": "cup"}, "the profile has no action wash"),
    ],
)
def test_only_what_the_profile_names(action: str, given: dict[str, Any], reason: str) -> None:
    said = permission().of(action, given)
    assert said.reason.startswith(reason) and bool(said.reason) == bool(reason)


@pytest.mark.requirement("SR-24")
def test_without_an_entry_for_anybody_only_people_by_name() -> None:
    profile = HOME.model_copy(update={"people": {"anna": HOME.people["anna"]}})
    assert permission(profile).of("hand_over", {"object": "cup", "person": "Anna"}).rule == ""
    said = permission(profile).of("hand_over", {"object": "cup", "person": "Zoe"})
    assert said.rule == "profile.parameter"


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize(
    ("step", "rule"),
    [
        ({"name": "go to", "place": "sofa"}, ""),
        ({"name": "go to", "object": "sofa"}, ""),
        ({"name": "put", "object": "Cup", "recipient": "kitchen table"}, ""),
        ({"name": "hand over", "object": "Cup", "recipient": "anna"}, ""),
        ({"name": "put", "object": "Cup"}, "profile.parameter"),
        ({"name": "pick", "object": "Cup", "recipient": "Sink"}, "profile.parameter"),
        ({"name": "go to", "place": "sofa", "person": "anna"}, "profile.parameter"),
    ],
)
def test_the_roles_of_a_step_are_parameters(step: dict[str, Any], rule: str) -> None:
    said = permission().step(Action.model_validate(step), 3)
    assert (said.rule, said.step) == (rule, 3 if rule else None)


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize(
    ("act", "thing", "verdict"),
    [
        ("pick", "cup", Judgement.ALLOW),
        ("pick", "pan", Judgement.REFUSE),  # 2.5 kg, and the arm lifts 1.5 kg
        ("pick", "rollator", Judgement.HOLD),  # nothing says what it weighs
    ],
)
def test_the_arm_lifts_what_it_can(act: str, thing: str, verdict: Judgement) -> None:
    said = permission().step(Action(name=act, object=thing, parameters={}), 0)
    assert (said.verdict, said.rule) == (verdict, "profile.payload" if said.rule else "")


def test_the_mass_of_a_class_is_that_of_the_class_above() -> None:
    objects = {
        "part": {"mass": 2.0},
        "blade": {"is": "part"},
        "blank": {"is": "part", "mass": 0.5},
    }
    profile = profile_of(objects=objects)
    assert [profile.mass(name) for name in objects] == [2.0, 2.0, 0.5]
