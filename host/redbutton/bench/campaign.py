"""Campaigns: every fault in every scenario at many instants, on all cores, and what came of each.

Results are lines of JSON in a file, one a run, so that a campaign that was interrupted goes on
where it was. What is run follows from the campaign's seed alone.
"""

import json
import multiprocessing
import os
import random
import resource
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from redbutton import attestation
from redbutton.bench.faults import FAULTS, FLIP, Fault, Place
from redbutton.bench.rig import Rig
from redbutton.bench.run import FROM_POWER_UP, KEY, Outcome, Placed, Plan, Result, run
from redbutton.bench.scenario import Scenario, Start, shipped
from redbutton.errors import CampaignDiffers
from redbutton.model import Frozen, State, first_problem
from redbutton.virtual.board import FIRMWARE
from redbutton.virtual.chain import firmware_on

RESULTS = "runs.jsonl"
SUMMARY = "campaign.json"
FEW = 200  # runs that are handed to the workers ahead of time
# Where bits of the memory flip: once while the controller is in each of these states, between
# these ms.
MEMORY_SCENARIO = "reset-then-press"
MEMORY_STATES = {State.STOPPED: (0, 400), State.TESTING: (460, 840), State.RUN: (1000, 1100)}
LARGE = 128  # bits; of larger variables some are flipped
DENSE_MS = (-1, 1)  # instants around a demand
PAIRED = (Place.BUTTON, Place.RELAY, Place.MIRROR, Place.DRIVE, Place.INPUT, Place.CHIP)


class Campaign(Frozen):
    """What determines the runs. `instants`: more of them, at random, for each fault in each
    scenario. `pairs`: of two faults, at random. `memory`: bits of the firmware's memory, too."""

    seed: int = 1
    instants: int = 1
    pairs: int = 300
    memory: bool = True
    scenarios: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    firmware: str = ""


def plans(campaign: Campaign) -> Iterator[Plan]:
    """All runs of a campaign, in an order of which every part is a fair sample."""
    rng = random.Random(campaign.seed)
    chosen = [one for name, one in shipped().items() if name in campaign.scenarios]
    scenarios = chosen or list(shipped().values())
    faults = [FAULTS[name] for name in campaign.faults] or list(FAULTS.values())
    found = [Plan(scenario=scenario.name, seed=campaign.seed) for scenario in scenarios]
    for scenario in scenarios:
        for fault in () if scenario.has_fault else faults:
            for at in _instants(scenario, fault, campaign.instants, rng):
                placed = Placed(fault=fault.name, at=at)
                found.append(Plan(scenario=scenario.name, faults=(placed,), seed=campaign.seed))
    if campaign.memory and MEMORY_SCENARIO in [scenario.name for scenario in scenarios]:
        found += _flips(campaign, rng)
    for _ in range(campaign.pairs):
        scenario = rng.choice([one for one in scenarios if not one.has_fault])
        two = rng.sample([fault for fault in faults if fault.place in PAIRED], 2)
        placed_two = tuple(
            Placed(fault=fault.name, at=rng.randrange(scenario.until)) for fault in two
        )
        found.append(Plan(scenario=scenario.name, faults=placed_two, seed=campaign.seed))
    rng.shuffle(found)
    return iter(found)


def _instants(scenario: Scenario, fault: Fault, more: int, rng: random.Random) -> Iterable[int]:
    """When a fault begins: from power-up on if it stays, around the demand, anywhere."""
    instants = {rng.randrange(scenario.until) for _ in range(more)}
    if scenario.demand is not None:
        instants |= {scenario.demand + around for around in DENSE_MS}
    if fault.lasting and scenario.start is not Start.POWER_UP:
        instants.add(FROM_POWER_UP)
    return sorted(instants)


def _flips(campaign: Campaign, rng: random.Random) -> Iterator[Plan]:
    """Every bit of every variable of the running firmware, once in each state; of large ones
    some."""
    with Rig(KEY, campaign.seed) as rig:
        rig.step(100)
        variables = rig.board.variables()
    for name, bits in sorted(variables.items()):
        for bit in range(bits) if bits <= LARGE else rng.sample(range(bits), LARGE // 4):
            for since, until in MEMORY_STATES.values():
                placed = Placed(fault=f"{FLIP}{name}.{bit}", at=rng.randrange(since, until))
                yield Plan(scenario=MEMORY_SCENARIO, faults=(placed,), seed=campaign.seed)


def firmware_digest(firmware: Sequence[Path] = (FIRMWARE,)) -> str:
    """Of what the campaign is about, in hexadecimal."""
    files: dict[str, bytes] = {}
    for folder in reversed(firmware):
        files |= firmware_on(folder)
    return attestation.digest(files).hex()


class Store:
    """The results of a campaign in a folder."""

    def __init__(self, folder: Path, campaign: Campaign) -> None:
        """Go on with what is there. CampaignDiffers if that is another campaign's."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CampaignDiffers(f"{folder}: {error.strerror}") from None
        self._file = folder / RESULTS
        self.results: list[Result] = []
        header = campaign.model_dump_json()
        if not self._file.exists() or not self._file.stat().st_size:
            self._file.write_text(header + "\n")
            return
        first, *lines = self._file.read_text().split("\n")
        if first != header:
            raise CampaignDiffers(
                f"{self._file} holds another campaign, or one of another firmware: choose another "
                "folder, or remove it"
            )
        whole = [line for line in lines if line.endswith("}")]
        self.results = [Result.model_validate_json(line) for line in whole]
        self._file.write_text("\n".join([first, *whole]) + "\n")  # without a line that was torn

    def add(self, result: Result) -> None:
        """Keep a result, now."""
        self.results.append(result)
        with self._file.open("a") as file:
            file.write(result.model_dump_json() + "\n")


def read(folder: Path) -> tuple[Campaign, list[Result]]:
    """A campaign and its results so far; CampaignDiffers if there is none."""
    try:
        first, *lines = (folder / RESULTS).read_text().split("\n")
        results = [Result.model_validate_json(line) for line in lines if line.endswith("}")]
        return Campaign.model_validate_json(first), results
    except OSError as error:
        raise CampaignDiffers(f"{folder / RESULTS}: {error.strerror}") from None
    except ValidationError as error:
        raise CampaignDiffers(f"{folder / RESULTS}: {first_problem(error)}") from None
    except UnicodeError:
        raise CampaignDiffers(f"{folder / RESULTS}: is no text") from None


def carry_out(
    todo: Iterable[Plan],
    firmware: tuple[Path, ...] = (FIRMWARE,),
    workers: int | None = None,
) -> Iterator[Result]:
    """The results of runs as they come, from as many processes as there are cores."""
    scenarios = shipped()
    waiting: set[Future[Result]] = set()
    todo = iter(todo)
    with ProcessPoolExecutor(workers or os.cpu_count(), initializer=_pin) as pool:
        try:
            while True:
                for plan in islice(todo, FEW - len(waiting)):
                    waiting.add(pool.submit(_result, scenarios[plan.scenario], plan, firmware))
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _pin() -> None:
    """Stay on one core: firmware and host take turns, and wake each other faster there."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        number = multiprocessing.current_process()._identity[0]
        os.sched_setaffinity(0, {cores[number % len(cores)]})


def _result(scenario: Scenario, plan: Plan, firmware: tuple[Path, ...]) -> Result:
    return run(scenario, plan, firmware)[0]


def counted(results: Iterable[Result]) -> Mapping[Outcome, int]:
    """How many runs had each outcome."""
    counts = dict.fromkeys(Outcome, 0)
    for result in results:
        counts[result.outcome] += 1
    return counts


class Speed(Frozen):
    """Of the runs of one call. `processor_s`: of all processes together, the firmware's too."""

    runs: int
    seconds: float
    processor_s: float
    cores: int

    @classmethod
    def of(cls, runs: int, seconds: float) -> "Speed":
        """Of what this process and those that it has waited for did."""
        used = [
            resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
        return cls(
            runs=runs,
            seconds=seconds,
            processor_s=sum(one.ru_utime + one.ru_stime for one in used),
            cores=os.cpu_count() or 1,
        )

    def words(self) -> str:
        """In one line."""
        each = self.processor_s / max(1, self.runs)
        return (
            f"{self.runs} runs in {self.seconds:.0f} s on {self.cores} cores, "
            f"{self.runs / max(0.001, self.seconds):.1f} a second; {each:.2f} s of processor time "
            "each"
        )


def speed_of(folder: Path) -> Speed | None:
    """How fast the last call was that added to a campaign; None if nothing says so."""
    try:
        return Speed.model_validate(json.loads((folder / SUMMARY).read_text())["speed"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def summary(campaign: Campaign, results: Sequence[Result], speed: Speed) -> str:
    """As JSON: the campaign, the counts, and every run that was dangerous or late."""
    bad = [one for one in results if one.outcome in (Outcome.DANGEROUS, Outcome.LATE)]
    return json.dumps(
        {
            "campaign": campaign.model_dump(mode="json"),
            "runs": len(results),
            "speed": speed.model_dump(),
            "outcomes": {outcome.value: count for outcome, count in counted(results).items()},
            "dangerous_or_late": [
                {"run": one.plan.id, "outcome": one.outcome.value, "words": one.words}
                for one in sorted(bad, key=lambda one: one.plan.id)
            ],
        },
        indent=1,
    )
