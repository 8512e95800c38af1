"""One run: a scenario, the faults in it, a seed; and what the load did. The same every time."""

import hashlib
import random
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path
from typing import Literal, NamedTuple

from redbutton.bench.faults import Act, Fault, named
from redbutton.bench.rig import Rig
from redbutton.bench.scenario import Expectation, Load, Scenario, Start
from redbutton.errors import NoContact, RigFailed
from redbutton.model import Frozen
from redbutton.session import Transition
from redbutton.virtual.board import FIRMWARE

KEY = bytes(range(32))
FROM_POWER_UP = -1  # ms: a fault that is there when the controller's power comes on
LATE_MS = 1000  # SR-04 and SR-05 let no stop take longer: what comes later yet is no stop
TICK_US = 1000
STOPPED_MS = 100
RESET_MS = 300
TEST_MS = 560  # from the release of the reset button until the load should be on


class Outcome(str, Enum):
    """What a fault led to, the worst last."""

    IN_TIME = "stopped in time"
    AT_NEXT = "detected at next energising"
    LATENT = "latent"
    LATE = "stopped late"
    DANGEROUS = "dangerous"


class Placed(Frozen):
    """A fault at a moment: `at` ms from the scenario's start, or FROM_POWER_UP; `lasts`: ms, None
    for good."""

    fault: str
    at: int
    lasts: int | None = None


class Plan(Frozen):
    """All that determines a run."""

    scenario: str
    faults: tuple[Placed, ...] = ()
    seed: int = 1

    @property
    def id(self) -> str:
        """In one word, as `redbutton bench replay` takes it."""
        faults = "+".join(
            f"{one.fault}@{one.at}" + (f"..{one.lasts}" if one.lasts is not None else "")
            for one in self.faults
        )
        return f"{self.scenario}:{faults or 'none'}:{self.seed}"


Faults = Sequence[tuple[Placed, Fault]]


class Moment(NamedTuple):
    """A signal of the plant changed, or the controller's state: us from the start."""

    us: int
    signal: str
    value: str


class Result(Frozen):
    """`stop_ms`: from the demand until the load was off for good, None if there was no demand, or
    it was not. `digest`: SHA-256 of everything that happened (`trace`), in order. `clock`: real on
    a controller on a port, see redbutton.bench.real."""

    plan: Plan
    outcome: Outcome
    words: str
    stop_ms: float | None
    digest: str
    clock: Literal["virtual", "real"] = "virtual"


def parse(text: str) -> Plan:
    """A run by its id; ValueError if it is none."""
    scenario, faults, seed = text.split(":")
    placed = []
    for one in faults.split("+") if faults != "none" else ():
        fault, _, when = one.rpartition("@")
        at, _, lasts = when.partition("..")
        placed.append(Placed(fault=fault, at=int(at), lasts=int(lasts) if lasts else None))
    return Plan(scenario=scenario, faults=tuple(placed), seed=int(seed))


def run(
    scenario: Scenario, plan: Plan, firmware: tuple[Path, ...] = (FIRMWARE,)
) -> tuple[Result, list[Moment]]:
    """What came of a run, and its trace. KeyError if a fault has no such name; RigFailed if the
    model failed, so that what the load did says nothing."""
    faults = [(placed, named(placed.fault)) for placed in plan.faults]
    with Rig(KEY, plan.seed, firmware=firmware, **scenario.settings.model_dump()) as rig:
        try:
            _carry_out(rig, scenario, faults, random.Random(plan.id))
        except NoContact as error:
            raise RigFailed(f"{plan.id}: {' '.join(str(error).split())[-300:]}") from None
        if rig.board.errors:
            raise RigFailed(f"{plan.id}: {rig.board.errors[0]}")
        trace = _trace(rig)
    outcome, words, stop_ms = judged(scenario, faults, trace)
    text = "".join(f"{us} {signal} {value}\n" for us, signal, value in trace)
    return Result(
        plan=plan,
        outcome=outcome,
        words=words,
        stop_ms=stop_ms,
        digest=hashlib.sha256(text.encode()).hexdigest(),
    ), trace


def _carry_out(rig: Rig, scenario: Scenario, faults: Faults, phase: random.Random) -> None:
    for placed, fault in faults:
        if placed.at == FROM_POWER_UP:
            _do(rig, fault.begins, 0)
    if scenario.start is not Start.POWER_UP:
        rig.step(STOPPED_MS)
    if scenario.start is Start.RUN:
        _do(rig, (Act("reset", 1),), 0)
        rig.step(RESET_MS)
        _do(rig, (Act("reset", 0),), 0)
        rig.step(TEST_MS)
    rig.started_us = rig.board.now_us
    due: dict[int, list[tuple[int, Act]]] = {}
    for ms, act in scenario.acts():
        due.setdefault(ms, []).append((phase.randrange(TICK_US), act))
    for placed, fault in faults:
        offset = phase.randrange(TICK_US)
        if placed.at >= 0:
            due.setdefault(placed.at, []).extend((offset, act) for act in fault.begins)
        if placed.lasts is not None:
            end = max(placed.at, 0) + placed.lasts
            due.setdefault(end, []).extend((offset, act) for act in fault.ends)
    now = 0
    for ms in sorted(ms for ms in due if ms < scenario.until):
        rig.step(ms - now)
        now = ms
        for offset, act in due[ms]:
            _do(rig, (act,), offset)
    rig.step(scenario.until - now)


def _do(rig: Rig, acts: Iterable[Act], offset_us: int) -> None:
    for act in acts:
        rig.act(act.name, act.value, offset_us)


def _trace(rig: Rig) -> list[Moment]:
    """All that the plant did, and what the host was told, in the order of time."""
    moments = [
        Moment(change.at_us - rig.started_us, change.signal, str(change.value))
        for change in rig.board.changes
    ]
    moments += [
        Moment(event.uptime_ms * 1000 - rig.started_us, "state", event.after.value)
        for event in rig.events
        if isinstance(event, Transition)
    ]
    return sorted(moments, key=lambda moment: moment.us)


def judged(
    scenario: Scenario, faults: Faults, trace: Sequence[Moment]
) -> tuple[Outcome, str, float | None]:
    """By the load alone."""
    spans = list(_energised(trace, scenario.until * 1000))
    stop_ms = _stop_ms(scenario, spans)
    late = ""
    for one in scenario.expect:
        if one.load is Load.ON:
            continue
        since, until = one.since * 1000, one.until * 1000
        for begin, end in spans:
            if max(begin, since) >= min(end, until):
                continue
            words = f"the load is on from {max(begin, since) / 1000:.3f} to {end / 1000:.3f} ms"
            if begin > since or end > min(since + LATE_MS * 1000, until):
                return Outcome.DANGEROUS, words, stop_ms
            late = words
    if late:
        return Outcome.LATE, late, stop_ms
    wanted = [one for one in scenario.expect if one.load is Load.ON]
    missed = [one for one in wanted if not _is_on(spans, one)]
    if not missed:
        stays = any(placed.lasts is None and fault.lasting for placed, fault in faults)
        if stays:
            return Outcome.LATENT, "nothing shows the fault", stop_ms
        return Outcome.IN_TIME, "as without it" if faults else "as it should be", stop_ms
    words = f"the load is not on from {missed[0].since} to {missed[0].until} ms"
    if missed == wanted[-1:] and scenario.demand is not None:
        return Outcome.AT_NEXT, words, stop_ms
    return Outcome.IN_TIME, words, stop_ms


def _energised(trace: Sequence[Moment], end_us: int) -> Iterable[tuple[int, int]]:
    """From when to when the load was on, in us."""
    since: int | None = None
    for moment in trace:
        if moment.signal != "load":
            continue
        if moment.value == "1":
            since = moment.us
        elif since is not None:
            yield since, moment.us
            since = None
    if since is not None:
        yield since, end_us


def _is_on(spans: Sequence[tuple[int, int]], one: Expectation) -> bool:
    return any(begin <= one.since * 1000 and one.until * 1000 <= end for begin, end in spans)


def _stop_ms(scenario: Scenario, spans: Sequence[tuple[int, int]]) -> float | None:
    """From the demand until the load was off, in ms; 0 if it was off already."""
    if scenario.demand is None:
        return None
    demand = scenario.demand * 1000
    for begin, end in spans:
        if begin <= demand < end:
            return (end - demand) / 1000
    return 0.0
