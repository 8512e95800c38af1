"""The hardware's one source: reads and checks `circuit.yaml`.

    circuit = load()            # or load(variant="12V"), load(path)

Whatever is wrong is one `SourceError` of one line that names file, part and fault.
"""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
SOURCE = FOLDER / "circuit.yaml"
GENERATED = FOLDER / "generated"

# The names of each kind's terminals; None for kinds whose terminals differ from part to part.
TERMINALS: dict[str, tuple[str, ...] | None] = {
    "resistor": ("1", "2"),
    "capacitor": ("1", "2"),
    "fuse": ("1", "2"),
    "switch": ("1", "2"),
    "diode": ("A", "K"),
    "nmos": ("D", "G", "S"),
    "pmos": ("D", "G", "S"),
    "optocoupler": ("A", "K", "C", "E"),
    "relay": ("A1", "A2", "NC1", "NC2", "NO1", "NO2", "NO3", "NO4"),
    "contactor": ("A1", "A2"),
    "button": ("A1", "A2", "B1", "B2"),
    "one-shot": ("A", "B", "CLR", "Q", "RC", "C", "VCC", "GND"),
    "latch": ("D", "CLR", "CLK", "Q", "PRE", "VCC", "GND"),
    "lamp": ("COM", "RED", "GREEN", "BUZZER"),
    "regulator": ("VIN", "VOUT", "GND"),
    "isolator": None,
    "board": None,
    "connector": (),
}
MODEL: dict[str, tuple[str, ...]] = {  # the parameters without which a kind cannot be simulated
    "fuse": ("resistance", "trip", "fast"),
    "diode": ("Is", "BV"),
    "nmos": ("Vto", "Kp"),
    "pmos": ("Vto", "Kp"),
    "optocoupler": ("Is", "threshold"),
    "relay": ("resistance", "inductance", "winding", "loss", "must_operate", "must_release"),
    "contactor": ("resistance", "must_operate"),
    "one-shot": ("k",),
    "lamp": ("resistance",),
}
# What is printed at the terminals of parts in the field, where it is not the name used here
# (IEC 60947-1 annex L: contact 1-2 opens, 3-4 closes; the digit before it numbers the contacts).
MARKS: dict[str, dict[str, str]] = {
    "button": {"A1": "11", "A2": "12", "B1": "21", "B2": "22"},
    "switch": {"1": "13", "2": "14"},
}
MIRROR_MARKS = ("21", "22")
POLES = {  # beside those that have nets: main contacts, which the installation uses
    "contactor": {str(n): f"pole {(n + 1) // 2} {'in' if n % 2 else 'out'}" for n in range(1, 7)}
}
PART_CLAMPS = 2  # wires under one terminal of a part in the field; a connector's pole takes one
# Raspberry Pi Pico datasheet, section 2.1: not on the header.
PICO_INTERNAL = {23: "power save", 24: "VBUS sense", 25: "LED", 29: "VSYS measurement"}
USB_PIN = 15  # RP2040 datasheet, erratum RP2040-E5: taken for about 1 ms when USB connects
PULL_DOWN_MAX = 8200.0  # ohm; RP2350 datasheet, erratum RP2350-E9
PREFIXES = {"p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6}


class SourceError(Exception):
    """Something in the source is wrong. The text is one line."""


def quantity(text: str | float) -> float:
    """A value with an SI prefix, such as 4.7k or 100n, as a number in its SI unit."""
    match = re.fullmatch(r"(-?[0-9.]+(?:e-?[0-9]+)?)([pnumkM]?)", str(text))
    if match is None:
        raise ValueError(f"{text!r} is not a value such as 4.7k or 100n")
    return float(match[1]) * PREFIXES[match[2]]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)


class Reliability(_Strict):
    """How long until it fails: B10d in operations, or MTTFd in years (ISO 13849-1 annex C)."""

    b10d: float = 0.0
    mttfd: float = 0.0
    source: str


class Article(_Strict):
    """Something that can be ordered, and how it behaves in simulation."""

    kind: str
    value: str
    manufacturer: str = ""
    mpn: str = ""  # the manufacturer's number
    rating: str
    note: str = ""
    alternatives: list[str] = []
    model: dict[str, float] = {}  # SI units
    tolerance: dict[str, float] = {}  # relative, of the model's parameters or of "value"
    source: str = ""  # of the model
    reliability: Reliability | None = None

    @field_validator("model", mode="before")
    @classmethod
    def _quantities(cls, model: dict[str, Any]) -> dict[str, float]:
        return {name: quantity(value) for name, value in model.items()}


class Part(_Strict):
    """One part on the board or, with a connector, in the field."""

    article: str
    nodes: dict[str, str]  # terminal -> net
    connector: str = ""
    note: str = ""


class Mirror(_Strict):
    """The mirror contact of a contactor in the field."""

    connector: str
    nodes: tuple[str, str]


class ConnectorPin(_Strict):
    """One pole of a connector."""

    net: str
    function: str


class Connector(_Strict):
    """A connector of the board; the wires of its cable may touch each other."""

    article: str
    cable: str
    pins: dict[int, ConnectorPin]


class GpioPin(_Strict):
    """What a GPIO of the board does. `reset` is its level while and after the chip is reset."""

    gpio: int
    net: str
    function: str
    direction: Literal["in", "out"]
    pull: Literal["down", "up", "none"]
    active: Literal["high", "low", "pulses"]
    reset: Literal["low", "high"]


class Supply(_Strict):
    """The supply's range in V."""

    minimum: float
    nominal: float
    maximum: float


class Pulse(_Strict):
    """K1's pulses: Hz, and the seconds that stay queued after the last feed."""

    frequency: float
    queue: float


class Level(_Strict):
    """A voltage in V and its relative tolerance."""

    value: float
    tolerance: float


class Gpio(_Strict):
    """The chip's outputs: high level and resistance in ohm."""

    high: Level
    resistance: float


class Limits(_Strict):
    """What the proof must find: times in s, margins relative to must-operate."""

    drop_out: float
    fault: float
    margin_nominal: float
    margin_minimum: float


class Use(_Strict):
    """How often it is used: days a year, hours a day, s between two operations of a kind."""

    days: float
    hours: float
    button: float
    relay: float
    contactor: float


class SafetyFunction(_Strict):
    """A safety function in the sense of ISO 13849-1, and the demand that calls it."""

    title: str
    demand: str
    input: str = ""  # kind of the part that begins it, if it has two channels too
    category: Literal["1", "2", "3"]
    without_diagnosis: Literal["", "1"] = ""  # category if nothing that detects faults counts
    why: str
    no_claim: str  # why the level of the hardware is not claimed


class CommonCause(_Strict):
    """A measure against common cause failures (ISO 13849-1 table F.1)."""

    measure: str
    score: int
    fulfilled: Literal["yes", "no", "lab"]
    why: str


class Duration(_Strict):
    """A time in s and where it is from."""

    time: float
    source: str


class Stopping(_Strict):
    """What adds to the drop-out of the relays until the contacts of the contactors are open."""

    armature: Duration
    contactor: Duration
    heartbeat_timeout: Duration
    tick: Duration


class Safety(_Strict):
    """What the worksheet of ISO 13849-1 needs beside the circuit and the fault table."""

    mission_time: float  # years
    use: Use
    coverage: dict[str, float]  # means of detection -> diagnostic coverage it may claim
    functions: list[SafetyFunction]
    common_cause: list[CommonCause]
    stopping: Stopping
    approach: dict[str, float]  # m/s
    speeds: list[float]  # m/s


class Cable(_Strict):
    """A cable, or single wires. A terminal is written REF.TERMINAL."""

    type: str = "LiYY"
    gauge: float = 0.5  # mm2
    # Of single wires: black for power, blue for DC control (IEC 60204-1, 13.2.4). Without, it is
    # one cable with cores in the colours of DIN 47100.
    colour: Literal["", "BK", "BU"] = ""
    wires: dict[str, str]


class Device(_Strict):
    """What an application adds: `what` it is and its terminals, or `like` which part."""

    what: str = ""
    terminals: dict[str, str] = {}  # terminal -> function
    clamps: int = 1  # wires under one terminal
    like: str = ""


class Application(_Strict):
    """How the controller is wired into a robot."""

    title: str
    notes: list[str]
    standard: list[str] = []  # connectors with their own parts in the field, wired as always
    unused: list[str] = []  # connectors that stay empty
    devices: dict[str, Device] = {}
    cables: dict[str, Cable] = {}  # a standard cable (W5 of X5) may be named to add wires to it


class Circuit(_Strict):
    """The whole source, with one variant applied if asked for."""

    name: str
    supply: Supply
    pulse: Pulse
    gpio: Gpio
    limits: Limits
    articles: dict[str, Article]
    parts: dict[str, Part]
    mirror_contacts: dict[str, Mirror]
    connectors: dict[str, Connector]
    pins: dict[str, GpioPin]
    safety: Safety
    applications: dict[str, Application]

    def article(self, ref: str) -> Article:
        """What to order for the part or connector `ref`."""
        item: Part | Connector = self.parts[ref] if ref in self.parts else self.connectors[ref]
        return self.articles[item.article]

    def value(self, ref: str) -> float:
        """The value of a resistor in ohm or of a capacitor in F."""
        return quantity(self.article(ref).value)

    def of_kind(self, *kinds: str) -> list[str]:
        """The refs of all parts of these kinds, in the order of the source."""
        return [ref for ref in self.parts if self.article(ref).kind in kinds]

    def field(self, connector: str) -> dict[str, str]:
        """The terminals of the parts in the field behind a connector -> net."""
        nets: dict[str, str] = {}
        for ref, part in self.parts.items():
            if part.connector == connector:
                marks = MARKS.get(self.article(ref).kind, {})
                nets |= {f"{ref}.{marks.get(name, name)}": n for name, n in part.nodes.items()}
        for ref, mirror in self.mirror_contacts.items():
            if mirror.connector == connector:
                nets |= {f"{ref}.{m}": n for m, n in zip(MIRROR_MARKS, mirror.nodes, strict=True)}
        return nets

    def terminals(self, ref: str, devices: dict[str, Device]) -> dict[str, str]:
        """The terminals of a connector, a part in the field or a device -> function."""
        if ref in self.connectors:
            return {str(n): pin.function for n, pin in self.connectors[ref].pins.items()}
        if ref in devices:
            like = devices[ref].like
            return self.terminals(like, {}) if like else devices[ref].terminals
        found = {}
        for name, connector in self.connectors.items():
            functions = {pin.net: pin.function for pin in connector.pins.values()}
            for end, net in self.field(name).items():
                if end.startswith(f"{ref}."):
                    # What is said in brackets is for the connector.
                    found[end.removeprefix(f"{ref}.")] = functions[net].partition(" (")[0]
        return found | POLES.get(self.article(ref).kind, {}) if found else {}

    def cables(self, application: Application) -> dict[str, Cable]:
        """All its wires: of X5 the cable W5, and the links L5 where terminals share a pole."""
        cables = {}
        for connector in application.standard:
            cable: dict[str, str] = {}
            links: dict[str, str] = {}
            for number, pin in self.connectors[connector].pins.items():
                ends = [end for end, net in self.field(connector).items() if net == pin.net]
                cable |= {f"{connector}.{number}": end for end in ends[:1]}
                links |= dict(pairwise(ends))
            cables[connector.replace("X", "W")] = Cable(wires=cable)
            if links:
                single = Cable(type="H05V-K", gauge=0.75, colour="BU", wires=links)
                cables[connector.replace("X", "L")] = single
        for name, added in application.cables.items():
            given = cables.get(name, Cable(wires={})).wires
            for end in given.keys() & added.wires.keys():
                raise SourceError(f"{end} is wired twice")
            wires = dict(sorted((given | added.wires).items())) if given else added.wires
            cables[name] = added.model_copy(update={"wires": wires})
        return cables


class _Loader(yaml.SafeLoader):
    """Refuses what YAML would silently drop: a second entry of the same name."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    pairs = [
        (loader.construct_object(k, deep=True), loader.construct_object(v, deep=True))
        for k, v in node.value
    ]
    for name, count in Counter(str(name) for name, _ in pairs).items():
        if count > 1:
            line = node.start_mark.line + 1
            raise SourceError(f"{name}: used twice in the entry that begins at line {line}")
    return dict(pairs)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def _merge(base: Any, change: Any) -> Any:
    """`base` with `change` laid over it, entry by entry."""
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    return base | {key: _merge(base.get(key), value) for key, value in change.items()}


def _names_as_text(data: dict[str, Any]) -> None:
    """YAML reads a terminal called 1 as a number."""
    for part in (data.get("parts") or {}).values():
        if isinstance(part, dict) and isinstance(part.get("nodes"), dict):
            part["nodes"] = {str(k): v for k, v in part["nodes"].items()}


def load(path: Path = SOURCE, variant: str = "") -> Circuit:
    """Read, complete and check the source. Raises SourceError."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _Loader)
        _names_as_text(data)
        variants = data.pop("variants", {})
        if variant:
            if variant not in variants:
                raise SourceError(f"{variant}: unknown variant; there are {', '.join(variants)}")
            change = {k: v for k, v in variants[variant].items() if k != "about"}
            _names_as_text(change)
            data = _merge(data, change)
        circuit = Circuit.model_validate(data)
        _check(circuit)
    except SourceError as error:
        raise SourceError(f"{path.name}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = [str(step) for step in first["loc"]]
        ref, rest = (where[1], where[2:]) if len(where) > 1 else (where[0], [])
        what = " ".join([*rest, first["msg"].removeprefix("Value error, ")])
        raise SourceError(f"{path.name}: {ref}: {what}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SourceError(f"{path.name}: {' '.join(str(error).split())}") from None
    return circuit


def _check(circuit: Circuit) -> None:
    _check_articles(circuit)
    _check_parts(circuit)
    _check_pins(circuit)
    _check_field(circuit)
    _check_nets(circuit)
    for name, application in circuit.applications.items():
        try:
            _check_devices(circuit, name, application)
            _check_wires(circuit, application)
        except SourceError as error:
            raise SourceError(f"{name}: {error}") from None


def _check_articles(circuit: Circuit) -> None:
    items: dict[str, Part | Connector] = {**circuit.parts, **circuit.connectors}
    for ref, item in items.items():
        if item.article not in circuit.articles:
            raise SourceError(f"{ref}: unknown article {item.article}")
        article = circuit.articles[item.article]
        if not article.mpn or not article.manufacturer:
            lacks = "mpn" if not article.mpn else "manufacturer"
            raise SourceError(f"{ref}: no manufacturer number ({item.article} has no {lacks})")
        if article.kind not in TERMINALS:
            raise SourceError(f"{ref}: unknown kind {article.kind} (of {item.article})")
        for name in MODEL.get(article.kind, ()):
            if name not in article.model:
                raise SourceError(f"{ref}: the model of {item.article} lacks {name}")
        if article.kind in ("resistor", "capacitor"):
            try:
                if quantity(article.value) <= 0:
                    raise ValueError(f"{article.value} is not above zero")
            except ValueError as error:
                raise SourceError(f"{ref}: {error} (of {item.article})") from None
        for name in article.tolerance:
            if name != "value" and name not in article.model:
                raise SourceError(f"{ref}: tolerance of {name}, which {item.article} lacks")


def _check_parts(circuit: Circuit) -> None:
    for ref, part in circuit.parts.items():
        wanted = TERMINALS[circuit.article(ref).kind]
        if wanted is not None and set(wanted) != set(part.nodes):
            wrong = sorted(set(wanted) ^ set(part.nodes))
            raise SourceError(f"{ref}: terminal {wrong[0]} is missing or unknown")


def _check_pins(circuit: Circuit) -> None:
    """Against the facts of the RP2040 and the Pico."""
    seen: dict[int, str] = {}
    for name, pin in circuit.pins.items():
        gpio = f"GPIO{pin.gpio}"
        if pin.gpio in seen:
            raise SourceError(f"{name}: {gpio} is used twice, by {seen[pin.gpio]} too")
        seen[pin.gpio] = name
        if not 0 <= pin.gpio <= 29:
            raise SourceError(f"{name}: the RP2040 has no {gpio} (GPIO0 to GPIO29)")
        if pin.gpio == USB_PIN:
            raise SourceError(f"{name}: {gpio} is taken when USB connects (erratum RP2040-E5)")
        if pin.gpio in PICO_INTERNAL:
            use = PICO_INTERNAL[pin.gpio]
            raise SourceError(f"{name}: {gpio} is used on the Pico itself ({use})")
        if pin.reset != "low":
            # RP2040 datasheet, 2.19.6.3: GPIO pads reset to input with pull-down.
            raise SourceError(f"{name}: {gpio} is low at reset (RP2040: input with pull-down)")
        if pin.active == "low":
            raise SourceError(f"{name}: {gpio} would be active at reset, when it is low")
        if pin.direction == "in" and pin.pull != "down":
            raise SourceError(f"{name}: an input must be pulled down: a broken wire reads open")
        if pin.direction == "in" and not _pulled_down(circuit, pin.net):
            raise SourceError(
                f"{name}: no resistor of {PULL_DOWN_MAX:.0f} ohm or less from {pin.net} to 0"
                " (erratum RP2350-E9)"
            )


def _pulled_down(circuit: Circuit, net: str) -> bool:
    return any(
        set(circuit.parts[ref].nodes.values()) == {net, "0"}
        and circuit.value(ref) <= PULL_DOWN_MAX
        for ref in circuit.of_kind("resistor")
    )


def _check_field(circuit: Circuit) -> None:
    """What is outside the board reaches it through a connector that carries its nets."""
    field = [(r, p.connector, list(p.nodes.values())) for r, p in circuit.parts.items()]
    field += [(r, m.connector, list(m.nodes)) for r, m in circuit.mirror_contacts.items()]
    for ref, name, nets in field:
        if not name:
            continue
        if name not in circuit.connectors:
            raise SourceError(f"{ref}: unknown connector {name}")
        carried = {pin.net for pin in circuit.connectors[name].pins.values()}
        for net in nets:
            if net not in carried:
                raise SourceError(f"{ref}: net {net} does not pass through connector {name}")
    for ref in circuit.mirror_contacts:
        if ref not in circuit.parts:
            raise SourceError(f"{ref}: a mirror contact of a part that does not exist")


def _check_nets(circuit: Circuit) -> None:
    """Every net joins two terminals or leaves through a connector; GPIOs are terminals."""
    ends: Counter[str] = Counter(pin.net for pin in circuit.pins.values())
    where = {pin.net: name for name, pin in circuit.pins.items()}
    for ref, part in circuit.parts.items():
        for net in part.nodes.values():
            ends[net] += 1
            where.setdefault(net, ref)
    for ref, mirror in circuit.mirror_contacts.items():
        for net in mirror.nodes:
            ends[net] += 1
            where.setdefault(net, ref)
    for ref, connector in circuit.connectors.items():
        for pin in connector.pins.values():
            ends[pin.net] += 1
            where.setdefault(pin.net, ref)
    for net, count in ends.items():
        if count < 2:
            raise SourceError(f"{where[net]}: net {net} has one end")


def _check_devices(circuit: Circuit, name: str, application: Application) -> None:
    if not re.fullmatch(r"[a-z0-9-]+", name):
        raise SourceError("its name becomes a file's name: only a to z, 0 to 9 and -")
    for ref in [*application.standard, *application.unused]:
        if ref not in circuit.connectors:
            raise SourceError(f"unknown connector {ref}")
    for ref, device in application.devices.items():
        if ref in circuit.parts or ref in circuit.connectors:
            raise SourceError(f"{ref} is the name of something else already")
        if not re.fullmatch(r"[A-Z]+[0-9]+", ref):
            raise SourceError(f"{ref} is no name for a device; letters and a number, such as F10")
        if device.like:
            if device.what or device.terminals:
                raise SourceError(f"{ref} is like {device.like} and yet has its own description")
            if device.like not in circuit.parts or not circuit.parts[device.like].connector:
                raise SourceError(f"{ref} is like {device.like}, which is no part in the field")
        elif not device.what or not device.terminals:
            raise SourceError(f"{ref} needs what and terminals, or like")


def _check_wires(circuit: Circuit, application: Application) -> None:
    """Every wire ends at terminals that exist and have room; no terminal is left over."""
    devices = application.devices
    cables = circuit.cables(application).values()
    wires = Counter(end for cable in cables for pair in cable.wires.items() for end in pair)
    used = dict.fromkeys([*devices, *(end.partition(".")[0] for end in wires)])
    for end, count in wires.items():
        ref, _, terminal = end.partition(".")
        if ref not in (*circuit.connectors, *circuit.parts, *devices):
            raise SourceError(f"unknown connector or device {ref}")
        if terminal not in circuit.terminals(ref, devices):
            raise SourceError(f"{ref} has no terminal {terminal}")
        room = PART_CLAMPS
        if ref in circuit.connectors:
            room = 1
        elif ref in devices and not devices[ref].like:
            room = devices[ref].clamps
        if count > room:
            raise SourceError(f"{end} has {count} wires, but room for {room}")
    for ref in used:
        if ref in application.unused:
            raise SourceError(f"{ref} is wired, but said to be unused")
        for terminal in circuit.terminals(ref, devices):
            if f"{ref}.{terminal}" not in wires:
                raise SourceError(f"{ref}.{terminal} is not wired")
