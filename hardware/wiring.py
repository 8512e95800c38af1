"""The wiring as drawings: the controller's field, and each application of the source.

WireViz makes a graph of it, which depends on the source alone; Graphviz draws the graph, without
its plugins that ask for installed fonts. Each drawing names the digest of its graph and the
version of Graphviz that drew it: another version may place things elsewhere, but draws the same.
"""

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from html import escape
from pathlib import Path
from textwrap import wrap

import probe
from source import Application, Cable, Circuit, Device, SourceError
from wireviz.DataClasses import Metadata, Options, Side, Tweak  # type: ignore[import-untyped]
from wireviz.Harness import Harness  # type: ignore[import-untyped]

FOLDER = "hardware/generated"
FONT, FONTS = "arial", "Arial,Helvetica,sans-serif"
# Text is drawn smaller than the room made for it, because many a font is wider than Arial.
ROOM, SIZE = "14.00", "12.00"
CONTROLLER, ARTICLE = "#a0d8ff", "#ffc0c0"  # heads of boxes; white is the installation's
SINGLE = {"BK": ("Black", "#000000"), "BU": ("Blue", "#000000:#0066ff:#000000")}
OUTSIDE = "__"  # WireViz hides names that begin so
HEAD = re.compile(r"graph sha256 ([0-9a-f]{64}), drawn by Graphviz (.+?) -->")
LINK = "link\u00a0to\u00a0"  # never broken
LEGEND = (
    "Blue head: connector of the controller. Red: article of the bill of materials. White: yours.",
    "Cores in the colours of DIN 47100. Terminals by IEC 60947-1; some print the last digit only.",
)


def files(circuit: Circuit) -> dict[str, str]:
    """What is generated: path from the top of the repository -> text."""
    return {path: _draw(graph) for path, graph in graphs(circuit).items()}


def fresh(circuit: Circuit, path: str, text: str) -> bool:
    """Is `text` what belongs at `path`: the same graph and, if drawn by the Graphviz that is
    here, the same drawing?"""
    graph = graphs(circuit).get(path)
    head = HEAD.search(text)
    if graph is None or head is None or head[1] != _digest(graph):
        return False
    try:
        version, _ = _graphviz()
    except SourceError:  # nothing here to draw it with
        return True
    return head[2] != version or text == _draw(graph)


def graphs(circuit: Circuit) -> dict[str, str]:
    """The graph of each drawing: path from the top of the repository -> text for Graphviz."""
    drawings = {"wiring": field(circuit)}
    for name, application in circuit.applications.items():
        notes = [*application.notes, "Connectors not drawn: as in wiring.svg."]
        drawings[f"wiring-{name}"] = application.model_copy(update={"notes": notes})
    drawings[f"wiring-{probe.DRAWING}"] = probe.application(probe.load(circuit))
    return {f"{FOLDER}/{name}.svg": _graph(circuit, item) for name, item in drawings.items()}


def field(circuit: Circuit) -> Application:
    """The controller's own wiring. Poles that lead to no part of it lead to the installation."""
    devices, cables = {}, {}
    for name, connector in circuit.connectors.items():
        nets = circuit.field(name).values()
        open_ = {str(n): p.function for n, p in connector.pins.items() if p.net not in nets}
        if open_:
            outside = f"{OUTSIDE}{name}"
            what = f"{connector.cable}: your installation"
            devices[outside] = Device(what=what, terminals=dict.fromkeys(open_.values(), ""))
            wires = {
                f"{name}.{number}": f"{outside}.{function}" for number, function in open_.items()
            }
            cables[name.replace("X", "W")] = Cable(wires=wires)
    return Application(
        title=f"{circuit.name}: wiring of the controller",
        notes=[
            "Your installation, and the main contacts of the contactors: see the applications,"
            " wiring-NAME.svg."
        ],
        standard=list(circuit.connectors),
        devices=devices,
        cables=cables,
    )


def _graph(circuit: Circuit, application: Application) -> str:
    cables = circuit.cables(application)
    harness = Harness(Metadata(), Options(fontname=FONT, color_mode="full"), Tweak(append=[]))
    harness.tweak.append.append(_caption(application, cables.values()))
    refs = dict.fromkeys(_split(end)[0] for c in cables.values() for end in _ends(c))
    for ref in reversed(refs):  # Graphviz begins at the bottom
        harness.add_connector(ref, **_box(circuit, application, ref, cables.values()))
    for name, cable in cables.items():
        if cable.colour:
            harness.tweak.append += _single_wires(harness, cable)
        else:
            harness.add_cable(
                name,
                type=cable.type,
                gauge=cable.gauge,
                gauge_unit="mm²",
                wirecount=len(cable.wires),
                color_code="DIN",
            )
            for number, (start, end) in enumerate(cable.wires.items(), 1):
                harness.connect(*_split(start), name, number, *_split(end))
    graph = harness.graph
    graph.name = application.title
    # WireViz's first lines name its version. At a core's ends the terminals' functions are left
    # out: they stand in the boxes.
    text = "".join(line for line in graph if not line.startswith("//"))
    return re.sub(r"(?<=    <td>)([A-Z]+\d+:[^:<]+):.*(?=</td>)", r"\1", text)


def _box(
    circuit: Circuit, application: Application, ref: str, cables: Iterable[Cable]
) -> dict[str, object]:
    """A connector, part or device as WireViz wants it. A link within it is told in words."""
    wires = [pair for cable in cables for pair in cable.wires.items()]
    wired = {_split(end)[1] for pair in wires for end in pair if _split(end)[0] == ref}
    terminals = circuit.terminals(ref, application.devices)
    terminals = {name: terminals[name] for name in terminals if name in wired}
    for start, end in wires:
        if _split(start)[0] == _split(end)[0] == ref:
            terminals[_split(start)[1]] += f", {LINK}{_split(end)[1]}"
            terminals[_split(end)[1]] += f", {LINK}{_split(start)[1]}"
    box: dict[str, object] = {
        "pins": list(terminals),
        # The space, because WireViz takes a label that is a pin's name for that pin.
        "pinlabels": [text and f"{_lines(text, 30)} " for text in terminals.values()],
        "show_pincount": False,
    }
    device = application.devices.get(ref, Device())
    if device.what:
        return box | {"type": _lines(device.what, 30)}
    article = circuit.article(device.like or ref)
    if ref in circuit.connectors:
        head, what, number = CONTROLLER, circuit.connectors[ref].cable, article.note
    else:
        head, what, number = ARTICLE, article.value, article.mpn
    notes = f"{_lines(article.manufacturer, 30)}<br/>{_lines(number, 30)}"
    return box | {"type": _lines(what, 30), "notes": notes, "bgcolor_title": head}


def _single_wires(harness: Harness, cable: Cable) -> Iterator[str]:
    """Single wires from box to box."""
    for start, end in cable.wires.items():
        (left, out), (right, into) = _split(start), _split(end)
        if left != right:
            one, other = harness.connectors[left], harness.connectors[right]
            one.activate_pin(out, Side.RIGHT)
            other.activate_pin(into, Side.LEFT)
            tail = f"{left}:p{one.pins.index(out) + 1}r:e"
            head = f"{right}:p{other.pins.index(into) + 1}l:w"
            yield f'\t{tail} -- {head} [color="{SINGLE[cable.colour][1]}" style=bold]\n'


def _caption(application: Application, cables: Iterable[Cable]) -> str:
    singles = dict.fromkeys(
        f"{SINGLE[cable.colour][0]}: single wires {cable.type}, {cable.gauge:g} mm²."
        for cable in cables
        if cable.colour
    )
    unused = [f"{ref} stays empty." for ref in application.unused]
    notes = [*application.notes, *unused, *singles, *LEGEND]
    rows = [f"<b>{_lines(application.title, 110)}</b>", *(_lines(note, 110) for note in notes)]
    cells = "".join(f'<tr><td align="left" balign="left">{row}</td></tr>' for row in rows)
    return (
        "\tgraph [ranksep=0.9 nodesep=0.3 labelloc=t labeljust=l"
        f' label=<<table border="0" cellborder="0">{cells}</table>>]\n'
    )


def _ends(cable: Cable) -> Iterator[str]:
    return (end for pair in cable.wires.items() for end in pair)


def _split(end: str) -> tuple[str, str]:
    ref, _, terminal = end.partition(".")
    return ref, terminal


def _lines(text: str, width: int) -> str:
    return "<br/>".join(escape(line, quote=False) for line in wrap(text, width))


def _digest(graph: str) -> str:
    return hashlib.sha256(graph.encode()).hexdigest()


def _draw(graph: str) -> str:
    """The graph as SVG."""
    version, plugins = _graphviz()
    with tempfile.TemporaryDirectory() as folder:
        for name, text in plugins.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        svg = _dot(["-Tsvg"], graph, GVBINDIR=folder).stdout
    head = (
        f"Generated from hardware/circuit.yaml by `make hardware`: graph sha256 {_digest(graph)},"
    )
    svg = re.sub(
        r"<!-- Generated by graphviz.*?-->",
        f"<!-- {head} drawn by Graphviz {version} -->",
        svg,
        count=1,
        flags=re.S,
    )
    return (
        svg.replace(f'font-family="{FONT}"', f'font-family="{FONTS}"')
        .replace(f'font-size="{ROOM}"', f'font-size="{SIZE}"')
        .replace('stroke="transparent"', 'stroke="none"')
    )


@cache
def _graphviz() -> tuple[str, dict[str, str]]:
    """Graphviz's version, and its list of plugins (file name, text) shortened to those needed.
    Without a plugin for fonts it estimates the width of text from tables of its own."""
    told = _dot(["-v", "-Tcanon"], "graph {}").stderr
    version = re.search(r"graphviz version (.+)", told)
    folder = re.search(r'libdir = "(.+)"', told)
    lists = sorted(Path(folder[1]).glob("config*")) if folder else []
    if version is None or not lists:
        raise SourceError("wiring: Graphviz does not tell where its plugins are")
    plugins = re.findall(r"^\S+ (?:core|dot_layout) \{.*?^\}", lists[0].read_text(), re.M | re.S)
    text = "\n".join(str(lists[0].parent / plugin) for plugin in plugins)
    return version[1].strip(), {lists[0].name: text + "\n"}


def _dot(arguments: list[str], graph: str, **environment: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["dot", *arguments],
            input=graph,
            capture_output=True,
            encoding="utf-8",
            check=True,
            env=os.environ | {"LC_ALL": "C"} | environment,
        )
    except FileNotFoundError:
        raise SourceError(
            "wiring: Graphviz is not installed (Debian: apt-get install graphviz)"
        ) from None
    except subprocess.CalledProcessError as error:
        raise SourceError(f"wiring: Graphviz: {' '.join(error.stderr.split())}") from None
