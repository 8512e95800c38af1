"""May the planner take this action, with these parameters? What the profile does not name: no.

A parameter of type object takes what is of a class of the profile, and of the class and without
the hazards that it asks for; place takes the profile's places by their names and words, and its
zones of kind speed; person takes its people by their names, and anybody if it has an entry for
whoever is not named.
"""

from collections.abc import Mapping

from redbutton.checks.ontology import ObjectClass, words_of
from redbutton.checks.plan import Action, PlanCheck
from redbutton.checks.profile import (
    DEFAULT,
    Parameter,
    ParameterType,
    RobotProfile,
    ZoneKind,
)
from redbutton.checks.verdict import ALLOWED, Verdict, held, refused, worst

RULE_ACTION = "profile.action"
RULE_PARAMETER = "profile.parameter"
RULE_PAYLOAD = "profile.payload"
_PUSHED = "push"  # the one act that moves a thing without lifting it
# In which of a step's roles something of a type may stand, the likeliest first.
_ROLES = {
    ParameterType.OBJECT: ("object",),
    ParameterType.PLACE: ("place", "recipient", "object"),
    ParameterType.PERSON: ("person", "recipient", "object"),
}


class Permission:
    """What one profile lets the planner do."""

    def __init__(self, profile: RobotProfile, plans: PlanCheck) -> None:
        """`plans`: the profile's, for its words."""
        self._profile = profile
        self._ontology = plans.ontology
        self._verbs = plans.verbs
        self._places = {words_of(name) for name in profile.positions()}
        self._zones = {
            words_of(zone.name.replace("_", " ")): zone
            for zone in profile.zones
            if zone.kind is not ZoneKind.SPEED
        }
        self._people = {words_of(name) for name in profile.people}

    def parameter(self, action: str, name: str) -> Parameter | None:
        """What the profile says of a parameter; None: nothing."""
        entry = self._profile.actions.get(_plain(action))
        return entry.parameters.get(name) if entry is not None else None

    def same(self, one: str, other: str) -> bool:
        """Whether both are names of one action."""
        return _plain(one) == _plain(other)

    def step(self, action: Action, number: int) -> Verdict:
        """Of a step of a plan; `number`: from 0."""
        said = self.of(action.name, self.given(action), number)
        return worst((said, self._lifted(action, number)))

    def _lifted(self, action: Action, number: int) -> Verdict:
        """The arm lifts what its payload allows, and what is known to weigh so much."""
        act = self._verbs.acts.get(self._verbs.of(action.name))
        lifts = act is not None and act.moves and self._verbs.of(action.name) != _PUSHED
        name = self._ontology.of(action.object or "").name
        if not lifts or name not in self._profile.objects:
            return ALLOWED
        mass, most = self._profile.mass(name), self._profile.limits.payload
        if mass is None:
            return held(RULE_PAYLOAD, f"the profile does not say what a {name} weighs", number)
        if mass > most:
            reason = f"a {name} may weigh {mass:g} kg, and the arm lifts {most:g} kg"
            return refused(RULE_PAYLOAD, reason, number)
        return ALLOWED

    def given(self, action: Action) -> dict[str, object]:
        """The parameters of a step by their names: its roles are parameters too."""
        given: dict[str, object] = dict(action.parameters)
        entry = self._profile.actions.get(_plain(action.name))
        roles = {
            role: value
            for role in ("object", "recipient", "person", "place")
            if (value := getattr(action, role))
        }
        for name, parameter in entry.parameters.items() if entry else ():
            if name in given:
                continue
            for role in (name, *_ROLES.get(parameter.type, ())):
                if role in roles:
                    given[name] = roles.pop(role)
                    break
        return {**roles, **given}

    def of(
        self,
        action: str,
        given: Mapping[str, object],
        step: int | None = None,
        placed: bool = False,
    ) -> Verdict:
        """Of an action with parameters by their names. `placed`: poses say where to, so that a
        place needs no name."""
        name = _plain(action)
        entry = self._profile.actions.get(name)
        if entry is None:
            return refused(RULE_ACTION, f"the profile has no action {name[:60]}", step)
        for key, value in given.items():
            allowed = entry.parameters.get(key)
            if allowed is None:
                reason = f"the profile lets {name} have no {key[:60]}"
            elif problem := self._problem(allowed, value):
                reason = f"{key} of {name} {problem}"
            else:
                continue
            return refused(RULE_PARAMETER, reason, step)
        for key, parameter in entry.parameters.items():
            if placed and parameter.type is ParameterType.PLACE:
                continue
            if key not in given and not parameter.optional:
                return refused(RULE_PARAMETER, f"{name} needs {key}", step)
        return ALLOWED

    def _problem(self, allowed: Parameter, value: object) -> str:
        """What is wrong with a value, or ""."""
        if allowed.range is not None:
            least, most = allowed.range.min, allowed.range.max
            number = isinstance(value, int | float) and not isinstance(value, bool)
            within = number and least <= value <= most  # type: ignore[operator]
            return "" if within else f"is not within {least:g} to {most:g} {allowed.unit}"
        if not isinstance(value, str):
            return "is no text"
        called = repr(value[:60])
        if allowed.type is ParameterType.OBJECT:
            return self._of_object(allowed, self._ontology.of(value), called)
        words = words_of(value)
        known = {
            ParameterType.PLACE: words in self._places,
            ParameterType.PERSON: words in self._people or DEFAULT in self._profile.people,
        }
        if known.get(allowed.type, True):
            return ""
        if allowed.type is ParameterType.PLACE and (zone := self._zones.get(words)):
            kind = "kept out of" if zone.kind is ZoneKind.KEEP_OUT else "of people"
            return f"is a zone {kind}: {called}"
        return f"is no {allowed.type.value} of the profile: {called}"

    def _of_object(self, allowed: Parameter, kind: ObjectClass, called: str) -> str:
        if kind.name not in self._profile.objects:
            return f"is no object of the profile: {called}"
        if allowed.of is not None and not self._profile.is_a(kind.name, allowed.of):
            return f"is no {allowed.of}: {called}"
        if brings := sorted(hazard.value for hazard in allowed.without if hazard in kind.tags):
            return f"brings a hazard that it must not, {', '.join(brings)}: {called}"
        return ""


def _plain(name: str) -> str:
    return "_".join(name.casefold().split())
