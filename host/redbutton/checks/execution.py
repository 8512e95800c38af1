"""Execution is held to the plan that was checked: what is not in it is refused.

Only where the profile has a part `execution`. A plan is in force from when `estop/check_plan`
allowed it, the last one only; until its time is over, or a stop. Meanwhile the planner may

- move the base along the straight ways between the places that the plan goes to, from where the
  robot was when it was allowed, at most `corridor` to each side, no faster than the plan says;
- move joints, if a step of the plan does more than going, looking, waiting and saying;
- give a goal for an action if that is a step of the plan, with that step's parameters, once, and
  in the plan's order; where it is a pose, that must be at the step's place.

Ways are straight: a plan goes round a corner by a step to a place at that corner.

What a plan leaves to do, its course, is made where plans are judged, which takes its time.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import dist
from typing import Any

import shapely
from pydantic import field_validator

from redbutton.checks.goal import Goal, Seen, judge_goal
from redbutton.checks.motion import Envelope, MotionCheck, Pose, _Shape
from redbutton.checks.ontology import Verbs, words_of
from redbutton.checks.permission import Permission
from redbutton.checks.plan import Action, Scalar
from redbutton.checks.profile import ExecutionLimits, Parameter, ParameterType, Point, RobotProfile
from redbutton.checks.verdict import ALLOWED, Judgement, Verdict, refused
from redbutton.checks.words import one_of
from redbutton.model import Frozen

RULE = "execution.step"
RULE_WAYS = "execution.ways"
WAYS_MOST = 200  # between two places each: more would take seconds
_WITHOUT_ARM = one_of("go look say wait")
_SPEED = "m/s"
_EMPTY = (0, 0.0, "")


class TooManyWays(ValueError):
    """A plan goes too many different ways."""


class Course(Frozen):
    """What a plan leaves to do.

    `steps`: names and parameters. `begins`: the first place that it goes to, None if it goes
    nowhere; `ways`: all that is near the straight ways from there on, as WKB in hexadecimal.
    `speed`: at most, m/s. `arm`: whether joints move.
    """

    steps: tuple[tuple[str, dict[str, Scalar]], ...]
    begins: tuple[float, float] | None
    ways: str
    speed: float
    arm: bool

    @field_validator("ways")
    @classmethod
    def _shape(cls, ways: str) -> str:
        if ways:
            _of_wkb(ways)
        return ways


class _Ways(Envelope):
    """With a shape that is made already."""

    def __init__(
        self, shape: shapely.Polygon | None, speed: float, arm: bool, until: float
    ) -> None:
        super().__init__((), 0.0, speed, arm, until)
        self._shape = None if shape is None else _Shape(shape)


class Execution:
    """The plan that is in force, and what of it is still to come."""

    def __init__(self, profile: RobotProfile, permission: Permission, verbs: Verbs) -> None:
        self._profile = profile
        self._permission = permission
        self._verbs = verbs
        self._places = {words_of(name): position for name, position in profile.positions().items()}
        self._steps: Sequence[tuple[str, Mapping[str, object]]] = ()
        self._envelope: Envelope | None = None

    @property
    def limits(self) -> ExecutionLimits | None:
        """None: the profile asks for no plan."""
        return self._profile.execution

    def envelope(self) -> Envelope | None:
        """What the plan leaves of motion; None: no plan is in force."""
        return self._envelope

    def course(self, plan: Sequence[Action]) -> Course | None:
        """What this plan leaves to do; None if the profile asks for no plan, or there is none.
        TooManyWays if it goes more than 200 different ones."""
        if self.limits is None or not plan:
            return None
        steps = [(action.name, self._permission.given(action)) for action in plan]
        going = [(name, given, self._place(name, given)) for name, given in steps]
        stops = [place for _, _, place in going if place is not None]
        speeds = [self._speed(name, given) for name, given, place in going if place is not None]
        return Course.model_validate(
            {
                "steps": steps,
                "begins": stops[0] if stops else None,
                "ways": self._near(stops),
                "speed": max(speeds, default=0.0),
                "arm": any(self._verbs.of(name) not in _WITHOUT_ARM for name, _ in steps),
            }
        )

    def begin(self, course: Course, pose: Pose | None, now: float) -> None:
        """This plan is in force. `pose`: where the robot is, None if that is unknown; `now`: s."""
        self.end()
        if self.limits is None:
            return
        shape: Any = _of_wkb(course.ways) if course.ways else None
        if pose is not None:
            here = (pose.x, pose.y)
            first = self._way(here, course.begins or here)
            shape = first if shape is None else shapely.union(shape, first)
        until = now + self.limits.lifetime
        self._envelope = _Ways(shape, course.speed, course.arm, until)
        self._steps = course.steps

    def end(self) -> None:
        """No plan is in force: after a stop nothing from before it goes on (SR-10)."""
        self._steps = ()
        self._envelope = None

    def judge(self, goal: Goal, motion: MotionCheck, seen: Seen, now: float) -> Verdict:
        """Of a goal, by all that there is to say; never raises."""
        said = judge_goal(self._permission, motion, goal, seen, now)
        return self.goal(goal, now) if said.verdict is Judgement.ALLOW else said

    def goal(self, goal: Goal, now: float) -> Verdict:
        """Of a goal that nothing else objects to: what is allowed is done with."""
        if self.limits is None:
            return ALLOWED
        if self._envelope is None or not now < self._envelope.until:
            return refused(RULE, "no plan that was checked is being carried out")
        for number, (name, given) in enumerate(self._steps):
            if self._permission.same(name, goal.action) and self._fits(name, given, goal):
                self._steps = self._steps[number + 1 :]
                return ALLOWED
        return refused(RULE, f"no step that is still to come is such a {goal.action[:60]}")

    def _near(self, stops: Sequence[Point]) -> str:
        """All that is near the ways between these places."""
        pairs = {(min(pair), max(pair)) for pair in pairwise(stops)} or set(
            zip(stops[:1], stops[:1], strict=True)
        )
        if len(pairs) > WAYS_MOST:
            raise TooManyWays(f"it goes {len(pairs)} different ways, and {WAYS_MOST} are checked")
        ways = [self._way(*pair) for pair in sorted(pairs)]
        return str(shapely.to_wkb(shapely.union_all(ways), hex=True)) if ways else ""

    def _way(self, one: Point, other: Point) -> Any:
        """All that is near the straight way between two places."""
        assert self.limits is not None
        line = shapely.Point(one) if one == other else shapely.LineString((one, other))
        return shapely.buffer(line, self.limits.corridor)

    def _fits(self, name: str, given: Mapping[str, object], goal: Goal) -> bool:
        for key, value in goal.parameters.items():
            if key not in given and value in _EMPTY:
                continue
            if key not in given or self._meant(given[key]) != self._meant(value):
                return False
        place = self._place(name, given)
        ends = [way[-1] for way in goal.ways if way]
        assert self.limits is not None
        return not ends or (
            place is not None
            and all(dist(place, (end.x, end.y)) <= self.limits.corridor for end in ends)
        )

    def _meant(self, value: object) -> object:
        """One for all names of a place, and for all spellings of a word."""
        if not isinstance(value, str):
            return value
        words = words_of(value)
        return self._places.get(words, words)

    def _place(self, name: str, given: Mapping[str, object]) -> Point | None:
        """Where a step goes to."""
        place = self._first(name, given, lambda one: one.type is ParameterType.PLACE)
        return self._places.get(words_of(place)) if isinstance(place, str) else None

    def _speed(self, name: str, given: Mapping[str, object]) -> float:
        """At most, in m/s, on the way to a step's place."""
        speed = self._first(name, given, lambda one: one.unit == _SPEED)
        most = self._profile.limits.linear_speed
        return min(most, speed) if isinstance(speed, int | float) else most

    def _first(
        self, name: str, given: Mapping[str, object], is_meant: Callable[[Parameter], bool]
    ) -> object:
        """The value of a step's first parameter of a sort; None: it has none."""
        for key, value in given.items():
            parameter = self._permission.parameter(name, key)
            if parameter is not None and is_meant(parameter):
                return value
        return None


def _of_wkb(ways: str) -> shapely.Polygon:
    """ValueError if it is none."""
    try:
        shape = shapely.from_wkb(ways)
    except shapely.errors.GEOSException as error:
        raise ValueError(f"no shape: {error}") from None
    if not isinstance(shape, shapely.Polygon) or not shape.is_valid:
        raise ValueError("no valid shape")
    return shape
