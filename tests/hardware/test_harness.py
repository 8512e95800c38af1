"""The bench harness: what is wrong in its source is found, and what is made of it agrees."""

import re
from pathlib import Path

import probe
import pytest
import source

from redbutton.firmware.probe import harness

CIRCUIT = source.load()
HARNESS = probe.load(CIRCUIT)


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """The source with a mistake in it."""
    text = probe.SOURCE.read_text()
    assert text.count(old) == 1
    path = tmp_path / "probe.yaml"
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("contact_a: {gpio: 0,", "contact_a: {gpio: 16,", "GPIO16 is used twice"),
        ("  14: {article: usb-switch", "  15: {article: usb-switch", "GPIO15 is not free"),
        ("usb: {gpio: 11,", "usb: {gpio: 13,", "not side by side"),
        ("states: {open: [], pressed: [18]}", "states: {open: [], pressed: [13]}", "is no switch"),
        ("{open: [], pressed: [18]}", "{open: [18], pressed: [18]}", "one state, and only one"),
        ("ends: [X3.1, X3.2]}", "ends: [X3.1, X9.2]}", "unknown connector or device X9"),
        ("unused: [X4, X7]", "unused: [X4, X6]", "X6 is wired, but said to be unused"),
        ("needs: {r-470: 1}", "needs: {r-471: 1}", "unknown article r-471"),
        ("ends: [X6.4, X2.4], function", "ends: [X6.4, X2.4], funktion", "senses.mirror_2"),
    ],
)
def test_what_is_wrong_is_one_line_with_file_and_place(
    tmp_path: Path, old: str, new: str, what: str
) -> None:
    with pytest.raises(source.SourceError, match=re.escape(what)) as error:
        probe.load(CIRCUIT, changed(tmp_path, old, new))
    assert str(error.value).startswith("probe.yaml: ")
    assert "\n" not in str(error.value)


def test_the_pin_map_that_the_probe_imports_is_the_sources() -> None:
    for name, states, where in harness.OUTPUTS:
        output = HARNESS.outputs[name]
        assert {state: list(high) for state, high in states} == output.states
        assert where == HARNESS.where(output)
    assert [(name, gpio) for name, gpio, _ in harness.SENSES] == [
        (name, sense.gpio) for name, sense in HARNESS.senses.items()
    ]
    assert set(HARNESS.raw) == {harness.K1}


def test_the_senses_of_the_drives_are_on_the_pins_of_the_controllers_board() -> None:
    """Pin numbers of the Pico's header: GP16 is 21, GP17 is 22, 3V3_EN is 37 (its datasheet)."""
    assert (CIRCUIT.pins["K1"].gpio, CIRCUIT.pins["K2"].gpio) == (16, 17)
    assert HARNESS.raw[harness.K1].ends == ["J1.21"]
    assert HARNESS.senses["k2"].ends == ["J1.22"]
    assert HARNESS.switches[28].ends == ("J1.37", "J1.38")


def test_each_contact_switches_the_nets_that_its_part_would(tmp_path: Path) -> None:
    """The probe's contacts stand where button, reset button, key switch and feedback do."""
    nets = {
        f"{ref}.{number}": pin.net
        for ref, connector in CIRCUIT.connectors.items()
        for number, pin in connector.pins.items()
    }
    button, reset, key = (CIRCUIT.parts[ref].nodes for ref in ("S1", "S2", "S3"))
    mirrors = {ref: mirror.nodes for ref, mirror in CIRCUIT.mirror_contacts.items()}
    wanted = {
        16: (button["A1"], button["A2"]),
        17: (button["B1"], button["B2"]),
        18: (reset["1"], reset["2"]),
        19: (key["1"], key["2"]),
        20: mirrors["KM1"],
        22: mirrors["KM2"],
    }
    for gpio, pair in wanted.items():
        assert tuple(nets[end] for end in HARNESS.switches[gpio].ends) == pair


def test_list_and_drawing_warn_of_robots() -> None:
    text = probe.files(CIRCUIT)[probe.LIST]
    assert "must never be on a robot" in text
    assert "must never be on a robot" in probe.application(HARNESS).notes[0]
    for name in (*HARNESS.outputs, *HARNESS.senses):
        assert f"`{name}`" in text


def test_every_switch_and_sense_is_in_the_bill_of_materials() -> None:
    counts = probe.quantities(HARNESS)
    assert counts["contact"] == counts["r-470"] == len(HARNESS.switches) - 1
    assert counts["optocoupler"] == 8
    assert counts["isolator"] == 1
    assert counts["board"] == 1
