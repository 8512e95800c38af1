"""What is reported of a campaign, whatever the form: the verdict and the words of its tables."""

import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from redbutton import __version__
from redbutton.bench import campaign as campaigns
from redbutton.bench.campaign import Campaign, Speed, firmware_digest
from redbutton.bench.explained import Explanations, explanations, why_late
from redbutton.bench.faults import Place, named
from redbutton.bench.findings import (
    SEVERITY,
    Cells,
    Coverage,
    Hidden,
    Kind,
    Scenarios,
    Stops,
    bad,
    coverage,
    of_kind,
    staying,
    stops,
    worst,
)
from redbutton.bench.run import Moment, Outcome, Result, run
from redbutton.bench.scenario import shipped
from redbutton.errors import CampaignDiffers
from redbutton.virtual.board import interpreter

TITLE = "redbutton: what faults did to the stop"
TESTED = (
    "redbutton is a stop button for robots: a controller cuts the power of a robot's actuators "
    "(the load) when its button is pressed, when software asks for it, or when the software that"
    " drives the robot is no longer heard. Here faults were put into the controller, its relays,"
    " wires, supply, cable and host, one at a time and two at once, while people and software "
    "used it, and the load was watched."
)
MODELLED = (
    "The firmware is the real one, in the real MicroPython interpreter, in virtual time. The "
    "circuit around it (button, relays, supply), the cable and the moments at which the host "
    "gets to run are a model with typical values. This is evidence about a design, and no "
    "certificate: nobody has assessed it, and nothing here was measured on a device."
)
REAL = (
    "These runs were carried out in real time, on a controller on a port, with its firmware on "
    "its own clock: only what contacts and software can cause. The load was timed by a probe "
    "wired to it, or, where there was none, taken from the controller's own mirror contacts, "
    "which is weaker and said so at each run. Where controller and probe were virtual ones, "
    "their circuit is a model. This is evidence about one device on one day, and no certificate. "
    "`redbutton bench replay` carries a run out on the virtual controller."
)
OUTCOMES = {
    Outcome.IN_TIME: "The load was off whenever it had to be; the fault changed nothing, or the "
    "load stayed off because of it.",
    Outcome.AT_NEXT: "The stop was in time, and the next reset did not bring the load back: the "
    "fault was found.",
    Outcome.LATENT: "The load did all that it should: nothing showed a fault that is there, or "
    "none yet, as it is looked for when the load is energised the next time.",
    Outcome.LATE: "The load was off later than it should have been, but within a second.",
    Outcome.DANGEROUS: "The load was on, or came on, when it had to be off.",
}
KINDS = {
    Kind.NONE: "no fault, to compare with",
    Kind.ONE: "one fault",
    Kind.MEMORY: "one bit of the firmware's memory",
    Kind.TWO: "two faults at once",
}
COVERAGE = (
    "Diagnostic coverage (DC) in ISO 13849-1, annex E, is the share of dangerous failures that "
    "are detected. With two channels no single fault is dangerous by itself. So what counts here"
    " is every fault that stays and is not harmless: one that takes away a channel of the stop, "
    "or what watches it, or slows it. A fault counts as found if at least one run showed it: the"
    " load stayed off because of it, at once or at the next reset. That includes faults that "
    "fail to the safe side. The second share is of runs, not of kinds of fault: of the runs in "
    "which a whole reset came after the fault, those that showed it. It is lower, because a "
    "reset alone does not show what only a pressed button can."
)
# Of hardware/generated/worksheet.md: safety function, DCavg in percent, and where its parts sit.
WORKSHEET = (
    (
        "1. The red button removes the actuators' power",
        "99.0%",
        (Place.BUTTON, Place.RELAY),
    ),
    (
        "2. The controller removes the power (heartbeat lost, requested stop, fault)",
        "99.0%",
        (Place.RELAY, Place.DRIVE, Place.CHIP),
    ),
    (
        "3. A controller that hangs loses the power",
        "99.0%",
        (Place.RELAY, Place.DRIVE, Place.CHIP),
    ),
)
COMPARABLE = (
    "Comparable is the question: is a fault of this part noticed, and by what? A fault of such a"
    " part that the bench never found is a reason to doubt the worksheet's 99 %. The numbers "
    "themselves are not comparable. The worksheet takes 99 % for each part from a table, because"
    " mirror contacts watch it, and weighs parts by how often they fail dangerously. The bench "
    "counts kinds of fault, each once, however likely; it has faults of monitoring and of speed,"
    " which the worksheet leaves out; and it has no contactors KM1 and KM2."
)
WHY_NOT_FASTER = (
    "Why not more runs a second: each starts the real firmware anew, from its sources, and carries"
    " out every control tick of one to seven seconds of virtual time in the real interpreter. That"
    " takes most of the time. Milliseconds in which neither host nor cable has anything to do are "
    "left out of the talk between the processes. A running interpreter cannot be copied: this "
    "MicroPython has no fork, and no way to call one."
)
STOPS = (
    "From the demand until the load was off, in modelled milliseconds of virtual time, of runs "
    "with at most one fault. No stopping time of a device can be taken from this. Runs in which "
    "the load was off already are counted apart."
)


ELSEWHERE_WORDS = (
    "A hole in a table is worse than a line that says where to look. These faults are not in the "
    "model of the plant, and are tried in another way:"
)
LATE_WORDS = (
    "Late: the load was still on when the scenario wanted it off, and went off within a second. "
    "Each reason once, with the runs that it stands for."
)


class Late(NamedTuple):
    """Runs that were late for one reason; None: nobody has said why."""

    why: str | None
    runs: Sequence[Result]

    @property
    def most_ms(self) -> float:
        """The longest of their stops, in modelled ms."""
        return max(one.stop_ms or 0.0 for one in self.runs)


class Timeline(NamedTuple):
    """A run, and its trace from a replay. `same`: the replay is the run, byte for byte."""

    result: Result
    trace: Sequence[Moment]
    same: bool


class Row(NamedTuple):
    """A line of the table of requirements. `worst`: None if nothing was run."""

    requirement: str
    scenarios: Sequence[str]
    faults: int
    runs: int
    worst: Outcome | None


class Report:
    """All that is reported. `same_firmware`: the campaign is about the firmware that is here."""

    def __init__(
        self,
        campaign: Campaign,
        results: Sequence[Result],
        scenarios: Scenarios,
        known: Explanations,
        date: str,
        speed: Speed | None = None,
    ) -> None:
        self.campaign = campaign
        self.results = results
        self.scenarios = scenarios
        self.date = date
        self.speed = speed
        self.version = __version__
        self.same_firmware = campaign.firmware in ("", firmware_digest())
        self.cells = Cells(results, scenarios)
        self.staying = staying(results, scenarios, known)
        self.stops: Mapping[str, Stops] = stops(results)

    @property
    def real(self) -> bool:
        """Whether the runs were carried out on a controller on a port."""
        return any(one.clock == "real" for one in self.results)

    @property
    def setting(self) -> str:
        """What of all this is real."""
        return REAL if self.real else MODELLED

    @cached_property
    def planned(self) -> int | None:
        """How many runs the whole campaign has; None if the firmware that is here is another."""
        return len(list(campaigns.plans(self.campaign))) if self.same_firmware else None

    @property
    def nothing_found(self) -> list[Hidden]:
        """Faults that no run showed, though there was a reset after them."""
        return [one for one in self.staying if one.missed and not one.found]

    @property
    def found_by_some(self) -> list[Hidden]:
        """Faults that some runs showed, and others with a reset after them did not."""
        return [one for one in self.staying if one.missed and one.found]

    @property
    def dangerous(self) -> list[Result]:
        """Runs."""
        return bad(self.results, Outcome.DANGEROUS)

    @property
    def late(self) -> list[Result]:
        """Runs."""
        return bad(self.results, Outcome.LATE)

    def late_by_reason(self) -> list[Late]:
        """Single faults first."""
        found: dict[str | None, list[Result]] = {}
        for one in sorted(self.late, key=lambda one: len(one.plan.faults)):
            found.setdefault(why_late(placed.fault for placed in one.plan.faults), []).append(one)
        return [Late(why, runs) for why, runs in found.items()]

    def counts(self) -> list[tuple[str, int, list[int]]]:
        """What kind of runs, how many, and how many of each outcome."""
        table = []
        for kind, words in KINDS.items():
            runs = of_kind(self.results, kind)
            table.append((words, len(runs), list(campaigns.counted(runs).values())))
        return table

    def coverage(self) -> list[tuple[str, Coverage]]:
        """By where faults sit, and of all."""
        places = [(place.value, coverage(self.staying, place)) for place in Place]
        used = [(name, one) for name, one in places if one.faults or one.harmless]
        return [*used, ("all", coverage(self.staying))]

    def coverage_of(self, places: Sequence[Place]) -> Coverage:
        """Of some places together."""
        return coverage(self.staying, *places)

    def requirements(self) -> list[Row]:
        """What bears on each safety requirement, by the scenarios."""
        names = sorted({name for one in self.scenarios.values() for name in one.requirements})
        rows = []
        for name in names:
            bearing = [one.name for one in self.scenarios.values() if name in one.requirements]
            runs = [one for one in self.results if one.plan.scenario in bearing]
            faults = {placed.fault for one in runs for placed in one.plan.faults}
            outcomes = [one.outcome for one in runs]
            most = max(outcomes, key=lambda one: SEVERITY[one], default=None)
            rows.append(Row(name, bearing, len(faults), len(runs), most))
        return rows

    @cached_property
    def timelines(self) -> list[Timeline]:
        """Of the worst runs; none if the firmware that is here is another."""
        if not self.same_firmware:
            return []
        found = []
        for result in worst(self.results):
            again, trace = run(self.scenarios[result.plan.scenario], result.plan)
            found.append(Timeline(result, trace, again.digest == result.digest))
        return found

    def versions(self) -> list[tuple[str, str]]:
        """What the results are of, and what made this report."""
        return [
            ("runs", f"{len(self.results):,}{self._of_planned()}"),
            ("clock", "real" if self.real else "virtual"),
            ("results from", self.date),
            ("firmware (SHA-256 over its files)", self.campaign.firmware or "not recorded"),
            ("redbutton, which made this report", self.version),
            ("seed", str(self.campaign.seed)),
            *([("speed", self.speed.words())] if self.speed and self.speed.runs else []),
            ("MicroPython", _micropython()),
            ("Python", platform.python_version()),
        ]

    def _of_planned(self) -> str:
        if self.planned is None or self.planned <= len(self.results):
            return ""
        return f" of {self.planned:,} that were planned: this campaign is not complete"

    def again(self) -> str:
        """The command that carries out the campaign once more."""
        one = self.campaign
        memory = "" if one.memory else " --no-memory"
        return (
            f"redbutton bench campaign --seed {one.seed} --instants {one.instants} "
            f"--pairs {one.pairs}{memory} --out FOLDER"
        )


def gather(folder: Path) -> Report:
    """The report on a campaign's results. CampaignDiffers if there are none, or some that this
    redbutton does not know."""
    campaign, results = campaigns.read(folder)
    scenarios = shipped()
    if not results:
        raise CampaignDiffers(f"{folder / campaigns.RESULTS}: there is no result in it")
    for result in results:
        if result.plan.scenario not in scenarios:
            raise CampaignDiffers(f"there is no scenario {result.plan.scenario!r} here")
        for placed in result.plan.faults:
            try:
                named(placed.fault)
            except KeyError:
                raise CampaignDiffers(f"there is no fault {placed.fault!r} here") from None
    changed = (folder / campaigns.RESULTS).stat().st_mtime
    date = datetime.fromtimestamp(changed, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    speed = campaigns.speed_of(folder)
    return Report(campaign, results, scenarios, explanations(), date, speed)


def verdict(report: Report) -> list[str]:
    """In plain words; the most important sentence first."""
    single = of_kind(report.results, Kind.ONE, Kind.MEMORY)
    dangerous = len(bad(single, Outcome.DANGEROUS))
    late = len(bad(single, Outcome.LATE))
    most = max((one.stop_ms or 0.0 for one in bad(single, Outcome.LATE)), default=0.0)
    said = [
        f"In {counted_runs(single)} no single fault kept the load energised when it had to be off."
    ]
    if not single:
        said = ["No single fault was tried."]
    elif dangerous:
        said = [
            f"In {dangerous:,} of {counted_runs(single)} a single fault kept the load energised, "
            "or energised it, when it had to be off."
        ]
    elif late:
        said = [
            f"In {counted_runs(single)} no single fault kept the load energised for good, but in "
            f"{late:,} it went off later than it should have: at most {most:.0f} ms after it was "
            "asked to."
        ]
    if two := of_kind(report.results, Kind.TWO):
        kept = len(bad(two, Outcome.DANGEROUS))
        said.append(
            f"Of {counted_runs(two)} with two faults at once, which the design need not survive, "
            f"{f'{kept:,}' if kept else 'none'} kept the load energised when it had to be off."
        )
    if wrong := _wrong_without_fault(report):
        said.insert(
            0,
            "Even without a fault the load did not do what it should in "
            f"{', '.join(wrong)}: nothing else here can be relied on.",
        )
    return said


def counted_runs(results: Sequence[Result]) -> str:
    """How many, in words."""
    return f"{len(results):,} run{'s' * (len(results) != 1)}"


UNEXPLAINED = "Nobody has explained this one yet: look into it."


def shows_in(one: Hidden) -> str:
    """Which scenarios showed a fault that others did not."""
    scenarios = sorted({result.plan.scenario for result in one.found})
    return f"It shows in {', '.join(scenarios)}, where what it breaks is used."


class Grade(str, Enum):
    """How a report looks at first sight."""

    GOOD = "good"
    CAUTION = "caution"
    BAD = "bad"


def grade(report: Report) -> Grade:
    """By the runs with one fault, and those without. Two faults may be too many for the design: if
    they are, that is no more than a reason to look."""
    single = of_kind(report.results, Kind.ONE, Kind.MEMORY)
    if bad(single, Outcome.DANGEROUS) or _wrong_without_fault(report):
        return Grade.BAD
    caution = bad(single, Outcome.LATE) or bad(report.results, Outcome.DANGEROUS)
    return Grade.CAUTION if caution or not single else Grade.GOOD


def _wrong_without_fault(report: Report) -> list[str]:
    """Scenarios in which the load did not do what it should though nothing was wrong."""
    return sorted(
        one.plan.scenario
        for one in of_kind(report.results, Kind.NONE)
        if one.outcome is not Outcome.IN_TIME or one.words != "as it should be"
    )


def percent(share: float | None) -> str:
    """Of a share; nothing if there is none."""
    return "" if share is None else f"{100 * share:.0f} %"


def as_json(report: Report) -> dict[str, Any]:
    """The same findings for programs."""
    return {
        "verdict": verdict(report),
        "versions": dict(report.versions()),
        "campaign": report.campaign.model_dump(mode="json"),
        "counts": {
            words: dict(zip([one.value for one in Outcome], outcomes, strict=True))
            for words, _, outcomes in report.counts()
        },
        "worst": {
            f"{scenario}:{fault}": {"outcome": one.outcome.value, "run": one.plan.id}
            for (fault, scenario), one in report.cells.worst.items()
        },
        "never_found": [one.fault.name for one in report.nothing_found],
        "found_by_some": [one.fault.name for one in report.found_by_some],
        "late": [one.plan.id for one in report.late],
        "dangerous": [one.plan.id for one in report.dangerous],
        "coverage": {name: one._asdict() for name, one in report.coverage()},
        "stops_ms": {name: one.figures() for name, one in report.stops.items()},
        "requirements": {
            one.requirement: {
                "scenarios": one.scenarios,
                "runs": one.runs,
                "worst": one.worst.value if one.worst else None,
            }
            for one in report.requirements()
        },
    }


def _micropython() -> str:
    said = subprocess.run(
        [interpreter(), "-c", "import sys; print(sys.version)"],
        capture_output=True, text=True, check=False, timeout=10,
    )  # fmt: skip
    return said.stdout.strip().partition("; ")[2] or "unknown"
