"""A question to the checks in JSON: {"text", "plan", "world", "command"}, of which one is needed.

| field | what |
|---|---|
| text | what the planner wants, in its own words: never permits, may hold or refuse |
| plan | a list of steps, see `redbutton.checks.plan` |
| world | what the plan and the text are about, see `redbutton.checks.world` |
| command | a motion from rest, see `Command`; needs a robot's profile |
"""

import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

from pydantic import Field, ValidationError

from redbutton.checks.motion import JointPoint, MotionCheck, PersonSeen, Pose
from redbutton.checks.ontology import Ontology
from redbutton.checks.plan import Action, PlanCheck
from redbutton.checks.profile import Parameter, RobotProfile, WithoutScreen
from redbutton.checks.text import TextScreen
from redbutton.checks.verdict import ALLOWED, Judgement, Verdict, worst
from redbutton.model import Frozen

LONGEST = 1_000_000  # bytes
FIELDS = frozenset(("text", "plan", "world", "command"))
STOP_LATENCY_S = 0.11  # with a lost heartbeat, the longest of all stops

Number = Annotated[float, Field(strict=True)]  # what is not finite is the checks' to refuse
Vector = tuple[Number, Number, Number]


class Place(Frozen):
    """In the profile's frame: m and rad. `z`, `yaw` of people do not matter."""

    x: Number
    y: Number
    z: Number = 0.0
    yaw: Number = 0.0


class Point(Frozen):
    """Of a trajectory: one number for each joint, in rad or m; `time` in s from its start."""

    positions: tuple[Number, ...]
    velocities: tuple[Number, ...] = ()
    accelerations: tuple[Number, ...] = ()
    effort: tuple[Number, ...] = ()
    time: Number


class Command(Frozen):
    """A velocity (`linear` in m/s, `angular` in rad/s, in `frame`), or a trajectory of the joints
    `names` through `points`. `pose`: where the robot is. `people`: all who are seen. `joints`:
    where the joints are. What is not given is not known."""

    linear: Vector = (0.0, 0.0, 0.0)
    angular: Vector = (0.0, 0.0, 0.0)
    frame: str | None = None
    names: tuple[str, ...] = ()
    points: tuple[Point, ...] = ()
    pose: Place | None = None
    people: tuple[Place, ...] | None = None
    joints: dict[str, Number] | None = None


class RequestCheck:
    """Judges questions."""

    def __init__(
        self,
        profile: RobotProfile | None = None,
        meaning: Callable[[str], Verdict] | None = None,
        longest: int = LONGEST,
    ) -> None:
        """`profile`: of the robot; without one no motion passes. `meaning`: a learned check of
        texts, that may only object. `longest`: question that is judged, in bytes."""
        self._longest = longest
        self._profile = profile
        self._meaning = meaning
        self._plans = PlanCheck(ontology=_ontology(profile))
        self._texts = TextScreen(self._plans)

    def judge(self, question: bytes) -> Verdict:
        """The worst verdict on what is asked. Never raises."""
        if len(question) > self._longest:
            return _refused("request.malformed", f"more than {self._longest} bytes")
        try:
            given = json.loads(question.decode("utf-8"), parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            return _refused("request.malformed", f"not JSON in UTF-8: {type(error).__name__}")
        if not isinstance(given, dict):
            return _refused("request.malformed", "not a JSON object")
        if unknown := given.keys() - FIELDS:
            return _refused("request.malformed", f"unknown field {min(unknown)[:60]!r}")
        return worst(self._verdicts(given))

    def _verdicts(self, given: dict[str, Any]) -> Iterator[Verdict]:
        world = given.get("world")
        if not given.keys() - {"world"}:
            yield _refused("request.empty", "neither text nor plan nor command")
        if "plan" in given:
            yield self._plans.judge(given["plan"], world)
            yield from self._permitted(given["plan"])
        if "text" in given:
            yield self._texts.judge(given["text"], world)
            yield self._meant(given["text"])
        if "command" in given:
            yield self._motion(given["command"])

    def _permitted(self, plan: Any) -> Iterator[Verdict]:
        """Of steps that the profile does not let the planner take, or not so."""
        if self._profile is None or not isinstance(plan, list):
            return
        for number, step in enumerate(plan):
            try:
                action = Action.model_validate(self._plans.action(step))
            except (ValueError, TypeError):
                return  # ill-shaped, which the check of plans refuses
            name = "_".join(action.name.casefold().split())
            entry = self._profile.actions.get(name)
            if entry is None:
                reason = f"the profile has no action {name[:60]!r}"
                yield _refused("plan.action", reason, number)
                return
            for key, value in action.parameters.items():
                allowed = entry.parameters.get(key)
                if allowed is None or not _fits(allowed, value):
                    reason = f"the profile does not let {name} have such a {key[:60]!r}"
                    yield _refused("plan.parameter", reason, number)
                    return

    def _meant(self, text: Any) -> Verdict:
        if self._meaning is not None:
            said = self._meaning(text)
            return said if said.verdict is not Judgement.REFUSE else _held(said.rule, said.reason)
        if self._profile is None or self._profile.text_without_screen is WithoutScreen.ALLOW:
            return ALLOWED
        return _held("text.no_screen", "nothing here reads what texts mean, and the profile holds")

    def _motion(self, given: object) -> Verdict:
        if self._profile is None:
            return _refused("motion.no_profile", "no profile says how this robot may move")
        try:
            command = Command.model_validate(given)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(map(str, first["loc"]))
            return _refused("motion.shape", f"{field}: {first['msg']}"[:300])
        check = MotionCheck(self._profile, STOP_LATENCY_S)
        pose: Pose | None = None
        if command.pose is not None:
            where = command.pose.model_dump()
            pose = Pose.model_construct(frame=self._profile.frame, stamp=0.0, **where)
        people: list[PersonSeen] | None = None
        if command.people is not None:
            people = [PersonSeen.model_construct(x=p.x, y=p.y, stamp=0.0) for p in command.people]
        if not command.points:
            frame = command.frame or next(iter(self._profile.base_frames), "")
            return check.twist(command.linear, command.angular, frame, 0.0, pose, people).verdict
        points = [
            JointPoint(
                point.positions, point.time, point.velocities, point.accelerations, point.effort
            )
            for point in command.points
        ]
        return check.trajectory(command.names, points, 0.0, command.joints, pose, people).verdict


def _no_number(name: str) -> object:
    raise ValueError(name)


def _ontology(profile: RobotProfile | None) -> Ontology | None:
    """What is shipped, with the profile's own classes of objects."""
    if profile is None or not profile.objects:
        return None
    return Ontology.shipped().extended(
        {
            name: {
                "is": [entry.parent] if entry.parent else [],
                "hazards": sorted(entry.hazards),
                "words": [*entry.words, name.replace("_", " ")],
            }
            for name, entry in profile.objects.items()
        }
    )


def _fits(allowed: Parameter, value: object) -> bool:
    """Whether a value is of the type, and in the range, that the profile names."""
    if allowed.range is not None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return allowed.range.min <= value <= allowed.range.max
    return isinstance(value, str)


def _held(rule: str, reason: str) -> Verdict:
    return Verdict(verdict=Judgement.HOLD, rule=rule, reason=reason)


def _refused(rule: str, reason: str, step: int | None = None) -> Verdict:
    return Verdict(verdict=Judgement.REFUSE, rule=rule, step=step, reason=reason)
