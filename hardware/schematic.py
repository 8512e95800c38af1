"""The schematic: one SVG drawing for each part of the circuit.

The layout below names parts and terminals only; values, articles, poles, GPIOs and the names of
nets are the source's. Each sheet notes where its terminals, wires and net names lie, and `check`
compares what they join with the source: a drawing that is not the circuit is an error.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Literal

import schemdraw
from schemdraw import elements as elm
from schemdraw.segments import Segment, SegmentCircle, SegmentPoly, SegmentText, SegmentType
from source import TERMINALS, Article, Circuit, GpioPin, SourceError

PATH = "hardware/generated/schematic-{}.svg"

Point = tuple[float, float]
Stop = str | Point  # a terminal, such as R1.2, or a place
Side = Literal["left", "right", "above", "below"]
Align = Literal["left", "center", "right"]
OUTWARD: dict[Side | None, Align] = {"left": "right", "right": "left"}  # texts beside a point
INWARD: dict[Side, Align] = {"left": "left", "right": "right"}  # texts inside an edge

UNIT = 36.0  # pt
PEN = 1.2  # pt
FONT = "Helvetica, Arial, sans-serif"
SIZE, SMALL, TITLE = 10.0, 8.0, 15.0  # of texts, pt
WIDTH = 0.64 / UNIT  # of a character of size 1, in a wide font
LINE = 1.25 * SIZE / UNIT

DIODES = {"Schottky": elm.Schottky, "zener": elm.Zener, "TVS": elm.Zener}  # by word of the value
TWO_ENDS = {"capacitor": elm.Capacitor, "fuse": elm.FuseIEC}
FET = {"D": "drain", "G": "gate", "S": "source"}
LED = {"A": "anode", "K": "cathode", "C": "collector", "E": "emitter"}
DEVICES: dict[str, tuple[type[elm.Element], float, dict[str, str], str]] = {
    # kind: symbol, scale, its anchors by terminal, that by which it is placed
    "nmos": (elm.NMos, 1.2, FET, "drain"),
    "pmos": (elm.PMos, 1.2, FET, "source"),
    "optocoupler": (elm.Optocoupler, 1.0, LED, "anode"),
}
BY_VALUE = ("resistor", "capacitor", "fuse", "diode", "switch", "button")


def symbol(article: Article, first: str) -> elm.Element2Term:
    """What is drawn between two terminals, of which `first` is one."""
    if article.kind in ("button", "switch") or first.startswith(("NC", "NO", "mirror")):
        closed = article.kind == "button" or first.startswith(("NC", "mirror"))
        contact = elm.Switch(contacts=False, nc=closed)
        contact.flip()  # its blade lies to the left of a current that flows down
        return contact
    if article.kind in ("relay", "contactor"):
        coil = elm.Element2Term()
        outline = [(0, 0), (0, 0.6), (0.7, 0.6), (0.7, -0.6), (0, -0.6), (0, 0)]
        coil.segments.append(Segment([*outline, elm.elements.gap, (0.7, 0)]))
        return coil
    make: Callable[[], elm.Element2Term] = TWO_ENDS.get(article.kind, elm.ResistorIEC)
    if article.kind == "diode":
        make = next((make for word, make in DIODES.items() if word in article.value), elm.Diode)
    return make()


def label(circuit: Circuit, ref: str) -> list[str]:
    """The lines that stand at a part."""
    article = circuit.article(ref)
    if article.kind in BY_VALUE:
        return [ref, article.value]
    if article.kind in ("relay", "contactor"):
        return [ref, article.mpn, f"{article.model['resistance']:g} Ω"]
    return [ref, article.mpn] if article.kind in DEVICES else [ref, article.mpn, article.value]


def nets(circuit: Circuit) -> dict[str, str]:
    """All terminals, such as R1.2, X2.1, KM1.mirror1 and A1.BUZZER, each with its net."""
    found = {f"{ref}.{t}": net for ref, p in circuit.parts.items() for t, net in p.nodes.items()}
    for ref, mirror in circuit.mirror_contacts.items():
        found |= {f"{ref}.mirror{i}": net for i, net in enumerate(mirror.nodes, 1)}
    for ref, connector in circuit.connectors.items():
        found |= {f"{ref}.{number}": pin.net for number, pin in connector.pins.items()}
    return found | {terminal: pin.net for terminal, pin in gpios(circuit).items()}


def gpios(circuit: Circuit) -> dict[str, GpioPin]:
    """The board's GPIOs by terminal."""
    boards = circuit.of_kind("board")
    return {f"{ref}.{name}": pin for ref in boards for name, pin in circuit.pins.items()}


def fault(terminal: str, text: str) -> SourceError:
    """The drawing is not the circuit."""
    return SourceError(f"{terminal.partition('.')[0]}: {text}; change hardware/schematic.py")


def snapped(point: Sequence[float]) -> Point:
    """The same place is the same number."""
    return round(point[0], 3) + 0.0, round(point[1], 3) + 0.0


def moved(at: Point, side: Side, by: float) -> Point:
    """A point beside another."""
    dx, dy = {"left": (-by, 0.0), "right": (by, 0.0), "above": (0.0, by), "below": (0.0, -by)}[
        side
    ]
    return at[0] + dx, at[1] + dy


def lies_on(point: Point, wire: tuple[Point, Point]) -> bool:
    """Whether a point is on a wire, which is upright or level."""
    (x1, y1), (x2, y2) = wire
    return min(x1, x2) <= point[0] <= max(x1, x2) and min(y1, y2) <= point[1] <= max(y1, y2)


def tidy(svg: str) -> str:
    """A line for each element, and numbers without the digits in which machines differ."""

    def rounded(number: re.Match[str]) -> str:
        return f"{round(float(number[0]), 2) + 0:g}"

    svg = svg.replace("stroke-dasharray:-;", "")
    svg = re.sub(r"<[^>]+>", lambda tag: re.sub(r"-?\d+(\.\d+)?(e-\d+)?", rounded, tag[0]), svg)
    return re.sub(r"(?=<(?:path|text|circle|poly|/svg))", "\n", svg) + "\n"


class Sheet:
    """One drawing, and where its terminals, wires and net names lie."""

    def __init__(self, circuit: Circuit, name: str, title: str) -> None:
        self.circuit = circuit
        self.name = name
        self.title = title
        self.nets = nets(circuit)
        self.gpios = {terminal: f"GPIO{pin.gpio}" for terminal, pin in gpios(circuit).items()}
        self.terminals: list[tuple[str, Point]] = []
        self.wires: list[tuple[Point, Point]] = []
        self.names: list[tuple[str, Point]] = []
        self.flags: list[tuple[str, Point, Side]] = []
        self.texts: list[tuple[Point, Point]] = []  # their boxes: lower left, upper right
        self.drawing = schemdraw.Drawing(canvas="svg", show=False)
        self.drawing.config(lw=PEN, inches_per_unit=UNIT / 72, margin=0)

    def __getitem__(self, stop: Stop) -> Point:
        """Where a terminal or a place lies."""
        if not isinstance(stop, str):
            return snapped(stop)
        self.net(stop)
        return dict(self.terminals)[stop]

    def net(self, terminal: str) -> str:
        """The net of a terminal, as the source has it."""
        if terminal not in self.nets:
            raise fault(terminal, f"{terminal} is drawn, but not in the source")
        return self.nets[terminal]

    # --- lines and texts

    def _draw(self, *segments: SegmentType) -> None:
        element = elm.Element(at=(0, 0), theta=0)
        element.segments.extend(segments)
        self.drawing.add(element)

    def text(self, at: Point, text: str, align: Align = "left", size: float = SIZE) -> None:
        """One line of text; `at` is its left end, middle or right end, at half its height."""
        (x, y), width, height = at, len(text) * WIDTH * size, size / UNIT
        left = x - {"left": 0.0, "center": width / 2, "right": width}[align]
        self.texts.append(((left, y - height / 2), (left + width, y + height / 2)))
        text = text.replace("&", "&amp;")
        base = (x, y - 0.35 * height)
        self._draw(SegmentText(base, text, align=(align, "base"), fontsize=size, font=FONT))

    def words(self, at: Point, lines: Sequence[str], side: Side | None = None) -> None:
        """Lines of text around a point or at one side of it."""
        rest = (len(lines) - 1) * LINE
        top = at[1] + {"above": rest + LINE / 2, "below": -LINE / 2}.get(side or "", rest / 2)
        for i, line in enumerate(lines):
            self.text((at[0], top - i * LINE), line, OUTWARD.get(side, "center"))

    # --- what a layout is made of

    def _article(self, ref: str) -> Article:
        if ref not in self.circuit.parts and ref not in self.circuit.connectors:
            raise fault(ref, f"{ref} is drawn, but not in the source")
        return self.circuit.article(ref)

    def _mark(self, terminal: str, at: Sequence[float]) -> Point:
        self.net(terminal)
        self.terminals.append((terminal, snapped(at)))
        return snapped(at)

    def _place(
        self, element: elm.Element, anchors: dict[str, str], lines: Sequence[str], side: Side
    ) -> None:
        """Adds a symbol: its anchors by terminal, and its lines at a side of it."""
        self.drawing.add(element)
        for terminal, anchor in anchors.items():
            self._mark(terminal, element.absanchors[anchor])
        box = element.get_bbox(transform=True)  # type: ignore[no-untyped-call]
        width, height = box.xmax - box.xmin, box.ymax - box.ymin
        away = 0.15 + (width if side in ("left", "right") else height) / 2
        self.words(moved((box.xmin + width / 2, box.ymin + height / 2), side, away), lines, side)

    def part(self, ref: str, start: Point, end: Point, *ends: str, side: Side = "right") -> None:
        """A part from its first terminal to its second, or between two named `ends` of it."""
        article = self._article(ref)
        names = ends or TERMINALS[article.kind] or ()
        if len(names) != 2:
            raise fault(ref, f"a {article.kind} does not fit between two points")
        element = symbol(article, names[0]).endpoints(start, end)
        lines, level = label(self.circuit, ref), start[1] == end[1]
        if isinstance(element, elm.Switch) and article.kind in ("relay", "contactor"):
            lines = [ref]
        anchors = {f"{ref}.{names[0]}": "start", f"{ref}.{names[1]}": "end"}
        self._place(element, anchors, lines, "above" if level else side)
        for name, (x, y), sign in zip(ends, (start, end), (1, -1), strict=False):
            if level and name in self.circuit.parts[ref].nodes:
                self.text((x + sign * 0.05, y - 0.2), name, "left" if sign > 0 else "right", SMALL)
            elif name in self.circuit.parts[ref].nodes:
                self.text((x + 0.1, y - sign * 0.15), name, size=SMALL)

    def device(self, ref: str, at: Point, side: Side = "right") -> None:
        """A transistor by its upper terminal, or an optocoupler by its anode."""
        article = self._article(ref)
        if article.kind not in DEVICES:
            raise fault(ref, f"a {article.kind} does not fit here")
        make, scale, anchors, by = DEVICES[article.kind]
        element = make(at=at, anchor=by, theta=0, scale=scale, lw=PEN)
        found = {f"{ref}.{terminal}": anchor for terminal, anchor in anchors.items()}
        self._place(element, found, label(self.circuit, ref), side)

    def box(self, ref: str, corner: Point, size: Point, **sides: str) -> None:
        """A box by its lower left corner; on its sides the terminals, evenly, names by blanks."""
        self._article(ref)
        (x, y), (width, height) = corner, size
        self._draw(SegmentPoly([(x, y), (x + width, y), (x + width, y + height), (x, y + height)]))
        self.words((x + width / 2, y + height / 2), label(self.circuit, ref))
        edges: dict[Side, tuple[Point, Point]] = {
            "left": ((x, y + height), (0, -height)),
            "right": ((x + width, y + height), (0, -height)),
            "above": ((x, y + height), (width, 0)),
            "below": ((x, y), (width, 0)),
        }
        for side, ((x0, y0), (dx, dy)) in edges.items():
            names = sides.get(side, "").split()
            for i, name in enumerate(names):
                part = (i + 0.5) / len(names)
                self._pin(f"{ref}.{name}", name, (x0 + dx * part, y0 + dy * part), side)

    def _pin(self, terminal: str, name: str, edge: Point, side: Side) -> None:
        self._draw(Segment([edge, self._mark(terminal, moved(edge, side, 0.5))]))
        text = f"{name} {self.gpios[terminal]}" if terminal in self.gpios else name
        inward = moved(edge, side, -0.12 if side in INWARD else -0.22)
        self.text(inward, text, INWARD.get(side, "center"), SMALL)

    def pole(
        self, ref: str, of: str, at: Point, side: Side = "right", more: bool = False
    ) -> Point:
        """The pole of a connector that carries the net of terminal `of`."""
        self._article(ref)
        net = self.net(of)
        for number, pin in self.circuit.connectors[ref].pins.items():
            if pin.net == net:
                self._draw(SegmentCircle(at, 0.1, fill="white", zorder=5))
                text = f"{ref}.{number} {pin.function}" if more else f"{ref}.{number}"
                self.words(moved(at, side, 0.2), [text], side)
                return self._mark(f"{ref}.{number}", at)
        raise fault(of, f"{of} is drawn behind {ref}, which has no pole on net {net}")

    def wire(self, *stops: Stop) -> None:
        """A wire over terminals and places; a corner lies at the height of the earlier stop."""
        for (x1, y1), (x2, y2) in pairwise(self[stop] for stop in stops):
            for a, b in (((x1, y1), (x2, y1)), ((x2, y1), (x2, y2))):
                if a != b:
                    self.wires.append((a, b))
                    self._draw(Segment([a, b]))

    def ground(self, *stops: Stop) -> None:
        """0 V."""
        for stop in stops:
            self.names.append(("0", self[stop]))
            self.drawing.add(elm.Ground(at=self[stop], theta=0))

    def rail(self, of: str, *stops: Stop) -> None:
        """A supply: the net of terminal `of`."""
        for stop in stops:
            x, y = self[stop]
            self.names.append((self.net(of), (x, y)))
            self._draw(Segment([(x, y), (x, y + 0.3)]))
            self._draw(Segment([(x - 0.3, y + 0.3), (x + 0.3, y + 0.3)]))
            self.words((x, y + 0.35), [self.net(of)], "above")

    def flag(self, of: str, stop: Stop, side: Side = "right") -> None:
        """The name of the net of terminal `of`, which continues elsewhere."""
        self.names.append((self.net(of), self[stop]))
        self.flags.append((self.net(of), self[stop], side))

    # --- what has been drawn

    def points(self) -> set[Point]:
        """All places where something ends."""
        marked = {at for _, at in (*self.terminals, *self.names)}
        return marked | {end for wire in self.wires for end in wire}

    def dots(self) -> Iterator[Point]:
        """Where three ends or more meet. A pole of a connector is no end."""
        marked = (*self.terminals, *self.names)
        ends = Counter(
            at for name, at in marked if name.split(".")[0] not in self.circuit.connectors
        )
        for at in sorted(self.points()):
            through = (1 if at in wire else 2 for wire in self.wires if lies_on(at, wire))
            if ends[at] + sum(through) > 2:
                yield at

    def svg(self, places: dict[str, dict[str, str]]) -> str:
        """The drawing, finished; `places` are each net's sheets, and how to refer to them."""
        for net, at, side in self.flags:
            others = (text for name, text in places[net].items() if name != self.name)
            self._flag(net, at, side, ", ".join(others))
        for dot in self.dots():
            self._draw(SegmentCircle(dot, 0.07, fill="black", zorder=4))
        self._frame()
        return tidy(self.drawing.get_imagedata("svg").decode())

    def _flag(self, net: str, at: Point, side: Side, note: str) -> None:
        sign = -1 if side == "left" else 1
        length = 0.4 + len(net) * WIDTH * SIZE
        outline = [(0.0, 0.0), (0.2, 0.25), (length, 0.25), (length, -0.25), (0.2, -0.25)]
        self._draw(SegmentPoly([(at[0] + sign * x, at[1] + y) for x, y in outline]))
        self.text(moved(at, side, length / 2 + 0.05), net, "center")
        self.text(moved(at, side, length + 0.1), note, OUTWARD[side], SMALL)

    def _frame(self) -> None:
        box = self.drawing.get_bbox()
        xs = [box.xmin, box.xmax, *(x for corners in self.texts for x, _ in corners)]
        ys = [box.ymin, box.ymax, *(y for corners in self.texts for _, y in corners)]
        left, right, bottom, top = min(xs) - 0.6, max(xs) + 0.6, min(ys) - 0.6, max(ys) + 1.6
        self.text((left + 0.5, top - 0.6), f"{self.circuit.name}: {self.title}", size=TITLE)
        page = [(left, bottom), (right, bottom), (right, top), (left, top)]
        self._draw(SegmentPoly(page, fill="white", lw=0.8, zorder=-1))


# --- the proof


def joined(sheets: Iterable[Sheet]) -> list[list[str]]:
    """The terminals, and the names of nets after a colon, that the drawings join."""
    parent: dict[object, object] = {}

    def root(item: object) -> object:
        while parent.setdefault(item, item) != item:
            item = parent[item]
        return item

    for sheet in sheets:
        pairs: list[tuple[object, Point]] = [*sheet.terminals]
        pairs += [(f":{net}", at) for net, at in sheet.names]
        for wire in sheet.wires:
            pairs += [((sheet.name, wire[0]), at) for at in sheet.points() if lies_on(at, wire)]
        for item, at in pairs:
            parent[root(item)] = root((sheet.name, at))
    groups: dict[object, list[str]] = {}
    for item in list(parent):
        if isinstance(item, str):
            groups.setdefault(root(item), []).append(item)
    return list(groups.values())


def check(circuit: Circuit, sheets: Sequence[Sheet]) -> None:
    """The sheets draw the circuit, all of it and nothing else. Raises SourceError."""
    wanted = nets(circuit)
    drawn = Counter(terminal for sheet in sheets for terminal, _ in sheet.terminals)
    for terminal in wanted:
        if drawn[terminal] != 1:
            text = "is drawn twice" if drawn[terminal] else "is not drawn"
            raise fault(terminal, f"{terminal} {text}")
    groups = joined(sheets)
    for group in groups:
        on = {item: wanted.get(item, item[1:]) for item in group}
        (usual, _), *_ = Counter(on.values()).most_common()
        for item in group:
            if item in wanted and on[item] != usual:
                raise fault(item, f"{item} is on net {on[item]}, but drawn on net {usual}")
    first: dict[str, int] = {}
    for i, group in enumerate(groups):
        for item in (item for item in group if item in wanted):
            if first.setdefault(wanted[item], i) != i:
                raise fault(item, f"{item} is drawn apart from the rest of net {wanted[item]}")


def files(circuit: Circuit) -> dict[str, str]:
    """What is generated: path from the top of the repository -> text. Raises SourceError."""
    sheets = []
    for name, (title, draw) in SHEETS.items():
        sheets.append(Sheet(circuit, name, title))
        draw(sheets[-1])
    check(circuit, sheets)
    places: dict[str, dict[str, str]] = {}
    for sheet in sheets:
        for net, _ in sheet.names:
            places.setdefault(net, {})[sheet.name] = sheet.name
        for terminal, _ in sheet.terminals:
            if terminal in sheet.gpios:
                places.setdefault(sheet.net(terminal), {})[sheet.name] = sheet.gpios[terminal]
    return {PATH.format(sheet.name): sheet.svg(places) for sheet in sheets}


# --- the layout


def k1(s: Sheet) -> None:
    """Pin, coupling, rectifier and gate from left to right; supply, button and coil downwards."""
    plus = s.pole("X1", "F1.1", (9, 20), "left", more=True)
    s.part("F1", (10, 20), (12, 20))
    minus = s.pole("X1", "Q1.S", (9, 17.5), "left", more=True)
    s.part("D1", (13, 17.5), (13, 19.5))
    s.wire(plus, "F1.1")
    s.wire(minus, "D1.A")
    s.ground("D1.A")
    s.rail("F1.2", (15.5, 20))
    button = s.pole("X2", "S1.A1", (17, 19.2))
    s.wire("F1.2", (13, 20), button)
    s.wire("D1.K", (13, 20))
    s.part("S1", (17, 18.7), (17, 16.7), "A1", "A2")
    back = s.pole("X2", "S1.A2", (17, 16.2))
    s.part("K1", (17, 14.5), (17, 11.5), "A1", "A2", side="left")
    s.wire(button, "S1.A1")
    s.wire("S1.A2", back, "K1.A1")
    s.wire((17, 15), (15.5, 15))
    s.flag("S1.A2", (15.5, 15), "left")
    s.device("Q1", (17, 10))
    s.wire("K1.A2", "Q1.D")
    s.part("D5", (20, 14.5), (20, 13))
    s.part("D4", (20, 11.2), (20, 12.7))
    s.wire((17, 15), (20, 15), "D5.A")
    s.wire("D5.K", "D4.K")
    s.wire((17, 10.7), (20, 10.7), "D4.A")
    s.ground("Q1.S")
    _, y = s["Q1.G"]
    s.part("R1", (2, y), (4, y))
    s.part("C1", (4.4, y), (5.9, y))
    s.part("C2", (6.3, y), (7.8, y))
    s.part("D3", (9, y), (11, y))
    s.flag("A1.K1", "R1.1", "left")
    s.wire("R1.2", "C1.1")
    s.wire("C1.2", "C2.1")
    s.wire("C2.2", "D3.A")
    s.wire("D3.K", "Q1.G")
    s.part("D2", (8.4, y - 2), (8.4, y - 0.4))
    s.wire("D2.K", (8.4, y))
    for x, ref in ((11.4, "C3"), (13, "R2"), (14.6, "R3")):
        s.part(ref, (x, y - 0.4), (x, y - 2))
        s.wire((x, y), f"{ref}.1")
    s.ground("D2.A", "C3.2", "R2.2", "R3.2")


def driver(s: Sheet, at: Point, switch: str, series: str, down: str, of: str) -> None:
    """A transistor with resistors before and at its gate, behind the net of terminal `of`."""
    s.device(switch, at)
    x, y = s[f"{switch}.G"]
    s.part(series, (x - 3.5, y), (x - 1.5, y))
    s.part(down, (x - 1, y - 0.4), (x - 1, y - 2))
    s.flag(of, f"{series}.1", "left")
    s.wire(f"{series}.2", f"{switch}.G")
    s.wire((x - 1, y), f"{down}.1")
    s.ground(f"{switch}.S", f"{down}.2")


def k2(s: Sheet) -> None:
    """The watchdog's switch, the pin's switch, coil and button downwards."""
    s.device("Q3", (17, 19.4))
    s.device("Q2", (17, 15.4))
    s.rail("F1.2", (17, 19.8))
    s.wire((17, 19.8), "Q3.S")
    s.wire("Q3.D", "Q2.S")
    s.part("K2", (17, 12.4), (17, 9.9), "A1", "A2", side="left")
    s.wire("Q2.D", "K2.A1")
    button = s.pole("X2", "S1.B1", (17, 8.6))
    s.part("S1", (17, 8.1), (17, 6.1), "B1", "B2")
    back = s.pole("X2", "S1.B2", (17, 5.6))
    s.wire("K2.A2", button, "S1.B1")
    s.wire("S1.B2", back, (17, 5.2))
    s.ground((17, 5.2))
    s.wire((17, 9.4), (15.5, 9.4))
    s.flag("S1.B1", (15.5, 9.4), "left")
    s.part("D7", (20, 12.5), (20, 11.4))
    s.part("D6", (20, 9.7), (20, 10.8))
    s.wire((17, 12.9), (20, 12.9), "D7.A")
    s.wire("D7.K", "D6.K")
    s.wire((17, 9.4), (20, 9.4), "D6.A")
    x, y = 5, s["Q3.G"][1]
    s.part("R5", (x, y), (x, y + 1.6))
    s.part("R6", (x, y), (x, y - 1.6))
    s.wire("R5.1", "Q3.G")
    s.rail("F1.2", "R5.2")
    driver(s, (x, y - 2.2), "Q5", "R7", "R8", "U3.Q")
    s.wire("R6.2", "Q5.D")
    x, y = 11, s["Q2.G"][1]
    s.part("R9", (x, y), (x, y + 1.8))
    s.part("R10", (x, y), (x, y - 1.6))
    s.wire("R9.1", "Q2.G")
    s.wire("R9.2", (17, y + 1.8))
    driver(s, (x, y - 2.2), "Q4", "R11", "R12", "A1.K2")
    s.wire("R10.2", "Q4.D")


def watchdog(s: Sheet) -> None:
    """The feed, the one-shot and the latch that it clears."""
    s.box("U2", (5, 6), (8, 4), left="B A", right="Q", above="RC C CLR VCC", below="GND")
    s.box("U3", (18, 5.5), (6, 3), left="D CLR CLK", right="Q", above="PRE VCC", below="GND")
    s.part("R14", (2.5, 8.5), (2.5, 6.9))
    s.flag("A1.WATCHDOG", (1.5, 9), "left")
    s.wire((1.5, 9), "U2.B")
    s.wire((2.5, 9), "R14.1")
    x, y = s["U2.RC"]
    s.part("C4", (x, y + 1), (x + 2, y + 1))
    s.part("R13", (x, y + 3.7), (x, y + 1.7))
    s.wire("R13.2", "U2.RC")
    s.wire("C4.2", "U2.C")
    s.wire("U2.Q", "U3.D")
    s.wire((15, 8), (15, 7), "U3.CLR")
    s.flag("A1.K2", "U3.CLK", "left")
    s.flag("U3.Q", "U3.Q")
    s.part("C5", (15, 14.2), (15, 12.6))
    s.part("C6", (17, 14.2), (17, 12.6))
    s.rail("A1.3V3", "R13.1", "U2.CLR", "U2.VCC", "U3.PRE", "U3.VCC", "C5.1", "C6.1")
    s.ground("R14.2", "U2.A", "U2.GND", "U3.GND", "C5.2", "C6.2")


def isolated(s: Sheet, y: float, series: str, diode: str, opto: str, down: str, of: str) -> Point:
    """From a resistor to the GPIO of terminal `of`. Returns the return of the LED."""
    s.part(series, (11, y), (13, y))
    s.device(opto, (16.5, y), "above")
    if diode:
        s.part(diode, (14, y), (15.5, y))
        s.wire(f"{series}.2", f"{diode}.A")
        s.wire(f"{diode}.K", f"{opto}.A")
    else:
        s.wire(f"{series}.2", f"{opto}.A")
    s.wire(f"{opto}.C", (19.8, y + 0.3))
    s.rail("A1.3V3", (19.8, y + 0.3))
    low = s[f"{opto}.E"][1]
    s.part(down, (19.8, low - 0.2), (19.8, low - 1.5))
    s.wire(f"{opto}.E", (21, low))
    s.wire((19.8, low), f"{down}.1")
    s.flag(of, (21, low))
    s.ground(f"{down}.2")
    s.wire(f"{opto}.K", (15.7, y - 1.5))
    return 15.7, y - 1.5


def sensing(s: Sheet) -> None:
    """Both contacts of the button, both loops of mirror contacts."""
    s.ground(isolated(s, 20, "R15", "D8", "U4", "R16", "A1.CONTACT_A"))
    s.flag("S1.A2", "R15.1", "left")
    s.flag("S1.B1", isolated(s, 15, "R17", "D9", "U5", "R18", "A1.CONTACT_B"), "left")
    s.rail("F1.2", "R17.1")
    s.ground(isolated(s, 10, "R19", "", "U6", "R20", "A1.MIRROR_1"))
    s.ground(isolated(s, 5, "R21", "", "U7", "R22", "A1.MIRROR_2"))
    for y, relay, contactor, series in ((10, "K1", "KM1", "R19"), (5, "K2", "KM2", "R21")):
        s.rail("F1.2", (1, y))
        s.part(relay, (1, y), (3.5, y), "NC1", "NC2")
        there = s.pole("X6", f"{contactor}.mirror1", (4.5, y), "below")
        s.part(contactor, (5, y), (7.5, y), "mirror1", "mirror2")
        back = s.pole("X6", f"{contactor}.mirror2", (8.5, y), "below")
        s.wire(f"{relay}.NC2", there, f"{contactor}.mirror1")
        s.wire(f"{contactor}.mirror2", back, f"{series}.1")


def inputs(s: Sheet) -> None:
    """Reset button, key switch and the supply itself."""
    s.ground(isolated(s, 15, "R23", "", "U8", "R24", "A1.RESET"))
    s.ground(isolated(s, 10, "R25", "", "U9", "R26", "A1.KEY"))
    s.ground(isolated(s, 5, "R27", "", "U10", "R28", "A1.SUPPLY"))
    common = s.pole("X3", "S2.1", (2, 15), "below")
    s.rail("F1.2", (1, 15))
    s.part("S2", (4, 15), (6.5, 15))
    s.part("S3", (4, 10), (6.5, 10))
    s.wire((1, 15), common, "S2.1")
    s.wire((3, 15), (3, 10), "S3.1")
    s.wire("S2.2", s.pole("X3", "S2.2", (9, 15), "below"), "R23.1")
    s.wire("S3.2", s.pole("X3", "S3.2", (9, 10), "below"), "R25.1")
    s.rail("F1.2", "R27.1")


def outputs(s: Sheet) -> None:
    """The contacts of K1 in the plus and of K2 in the return, the contactors between them."""
    for x, connector, (a, b) in ((3, "X5", ("NO1", "NO2")), (13, "X7", ("NO3", "NO4"))):
        s.part("K1", (x, 17.5), (x, 15), a, b)
        s.part("K2", (x, 8), (x, 5.5), a, b)
        for y, terminal in ((18.5, f"K1.{a}"), (14, f"K1.{b}"), (9, f"K2.{a}"), (4.5, f"K2.{b}")):
            s.wire(s.pole(connector, terminal, (x, y), more=True), terminal)
        s.text((x - 0.2, 19.3), s.circuit.connectors[connector].cable)
    for x, contactor in ((3, "KM1"), (7, "KM2")):
        s.part(contactor, (x, 12.7), (x, 10.3), "A1", "A2")
    s.wire((3, 14), "KM1.A1")
    s.wire((3, 9), "KM1.A2")
    s.wire((3, 13.2), (7, 13.2), "KM2.A1")
    s.wire((3, 9.8), (7, 9.8), "KM2.A2")


def indicators(s: Sheet) -> None:
    """Stack light and buzzer."""
    s.box("H1", (14, 0), (6, 16), left="COM RED GREEN BUZZER")
    driver(s, (9, 9.5), "Q6", "R29", "R30", "A1.LAMP_RED")
    driver(s, (9, 5.5), "Q7", "R31", "R32", "A1.LAMP_GREEN")
    driver(s, (9, 1.5), "Q8", "R33", "R34", "A1.BUZZER")
    for lamp, drain in (("H1.RED", "Q6.D"), ("H1.GREEN", "Q7.D"), ("H1.BUZZER", "Q8.D")):
        s.wire(lamp, s.pole("X4", lamp, (12.5, s[lamp][1]), "above"), drain)
    y = s["H1.COM"][1]
    s.wire("H1.COM", s.pole("X4", "H1.COM", (12.5, y), "above"), (9, y))
    s.rail("F1.2", (9, y))


def logic(s: Sheet) -> None:
    """Supply of the board, its GPIOs, and the link to the host."""
    pins = s.circuit.pins
    inward = [name for name, pin in pins.items() if pin.direction == "in"]
    outward = [name for name, pin in pins.items() if pin.direction == "out"]
    usb = ["VBUS", "DP", "DM"]
    left, right, link = (" ".join(names) for names in ([*inward, *usb], outward, usb))
    height = len(inward) + len(usb)
    s.box("A1", (9, 0), (10, height), left=left, right=right, above="VSYS 3V3", below="GND")
    s.box("A2", (-2, 0), (6, len(usb)), right=link, below="GND")
    s.box("U1", (-2, height + 2), (6, 3), left="VIN", right="VOUT", below="GND")
    x, y = s["U1.VOUT"]
    s.part("D10", (x + 1, y), (x + 3, y))
    s.wire("U1.VOUT", "D10.A")
    s.wire("D10.K", "A1.VSYS")
    s.wire("U1.VIN", (-3, y))
    s.rail("F1.2", (-3, y))
    s.rail("A1.3V3", "A1.3V3")
    for name in usb:
        s.wire(f"A2.{name}", f"A1.{name}")
    for name in inward:
        s.flag(f"A1.{name}", f"A1.{name}", "left")
    for name in outward:
        s.flag(f"A1.{name}", f"A1.{name}")
    s.ground("A1.GND", "A2.GND", "U1.GND")


SHEETS: dict[str, tuple[str, Callable[[Sheet], None]]] = {
    "k1": ("relay K1, held by pulses only", k1),
    "k2": ("relay K2, held by its pin and the watchdog", k2),
    "watchdog": ("watchdog of K2", watchdog),
    "sensing": ("button and mirror contacts to the board", sensing),
    "inputs": ("reset, key and supply to the board", inputs),
    "outputs": ("contactors and second output", outputs),
    "indicators": ("stack light and buzzer", indicators),
    "logic": ("board, its supply and the link", logic),
}
