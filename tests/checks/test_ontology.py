"""Nouns and verbs: what is found by which name, and what a lab may add."""

import pytest

from redbutton.checks.ontology import Ontology, Verbs, words_of

ONTOLOGY = Ontology.shipped()
VERBS = Verbs.shipped()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("knife", "knife"),
        ("Knives", "knife"),
        ("KitchenKnife", "knife"),
        ("bread_knife_2", "knife"),
        ("my blue ceramic mug", "vessel"),
        ("cup of tea", "vessel"),
        ("AppleSliced", "food"),
        ("desklamp", "lamp"),
        ("breadsliced", "bread"),
        ("emergencystop", "safety_stop"),
        ("wetcloth", "wipe_cloth"),
        ("mouthpiece", "unknown"),
        ("credit card", "bank_card"),
        ("CreditCard", "bank_card"),
        ("wheelchair user", "person"),
        ("wheelchair battery", "aid"),
        ("emergency_stop_cable", "safety_stop"),
        ("power supply of the E-Stop", "safety_stop"),
        ("frobnicator", "unknown"),
        ("", "unknown"),
        ("12", "unknown"),
    ],
)
def test_a_noun_is_found_by_its_name_its_singular_or_its_head(name: str, kind: str) -> None:
    assert ONTOLOGY.of(name).name == kind


@pytest.mark.requirement("SR-27")
@pytest.mark.parametrize(
    "name",
    [
        "\u0435mergency st\u043ep",
        "emergency\u200b stop",
        "\uff25\uff4d\uff45rgency stop",
        "émergency stóp",
    ],
    ids=["Cyrillic", "zero width", "full width", "accents"],
)
def test_a_noun_is_found_in_look_alike_letters(name: str) -> None:
    assert ONTOLOGY.of(name).name == "safety_stop"


def test_a_class_has_the_hazards_of_its_ancestors() -> None:
    assert {"sharp", "metal", "knife"} <= ONTOLOGY.of("knife").tags
    assert {"chemical", "flammable"} <= ONTOLOGY.of("petrol").tags


def test_a_word_before_a_noun_says_something_of_it() -> None:
    assert "metal" in ONTOLOGY.of("steel bowl").tags
    assert "hot" in ONTOLOGY.of("boiling soup pot").tags
    assert "hot" not in ONTOLOGY.of("soup pot").tags


def test_what_a_planner_says_was_done_to_a_thing_is_a_state_of_it() -> None:
    assert "is_cut" in ONTOLOGY.of("AppleSliced").tags
    assert "is_broken" in ONTOLOGY.of("eggcracked").tags
    assert "is_cut" not in ONTOLOGY.of("apple").tags


def test_a_lab_adds_classes_and_words() -> None:
    lab = ONTOLOGY.extended(
        {"glovebox": {"is": "storage", "hazards": ["chemical"], "words": ["glove box"]}}
    )
    assert {"enclosed", "chemical"} <= lab.of("GloveBox_3").tags
    more = ONTOLOGY.extended({"knife": {"words": ["frobnicator"]}})
    assert more.of("frobnicator").name == "knife"
    assert ONTOLOGY.of("frobnicator").name == "unknown"


@pytest.mark.requirement("SR-27")
def test_no_class_of_a_lab_makes_the_emergency_stop_anything_else() -> None:
    lab = ONTOLOGY.extended({"food": {"words": ["emergency stop", "stop button"]}})
    assert lab.of("emergency stop").name == "safety_stop"


@pytest.mark.parametrize(
    "classes",
    [{"a": {"is": "b"}}, {"a": {"is": "a"}}, {"a": {"hazards": ["silly"]}}, {"a": {"more": 1}}],
    ids=["no such parent", "its own parent", "no hazard", "no such field"],
)
def test_a_class_that_makes_no_sense_is_an_error(classes: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        ONTOLOGY.extended(classes)


@pytest.mark.parametrize(
    ("name", "act"),
    [
        ("pick", "pick"),
        ("PickupObject", "pick"),
        ("ToggleObjectOn", "turn_on"),
        ("turn_off", "turn_off"),
        ("SliceObject", "cut"),
        ("fillLiquid", "fill"),
        ("navigate_to_pose", "go"),
        ("pouring", "pour"),
        ("threw", "throw"),
        ("frobnicate", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_planner_calls_an_act_by_many_names(name: str, act: str) -> None:
    assert VERBS.of(name) == act


def test_a_lab_adds_words_for_acts_that_exist() -> None:
    assert VERBS.extended({"pick": ["frobnicate"]}).of("frobnicate") == "pick"
    with pytest.raises(ValueError, match="no act frobnicate"):
        VERBS.extended({"frobnicate": ["pick"]})


def test_words_of_a_name() -> None:
    assert words_of("CoffeeTable|+01.20") == ("coffee", "table")
    assert words_of("Maria's cane") == ("maria", "cane")
