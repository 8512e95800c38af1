"""What is ill-formed, told from what the documentation says, without the code that is tested.

Each function says what is wrong with something, or "": what is wrong must never be allowed.
"""

import json
import math
import re
from typing import Any

DEEPEST = 50
FINITE = 1.7e308
ROLES = ("object", "recipient", "person", "place")
STEP = {"name", *ROLES, "parameters", "text"}
THING = {
    **dict.fromkeys(("name", "is", "at", "filled", "owner", "aid_of"), "name"),
    **dict.fromkeys(("on", "open", "dirty", "wet", "hot", "locked"), "flag"),
    "position": "position",
    "called": "names",
}
PERSON = {"name": "name", "place": "name", "position": "position", "kind": "kind"}
PLACE = {"name": "name", "position": "position", "zones": "names"}
ROBOT = {"at": "name", "position": "position", "holding": "names"}
SPOT = {"x", "y", "z", "yaw"}
POINT = {"positions", "velocities", "accelerations", "effort", "time"}
COMMAND = {"linear", "angular", "frame", "names", "points", "pose", "people", "joints"}
# Letters that spell no verb: an act in nothing but these is unknown.
_NO_ACT = re.compile(r"[bcdfghjklmnpqrstvwxz_ ]*[zqx]{2}[bcdfghjklmnpqrstvwxz_ ]*")


def plain(value: Any, depth: int = 0) -> str:
    """Of values that should be what JSON can say: with finite numbers and whole characters."""
    if depth > DEEPEST:
        return "too deep, or a cycle"
    if value is None or type(value) is bool:
        return ""
    if type(value) in (int, float):
        return "" if -FINITE < value < FINITE else "a number that is not finite"
    if isinstance(value, str):
        return "half a character" if re.search("[\ud800-\udfff]", value) else ""
    if type(value) in (list, tuple):
        return next(filter(None, (plain(part, depth + 1) for part in value)), "")
    if type(value) is dict:
        if not all(isinstance(key, str) for key in value):
            return "a key that is no string"
        return plain([*value, *value.values()], depth + 1)
    return f"a {type(value).__name__}"


def json_text(data: bytes) -> tuple[str, Any]:
    """Of JSON, and what it says."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise ValueError("a name twice")
        return dict(pairs)

    try:
        value = json.loads(data.decode(), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        return f"no JSON: {type(error).__name__}", None
    return plain(value), value


def question(value: Any, profile: Any) -> str:
    """Of a question to the checks. `profile`: of the robot, or None."""
    if not isinstance(value, dict):
        return "no object"
    if value.keys() - {"text", "plan", "world", "command"}:
        return "an unknown field"
    if not value.keys() - {"world"}:
        return "nothing is asked"
    wrong = plain(value)
    if "text" in value and not isinstance(value["text"], str):
        wrong = wrong or "a text that is none"
    if "plan" in value:
        wrong = wrong or plan(value["plan"], value.get("world"))
        wrong = wrong or (not_permitted(value["plan"], profile) if profile else "")
    if "command" in value:
        wrong = wrong or ("" if profile else "a motion without a profile")
        wrong = wrong or command(value["command"], profile)
    return wrong


def plan(steps: Any, about: Any) -> str:
    """Of a plan and its world."""
    wrong = plain(steps) or plain(about) or world(about)
    if wrong:
        return wrong
    if not isinstance(steps, list | tuple) or not steps:
        return "no steps"
    return next(filter(None, map(step, steps)), "")


def step(given: Any) -> str:
    """Of a step."""
    if isinstance(given, str):
        return "" if re.search(r"\w", given) else "a step without a word"
    if not isinstance(given, dict):
        return "a step that is none"
    if given.keys() - STEP:
        return "an unknown field"
    if not _name(given.get("name")) or _NO_ACT.fullmatch(given["name"].strip().casefold()):
        return "an unknown act"
    for role in ROLES:
        if given.get(role) is not None and not (given[role] == "" or _name(given[role])):
            return f"{role} is no name"
    parameters = given.get("parameters", {})
    if not isinstance(parameters, dict) or len(parameters) > 100:
        return "no parameters"
    if any(isinstance(value, list | tuple | dict) for value in parameters.values()):
        return "a parameter that is no scalar"
    return "" if isinstance(given.get("text", ""), str) else "a text that is none"


def not_permitted(steps: Any, profile: Any) -> str:
    """Of steps that the profile does not name."""
    for given in steps:
        if isinstance(given, dict):
            name = "_".join(given["name"].casefold().split())
            if name not in profile.actions:
                return f"no action {name}"
    return ""


def world(given: Any) -> str:
    """Of a world, which may be missing."""
    if given is None:
        return ""
    if not isinstance(given, dict) or given.keys() - {"objects", "people", "places", "robot"}:
        return "no world"
    for field, form in (("objects", THING), ("people", PERSON), ("places", PLACE)):
        entries = given.get(field, [])
        if not isinstance(entries, list | tuple):
            return f"{field} are no list"
        for entry in entries:
            if wrong := _entry(entry, form):
                return wrong
    return _entry(given.get("robot", {}), ROBOT, named=False)


def _entry(given: Any, form: dict[str, str], named: bool = True) -> str:
    if not isinstance(given, dict) or given.keys() - form.keys():
        return "an entry with an unknown field, or none"
    if named and not _name(given.get("name")):
        return "an entry without a name"
    for field, value in given.items():
        kind = form[field]
        if value is None and kind in ("name", "position"):
            continue
        right = {
            "name": _name(value),
            "flag": isinstance(value, bool),
            "kind": value in ("adult", "child", "patient") if isinstance(value, str) else False,
            "names": isinstance(value, list | tuple) and all(map(_name, value)),
            "position": numbers(value, 2),
        }[kind]
        if not right:
            return f"{field} is no {kind}"
    return ""


def _name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200


def command(given: Any, profile: Any) -> str:
    """Of a motion that is asked for in JSON."""
    if not isinstance(given, dict) or given.keys() - COMMAND:
        return "no command"
    linear, angular = given.get("linear", [0, 0, 0]), given.get("angular", [0, 0, 0])
    points, names = given.get("points", []), given.get("names", [])
    if not numbers(linear, 3) or not numbers(angular, 3):
        return "no vector"
    if not isinstance(points, list) or not isinstance(names, list):
        return "no list"
    people = given.get("people")
    if not isinstance(people, list | None):
        return "people who are no list"
    for spot in (given.get("pose"), *(people or ())):
        if spot is not None and (
            not isinstance(spot, dict)
            or spot.keys() - SPOT
            or not {"x", "y"} <= spot.keys()
            or not numbers(list(spot.values()), len(spot))
        ):
            return "no pose"
    for point in points:
        if not isinstance(point, dict) or point.keys() - POINT or "time" not in point:
            return "no point"
        if not numbers(point.get("positions"), len(names)):
            return "not a position for each joint"
    moves = any(linear) or any(angular)
    if points and moves:
        return "two motions at once"
    return twist(linear, angular, profile) if moves else ""


def twist(linear: Any, angular: Any, profile: Any) -> str:
    """Of a velocity that is not rest."""
    if not numbers(linear, 3) or not numbers(angular, 3):
        return "no vector"
    limits = profile.limits
    for vector, most in ((linear, limits.linear_speed), (angular, limits.angular_speed)):
        if math.hypot(*vector) > most * 1.001 and not profile.clamp:
            return "too fast"
    return "a turn over" if angular[0] or angular[1] else ""


def numbers(value: Any, count: int) -> bool:
    """Whether it is so many finite numbers."""
    return (
        type(value) in (list, tuple)
        and len(value) == count
        and all(type(part) in (int, float) and not plain(part) for part in value)
    )
