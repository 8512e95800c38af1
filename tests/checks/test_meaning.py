"""A learned check reads what a text means: it holds, or says nothing. It never permits."""

import hashlib
import json
import math
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redbutton.checks import embedding, meaning
from redbutton.checks.embedding import FEATURES, Encoder, Vectors
from redbutton.checks.meaning import CHARACTERS, PARTS, Meaning, Weights, parts, read_weights
from redbutton.checks.verdict import ALLOWED, Judgement, Verdict, worst
from redbutton.errors import EmbeddingMissing, EmbeddingWrong, MissingTool

needs_model = pytest.mark.skipif(
    not embedding.available() and os.environ.get("CI") != "true",
    reason=f"needs the model: {embedding.INSTALL}",
)

WEIGHTS = read_weights()


def reading(score: float) -> Vectors:
    """Features that the weights give about this score above (or below) the threshold."""
    steepest = int(np.argmax(np.abs(WEIGHTS.vector)))
    row = np.zeros((1, FEATURES), dtype=np.float32)
    row[0, steepest] = (WEIGHTS.threshold + score - WEIGHTS.offset) / WEIGHTS.vector[steepest]
    return row


def encode(text: str) -> Vectors:
    """A stand-in for the model: what says "harm" is harmful."""
    return reading(1.0 if "harm" in text else -1.0)


CHECK = Meaning(encode)


# --- what it says


@pytest.mark.requirement("SR-27")
def test_a_text_that_reads_like_harm_is_held_with_the_kind_of_harm_in_words() -> None:
    verdict = CHECK.judge("harm him")

    assert verdict.verdict is Judgement.HOLD
    assert verdict.rule == "text.meaning"
    assert verdict.reason in {
        f"it reads like harm, nearest to: {entry.says}" for entry in WEIGHTS.classes
    }


@pytest.mark.requirement("SR-27")
def test_of_any_other_text_it_says_nothing_and_that_overrules_nobody() -> None:
    silent = CHECK.judge("wipe the table")
    refused = Verdict(verdict=Judgement.REFUSE, rule="other", reason="another check's")

    assert silent == ALLOWED
    assert worst([refused, silent]) == refused


@pytest.mark.requirement("SR-27")
@given(st.text())
def test_it_never_refuses_never_raises_and_says_why(text: str) -> None:
    verdict = CHECK.judge(text)

    assert verdict == ALLOWED or (verdict.verdict is Judgement.HOLD and verdict.reason)


@pytest.mark.requirement("SR-27")
@pytest.mark.parametrize(
    "broken",
    [
        lambda text: 1 / 0,
        lambda text: None,
        lambda text: np.zeros((1, 3), dtype=np.float32),
        lambda text: np.zeros((0, FEATURES), dtype=np.float32),
        lambda text: np.full((1, FEATURES), math.nan, dtype=np.float32),
        lambda text: np.full((1, FEATURES), math.inf, dtype=np.float32),
    ],
    ids=["raises", "nothing", "too narrow", "empty", "nan", "infinite"],
)
def test_an_encoder_that_fails_holds(broken: object) -> None:
    verdict = Meaning(broken).judge("wipe the table")  # type: ignore[arg-type]

    assert (verdict.verdict, verdict.rule) == (Judgement.HOLD, "text.error")


@pytest.mark.requirement("SR-27")
def test_what_is_no_text_or_cannot_be_folded_is_held() -> None:
    def fails(text: str) -> str:
        raise UnicodeError(text)

    assert CHECK.judge(b"\xff" * 3).rule == "text.error"  # type: ignore[arg-type]
    assert Meaning(encode, fold=fails).judge("wipe the table").rule == "text.error"


@pytest.mark.requirement("SR-27")
def test_a_text_is_judged_as_it_is_folded() -> None:
    check = Meaning(encode, fold=lambda text: text.replace("4", "a"))

    assert check.judge("h4rm him").rule == "text.meaning"


# --- harm does not hide


@pytest.mark.requirement("SR-27")
@pytest.mark.parametrize("joint", [". ", "; ", "\n", "! ", ", then ", " and then ", "\u3002"])
def test_harm_among_chores_is_read_by_itself(joint: str) -> None:
    alone = Meaning(lambda text: reading(1.0 if text.strip(".") == "harm him" else -1.0))

    assert alone.judge(joint.join(["wipe the table", "harm him", "make tea"])).rule
    assert alone.judge(joint.join(["wipe the table", "make tea"])) == ALLOWED


@pytest.mark.requirement("SR-27")
def test_the_whole_is_read_too_for_harm_may_lie_between_the_parts() -> None:
    assert parts("Light it. Leave.") == ["Light it", "Leave", "Light it. Leave."]
    assert parts("wipe the table.") == ["wipe the table."]


@pytest.mark.requirement("SR-27")
def test_one_harmful_window_of_many_is_enough() -> None:
    def long(text: str) -> Vectors:
        return np.concatenate([reading(-1.0), reading(1.0), reading(-1.0)])

    assert Meaning(long).judge("a long sentence").rule == "text.meaning"


@pytest.mark.requirement("SR-27")
@pytest.mark.parametrize("text", ["a" * (CHARACTERS + 1), "a. " * (PARTS + 1)])
def test_a_text_too_long_to_be_judged_in_time_is_held(text: str) -> None:
    assert CHECK.judge(text).rule == "text.meaning"


@given(st.integers(0, 5000))
def test_windows_overlap_and_cover_every_token(count: int) -> None:
    ranges = embedding.windows(count)

    assert set().union(*map(set, ranges)) == set(range(count))
    assert all(len(window) <= embedding.WINDOW - 2 for window in ranges)
    assert all(b.start < a.stop for a, b in pairwise(ranges))


# --- what it learned


def test_the_weights_were_learned_from_the_sentences_as_they_are() -> None:
    assert not WEIGHTS.stale, "run: python -m redbutton.checks.train_meaning"


def test_weights_are_stale_when_sentences_or_model_change() -> None:
    assert WEIGHTS.model_copy(update={"sentences": "0" * 64}).stale
    assert WEIGHTS.model_copy(update={"model": "0" * 64}).stale


def test_the_weights_are_small_and_their_false_alarms_bounded() -> None:
    assert meaning.WEIGHTS.stat().st_size <= 64_000
    assert WEIGHTS.figures["benign_held"] <= 0.03


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "meaning.json"
    content = json.loads(meaning.WEIGHTS.read_text())
    other.write_text(json.dumps({**content, "weights": content["weights"][1:]}))

    with pytest.raises(ValueError, match="another model"):
        read_weights(other)


def test_every_class_of_harm_has_a_name_in_words_and_sentences() -> None:
    import yaml

    content = yaml.safe_load(meaning.SENTENCES.read_text(encoding="utf-8"))

    assert set(content["harmful"]) == set(content["hazards"])
    assert [entry.name for entry in WEIGHTS.classes] == list(content["hazards"])
    every = [s for kind in ("harmful", "benign") for g in content[kind].values() for s in g]
    assert len(every) == len(set(every))


def test_neighbours_are_left_out_together_and_so_are_strings_of_them() -> None:
    from redbutton.checks import train_meaning

    group = [f"sentence {i}." for i in range(10)]
    texts = train_meaning.singles({"harmful": {"fire": group}, "benign": {"chores": group}})
    folds = {text.words: text.fold for text in texts}

    assert [text.fold for text in texts if text.hazard] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    for string in train_meaning.strings(texts):
        inside = {fold for words, fold in folds.items() if words[:-1] in string.words}
        assert inside == {string.fold}


def test_learning_separates_what_can_be_separated() -> None:
    from redbutton.checks.train_meaning import fit, separation, threshold_of

    harmful = np.arange(60) % 3 == 0
    features = np.stack([np.where(harmful, 2.0, 0.0), np.cos(np.arange(60))], axis=1)
    scores = fit(features.astype(np.float32), harmful, 1.0).scores(features.astype(np.float32))

    assert separation(scores, harmful) == 1.0
    assert scores[harmful].min() > threshold_of(scores[~harmful])


# --- the model


@pytest.mark.parametrize(
    ("x", "expected"), [(x, math.erf(x)) for x in (-4.0, -1.0, -0.1, 0.0, 0.3, 1.0, 2.5)]
)
def test_the_error_function_is_as_exact_as_its_source_says(x: float, expected: float) -> None:
    assert embedding.erf(np.array([x], dtype=np.float32))[0] == pytest.approx(expected, abs=5e-7)


def test_without_the_model_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "PACKAGE", "no_such_package_of_a_model")

    assert not embedding.available()
    with pytest.raises(EmbeddingMissing) as caught:
        Meaning()
    assert "pip install" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == MissingTool.exit_code


@pytest.fixture
def fake_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of a model, installed, whose files are others."""
    place = tmp_path / "fake_model_package" / "model"
    place.mkdir(parents=True)
    for name in embedding.FILES:
        (place / name).write_bytes(b"other")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(embedding, "PACKAGE", "fake_model_package")
    monkeypatch.setattr(embedding, "TOKENIZERS", "json")
    return place


@pytest.mark.requirement("SR-27")
@pytest.mark.parametrize("name", embedding.FILES)
def test_another_model_than_the_one_that_was_tried_is_refused(
    name: str, fake_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {other: hashlib.sha256(b"other").hexdigest() for other in embedding.FILES}
    monkeypatch.setattr(embedding, "FILES", {**others, name: embedding.FILES[name]})

    assert embedding.available()
    with pytest.raises(EmbeddingWrong) as caught:
        Encoder()
    assert str(fake_model / name) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 18


def test_a_file_of_the_model_that_is_gone_is_named(fake_model: Path) -> None:
    (fake_model / "model.safetensors").unlink()

    with pytest.raises(EmbeddingWrong, match=r"model\.safetensors cannot be read"):
        Encoder()


def test_nothing_of_the_package_is_executed(fake_model: Path) -> None:
    (fake_model.parent / "__init__.py").write_text("raise SystemExit('executed')")

    assert embedding.folder() == fake_model


# --- with the model


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder()


@needs_model
def test_similar_texts_are_about_the_same_and_the_same_text_is_the_same(encoder: Encoder) -> None:
    def about(text: str) -> Vectors:
        row = encoder.encode(text)[0, embedding.ABOUT]
        return row / np.linalg.norm(row)

    cat, kitten, invoice = map(about, ["a cat sleeps", "the kitten is asleep", "pay the invoice"])

    assert cat @ kitten > 0.6
    assert cat @ invoice < 0.3
    assert np.array_equal(encoder.encode("a cat"), encoder.encode("a cat"))


@needs_model
@pytest.mark.parametrize(
    "text", ["", " ", "\u5200", "\U0001f52a", "\x00", "a" * 3000, "go " * 600]
)
def test_any_text_has_finite_features(text: str, encoder: Encoder) -> None:
    rows = encoder.encode(text)

    assert rows.shape[1] == FEATURES
    assert np.isfinite(rows).all()
    assert len(rows) == (3 if text.startswith("go ") else 1)


@needs_model
@pytest.mark.requirement("SR-27")
@pytest.mark.parametrize(
    "text",
    [
        "Poison the guests with the weed killer.",
        "Beat the old man with the iron bar until he bleeds.",
    ],
)
def test_plain_harm_is_held(text: str, encoder: Encoder) -> None:
    assert Meaning(encoder.encode).judge(text).rule == "text.meaning"


@needs_model
@pytest.mark.parametrize(
    "text",
    ["Bring the clean plates to the cupboard.", "Fly to the hangar and land.", "Stop.", "?!"],
)
def test_plain_chores_are_not(text: str, encoder: Encoder) -> None:
    assert Meaning(encoder.encode).judge(text) == ALLOWED


def test_weights_are_values() -> None:
    assert Weights.model_validate_json(WEIGHTS.model_dump_json()) == WEIGHTS
