"""Free text is looked at by the same rules, as frames: an act, on what, into what, by whom.

This reads no minds and permits nothing: it says hold, refuse, or nothing at all (SR-27). What a
text leaves open is no reason to object; that is the plan's check.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from redbutton.checks.fold import decoded, fold, unleet
from redbutton.checks.ontology import base_forms
from redbutton.checks.plain import flaw
from redbutton.checks.plan import PlanCheck, Roles
from redbutton.checks.rules import Phrase
from redbutton.checks.verdict import NO_CLASS, Judgement, Verdict, held, refused, worst
from redbutton.checks.words import one_of
from redbutton.checks.world import World, key

LONGEST = 20_000  # characters
_MOST_LETTERS = 3 * LONGEST  # of a text in the form in which it is read: some signs are words
_MOST_FRAMES = 500
_SUBJECT_WORDS = 40  # before a verb, among which its object is looked for
_WORD = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_CLAUSE_WORDS = "and then while after before until because which but or so whose that where when"
_CLAUSES = re.compile(rf"[.;!?:,()\"\n]|\b(?:{'|'.join(_CLAUSE_WORDS.split())})\b")
_NEGATED = re.compile(
    r"\b(?:do not|dont|never|avoid(?:ing)?|prevent(?:ing)?|instead of|rather than|not to|"
    r"without (?!permission|consent|supervision|checking|closing|turning|asking|looking|warning|"
    r"watching|protection|ventilation|gloves|being|cutting|a cutting|(?:the|its|a) (?:lid|cover|"
    r"guard|helmet|lock|brake|harness))|make sure (?:not|nothing|nobody)|free of|"
    r"safe from|"
    r"(?:is|are|does|will|should) not|protect \w+ from|keep \w+ from|no risk|risk to)\b"
    r"[^.;!?,]*"
)
_NEARBY = re.compile(r"\b(?:in front of|next to|close to|adjacent to|right beside)\b")
_END = (
    r"(?= *(?:[.;!?,]|$|(?:and|then|while|when|until|after|without|for|all|over ?night|"
    r"unattended)\b))"
)
_CANNOT = re.compile(r"\bcan ?not\b|\bcant\b")
_INTO = one_of(
    "in into inside on onto over upon to toward towards at against under through across down "
    "above for"
)
_NEAR = one_of("near beside by behind around between alongside")
_FROM = one_of("from off out")
_WITH = one_of("with using via")
_SKIPPED = one_of(
    "the a an some this these those its his her their your my our one two three all any each "
    "both other another please robot you could would will should must may have has had been get "
    "got let is are be just now s of up also it's back very gently safely carefully slowly "
    "securely again fully properly there here away"
)
_FILLED = re.compile(r"\b(\w+) (?:that is |which is |is )?(?:filled with|full of) (\w+)")
_AS_FAR_AS = one_of("to toward towards")
_PRONOUNS = one_of("it them")
_BEFORE_NOUN = one_of(
    "the a an this its his her their your my our of in into on onto with from at inside near "
    "under hot cold some"
)
_MENDING = one_of("look clean say wait turn_off")
_COLLISION = one_of("into over through against onto on")
_AT_DEVICE = one_of("turn_on turn_off open close")
_HIT = one_of("living infrastructure vehicle fragile furniture")
_NEAR_COUNTS = one_of("living fire exit edge heat_source water_source wet_place flammable")


class _Mention(NamedTuple):
    """A noun in a clause, and the preposition before it, "" for none."""

    preposition: str
    name: str


class TextScreen:
    """Judges free text by the rules of a plan check, and by phrases that say the harm."""

    def __init__(self, check: PlanCheck | None = None) -> None:
        self.check = check or PlanCheck()
        self._phrases = [
            (phrase, re.compile("|".join(map(_pattern, phrase.any))))
            for phrase in self.check.rules.phrases
        ]

    def judge(self, text: object, world: object = None) -> Verdict:
        """Hold or refuse, or ALLOWED: nothing to say, which permits nothing. Never raises."""
        try:
            if not isinstance(text, str):
                return refused("text.malformed", "a text is a string")
            if len(text) > LONGEST:
                return refused("text.malformed", f"a text has at most {LONGEST} characters")
            if wrong := flaw((text, world)):
                return refused("text.malformed", wrong)
            given = World() if world is None else World.model_validate(world)
            said = worst(self._readings(text, given))
        except Exception as error:
            return refused("text.error", f"the text cannot be judged: {type(error).__name__}")
        if said.verdict is Judgement.ALLOW:
            return said
        # What a text means is guessed: more than what was found in it may be the matter.
        return said.model_copy(update={"hazards": said.hazards | NO_CLASS})

    def _readings(self, text: str, world: World) -> Iterator[Verdict]:
        plain = fold(_CAMEL.sub(" ", text)).replace("'s ", " ").replace("'", "")
        if len(plain) > _MOST_LETTERS:
            yield refused("text.malformed", f"a text reads as at most {_MOST_LETTERS} characters")
            return
        yield self._judged(plain, world)
        if (other := unleet(plain)) != plain:
            yield self._judged(other, world)
        for inner in decoded(text):
            yield self._judged(fold(inner), world)

    def _judged(self, text: str, world: World) -> Verdict:
        text = _CANNOT.sub("cannot", text.replace("\u2019s ", " ").replace("\u2019", ""))
        text = _NEARBY.sub("near", text).replace(" on top of ", " on ")
        stated = _NEGATED.sub(" ", text)
        frames = list(islice(self.frames(stated, world), _MOST_FRAMES + 1))
        mends = bool(frames) and all(frame.act in _MENDING for frame in frames)
        said = [
            Verdict(
                verdict=phrase.level,
                rule=phrase.id,
                reason=_reason(phrase, found.group()),
                hazards=frozenset({phrase.hazard}),
            )
            for phrase, pattern in self._phrases
            if (found := pattern.search(stated)) and not (mends and phrase.level is Judgement.HOLD)
        ]
        if len(frames) > _MOST_FRAMES:
            said.append(held("text.too-much", f"it asks for more than {_MOST_FRAMES} acts"))
        acted = self.check.judge_roles(frames[:_MOST_FRAMES], world, text=True)
        return worst((acted.model_copy(update={"step": None}), *said))

    def frames(self, text: str, world: World) -> Iterator[Roles]:
        """The acts that a folded text asks for, in its order."""
        people = {key(person.name) for person in world.people}
        last = device = container = ""
        for clause in _CLAUSES.split(text):
            plain = clause
            for full in _FILLED.finditer(clause):
                if "liquid" in self.check.ontology.of(full[2]).tags:
                    yield Roles("fill", full[1], liquid=full[2])
                    plain = plain.replace(full.group(), full[1])
            words = _WORD.findall(plain)
            at = 0
            while (found := self._verb(words, at)) is not None:
                act, begin, words = found
                nothing = self._verb(words, begin, further=True)
                end = nothing[1] - 1 if nothing else len(words)
                rest, at = words[begin:end], end
                mentions = [
                    _Mention(one.preposition, (device if act in _AT_DEVICE else last) or last)
                    if one.name in _PRONOUNS
                    else one
                    for one in self._mentions(rest)
                ]
                if not any(one.preposition == "" for one in mentions):
                    first = max(0, begin - 1 - _SUBJECT_WORDS)
                    subject = list(self._mentions(words[first : begin - 1]))
                    mentions += [one for one in subject if one.preposition in ("", ",")][-1:]
                if rest[-1:] == ["inside"] and container:
                    mentions.append(_Mention("inside", container))
                roles = self._roles(act, mentions, words[max(0, begin - 1)], people)
                for name in (roles.object, roles.recipient):
                    if name and self.check.ontology.of(name).tags & {"device", "door", "fixture"}:
                        device = name
                    if name and "container" in self.check.ontology.of(name).tags:
                        container = name
                if roles.object:
                    last = roles.object
                yield roles
                if not nothing:
                    break

    def _verb(
        self, words: list[str], begin: int, further: bool = False
    ) -> tuple[str, int, list[str]] | None:
        """The next act in a clause, the index behind its words, and the clause without a word
        that stands apart ("turn it on", "lock him in"). `further`: not at once, and only after
        "to" or "by"."""
        verbs = self.check.verbs
        for start in range(begin, len(words)):
            before = words[start - 1] if start else ""
            if further and before not in ("to", "by"):
                continue
            if not further and (before in _BEFORE_NOUN or words[start] in _SKIPPED):
                continue
            for count in range(min(verbs.longest, len(words) - start), 1, -1):
                if act := verbs.exact(tuple(words[start : start + count])):
                    return act, start + count, words
            for form in base_forms(words[start]):
                for tail in range(start + 2, min(start + 7, len(words))):
                    for count in (2, 1):
                        apart = (form, " ".join(words[tail : tail + count]))
                        if act := verbs.split.get(apart):
                            gone = [*words[:tail], "the", *words[tail + count :]]
                            return act, start + 1, gone
            if act := verbs.exact((words[start],)):
                return act, start + 1, words
        return None

    def _mentions(self, words: list[str]) -> Iterator[_Mention]:
        ontology = self.check.ontology
        preposition, at = "", 0
        while at < len(words):
            word = words[at]
            if word in _INTO or word in _NEAR or word in _FROM or word in _WITH:
                preposition = "near" if word in _NEAR else word
                at += 1
            elif word in _PRONOUNS:
                yield _Mention(preposition, word)
                preposition, at = ",", at + 1
            elif word in _SKIPPED:
                at += 1
            else:
                name, at = self._name(words, at)
                while at < len(words) and words[at] == "of":
                    while at < len(words) and words[at] in _SKIPPED:
                        at += 1
                    whole, at = self._name(words, at)
                    if whole:
                        name = f"{name} of {whole}" if ontology.of(name).known else whole
                yield _Mention(preposition, name)
                preposition = ","

    def _shared(self, name: str) -> tuple[str, str]:
        """Of "dog grapes": what is given, and to whom."""
        words = name.split()
        whole = self.check.ontology.longest_at(words, 0) == len(words)
        if len(words) > 1 and not whole and "living" in self.check.ontology.of(words[0]).tags:
            return " ".join(words[1:]), words[0]
        return name, ""

    def _name(self, words: list[str], at: int) -> tuple[str, int]:
        """The words that stand together from here on, and the index behind them."""
        end = at
        while end < len(words) and self._in_name(words[end]):
            end += max(1, self.check.ontology.longest_at(words, end))
        return " ".join(words[at:end]), end

    def _in_name(self, word: str) -> bool:
        return not (
            word in _INTO
            or word in _NEAR
            or word in _FROM
            or word in _WITH
            or word in _SKIPPED
            or word in _PRONOUNS
        )

    def _roles(self, act: str, mentions: list[_Mention], verb: str, people: set[str]) -> Roles:
        of = self.check.ontology.of
        plain = [one.name for one in mentions if one.preposition in ("", ",")]
        into = [one.name for one in mentions if one.preposition in _INTO]
        near = [
            one.name
            for one in mentions
            if one.preposition == "near" and of(one.name).tags & _NEAR_COUNTS
        ]
        with_ = [one.name for one in mentions if one.preposition in _WITH]
        thing = plain[0] if plain else ""
        target = (into or near or [""])[0]
        how = next((one.preposition for one in mentions if one.name == target), "")
        liquid = ""
        if act in ("hand", "feed") and len(plain) == 1 and not target:
            thing, target = self._shared(thing)
        if act == "go" and how in _COLLISION and of(target).tags & _HIT:
            return Roles("hurt", target)
        if act == "place" and how == "for":
            act = "hand"
        if act == "push" and how == "at":
            act = "throw"
        if (
            act == "push"
            and how in _AS_FAR_AS
            and of(target).tags & {"door", "emergency_exit"} == {"door"}
        ):
            target = ""
        if act == "pick" and verb.startswith(("hold", "held", "dangl")) and how != "near":
            act = "place" if target else act
        if act in ("hand", "feed") and ("living" in of(thing).tags or key(thing) in people):
            given = plain[1:] + with_
            thing, target = (given or [""])[0], thing
        if act in ("go", "look", "press") and not thing:
            thing, target = target, ""
        if act in ("pour", "spray", "fill") and with_:
            wet = [name for name in with_ if "liquid" in of(name).tags]
            liquid = wet[0] if wet else ""
        if act in ("pour", "spray") and thing and not target and "liquid" not in of(thing).tags:
            target, thing = thing, liquid or "water"
        if act == "mix" and not target:
            others = [*plain[1:], *with_]
            target = others[0] if others else ""
        if act == "heat" and verb.startswith("microwav"):
            target = "microwave"
        if act == "dirty" and not thing:
            thing = target
        if act == "hide" and target and "trash" in of(target).tags:
            act = "place"
        if act in ("hurt", "break", "cut", "burn") and not thing:
            thing = target
        if act == "press" and target:
            act = "place"
        return Roles(act, thing[:200], target[:200], "", "", liquid[:200])


def _pattern(phrase: str) -> str:
    """Of "leave * on .": * alone stands for up to three words, at a word's end for its ending;
    . for the end of what is said."""
    words: list[str] = []
    for word in phrase.split():
        if word == ".":
            return r"\b" + "".join(words).removesuffix(" ") + _END
        if word == "*":
            words.append(r"(?:\w+ ){0,3}?")
            continue
        one = "|".join(re.escape(part).replace(r"\*", r"\w*") for part in word.split("|"))
        words.append(f"(?:{one}) ")
    return r"\b" + "".join(words).removesuffix(" ") + r"\b"


def _reason(phrase: Phrase, found: str) -> str:
    return f"{phrase.words}: {found[:80]!r}"
