"""A deck for ngspice from the source, and its run.

What is modelled: both relay drives, the coils with their clamps, the button, the sensing of all
contacts through the optocouplers, relay contacts that follow the coil current, contactors as
resistors. What is not: the chip, the one-shot and the latch are waveforms worked out in Python;
armatures move in no time; nothing heats up or burns out. Units are V, A, s, ohm, H, F.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from source import Article, Circuit, quantity

SHORT = 0.02  # ohm
EDGE = 2e-6  # s, rise of a pin
TOGGLE = 1e-3  # s, period of a pin that toggles by fault; K1's toggles like its pulses
WELDED = "welded"  # a fault of relays and contactors
NEVER = 1.0  # s, later than any run
SOLVERS = (  # a run that does not converge is tried again with the next
    "reltol=0.01 abstol=10n vntol=100u method=gear",
    "reltol=0.003 abstol=1n vntol=10u method=gear",
    "reltol=0.003 abstol=1n vntol=10u method=trap",
)
CONDUCTS = 1.5  # V, above which a pin reads high (RP2040 datasheet 5.5.3: between 0.8 and 2.0)

Wave = list[tuple[float, float]]  # (time, level 0 or 1), each level holds until the next time
Corner = dict[tuple[str, str], float]  # (ref, parameter) -> factor


class SpiceError(Exception):
    """ngspice is missing or could not finish."""


class NotSolvedError(SpiceError):
    """This run did not converge."""


@dataclass(frozen=True)
class Fault:
    """One fault: a terminal that is open, two nets that touch, or signals that are stuck."""

    ref: str
    what: str
    opened: str = ""  # terminal of `ref`
    shorted: tuple[str, str] | None = None
    stuck: dict[str, str] = field(default_factory=dict)  # signal -> high, low, toggling

    @property
    def name(self) -> str:
        """Ref and fault, as in the table."""
        return f"{self.ref} {self.what}".strip()


NO_FAULT = Fault("", "none")


@dataclass(frozen=True)
class Scenario:
    """What controller and person do over time. Of the signals, those left out stay low."""

    name: str
    end: float
    demand: float  # when stopping is asked for
    k1: list[tuple[float, float, float]]  # pulses: from, until, level afterwards
    k1_static: Wave
    k2: Wave
    fed: list[tuple[float, float]]  # the watchdog is fed from, until
    pressed: float = NEVER
    energised: bool = True  # begins with the current in the coils that the supply drives
    samples: tuple[float, ...] = ()  # when the input pins are read


@dataclass(frozen=True)
class Result:
    """What one run has measured. `reads[i]` are the input pins at the i-th sample."""

    reads: list[dict[str, bool]]
    coil: dict[str, list[float]]  # relay -> current at each sample
    load: list[bool]  # a contactor is energised, at each sample
    release: dict[str, float | None]  # relay -> last time its current fell below must-release
    held_voltage: dict[str, float]  # relay -> least coil voltage in the 2 ms before the demand
    fuse: float  # greatest current from the supply, A
    load_fuse: float  # greatest current from the load's supply, A


def watchdog_timeout(circuit: Circuit, corner: Corner | None = None) -> float:
    """Seconds from the last feed to the end of the one-shot's pulse: k R C."""
    corner = corner or {}
    ref = circuit.of_kind("one-shot")[0]
    nodes = circuit.parts[ref].nodes
    product = circuit.article(ref).model["k"] * corner.get((ref, "k"), 1.0)
    for part in circuit.of_kind("resistor", "capacitor"):
        if set(circuit.parts[part].nodes.values()) & {nodes["RC"], nodes["C"]}:
            product *= circuit.value(part) * corner.get((part, "value"), 1.0)
    return product


def _level(wave: Wave, time: float) -> float:
    level = 0.0
    for at, value in wave:
        if at <= time:
            level = value
    return level


def _toggling(period: float, end: float) -> Wave:
    count = int(2 * end / period)
    return [(i * period / 2, float(i % 2)) for i in range(count + 1)]


def _pwl(wave: Wave, high: float) -> str:
    points = [(0.0, _level(wave, 0.0) * high)]
    for at, level in wave:
        if at > 0:
            points += [(at, points[-1][1]), (at + EDGE, level * high)]
    text = " ".join(f"{t:.9g} {v:.5g}" for t, v in points)
    return f"PWL({text} {NEVER} {points[-1][1]:.5g})"


class Signals:
    """The waveforms of the chip's outputs, the one-shot and the latch, with a fault applied."""

    def __init__(self, circuit: Circuit, scenario: Scenario, fault: Fault, corner: Corner) -> None:
        timeout = watchdog_timeout(circuit, corner)
        end = scenario.end
        half = 0.5 / circuit.pulse.frequency
        k1 = list(scenario.k1_static)
        for start, until, after in scenario.k1:
            edges = round((until - start) / half)
            k1 += [(start + i * half, float(1 - i % 2)) for i in range(edges)]
            k1.append((until, after))
        stuck = fault.stuck
        self.k1 = _stuck(k1, stuck.get("K1"), 2 * half, end)
        self.k2 = _stuck(scenario.k2, stuck.get("K2"), TOGGLE, end)
        fed = [(start, until + timeout) for start, until in scenario.fed]
        feed = stuck.get("WATCHDOG")
        if feed is not None:
            fed = [(0.0, NEVER)] if feed == "toggling" else []
        alive = stuck.get("wd_alive")
        if alive is not None:
            fed = [(0.0, NEVER)] if alive == "high" else []
        self.ok = self._latch(fed, stuck.get("wd_ok"), end)

    def _latch(self, fed: list[tuple[float, float]], stuck: str | None, end: float) -> Wave:
        if stuck == "transparent":
            return [
                (t, level) for start, until in fed for t, level in ((start, 1.0), (until, 0.0))
            ]
        if stuck is not None:
            return _stuck([], stuck, TOGGLE, end)
        rises = [
            at
            for i, (at, level) in enumerate(self.k2)
            if level and at > 0 and not (i and self.k2[i - 1][1])
        ]
        wave: Wave = []
        for start, until in fed:
            inside = [at for at in rises if start < at < until]
            if inside:
                wave += [(inside[0], 1.0), (until, 0.0)]
        return wave


def _stuck(wave: Wave, how: str | None, period: float, end: float) -> Wave:
    if how is None:
        return wave
    return _toggling(period, end) if how == "toggling" else [(0.0, float(how == "high"))]


class _Deck:
    """Writes the lines of one run."""

    def __init__(
        self, circuit: Circuit, scenario: Scenario, fault: Fault, supply: float, corner: Corner
    ) -> None:
        self.circuit = circuit
        self.scenario = scenario
        self.fault = fault
        self.supply = supply
        self.corner = corner
        self.signals = Signals(circuit, scenario, fault, corner)
        self.high = circuit.gpio.high.value * corner.get(("gpio", "high"), 1.0)
        self.lines = [
            f"* {scenario.name}",
            f"Vsupply v24_source 0 {supply}",
            "Rsupply v24_source v24 0.05",
            f"Vload load_source 0 {supply}",
            f"Vlogic v3v3 0 {self.high}",
            f"Vbutton released 0 {_pwl([(0.0, 1.0), (scenario.pressed, 0.0)], 1.0)}",
            ".model contact SW(Ron=0.05 Roff=100MEG Vt=0.5 Vh=0.1)",
            ".model broken CSW(It=1 Ih=0 Ron=1G Roff=1G)",
        ]
        self._outputs()
        for ref, part in circuit.parts.items():
            nodes = dict(part.nodes)
            if ref == fault.ref and fault.opened:
                nodes[fault.opened] = f"open_{ref.lower()}"
            self._part(ref, circuit.article(ref), nodes)
        if fault.shorted:
            self.lines.append(f"Rfault {fault.shorted[0]} {fault.shorted[1]} {SHORT}")

    def factor(self, ref: str, name: str) -> float:
        return self.corner.get((ref, name), 1.0)

    def _outputs(self) -> None:
        waves = {"K1": self.signals.k1, "K2": self.signals.k2}
        for name, pin in self.circuit.pins.items():
            if pin.direction == "out":
                how = self.fault.stuck.get(name)
                wave = waves.get(name, _stuck([], how, TOGGLE, self.scenario.end))
                self._source(name, pin.net, wave)
        latch = self.circuit.of_kind("latch")[0]
        self._source("latch", self.circuit.parts[latch].nodes["Q"], self.signals.ok)

    def _source(self, name: str, net: str, wave: Wave) -> None:
        self.lines += [
            f"V_{name} {name}_source 0 {_pwl(wave, self.high)}",
            f"R_{name} {name}_source {net} {self.circuit.gpio.resistance}",
        ]

    def _part(self, ref: str, article: Article, n: dict[str, str]) -> None:
        model = {k: v * self.factor(ref, k) for k, v in article.model.items()}
        parameters = " ".join(f"{k}={v:.6g}" for k, v in model.items())
        add = self.lines.append
        match article.kind:
            case "resistor" | "capacitor":
                value = quantity(article.value) * self.factor(ref, "value")
                add(f"{'RC'[article.kind == 'capacitor']}{ref} {n['1']} {n['2']} {value:.6g}")
            case "fuse":
                add(f"R{ref} {n['1']} {n['2']} {model['resistance']:.6g}")
            case "diode":
                add(f"D{ref} {n['A']} {n['K']} m{ref}")
                add(f".model m{ref} D({parameters})")
            case "nmos" | "pmos":
                channel = "nchan" if article.kind == "nmos" else "pchan"
                add(f"M{ref} {n['D']} {n['G']} {n['S']} m{ref}")
                add(f".model m{ref} VDMOS({channel} {parameters})")
            case "optocoupler":
                threshold = model.pop("threshold")
                parameters = " ".join(f"{k}={v:.6g}" for k, v in model.items())
                add(f"D{ref} {n['A']} {ref}_s m{ref}")
                add(f"V{ref} {ref}_s {n['K']} 0")
                add(f".model m{ref} D({parameters})")
                add(f"W{ref} {n['C']} {n['E']} V{ref} o{ref}")
                add(f".model o{ref} CSW(It={threshold} Ih={threshold / 4} Ron=150 Roff=100MEG)")
            case "button":
                for contact in "AB":
                    add(
                        f"S{ref}{contact} {n[contact + '1']} {n[contact + '2']} released 0 contact"
                    )
            case "switch":
                add(f"R{ref} {n['1']} {n['2']} 100MEG")
            case "lamp":
                for circuit in ("RED", "GREEN", "BUZZER"):
                    add(f"R{ref}{circuit} {n['COM']} {n[circuit]} {model['resistance']}")
            case "relay":
                self._relay(ref, model, n)
            case "contactor":
                add(f"R{ref} {n['A1']} {ref}_s {model['resistance']}")
                on = model["must_operate"]
                self._contacts(ref, n["A2"], on, on / 2)

    def _relay(self, ref: str, model: dict[str, float], n: dict[str, str]) -> None:
        nominal = self.circuit.article(ref).model
        operate = nominal["must_operate"] / nominal["resistance"]
        release = nominal["must_release"] / nominal["resistance"]
        current = self.supply / model["resistance"] if self.scenario.energised else 0.0
        self.lines += [
            f"R{ref} {n['A1']} {ref}_l {model['resistance']:.6g}",
            f"L{ref} {ref}_l {ref}_s {model['inductance']:.6g} ic={current:.6g}",
            f"C{ref} {n['A1']} {ref}_s {model['winding']:.6g}",
            f"R{ref}loss {n['A1']} {ref}_s {model['loss']:.6g}",
        ]
        self._contacts(ref, n["A2"], operate, release)
        self.lines += [
            f"W{ref}nc {n['NC1']} {n['NC2']} V{ref}b {self._mirror(ref)}",
            f"W{ref}no {n['NO1']} {n['NO2']} V{ref}a no{ref}",
        ]

    def _mirror(self, ref: str) -> str:
        """The model of a mirror contact: it stays open while a power contact is welded."""
        return "broken" if (self.fault.ref, self.fault.what) == (ref, WELDED) else f"nc{ref}"

    def _contacts(self, ref: str, end: str, operate: float, release: float) -> None:
        """Sense the coil's current both ways: contacts close when it rises, or when it falls."""
        middle, half = (operate + release) / 2, (operate - release) / 2
        self.lines += [
            f"V{ref}a {ref}_s {ref}_t 0",
            f"V{ref}b {end} {ref}_t 0",
            f".model no{ref} CSW(It={middle:.6g} Ih={half:.6g} Ron=0.1 Roff=100MEG)",
            f".model nc{ref} CSW(It={-middle:.6g} Ih={half:.6g} Ron=0.1 Roff=100MEG)",
        ]
        mirror = self.circuit.mirror_contacts.get(ref)
        if mirror:
            nodes = f"{mirror.nodes[0]} {mirror.nodes[1]}"
            self.lines.append(f"W{ref}nc {nodes} V{ref}b {self._mirror(ref)}")

    def text(self, solver: str) -> str:
        """The deck, with the load's supply connected and all measurements."""
        scenario, circuit = self.scenario, self.circuit
        first, last = _load_output(circuit)
        lines = [*self.lines, f"Rload_p load_source {first} 0.5", f"Rload_n {last} 0 0.01"]
        for i, time in enumerate(scenario.samples):
            for name, pin in _inputs(circuit):
                lines.append(f".meas tran s{i}_{name} find v({pin}) at={time:.6g}")
            for ref in circuit.of_kind("relay"):
                lines.append(f".meas tran s{i}_{ref} find i(L{ref}) at={time:.6g}")
            for ref in circuit.of_kind("contactor"):
                lines.append(f".meas tran s{i}_{ref} find i(V{ref}a) at={time:.6g}")
        before = max(scenario.demand - 2e-3, 0)
        for ref in circuit.of_kind("relay"):
            nominal = circuit.article(ref).model
            release = nominal["must_release"] / nominal["resistance"]
            lines += [
                f".meas tran least_{ref} min i(L{ref}) from={before:.6g} to={scenario.demand:.6g}",
                f".meas tran off_{ref} when i(L{ref})={release:.6g} fall=last"
                f" td={scenario.demand:.6g}",
            ]
        lines += [
            f".meas tran fuse min i(Vsupply) from=0 to={scenario.end:.6g}",
            f".meas tran loadfuse min i(Vload) from=0 to={scenario.end:.6g}",
            f".options {solver} rshunt=1g cshunt=5p",
            f".tran 50u {scenario.end:.6g} 0 100u uic",
            ".end",
        ]
        return "\n".join(lines) + "\n"


def _inputs(circuit: Circuit) -> list[tuple[str, str]]:
    return [(name, pin.net) for name, pin in circuit.pins.items() if pin.direction == "in"]


def _load_output(circuit: Circuit) -> tuple[str, str]:
    """The nets of the load's plus and minus: the relays' far ends of the contactors' output."""
    coil = circuit.parts[circuit.of_kind("contactor")[0]].nodes
    first, second = (circuit.parts[ref].nodes for ref in circuit.of_kind("relay"))
    ends = {first["NO2"]: first["NO1"], second["NO1"]: second["NO2"]}
    return ends[coil["A1"]], ends[coil["A2"]]


def run(
    circuit: Circuit,
    scenario: Scenario,
    supply: float,
    fault: Fault = NO_FAULT,
    corner: Corner | None = None,
) -> Result:
    """Simulate one scenario. Raises SpiceError."""
    deck = _Deck(circuit, scenario, fault, supply, corner or {})
    values = _solved(deck, f"{scenario.name}: {fault.name}")
    relays = circuit.of_kind("relay")
    samples = range(len(scenario.samples))
    return Result(
        reads=[
            {
                name: _read(values[f"s{i}_{name}".lower()], fault.stuck.get(name), i)
                for name, _ in _inputs(circuit)
            }
            for i in samples
        ],
        coil={ref: [values[f"s{i}_{ref}".lower()] for i in samples] for ref in relays},
        load=[
            any(
                values[f"s{i}_{ref}".lower()] > circuit.article(ref).model["must_operate"]
                for ref in circuit.of_kind("contactor")
            )
            for i in samples
        ],
        release={ref: values.get(f"off_{ref}".lower()) for ref in relays},
        held_voltage={
            ref: values[f"least_{ref}".lower()]
            * circuit.article(ref).model["resistance"]
            * deck.factor(ref, "resistance")
            for ref in relays
        },
        fuse=-values["fuse"],
        load_fuse=-values["loadfuse"],
    )


def _read(voltage: float, stuck: str | None, sample: int) -> bool:
    """What the chip reads; a pin that toggles is read either way in turn."""
    if stuck == "toggling":
        return bool(sample % 2)
    return voltage > CONDUCTS if stuck is None else stuck == "high"


def _solved(deck: _Deck, name: str) -> dict[str, float]:
    failed: SpiceError | None = None
    for solver in SOLVERS:
        try:
            return _ngspice(deck.text(solver))
        except NotSolvedError as error:
            failed = failed or SpiceError(f"{name}: {error}")
    raise failed or SpiceError(f"{name}: no solver")


@cache
def _ngspice(deck: str) -> dict[str, float]:
    program = shutil.which("ngspice")
    if program is None:
        raise SpiceError("ngspice is not installed (Debian: apt-get install ngspice)")
    with tempfile.TemporaryDirectory(prefix="rb-spice-") as folder:
        path = Path(folder) / "deck.cir"
        path.write_text(deck, encoding="utf-8")
        try:
            done = subprocess.run(
                [program, "-n", "-b", path.name],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SpiceError("ngspice took more than 60 s") from None
    pairs = re.findall(r"(?m)^([a-z0-9_]+)\s*=\s*([-+0-9.e]+)", done.stdout)
    values = {key: float(value) for key, value in pairs}
    if "fuse" not in values or "aborted" in done.stdout + done.stderr:
        reason = _reason((done.stdout + done.stderr).splitlines())
        raise NotSolvedError(f"ngspice did not finish: {reason}")
    return values


def _reason(lines: Iterable[str]) -> str:
    for line in lines:
        if re.search(r"(?i)error|aborted|too small", line):
            return line.strip()
    return "no measurements"
