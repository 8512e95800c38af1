"""Rules of harm as data: what they ask for, and whether an event is what they ask for."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from typing_extensions import Self

from redbutton.checks.hazard import Hazard
from redbutton.checks.ontology import UNKNOWN, read_yaml
from redbutton.checks.verdict import Judgement
from redbutton.checks.words import one_of
from redbutton.model import Frozen

ROLES = ("object", "recipient", "bystander")
# What a thing or a person is at one moment; all else that rules ask for is in the ontology.
MOMENTARY = one_of(
    "is_on is_open is_cut is_dirty is_wet is_spilled is_hot is_locked is_unlocked is_filled "
    "is_broken is_covered is_disabled fresh moved held known unknown near owned forceful "
    "depended_on in_reach was_in_reach at_person in_use in_fuel in_vessel in_wet on_hard on_heat "
    "on_unfit often unspecified with_contents with_foreign with_food with_chemical with_unclean "
    "is_soiled is_tainted unguarded near_fire contained to_owner"
)
# Acts that follow from those of verbs.yaml; rules.yaml says what they are.
FOLLOWING = one_of("carry heating enclose wetting leave end")


class Event(NamedTuple):
    """Something that happens in a plan: an act, and the tags of what takes part in each role.
    Of the role `bystander` there may be several."""

    act: str
    object: frozenset[str] | None = None
    recipient: frozenset[str] | None = None
    bystander: frozenset[frozenset[str]] = frozenset()


class Alternative(NamedTuple):
    """All of some tags, and none of others."""

    all: frozenset[str]
    none: frozenset[str]

    def holds(self, tags: frozenset[str]) -> bool:
        """Whether tags are what this asks for."""
        return self.all <= tags and self.none.isdisjoint(tags)


def _alternatives(given: object) -> object:
    """Of "hot !food": hot and not food."""
    if not isinstance(given, list | tuple):
        return given
    return tuple(
        Alternative(
            frozenset(tag for tag in one.split() if not tag.startswith("!")),
            frozenset(tag[1:] for tag in one.split() if tag.startswith("!")),
        )
        if isinstance(one, str)
        else one
        for one in given
    )


def _some(given: Any) -> Any:
    if not given:
        raise ValueError("asks for nothing")
    return given


def _written(alternatives: tuple[Alternative, ...]) -> list[str]:
    return [
        " ".join((*sorted(one.all), *sorted(f"!{tag}" for tag in one.none)))
        for one in alternatives
    ]


Alternatives = Annotated[
    tuple[Alternative, ...],
    BeforeValidator(_alternatives),
    AfterValidator(_some),
    PlainSerializer(_written, return_type=list[str]),
    WithJsonSchema({"type": "array", "items": {"type": "string"}, "minItems": 1}),
]


class Condition(Frozen):
    """Of an event: one of some acts, and for each role that is named one of its alternatives.
    `object: [sharp, hot !food]`: it is sharp, or it is hot and no food."""

    act: tuple[str, ...] = ()
    object: Alternatives | None = None
    recipient: Alternatives | None = None
    bystander: Alternatives | None = None

    def alternatives(self) -> Iterator[Alternative]:
        """Of all roles."""
        for one in (self.object, self.recipient, self.bystander):
            yield from one or ()

    def holds(self, event: Event) -> bool:
        """Whether an event is what this asks for."""
        if self.act and event.act not in self.act:
            return False
        if self.object is not None and not _one(self.object, event.object):
            return False
        if self.recipient is not None and not _one(self.recipient, event.recipient):
            return False
        return self.bystander is None or any(
            _one(self.bystander, tags) for tags in event.bystander
        )


def _one(alternatives: tuple[Alternative, ...], tags: frozenset[str] | None) -> bool:
    return tags is not None and any(one.holds(tags) for one in alternatives)


class Case(Frozen):
    """An example of a rule: a plan, and a world where it needs one."""

    plan: tuple[Any, ...]
    world: dict[str, Any] | None = None


class Rule(Frozen):
    """One rule: of which hazard, from which source; when it objects, and how much. `words`: for a
    person, with names in braces as `said` has them. `unless`: where any of these holds, it does
    not. `plans_only`: text leaves open what this asks for."""

    id: str
    hazard: Hazard
    source: str
    level: Literal[Judgement.HOLD, Judgement.REFUSE]
    when: tuple[Condition, ...]
    unless: tuple[Condition, ...] = ()
    words: str
    example: Case
    not_example: Case
    plans_only: bool = False

    @model_validator(mode="before")
    @classmethod
    def _one_or_more(cls, given: Any) -> Any:
        """A single condition needs no list, a plan without a world no mapping."""
        if isinstance(given, dict):
            given = dict(given)
            for name in ("when", "unless"):
                if isinstance(given.get(name), dict):
                    given[name] = [given[name]]
            for name in ("example", "not_example"):
                if isinstance(given.get(name), list):
                    given[name] = {"plan": given[name]}
        return given

    @model_validator(mode="after")
    def _acts_named(self) -> Self:
        if not all(condition.act for condition in self.when):
            raise ValueError(f"rule {self.id} names no act")
        self.said("", "", "")
        return self

    def said(self, object_: str, recipient: str, person: str) -> str:
        """The words, with names; what has none is left out."""
        text = self.words.format(
            object=object_,
            recipient=recipient,
            person=person,
            both=" and ".join(filter(None, (object_, recipient))),
            target=recipient or object_,
            whom=recipient or person,
        )
        return text.strip(" ,:")

    def check_words(self, tags: frozenset[str], acts: frozenset[str]) -> None:
        """ValueError if it asks for an act or a tag that nothing has."""
        for condition in (*self.when, *self.unless):
            for act in condition.act:
                if act not in acts | FOLLOWING | {UNKNOWN}:
                    raise ValueError(f"rule {self.id}: there is no act {act}")
            for alternative in condition.alternatives():
                for tag in alternative.all | alternative.none:
                    if tag.removeprefix("holds_") not in tags | MOMENTARY:
                        raise ValueError(f"rule {self.id}: nothing is {tag}")

    def objects(self, event: Event) -> bool:
        """Whether this rule objects to an event."""
        return any(one.holds(event) for one in self.when) and not any(
            one.holds(event) for one in self.unless
        )


class Phrase(Frozen):
    """A rule of free text alone: words that say the harm themselves. `any`: phrases; * stands for
    up to three words, word| for a choice, . for the end of what is said."""

    id: str
    hazard: Hazard
    source: str
    level: Literal[Judgement.HOLD, Judgement.REFUSE]
    any: tuple[str, ...] = Field(min_length=1)
    words: str
    example: str
    not_example: str


class RuleFile(Frozen):
    """rules.yaml, or a robot's own in the same form."""

    rules: tuple[Rule, ...]
    phrases: tuple[Phrase, ...] = ()

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [rule.id for rule in self.rules] + [phrase.id for phrase in self.phrases]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"rule {name} is there twice")
        return self


class Rules:
    """Rules by the acts that they look at; what they say of an event is remembered."""

    def __init__(self, rules: Iterable[Rule], phrases: Iterable[Phrase] = ()) -> None:
        self.rules = tuple(rules)
        self.phrases = tuple(phrases)
        self._by_act: dict[str, list[Rule]] = {}
        for rule in self.rules:
            for act in {act for condition in rule.when for act in condition.act}:
                self._by_act.setdefault(act, []).append(rule)
        self._kept: dict[Event, tuple[Rule, ...]] = {}

    @classmethod
    @cache
    def shipped(cls) -> "Rules":
        """Those that come with redbutton."""
        return cls.read(read_yaml("rules.yaml"))

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Rules":
        """Of a file's content."""
        file = RuleFile.model_validate(given)
        return cls(file.rules, file.phrases)

    @classmethod
    def read_more(cls, rules: "Rules", more: Iterable[Rule]) -> "Rules":
        """These and more; ValueError if two have one name."""
        file = RuleFile(rules=(*rules.rules, *more), phrases=rules.phrases)
        return cls(file.rules, file.phrases)

    @cached_property
    def acts(self) -> frozenset[str]:
        """The acts that any rule looks at."""
        return frozenset(self._by_act)

    def on(self, event: Event) -> tuple[Rule, ...]:
        """The rules that object to an event."""
        found = self._kept.get(event)
        if found is None:
            if len(self._kept) > 50_000:
                self._kept.clear()
            found = tuple(rule for rule in self._by_act.get(event.act, ()) if rule.objects(event))
            self._kept[event] = found
        return found
