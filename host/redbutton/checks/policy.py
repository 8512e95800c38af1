"""Policies in Cedar's language: may the robot do such an act on such a thing at all?

Cedar's own order of things: what no policy permits is not permitted, and one that forbids
overrides all that permit. Not permitted waits for a person; forbidden, and any error in a policy
or in judging it, is refused.
"""

import json
from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import cedarpy

from redbutton.checks.verdict import ALLOWED, Verdict, held, refused

_KEPT = 50_000
_LONGEST = 100  # characters of a name that reach a policy


class Question(NamedTuple):
    """What a policy is asked: an act on a class of things. `known`: act and things are in the
    ontology; `risky`: the act does harm to what it should not be done to."""

    act: str
    object: str = ""
    object_tags: frozenset[str] = frozenset()
    recipient: str = ""
    recipient_tags: frozenset[str] = frozenset()
    place: str = ""
    person: str = ""
    act_known: bool = True
    known: bool = True
    risky: bool = False


class Policies:
    """Cedar policies, and what they said already. `error`: why they cannot be judged, or ""."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._kept: dict[Question, Verdict] = {}
        self.error = ""
        self._names: dict[str, str] = {}
        try:
            parsed = json.loads(cedarpy.policies_to_json_str(text))
            for name, policy in parsed.get("staticPolicies", {}).items():
                self._names[name] = policy.get("annotations", {}).get("id", name)
        except Exception as error:
            self.error = str(error).splitlines()[0] if str(error) else type(error).__name__

    @classmethod
    @cache
    def shipped(cls) -> "Policies":
        """Those that come with redbutton."""
        return cls(resources.files("redbutton.checks").joinpath("policies.cedar").read_text())

    @classmethod
    def load(cls, file: Path) -> "Policies":
        """Those of a robot's profile; a file that cannot be read refuses everything."""
        try:
            return cls(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeError) as error:
            policies = cls("")
            policies.error = f"cannot read {file.name}: {error}"
            return policies

    def judge(self, questions: Iterable[Question]) -> dict[Question, Verdict]:
        """The verdict on each question, without a step."""
        asked = dict.fromkeys(questions)
        new = [question for question in asked if question not in self._kept]
        if len(self._kept) + len(new) > _KEPT:
            self._kept.clear()
            new = list(asked)
        if new:
            self._kept.update(zip(new, self._judged(new), strict=True))
        return {question: self._kept[question] for question in asked}

    def _judged(self, questions: list[Question]) -> list[Verdict]:
        if self.error:
            return [_unjudged(self.error)] * len(questions)
        try:
            results = cedarpy.is_authorized_batch(
                [_request(question) for question in questions], self.text, []
            )
            return [
                self._verdict(question, result)
                for question, result in zip(questions, results, strict=True)
            ]
        except Exception as error:
            return [_unjudged(f"{type(error).__name__}: {error}")] * len(questions)

    def _verdict(self, question: Question, result: cedarpy.AuthzResult) -> Verdict:
        if errors := list(result.diagnostics.errors):
            return _unjudged(str(errors[0]))
        if result.allowed:
            return ALLOWED
        reasons = [self._names.get(name, name) for name in result.diagnostics.reasons]
        what = f"{question.act.replace('_', ' ')} {question.object.replace('_', ' ')}".strip()
        if reasons:
            why = f"a policy forbids it: {what} ({', '.join(reasons)})"
            return refused(f"policy.{reasons[0]}", why)
        return held("policy.default", f"no policy permits it: {what}")


def _unjudged(problem: str) -> Verdict:
    return refused("policy.error", f"the policies cannot be judged: {problem[:300]}")


def _request(question: Question) -> dict[str, object]:
    def entity(kind: str, name: str) -> str:
        return f"{kind}::{json.dumps(name[:_LONGEST])}"

    return {
        "principal": 'Robot::"robot"',
        "action": entity("Action", question.act),
        "resource": entity("Thing", question.object or "nothing"),
        "context": {
            "tags": sorted(question.object_tags),
            "recipient": question.recipient,
            "recipient_tags": sorted(question.recipient_tags),
            "place": question.place[:_LONGEST],
            "person": question.person[:_LONGEST],
            "act_known": question.act_known,
            "known": question.known,
            "risky": question.risky,
        },
    }
