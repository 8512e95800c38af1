"""A question to the checks in JSON: {"text", "plan", "world", "command"}, of which one is needed.

| field | what |
|---|---|
| text | what the planner wants, in its own words: never permits, may hold or refuse |
| plan | a list of steps, see `redbutton.checks.plan` |
| world | what the plan and the text are about, see `redbutton.checks.world` |
| command | a motion from rest, see `Command`; needs a robot's profile |
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

from pydantic import Field, ValidationError

from redbutton.checks.execution import RULE_WAYS, Course, Execution, TooManyWays
from redbutton.checks.motion import STOP_LATENCY_S, JointPoint, MotionCheck, PersonSeen, Pose
from redbutton.checks.own import plan_check_of
from redbutton.checks.permission import Permission
from redbutton.checks.plain import flaw
from redbutton.checks.plan import MOST_STEPS, Action
from redbutton.checks.profile import RobotProfile, WithoutScreen
from redbutton.checks.text import TextScreen
from redbutton.checks.verdict import ALLOWED, Judgement, Verdict, held, refused, worst
from redbutton.model import Frozen, first_problem

LONGEST = 1_000_000  # bytes
FIELDS = frozenset(("text", "plan", "world", "command"))

Number = Annotated[float, Field(strict=True)]
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
        self._plans = plan_check_of(profile)
        self._permission = Permission(profile, self._plans) if profile else None
        self._execution = (
            Execution(profile, self._permission, self._plans.verbs)
            if profile and self._permission
            else None
        )
        self._texts = TextScreen(self._plans)

    def judge(self, question: bytes) -> Verdict:
        """The worst verdict on what is asked. Never raises."""
        if len(question) > self._longest:
            return refused("request.malformed", f"more than {self._longest} bytes")
        try:
            given = json.loads(
                question.decode("utf-8"), parse_constant=_no_number, object_pairs_hook=_once
            )
        except (ValueError, RecursionError) as error:
            return refused("request.malformed", f"not JSON in UTF-8: {type(error).__name__}")
        if wrong := flaw(given) if isinstance(given, dict) else "not a JSON object":
            return refused("request.malformed", wrong)
        if unknown := given.keys() - FIELDS:
            return refused("request.malformed", f"unknown field {min(unknown)[:60]!r}")
        try:
            return worst(self._verdicts(given))
        except Exception as error:
            return refused("request.error", f"it cannot be judged: {type(error).__name__}")

    def planned(self, question: bytes) -> tuple[Verdict, Course | None]:
        """The verdict on a question, and what its plan leaves to do if it is not refused: None if
        the profile asks for no plan, or the question has none. Never raises."""
        verdict = self.judge(question)
        if self._execution is None or verdict.verdict is Judgement.REFUSE:
            return verdict, None
        try:
            plan = json.loads(question).get("plan", ())
            return verdict, self._execution.course(self._plans.actions(plan))
        except TooManyWays as error:
            return refused(RULE_WAYS, str(error)), None
        except Exception as error:
            return refused("request.error", f"it cannot be judged: {type(error).__name__}"), None

    def _verdicts(self, given: dict[str, Any]) -> Iterator[Verdict]:
        world = given.get("world")
        if not given.keys() - {"world"}:
            yield refused("request.empty", "neither text nor plan nor command")
        if "plan" in given:
            yield from self._planned(given["plan"], world)
        if "text" in given:
            yield self._texts.judge(given["text"], world)
            yield self._meant(given["text"])
        if "command" in given:
            yield self._motion(given["command"])

    def _planned(self, plan: Any, world: Any) -> Iterator[Verdict]:
        """By the rules of harm, and by what the profile lets the planner do."""
        steps: Sequence[Action] = ()
        if isinstance(plan, list) and len(plan) <= MOST_STEPS:
            with contextlib.suppress(
                ValueError, TypeError
            ):  # of what is ill-shaped, `judge` tells
                plan = steps = self._plans.actions(plan)
        yield self._plans.judge(plan, world)
        if self._permission is not None:
            for number, step in enumerate(steps):
                yield self._permission.step(step, number)

    def _meant(self, text: Any) -> Verdict:
        if self._meaning is not None:
            said = self._meaning(text)
            return said if said.verdict is not Judgement.REFUSE else held(said.rule, said.reason)
        if self._profile is None or self._profile.text_without_screen is WithoutScreen.ALLOW:
            return ALLOWED
        return held("text.no_screen", "nothing here reads what texts mean, and the profile holds")

    def _motion(self, given: object) -> Verdict:
        if self._profile is None:
            return refused("motion.no_profile", "no profile says how this robot may move")
        try:
            command = Command.model_validate(given)
        except ValidationError as error:
            return refused("motion.shape", first_problem(error)[:300])
        if command.points and (any(command.linear) or any(command.angular)):
            return refused("motion.shape", "both a velocity and a trajectory: which of them?")
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
            said = check.twist(command.linear, command.angular, frame, 0.0, pose, people)
            if said.allowed and said.linear is not None:
                return Verdict(
                    verdict=Judgement.ALLOW,
                    rule="motion.clamp",
                    reason=f"only cut to linear {said.linear}, angular {said.angular}",
                )
            return said.verdict
        points = [
            JointPoint(
                point.positions, point.time, point.velocities, point.accelerations, point.effort
            )
            for point in command.points
        ]
        return check.trajectory(command.names, points, 0.0, command.joints, pose, people).verdict


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Of a name that is there twice, others may read the other value."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found


def _no_number(name: str) -> object:
    raise ValueError(name)
