"""The source of the hardware is checked: each mistake is one clear error."""

from pathlib import Path

import pytest
import source


@pytest.fixture
def changed(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Load the source with one text replaced by another; the error's text."""

    def load(old: str, new: str, variant: str = "") -> str:
        text = source.SOURCE.read_text(encoding="utf-8")
        assert text.count(old) >= 1, "the test replaces a text that is not there"
        path = tmp_path / "circuit.yaml"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(source.SourceError) as caught:
            source.load(path, variant)
        return str(caught.value)

    return load


R7 = "R7: {article: r-1k, nodes: {1: wd_ok, 2: wd_in}}"
GPIO_K2 = "K2: {gpio: 17, net: k2_pin"


@pytest.mark.parametrize("variant", ["", "12V", "fuse-per-channel", "plain-diodes"])
def test_the_source_and_its_variants_are_valid(variant: str) -> None:
    assert source.load(variant=variant).of_kind("relay") == ["K1", "K2"]


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        pytest.param(
            "mpn: DMN62D0U-7",
            'mpn: ""',
            "Q1: no manufacturer number (nmos has no mpn)",
            id="part without manufacturer number",
        ),
        pytest.param(
            GPIO_K2,
            "K2: {gpio: 16, net: k2_pin",
            "K2: GPIO16 is used twice, by K1 too",
            id="GPIO used twice",
        ),
        pytest.param(
            R7,
            "R7: {article: r-1k, nodes: {1: wd_ok, 1: wd_in}}",
            "1: used twice in the entry that begins at line",
            id="terminal used twice",
        ),
        pytest.param(
            R7,
            "R7: {article: r-1k, nodes: {1: wd_ok, 2: nowhere}}",
            "R7: net nowhere has one end",
            id="net with one end",
        ),
        pytest.param(
            "S2: {article: reset, connector: X3",
            "S2: {article: reset, connector: X9",
            "S2: unknown connector X9",
            id="unknown connector",
        ),
        pytest.param(
            "S2: {article: reset, connector: X3",
            "S2: {article: reset, connector: X1",
            "S2: net vf does not pass through connector X1",
            id="connector that does not carry the net",
        ),
        pytest.param(
            "kind: nmos", "kind: tube", "Q1: unknown kind tube (of nmos)", id="unknown kind"
        ),
        pytest.param(
            "value: 53.6k",
            "value: 80k6",
            "R13: '80k6' is not a value such as 4.7k or 100n (of r-53k6)",
            id="value that cannot be read",
        ),
        pytest.param(
            "Cgs: 28p", "Cgs: 28 pF", "nmos: model '28 pF' is not a value", id="model value"
        ),
        pytest.param(
            "R7: {article: r-1k", "R7: {article: r-2k", "R7: unknown article r-2k", id="article"
        ),
        pytest.param(
            R7,
            "R7: {article: r-1k, nodes: {1: wd_ok, 3: wd_in}}",
            "R7: terminal 2 is missing or unknown",
            id="terminal",
        ),
        pytest.param(
            R7,
            R7[:-1] + ", nots: x}",
            "R7: nots Extra inputs are not permitted",
            id="unknown entry",
        ),
        pytest.param(
            "inductance: 8, ", "", "K1: the model of relay lacks inductance", id="model parameter"
        ),
    ],
)
def test_a_mistake_is_one_clear_error(changed, old: str, new: str, error: str) -> None:  # type: ignore[no-untyped-def]
    message = changed(old, new)
    assert message.startswith(f"circuit.yaml: {error}")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("gpio", "error"),
    [
        (15, "K2: GPIO15 is taken when USB connects (erratum RP2040-E5)"),
        (23, "K2: GPIO23 is used on the Pico itself (power save)"),
        (25, "K2: GPIO25 is used on the Pico itself (LED)"),
        (29, "K2: GPIO29 is used on the Pico itself (VSYS measurement)"),
        (30, "K2: the RP2040 has no GPIO30 (GPIO0 to GPIO29)"),
    ],
)
def test_a_gpio_that_the_board_needs_is_refused(changed, gpio: int, error: str) -> None:  # type: ignore[no-untyped-def]
    assert changed(GPIO_K2, f"K2: {{gpio: {gpio}, net: k2_pin") == f"circuit.yaml: {error}"


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (
            "direction: out, pull: none, active: high, reset: low, function: static",
            "direction: out, pull: none, active: high, reset: high, function: static",
            "K2: GPIO17 is low at reset",
        ),
        (
            "direction: out, pull: none, active: high, reset: low, function: static",
            "direction: out, pull: none, active: low, reset: low, function: static",
            "K2: GPIO17 would be active at reset",
        ),
        (
            "net: contact_a, direction: in, pull: down",
            "net: contact_a, direction: in, pull: up",
            "CONTACT_A: an input must be pulled down",
        ),
        (
            "R16: {article: r-4k7, nodes: {1: contact_a",
            "R16: {article: r-100k, nodes: {1: contact_a",
            "CONTACT_A: no resistor of 8200 ohm or less from contact_a to 0",
        ),
    ],
)
def test_a_level_at_reset_that_is_not_safe_is_refused(
    changed, old: str, new: str, error: str
) -> None:  # type: ignore[no-untyped-def]
    assert changed(old, new).startswith(f"circuit.yaml: {error}")


def test_an_unknown_variant_is_named_with_those_there_are() -> None:
    with pytest.raises(source.SourceError, match=r"^circuit.yaml: 48V: unknown variant; .*12V"):
        source.load(variant="48V")


def test_a_source_that_is_missing_or_no_yaml_is_one_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("parts: [", encoding="utf-8")
    for path in (broken, tmp_path / "absent.yaml"):
        with pytest.raises(source.SourceError, match=f"^{path.name}: .+"):
            source.load(path)
