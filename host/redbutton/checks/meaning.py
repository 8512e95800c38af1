"""Does a text read like an instruction that harms? A learned check: it holds, or says nothing.

A linear classifier on what a sentence encoder says of the text (`embedding.py`), learned from
sentences of our own (`sentences.yaml`, `train_meaning.py`). It sees meaning where a list of words
does not, and it errs in both directions; so what it lets pass is permitted by nobody (SR-27).

A text is judged as a whole and in its parts, and the worst counts: harm cannot hide among chores.
"""

import hashlib
import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redbutton.checks.embedding import ABOUT, FEATURES, FILES, WIDTH, Encoder, Vectors, available
from redbutton.checks.fold import fold
from redbutton.checks.verdict import ALLOWED, Verdict, held
from redbutton.model import Frozen

Encode = Callable[[str], Vectors]

SENTENCES = Path(__file__).with_name("sentences.yaml")
WEIGHTS = Path(__file__).with_name("meaning.json")

RULE = "text.meaning"
RULE_ERROR = "text.error"

CHARACTERS = 4000  # of a text that is judged, and
PARTS = 40  # of its parts: what is longer takes seconds, and a person should read it

# With the full stop and the wide marks of Chinese and Japanese.
_BETWEEN_PARTS = re.compile(
    r"[.!?;\n\u3002\uff01\uff1f\uff1b]+\s*|,?\s+(?:and\s+)?then\s+", re.IGNORECASE
)
_WORD = re.compile(r"\w")


class HazardClass(Frozen):
    """A class of harm: what it is called, and where texts about it lie."""

    name: str
    says: str
    offset: float
    weights: tuple[int, ...]


class Weights(Frozen):
    """What was learned: the content of meaning.json.

    `sentences`, `model`: SHA-256 of what it was learned from and with. `threshold`: of the score
    above which a text is held. A score is offset + scale * (weights . features). `figures`: how
    it did on sentences that it had not seen while learning.
    """

    sentences: str
    model: str
    figures: dict[str, float]
    threshold: float
    offset: float
    scale: float
    weights: tuple[int, ...]
    classes: tuple[HazardClass, ...]

    @cached_property
    def vector(self) -> NDArray[np.float64]:
        """How much each of the features speaks for harm."""
        return self.scale * np.array(self.weights, dtype=float)

    @cached_property
    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of the classes of harm: a row for each, and their offsets."""
        rows = np.array([entry.weights for entry in self.classes], dtype=float)
        return rows, np.array([entry.offset for entry in self.classes])

    def scores(self, features: Vectors) -> NDArray[np.float64]:
        """How harmful each row reads."""
        result: NDArray[np.float64] = features @ self.vector + self.offset
        return result

    def nearest(self, features: Vectors) -> HazardClass:
        """The class of harm that one row is nearest to."""
        rows, offsets = self.centres
        return self.classes[int(np.argmax(rows @ features[ABOUT] + offsets))]

    @property
    def stale(self) -> bool:
        """The sentences or the model are no longer those that it was learned from."""
        return self.sentences != digest(SENTENCES) or self.model != FILES["model.safetensors"]


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_weights(path: Path = WEIGHTS) -> Weights:
    """What was learned; raises ValueError if the file holds something else."""
    weights = Weights.model_validate_json(path.read_bytes())
    lengths = {len(entry.weights) for entry in weights.classes}
    if len(weights.weights) != FEATURES or lengths != {WIDTH}:
        raise ValueError(f"{path} holds weights of another model")
    return weights


def parts(text: str) -> list[str]:
    """The text's sentences and steps, and the whole of it last."""
    found = [part.strip() for part in _BETWEEN_PARTS.split(text)]
    steps = [part for part in found if _WORD.search(part)]
    return [*steps, text] if len(steps) > 1 else [text]


def worst_part(weights: Weights, encode: Encode, text: str) -> tuple[float, Vectors]:
    """The score of the part that reads most harmful, and its features."""
    rows = np.concatenate([encode(part) for part in parts(text)])
    if not np.isfinite(rows).all():
        raise ValueError("the encoder gave numbers that are none")
    scores = weights.scores(rows)
    worst = int(np.argmax(scores))
    return float(scores[worst]), rows[worst]


class Meaning:
    """The check. `encode`: a row of FEATURES for each window of a text; `fold`: undoes disguises
    before a text is read."""

    def __init__(
        self,
        encode: Encode | None = None,
        *,
        fold: Callable[[str], str] = str,
        weights: Weights | None = None,
    ) -> None:
        """Raises EmbeddingMissing or EmbeddingWrong if the encoder is needed and not there."""
        self._encode = encode or Encoder().encode
        self._fold = fold
        self._weights = weights or read_weights()

    def judge(self, text: str) -> Verdict:
        """HOLD, or ALLOWED for nothing to say. Raises nothing: what cannot be judged is held."""
        try:
            if not isinstance(text, str):
                raise TypeError(text)
            return self._judge(self._fold(text))
        except Exception as error:
            return held(RULE_ERROR, f"the text could not be judged: {type(error).__name__}")

    def _judge(self, text: str) -> Verdict:
        if len(text) > CHARACTERS or len(parts(text)) > PARTS:
            return held(RULE, f"longer than {CHARACTERS} characters or {PARTS} steps")
        if not _WORD.search(text):
            return ALLOWED
        score, features = worst_part(self._weights, self._encode, text)
        if score <= self._weights.threshold:
            return ALLOWED
        return held(
            RULE, f"it reads like harm, nearest to: {self._weights.nearest(features).says}"
        )


def installed() -> Meaning | None:
    """The check with disguises undone, if its model is here. EmbeddingWrong if another one is."""
    return Meaning(fold=fold) if available() else None
