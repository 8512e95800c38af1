"""The wiring drawings show what the source says, and come out the same everywhere."""

import hashlib
import os
import re
import subprocess
import sys
from collections import defaultdict
from html import unescape
from pathlib import Path

import probe
import pytest
import source
import wiring
import yaml

CIRCUIT = source.load()
MAIN = "hardware/generated/wiring.svg"
GRAPHS = wiring.graphs(CIRCUIT)

# Closed while no button is pressed; closed while the contactor is energised.
BUTTON = (("11", "12"), ("21", "22"))
CONTACTOR = (("1", "2"), ("3", "4"), ("5", "6"))


def of(application: str) -> str:
    return f"hardware/generated/wiring-{application}.svg"


def boxes(graph: str) -> dict[str, dict[str, str]]:
    """The boxes of a drawing: name -> port -> terminal, as written in them."""
    found = {}
    for name, label in re.findall(r'^\t"?(\w+)"? \[label=<\n(.*?)\n>', graph, re.M | re.S):
        found[name] = dict(re.findall(r'<td port="p(\d+)[lr]">(.*?)</td>', label))
    return found


def wires(graph: str) -> list[tuple[str, str]]:
    """The wires of a drawing as pairs of terminals, a core of a cable being one (W1.w2)."""
    terminals = boxes(graph)
    found = []
    for line in re.findall(r"^\t(\w+:\w+:[we] -- \w+:\w+:[we])", graph, re.M):
        pair = []
        for name, port in (end.split(":")[:2] for end in line.split(" -- ")):
            pair.append(f"{name}.{port if port[0] == 'w' else terminals[name][port[1:-1]]}")
        found.append((pair[0], pair[1]))
    return found


def reached(pairs: list[tuple[str, str]], start: str) -> set[str]:
    """All terminals with a path to `start`."""
    beside = defaultdict(set)
    for one, other in pairs:
        beside[one].add(other)
        beside[other].add(one)
    found, ahead = {start}, [start]
    while ahead:
        new = beside[ahead.pop()] - found
        found |= new
        ahead += new
    return found


def closed(name: str, contacts: dict[str, tuple[tuple[str, str], ...]]) -> list[tuple[str, str]]:
    """The wires of an application and its contacts that are closed."""
    cables = CIRCUIT.cables(CIRCUIT.applications[name]).values()
    pairs = [pair for cable in cables for pair in cable.wires.items()]
    return pairs + [(f"{r}.{a}", f"{r}.{b}") for r, all_ in contacts.items() for a, b in all_]


# --- the drawing of the controller


@pytest.mark.parametrize(
    ("connector", "pole"), [(c, p) for c in CIRCUIT.connectors for p in CIRCUIT.connectors[c].pins]
)
def test_every_pole_leads_to_the_terminals_of_its_net_and_no_others(
    connector: str, pole: int
) -> None:
    pin = CIRCUIT.connectors[connector].pins[pole]
    found = reached(wires(GRAPHS[MAIN]), f"{connector}.{pole}")
    ends = {end for end in found if not re.match(r"[WX]\d", end)}
    expected = {end for end, net in CIRCUIT.field(connector).items() if net == pin.net}
    assert ends == (expected or {f"__{connector}.{pin.function}"})


def test_terminals_bear_the_marks_that_are_printed_on_the_devices() -> None:
    drawn = {end for pair in wires(GRAPHS[MAIN]) for end in pair}
    assert {"S1.11", "S1.12", "S1.21", "S1.22"} < drawn  # two contacts that open
    assert {"S2.13", "S2.14", "S3.13", "S3.14"} < drawn  # contacts that close
    assert {"KM1.A1", "KM1.A2", "KM1.21", "KM1.22"} < drawn  # coil and mirror contact


def test_every_box_says_what_to_buy_and_what_each_terminal_is_for() -> None:
    for name in boxes(GRAPHS[MAIN]):
        if name in CIRCUIT.parts:
            assert CIRCUIT.article(name).mpn in GRAPHS[MAIN]
        if name in CIRCUIT.connectors:
            for pin in CIRCUIT.connectors[name].pins.values():
                assert pin.function in unescape(GRAPHS[MAIN].replace("<br/>", " "))


def test_every_cable_tells_type_cores_gauge_and_colours() -> None:
    cable = GRAPHS[MAIN].split("\tW2 [label=<")[1].split("\n>")[0]
    cells = re.findall(r"<td[^>]*>\s*([^<&\s][^<]*?)\s*</td>", cable)
    assert cells[:4] == ["W2", "LiYY", "4x", "0.5 mm²"]
    assert cells[4:] == [
        *("X2:1", "1:white", "S1:11"),
        *("X2:2", "2:brown", "S1:12"),
        *("X2:3", "3:green", "S1:21"),
        *("X2:4", "4:yellow", "S1:22"),
    ]


def test_a_changed_function_or_net_changes_the_drawing() -> None:
    function = CIRCUIT.model_copy(deep=True)
    function.connectors["X2"].pins[1].function = "something else"
    swapped = CIRCUIT.model_copy(deep=True)
    swapped.connectors["X2"].pins[1].net, swapped.connectors["X2"].pins[2].net = "k1_a1", "vf"
    for circuit in (function, swapped):
        changed = {path for path, graph in wiring.graphs(circuit).items() if graph != GRAPHS[path]}
        assert MAIN in changed
        assert of("mobile-robot") not in changed  # X2 is not in it
    assert ("W2.w1", "S1.12") in wires(wiring.graphs(swapped)[MAIN])


# --- the applications


def test_each_application_has_a_drawing_with_its_title_and_notes() -> None:
    assert set(GRAPHS) == {MAIN, of(probe.DRAWING), *map(of, CIRCUIT.applications)}
    for name, application in CIRCUIT.applications.items():
        text = unescape(GRAPHS[of(name)].replace("<br/>", " "))
        assert all(note in text for note in [application.title, *application.notes])


@pytest.mark.parametrize("name", CIRCUIT.applications)
def test_a_drawing_shows_the_wires_of_its_application_all_of_them(name: str) -> None:
    graph = GRAPHS[of(name)]
    drawn = wires(graph)
    for cable in CIRCUIT.cables(CIRCUIT.applications[name]).values():
        for start, end in cable.wires.items():
            (ref, one), (other, two) = start.split("."), end.split(".")
            if ref == other:  # a link, told in words
                box = graph.split(f"\t{ref} [label=<")[1].split("\n>")[0].replace("<br/>", " ")
                assert f"{wiring.LINK}{one} " in box
                assert f"{wiring.LINK}{two} " in box
            else:
                assert end in reached(drawn, start)


@pytest.mark.parametrize(
    ("name", "plus", "load"),
    [
        ("mobile-robot", "GB10.+", "F10 QB10 Z10 A10.DC+"),
        ("arm-without-safety-controller", "G20.+", "F20 A21.DC+"),
        ("arm-without-safety-controller", "G20.+", "F20 K20 Y20.1"),
    ],
)
def test_the_load_has_plus_only_while_both_contactors_are_closed(
    name: str, plus: str, load: str
) -> None:
    *between, load = load.split()
    through = {"F10": ("1", "2"), "F20": ("1", "2"), "QB10": ("1", "2"), "Z10": ("IN", "OUT")}
    through["K20"] = ("13", "14")  # the arm's own relay, even if it never opens
    rest = {ref: (through[ref],) for ref in between}
    both = {"KM1": CONTACTOR, "KM2": CONTACTOR}
    assert load in reached(closed(name, rest | both), plus)
    for ref in both:
        for pole in range(len(CONTACTOR)):
            stuck = CONTACTOR[:pole] + CONTACTOR[pole + 1 :]  # one open pole is enough
            assert load not in reached(closed(name, rest | both | {ref: stuck}), plus)


@pytest.mark.parametrize("name", ["mobile-robot", "arm-without-safety-controller"])
def test_contactors_and_their_mirror_contacts_are_wired_as_in_the_main_drawing(name: str) -> None:
    pairs, main = wires(GRAPHS[of(name)]), wires(GRAPHS[MAIN])
    for start in ("X5.2", "X5.3", "X6.1", "X6.2", "X6.3", "X6.4"):
        assert reached(pairs, start) == reached(main, start)


def test_an_arm_with_a_safety_controller_gets_one_volt_free_contact_a_channel() -> None:
    pairs = closed("arm-with-brakes", {})
    nets = {CIRCUIT.connectors["X7"].pins[n].net: n for n in (1, 2, 3, 4)}
    for relay, channel in (("K1", "1"), ("K2", "2")):
        contact = [nets[net] for net in CIRCUIT.parts[relay].nodes.values() if net in nets]
        ends = [reached(pairs, f"X7.{pole}") - {f"X7.{pole}"} for pole in contact]
        assert sorted(ends, key=str) == [{f"A20.E{channel}"}, {f"A20.T{channel}"}]
    # Without contactors the loops of the relays' mirror contacts are closed by links.
    assert reached(pairs, "X6.1") == {"X6.1", "X6.2"}
    assert reached(pairs, "X6.3") == {"X6.3", "X6.4"}
    assert "X5" not in boxes(GRAPHS[of("arm-with-brakes")])


def test_each_of_several_buttons_opens_both_channels_which_never_touch() -> None:
    buttons = dict.fromkeys(("S1", "S4", "S5"), BUTTON)
    released = closed("several-buttons", buttons)
    assert "X2.2" in reached(released, "X2.1")
    assert "X2.4" in reached(released, "X2.3")
    assert not reached(released, "X2.1") & reached(released, "X2.3")
    for ref in buttons:
        only_b = closed("several-buttons", buttons | {ref: BUTTON[1:]})
        assert "X2.2" not in reached(only_b, "X2.1")
        assert "X2.4" in reached(only_b, "X2.3")
        only_a = closed("several-buttons", buttons | {ref: BUTTON[:1]})
        assert "X2.4" not in reached(only_a, "X2.3")


# --- mistakes in the applications


@pytest.fixture
def mistake(tmp_path: Path):  # type: ignore[no-untyped-def]
    """The error of a source in which one application is changed: path of keys, new value."""

    def load(where: str, value: object) -> str:
        data = yaml.safe_load(source.SOURCE.read_text(encoding="utf-8"))
        *path, last = where.split("/")
        place = data["applications"]
        for key in path:
            place = place[key]
        if value is None:
            del place[last]
        else:
            place[last] = value
        file = tmp_path / "circuit.yaml"
        file.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        with pytest.raises(source.SourceError) as caught:
            source.load(file)
        return str(caught.value)

    return load


ARM, ROBOT, BUTTONS = "arm-with-brakes", "mobile-robot", "several-buttons"
W7 = {"X7.1": "A20.T1", "X7.2": "A20.E1", "X7.3": "A20.T2", "X7.4": "A20.E2"}


@pytest.mark.parametrize(
    ("where", "value", "error"),
    [
        (f"{ROBOT}/standard", ["X5", "X6", "X9"], "unknown connector X9"),
        (f"{ARM}/unused", ["X9"], "unknown connector X9"),
        (f"{ARM}/unused", ["X7"], "X7 is wired, but said to be unused"),
        (f"{ARM}/cables/W7/wires", W7 | {"X7.4": "X9.1"}, "unknown connector or device X9"),
        (f"{ARM}/cables/W7/wires", W7 | {"X7.4": "A99.1"}, "unknown connector or device A99"),
        (f"{ARM}/cables/W7/wires", {"X7.5": "A20.E2"}, "X7 has no terminal 5"),
        (f"{ARM}/cables/W7/wires", W7 | {"X7.4": "A20.E3"}, "A20 has no terminal E3"),
        (f"{ARM}/cables/W7/wires", W7 | {"X7.4": "R1.1"}, "R1 has no terminal 1"),
        (
            f"{ARM}/cables/W7/wires",
            W7 | {"X7.4": "A20.E1"},
            "A20.E1 has 2 wires, but room for 1",
        ),
        (
            f"{ARM}/cables/more",
            {"wires": {"X6.1": "X7.4"}},
            "X7.4 has 2 wires, but room for 1",
        ),
        (
            f"{BUTTONS}/cables/W21/wires/XT10.1",
            "S1.12",
            "S1.11 is not wired",
        ),
        (
            f"{BUTTONS}/cables/more",
            {"wires": {"XT10.1": "S1.11", "XT10.2": "S1.11"}},
            "XT10.1 has 3 wires, but room for 2",
        ),
        (f"{ARM}/cables/W7/wires/X7.4", None, "A20.E2 is not wired"),
        (f"{ARM}/cables/links/wires/X6.3", None, "X6.3 is not wired"),
        (f"{ROBOT}/cables/W5/wires/X5.2", "F11.2", "X5.2 is wired twice"),
        (f"{ARM}/devices/A20/terminals/PE", "earth", "A20.PE is not wired"),
        (
            f"{ARM}/devices/KM1",
            {"what": "x", "terminals": {"1": "x"}},
            "KM1 is the name of something else already",
        ),
        (
            f"{ARM}/devices/my device",
            {"what": "x", "terminals": {"1": "x"}},
            "my device is no name for a device; letters and a number, such as F10",
        ),
        (f"{ARM}/devices/A30", {"what": "x"}, "A30 needs what and terminals, or like"),
        (f"{BUTTONS}/devices/S4", {"like": "R1"}, "S4 is like R1, which is no part in the field"),
        (f"{BUTTONS}/devices/S4", {"like": "S9"}, "S4 is like S9, which is no part in the field"),
        (
            f"{BUTTONS}/devices/S4",
            {"like": "S1", "what": "x"},
            "S4 is like S1 and yet has its own description",
        ),
    ],
)
def test_a_mistake_in_an_application_is_one_clear_error(
    mistake, where: str, value: object, error: str
) -> None:  # type: ignore[no-untyped-def]
    name = where.split("/", maxsplit=1)[0]
    assert mistake(where, value) == f"circuit.yaml: {name}: {error}"


def test_an_application_has_a_name_that_a_file_can_have(mistake) -> None:  # type: ignore[no-untyped-def]
    message = mistake("My Arm", {"title": "x", "notes": []})
    assert message.startswith("circuit.yaml: My Arm: its name becomes a file's name")


def test_a_colour_that_the_standard_does_not_give_is_refused(mistake) -> None:  # type: ignore[no-untyped-def]
    message = mistake(f"{ARM}/cables/links/colour", "PK")
    assert message.startswith(f"circuit.yaml: {ARM}: cables links colour Input should be")


# --- the same drawing everywhere


@pytest.fixture(scope="module")
def drawn(graphviz: None) -> dict[str, str]:
    return wiring.files(CIRCUIT)


PROGRAM = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
import source, wiring
text = "".join(path + svg for path, svg in wiring.files(source.load()).items())
print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_another_process_with_no_fonts_in_another_place_draws_the_same(
    drawn: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "fonts.conf").write_text("<fontconfig></fontconfig>", encoding="utf-8")
    environment = os.environ | {
        "FONTCONFIG_FILE": str(tmp_path / "fonts.conf"),
        "HOME": str(tmp_path),
        "LC_ALL": "C",
        "PYTHONHASHSEED": "7",
        "PYTHONUTF8": "1",
    }
    arguments = [sys.executable, "-c", PROGRAM, str(source.FOLDER)]
    other = subprocess.run(
        arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    text = "".join(path + svg for path, svg in drawn.items())
    assert other.stdout.strip() == hashlib.sha256(text.encode()).hexdigest()


def test_each_drawing_names_the_digest_of_its_graph_and_the_version_that_drew_it(
    drawn: dict[str, str],
) -> None:
    told = subprocess.run(["dot", "-V"], capture_output=True, text=True, check=True).stderr
    for path, svg in drawn.items():
        digest, version = wiring.HEAD.findall(svg)[0]
        assert digest == hashlib.sha256(GRAPHS[path].encode()).hexdigest()
        assert told.strip().endswith(f"version {version}")


def test_a_drawing_holds_no_path_no_date_and_no_version_of_wireviz(drawn: dict[str, str]) -> None:
    assert not [graph for graph in GRAPHS.values() if "wireviz" in graph.lower()]
    for svg in drawn.values():
        assert str(source.ROOT) not in svg
        assert str(Path.home()) not in svg
        assert "wireviz" not in svg.lower()
        assert svg.count("<!-- Generated") == 1


def test_text_is_smaller_than_the_room_for_it_because_fonts_differ(drawn: dict[str, str]) -> None:
    for svg in drawn.values():
        assert set(re.findall(r'font-size="(.*?)"', svg)) == {wiring.SIZE}
        assert set(re.findall(r'font-family="(.*?)"', svg)) == {wiring.FONTS}


def test_a_drawing_is_fresh_as_long_as_the_source_says_the_same(drawn: dict[str, str]) -> None:
    svg = drawn[MAIN]
    assert wiring.fresh(CIRCUIT, MAIN, svg)
    changed = CIRCUIT.model_copy(deep=True)
    changed.connectors["X2"].pins[1].function = "something else"
    assert not wiring.fresh(changed, MAIN, svg)
    assert not wiring.fresh(CIRCUIT, of("of-nothing"), svg)
    assert not wiring.fresh(CIRCUIT, MAIN, "")


def test_by_the_same_graphviz_every_byte_counts_by_another_the_digest(
    drawn: dict[str, str],
) -> None:
    touched = drawn[MAIN].replace("red button", "rod button")
    assert not wiring.fresh(CIRCUIT, MAIN, touched)
    elsewhere = re.sub("drawn by Graphviz .*? -->", "drawn by Graphviz 99.1 -->", touched)
    assert wiring.fresh(CIRCUIT, MAIN, elsewhere)


@pytest.fixture
def without_graphviz(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):  # type: ignore[no-untyped-def]
    wiring._graphviz.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    yield
    wiring._graphviz.cache_clear()


def test_without_graphviz_the_error_says_what_to_install(without_graphviz: None) -> None:
    with pytest.raises(source.SourceError) as caught:
        wiring.files(CIRCUIT)
    assert str(caught.value) == (
        "wiring: Graphviz is not installed (Debian: apt-get install graphviz)"
    )


def test_without_graphviz_the_digest_is_still_compared(
    drawn: dict[str, str], without_graphviz: None
) -> None:
    assert wiring.fresh(CIRCUIT, MAIN, drawn[MAIN])
    assert not wiring.fresh(CIRCUIT, MAIN, drawn[of(ARM)])
