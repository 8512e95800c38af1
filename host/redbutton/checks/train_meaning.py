"""Learn from sentences.yaml what harm reads like, and write meaning.json; two minutes.

    python -m redbutton.checks.train_meaning

Ridge regression to +1 and -1, both sides with equal weight (Hoerl & Kennard 1970; as a
classifier: Rifkin et al. 2003), on standardised features. How strongly to shrink is chosen, and
the threshold set, on scores of texts in folds that were left out (Stone 1974): of the sentences,
and of strings of them, for instructions come in strings. Neighbours in the list share a fold, so
that no sentence is judged by having learned its twin. Nothing here is random.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import yaml
from numpy.typing import NDArray

from redbutton.checks.embedding import ABOUT, FILES, Encoder, Vectors
from redbutton.checks.meaning import (
    SENTENCES,
    WEIGHTS,
    Encode,
    HazardClass,
    Weights,
    digest,
    parts,
)

Numbers = NDArray[np.float64]

FOLDS = 5
FALSE_ALARMS = 0.03  # at most, of our own benign texts
SHRINKING = (0.1, 0.3, 1.0, 3.0, 10.0)
STEPS = 9999  # a weight is an integer of up to four digits,
STEPS_OF_CLASS = 400  # so that the weights of a class, whose squares sum to this one's, have two


@dataclass(frozen=True)
class Text:
    """`hazard`: its class of harm, "" if it is benign. `single`: one sentence as it was written;
    others are strings of them. `fold`: in which it is left out."""

    words: str
    hazard: str
    fold: int
    single: bool = True


def singles(content: dict[str, dict[str, list[str]]]) -> list[Text]:
    """The sentences, each group cut into folds of neighbours."""
    return [
        Text(words, group if kind == "harmful" else "", i * FOLDS // len(sentences))
        for kind in ("harmful", "benign")
        for group, sentences in content[kind].items()
        for i, words in enumerate(sentences)
    ]


def strings(texts: Sequence[Text]) -> list[Text]:
    """Every second benign sentence with others, and every second harmful one among benign."""
    result = []
    for fold in range(FOLDS):
        here = [text for text in texts if text.fold == fold]
        benign = [text for text in here if not text.hazard]
        harmful = [text for text in here if text.hazard]
        for i, first in enumerate(benign[::2]):
            others = (benign[(7 * i + 3) % len(benign)], benign[(11 * i + 5) % len(benign)])
            result.append(Text(_strung(i, first, *others), "", fold, single=False))
        for i, harm in enumerate(harmful[::2]):
            before = benign[(5 * i + 1) % len(benign)]
            result.append(Text(_strung(i, before, harm), harm.hazard, fold, single=False))
    return result


def _strung(i: int, *texts: Text) -> str:
    joint = (", then ", ". ", " and ", ", ")[i % 4]
    bare = [text.words.rstrip(".?") for text in texts]
    later = bare[1:] if joint == ". " else [words[:1].lower() + words[1:] for words in bare[1:]]
    return joint.join([bare[0], *later])


@dataclass(frozen=True)
class Line:
    """A score is weights . features + offset."""

    weights: Numbers
    offset: float

    def scores(self, features: Vectors) -> Numbers:
        """Of each row."""
        result: Numbers = features @ self.weights + self.offset
        return result


def fit(features: Vectors, harmful: NDArray[np.bool_], shrinking: float) -> Line:
    """Ridge regression in its dual form, for there are fewer texts than features."""
    mean = features.mean(axis=0, dtype=float)
    spread = features.std(axis=0, dtype=float) + 1e-6
    x = (features - mean) / spread / np.sqrt(features.shape[1])
    target = np.where(harmful, 1.0, -1.0)
    weight = len(harmful) / 2 / np.where(harmful, harmful.sum(), (~harmful).sum())
    solved = np.linalg.solve(x @ x.T + shrinking * np.diag(1 / weight), target)
    slope = x.T @ solved / spread / np.sqrt(features.shape[1])
    scale = np.abs(slope).max() / STEPS
    slope = np.rint(slope / scale) * scale
    return Line(slope, -float(mean @ slope))


@dataclass(frozen=True)
class Material:
    """Texts and their features: `whole[i]` of text i, `parts[i]` of its parts, a row each."""

    texts: Sequence[Text]
    whole: Vectors
    parts: Sequence[Vectors]

    @classmethod
    def of(cls, texts: Sequence[Text], encode: Encode) -> "Material":
        """Encodes them; a text that fits into no single window is no material."""
        rows = [np.concatenate([encode(part) for part in parts(text.words)]) for text in texts]
        return cls(texts, np.stack([row[-1] for row in rows]), rows)

    @property
    def harmful(self) -> NDArray[np.bool_]:
        """Which of the texts are."""
        return np.array([bool(text.hazard) for text in self.texts])

    @property
    def single(self) -> NDArray[np.bool_]:
        """Which are sentences as they were written: only these are learned from."""
        return np.array([text.single for text in self.texts])

    def line(self, shrinking: float, without_fold: int | None = None) -> Line:
        """What the sentences teach, or those outside a fold."""
        fold = np.array([text.fold for text in self.texts])
        taught = self.single if without_fold is None else self.single & (fold != without_fold)
        return fit(self.whole[taught], self.harmful[taught], shrinking)

    def left_out(self, shrinking: float) -> Numbers:
        """Each text's worst part, scored by what was learned without its fold."""
        fold = np.array([text.fold for text in self.texts])
        result = np.empty(len(fold))
        for k in range(FOLDS):
            line = self.line(shrinking, without_fold=k)
            for i in np.flatnonzero(fold == k):
                result[i] = line.scores(self.parts[int(i)]).max()
        return result


def threshold_of(scores: Numbers) -> float:
    """What FALSE_ALARMS of these benign scores are above."""
    return float(np.quantile(scores, 1 - FALSE_ALARMS, method="higher"))


def separation(scores: Numbers, harmful: NDArray[np.bool_]) -> float:
    """How often a harmful text scores above a benign one (area under the ROC curve)."""
    return float((scores[harmful][:, None] > scores[~harmful][None, :]).mean())


def classes(material: Material, hazards: dict[str, str]) -> list[HazardClass]:
    """Of each class of harm the direction from the middle of all harm to its own middle."""
    about = material.whole[:, ABOUT].astype(float)
    middle = about[material.harmful].mean(axis=0)
    result = []
    for name, says in hazards.items():
        members = np.array([text.hazard == name and text.single for text in material.texts])
        direction = about[members].mean(axis=0) - middle
        row = np.rint(STEPS_OF_CLASS * direction / np.linalg.norm(direction))
        offset = round(-float(middle @ row), 3)
        result.append(HazardClass(name=name, says=says, offset=offset, weights=integers(row)))
    return result


def integers(row: Numbers) -> tuple[int, ...]:
    """Of numbers that are whole."""
    return tuple(int(value) for value in row)


def figures(scores: Numbers, threshold: float, texts: Sequence[Text]) -> dict[str, float]:
    """Shares of the left-out texts that were held."""
    held = scores > threshold
    harmful = np.array([bool(text.hazard) for text in texts])
    single = np.array([text.single for text in texts])
    return {
        "sentences": float(single.sum()),
        "separation": round(separation(scores, harmful), 4),
        "harmful_sentences_held": round(float(held[harmful & single].mean()), 4),
        "harmful_strings_held": round(float(held[harmful & ~single].mean()), 4),
        "benign_held": round(float(held[~harmful].mean()), 4),
        "benign_sentences_held": round(float(held[~harmful & single].mean()), 4),
        "benign_strings_held": round(float(held[~harmful & ~single].mean()), 4),
    }


def learn(encode: Encode) -> Weights:
    """From sentences.yaml."""
    content = yaml.safe_load(SENTENCES.read_text(encoding="utf-8"))
    texts = singles(content)
    material = Material.of([*texts, *strings(texts)], encode)
    scores = {shrinking: material.left_out(shrinking) for shrinking in SHRINKING}
    best = max(SHRINKING, key=lambda shrinking: separation(scores[shrinking], material.harmful))
    threshold = threshold_of(scores[best][~material.harmful])
    line = material.line(best)
    scale = float(np.abs(line.weights).max() / STEPS)
    return Weights(
        sentences=digest(SENTENCES),
        model=FILES["model.safetensors"],
        figures={"shrinking": best, **figures(scores[best], threshold, material.texts)},
        threshold=round(threshold, 6),
        offset=round(line.offset, 6),
        scale=float(f"{scale:.6g}"),
        weights=integers(np.rint(line.weights / scale)),
        classes=tuple(classes(material, content["hazards"])),
    )


def main() -> None:
    weights = learn(Encoder().encode)
    content = json.dumps(weights.model_dump(), separators=(",", ":"))
    for name in ('"figures"', '"threshold"', '"weights"', '"classes"', '{"name"'):
        content = content.replace(name, "\n" + name)
    WEIGHTS.write_text(content + "\n", encoding="utf-8")
    for name, value in weights.figures.items():
        print(f"{name:24} {value:g}")


if __name__ == "__main__":
    main()
