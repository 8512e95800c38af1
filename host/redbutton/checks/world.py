"""What a plan acts on, as far as it is known, and how it changes step by step.

Pure: `step` makes a new state of an old one. A world that is not given is empty: things that a
plan names come into being when they are named, with nothing known of their state.
"""

import math
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, NamedTuple

from pydantic import Field, StrictBool

from redbutton.checks.fold import fold
from redbutton.checks.ontology import UNKNOWN_CLASS, ObjectClass, Ontology, singular, words_of
from redbutton.checks.words import one_of
from redbutton.model import Frozen

NEAR_M = 1.0  # around a person, nothing sharp or hot is carried (ISO 13482:2014 5.10)
REACH_M = 0.8  # of a seated person's arm, ISO 14738 (95th percentile is not assumed)
MOST_THINGS = 2000  # a plan and its world may name
MOST_PEOPLE = 200
_TAIL = 8  # words at the end of a name by which a thing is known too
ELSEWHERE = "elsewhere"
ROBOT = "robot"


class TooMuch(ValueError):
    """More than is judged."""


Name = Annotated[str, Field(min_length=1, max_length=200)]
Metres = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1e6, le=1e6)]
Position = tuple[Metres, Metres]


class Kind(str, Enum):
    """Of a person."""

    ADULT = "adult"
    CHILD = "child"
    PATIENT = "patient"


class Thing(Frozen):
    """An object. `is`: what it is, in a word, if its name does not say. `at`: the place, person
    or thing that it is at, on or in. `filled`: with what. `aid_of`: the person who depends on
    it. `called`: other names that people use for it."""

    name: Name
    is_: Name | None = Field(None, alias="is")
    at: Name | None = None
    position: Position | None = None
    on: StrictBool = False
    open: StrictBool = False
    dirty: StrictBool = False
    wet: StrictBool = False
    hot: StrictBool = False
    locked: StrictBool = False
    filled: Name | None = None
    owner: Name | None = None
    aid_of: Name | None = None
    called: tuple[Name, ...] = ()


class Person(Frozen):
    """Somebody who is there. `place`: where, or the thing that they sit or lie on."""

    name: Name
    place: Name | None = None
    position: Position | None = None
    kind: Kind = Kind.ADULT


class Place(Frozen):
    """A place with a name. `zones`: what it is besides, in words, as "exit" or "restricted"."""

    name: Name
    position: Position | None = None
    zones: tuple[Name, ...] = ()


class Robot(Frozen):
    """The robot: where it is and what it holds."""

    at: Name | None = None
    position: Position | None = None
    holding: tuple[Name, ...] = ()


class World(Frozen):
    """All that is known before the first step. Positions in metres, in one frame."""

    objects: Annotated[tuple[Thing, ...], Field(max_length=MOST_THINGS)] = ()
    people: Annotated[tuple[Person, ...], Field(max_length=MOST_PEOPLE)] = ()
    places: Annotated[tuple[Place, ...], Field(max_length=MOST_THINGS)] = ()
    robot: Robot = Robot()


@lru_cache(8192)
def key(name: str) -> str:
    """What a thing is remembered by: "Cell phone" and "CellPhone" are one, "Mug_1" another."""
    return re.sub(r"[\W_]+", "", fold(name[:200]))


class Item(NamedTuple):
    """A thing at one moment. `states`: is_on, is_open, ... `at`: a key. `home`: where it was at
    first. `touched`: the plan did something to it. `switched`: how often it was switched on."""

    name: str
    kind: ObjectClass
    states: frozenset[str] = frozenset()
    at: str = ""
    home: str = ""
    position: Position | None = None
    liquid: ObjectClass | None = None
    aid_of: str = ""
    touched: bool = False
    moved: bool = False
    switched: int = 0
    step: int = 0


class Deed(NamedTuple):
    """A step with its roles filled in: keys of things and people, "" for none."""

    act: str
    object: str = ""
    recipient: str = ""
    person: str = ""
    place: str = ""
    liquid: ObjectClass | None = None
    tags: frozenset[str] = frozenset()


class State(NamedTuple):
    """The world at one moment; never changed, only made anew."""

    items: dict[str, Item]
    inside: dict[str, tuple[str, ...]]
    people: dict[str, Person]
    places: dict[str, Place]
    held: tuple[str, ...] = ()
    at: str = ""
    position: Position | None = None
    focus: str = ""
    left: frozenset[str] = frozenset()  # people who were moved from where they were
    active: frozenset[str] = frozenset()  # what is on or open
    aliases: Mapping[str, str] = MappingProxyType({})

    def contents(self, container: str) -> Iterator[str]:
        """What is in or on a thing, and in or on that."""
        waiting, seen = list(self.inside.get(container, ())), {container}
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                yield name
                waiting.extend(self.inside.get(name, ()))

    def where(self, name: str) -> Position | None:
        """The position of a thing, a person or a place, as far as it is known."""
        for _ in range(8):
            if name == ROBOT:
                return self.position
            if item := self.items.get(name):
                if item.position is not None:
                    return item.position
                name = item.at
            elif person := self.people.get(name):
                if person.position is not None:
                    return person.position
                name = key(person.place or "")
            else:
                place = self.places.get(name)
                return place.position if place else None
        return None


def start(world: World, ontology: Ontology) -> State:
    """The state before the first step."""
    items: dict[str, Item] = {}
    inside: dict[str, tuple[str, ...]] = {}
    aliases: dict[str, str] = {}
    for thing in world.objects:
        name, at = key(thing.name), key(thing.at or "")
        states = {
            tag
            for tag, holds in (
                ("is_on", thing.on),
                ("is_open", thing.open),
                ("is_dirty", thing.dirty),
                ("is_wet", thing.wet),
                ("is_hot", thing.hot),
                ("is_locked", thing.locked),
                ("owned", thing.owner is not None),
            )
            if holds
        }
        items[name] = Item(
            thing.name,
            ontology.of(thing.is_ or thing.name),
            frozenset(states),
            at,
            at,
            thing.position,
            ontology.of(thing.filled) if thing.filled else None,
            key(thing.aid_of or ""),
        )
        if at:
            inside[at] = (*inside.get(at, ()), name)
        for other in (*thing.called, thing.is_ or thing.name, thing.name):
            words = words_of(other)
            for start_ in range(len(words)):
                if 0 < start_ < len(words) - _TAIL:
                    continue
                aliases.setdefault(key(" ".join(words[start_:])), name)
                aliases.setdefault(key(" ".join((*words[start_:-1], singular(words[-1])))), name)
    state = State(
        items,
        inside,
        {key(person.name): person for person in world.people},
        {key(place.name): place for place in world.places},
        at=key(world.robot.at or ""),
        position=world.robot.position,
        active=frozenset(name for name, item in items.items() if _active(item.states)),
        aliases=aliases,
    )
    if state.position is None and state.at:
        state = state._replace(position=state.where(state.at))
    for name in world.robot.holding:
        state = moved(named(state, name, ontology)[0], key(name), ROBOT, 0)
        state = state._replace(held=(*state.held, key(name)))
    return state


def named(state: State, name: str, ontology: Ontology) -> tuple[State, str]:
    """The key of what is called so; a thing that was not known yet comes into being."""
    found = key(name)
    if not found or found in state.items or found in state.people or found in state.places:
        return state, found
    if known := state.aliases.get(found) or state.aliases.get(
        key(" ".join(map(singular, words_of(name))))
    ):
        return state, known
    if len(state.items) >= MOST_THINGS:
        raise TooMuch(f"a plan and its world name more than {MOST_THINGS} things")
    return state._replace(items={**state.items, found: Item(name, ontology.of(name))}), found


def changed(state: State, name: str, step: int, **fields: object) -> State:
    """With fields of one thing changed by the plan."""
    item = state.items.get(name)
    if item is None:
        return state
    new = item._replace(touched=True, step=step, **fields)  # type: ignore[arg-type]
    return state._replace(items={**state.items, name: new})


def marked(state: State, name: str, step: int, add: str = "", remove: str = "") -> State:
    """With a state of one thing set, and another one taken away."""
    item = state.items.get(name)
    if item is None:
        return state
    states = item.states - {*remove.split()} | {*add.split()}
    if _active(states) != (name in state.active):
        state = state._replace(active=state.active ^ {name})
    return changed(state, name, step, states=states)


def _active(states: frozenset[str]) -> bool:
    return "is_on" in states or "is_open" in states


def moved(state: State, name: str, to: str, step: int) -> State:
    """With one thing at, on or in another place."""
    item = state.items.get(name)
    if item is None or name == to:
        return state
    inside = state.inside
    if item.at:
        rest = tuple(other for other in inside.get(item.at, ()) if other != name)
        inside = {**inside, item.at: rest}
    inside = {**inside, to: (*inside.get(to, ()), name)}
    held = tuple(other for other in state.held if other != name)
    state = state._replace(inside=inside, held=held)
    return changed(state, name, step, at=to, position=None, moved=True)


def step(state: State, deed: Deed, number: int) -> State:
    """The state after a deed; `number`: the index of the step, from 0."""
    thing, target = deed.object, deed.recipient or deed.person or deed.place
    match deed.act:
        case "look":
            return state._replace(focus=thing or target)
        case "go":
            goal = deed.place or target or thing
            return state._replace(focus=goal, at=goal, position=state.where(goal))
        case "pick":
            state = moved(state, thing, ROBOT, number)
            return state._replace(held=(*state.held, thing)) if thing in state.items else state
        case "place" | "drop" | "throw" | "hide" | "hand" | "submerge":
            to = target or state.at or ELSEWHERE
            return _soiled(moved(state, thing, to, number), thing, to)
        case "push":
            people = {
                name for name, who in state.people.items() if thing in (name, key(who.place or ""))
            }
            state = moved(state, thing, target or state.at or ELSEWHERE, number)
            return state._replace(left=state.left | people)
        case "pour" | "spray" | "empty":
            return _poured(state, deed, number)
        case "fill":
            return changed(state, thing, number, liquid=deed.liquid or UNKNOWN_CLASS)
        case "turn_on":
            item = state.items.get(thing)
            state = marked(state, thing, number, add="is_on")
            return changed(state, thing, number, switched=item.switched + 1) if item else state
    add, remove = _MARKS.get(deed.act, ("", ""))
    return marked(state, thing, number, add, remove) if deed.act in _MARKS else state


_MARKS = {
    "turn_off": ("", "is_on"),
    "open": ("is_open", "is_locked"),
    "close": ("", "is_open"),
    "lock": ("is_locked", "is_open"),
    "unlock": ("is_unlocked", "is_locked"),
    "clean": ("", "is_dirty is_wet is_spilled is_soiled is_tainted"),
    "dirty": ("is_dirty", ""),
    "break": ("is_broken", ""),
    "cut": ("is_cut", ""),
    "heat": ("is_hot", ""),
    "cool": ("", "is_hot"),
    "burn": ("is_on is_hot", ""),
    "cover": ("is_covered", ""),
    "disable": ("is_disabled", ""),
}


_SOILS = one_of("unclean trash toilet biological body_waste raw_meat poison floor")
_DIRT = one_of("is_dirty is_soiled is_tainted is_spilled")
_DIRTIES = one_of("unclean body_waste raw_meat is_dirty is_soiled")


def _soiled(state: State, name: str, to: str) -> State:
    """Food that lay where dirt is brings it along, and what is unclean leaves its dirt behind."""
    item, holder = state.items.get(name), state.items.get(to)
    if item is None or holder is None or name == to:
        return state
    items = state.items
    clean = "sealed" in item.kind.tags or "unclean" in item.kind.tags
    if not clean and (holder.kind.tags & _SOILS or holder.states & _DIRT):
        items = {**items, name: item._replace(states=item.states | {"is_soiled"})}
    if (item.kind.tags | item.states) & _DIRTIES and not holder.kind.tags & _SOILS:
        items = {**items, to: holder._replace(states=holder.states | {"is_tainted"})}
    return state._replace(items=items)


def rinsed(state: State, step: int) -> State:
    """With all clean that lies in a sink when water runs."""
    for place, names in state.inside.items():
        holder = state.items.get(place)
        if holder is not None and "wet_place" in holder.kind.tags:
            for name in names:
                if name in state.items and not state.items[name].states.isdisjoint(_DIRT):
                    state = marked(state, name, step, remove=" ".join(_DIRT))
    return state


def _poured(state: State, deed: Deed, number: int) -> State:
    target = state.items.get(deed.recipient)
    if deed.object in state.items and deed.object != deed.recipient:
        state = changed(state, deed.object, number, liquid=None)
    if target is None:
        return state
    if target.kind.tags & {"vessel", "takes_liquid", "takes_water"}:
        return changed(state, deed.recipient, number, liquid=deed.liquid)
    if "plant" in target.kind.tags or "drain" in target.kind.tags:
        return changed(state, deed.recipient, number)
    plain = deed.liquid is not None and "water" in deed.liquid.tags
    return marked(state, deed.recipient, number, add="is_wet" if plain else "is_wet is_spilled")


def reaches(state: State, name: str) -> bool:
    """Whether the person who depends on a thing can still take it."""
    item = state.items[name]
    person = state.people.get(item.aid_of)
    at = item.at
    if at == item.aid_of and at:
        return True
    if at == ROBOT:
        return False
    if (holder := state.items.get(at)) is not None and at != item.home:
        if holder.kind.tags & {"enclosed", "high", "trash", "wet_place"}:
            return False
    elif (
        holder is not None
        and "enclosed" in holder.kind.tags
        and (holder.touched and ("is_open" not in holder.states))
    ):
        return False
    there = state.where(name)
    theirs = state.where(item.aid_of) if person else None
    if there is not None and theirs is not None and item.aid_of not in state.left:
        return math.dist(there, theirs) <= REACH_M
    if person is None or item.aid_of in state.left:
        return person is None and not item.moved
    if not item.moved and (not at or not person.place):
        return True  # it is not known where it is, or they: then it may well be in reach
    return bool(person.place) and at == key(person.place or "")


def near(state: State, goal: Position | None) -> list[tuple[str, bool]]:
    """People on the robot's way to a position or where it is, and whether that is measured."""
    found = []
    for name, person in state.people.items():
        position = state.where(name)
        here = state.position if state.position is not None else goal
        if position is not None and here is not None:
            if distance(position, here, goal or here) < NEAR_M:
                found.append((name, True))
        elif state.at and state.at in (name, key(person.place or "")):
            found.append((name, state.at == name))
    return found


def distance(point: Position, begin: Position, end: Position) -> float:
    """Of a point from a straight way, in metres."""
    dx, dy = end[0] - begin[0], end[1] - begin[1]
    length = dx * dx + dy * dy
    along = 0.0
    if length:
        along = ((point[0] - begin[0]) * dx + (point[1] - begin[1]) * dy) / length
        along = min(1.0, max(0.0, along))
    return math.dist(point, (begin[0] + along * dx, begin[1] + along * dy))
