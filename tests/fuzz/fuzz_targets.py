"""What is fuzzed: a table of targets. Each takes bytes, makes an input of them, and raises
AssertionError where its property does not hold.

The property of all checks: whatever they are asked they give one verdict, within a second, and
never `allow` for what the oracle says is ill-formed.
"""

import atexit
import base64
import json
import math
import os
import random
import shutil
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import fuzz_oracle as oracle
import yaml
from fuzz_source import CHARACTERS, IN_JSON, SPECIAL, Source, said_twice

from redbutton.approval.ballot import DIGEST_SIZE, ID_DIGITS, SIGNATURE_SIZE
from redbutton.approval.channel import Channel, Operators, Report
from redbutton.approval.desk import Desk, Outcome
from redbutton.checks.goal import Goal, Seen, Trajectory, judge_goal
from redbutton.checks.motion import JointPoint, MotionCheck, MotionVerdict, PersonSeen, Pose
from redbutton.checks.own import plan_check_of
from redbutton.checks.permission import Permission
from redbutton.checks.plan import PlanCheck
from redbutton.checks.profile import FAR, RobotProfile, digest, examples, load
from redbutton.checks.request import RequestCheck
from redbutton.checks.text import LONGEST, TextScreen
from redbutton.checks.verdict import Judgement, Verdict
from redbutton.errors import ProfileWrong
from redbutton.firmware import wire
from redbutton.local import StopRequest
from redbutton.local_server import Server
from redbutton.model import SafetyState, State
from redbutton.session import FRESH_S, Session

LONGEST_S = 1.0  # for one input, of the processor's time
COUNT = 200  # seeds of a target, at most
KEY = bytes(range(32))


class Target(NamedTuple):
    """`run`: an input; `seeds`: inputs to begin with; `choices`: they are bytes for a Source."""

    run: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]
    choices: bool = True


# --- what they share


@contextmanager
def in_time() -> Iterator[None]:
    """No input takes longer than a second."""
    start = time.process_time()
    yield
    took = time.process_time() - start
    assert took < LONGEST_S, f"it took {took:.1f} s"


def one_verdict(said: object, wrong: str) -> Verdict:
    """It is one, complete, and does not allow what is wrong."""
    assert type(said) is Verdict, f"no verdict but {said!r}"
    fields = {"verdict", "rule", "step", "reason", "hazards"}
    assert set(json.loads(said.model_dump_json())) == fields
    assert bool(said.hazards) == (said.verdict is not Judgement.ALLOW)
    assert said.step is None or said.step >= 0
    if said.verdict is Judgement.ALLOW:
        assert not wrong, f"allowed: {wrong}"
    else:
        assert said.rule and said.reason, "an objection without a rule or a reason"
    return said


@cache
def profiles() -> list[RobotProfile]:
    """The examples."""
    return [load(path) for path in examples().values()]


@cache
def plans() -> list[dict[str, Any]]:
    """Plans with their worlds, most of them allowed: two with much in them, again and again, and
    such as the rules give as examples."""
    rules = yaml.safe_load((examples()["arm_cell"].parent.parent / "rules.yaml").read_text())
    found = []
    for rule in rules["rules"]:
        for name in ("not_example", "example"):
            case = rule[name] if isinstance(rule[name], dict) else {"plan": rule[name]}
            found.append({"plan": case["plan"], "world": case.get("world")})
    step = {"name": "pick", "object": "Cup", "parameters": {"speed": 0.1}, "text": "the cup"}
    place = {"name": "put", "object": "Cup", "place": "sofa"}
    mug = {"name": "Mug", "is": "cup", "at": "Table", "position": [1.0, 2.0], "on": False}
    world = {
        "objects": [mug],
        "people": [{"name": "Anna", "place": "Sofa", "kind": "adult"}],
        "places": [{"name": "Kitchen", "position": [9.0, 9.0], "zones": ["room"]}],
        "robot": {"at": "Kitchen", "holding": []},
    }
    own = [{"plan": [step, place], "world": None}, {"plan": ["pick Mug"], "world": world}]
    allowed = [one for one in found if plan_check().judge(**one).verdict is Judgement.ALLOW]
    return [*own * 30, *allowed, *found[::10]]


@cache
def texts() -> list[str]:
    """The phrases that the rules give as examples, and steps in words."""
    rules = yaml.safe_load((examples()["arm_cell"].parent.parent / "rules.yaml").read_text())
    found = [phrase["example"] for phrase in rules["phrases"]]
    found += [step for plan in plans() for step in plan["plan"] if isinstance(step, str)]
    return found


def commands() -> list[dict[str, Any]]:
    """Motions, of which the example profiles allow some."""
    pose, people = {"x": 5, "y": 2.5, "yaw": 0.1}, [{"x": 1.0, "y": 1.0, "z": 0.0}]
    arm = {"wrist": 0.0, "elbow": 0.1}
    points = [
        {"positions": [0.0, 0.1], "time": 0.0, "velocities": [0.0, 0.0]},
        {"positions": [0.1, 0.1], "time": 2.0, "velocities": [0.0, 0.0]},
    ]
    return [
        {"linear": [0.01, 0, 0], "angular": [0, 0, 0.01], "pose": pose, "people": people}
        | {"joints": arm},
        {"names": list(arm), "points": points, "joints": arm, "pose": pose, "people": []},
        {"linear": [9.0, 0, 0], "pose": pose, "people": people, "frame": "base_link"},
        {},
    ]


@cache
def questions() -> list[dict[str, Any]]:
    """In JSON."""
    found = [{name: value for name, value in plan.items() if value} for plan in plans()]
    found += [{"command": command} for command in commands()] * 20
    found += [{"text": text} for text in texts()[:20]]
    home = [{"name": "pick", "object": "cup"}, {"name": "go_to", "place": "sofa"}]
    return [{"plan": home}, {"plan": home, "text": "bring the cup", "world": {}}, *found]


def choices(*counts: int) -> list[bytes]:
    """Seeds of a target that begins with choices of one of so many: as it is, and changed."""
    found = [b""]
    for count in counts:
        size = 1 if count <= 256 else 2
        found = [one + i.to_bytes(size, "little") for one in found for i in range(count)]
    few = found[:: 1 + len(found) // COUNT]
    chance = random.Random(0)
    return [one + more for one in few for more in (b"", chance.randbytes(60))]


# --- questions, plans, texts


@cache
def request_checks() -> list[tuple[RequestCheck, RobotProfile | None]]:
    """Without a profile, and with each example."""
    return [(RequestCheck(profile), profile) for profile in (None, *profiles())]


def request_bytes(data: bytes) -> None:
    """A question as bytes: what is no JSON in UTF-8 is not allowed."""
    wrong, value = oracle.json_text(data)
    for check, profile in request_checks():
        with in_time():
            said = check.judge(data)
        one_verdict(said, wrong or oracle.question(value, profile))


def request(data: bytes) -> None:
    """A question that was changed as JSON."""
    source = Source(data)
    check, profile = source.pick(request_checks())
    value = source.changed(source.pick(questions()), IN_JSON)
    try:
        text = json.dumps(value)
    except (ValueError, RecursionError):
        return  # a cycle cannot be written
    if source.below(2):
        text = text.replace("Infinity", "1e999")
    if source.below(8) == 7:
        text = said_twice(text, source)
    wrong, again = oracle.json_text(text.encode())
    with in_time():
        said = check.judge(text.encode())
    one_verdict(said, wrong or oracle.question(again, profile))


@cache
def plan_check() -> PlanCheck:
    """The one that is shipped."""
    return PlanCheck()


def plan(data: bytes) -> None:
    """A plan and its world as Python's objects, of wrong types too."""
    source = Source(data)
    asked = source.changed(source.pick(plans()))
    steps, world = (asked.get("plan"), asked.get("world")) if type(asked) is dict else (asked,) * 2
    wrong = oracle.plan(steps, world)
    with in_time():
        said = plan_check().judge(steps, world)
    one_verdict(said, wrong)


@cache
def screen() -> TextScreen:
    """The one that is shipped."""
    return TextScreen(plan_check())


def text(data: bytes) -> None:
    """A text that was changed, in a world that was."""
    source = Source(data)
    plain = source.pick(texts())
    how = source.below(4)
    given: Any = plain
    if how == 1:
        for _ in range(source.below(16)):
            at = source.below(len(given) + 1)
            given = given[:at] + source.pick(CHARACTERS) + given[at:]
    elif how == 2:
        given = source.changed(plain)
    elif how == 3:
        piece = source.take(1 + source.below(60)).decode(errors="replace")
        given = (source.pick((piece, plain + piece)) * LONGEST)[: source.pick((60, 900, LONGEST))]
    world = source.changed(source.pick(plans()).get("world")) if source.below(2) else None
    wrong = oracle.plain(given) or ("" if isinstance(given, str) else "no text")
    wrong = wrong or oracle.plain(world) or oracle.world(world)
    with in_time():
        said = screen().judge(given, world)
    one_verdict(said, wrong)


@cache
def harmful() -> list[str]:
    """Texts that are objected to, in small letters: between two words of one, a sign that is not
    seen would hide that they are two."""
    plain = [text.lower() for text in texts()]
    return [text for text in plain if screen().judge(text).verdict is not Judgement.ALLOW]


def hidden(data: bytes) -> None:
    """Characters that nobody sees, within a phrase that is objected to: still objected to."""
    source = Source(data)
    given = source.pick(harmful())
    for _ in range(1 + source.below(16)):
        at = source.below(len(given) + 1)
        given = given[:at] + source.pick(HIDDEN) + given[at:]
    with in_time():
        said = screen().judge(given)
    one_verdict(said, "harm, as before")


HIDDEN = (
    "\u200b\u200c\u200d\u2060\ufeff\u202e\u202c\u2066\u00ad\u0301\u0336\ufe0f\x00\x08\U000e0041"
)


# --- motion


def motion(data: bytes) -> None:
    """Commands one after the other, of one stream: what is cut stays within the limits."""
    source = Source(data)
    profile = source.pick(profiles())
    check = MotionCheck(profile, 0.1)
    now = 0.0
    for _ in range(1 + source.below(6)):
        now += source.pick((0.02, 0.1, 1.0, 0.0, -1.0))
        ask = source.pick((_velocity, _trajectory, _goal_pose, _path))
        said, wrong = ask(source, check, profile, now)
        assert type(said) is MotionVerdict
        one_verdict(said.verdict, wrong)
        most = profile.limits.linear_speed, profile.limits.angular_speed
        for vector, limit in zip((said.linear, said.angular), most, strict=True):
            if vector is not None:
                assert said.allowed and math.hypot(*vector) <= limit * 1.001, f"cut to {vector}"


def _velocity(
    source: Source, check: MotionCheck, profile: RobotProfile, now: float
) -> tuple[MotionVerdict, str]:
    at, pose, people = source.number((now,)), _pose(source, profile), _people(source)
    linear, angular = _vector(source, 0.3), _vector(source, 0.0)
    frame: Any = source.mostly((*profile.base_frames, "map"))
    with in_time():
        said = check.twist(linear, angular, frame, at, pose, people)
    wrong = "" if oracle.numbers([at], 1) else "no time"
    if not _is_rest(linear, angular):
        wrong = wrong or oracle.twist(linear, angular, profile) or _wrong_around(pose, people)
        wrong = wrong or ("" if frame in profile.base_frames else "not the base's frame")
    return said, wrong


def _trajectory(
    source: Source, check: MotionCheck, profile: RobotProfile, now: float
) -> tuple[MotionVerdict, str]:
    at, pose, people = source.number((now,)), _pose(source, profile), _people(source)
    way, wrong, joints = _way(source, profile)
    with in_time():
        said = check.trajectory(way.names, way.points, at, joints, pose, people)
    if way.points:
        wrong = wrong or _wrong_around(pose, people) or oracle.plain(joints)
        wrong = wrong or ("" if joints else "nobody knows the joints")
    return said, wrong or ("" if oracle.numbers([at], 1) else "no time")


def _goal_pose(
    source: Source, check: MotionCheck, profile: RobotProfile, _: float
) -> tuple[MotionVerdict, str]:
    pose = _pose(source, profile)
    with in_time():
        said = check.goal(pose, 0.0)
    return said, _wrong_way([pose])


def _path(
    source: Source, check: MotionCheck, profile: RobotProfile, _: float
) -> tuple[MotionVerdict, str]:
    poses = [_pose(source, profile) for _ in range(source.below(4))]
    with in_time():
        said = check.path(poses, 0.0)
    return said, _wrong_way(poses)


def _wrong_way(poses: list[Any]) -> str:
    if not poses or any(pose is None for pose in poses):
        return "a way without a pose"
    return next(filter(None, (_wrong_around(pose, []) for pose in poses)), "")


def _is_rest(linear: Any, angular: Any) -> bool:
    return (
        oracle.numbers(linear, 3)
        and oracle.numbers(angular, 3)
        and not any(linear)
        and not any(angular)
    )


def _vector(source: Source, usual: float) -> Any:
    """Mostly of numbers: the usual one, or others."""
    vector = [source.number((usual, 0.0, 0.01, -0.01, 5.0)) for _ in range(3)]
    return source.mostly((tuple(vector), vector))


def _pose(source: Source, profile: RobotProfile) -> Any:
    pose = Pose.model_construct(
        frame=source.mostly((profile.frame,), ("odom", *SPECIAL)),
        x=source.number((5.0, 0.5, -0.3, 0.0, 2.0, 1e6)),
        y=source.number((2.0, 0.1, -0.3, 0.0, 5.0, -1e6)),
        z=source.number((0.2, 0.0, 1.0)),
        yaw=source.number((0.0, 0.5, 2.0, -5.0, 1e6)),
        stamp=source.number((0.0, 0.02, 0.1, 1.0)),
    )
    return source.mostly((pose,))


def _people(source: Source) -> Any:
    people = [
        PersonSeen.model_construct(
            name=source.pick(("", "anna", "zzqx")),
            **{name: source.number((100.0, 1.0, 1e6)) for name in ("x", "y", "stamp")},
        )
        for _ in range(source.below(3))
    ]
    return source.mostly((people, tuple(people)))


def _wrong_around(pose: Any, people: Any) -> str:
    """Of where robot and people are: numbers that are none."""
    if pose is not None and type(pose) is not Pose:
        return "a pose that is none"
    numbers = [pose.x, pose.y, pose.z, pose.yaw, pose.stamp] if pose is not None else []
    if type(people) not in (list, tuple, type(None)):
        return "people who are no list"
    for person in people or ():
        if type(person) is not PersonSeen:
            return "a person who is none"
        numbers += [person.x, person.y, person.stamp]
    return "" if oracle.numbers(numbers, len(numbers)) else "a place that is not finite"


def _way(source: Source, profile: RobotProfile) -> tuple[Trajectory, str, Any]:
    """A trajectory, what is wrong with it, and where the joints are."""
    known = [*profile.limits.joints] or ["none"]
    names: Any = source.changed(known[: 1 + source.below(2)])
    joints: Any = source.changed(dict.fromkeys(known, 0.0))
    wrong = ""
    points = []
    width = len(names) if isinstance(names, list) else 1
    for i in range(source.below(4)):
        point = source.changed({"positions": [0.01 * i] * width, "time": 1.0 + i})
        wrong = wrong or oracle.plain(point)
        if type(point) is not dict or point.keys() != {"positions", "time"}:
            return Trajectory(names, [point]), "a point that is none", joints
        if not oracle.numbers(point["positions"], width) or not oracle.numbers([point["time"]], 1):
            wrong = wrong or "not a number for each joint"
        points.append(JointPoint(**point))
    if type(names) not in (list, tuple) or not all(
        isinstance(name, str) and name in profile.limits.joints for name in names
    ):
        wrong = wrong or "a joint that is not known"
    return Trajectory(names, points), wrong, joints


@cache
def permissions() -> list[tuple[Permission, RobotProfile]]:
    """Of each example."""
    return [(Permission(profile, plan_check_of(profile)), profile) for profile in profiles()]


def goal(data: bytes) -> None:
    """Goals of actions."""
    source = Source(data)
    permission, profile = source.pick(permissions())
    action: Any = source.mostly(list(profile.actions))
    entry = profile.actions.get(action) if type(action) is str else None
    usual: dict[str, Sequence[Any]] = {
        "object": list(profile.objects),
        "place": list(profile.places),
        "person": list(profile.people),
        "number": (20.0, 0.1, 1e9),
    }
    parameters: Any = {
        name: source.mostly(usual.get(parameter.type.value) or ("words",))
        for name, parameter in (entry.parameters.items() if entry else ())
    }
    parameters = source.changed(parameters)
    ways: Any = [
        [_pose(source, profile) for _ in range(source.below(4))] for _ in range(source.below(3))
    ]
    wrong = oracle.plain(parameters)
    if type(action) is not str or "_".join(action.casefold().split()) not in profile.actions:
        wrong = wrong or "an action that the profile has not"
    for poses in ways:
        wrong = wrong or _wrong_way(poses)
    way, more, joints = _way(source, profile)
    if source.below(2):
        asked = Goal(action, parameters, ways, [way])
        wrong = wrong or more
    else:
        asked = Goal(action, parameters, ways)
    seen = Seen(_pose(source, profile), _people(source), joints)
    with in_time():
        said = judge_goal(permission, MotionCheck(profile, 0.1), asked, seen, 0.0)
    one_verdict(said, wrong)


# --- profiles


@cache
def folder() -> Path:
    """For files and sockets, as long as the program runs."""
    path = tempfile.mkdtemp(prefix="redbutton-fuzz-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


def profile_bytes(data: bytes) -> None:
    """A file: a whole profile of finite numbers that can be used, or one line of what is wrong."""
    path = folder() / "robot.yaml"
    path.write_bytes(data)
    with in_time():
        try:
            found = load(path)
        except ProfileWrong as error:
            said = str(error)
            assert said.startswith(str(path)) and said.isprintable(), said
            return
        digest(found)
        MotionCheck(found, 0.1)
        Permission(found, plan_check_of(found))
    wrong = oracle.plain(found.model_dump(mode="json"))
    assert not wrong, f"loaded: {wrong}"
    assert found.limits.linear_speed <= FAR


@cache
def profile_fields() -> list[Any]:
    """Of the examples, shortened: YAML is read slowly."""
    found = [yaml.safe_load(path.read_text()) for path in examples().values()]
    for one in found:
        for part in (one, one["limits"]):
            for name in part.keys() & {"joints", "objects", "places", "actions"}:
                part[name] = dict([*part[name].items()][:2])
    return found


class _Plain(yaml.SafeDumper):
    """Writes no anchors; and what is no YAML as its text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Plain.add_representer(None, lambda dumper, data: dumper.represent_str(type(data).__name__))


def profile(data: bytes) -> None:
    """A profile that was changed as YAML."""
    source = Source(data)
    fields = source.changed(source.pick(profile_fields()), IN_JSON)
    try:
        text = yaml.dump(fields, Dumper=_Plain)
    except RecursionError:
        return  # it cannot be written
    profile_bytes(text.encode(errors="surrogatepass"))


# --- the serial link and the sockets


def frames(data: bytes) -> None:
    """Bytes from the controller: only a status that echoes a question of ours is believed."""
    source = Source(data)
    session = Session(KEY if source.below(2) else None, first_sequence=source.below(4))
    now, heard = 0.0, b""
    session.opened(now)
    while part := _line(source):
        now += source.pick((0.001, 0.01, 0.2))
        with in_time():
            session.receive(part, now)
            state = session.state(now)
            said = session.answer(now, alive=bool(source.below(2)))
        heard += part
        if state.state is not State.UNKNOWN:
            assert state.age_ms is not None and 0 <= state.age_ms <= FRESH_S * 1000
            found = [wire.decode(line) for line in heard.split(b"\n")]
            assert any(one is not None and one[1] == wire.STATUS for one in found), "made up"
        state.sentence()
        for line in said.split(b"\n"):
            assert not line or wire.decode(line) is not None
    for line in data.split(b"\n"):
        if (frame := wire.decode(line)) is not None:
            version, kind, sequence, payload = frame
            assert wire.encode(kind, sequence, payload, version).strip(b"\n") == line


def _line(source: Source) -> bytes:
    """Noise, or a frame: of any kind, as long as it should be or not, echoing anything."""
    kinds = {
        wire.HELLO: wire.HELLO_LAYOUT,
        wire.STATUS: wire.STATUS_LAYOUT,
        wire.EVENT: wire.EVENT_LAYOUT,
        wire.ATTEST: wire.ATTEST_LAYOUT,
        wire.JOURNAL: wire.JOURNAL_LAYOUT,
        wire.WITNESS: wire.WITNESS_LAYOUT,
    }
    how = source.below(8)
    if how == 7:
        return source.take(source.below(256))
    kind = source.pick([*kinds])
    size = struct.calcsize(kinds[kind]) + (source.below(3) - 1 if how == 6 else 0)
    payload = source.take(size)
    if not payload:
        return b""
    version = wire.VERSION if how else source.below(4)
    return wire.encode(kind, source.below(300), payload.ljust(size, b"\1"), version)


def frame_seeds() -> list[bytes]:
    """A status of each state after an echo, an event, a hello."""
    found = []
    for state in range(6):
        fields = [b"\1" * 8, 7, 9, state, 0xFF, 3, 0xFF, 0, 0, 1, 1, *([0] * 7)]
        payload = struct.pack(wire.STATUS_LAYOUT, *fields)
        found.append(bytes((1, 0, 1, 1)) + payload + b"\1\0\0\0")
    return [*found, *(bytes((1, 0, 1, kind)) + bytes(100) for kind in range(5))]


@cache
def server() -> Server:
    """Of the owner of the port."""
    return Server(folder() / "owner.sock")


@cache
def channel() -> tuple[Channel, list[Report]]:
    """Of the operators; nobody has the other half of the approver's key."""
    reports: list[Report] = []
    public = base64.b64decode(next(iter(profiles()[0].approvers.values())))
    desk = Desk({"anna": public}, bytes(DIGEST_SIZE))
    operators = Operators(
        group=os.getegid(), users=frozenset({os.geteuid()}), planners=frozenset()
    )
    return Channel(folder() / "operator" / "a.sock", desk, operators, reports.append), reports


def lines(data: bytes) -> None:
    """Lines to the sockets: stops only where a line asks for one, and no vote ever counts."""
    path, operator = folder() / "owner.sock", folder() / "operator" / "a.sock"
    owner, (desk, reports) = server(), channel()
    with socket.socket(socket.AF_UNIX) as client, in_time():
        client.connect(str(path))
        client.sendall(data[:4000] + b"\n")
        stops = owner.turn(SafetyState(), 0.0)
    for stop in stops:
        assert type(stop.request) is StopRequest and stop.request.category in (0, 1)
    assert sum(stop.times for stop in stops) <= data.count(b'"stop"') + data.count(b"\\u")
    owner.turn(SafetyState(), 0.0)
    reports.clear()
    with socket.socket(socket.AF_UNIX) as client, in_time():
        client.connect(str(operator))
        client.sendall(data[:4000] + b"\n")
        for _ in range(4):
            desk.turn(0.0)
    desk.turn(0.0)
    for report in reports:
        assert report.counted is None or report.counted.outcome is not Outcome.COUNTED


def line_seeds() -> list[bytes]:
    """What clients may say."""
    vote: dict[str, Any] = {
        "id": "0" * ID_DIGITS,
        "approver": "anna",
        "decision": "approve",
        "made": 1.0,
    }
    vote["signature"] = "0" * 2 * SIGNATURE_SIZE
    said: list[Any] = [
        *({"stop": {}}, {"stop": {"category": 1, "reason": "x"}}, {"journal": {"sequence": 1}}),
        *({"ask": "pending"}, {"ask": "subscribe"}, {"vote": vote}, {}),
    ]
    return [json.dumps(one).encode() for one in said]


TARGETS = {
    "request_bytes": Target(
        request_bytes, lambda: [json.dumps(one).encode() for one in questions()[::2]], False
    ),
    "request": Target(request, lambda: choices(len(request_checks()), len(questions()))),
    "plan": Target(plan, lambda: choices(len(plans()))),
    "text": Target(text, lambda: choices(len(texts()))),
    "hidden": Target(hidden, lambda: choices(len(harmful()))),
    "motion": Target(motion, lambda: choices(len(profiles()), 6, 5)),
    "goal": Target(goal, lambda: choices(len(profiles()), 9, 6)),
    "profile_bytes": Target(
        profile_bytes,
        lambda: [yaml.dump(one, Dumper=_Plain).encode() for one in profile_fields()],
        False,
    ),
    "profile": Target(profile, lambda: choices(len(profiles()))),
    "frames": Target(frames, frame_seeds),
    "lines": Target(lines, line_seeds, False),
}
