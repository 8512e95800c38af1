"""How well the checks do on cases that somebody labelled: recall, false alarms, precision.

A hazardous case and its safe counterpart are a pair and stay together when a set is halved.
"""

import hashlib
import html
import json
import math
import random
import re
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, ValidationError

from redbutton.checks import meaning
from redbutton.checks.ontology import Ontology
from redbutton.checks.plan import PlanCheck
from redbutton.checks.text import TextScreen
from redbutton.checks.verdict import Judgement, Verdict, worst
from redbutton.errors import DatasetUnreadable
from redbutton.model import Frozen

Z_95 = 1.959964  # of the normal distribution, two-sided 95 %


class Split(str, Enum):
    """A half of a set: one to write rules by, one to judge them by."""

    TRAIN = "train"
    TEST = "test"
    ALL = "all"


class Layer(str, Enum):
    """What is judged of a case."""

    PLANS = "plans"
    TEXT = "text"
    MEANING = "text and its meaning"


class LabelledCase(Frozen):
    """`label`: 1 hazardous, 0 safe. `pair`: cases with the same stay in one half."""

    id: str
    text: str = ""
    plan: tuple[Any, ...] | None = None
    world: dict[str, Any] | None = None
    label: int = Field(ge=0, le=1)
    category: str = ""
    pair: str = ""


class Share(NamedTuple):
    """So many of so many, with Wilson's 95 % interval (Wilson 1927)."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        """0 of none."""
        return self.part / self.whole if self.whole else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The bounds; of none, nothing is known."""
        if not self.whole:
            return 0.0, 1.0
        n, p = self.whole, self.value
        middle = (p + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
        half = Z_95 * math.sqrt(p * (1 - p) / n + Z_95**2 / (4 * n * n)) / (1 + Z_95**2 / n)
        return max(0.0, middle - half), min(1.0, middle + half)

    def sentence(self) -> str:
        """As "45/50 = 90.0 % [78.6, 95.7]"."""
        low, high = self.interval
        return (
            f"{self.part}/{self.whole} = {self.value * 100:.1f} % "
            f"[{low * 100:.1f}, {high * 100:.1f}]"
        )

    def fields(self) -> dict[str, float]:
        """For JSON."""
        low, high = self.interval
        return {
            "part": self.part,
            "whole": self.whole,
            "value": self.value,
            "low": low,
            "high": high,
        }


class Outcome(NamedTuple):
    """A case and what a layer said of it."""

    case: LabelledCase
    verdict: Verdict

    @property
    def stopped(self) -> bool:
        """Held or refused."""
        return self.verdict.verdict is not Judgement.ALLOW

    @property
    def wrong(self) -> bool:
        """A hazard that passed, or a false alarm."""
        return self.stopped != bool(self.case.label)


class Figures(NamedTuple):
    """Of one layer, on one group of cases."""

    recall: Share
    recall_refused: Share
    false_held: Share
    false_refused: Share
    precision: Share

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> "Figures":
        """Of outcomes of hazardous and of safe cases."""
        bad = [one for one in outcomes if one.case.label]
        good = [one for one in outcomes if not one.case.label]
        caught = sum(one.stopped for one in bad)

        def said(among: Iterable[Outcome], what: Judgement) -> int:
            return sum(one.verdict.verdict is what for one in among)

        return cls(
            Share(caught, len(bad)),
            Share(said(bad, Judgement.REFUSE), len(bad)),
            Share(said(good, Judgement.HOLD), len(good)),
            Share(said(good, Judgement.REFUSE), len(good)),
            Share(caught, caught + sum(one.stopped for one in good)),
        )


class Evaluation(NamedTuple):
    """All that was found on a set."""

    name: str
    split: Split
    outcomes: dict[Layer, list[Outcome]]

    def figures(self) -> dict[Layer, Figures]:
        """For each layer."""
        return {layer: Figures.of(found) for layer, found in self.outcomes.items()}

    def categories(self, layer: Layer) -> dict[str, Figures]:
        """For each category of hazard of a layer."""
        groups: dict[str, list[Outcome]] = {}
        for one in self.outcomes[layer]:
            groups.setdefault(one.case.category or "none", []).append(one)
        return {name: Figures.of(group) for name, group in sorted(groups.items())}

    def errors(self, layer: Layer) -> list[Outcome]:
        """What a layer got wrong."""
        return [one for one in self.outcomes[layer] if one.wrong]

    def fields(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "dataset": self.name,
            "split": self.split.value,
            "layers": {
                layer.value: {
                    **{name: share.fields() for name, share in figures._asdict().items()},
                    "categories": {
                        name: group.recall.fields()
                        for name, group in self.categories(layer).items()
                    },
                    "errors": [
                        {
                            "id": one.case.id,
                            "label": one.case.label,
                            **one.verdict.model_dump(exclude={"hazards"}),
                        }
                        for one in self.errors(layer)
                    ],
                }
                for layer, figures in self.figures().items()
            },
        }


def load(file: Path) -> list[LabelledCase]:
    """Cases of a file: a list of {"id", "text", "plan", "world", "label", "category", "pair"}, all
    but id and label optional, or SafeAgentBench's rows (text, label, plan, paired_risk)."""
    try:
        given = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetUnreadable(f"{file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DatasetUnreadable(f"{file}: {error}") from error
    try:
        if isinstance(given, dict) and isinstance(given.get("rows"), list):
            return list(_safe_agent_bench(given["rows"]))
        if isinstance(given, list):
            return [LabelledCase.model_validate(row) for row in given]
    except (ValidationError, KeyError, TypeError, AttributeError) as error:
        raise DatasetUnreadable(f"{file}: {str(error).splitlines()[0]}") from error
    raise DatasetUnreadable(f"{file}: neither a list of cases nor an object with rows")


def _safe_agent_bench(rows: Iterable[dict[str, Any]]) -> Iterable[LabelledCase]:
    """Its detailed tasks: what is abstract repeats a plan of theirs, what is long has no label.
    A safe task names the hazardous one that it was made from."""
    for number, row in enumerate(rows):
        if row.get("label") in (0, 1) and row.get("split") in ("unsafe_detailed", "safe_detailed"):
            pair = re.sub(r"[^a-z]", "", (row.get("paired_risk") or row["text"]).lower())
            yield LabelledCase(
                id=str(number),
                text=row["text"],
                plan=tuple(row["plan"]) if row.get("plan") else None,
                label=row["label"],
                category=row.get("category") or "",
                pair=pair,
            )


def halved(cases: Iterable[LabelledCase], split: Split) -> list[LabelledCase]:
    """The half of a set that is asked for, always the same one; pairs stay together."""
    if split is Split.ALL:
        return list(cases)
    return [case for case in cases if _half(case) is split]


def _half(case: LabelledCase) -> Split:
    digest = hashlib.sha256((case.pair or case.id).encode()).digest()
    return Split.TEST if digest[-1] % 2 else Split.TRAIN


def evaluate(
    name: str, cases: Iterable[LabelledCase], split: Split, check: PlanCheck | None = None
) -> Evaluation:
    """Judge all cases of a half: their plans, and their texts by themselves."""
    check = check or PlanCheck()
    screen = TextScreen(check)
    judges: dict[Layer, Callable[[LabelledCase], Verdict | None]] = {
        Layer.PLANS: lambda case: (
            check.judge(list(case.plan), case.world) if case.plan is not None else None
        ),
        Layer.TEXT: lambda case: screen.judge(case.text, case.world) if case.text else None,
    }
    if learned := meaning.installed():
        judges[Layer.MEANING] = lambda case: (
            worst([screen.judge(case.text, case.world), learned.judge(case.text)])
            if case.text
            else None
        )
    chosen = halved(cases, split)
    outcomes = {
        layer: [Outcome(case, said) for case in chosen if (said := judge(case)) is not None]
        for layer, judge in judges.items()
    }
    return Evaluation(name, split, outcomes)


def thinned(ontology: Ontology, seed: int, share: float = 0.5) -> Ontology:
    """With a share of the nouns taken away at random: what if the words are not there?"""
    words = sorted(ontology.words)
    return ontology.without(random.Random(seed).sample(words, int(len(words) * share)))


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em}}
table{{border-collapse:collapse;margin:1em 0}}td,th{{border:1px solid #bbb;padding:.2em .6em;
text-align:left;vertical-align:top}}</style></head><body><h1>{title}</h1>{body}</body></html>
"""


def report(evaluation: Evaluation) -> str:
    """One page of HTML."""
    parts = []
    for layer, figures in evaluation.figures().items():
        rows = [(name.replace("_", " "), share.sentence()) for name, share in _named(figures)]
        parts.append(f"<h2>{html.escape(layer.value)}</h2>")
        parts.append(_table(("", "share [95 %]"), rows))
        parts.append(
            _table(
                ("category", "stopped", "held", "refused"),
                [
                    (name, one.recall.sentence(), str(one.false_held.part),
                     str(one.false_refused.part))
                    for name, one in evaluation.categories(layer).items()
                ],
            )
        )  # fmt: skip
        parts.append("<h3>Errors</h3>")
        parts.append(
            _table(
                ("id", "label", "text", "verdict", "rule", "reason"),
                [
                    (one.case.id, str(one.case.label), one.case.text, one.verdict.verdict.value,
                     one.verdict.rule, one.verdict.reason)
                    for one in evaluation.errors(layer)
                ],
            )
        )  # fmt: skip
    title = f"Checks on {evaluation.name}, {evaluation.split.value}"
    return _PAGE.format(title=html.escape(title), body="".join(parts))


def _named(figures: Figures) -> Iterable[tuple[str, Share]]:
    return figures._asdict().items()


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def row(cells: Iterable[str], kind: str) -> str:
        return f"<tr>{''.join(f'<{kind}>{html.escape(cell)}</{kind}>' for cell in cells)}</tr>"

    return f"<table>{row(heads, 'th')}{''.join(row(cells, 'td') for cells in rows)}</table>"
