"""The worksheet of ISO 13849-1 and the stopping times, from the source and the fault table.

Of each safety function: the parts of both channels (those of which the fault table says that a
fault costs the channel in this demand, and the contacts themselves), MTTFd, DCavg, common cause
failures, performance level by the simplified procedure. The formulae are ISO 13849-1's: annex C
(B10d), annex D (parts count, symmetrisation), annex E (DCavg), annex F, table 6.
"""

from dataclasses import dataclass

from source import Circuit, SafetyFunction, SourceError
from template import read_table, render

PATH = "hardware/generated/worksheet.md"
CAP = 100.0  # years, the most that a channel may claim in category 1 to 3
ENOUGH = 65  # points against common cause failures
SECONDS = 3600.0

# ISO 13849-1 table 6, simplified: category, DCavg -> performance level by MTTFd of a channel.
# DCavg of 99 % or more counts as medium in category 2 and 3.
LEVELS = {
    ("1", "none"): {"high": "c"},
    ("2", "low"): {"low": "a", "medium": "b", "high": "c"},
    ("2", "medium"): {"low": "b", "medium": "c", "high": "d"},
    ("3", "low"): {"low": "b", "medium": "c", "high": "d"},
    ("3", "medium"): {"low": "c", "medium": "d", "high": "d"},
}


@dataclass(frozen=True)
class Block:
    """One part of a channel: MTTFd in years, diagnostic coverage, and where they are from."""

    ref: str
    mttfd: float
    coverage: float
    detected: str
    source: str
    t10d: float = 0.0  # years after which a worn part must be replaced


@dataclass(frozen=True)
class Result:
    """What the worksheet finds of one safety function."""

    function: SafetyFunction
    channels: dict[str, list[Block]]  # relay -> its parts

    def counted(self, relay: str) -> float:
        """MTTFd of one channel in years by parts count (annex D.1)."""
        return 1 / sum(1 / block.mttfd for block in self.channels[relay])

    def mttfd(self, relay: str) -> float:
        """The same, capped."""
        return min(CAP, self.counted(relay))

    @property
    def symmetrised(self) -> float:
        """Of both channels together in years (annex D.2)."""
        first, second = (self.mttfd(relay) for relay in self.channels)
        return 2 / 3 * (first + second - 1 / (1 / first + 1 / second))

    @property
    def coverage(self) -> float:
        """DCavg, of all parts of both channels (annex E.2)."""
        blocks = [block for channel in self.channels.values() for block in channel]
        rate = sum(1 / block.mttfd for block in blocks)
        return sum(block.coverage / block.mttfd for block in blocks) / rate

    @property
    def mttfd_class(self) -> str:
        """Table 4: low, medium (from 10 years), high (from 30 years)."""
        years = self.symmetrised
        return "high" if years >= 30 else "medium" if years >= 10 else "low"

    @property
    def coverage_class(self) -> str:
        """Table 5; high counts as medium in these categories."""
        return "medium" if self.coverage >= 0.90 else "low" if self.coverage >= 0.60 else "none"

    @property
    def level(self) -> str:
        """The performance level that structure and figures would allow; "-" if none."""
        key = self.function.category, self.coverage_class
        return LEVELS.get(key, {}).get(self.mttfd_class, "-")

    @property
    def level_without_diagnosis(self) -> str:
        """The level if nothing that detects faults counts; "none" if it hangs on software."""
        found = LEVELS.get((self.function.without_diagnosis, "none"), {}).get(self.mttfd_class)
        return f"PL {found}" if found else "none"


def operations(circuit: Circuit, kind: str) -> float:
    """Operations a year of parts of this kind: n_op = d h 3600 s/h / t_cycle (annex C)."""
    use = circuit.safety.use
    cycle = {"button": use.button, "relay": use.relay, "contactor": use.contactor}[kind]
    return use.days * use.hours * SECONDS / cycle


def results(circuit: Circuit, table: list[dict[str, str]]) -> list[Result]:
    """All safety functions. `table`: the rows of the fault table. Raises SourceError."""
    return [
        Result(
            function,
            {
                relay: _blocks(circuit, function, relay, i, table)
                for i, relay in enumerate(circuit.of_kind("relay"))
            },
        )
        for function in circuit.safety.functions
    ]


def _blocks(
    circuit: Circuit, function: SafetyFunction, relay: str, i: int, table: list[dict[str, str]]
) -> list[Block]:
    """The parts of one channel. Cables and connectors have no MTTFd and are left out."""
    contactor = circuit.of_kind("contactor")[i]
    wanted = {f"{relay} ({function.demand})", f"{relay} (contact)", f"{contactor} (contact)"}
    costly: dict[str, list[dict[str, str]]] = {}
    for row in table:
        if wanted & set(row["channel lost"].split("; ")) and row["ref"] in circuit.parts:
            costly.setdefault(row["ref"], []).append(row)
    return [_block(circuit, ref, rows) for ref, rows in costly.items()]


def _block(circuit: Circuit, ref: str, rows: list[dict[str, str]]) -> Block:
    """A part, its faults taken as equally likely; a fault claims the best that detects it."""
    article = circuit.article(ref)
    if article.reliability is None:
        raise SourceError(f"{ref}: no reliability, though a fault of it costs a channel")
    claims = circuit.safety.coverage
    means = [row["detected by"].split("; ") for row in rows]
    coverage = sum(max(claims.get(by, 0.0) for by in found) for found in means) / len(rows)
    detected = ", ".join(dict.fromkeys(max(f, key=lambda by: claims.get(by, 0.0)) for f in means))
    years, t10d = article.reliability.mttfd, 0.0
    if article.reliability.b10d:
        yearly = operations(circuit, article.kind)
        years = article.reliability.b10d / (0.1 * yearly)
        t10d = article.reliability.b10d / yearly
    return Block(ref, years, coverage, detected, article.reliability.source, t10d)


def points(circuit: Circuit, *fulfilled: str) -> int:
    """Points against common cause failures of the measures that are fulfilled like this."""
    return sum(m.score for m in circuit.safety.common_cause if m.fulfilled in fulfilled)


@dataclass(frozen=True)
class StoppingTime:
    """Seconds from a demand until the power contacts are open, worst case."""

    demand: str
    before: float  # until the controller acts
    drop_out: float  # of the slower relay, so that one failed channel changes nothing
    after: float  # relay's armature and contactor

    @property
    def total(self) -> float:
        return self.before + self.drop_out + self.after


def stopping_times(circuit: Circuit, drop_out: list[dict[str, str]]) -> list[StoppingTime]:
    """Of all demands. `drop_out`: the rows of its table."""
    stopping = circuit.safety.stopping
    found = []
    for title, demand, before in (
        ("button", "button", 0.0),
        (
            "heartbeat lost",
            "controller stops",
            stopping.heartbeat_timeout.time + stopping.tick.time,
        ),
        ("controller hangs", "controller hangs", 0.0),
    ):
        slowest = max(float(r["worst corner ms"]) for r in drop_out if r["demand"] == demand)
        after = stopping.armature.time + stopping.contactor.time
        found.append(StoppingTime(title, before, slowest / 1e3, after))
    return found


def files(circuit: Circuit) -> dict[str, str]:
    """What is generated: path from the top of the repository -> text."""
    table, drop_out = read_table("fmea.csv"), read_table("drop-out.csv")
    found = results(circuit, table)
    blocks = [b for result in found for channel in result.channels.values() for b in channel]
    mission = circuit.safety.mission_time
    text = render(
        "worksheet.md",
        circuit=circuit,
        safety=circuit.safety,
        results=found,
        enough=ENOUGH,
        cap=CAP,
        own=points(circuit, "yes"),
        lab=points(circuit, "lab"),
        times=stopping_times(circuit, drop_out),
        assumed=sorted({b.ref for b in blocks if b.source.startswith("assumed")}),
        worn={b.ref: b.t10d for b in blocks if 0 < b.t10d < mission},
    )
    return {PATH: text}
