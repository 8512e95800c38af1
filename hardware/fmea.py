"""Every single fault in every demand: what drops, how fast, and what notices.

    python hardware/fmea.py             # writes generated/fmea.csv, drop-out.csv and its curves
    python hardware/fmea.py --quick     # a slice, writes nothing
    python hardware/fmea.py --variant plain-diodes   # another variant, writes nothing

Ends with 1 if something that the summary calls required is not met, 2 if it could not run.

Method: failure mode and effects analysis as ISO 13849-2 annex D lists faults (open, short, stuck),
without claiming any of its fault exclusions.
"""

import argparse
import csv
import io
import itertools
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from source import GENERATED, Circuit, SourceError, load
from spice import (
    NO_FAULT,
    WELDED,
    Corner,
    Fault,
    Result,
    Scenario,
    SpiceError,
    run,
    watchdog_timeout,
)

FAULTS = GENERATED / "fmea.csv"
DROP_OUT = GENERATED / "drop-out.csv"
CURVES = GENERATED / "drop-out-curves.csv"

DEMAND = 5e-3  # s from the start of a run, which begins energised
CURVE = tuple(i * 0.2e-3 for i in range(-5, 71))  # s from the demand, what the plot shows
SETTLED = 45e-3  # s, nine time constants of a coil
STEP = 16e-3  # s, one step of the start-up test
PULLED_IN = ((False, False),) * 4 + ((False, True), (True, False))  # K1 and K2, step by step
QUICK = 12  # one fault in so many
QUICK_TOLERANCE = 0.05  # and only what is not more precise than this

RAIL = frozenset({"v3v3", "v5", "vsys"})  # without any of these the chip is off
STATES = ("high", "low", "toggling")

# Fault -> the terminal that is open, and fault -> the terminals that touch. Other kinds of parts:
# each terminal and each pair.
TerminalFaults = tuple[dict[str, str], dict[str, tuple[str, str]]]
TERMINAL_FAULTS: dict[str, TerminalFaults] = {
    "relay": (
        {
            "coil open": "A1",
            "output contact does not close": "NO1",
            "mirror contact does not close": "NC1",
        },
        {
            "coil shorted": ("A1", "A2"),
            WELDED: ("NO1", "NO2"),
            "mirror contact bridged": ("NC1", "NC2"),
        },
    ),
    "contactor": (
        {"coil open": "A1"},
        {"coil shorted": ("A1", "A2")},
    ),
    "button": (
        {"contact A open": "A1", "contact B open": "B1"},
        {"contact A bridged": ("A1", "A2"), "contact B bridged": ("B1", "B2")},
    ),
    "optocoupler": (
        {"LED open": "A", "output open": "C"},
        {"LED shorted": ("A", "K"), "output shorted": ("C", "E")},
    ),
}


def demands(circuit: Circuit) -> list[Scenario]:
    """The button; the controller stops; the controller hangs, its pins left high."""
    end = DEMAND + circuit.limits.fault
    look = (DEMAND - 1e-4, end - 1e-4)
    start = 1e-4
    hung = end + watchdog_timeout(circuit)
    queue = circuit.pulse.queue
    return [
        Scenario(
            "button", end, DEMAND, [(start, end, 0)], [], [(start, 1)], [(0, 1)], DEMAND,
            samples=look,
        ),
        Scenario(
            "controller stops", end, DEMAND, [(start, DEMAND, 0)], [], [(start, 1), (DEMAND, 0)],
            [(0, 1)], samples=look,
        ),
        Scenario(
            "controller hangs", hung, DEMAND, [(start, DEMAND + queue, 1)], [], [(start, 1)],
            [(0, DEMAND)], samples=(look[0], hung - 1e-4),
        ),
    ]  # fmt: skip


def start_up_test(circuit: Circuit) -> Scenario:
    """SR-13: six steps of 16 ms, sampled at their ends.

    1 K1's pin high. 2 Watchdog armed, K2's pin low. 3 K2's pin high, watchdog not fed. 4 Fed
    again, K2's pin still high. 5 K2 alone. 6 K1 alone. Steps 1 to 4 must move nothing.
    """
    stop = 2 * STEP - watchdog_timeout(circuit)
    ms = 1e-3
    return Scenario(
        "start-up test",
        end=6 * STEP + 8 * ms,
        demand=6 * STEP,
        k1=[(5 * STEP + 9 * ms, 6 * STEP + 8 * ms, 0)],
        k1_static=[(0.5 * ms, 1), (STEP, 0)],
        k2=[(STEP, 1), (STEP + 0.2 * ms, 0), (2 * STEP + 0.5 * ms, 1), (4 * STEP, 0),
            (4 * STEP + ms, 1), (5 * STEP + ms, 0)],
        fed=[(5 * ms, stop), (3 * STEP, 5 * STEP + 5 * ms)],
        energised=False,
        samples=(*(i * STEP - 0.2 * ms for i in range(1, 6)), 6 * STEP + 7.5 * ms),
    )  # fmt: skip


def holding(circuit: Circuit) -> Scenario:
    """Both relays pulled in from rest and held, nothing else."""
    del circuit
    return Scenario(
        "holding", SETTLED + 1e-3, SETTLED, [(1e-4, SETTLED + 1e-3, 0)], [], [(1e-4, 1)],
        [(0, 1)], energised=False, samples=(SETTLED - 1e-4,),
    )  # fmt: skip


def faults(circuit: Circuit) -> list[Fault]:
    """All single faults: of parts, of cables, of pins."""
    found: list[Fault] = []
    for ref in circuit.parts:
        found += _part_faults(circuit, ref)
    for ref, mirror in circuit.mirror_contacts.items():
        found.append(Fault(ref, "mirror contact bridged", shorted=mirror.nodes))
    for ref, connector in circuit.connectors.items():
        nets = [(number, pin.net) for number, pin in connector.pins.items()]
        for (a, net_a), (b, net_b) in itertools.combinations(nets, 2):
            found.append(Fault(ref, f"wires {a} and {b} touch", shorted=(net_a, net_b)))
    for name in circuit.pins:
        found += [Fault("A1", f"{name} stuck {how}", stuck={name: how}) for how in STATES]
    return found


def _all_pins(circuit: Circuit, how: str) -> dict[str, str]:
    return {name: how for name, pin in circuit.pins.items() if pin.direction == "out"}


def _part_faults(circuit: Circuit, ref: str) -> list[Fault]:
    """What can happen to one part, by its kind."""
    nodes = circuit.parts[ref].nodes
    kind = circuit.article(ref).kind
    off = _all_pins(circuit, "low") | {"wd_ok": "low"}
    on = _all_pins(circuit, "high")
    stuck: dict[str, dict[str, dict[str, str]]] = {
        "board": {"all outputs low": off, "all outputs high": on},
        "regulator": {"no output": off, "output at input voltage": on},
        "isolator": {"link lost": {}},
        "one-shot": {f"output stuck {how}": {"wd_alive": how} for how in STATES[:2]},
        "latch": {"does not latch": {"wd_ok": "transparent"}}
        | {f"output stuck {how}": {"wd_ok": how} for how in STATES},
    }
    if kind in stuck:
        return [Fault(ref, what, stuck=signals) for what, signals in stuck[kind].items()]
    if set(nodes.values()) & RAIL and kind in ("diode", "capacitor"):
        bad = "shorted" if kind == "capacitor" else "open"  # takes the rail down
        return [Fault(ref, w, stuck=off if w == bad else {}) for w in ("open", "shorted")]
    if _times(circuit, ref):
        opened = "low" if kind == "capacitor" else "high"
        return [
            Fault(ref, "open", stuck={"wd_alive": opened}),
            Fault(ref, "shorted", stuck={"wd_alive": "high"}),
        ]
    welds = [Fault(ref, WELDED)] if kind == "contactor" else []
    opens, shorts = TERMINAL_FAULTS.get(kind) or _any_terminal(list(nodes))
    return (
        [Fault(ref, what, opened=terminal) for what, terminal in opens.items()]
        + [Fault(ref, what, shorted=(nodes[a], nodes[b])) for what, (a, b) in shorts.items()]
        + welds
    )


def _any_terminal(names: list[str]) -> TerminalFaults:
    """Each terminal open, each pair shorted; of two terminals one open is enough."""
    pairs = list(itertools.combinations(names, 2))
    if len(names) == 2:
        return {"open": names[0]}, {"shorted": pairs[0]}
    return {f"{n} open": n for n in names}, {f"{a}-{b} shorted": (a, b) for a, b in pairs}


def _times(circuit: Circuit, ref: str) -> bool:
    """Whether this part sets the one-shot's time."""
    shot = circuit.parts[circuit.of_kind("one-shot")[0]].nodes
    return bool({shot["RC"], shot["C"]} & set(circuit.parts[ref].nodes.values()))


@dataclass(frozen=True)
class Verdict:
    """What one fault does. Times in s from the demand, the longest over the supply's range."""

    fault: Fault
    effect: str  # dangerous, channel lost, does not run, slow, none
    lost: str  # relay and demand, where a channel is lost
    detected: str  # by what; empty: by nothing
    times: dict[tuple[str, str], str]  # (demand, relay) -> ms, HELD, off


@dataclass(frozen=True)
class DropOut:
    """Time in s from a demand until the coil current of a relay falls below must-release."""

    demand: str
    relay: str
    nominal: float
    worst: float
    corner: Corner  # the worst


class Analysis:
    """One circuit, its faults and its corners, on all cores."""

    def __init__(self, circuit: Circuit, quick: bool = False) -> None:
        self.circuit = circuit
        self.quick = quick
        self.runs = 0
        self.relays = circuit.of_kind("relay")
        nominal = circuit.supply.nominal
        ends = [] if quick else [circuit.supply.minimum, circuit.supply.maximum]
        self.supplies = [nominal, *ends]
        button = circuit.parts[circuit.of_kind("button")[0]].connector
        every = faults(circuit)
        self.faults = [
            fault
            for i, fault in enumerate(every)
            if not quick or i % QUICK == 0 or fault.ref == button
        ]

    def run(
        self,
        scenario: Scenario,
        supply: float,
        fault: Fault = NO_FAULT,
        corner: Corner | None = None,
    ) -> Result:
        """One run of ngspice."""
        self.runs += 1
        return run(self.circuit, scenario, supply, fault, corner)

    def verdict(self, fault: Fault) -> Verdict:
        """Simulate one fault in all demands and in the start-up test."""
        tested = self.run(start_up_test(self.circuit), self.circuit.supply.nominal, fault)
        demanded = {
            (scenario.name, supply): (scenario, self.run(scenario, supply, fault))
            for scenario in demands(self.circuit)
            for supply in self.supplies
        }
        return judge(self.circuit, fault, tested, list(demanded.values()))

    def verdicts(self) -> list[Verdict]:
        """All faults, in the order of the source."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = []
            for verdict in pool.map(self.verdict, self.faults):
                found.append(verdict)
                _progress(f"{len(found)} of {len(self.faults)} faults")
        _progress("")
        return found

    def corners(self) -> Iterator[tuple[tuple[str, str], float]]:
        """All that has a tolerance: ((ref, parameter), relative tolerance)."""
        yield ("gpio", "high"), self.circuit.gpio.high.tolerance
        for ref in self.circuit.parts:
            for name, tolerance in self.circuit.article(ref).tolerance.items():
                if not self.quick or tolerance >= QUICK_TOLERANCE:
                    yield (ref, name), tolerance

    def drop_out(self) -> list["DropOut"]:
        """How long each relay takes in each demand.

        Worst case: each tolerance alone first, then all of them together in the direction in
        which each alone makes the drop-out longer, at the highest supply.
        """
        supply = self.circuit.supply
        limits = list(self.corners())
        found = []
        for scenario in demands(self.circuit):
            nominal = self.run(scenario, supply.nominal)
            middle = self.run(scenario, supply.maximum)
            jobs = [{key: 1 + tolerance} for key, tolerance in limits]
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                alone = list(
                    pool.map(lambda c, s=scenario: self.run(s, supply.maximum, corner=c), jobs)
                )
            for ref in self.relays:
                base = _late(middle, ref)
                corner = {
                    key: 1 + tolerance * (1 if _late(result, ref) >= base else -1)
                    for (key, tolerance), result in zip(limits, alone, strict=True)
                }
                worst = self.run(scenario, supply.maximum, corner=corner)
                found.append(
                    DropOut(
                        scenario.name,
                        ref,
                        _late(nominal, ref) - scenario.demand,
                        _late(worst, ref) - scenario.demand,
                        corner,
                    )
                )
        return found

    def curve(self, item: "DropOut") -> list[tuple[float, float, float]]:
        """(s from the demand, coil current in A nominal, in the worst corner), every 0.2 ms."""
        (demand,) = (d for d in demands(self.circuit) if d.name == item.demand)
        scenario = replace(demand, samples=tuple(demand.demand + t for t in CURVE))
        supply = self.circuit.supply
        nominal = self.run(scenario, supply.nominal).coil[item.relay]
        worst = self.run(scenario, supply.maximum, corner=item.corner).coil[item.relay]
        return list(zip(CURVE, nominal, worst, strict=True))

    def margins(self) -> dict[str, tuple[float, float, float]]:
        """Relay -> coil voltage over must-operate - 1: nominal, least supply, worst corner."""
        supply = self.circuit.supply
        scenario = holding(self.circuit)
        limits = [item for item in self.corners() if item[0][0] not in self.relays]
        jobs = [{key: 1 + tolerance} for key, tolerance in limits]
        nominal = self.run(scenario, supply.nominal)
        least = self.run(scenario, supply.minimum)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            alone = list(pool.map(lambda c: self.run(scenario, supply.minimum, corner=c), jobs))
        found = {}
        for ref in self.relays:
            corner = {
                key: 1 + tolerance * (1 if r.held_voltage[ref] < least.held_voltage[ref] else -1)
                for (key, tolerance), r in zip(limits, alone, strict=True)
            }
            # The coil that takes most current leaves itself least voltage.
            corner[ref, "resistance"] = 1 - self.circuit.article(ref).tolerance["resistance"]
            worst = self.run(scenario, supply.minimum, corner=corner)
            operate = self.circuit.article(ref).model["must_operate"]
            first, second, third = (
                result.held_voltage[ref] / operate - 1 for result in (nominal, least, worst)
            )
            found[ref] = first, second, third
        return found


def _late(result: Result, ref: str) -> float:
    """When the relay let go; infinity if it did not."""
    time = result.release[ref]
    return float("inf") if time is None or result.coil[ref][-1] > result.coil[ref][0] / 2 else time


class _Judge:
    """Gathers what the runs of one fault show."""

    def __init__(self, circuit: Circuit, fault: Fault) -> None:
        self.circuit = circuit
        self.fault = fault
        self.relays = circuit.of_kind("relay")
        self.fuse = circuit.article(circuit.of_kind("fuse")[0]).model
        self.lost: list[str] = []
        self.detected: list[str] = []
        self.times: dict[tuple[str, str], str] = {}
        self.longest: dict[tuple[str, str], float] = {}
        self.dangerous = self.slow = False
        self.runs = True

    def notice(self, by: str, condition: bool) -> None:
        if condition:
            _add(self.detected, by)

    def current(self, ref: str, voltage: str) -> float:
        """The coil current in A at must_operate or must_release."""
        model = self.circuit.article(ref).model
        return model[voltage] / model["resistance"]

    def blown(self, result: Result) -> tuple[bool, bool]:
        """Whether the common fuse opens, and whether the load is without supply."""
        own = bool(self.fuse["fast"]) and result.fuse > self.fuse["trip"]
        load = own or result.load_fuse > self.fuse["trip"]
        self.notice("fuse", load)
        return own, load

    def demand(self, scenario: Scenario, result: Result) -> None:
        """The relays must both let go, in time."""
        blown, load_dead = self.blown(result)
        off_at = [self.relay(scenario, result, ref, blown) for ref in self.relays]
        late = min(off_at) > self.circuit.limits.fault  # a relay that is held is never off
        self.dangerous |= late or (result.load[1] and not load_dead)
        if not blown:
            before, after = result.reads
            self.notice("mirror contact", before["MIRROR_1"] or before["MIRROR_2"])
            self.notice("mirror contact", not (after["MIRROR_1"] and after["MIRROR_2"]))
            self.notice("supply sense", not before["SUPPLY"])
            for reads in result.reads:
                self.notice("discrepancy", reads["CONTACT_A"] != reads["CONTACT_B"])

    def relay(self, scenario: Scenario, result: Result, ref: str, blown: bool) -> float:
        """Seconds from the demand until this relay lets go."""
        release = self.current(ref, "must_release")
        key = scenario.name, ref
        if blown or result.coil[ref][0] <= release:
            self.runs = False
            self.times.setdefault(key, "off")
            return 0.0
        if result.coil[ref][1] > release:
            self.times[key] = "HELD"
            _add(self.lost, f"{ref} ({scenario.name})")
            return float("inf")
        since = (result.release[ref] or scenario.demand) - scenario.demand
        self.slow |= since > self.circuit.limits.drop_out
        self.longest[key] = max(since, self.longest.get(key, 0.0))
        if self.times.get(key) != "HELD":
            self.times[key] = f"{self.longest[key] * 1e3:.1f}"
        return since

    def start_up(self, result: Result) -> None:
        """Each relay must pull in when it alone is driven, and nothing else may move."""
        blown, load_dead = self.blown(result)
        if blown:
            self.runs = False
            return
        for i, (reads, wanted) in enumerate(zip(result.reads, PULLED_IN, strict=True)):
            mirrors = (not reads["MIRROR_1"], not reads["MIRROR_2"])
            self.notice("start-up test", mirrors != wanted)
            self.notice("discrepancy", reads["CONTACT_A"] != reads["CONTACT_B"])
            self.notice("supply sense", not reads["SUPPLY"])
            self.notice("reset or key input", reads["RESET"] or reads["KEY"])
            if result.load[i] and not load_dead:
                _add(self.lost, f"output (step {i + 1})")
            for ref, asked in zip(self.relays, wanted, strict=True):
                on = result.coil[ref][i] > self.current(ref, "must_operate")
                self.runs &= on or not asked
                if on and not asked:
                    _add(self.lost, f"{ref} (step {i + 1})")

    def verdict(self) -> Verdict:
        """The worst that was seen."""
        if self.fault.what == WELDED:
            _add(self.lost, f"{self.fault.ref} (contact)")
        if self.dangerous:
            effect = "dangerous"
        elif self.lost:
            effect = "channel lost"
        elif not self.runs:
            effect = "does not run"
            self.notice("mirror contact", True)  # SR-12: not opened 100 ms after energising
        else:
            effect = "slow" if self.slow else "none"
        return Verdict(
            self.fault, effect, "; ".join(self.lost), "; ".join(self.detected), self.times
        )


def judge(
    circuit: Circuit, fault: Fault, tested: Result, demanded: list[tuple[Scenario, Result]]
) -> Verdict:
    """The verdict on one fault from its runs."""
    judging = _Judge(circuit, fault)
    for scenario, result in demanded:
        judging.demand(scenario, result)
    judging.start_up(tested)
    return judging.verdict()


def _add(to: list[str], item: str) -> None:
    if item not in to:
        to.append(item)


def table(circuit: Circuit, verdicts: list[Verdict]) -> str:
    """The verdicts as CSV."""
    columns = [(d.name, ref) for d in demands(circuit) for ref in circuit.of_kind("relay")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["ref", "fault", "effect", "channel lost", "detected by"]
        + [f"{ref} ms ({demand})" for demand, ref in columns]
    )
    for v in verdicts:
        writer.writerow(
            [v.fault.ref, v.fault.what, v.effect, v.lost, v.detected or "nothing"]
            + [v.times.get(column, "") for column in columns]
        )
    return text.getvalue()


def drop_out_table(found: list[DropOut]) -> str:
    """The drop-out times as CSV."""
    rows = [f"{d.relay},{d.demand},{d.nominal * 1e3:.1f},{d.worst * 1e3:.1f}" for d in found]
    return "\n".join(["relay,demand,nominal ms,worst corner ms", *rows]) + "\n"


def curve_table(analysis: Analysis, found: list[DropOut]) -> str:
    """The coil currents after each demand as CSV."""
    lines = ["relay,demand,ms,nominal mA,worst corner mA"]
    for item in found:
        lines += [
            f"{item.relay},{item.demand},{t * 1e3:.1f},{a * 1e3 + 0:.2f},{b * 1e3 + 0:.2f}"
            for t, a, b in analysis.curve(item)
        ]
    return "\n".join(lines) + "\n"


@dataclass
class Report:
    """The figures of one analysis, and what of them breaks a requirement."""

    lines: list[str]
    broken: list[str]
    drop_out: list[DropOut]


def report(analysis: Analysis, verdicts: list[Verdict]) -> Report:
    """Summary of the verdicts, the drop-out and the margins."""
    limits = analysis.circuit.limits
    supply = analysis.circuit.supply
    drop_out = analysis.drop_out()
    margins = analysis.margins()
    dangerous = [v for v in verdicts if v.effect == "dangerous"]
    lost = [v for v in verdicts if v.effect == "channel lost"]
    unseen = [v for v in lost if not v.detected]
    latent = [v for v in verdicts if v.effect in ("none", "slow") and not v.detected]
    lines = [f"{analysis.runs} runs, {len(verdicts)} faults"]
    broken = []

    def item(text: str, ok: bool) -> None:
        lines.append(("ok   " if ok else "FAIL ") + text)
        if not ok:
            broken.append(text)

    item(f"dangerous: {_names(dangerous)}", not dangerous)
    item(f"a channel lost and nothing detects it: {_names(unseen)}", not unseen)
    lines.append(f"     a channel lost, detected: {len(lost) - len(unseen)}")
    for by, group in sorted(_grouped(lost).items()):
        lines.append(f"       {by}: {len(group)}")
    for effect in ("does not run", "slow", "none"):
        count = sum(v.effect == effect for v in verdicts)
        lines.append(f"     effect {effect}: {count}")
    lines.append(f"     latent, nothing detects them: {len(latent)}")
    for found in drop_out:
        item(
            f"{found.relay}, {found.demand}: drop-out {_ms(found.nominal)} nominal,"
            f" {_ms(found.worst)} worst corner (at most {_ms(limits.drop_out)})",
            found.worst <= limits.drop_out,
        )
    for ref, (nominal, least, worst) in margins.items():
        item(
            f"{ref}: held {nominal:.1%} over must-operate at {supply.nominal:g} V"
            f" (at least {limits.margin_nominal:.0%}), {least:.1%} at {supply.minimum:g} V"
            f" (at least {limits.margin_minimum:.0%})",
            nominal >= limits.margin_nominal and least >= limits.margin_minimum,
        )
        item(f"{ref}: pull-in at {supply.minimum:g} V, worst corner {worst:+.1%}", worst >= 0)
    return Report(lines, broken, drop_out)


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


def _names(verdicts: list[Verdict]) -> str:
    return f"{len(verdicts)}" + "".join(f"; {v.fault.name}" for v in verdicts)


def _grouped(verdicts: list[Verdict]) -> dict[str, list[Verdict]]:
    groups: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault(verdict.detected or "nothing", []).append(verdict)
    return groups


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(description="Every single fault in every demand.")
    parser.add_argument("--quick", action="store_true", help="a slice; writes nothing")
    parser.add_argument("--variant", default="", help="a variant of the source; writes nothing")
    options = parser.parse_args(arguments)
    try:
        analysis = Analysis(load(variant=options.variant), options.quick)
        verdicts = analysis.verdicts()
        summary = report(analysis, verdicts)
    except (SourceError, SpiceError) as error:
        print(f"fmea: {error}", file=sys.stderr)
        return 2
    print("\n".join(summary.lines))
    if not options.quick and not options.variant:
        GENERATED.mkdir(exist_ok=True)
        FAULTS.write_text(table(analysis.circuit, verdicts), encoding="utf-8")
        DROP_OUT.write_text(drop_out_table(summary.drop_out), encoding="utf-8")
        CURVES.write_text(curve_table(analysis, summary.drop_out), encoding="utf-8")
    return 1 if summary.broken else 0


if __name__ == "__main__":
    sys.exit(main())
