"""What a campaign's results say: the worst of each fault in each scenario, what nothing found, how
quick the stops were. Numbers only; `report` puts them into words."""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from redbutton.bench.explained import Explanation, Explanations, explained
from redbutton.bench.faults import FLIP, Fault, Place, named
from redbutton.bench.quantile import quantile
from redbutton.bench.run import FROM_POWER_UP, RESET_MS, TEST_MS, Outcome, Plan, Result
from redbutton.bench.scenario import Load, Scenario

SEVERITY = {outcome: severity for severity, outcome in enumerate(Outcome)}
TIMELINES = 6
Scenarios = Mapping[str, Scenario]


class Kind(str, Enum):
    """Of runs, by what was wrong in them."""

    NONE = "no fault"
    ONE = "one fault"
    MEMORY = "one bit of memory"
    TWO = "two faults"

    @classmethod
    def of(cls, plan: Plan) -> "Kind":
        """Of a run."""
        if len(plan.faults) != 1:
            return cls.TWO if plan.faults else cls.NONE
        return cls.MEMORY if plan.faults[0].fault.startswith(FLIP) else cls.ONE


def of_kind(results: Iterable[Result], *kinds: Kind) -> list[Result]:
    """Those of some kinds."""
    return [one for one in results if Kind.of(one.plan) in kinds]


def bad(results: Iterable[Result], outcome: Outcome) -> list[Result]:
    """Those with an outcome, by their ids."""
    found = [one for one in results if one.outcome is outcome]
    return sorted(found, key=lambda one: one.plan.id)


def could_be_found(result: Result, scenarios: Scenarios) -> bool:
    """Whether the controller went through a whole reset while all faults of a run were there."""
    latest = max((placed.at for placed in result.plan.faults), default=FROM_POWER_UP)
    return any(
        one.load is Load.ON
        and (latest == FROM_POWER_UP or latest <= one.since - RESET_MS - TEST_MS)
        for one in scenarios[result.plan.scenario].expect
    )


class Cells:
    """The worst run of each fault in each scenario, of runs with one fault.

    A fault that came after the last reset cannot be found in its run: such a run stands for its
    cell only if there is no other."""

    def __init__(self, results: Iterable[Result], scenarios: Scenarios) -> None:
        self.worst: dict[tuple[str, str], Result] = {}
        self._scenarios = scenarios
        for result in sorted(of_kind(results, Kind.ONE), key=lambda one: one.plan.id):
            cell = result.plan.faults[0].fault, result.plan.scenario
            if cell not in self.worst or self._rank(result) > self._rank(self.worst[cell]):
                self.worst[cell] = result

    def _rank(self, result: Result) -> int:
        return -1 if self.untested(result) else SEVERITY[result.outcome]

    def untested(self, result: Result) -> bool:
        """Nothing showed the fault, and nothing could have."""
        return result.outcome is Outcome.LATENT and not could_be_found(result, self._scenarios)


def persistent(result: Result) -> Fault | None:
    """The one fault of a run, if it stays until the run's end."""
    if Kind.of(result.plan) is not Kind.ONE or result.plan.faults[0].lasts is not None:
        return None
    fault = named(result.plan.faults[0].fault)
    return fault if fault.lasting else None


class Hidden(NamedTuple):
    """A fault that stayed, and what of its runs showed it. `missed`: runs with a reset after it in
    which nothing did; `found`: runs in which something did."""

    fault: Fault
    missed: Sequence[Result]
    found: Sequence[Result]
    explanation: Explanation | None

    @property
    def harmless(self) -> bool:
        """By its explanation."""
        return self.explanation is not None and self.explanation.harmless


def staying(results: Iterable[Result], scenarios: Scenarios, known: Explanations) -> list[Hidden]:
    """Every fault that stayed, in the order of the library."""
    by_name: dict[str, tuple[Fault, list[Result], list[Result]]] = {}
    for result in results:
        if fault := persistent(result):
            _, missed, found = by_name.setdefault(fault.name, (fault, [], []))
            if result.outcome is not Outcome.LATENT:
                found.append(result)
            elif could_be_found(result, scenarios):
                missed.append(result)
    places = list(Place)
    hidden = [
        Hidden(fault, missed, found, explained(name, known))
        for name, (fault, missed, found) in by_name.items()
    ]
    return sorted(hidden, key=lambda one: (places.index(one.fault.place), one.fault.name))


class Coverage(NamedTuple):
    """Of faults that stay and are not harmless: how many kinds of fault something showed, and in
    how many runs with a reset after the fault."""

    faults: int
    found: int
    runs: int
    shown: int
    harmless: int

    @property
    def share(self) -> float | None:
        """Of the faults, found in at least one run."""
        return self.found / self.faults if self.faults else None

    @property
    def share_of_runs(self) -> float | None:
        """Of the runs."""
        return self.shown / self.runs if self.runs else None


def coverage(hidden: Iterable[Hidden], *places: Place) -> Coverage:
    """Of the faults that sit in some places; without any: of all. A fault of which no run says
    anything, because none had a reset after it, does not count."""
    here = [one for one in hidden if not places or one.fault.place in places]
    here = [one for one in here if one.missed or one.found]
    matter = [one for one in here if not one.harmless]
    shown = sum(len(one.found) for one in matter)
    return Coverage(
        faults=len(matter),
        found=sum(1 for one in matter if one.found),
        runs=shown + sum(len(one.missed) for one in matter),
        shown=shown,
        harmless=len(here) - len(matter),
    )


class Stops(NamedTuple):
    """Of one scenario, in modelled ms. `off`: runs in which the load was off already."""

    off: int
    times: Sequence[float]

    def percentile(self, percent: int) -> float:
        """The time that so many percent of the stops did not exceed."""
        return quantile(self.times, percent / 100)

    def figures(self) -> dict[str, float]:
        """By name; without times only how many."""
        counts: dict[str, float] = {"n": len(self.times), "off_already": self.off}
        if not self.times:
            return counts
        half, most = self.percentile(50), self.percentile(99)
        return {**counts, "p50": half, "p99": most, "max": self.times[-1]}


def stops(results: Iterable[Result]) -> dict[str, Stops]:
    """How long stops took, by scenario; with at most one fault."""
    found: dict[str, list[float]] = {}
    for one in of_kind(results, Kind.NONE, Kind.ONE, Kind.MEMORY):
        if one.stop_ms is not None:
            found.setdefault(one.plan.scenario, []).append(one.stop_ms)
    return {
        name: Stops(times.count(0.0), sorted(ms for ms in times if ms))
        for name, times in sorted(found.items())
    }


def worst(results: Iterable[Result], most: int = TIMELINES) -> list[Result]:
    """The runs to look at first: dangerous ones, then late ones, then the longest stop of each
    scenario."""
    results = list(results)
    chosen = [*bad(results, Outcome.DANGEROUS), *bad(results, Outcome.LATE)]
    ids = {one.plan.id for one in chosen}
    longest: dict[str, Result] = {}
    for one in sorted(results, key=lambda one: (-(one.stop_ms or 0), one.plan.id)):
        if one.stop_ms and one.plan.id not in ids:
            longest.setdefault(one.plan.scenario, one)
    return [*chosen, *longest.values()][:most]
