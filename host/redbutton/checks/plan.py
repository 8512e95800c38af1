"""Plans are checked for harm before their first step: rules and policies over a simulated world.

What permits is deterministic and looks at structured steps. A plan that is not understood is not
allowed: ill-shaped ones are refused, unknown acts wait for a person. Harm over several harmless
steps is found because each step is judged in the world that the steps before it made.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import lru_cache
from math import inf
from typing import Annotated, Any, NamedTuple

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, ValidationError

from redbutton.checks import world as worlds
from redbutton.checks.hazard import Hazard
from redbutton.checks.ontology import UNKNOWN, ObjectClass, Ontology, Verbs
from redbutton.checks.plain import flaw
from redbutton.checks.policy import Policies, Question
from redbutton.checks.rules import Event, Rule, Rules
from redbutton.checks.verdict import Judgement, Verdict, held, refused, worst
from redbutton.checks.words import one_of
from redbutton.checks.world import ROBOT, Deed, Item, State, World
from redbutton.model import Frozen, first_problem

MOST_STEPS = 10_000
MOST_EVENTS = 100_000
LONGEST_NAME = 200  # characters of a name
OFTEN = 2  # times that a device was switched on before

Text = Annotated[str, Field(max_length=LONGEST_NAME)]
Long = Annotated[str, Field(max_length=5000)]
Scalar = StrictBool | StrictInt | StrictFloat | Annotated[StrictStr, Field(max_length=5000)] | None
_WORD = re.compile(r"[^\s(),\[\]'\"]+")
_CALL = re.compile(r"\s*([\w ]+?)\s*\(([^()]*)\)\s*")
_INTO = one_of(
    "in into inside on onto over upon to toward towards at with near under beside next against "
    "around behind by across down through for below above"
)
_FROM = one_of("from off out")
_FILLERS = one_of("the a an up it my your their top front obj")
_FORCE = one_of("force speed hard fast how manner")
_HELD_ACTS = one_of("place drop throw hide hand pour spray submerge")
_TO_TARGET = one_of("place throw drop hide push hand submerge pour spray fill mix")
_WITHOUT_OBJECT = one_of("look go say wait use")
_CARRYING = one_of("pick go hand place")
_LETS_OUT = one_of("open pour spray break")
_NO_TAGS = frozenset[str]()
_UNGUARDED = frozenset({"unguarded"})
_TO_OWNER = frozenset({"to_owner"})
_NEAR_FIRE = frozenset({"near_fire"})


class Action(Frozen):
    """One step of a planner. `name`: what the planner calls the act; `object`: what it is done
    to; `recipient`: where to, into or onto what; `person`: who takes part. `text`: the planner's
    own words, which are looked at for what must never be touched."""

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    object: Text | None = None
    recipient: Text | None = None
    person: Text | None = None
    place: Text | None = None
    parameters: Annotated[dict[Text, Scalar], Field(default_factory=dict, max_length=100)]
    text: Long = ""


class Roles(NamedTuple):
    """A step in words: before things are looked up in the world."""

    act: str
    object: str = ""
    recipient: str = ""
    person: str = ""
    place: str = ""
    liquid: str = ""
    others: tuple[str, ...] = ()
    seconds: float = 0.0
    tags: frozenset[str] = _NO_TAGS


class _Plan(Frozen):
    steps: Annotated[tuple[Action, ...], Field(max_length=MOST_STEPS)]


class PlanCheck:
    """Judges plans. Without arguments: by the data that comes with redbutton."""

    def __init__(
        self,
        ontology: Ontology | None = None,
        verbs: Verbs | None = None,
        rules: Rules | None = None,
        policies: Policies | None = None,
        watch: Mapping[Hazard, float] | None = None,
    ) -> None:
        """`watch`: how long, in s, what is on and brings a hazard may be left alone."""
        self.watch = {hazard.value: most for hazard, most in (watch or {}).items()}
        self.ontology = ontology or Ontology.shipped()
        self.verbs = verbs or Verbs.shipped()
        self.rules = rules or Rules.shipped()
        self.policies = policies or Policies.shipped()

    def judge(self, plan: object, world: object = None) -> Verdict:
        """The verdict on a plan: a list of steps, each an Action's fields or a line of text as
        "put Cup in Sink". `world`: the fields of a World. Never raises: what cannot be judged is
        refused."""
        try:
            return self._judged(plan, world)
        except worlds.TooMuch as error:
            return refused("plan.malformed", str(error))
        except Exception as error:
            return refused("plan.error", f"the plan cannot be judged: {type(error).__name__}")

    def _judged(self, plan: object, world: object) -> Verdict:
        if not isinstance(plan, list | tuple):
            return refused("plan.malformed", "a plan is a list of steps")
        if not plan:
            return held("plan.empty", "the plan has no steps")
        if len(plan) > MOST_STEPS:
            return refused("plan.malformed", f"a plan has at most {MOST_STEPS} steps")
        try:
            if wrong := flaw((plan, world)):
                raise ValueError(wrong)
            given = World() if world is None else World.model_validate(world)
            actions = self.actions(plan)
        except ValidationError as error:
            return refused("plan.malformed", f"ill-shaped at {first_problem(error)}"[:300])
        except (TypeError, ValueError) as error:
            return refused("plan.malformed", str(error)[:300])
        return self.judge_roles((self.roles(action) for action in actions), given)

    def judge_roles(self, roles: Iterable[Roles], world: World, text: bool = False) -> Verdict:
        """The verdict on steps in words. `text`: they were read from free text, which leaves
        much open: then what is not known is no reason to object."""
        run = _Run(self, world, text)
        for number, step in enumerate(roles):
            run.step(number, step)
        run.end()
        return run.verdict()

    def actions(self, plan: Sequence[object]) -> tuple[Action, ...]:
        """The steps of a plan; ValueError if one is ill-shaped. Actions stay what they are."""
        return _Plan.model_validate({"steps": [self.action(step) for step in plan]}).steps

    def action(self, step: object) -> object:
        """An Action of a line of text; anything else as it is."""
        if not isinstance(step, str):
            if isinstance(step, Action | dict):
                return step
            raise ValueError("a step is an object or a line of text")
        if len(step) > LONGEST_NAME * 3:
            raise ValueError("a step in text is too long")
        if call := _CALL.fullmatch(step):
            name, *given = (part.strip(" '\"") for part in (call[1], *call[2].split(",")))
            roles = dict(zip(("object", "recipient", "place"), given, strict=False))
            return {"name": name, **roles}
        words = _WORD.findall(step)
        if not words:
            raise ValueError("a step in text names no act")
        for count in range(min(4, len(words)), 0, -1):
            name = " ".join(words[:count])
            if self.verbs.of(name) != UNKNOWN:
                return self._parted(_of_words(name, self.verbs.of(name), words[count:]))
        return _of_words(words[0], UNKNOWN, words[1:])

    def _parted(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Two things side by side without a preposition are two: "put Apple Fridge", "fill Mug
        wine"."""
        words = fields["object"].split()
        if (
            fields["recipient"]
            or len(words) < 2
            or self.verbs.of(fields["name"]) not in _TO_TARGET
        ):
            return fields
        plain = [word.casefold() for word in words]
        first, last = self.ontology.of(" ".join(words[:-1])), self.ontology.of(words[-1])
        whole = self.ontology.longest_at(plain, 0) == len(plain)
        if self.verbs.of(fields["name"]) == "fill":
            two = not whole and ("liquid" in last.tags or not last.known)
        else:
            two = not (whole or self.ontology.says(plain[0])) and first.known and last.known
        if not two:
            return fields
        return {**fields, "object": " ".join(words[:-1]), "recipient": words[-1]}

    def roles(self, action: Action) -> Roles:
        """What an action says, its act known by name."""
        act = self.verbs.of(action.name)
        given = action.parameters
        liquid = given.get("liquid")
        strings = [
            text[:LONGEST_NAME] for text in given.values() if isinstance(text, str) and text
        ]
        forceful = any(str(name).casefold() in _FORCE for name in given)
        name, recipient = action.object or "", action.recipient or ""
        if act == "go":
            name = action.place or name or recipient or action.person or ""
            recipient = ""
        return Roles(
            act,
            name,
            recipient,
            action.person or "",
            action.place or "",
            liquid if isinstance(liquid, str) else "",
            (*strings, action.text, action.name),
            _seconds(given),
            frozenset({"forceful"} if forceful else ()),
        )


def _seconds(parameters: Mapping[str, object]) -> float:
    """How long a step takes, as far as it says; a number that is none is for ever."""
    given = (parameters.get(name) for name in ("time", "duration", "seconds"))
    numbers = [float(one) for one in given if isinstance(one, int | float)]
    return max((one if one >= 0 else inf for one in numbers), default=0.0)


def _of_words(name: str, act: str, rest: list[str]) -> dict[str, Any]:
    """An Action's fields of a step in words: before the first preposition stands the object,
    after it the recipient; where it comes from is not said to be either."""
    object_: list[str] = []
    recipient: list[str] = []
    source: list[str] = []
    words = object_
    for word in rest:
        plain = word.casefold()
        if plain in _INTO and (object_ or act in ("go", "look")):
            words = recipient if object_ else object_
        elif plain in _FROM and object_:
            words = source
        elif plain == "of" and words is source:
            continue
        elif plain not in _FILLERS and plain not in _FROM:
            words.append(word)
    return {"name": name, "object": " ".join(object_), "recipient": " ".join(recipient)}


class _Run:
    """One judgement: the world as it changes, and what was objected to."""

    def __init__(self, check: PlanCheck, world: World, text: bool) -> None:
        self.check = check
        self.text = text
        self.state = worlds.start(world, check.ontology)
        self.first = self.state
        self.verdicts: list[Verdict] = []
        self.questions: dict[Question, int] = {}
        self.events = 0
        self.alone: dict[str, float] = {}  # s since what is on was looked after
        self.contents: dict[str, tuple[tuple[str, ...], frozenset[str]]] = {}

    def step(self, number: int, roles: Roles) -> None:
        """Judge a step, then let it happen."""
        deed = self._deed(roles)
        if not self.text:
            self.verdicts.extend(self._unclear(number, roles, deed))
        for other in roles.others:
            if "safety_stop" in self._safety(other) and deed.act not in ("look", "say", "wait"):
                self._say(number, Event(deed.act, frozenset({"safety_stop"})), deed)
        self._ask(number, deed, roles)
        goal = self._goal(deed)
        for event in self._events(deed, goal):
            self._say(number, event, deed)
        before = self.state
        self.state = worlds.step(self.state, deed, number)
        self._consequences(number, deed, before)
        if deed.act in _CARRYING and self.state.held:
            self._carried(number, deed, before, goal)
        if self.check.watch:
            self._watched(number, deed, roles.seconds)

    def _watched(self, number: int, deed: Deed, seconds: float) -> None:
        """What is on and brings a hazard is looked after often enough."""
        for name in self.alone.keys() - self.state.active:
            del self.alone[name]
        for name in sorted(self.state.active):
            item = self.state.items[name]
            if name in (deed.object, deed.recipient) or "is_on" not in item.states:
                self.alone.pop(name, None)
                continue
            self.alone[name] = self.alone.get(name, 0.0) + seconds
            for hazard in item.kind.tags & self.check.watch.keys():
                if self.alone[name] > (most := self.check.watch[hazard]):
                    reason = (
                        f"{item.name[:60]} is on and is left alone for {self.alone[name]:g} s, "
                        f"more than {most:g} s"
                    )
                    said = held(f"watch.{hazard}", reason, number)
                    hazards = frozenset({Hazard(hazard)})
                    self.verdicts.append(said.model_copy(update={"hazards": hazards}))

    def end(self) -> None:
        """Judge what the plan leaves behind."""
        closed = any(
            "shower_door" in item.kind.tags and item.touched and "is_open" not in item.states
            for item in self.state.items.values()
        )
        for name, item in self.state.items.items():
            left = item.aid_of and item.aid_of in self.state.left
            if not item.touched and not left:
                continue
            tags = self._tags(name) | {"end"}
            if "living" in self._tags(item.at):
                tags |= {"at_person"}
            if closed and "shower" in tags:
                tags |= {"contained"}
            deed = Deed("end", object=name, person=item.aid_of)
            self._say(item.step, Event("end", frozenset(tags), self._tags(item.at)), deed)

    def verdict(self) -> Verdict:
        """The worst of rules and policies."""
        for question, verdict in self.check.policies.judge(self.questions).items():
            hold = verdict.verdict is Judgement.HOLD
            if verdict.verdict is not Judgement.ALLOW and not (hold and self.text):
                step = self.questions[question]
                self.verdicts.append(verdict.model_copy(update={"step": step}))
        return worst(self.verdicts)

    def _unclear(self, number: int, roles: Roles, deed: Deed) -> Iterator[Verdict]:
        """What a step leaves open, so that a person must look at it."""
        said = roles.others[-1]
        for name in (roles.object, roles.recipient, roles.person, roles.place):
            if name and not worlds.key(name):
                yield held("plan.unknown-name", f"this names nothing: {name[:60]!r}", number)
        if deed.act == UNKNOWN:
            yield held("plan.unknown-act", f"it is not known what {said[:60]!r} does", number)
        elif not (
            deed.object or deed.act in _WITHOUT_OBJECT or self.check.ontology.of(said).known
        ):
            yield held("plan.no-object", f"it does not say what to {said[:60]}", number)

    def _deed(self, roles: Roles) -> Deed:
        """Names become keys; who holds what says what a name that is left out means."""
        state, names = self.state, {}
        for role in ("object", "recipient", "person", "place"):
            state, names[role] = worlds.named(state, getattr(roles, role), self.check.ontology)
        self.state = state
        act, thing, target = roles.act, names["object"], names["recipient"]
        held = state.held[-1] if state.held else ""
        if act in _HELD_ACTS and not target:
            if thing and held and thing not in state.held and not self._is_liquid(thing):
                thing, target = held, thing
            elif not thing:
                thing = held
            if not target and state.focus != thing and act != "hide":
                target = state.focus if state.focus not in state.held else ""
                if target == ROBOT or names["person"] or names["place"]:
                    target = ""
        if act == "break" and thing in state.held and not target:
            target = state.focus if state.focus not in (thing, ROBOT) else ""
        target = target or (names["person"] if act in ("hand", "throw", "feed", "place") else "")
        target = target or (names["place"] if act in _TO_TARGET else "")
        if act == "feed" and thing in state.people and target:
            thing, target = target, thing
        if act == "push" and not thing and held:
            thing = held
        tags = roles.tags
        return Deed(
            act, thing, target, names["person"], names["place"],
            self._liquid(roles, act, thing, target, held), tags,
        )  # fmt: skip

    def _liquid(
        self, roles: Roles, act: str, thing: str, target: str, held: str
    ) -> ObjectClass | None:
        if roles.liquid:
            return self.check.ontology.of(roles.liquid)
        if act == "fill":
            return self.check.ontology.of(roles.recipient) if roles.recipient else _WATER
        if act not in ("pour", "spray", "empty"):
            return None
        item = self.state.items.get(thing)
        if item is not None and item.liquid is not None and not self._is_liquid(thing):
            return item.liquid
        if item is not None and item.kind.tags & {"liquid", "chemical", "food", "flammable"}:
            return item.kind
        return _LIQUID

    def _is_liquid(self, name: str) -> bool:
        item = self.state.items.get(name)
        return item is not None and "liquid" in item.kind.tags

    def _goal(self, deed: Deed) -> worlds.Position | None:
        target = deed.recipient or deed.person or deed.place or deed.object
        return self.state.where(target) if target else None

    def _safety(self, text: str) -> frozenset[str]:
        if not text:
            return _NO_TAGS
        return self.check.ontology.of(text).tags

    def _tags(self, name: str) -> frozenset[str]:
        """All that is known of a thing, a person or a place at this moment."""
        if not name:
            return _NO_TAGS
        state = self.state
        if person := state.people.get(name):
            kind = "person" if person.kind is worlds.Kind.ADULT else person.kind.value
            tags = self.check.ontology.classes[kind].tags
            known = self.check.ontology.of(person.name).tags
            return tags | known if "people" in known else tags
        if place := state.places.get(name):
            zones = (*place.zones, place.name)
            return frozenset[str]().union(*(self.check.ontology.of(zone).tags for zone in zones))
        item = state.items.get(name)
        if item is None:
            return _NO_TAGS
        more = self._known_of(name, item)
        if holder := state.items.get(item.at):
            more |= _of_holder(holder.kind)
        if inside := state.inside.get(name):
            more |= self._of_inside(name, item.kind, inside)
        return item.kind.tags.union(item.states, more)

    def _of_inside(self, name: str, kind: ObjectClass, inside: tuple[str, ...]) -> frozenset[str]:
        """What the things say that are in or on another one; told anew when they change."""
        kept = self.contents.get(name)
        if kept is None or kept[0] is not inside:
            items = self.state.items
            kinds = {items[one].kind for one in inside if one in items}
            kept = self.contents[name] = (inside, _of_contents(kind, kinds))
        return kept[1]

    def _known_of(self, name: str, item: Item) -> set[str]:
        """What the world and the steps so far say of a thing."""
        more = {"known"} if item.kind.known else set[str]()
        if item.liquid is not None:
            more |= _held_in(item.liquid)
            if item.touched:
                more.add("fresh")
        if item.moved:
            more.add("moved")
        if item.switched >= OFTEN:
            more.add("often")
        if name in self.state.held:
            more.add("held")
        if item.aid_of:
            more.add("depended_on")
            if worlds.reaches(self.state, name):
                more.add("in_reach")
            if name in self.first.items and worlds.reaches(self.first, name):
                more.add("was_in_reach")
        return more

    def _bystanders(self, goal: worlds.Position | None) -> frozenset[frozenset[str]]:
        people = worlds.near(self.state, goal) if self.state.people else ()
        return frozenset(
            self._tags(name) | ({"near"} if measured else set()) for name, measured in people
        )

    def _events(self, deed: Deed, goal: worlds.Position | None) -> Iterator[Event]:
        """What happens in a step, before its effect."""
        state = self.state
        thing = self._tags(deed.object) | deed.tags
        thing |= self._around(deed.act, thing)
        if deed.act == "hand" and deed.recipient and deed.recipient == self._depends(deed.object):
            thing |= _TO_OWNER
        target = self._tags(deed.recipient) or None
        near = self._bystanders(goal)
        if deed.act in ("pour", "spray", "fill") and deed.liquid is not None:
            yield from self._wetted(deed, thing, target, near)
            return
        yield Event(deed.act, thing, target, near)
        if deed.act == "heat" and target and "heat_source" in target:
            yield Event("heating", thing, target)
        if deed.act in ("close", "lock") or (deed.act == "turn_on" and "container" in thing):
            for name in state.contents(deed.object):
                yield Event("enclose", self._tags(name), thing)

    def _around(self, act: str, thing: frozenset[str]) -> frozenset[str]:
        """What else goes on while something is done to a thing: a guard stands open, or something
        burns or glows."""
        active = self.state.active
        if not active:
            return _NO_TAGS
        items = (self.state.items[name] for name in active)
        if act == "turn_on" and "moving_parts" in thing:
            if any("guard" in item.kind.tags and "is_open" in item.states for item in items):
                return _UNGUARDED
        elif act in _LETS_OUT and thing & {"flammable", "gas"}:
            hot = {"fire", "heat_source"}
            if any("is_on" in item.states and item.kind.tags & hot for item in items):
                return _NEAR_FIRE
        return _NO_TAGS

    def _wetted(
        self,
        deed: Deed,
        thing: frozenset[str],
        target: frozenset[str] | None,
        near: frozenset[frozenset[str]],
    ) -> Iterator[Event]:
        """A liquid goes into or onto a thing, and with that onto all that is in it."""
        assert deed.liquid is not None
        liquid, into = deed.liquid.tags, deed.recipient
        liquid |= self._around(deed.act, liquid)
        if deed.act == "fill":
            into = deed.object
            yield Event("fill", thing, liquid, near)
        elif deed.object == deed.recipient:
            yield Event(deed.act, thing, target, near)
        elif target is None and deed.object in self.state.items and not self._held(deed.object):
            yield Event(deed.act, thing, thing, near)
        else:
            aid = "unspecified" in liquid and "depended_on" in thing
            yield Event(deed.act, liquid | thing if aid else liquid, target, near)
        for name in self.state.contents(into):
            yield Event("wetting", liquid, self._tags(name))

    def _held(self, name: str) -> bool:
        item = self.state.items.get(name)
        return name in self.state.held or (
            item is not None and bool(item.kind.tags & {"vessel", "takes_liquid", "container"})
        )

    def _consequences(self, number: int, deed: Deed, before: State) -> None:
        """What follows from a step: heat goes into what is on a heat source; what is on is
        left."""
        devices: list[str] = []
        if deed.act in ("turn_on", "turn_off"):
            hobs = self._hobs(number, deed)
            devices = [deed.object, *hobs] if deed.act == "turn_on" else []
        elif deed.act in ("place", "push", "drop", "throw") and deed.recipient:
            devices = [deed.recipient] if "is_on" in self._tags(deed.recipient) else []
        for device in devices:
            tags = self._tags(device)
            for name in self.state.contents(device) if tags & {"heat_source", "fire"} else ():
                event = Event("heating", self._tags(name), tags)
                self._say(number, event, deed._replace(object=name, recipient=device))
        if deed.act == "turn_on" and "water_source" in self._tags(deed.object):
            self.state = worlds.rinsed(self.state, number)
        if deed.act == "go" and "room" in self._tags(deed.object) and deed.object != before.at:
            for name in sorted(self.state.active):
                item = self.state.items[name]
                if item.touched and item.at != deed.object:
                    self._say(number, Event("leave", self._tags(name)), Deed("leave", name))

    def _hobs(self, number: int, deed: Deed) -> list[str]:
        """The hobs that a knob switches; which one it is, the plan does not say."""
        if "knob" not in self._tags(deed.object):
            return []
        items = self.state.items
        hobs = [name for name, item in items.items() if "hob" in item.kind.tags]
        on = deed.act == "turn_on"
        if hobs:  # then it is they that are on
            self.state = worlds.marked(self.state, deed.object, number, remove="is_on")
        for name in hobs:
            if on and "is_wet" in items[name].states:
                self._say(number, Event("turn_on", self._tags(name)), deed)
            self.state = worlds.marked(
                self.state, name, number, "is_on" if on else "", "" if on else "is_on"
            )
        return hobs

    def _carried(
        self, number: int, deed: Deed, before: State, goal: worlds.Position | None
    ) -> None:
        here = self.state
        self.state = before._replace(at=here.at, items=here.items)
        people = worlds.near(self.state, goal) if here.people else []
        self.state = here
        for person, measured in people:
            near = frozenset({self._tags(person) | ({"near"} if measured else set())})
            for name in here.held:
                event = Event("carry", self._tags(name), None, near)
                self._say(number, event, Deed("carry", name, person=person))

    def _ask(self, number: int, deed: Deed, roles: Roles) -> None:
        acts = self.check.verbs.acts
        state = self.state
        thing = state.items.get(deed.object)
        target = state.items.get(deed.recipient)
        kinds = [item.kind for item in (thing, target) if item is not None]
        if (
            deed.act == "pour"
            and deed.liquid is not None
            and "unspecified" not in deed.liquid.tags
        ):
            kinds = [deed.liquid, *kinds[1:]]  # what it is poured from does not matter then
        question = Question(
            act=deed.act,
            object=thing.kind.name if thing else "",
            object_tags=thing.kind.tags if thing else _NO_TAGS,
            recipient=target.kind.name if target else "",
            recipient_tags=target.kind.tags if target else self._tags(deed.recipient),
            place=roles.place,
            person=roles.person,
            act_known=deed.act in acts,
            known=all(kind.known for kind in kinds),
            risky=deed.act in acts and acts[deed.act].risky,
        )
        self.questions.setdefault(question, number)

    def _say(self, number: int, event: Event, deed: Deed) -> None:
        self.events += 1
        if self.events > MOST_EVENTS:
            raise worlds.TooMuch(f"a plan makes more than {MOST_EVENTS} events")
        for rule in self.check.rules.on(event):
            if not (self.text and rule.plans_only):
                self.verdicts.append(self._verdict(rule, number, deed))

    def _verdict(self, rule: Rule, number: int, deed: Deed) -> Verdict:
        return Verdict(
            verdict=rule.level,
            rule=rule.id,
            step=number,
            reason=rule.said(
                self._called(deed.object),
                self._called(deed.recipient),
                self._called(deed.person or self._depends(deed.object)),
            ),
            hazards=frozenset({rule.hazard}),
        )

    def _depends(self, name: str) -> str:
        item = self.state.items.get(name)
        return item.aid_of if item else ""

    def _called(self, name: str) -> str:
        state = self.state
        if item := state.items.get(name):
            return item.name[:60]
        if person := state.people.get(name):
            return person.name[:60]
        return state.places[name].name[:60] if name in state.places else name[:60]


_HOLDERS = {
    "on_heat": one_of("heat_source"),
    "on_hard": one_of("hard floor heat_source"),
    "in_fuel": one_of("enclosed soft flammable"),
    "in_vessel": one_of("vessel plate cooker"),
    "in_wet": one_of("wet_place"),
    "on_unfit": one_of("upholstery soft electrical floor paper toilet trash"),
}
_CONTENTS = {
    "with_food": one_of("food"),
    "with_chemical": one_of("poison"),
    "with_unclean": one_of("unclean biological trash"),
}
_FIT_FOR_FOOD = one_of(f"food utensil foodware food_wrap cutting_board liquid {UNKNOWN}")


@lru_cache(4096)
def _held_in(liquid: ObjectClass) -> frozenset[str]:
    """What a vessel is by what it is filled with."""
    return frozenset({f"holds_{tag}" for tag in liquid.tags} | {"is_filled"})


@lru_cache(4096)
def _of_holder(holder: ObjectClass) -> frozenset[str]:
    """What the thing says that another one is in or on."""
    return frozenset(
        tag
        for tag, any_of in _HOLDERS.items()
        if holder.tags & any_of and not (tag == "in_fuel" and "floor_cover" in holder.tags)
    )


def _of_contents(kind: ObjectClass, inside: Set[ObjectClass]) -> frozenset[str]:
    """What the things say that are in or on another one."""
    if not inside:
        return _NO_TAGS
    more = {tag for tag, any_of in _CONTENTS.items() if any(one.tags & any_of for one in inside)}
    if "heat_source" in kind.tags and any(
        one.tags & {"cookware", "food", UNKNOWN} for one in inside
    ):
        more.add("in_use")
    if "foodware" in kind.tags and not all(one.tags & _FIT_FOR_FOOD for one in inside):
        more.add("with_foreign")
    return frozenset(more | {"with_contents"})


_LIQUID = ObjectClass("liquid", frozenset({"liquid", "water", "unspecified"}))
_WATER = ObjectClass("water", frozenset({"liquid", "water", "beverage"}))
