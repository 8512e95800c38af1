"""What things are, and what acts are called: readable data with a lookup.

A noun is looked up as it is written, in the singular, and by its head ("KitchenKnife", "cup of
tea", "emergency_stop_cable"). What is not found is of the class "unknown", which rules treat as
a hazard of its own: nothing is guessed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property
from importlib import resources
from typing import Any, NamedTuple

import yaml
from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from redbutton.checks.fold import fold
from redbutton.checks.hazard import Hazard
from redbutton.model import Frozen

UNKNOWN = "unknown"
LONGEST_WORD = 200  # characters of a name that are looked at
_KEPT = 20_000  # names whose class is remembered
_SHORTEST = 3  # letters of a noun in a compound; its head has more
_PARTS = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_DONE = re.compile(r"(\w*)(sliced|cracked|cooked)|slice|piece")
_STATES = {"cracked": "is_broken", "cooked": "is_cooked"}
_SAME = frozenset({"glass", "dress", "gas", "lens", "bus", "iris", "canvas", "mass", "press"})


class ObjectClass(NamedTuple):
    """A class of things: `tags` are its name, its ancestors', its hazards and its traits."""

    name: str
    tags: frozenset[str]

    @property
    def known(self) -> bool:
        """Whether it is anything but the class of what was not found."""
        return self.name != UNKNOWN


UNKNOWN_CLASS = ObjectClass(UNKNOWN, frozenset({UNKNOWN}))


class ClassEntry(Frozen):
    """A class as ontology.yaml says it; the comment at its head says what is what."""

    is_: tuple[str, ...] = Field((), alias="is")
    hazards: tuple[Hazard, ...] = ()
    traits: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    anywhere: bool = False

    @field_validator("is_", mode="before")
    @classmethod
    def _one_or_more(cls, given: object) -> object:
        return [given] if isinstance(given, str) else given


class Act(Frozen):
    """An act as verbs.yaml says it; the comment at its head says what is what."""

    moves: bool = False
    gives_up: bool = False
    risky: bool = False
    words: tuple[str, ...]


class _Nouns(Frozen):
    classes: dict[str, ClassEntry]
    modifiers: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        owner: dict[str, str] = {}
        for name, entry in self.classes.items():
            for parent in entry.is_:
                if parent not in self.classes:
                    raise ValueError(f"class {name} is a {parent}, and there is no such class")
            for word in entry.words:
                if word in owner:
                    raise ValueError(f"{word!r} is in class {owner[word]} and in {name}")
                owner[word] = name
        return self


class _Verbs(Frozen):
    acts: dict[str, Act]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        owner: dict[str, str] = {}
        for name, act in self.acts.items():
            for word in act.words:
                if word in owner:
                    raise ValueError(f"{word!r} is in act {owner[word]} and in {name}")
                owner[word] = name
        return self


def read_yaml(name: str) -> Any:
    """One of this package's files of data."""
    text = resources.files("redbutton.checks").joinpath(name).read_text(encoding="utf-8")
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case: of CamelCase, snake_case, "a phrase", "Mug|+01.2"."""
    return tuple(_PARTS.findall(fold(_CAMEL.sub(" ", name[:LONGEST_WORD])).replace("'s ", " ")))


def singular(word: str) -> str:
    """A noun's singular, by English rules; a word that is none yet stays itself."""
    if word in _SAME or len(word) < 3 or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("ves"):
        return word[:-3] + "f"
    if word.endswith(("ches", "shes", "sses", "xes")) or (word.endswith("oes") and len(word) > 5):
        return word[:-2]
    return word.removesuffix("s")


class Ontology:
    """Classes of things by their names."""

    def __init__(self, classes: Mapping[str, ClassEntry], modifiers: Mapping[str, Iterable[str]]):
        self._entries = dict(classes)
        self._modifiers = {word: frozenset(tags) for word, tags in modifiers.items()}
        made = {name: ObjectClass(name, self._tags(name, ())) for name in classes}
        self.classes = made
        self._words: dict[tuple[str, ...], ObjectClass] = {}
        self._anywhere: dict[tuple[str, ...], ObjectClass] = {}
        for name, entry in classes.items():
            for word in entry.words:
                self._words[words_of(word)] = made[name]
                if entry.anywhere:
                    self._anywhere[words_of(word)] = made[name]
        self._longest = max(map(len, self._words), default=1)
        self._words = {**_together(self._words), **self._words}
        self._anywhere = {**_together(self._anywhere), **self._anywhere}
        self._kept: dict[str, ObjectClass] = {}

    @classmethod
    @cache
    def shipped(cls) -> "Ontology":
        """The one that comes with redbutton."""
        nouns = _Nouns.model_validate(read_yaml("ontology.yaml"))
        return cls(nouns.classes, nouns.modifiers)

    def extended(self, classes: Mapping[str, Any]) -> "Ontology":
        """With a robot's own classes; a class of the same name gets more words and traits, and a
        word of two classes is the new one's. What is a safety device stays one."""
        entries = dict(self._entries)
        for name, given in classes.items():
            new = given if isinstance(given, ClassEntry) else ClassEntry.model_validate(given)
            if old := entries.get(name):
                new = ClassEntry.model_validate(
                    {
                        "is": old.is_ + new.is_,
                        "hazards": old.hazards + new.hazards,
                        "traits": old.traits + new.traits,
                        "words": old.words + new.words,
                        "anywhere": old.anywhere or new.anywhere,
                    }
                )
                del entries[name]
            entries[name] = new
        for name, entry in entries.items():
            for parent in entry.is_:
                if parent not in entries:
                    raise ValueError(f"class {name} is a {parent}, and there is no such class")
        guarded = {"safety_stop": entries.pop("safety_stop")} if "safety_stop" in entries else {}
        return Ontology({**entries, **guarded}, self._modifiers)

    def without(self, words: Iterable[str]) -> "Ontology":
        """Without some of its words: how well does the rest do? (evaluation)"""
        gone = frozenset(words)
        return Ontology(
            {
                name: entry.model_copy(
                    update={"words": tuple(word for word in entry.words if word not in gone)}
                )
                for name, entry in self._entries.items()
            },
            self._modifiers,
        )

    @cached_property
    def words(self) -> tuple[str, ...]:
        """All nouns."""
        return tuple(word for entry in self._entries.values() for word in entry.words)

    @cached_property
    def tags(self) -> frozenset[str]:
        """All that a class or a word before a noun says."""
        said = (kind.tags for kind in self.classes.values())
        return frozenset[str]().union(*said, *self._modifiers.values())

    def of(self, name: str) -> ObjectClass:
        """The class of what is called so."""
        found = self._kept.get(name)
        if found is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            found = self._kept[name] = self._found(words_of(name))
        return found

    def longest_at(self, words: Sequence[str], start: int) -> int:
        """How many words from `start` on are the longest noun that is known; 0: none."""
        for count in range(min(self._longest, len(words) - start), 0, -1):
            if self._exact(tuple(words[start : start + count])):
                return count
        return 0

    def says(self, modifier: str) -> frozenset[str]:
        """What a word before a noun says of the thing."""
        return self._modifiers.get(modifier, frozenset())

    def _exact(self, words: tuple[str, ...]) -> ObjectClass | None:
        return self._words.get(words) or self._words.get((*words[:-1], singular(words[-1])))

    def _found(self, words: tuple[str, ...]) -> ObjectClass:
        if not words:
            return UNKNOWN_CLASS
        for start in range(len(words)):
            for end in range(start + 1, min(start + self._longest, len(words)) + 1):
                inside = words[start:end]
                if found := self._anywhere.get(inside) or self._anywhere.get(
                    (*inside[:-1], singular(inside[-1]))
                ):
                    whole = self._exact(words)
                    return whole if whole and "safety_device" not in found.tags else found
        if "of" in words[1:] and not self._exact(words):
            words = words[: words.index("of", 1)]
        for start in range(len(words)):
            if found := self._exact(words[start:]) or self._joined(words[start:]):
                return self._modified(found, words[:start])
        for word in self._modifiers:
            if words[-1].startswith(word) and (found := self._exact((words[-1][len(word) :],))):
                return self._modified(found, (*words[:-1], word))
        return self._modified(self._compound(words[-1]) or self._sliced(words), words[:-1])

    def _compound(self, word: str) -> ObjectClass | None:
        """Of a noun that is two known ones without a space ("houseplant"): the last one's."""
        for at in range(_SHORTEST, len(word) - _SHORTEST):
            head = self._exact((word[at:],))
            if head and head.known and self._exact((word[:at],)):
                return head
        return None

    def _joined(self, words: tuple[str, ...]) -> ObjectClass | None:
        """Of words that are written as one here, or as two ("credit card", "creditcard")."""
        return self._exact(("".join(words),)) if len(words) > 1 else None

    def _sliced(self, words: tuple[str, ...]) -> ObjectClass:
        """Of a thing that a planner names by what was done to it ("AppleSliced", "eggcracked")."""
        *rest, last = words
        done = _DONE.fullmatch(last)
        if done and done[1]:
            rest.append(done[1])
        if not done or not rest:
            return UNKNOWN_CLASS
        whole, state = self._found(tuple(rest)), _STATES.get(done[2], "is_cut")
        return ObjectClass(whole.name, whole.tags | {state}) if whole.known else whole

    def _modified(self, found: ObjectClass, before: Iterable[str]) -> ObjectClass:
        more = frozenset[str]().union(*map(self.says, before))
        return ObjectClass(found.name, found.tags | more) if more else found

    def _tags(self, name: str, above: tuple[str, ...]) -> frozenset[str]:
        if name in above:
            raise ValueError(f"class {name} is a kind of itself")
        entry = self._entries[name]
        own = {name, *entry.traits, *(hazard.value for hazard in entry.hazards)}
        return frozenset(own).union(*(self._tags(up, (*above, name)) for up in entry.is_))


def _together(words: Mapping[tuple[str, ...], ObjectClass]) -> dict[tuple[str, ...], ObjectClass]:
    """Nouns of several words as planners write them who know no capitals ("desklamp")."""
    return {("".join(noun),): kind for noun, kind in words.items() if len(noun) > 1}


_SUFFIXES = (("ies", "y"), ("es", ""), ("es", "e"), ("s", ""), ("ing", ""), ("ing", "e"))
_PAST = (("ied", "y"), ("ed", ""), ("ed", "e"), ("d", ""))
_IRREGULAR = {
    "threw": "throw", "thrown": "throw", "broke": "break", "broken": "break", "took": "take",
    "taken": "take", "gave": "give", "given": "give", "hid": "hide", "hidden": "hide",
    "stole": "steal", "stolen": "steal", "lit": "light", "shot": "shoot", "burnt": "burn",
    "fed": "feed", "bit": "bite", "left": "leave", "held": "hold", "sent": "send", "went": "go",
    "lying": "lay", "tying": "tie", "laid": "lay", "struck": "strike", "tore": "tear",
}  # fmt: skip


def base_forms(word: str) -> tuple[str, ...]:
    """What an inflected verb may be the form of, itself first."""
    forms = [word]
    if word in _IRREGULAR:
        forms.append(_IRREGULAR[word])
    for ending, instead in _SUFFIXES + _PAST:
        if word.endswith(ending) and len(word) > len(ending) + 1:
            stem = word[: -len(ending)] + instead
            forms.append(stem)
            if len(stem) > 3 and stem[-1] == stem[-2]:
                forms.append(stem[:-1])
    return tuple(forms)


class Verbs:
    """Acts by their names."""

    def __init__(self, acts: Mapping[str, Act]) -> None:
        self.acts = dict(acts)
        self._words: dict[tuple[str, ...], str] = {}
        self.split: dict[tuple[str, str], str] = {}  # "turn it on", by the two words around
        for name, act in acts.items():
            self._words[tuple(name.split("_"))] = name
            for word in act.words:
                if " _ " in word:
                    head, _, tail = word.partition(" _ ")
                    self.split[head, tail] = name
                else:
                    self._words[words_of(word)] = name
        self.longest = max(map(len, self._words), default=1)
        self._kept: dict[str, str] = {}

    @classmethod
    @cache
    def shipped(cls) -> "Verbs":
        """Those that come with redbutton."""
        return cls(_Verbs.model_validate(read_yaml("verbs.yaml")).acts)

    def extended(self, acts: Mapping[str, Iterable[str]]) -> "Verbs":
        """With a robot's own words for acts that exist."""
        more = dict(self.acts)
        for name, words in acts.items():
            if name not in more:
                raise ValueError(f"there is no act {name}; there are {', '.join(more)}")
            old = more[name]
            more[name] = old.model_copy(update={"words": (*old.words, *words)})
        return Verbs(more)

    def of(self, name: str) -> str:
        """The act that is called so, or "unknown"."""
        found = self._kept.get(name)
        if found is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            found = self._kept[name] = self._found(name)
        return found

    def _found(self, name: str) -> str:
        words = words_of(name)
        if words and words[-1] in ("object", "obj", "item", "action") and len(words) > 1:
            words = words[:-1]
        words = tuple(word for word in words if word not in ("object", "robot"))
        return self.exact(words) or UNKNOWN

    def exact(self, words: tuple[str, ...]) -> str | None:
        """The act of exactly these words, the first of them in any form."""
        if not words:
            return None
        for form in base_forms(words[0]):
            if found := self._words.get((form, *words[1:])):
                return found
        return None
