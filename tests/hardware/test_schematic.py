"""The schematic is the circuit: drawn from the source, complete, connected alike, and readable."""

import hashlib
import os
import re
import subprocess
import sys
from itertools import combinations, pairwise
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
import schematic
import source

CIRCUIT = source.load()
FILES = schematic.files(CIRCUIT)
DRAWN = [*FILES.items(), *schematic.files(source.load(variant="12V")).items()]
WIDTH, ASCENT, DESCENT = 0.64, 0.76, 0.22  # of a wide font, in sizes
SVG = "{http://www.w3.org/2000/svg}"


class Box(NamedTuple):
    """A text and the least rectangle that holds it."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, left: float, top: float, right: float, bottom: float) -> bool:
        """Whether a rectangle, or a line along an axis, has something in common with it."""
        return self.left < right and left < self.right and self.top < bottom and top < self.bottom


def changed(**nodes: dict[str, str]) -> source.Circuit:
    """The circuit with other nets at some terminals of some parts."""
    parts = {
        ref: part.model_copy(update={"nodes": part.nodes | nodes.get(ref, {})})
        for ref, part in CIRCUIT.parts.items()
    }
    return CIRCUIT.model_copy(update={"parts": parts})


def refused(circuit: source.Circuit) -> str:
    """The error that the drawing of a circuit ends with."""
    with pytest.raises(source.SourceError) as caught:
        schematic.files(circuit)
    return str(caught.value)


def texts(files: dict[str, str]) -> list[str]:
    """All texts of all sheets."""
    return [box.text for svg in files.values() for box in boxes(svg)]


def boxes(svg: str) -> list[Box]:
    """The texts of a sheet."""
    found = []
    for text in ElementTree.fromstring(svg).iter(f"{SVG}text"):
        size = float(text.attrib["font-size"])
        (line,) = text
        words = line.text or ""
        width = len(words) * WIDTH * size
        anchor = {"start": 0.0, "middle": 0.5, "end": 1.0}[text.attrib["text-anchor"]]
        left = float(line.attrib["x"]) - anchor * width
        base = float(text.attrib["y"]) + float(line.attrib["dy"])
        found.append(Box(words, left, base - ASCENT * size, left + width, base + DESCENT * size))
    return found


def lines(svg: str) -> list[tuple[float, float, float, float]]:
    """The rectangles around the level and upright lines of a sheet."""
    found = []
    for shape in ElementTree.fromstring(svg).iter():
        path = shape.attrib.get("points") or shape.attrib.get("d", "")
        for stroke in path.split("M"):
            points = [
                (float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", stroke)
            ]
            for (x1, y1), (x2, y2) in pairwise(points):
                if x1 == x2 or y1 == y2:
                    found.append((min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)))
    return found


def sheets() -> list[schematic.Sheet]:
    """The sheets of the circuit, drawn."""
    drawn = []
    for name, (title, draw) in schematic.SHEETS.items():
        drawn.append(schematic.Sheet(CIRCUIT, name, title))
        draw(drawn[-1])
    return drawn


def test_every_terminal_of_the_source_is_drawn_once() -> None:
    wanted = {
        f"{ref}.{terminal}" for ref, part in CIRCUIT.parts.items() for terminal in part.nodes
    }
    wanted |= {f"{ref}.{n}" for ref, item in CIRCUIT.connectors.items() for n in item.pins}
    wanted |= {f"{ref}.mirror{i}" for ref in CIRCUIT.mirror_contacts for i in (1, 2)}
    wanted |= {f"A1.{name}" for name in CIRCUIT.pins}
    drawn = [terminal for sheet in sheets() for terminal, _ in sheet.terminals]
    assert sorted(drawn) == sorted(wanted)


def test_what_is_joined_in_the_drawing_is_what_is_one_net_in_the_source() -> None:
    nets = schematic.nets(CIRCUIT)
    groups = [{item for item in group if item in nets} for group in schematic.joined(sheets())]
    expected = [{item for item in nets if nets[item] == net} for net in set(nets.values())]
    assert sorted(map(sorted, groups)) == sorted(map(sorted, expected))


def test_a_variant_is_drawn_with_its_own_values() -> None:
    circuit = source.load(variant="12V")
    found = texts(schematic.files(circuit))
    for ref in circuit.of_kind("relay", "contactor"):
        article = circuit.article(ref)
        assert article.mpn != CIRCUIT.article(ref).mpn
        assert {article.mpn, f"{article.model['resistance']:g} Ω"} <= set(found)


@pytest.mark.parametrize(
    ("nodes", "error"),
    [
        pytest.param(
            {"R7": {"1": "k2_pin"}},
            "R7: R7.1 is on net k2_pin, but drawn on net wd_ok; change hardware/schematic.py",
            id="a net label",
        ),
        pytest.param(
            {"R8": {"2": "vf"}},
            "R8: R8.2 is on net vf, but drawn on net 0; change hardware/schematic.py",
            id="0 V",
        ),
        pytest.param(
            {"D4": {"A": "k1_a1"}},
            "D4: D4.A is on net k1_a1, but drawn on net k1_a2; change hardware/schematic.py",
            id="a wire",
        ),
        pytest.param(
            {"KM2": {"A1": "out2_p"}},
            "KM2: KM2.A1 is on net out2_p, but drawn on net out1_p; change hardware/schematic.py",
            id="a part in the field",
        ),
    ],
)
def test_a_part_on_another_net_is_an_error_that_names_it(
    nodes: dict[str, dict[str, str]], error: str
) -> None:
    assert refused(changed(**nodes)) == error


def test_a_net_that_is_torn_in_two_is_an_error() -> None:
    nodes = {"R2": {"1": "apart"}, "R3": {"1": "apart"}}
    assert refused(changed(**nodes)).endswith(
        "but drawn on net k1_gate; change hardware/schematic.py"
    )


def test_two_nets_that_became_one_are_an_error() -> None:
    nodes = {
        ref: {t: "k1_pump" for t, net in part.nodes.items() if net == "k1_mid"}
        for ref, part in CIRCUIT.parts.items()
    }
    assert re.fullmatch(
        r"(\w+): \1\.\w+ is drawn apart from the rest of net k1_pump;"
        r" change hardware/schematic\.py",
        refused(changed(**nodes)),
    )


def test_a_part_that_is_added_is_an_error_that_names_it() -> None:
    parts = CIRCUIT.parts | {"R99": CIRCUIT.parts["R3"]}
    circuit = CIRCUIT.model_copy(update={"parts": parts})
    assert refused(circuit) == "R99: R99.1 is not drawn; change hardware/schematic.py"


def test_a_part_that_is_gone_is_an_error_that_names_it() -> None:
    parts = {ref: part for ref, part in CIRCUIT.parts.items() if ref != "R3"}
    circuit = CIRCUIT.model_copy(update={"parts": parts})
    assert (
        refused(circuit) == "R3: R3 is drawn, but not in the source; change hardware/schematic.py"
    )


def test_a_part_of_another_kind_is_an_error_if_it_does_not_fit() -> None:
    part = CIRCUIT.parts["R3"].model_copy(update={"article": CIRCUIT.parts["Q1"].article})
    circuit = CIRCUIT.model_copy(update={"parts": CIRCUIT.parts | {"R3": part}})
    assert refused(circuit).startswith("R3: a nmos does not fit between two points;")


def test_a_part_that_is_drawn_twice_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(schematic.SHEETS, "again", ("again", schematic.indicators))
    assert refused(CIRCUIT) == "Q6: Q6.D is drawn twice; change hardware/schematic.py"


def test_a_wire_too_many_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def shorted(sheet: schematic.Sheet) -> None:
        schematic.outputs(sheet)
        sheet.wire("X5.1", "X7.1")

    monkeypatch.setitem(schematic.SHEETS, "outputs", ("outputs", shorted))
    assert re.match(r"\w+: \S+ is on net out[12]_p_in, but drawn on net out", refused(CIRCUIT))


def test_a_wire_that_is_forgotten_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(sheet: schematic.Sheet) -> None:
        schematic.outputs(sheet)
        sheet.wires = [wire for wire in sheet.wires if sheet["KM2.A1"] not in wire]

    monkeypatch.setitem(schematic.SHEETS, "outputs", ("outputs", torn))
    assert refused(CIRCUIT).startswith("KM2: KM2.A1 is drawn apart from the rest of net out1_p;")


def test_wires_that_cross_are_not_joined_and_those_that_meet_have_a_dot() -> None:
    crossing = schematic.Sheet(CIRCUIT, "crossing", "")
    crossing.rail("F1.2", (0, 1))
    crossing.ground((1, 0))
    crossing.wire((0, 1), (2, 1))
    crossing.wire((1, 2), (1, 0))
    assert sorted(schematic.joined([crossing])) == [[":0"], [":vf"]]
    assert not list(crossing.dots())
    meeting = schematic.Sheet(CIRCUIT, "meeting", "")
    meeting.rail("F1.2", (0, 1))
    meeting.ground((1, 0))
    meeting.wire((0, 1), (2, 1))
    meeting.wire((1, 1), (1, 0))
    assert sorted(map(sorted, schematic.joined([meeting]))) == [[":0", ":vf"]]
    assert list(meeting.dots()) == [(1, 1)]


def test_values_articles_poles_gpios_and_nets_are_those_of_the_source() -> None:
    found = texts(FILES)
    for ref, part in CIRCUIT.parts.items():
        article = CIRCUIT.articles[part.article]
        assert ref in found
        assert {article.value, article.mpn} & set(found), ref
    for ref, connector in CIRCUIT.connectors.items():
        for number in connector.pins:
            assert any(text.split()[0] == f"{ref}.{number}" for text in found)
    for name, pin in CIRCUIT.pins.items():
        assert f"{name} GPIO{pin.gpio}" in found
        assert pin.net in found


def test_a_change_of_the_source_is_a_change_of_the_drawing(tmp_path: Path) -> None:
    text = source.SOURCE.read_text(encoding="utf-8")
    r1, k1 = CIRCUIT.article("R1"), CIRCUIT.article("K1")
    for old, new in (
        (f"value: {r1.value},", "value: 1.13k,"),
        (f"mpn: {k1.mpn}", "mpn: OTHER & SONS"),
        (f"gpio: {CIRCUIT.pins['K1'].gpio},", "gpio: 22,"),
        ("k1_drive", "k1_driven"),
        ("k1_pin", "pulse_pin"),
    ):
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "circuit.yaml"
    path.write_text(text, encoding="utf-8")
    found = texts(schematic.files(source.load(path)))
    for new in ("1.13k", "OTHER & SONS", "K1 GPIO22", "GPIO22", "pulse_pin"):
        assert new in found
        assert new not in texts(FILES)


def test_the_same_source_gives_the_same_bytes_in_every_process() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import hashlib, schematic, source;"
        "text = repr(schematic.files(source.load()));"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    digests = {hashlib.sha256(repr(FILES).encode()).hexdigest()}
    for seed in ("1", "2"):
        process = subprocess.run(
            [sys.executable, "-c", program, str(source.FOLDER)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(process.stdout.strip())
    assert len(digests) == 1


def test_every_sheet_has_a_title_of_its_own() -> None:
    titles = [max(boxes(svg), key=lambda box: box.bottom - box.top).text for svg in FILES.values()]
    assert len(set(titles)) == len(FILES)
    assert all(re.fullmatch(rf"{CIRCUIT.name}: \w.+", title) for title in titles)


@pytest.mark.parametrize("svg", [svg for _, svg in DRAWN], ids=[path for path, _ in DRAWN])
def test_no_texts_overlap_and_none_is_clipped(svg: str) -> None:
    view = ElementTree.fromstring(svg).attrib["viewBox"]
    left, top, width, height = map(float, view.split())
    found = boxes(svg)
    for box in found:
        assert left < box.left and box.right < left + width, box.text
        assert top < box.top and box.bottom < top + height, box.text
    overlapping = [(a.text, b.text) for a, b in combinations(found, 2) if a.overlaps(*b[1:])]
    assert not overlapping


@pytest.mark.parametrize("svg", [svg for _, svg in DRAWN], ids=[path for path, _ in DRAWN])
def test_no_line_runs_through_a_text(svg: str) -> None:
    strokes = lines(svg)
    assert strokes
    crossed = [box.text for box in boxes(svg) for line in strokes if box.overlaps(*line)]
    assert not crossed
