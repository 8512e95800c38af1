"""What the profile does not name, the planner may not: actions, parameters, things, places."""

from typing import Any

import pytest
import shapely
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
        (
            "hand_over",
            {"object": "Knife", "person": "Anna"},
            "object of hand_over brings a hazard that it must not, sharp: 'Knife'",
        ),
        ("go_to", {"place": "kitchen"}, ""),  # a zone of kind speed
        ("go_to", {"place": "stove"}, "place of go_to is a zone kept out of: 'stove'"),
        ("go_to", {"place": "bed"}, "place of go_to is a zone of people: 'bed'"),
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


@pytest.mark.requirement("SR-24")
def test_an_object_is_of_the_class_that_a_parameter_asks_for_or_below() -> None:
    heat = HOME.actions["heat"]
    asked = heat.parameters["object"].model_copy(update={"of": "utensil"})
    parameters = {**heat.parameters, "object": asked}
    actions = {**HOME.actions, "heat": heat.model_copy(update={"parameters": parameters})}
    may = permission(HOME.model_copy(update={"actions": actions}))
    assert may.of("heat", {"object": "Knife", "time": 20}).rule == ""  # a knife is a utensil
    said = may.of("heat", {"object": "Cup", "time": 20})
    assert said.reason == "object of heat is no utensil: 'Cup'"


@pytest.mark.requirement("SR-24")
def test_a_zone_of_kind_speed_stands_for_a_point_in_it() -> None:
    zone = next(zone for zone in HOME.zones if zone.name == "kitchen")
    assert shapely.Polygon(zone.polygon).contains(shapely.Point(HOME.positions()["kitchen"]))
    assert "stove" not in HOME.positions()
