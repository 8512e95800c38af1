"""What JSON cannot say is never allowed: found by `make fuzz`, and what belongs to it."""

import json
import math
import time
from decimal import Decimal
from typing import Any

import pytest

from redbutton.checks.goal import Goal, Seen, judge_goal
from redbutton.checks.motion import MotionCheck, Pose
from redbutton.checks.own import plan_check_of
from redbutton.checks.permission import Permission
from redbutton.checks.plain import DEEPEST, MOST, flaw
from redbutton.checks.plan import PlanCheck
from redbutton.checks.profile import EXAMPLES, load
from redbutton.checks.request import RequestCheck
from redbutton.checks.text import LONGEST, TextScreen
from redbutton.checks.verdict import Judgement, refused

HOME = load(EXAMPLES / "home_manipulator.yaml")
CYCLE: list[Any] = []
CYCLE.append(CYCLE)
NESTED: Any = 0
for _ in range(100_000):
    NESTED = [NESTED]
PERSON = {"x": 1.0, "y": 4.0}


@pytest.mark.parametrize(
    "value",
    [
        *(math.nan, math.inf, -math.inf, 10**400, -(10**400)),
        *("\ud800", {"\udfff": 1}, {1: 2j}, b"cup", {1.0, 2.0}, Decimal(1), object(), range(3)),
        *(CYCLE, NESTED, [0] * (MOST + 1), [[0] * MOST] * 2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_it_is_found_wherever_it_stands(value: Any) -> None:
    for given in (value, [value], {"a": (0, value)}):
        assert flaw(given)


def test_what_json_says_has_no_flaw() -> None:
    deep: Any = "\N{ROBOT FACE}\u200b\0"
    for _ in range(DEEPEST):
        deep = [deep]
    for given in (None, True, -0.0, 1e308, 2**63, "", {}, deep, {"a": [1, (2, "x")]}):
        assert flaw(given) == ""


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize(
    "fields",
    [
        {"parameters": {"speed": math.nan}},
        {"parameters": {"speed": math.inf}},
        {"parameters": {"speed": 10**400}},
        {"object": b"Cup"},
    ],
    ids=str,
)
def test_a_step_of_what_json_cannot_say_is_refused(check: PlanCheck, fields: Any) -> None:
    step = {"name": "pick", "object": "Cup"}
    assert check.judge([step]).verdict is Judgement.ALLOW
    assert check.judge([{**step, **fields}]).rule == "plan.malformed"


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize(
    "fields",
    [
        *({"position": ["1", 2]}, {"position": [True, 2]}, {"position": {1.0, 2.0}}),
        *({"on": "no"}, {"on": 0}, {"hot": "false"}, {"called": {"Mug"}}, {"name": b"Cup"}),
    ],
    ids=str,
)
def test_a_world_of_wrong_types_is_refused(
    check: PlanCheck, screen: TextScreen, fields: Any
) -> None:
    world = {"objects": [{"name": "Cup", "position": [1, 2.0], "on": False, **fields}]}
    assert check.judge(["pick Cup"], world).verdict is Judgement.REFUSE
    assert screen.judge("pick the cup", world).verdict is Judgement.REFUSE


@pytest.mark.requirement("SR-24")
def test_a_text_with_half_a_character_is_refused(screen: TextScreen) -> None:
    assert screen.judge("pick the cup\ud800").rule == "text.malformed"
    assert RequestCheck().judge(rb'{"plan": ["pick Cup"], "text": "\ud800"}').rule == (
        "request.malformed"
    )


@pytest.mark.requirement("SR-24")
def test_a_text_of_more_acts_than_are_read_waits_for_a_person(screen: TextScreen) -> None:
    assert screen.judge("look at the cup. " * 500).verdict is Judgement.ALLOW
    assert screen.judge("look at the cup. " * 501).rule == "text.too-much"
    assert screen.judge("throw the vase. " * 501).verdict is Judgement.REFUSE


@pytest.mark.parametrize("piece", ["by to pick ", "\ufdfa", "a " * 90])
def test_no_text_and_no_world_takes_long(check: PlanCheck, screen: TextScreen, piece: str) -> None:
    start = time.process_time()
    screen.judge((piece * LONGEST)[:LONGEST])
    mugs = [{"name": f"mug {i}", "called": [f"{piece[:100]} {i}"] * 20} for i in range(400)]
    check.judge(["pick mug"], {"objects": mugs})
    assert time.process_time() - start < 2.0


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize(
    "question",
    [
        b'{"plan": ["go to sofa"], "plan": ["go to sofa"]}',
        b'{"plan": [{"name": "go_to", "place": "stove", "place": "sofa"}]}',
        b'{"plan": [{"name": "say", "text": "hi", "parameters": {"volume": 1e999}}]}',
    ],
)
def test_a_question_that_others_may_read_otherwise_is_refused(question: bytes) -> None:
    for profile in (None, HOME):
        assert RequestCheck(profile).judge(question).rule == "request.malformed"


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({}, ""),
        ({"linear": [0.0, 0.0, 0.0]}, ""),
        ({"linear": [99.0, 0.0, 0.0]}, "motion.shape"),
        ({"angular": [0.0, 0.0, 0.1]}, "motion.shape"),
        ({"joints": {"wrist": 0.0, "other": math.inf}}, "request.malformed"),
        ({"people": [{**PERSON, "z": math.inf}]}, "request.malformed"),
    ],
    ids=str,
)
def test_nothing_of_a_command_is_left_unread(more: dict[str, Any], rule: str) -> None:
    command = {
        "names": ["wrist"],
        "points": [{"positions": [0.0], "time": 0.0}],
        "joints": dict.fromkeys(HOME.limits.joints, 0.0),
        "pose": {"x": 4.0, "y": 2.0},
        "people": [],
    }
    text = json.dumps({"command": {**command, **more}}).replace("Infinity", "1e999")
    assert RequestCheck(HOME).judge(text.encode()).rule == rule


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize(
    ("goal", "rule"),
    [
        (Goal("go_to", {"place": "sofa"}, [[]]), "motion.shape"),
        (Goal("say", {"text": "\ud800"}), "goal.malformed"),
        (Goal("fly\ud800"), "profile.action"),
    ],
)
def test_a_goal_without_poses_or_of_no_text_is_refused(goal: Goal, rule: str) -> None:
    permission = Permission(HOME, plan_check_of(HOME))
    seen = Seen(Pose(frame="map", x=4.0, y=2.0), (), {})
    said = judge_goal(permission, MotionCheck(HOME, 0.1), goal, seen, 0.0)
    assert said.rule == rule
    assert said.model_dump_json(), "it can be told"


def test_a_reason_can_be_told_whatever_it_quotes() -> None:
    assert refused("rule", "no \ud800").reason == "no ?"
