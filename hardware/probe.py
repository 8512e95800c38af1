"""The bench harness: reads and checks `probe.yaml`, and makes pin map, list and drawing of it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import yaml
from pydantic import Field, ValidationError
from source import (
    FOLDER,
    PICO_INTERNAL,
    USB_PIN,
    Application,
    Cable,
    Circuit,
    Device,
    SourceError,
    _check_devices,
    _check_wires,
    _Loader,
    _Strict,
)
from template import render

SOURCE = FOLDER / "probe.yaml"
PINS = "firmware/probe/harness.py"
LIST = "hardware/generated/probe.md"
DRAWING = "bench"
BOARD = "A30"
OUTSIDE = ("X", "G30", "J1", "P30")


class Article(_Strict):
    """Something that can be ordered; `needs`: how many of which other articles go with each."""

    kind: str
    value: str
    manufacturer: str
    mpn: str
    rating: str
    note: str = ""
    needs: dict[str, int] = Field(default_factory=dict)


class Output(_Strict):
    """What the probe moves: its states, and the GPIOs that are high in each."""

    function: str
    states: dict[str, list[int]]

    @property
    def released(self) -> str:
        """The state while no pin is high."""
        return next(name for name, high in self.states.items() if not high)


class Switch(_Strict):
    """What a GPIO switches, between two ends."""

    article: str
    ends: tuple[str, str]


class Raw(_Strict):
    """An input that is not recorded itself."""

    article: str
    ends: list[str]
    function: str


class Sense(_Strict):
    """What a GPIO sees. `made_from`: the probe makes it of another GPIO."""

    gpio: int
    function: str
    article: str = ""
    ends: list[str] = Field(default_factory=list)
    made_from: int | None = None


class Harness(_Strict):
    """The whole source."""

    name: str
    title: str
    warning: str
    articles: dict[str, Article]
    parts: dict[str, str]
    devices: dict[str, Device]
    outputs: dict[str, Output]
    switches: dict[int, Switch]
    senses: dict[str, Sense]
    raw: dict[int, Raw]
    links: list[tuple[str, str]]
    load: tuple[str, str]
    unused: list[str]
    notes: list[str]

    @property
    def ends(self) -> dict[str, list[str]]:
        """Each end outside of the harness board, and what of it hangs there."""
        found: dict[str, list[str]] = {}
        where: list[tuple[str, Sequence[str]]] = []
        where += [(f"GPIO{gpio} switch", switch.ends) for gpio, switch in self.switches.items()]
        where += [(f"GPIO{sense.gpio} sense", sense.ends) for sense in self.senses.values()]
        where += [(f"GPIO{gpio} sense", raw.ends) for gpio, raw in self.raw.items()]
        where += [(f"link to {other}", [one]) for one, other in self.links]
        where += [(f"link to {one}", [other]) for one, other in self.links]
        where += [("dummy load", self.load)]
        for what, ends in where:
            for end in ends:
                found.setdefault(end, []).append(what)
        return dict(sorted(found.items()))

    def where(self, output: Output) -> str:
        """Between which ends an output switches."""
        gpios = sorted({gpio for high in output.states.values() for gpio in high})
        return ", ".join("-".join(self.switches[gpio].ends) for gpio in gpios)


def load(circuit: Circuit, path: Path = SOURCE) -> Harness:
    """Read and check the source. Raises SourceError of one line."""
    try:
        harness = Harness.model_validate(yaml.load(path.read_text(encoding="utf-8"), _Loader))
        _check(harness)
        drawn = application(harness)
        _check_devices(circuit, DRAWING, drawn)
        _check_wires(circuit, drawn)
    except SourceError as error:
        raise SourceError(f"{path.name}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise SourceError(f"{path.name}: {where}: {first['msg']}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SourceError(f"{path.name}: {' '.join(str(error).split())}") from None
    return harness


def _check(harness: Harness) -> None:
    used = [*harness.switches, *harness.raw, *(one.gpio for one in harness.senses.values())]
    for gpio, count in Counter(used).items():
        if count > 1:
            raise SourceError(f"GPIO{gpio} is used twice")
        if not 0 <= gpio <= 28 or gpio in PICO_INTERNAL or gpio == USB_PIN:
            raise SourceError(f"GPIO{gpio} is not free on a Pico")
    order = [sense.gpio for sense in harness.senses.values()]
    if order != list(range(order[0], order[0] + len(order))):
        raise SourceError("senses: their GPIOs are not side by side, in this order")
    _check_outputs(harness)
    for sense in harness.senses.values():
        if bool(sense.article) == (sense.made_from is not None):
            raise SourceError(f"GPIO{sense.gpio}: either an article, or made from another GPIO")
    for article in [*_direct(harness), *(n for a in harness.articles.values() for n in a.needs)]:
        if article not in harness.articles:
            raise SourceError(f"unknown article {article}")


def _check_outputs(harness: Harness) -> None:
    for name, output in harness.outputs.items():
        if sum(not high for high in output.states.values()) != 1:
            raise SourceError(f"{name}: one state, and only one, is without a high pin")
        for gpio in (gpio for high in output.states.values() for gpio in high):
            if gpio not in harness.switches:
                raise SourceError(f"{name}: GPIO{gpio} is no switch")
    moved = [g for o in harness.outputs.values() for high in o.states.values() for g in high]
    if Counter(moved) != Counter(list(harness.switches)):
        raise SourceError("switches: each belongs to one state of one output")


def _direct(harness: Harness) -> list[str]:
    """Article of every part; one isolator has room for all that is isolated."""
    found = [*harness.parts.values(), *(one.article for one in harness.switches.values())]
    seen = [one.article for one in harness.senses.values() if one.article]
    seen += [one.article for one in harness.raw.values()]
    isolators = {name for name in seen if harness.articles[name].kind == "digital isolator"}
    return found + [name for name in seen if name not in isolators] + sorted(isolators)


def application(harness: Harness) -> Application:
    """The wiring, in the form in which applications of the controller are drawn."""
    ends = harness.ends
    terminals = {end: "; ".join(what) for end, what in ends.items()}
    board = Device(what="harness board with the probe", terminals=terminals)
    cables: dict[str, dict[str, str]] = {}
    for end in ends:
        ref = end.partition(".")[0]
        cables.setdefault(ref.replace("X", "W"), {})[end] = f"{BOARD}.{end}"
    return Application(
        title=harness.title,
        notes=[harness.warning, *harness.notes],
        unused=harness.unused,
        devices={BOARD: board, **harness.devices},
        cables={name: Cable(wires=wires) for name, wires in cables.items()},
    )


def module(harness: Harness) -> str:
    """The pin map that the probe's firmware imports, and its host."""
    lines = [
        '"""What hangs on which pin of the probe. Outputs: name, states with the GPIOs that are'
        " high in",
        "each, where. Senses: name, GPIO, where; high when closed, pressed, present.",
        "",
        "Generated from hardware/probe.yaml by `make hardware`.",
        '"""',
        "",
        "OUTPUTS = (",
    ]
    for name, output in harness.outputs.items():
        lines += ["    (", f'        "{name}",', "        ("]
        for state, high in output.states.items():
            gpios = f"({', '.join(map(str, high))}{',' if len(high) == 1 else ''})"
            lines.append(f'            ("{state}", {gpios}),')
        lines += ["        ),", f'        "{harness.where(output)}",', "    ),"]
    lines += [")", "SENSES = ("]
    for name, sense in harness.senses.items():
        where = "-".join(sense.ends or harness.raw[sense.made_from or 0].ends)
        lines.append(f'    ("{name}", {sense.gpio}, "{where}"),')
    (raw,) = harness.raw
    made = next(one.gpio for one in harness.senses.values() if one.made_from is not None)
    first = next(iter(harness.senses.values())).gpio
    return "\n".join(
        [
            *lines,
            ")",
            f"FIRST_SENSE = {first}",
            f"SENSED = {len(harness.senses)}  # so many, side by side",
            f"K1_PULSES = {made}  # made by the probe from K1",
            f"K1 = {raw}  # {harness.raw[raw].function}",
            "",
        ]
    )


def quantities(harness: Harness) -> dict[str, int]:
    """Each article, and how many of it."""
    counts = Counter(_direct(harness))
    for name, count in list(counts.items()):
        for other, more in harness.articles[name].needs.items():
            counts[other] += more * count
    return {name: counts[name] for name in harness.articles if counts[name]}


def files(circuit: Circuit) -> dict[str, str]:
    """What is generated: path from the top of the repository -> text."""
    harness = load(circuit)
    return {
        PINS: module(harness),
        LIST: render(
            "probe.md",
            harness=harness,
            quantities=quantities(harness),
            drawing=f"wiring-{DRAWING}.svg",
        ),
    }
