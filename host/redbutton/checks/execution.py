"""Execution is held to the plan that was checked: what is not in it is refused.

Only where the profile has a part `execution`. A plan is in force from when `estop/check_plan`
allowed it, the last one only; until its time is over, or a stop. Meanwhile the planner may

- move the base along the straight ways between the places that the plan goes to, from where the
  robot was when it was allowed, at most `corridor` to each side, no faster than the plan says;
- move joints, if a step of the plan does more than going, looking, waiting and saying;
- give a goal for an action if that is a step of the plan, with that step's parameters, once, and
  in the plan's order; where it is a pose, that must be at the step's place.

Ways are straight: a plan goes round a corner by a step to a place at that corner.
"""

from collections.abc import Callable, Mapping, Sequence
from math import dist

from redbutton.checks.goal import Goal, Seen, judge_goal
from redbutton.checks.motion import Envelope, MotionCheck, Pose
from redbutton.checks.ontology import Verbs, words_of
from redbutton.checks.permission import Permission
from redbutton.checks.plan import Action
from redbutton.checks.profile import ExecutionLimits, Parameter, ParameterType, Point, RobotProfile
from redbutton.checks.verdict import ALLOWED, Judgement, Verdict, refused
from redbutton.checks.words import one_of

RULE = "execution.step"
_WITHOUT_ARM = one_of("go look say wait")
_SPEED = "m/s"
_EMPTY = (0, 0.0, "")


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

    def begin(self, plan: Sequence[Action], pose: Pose | None, now: float) -> None:
        """This plan is in force. `pose`: where the robot is, None if that is unknown; `now`: s."""
        if self.limits is None:
            return
        self.end()
        steps = [(action.name, self._permission.given(action)) for action in plan]
        stops = [] if pose is None else [(pose.x, pose.y)]
        stops += [place for name, given in steps if (place := self._place(name, given))]
        speeds = [self._speed(name, given) for name, given in steps if self._place(name, given)]
        arm = any(self._verbs.of(name) not in _WITHOUT_ARM for name, _ in steps)
        until = now + self.limits.lifetime
        self._envelope = Envelope(
            stops, self.limits.corridor, max(speeds, default=0.0), arm, until
        )
        self._steps = steps

    def end(self) -> None:
        """No plan is in force: after a stop nothing from before it goes on (SR-10)."""
        self._steps = ()
        self._envelope = None

    def judge(self, goal: Goal, motion: MotionCheck, seen: Seen, now: float) -> Verdict:
        """Of a goal, by all that there is to say; never raises."""
        said = judge_goal(self._permission, motion, goal, seen, now)
        return self.goal(goal) if said.verdict is Judgement.ALLOW else said

    def goal(self, goal: Goal) -> Verdict:
        """Of a goal that nothing else objects to: what is allowed is done with."""
        if self.limits is None:
            return ALLOWED
        for number, (name, given) in enumerate(self._steps):
            if self._permission.same(name, goal.action) and self._fits(name, given, goal):
                self._steps = self._steps[number + 1 :]
                return ALLOWED
        return refused(RULE, f"no step that is still to come is such a {goal.action[:60]}")

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
