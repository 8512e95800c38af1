"""How long a stop takes, many times, at random moments: from the demand until the load is off.

Two clocks. Virtual: firmware and session in lock-step with the model of the plant (`Rig`), in
whole microseconds and the same for the same seed; neither the firmware's computation nor the
host's takes time there. Real: the firmware on its pseudo-terminal and `redbutton run` in processes
of their own, by this computer's clock. The plant is a model on both: relays drop out in 3.5 ms.
"""

import contextlib
import math
import os
import random
import signal
import struct
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from enum import Enum
from importlib import resources
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, TypeAdapter

from redbutton.bench.quantile import quantile
from redbutton.bench.rig import Rig
from redbutton.bench.run import KEY, LATE_MS
from redbutton.demo.stage import PRESSES, Stage
from redbutton.errors import NoContact
from redbutton.firmware import decide, wire
from redbutton.local import Client, StopRequest, socket_path
from redbutton.model import Frozen
from redbutton.virtual.board import FIRMWARE, Change
from redbutton.virtual.chain import TICK_US

CHUNK = 10  # stops of one power-up of the virtual board
POWER_UP_MS = 150
SETTLE_MS = 150  # after a stop: contacts bounce, the journal is written, the host attests
PRESS_MS = 210  # of the reset button
TEST_MS = 700  # at most, from the release of the reset button until the load is on
PHASE_MS = (30, 130)  # from the load on until the demand
OFF_MS = 40  # the load stays off so long: contacts no longer bounce, and the host is told
REPEATS = 20  # stops that may be made again


class Kind(str, Enum):
    """What demands the stop."""

    BUTTON = "button"
    HEARTBEAT = "heartbeat"
    REQUEST = "request"


class Clock(str, Enum):
    """By which a stop was timed."""

    VIRTUAL = "virtual"
    REAL = "real"


WORDS = {
    Kind.BUTTON: "button pressed",
    Kind.HEARTBEAT: "heartbeat lost (host killed)",
    Kind.REQUEST: "stop requested by software",
}
TIMEOUT = "timeout, from the challenge that was answered last"
GONE = "of that, gone before the host was killed"
TAKEN = "controller takes the request and decides"
OUTPUTS = "controller's outputs off"
COIL = "relay's coil off"
CONTACT = "relay's contact open"
LOAD = "load off"
STAGES = {
    Kind.BUTTON: (OUTPUTS, COIL, CONTACT, LOAD),
    Kind.HEARTBEAT: (TIMEOUT, GONE, OUTPUTS, COIL, CONTACT, LOAD),
    Kind.REQUEST: (TAKEN, OUTPUTS, COIL, CONTACT, LOAD),
}
# The relays' ways from the controller's output to the load; the first that opens cuts it.
CHANNELS = (("k1_pulses", "coil_1", "relay_1"), ("k2_pin", "coil_2", "relay_2"))
ACTS = {
    Kind.BUTTON: ("button", 1),
    Kind.HEARTBEAT: ("host:killed", 1),
    Kind.REQUEST: ("host:stop", 0),
}
CAUSES = {Kind.BUTTON: "button contact", Kind.REQUEST: "stop requested"}


class Stop(Frozen):
    """`total_us`: from the demand until the load was off for good; None: it stayed on.
    `stages_us`: what each of STAGES adds to that; only in virtual time."""

    total_us: int | None
    stages_us: tuple[int, ...] = ()


class Published(Frozen):
    """A figure to compare with, in ms; see published.yaml."""

    who: str
    typical_ms: float | None = None
    most_ms: Annotated[float, Field(gt=0)]
    of: str
    source: str


class Share(Frozen):
    """What a stage takes, in ms: on average, and in the slowest stop. Either column adds up."""

    stage: str
    mean_ms: float
    in_slowest_ms: float


class Figures(Frozen):
    """Of the stops of one kind by one clock. `n`: those that stopped; `stayed_on`: those that did
    not. `values_ms`: each, in order of size."""

    kind: Kind
    clock: Clock
    n: int
    stayed_on: int
    p50_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None
    mean_ms: float | None = None
    budget: tuple[Share, ...] = ()
    values_ms: tuple[float, ...] = ()


# --- virtual time


def virtual(
    count: int, seed: int, firmware: tuple[Path, ...] = (FIRMWARE,), workers: int | None = None
) -> Generator[tuple[Kind, Stop]]:
    """So many stops of each kind, from as many processes as there are cores; the same for the
    same seed, in the same order. NoContact if the load does not come on."""
    todo = [(kind, first) for first in range(0, count, CHUNK) for kind in Kind]
    with ProcessPoolExecutor(workers or os.cpu_count(), initializer=_heedless) as pool:
        try:
            chunks = [
                pool.submit(chunk, kind, min(CHUNK, count - first), f"{seed} {first}", firmware)
                for kind, first in todo
            ]
            for (kind, _), stops in zip(todo, chunks, strict=True):
                for stop in stops.result():
                    yield kind, stop
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _heedless() -> None:
    """Ctrl-C is for the process that collects."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def chunk(
    kind: Kind, count: int, seed: str, firmware: tuple[Path, ...] = (FIRMWARE,)
) -> list[Stop]:
    """Stops of one virtual board, which is powered up anew if its load stayed on."""
    chance = random.Random(f"{seed} {kind.value}")
    stops: list[Stop] = []
    while len(stops) < count:
        with Rig(KEY, chance.randrange(1, 1 << 31), firmware=firmware) as rig:
            rig.step(POWER_UP_MS)
            while len(stops) < count:
                _energise(rig)
                rig.step(chance.randrange(*PHASE_MS))
                rig.shift(chance.randrange(1, TICK_US))
                stops.append(_stop(rig, kind))
                if stops[-1].total_us is None:
                    break
                rig.step(SETTLE_MS)
    return stops


def _energise(rig: Rig) -> None:
    for _ in range(PRESSES):
        rig.act("reset", 1)
        rig.step(PRESS_MS)
        rig.act("reset", 0)
        for _ in range(TEST_MS):
            rig.step(1)
            if rig.board.load:
                return
    raise NoContact(f"the load does not come on: {rig.state.sentence()}")


def _stop(rig: Rig, kind: Kind) -> Stop:
    """One stop, and what demanded it is over."""
    name, value = ACTS[kind]
    demand, changes, heard = rig.board.now_us, len(rig.board.changes), len(rig.sent_by_board)
    rig.act(name, value)
    quiet = 0
    for _ in range(LATE_MS):
        rig.step(1)
        quiet = 0 if rig.board.load else quiet + 1
        if quiet == OFF_MS:
            break
    else:
        return Stop(total_us=None)
    off = rig.board.last("load", 0).at_us
    told = _told(bytes(rig.sent_by_board[heard:]))
    if told is not None:
        # Its uptime began with its first tick, which was the first to feed the watchdog.
        began = next(change.at_us for change in rig.board.changes if change.signal == "watchdog")
        told = (began + told[0] * TICK_US, told[1] * TICK_US)
    if value:
        rig.act(name, 0)
    stages = _stages(kind, demand, rig.board.changes[changes:], told)
    return Stop(total_us=off - demand, stages_us=stages)


def _told(sent: bytes) -> tuple[int, int] | None:
    """When the controller left RUN, by its uptime, and how old the challenge that it had seen
    answered last was then, in ms; None if it did not say."""
    left: int | None = None
    for line in sent.split(b"\n"):
        frame = wire.decode(line)
        if frame is None:
            continue
        if frame[1] == wire.EVENT:
            event = struct.unpack(wire.EVENT_LAYOUT, frame[3])
            told = dict(zip(wire.EVENT_FIELDS, event, strict=True))
            if told["before"] == decide.RUN:
                left = told["uptime"]
        elif frame[1] == wire.STATUS and left is not None:
            status = struct.unpack(wire.STATUS_LAYOUT, frame[3])
            told = dict(zip(wire.STATUS_FIELDS, status, strict=True))
            return (left, told["heartbeat_age"]) if told["uptime"] == left else None
    return None


def _way(changes: Sequence[Change]) -> tuple[Change | None, ...]:
    """What took the load away: the last change of the output, of the coil, of the contact that
    opened first, and of the load; None where there was none."""
    load = _went_low(changes, "load", math.inf)
    ways = []
    for names in CHANNELS:
        way = [load]
        by = load.at_us if load else math.inf
        for name in reversed(names):
            change = _went_low(changes, name, by)
            by = change.at_us if change else by
            way.insert(0, change)
        ways.append(tuple(way))
    return next((way for way in ways if way[2] and load and way[2].at_us == load.at_us), ways[0])


def _went_low(changes: Sequence[Change], name: str, by_us: float) -> Change | None:
    """The last time that a signal did, up to a moment."""
    for change in reversed(changes):
        if (change.signal, change.value) == (name, 0) and change.at_us <= by_us:
            return change
    return None


def _stages(
    kind: Kind, demand: int, changes: Sequence[Change], told: tuple[int, int] | None
) -> tuple[int, ...]:
    """What each of STAGES took; together what the stop took. A stage that left no trace took
    nothing, and the next one all.

    `told`: when the controller decided, and how old the last answered challenge was. All in us.
    """
    decided, age = told or (demand, 0)
    taken = {
        Kind.BUTTON: [],
        Kind.HEARTBEAT: [age, decided - age - demand],
        Kind.REQUEST: [decided - demand],
    }[kind]
    last = demand + sum(taken)
    for change in _way(changes):
        here = last if change is None else change.at_us
        taken.append(here - last)
        last = here
    return tuple(taken)


# --- real time


def real(count: int, seed: int) -> Generator[tuple[Kind, Stop | None]]:
    """So many stops of each kind, in turns. None: it was another stop, or the load did not come
    on, as happens on a busy computer; it is made again. NoContact if that happens all the time."""
    chance = random.Random(f"{seed} real")
    with Stage(ros=False) as stage:
        for _ in range(count):
            for kind in Kind:
                for _ in range(REPEATS):
                    stop = _real_stop(stage, kind, chance.uniform(*PHASE_MS) / 1000)
                    yield kind, stop
                    if stop is not None:
                        break
                else:
                    raise NoContact("the controller stops by itself: this computer is too busy")


def _real_stop(stage: Stage, kind: Kind, phase_s: float) -> Stop | None:
    board = stage.board
    if not stage.reset():
        return None
    with contextlib.closing(Client(socket_path(str(stage.port), stage.runtime))) as client:
        time.sleep(phase_s)
        if not board.load:
            return None
        assert stage.gate
        changes = len(board.changes)
        demand = time.monotonic()
        if kind is Kind.BUTTON:
            board.press()
        elif kind is Kind.HEARTBEAT:
            stage.gate.kill()
        else:
            client.stop(StopRequest(reason="latency is measured"))
        off = board.wait_change("load", 0, demand, LATE_MS / 1000)
    time.sleep(OFF_MS / 1000)
    stayed_on = off is None or board.load
    # A killed host says nothing; the others must have stopped for what was demanded.
    other = kind in CAUSES and CAUSES[kind] not in (stage.state().first_cause or "")
    if kind is Kind.BUTTON:
        board.release()
    elif kind is Kind.HEARTBEAT:
        stage.gate.wait()
        stage.start_gate()
    if stayed_on:
        return Stop(total_us=None)
    total = real_total_us(demand, board.changes[changes:])
    return None if other or total is None else Stop(total_us=total)


def real_total_us(demand: float, changes: Sequence[Change]) -> int | None:
    """From the demand (time.monotonic()) until the load was off. None if another stop was under
    way before.

    A virtual board that was late makes up for it, and then its relays drop out faster than in the
    model: from the coil on, the model's time counts if it is longer.
    """
    _, coil, _, load = _way(changes)
    if coil is None or load is None or coil.wall_s < demand:
        return None
    modelled = coil.wall_s + (load.at_us - coil.at_us) / 1e6
    return round((max(load.wall_s, modelled) - demand) * 1e6)


# --- figures


def figures(kind: Kind, clock: Clock, stops: Sequence[Stop]) -> Figures:
    """What is published of stops."""
    off = [(stop.total_us, stop) for stop in stops if stop.total_us is not None]
    none = Figures(kind=kind, clock=clock, n=0, stayed_on=len(stops) - len(off))
    if not off:
        return none
    ordered = sorted(total / 1000 for total, _ in off)
    _, slowest = max(off, key=lambda one: one[0])
    budget = [
        Share(
            stage=name,
            mean_ms=_mean([stop.stages_us[i] / 1000 for _, stop in off]),
            in_slowest_ms=slowest.stages_us[i] / 1000,
        )
        for i, name in enumerate(STAGES[kind] if clock is Clock.VIRTUAL else ())
    ]
    return none.model_copy(
        update={
            "n": len(off),
            "p50_ms": quantile(ordered, 0.5),
            "p99_ms": quantile(ordered, 0.99),
            "max_ms": ordered[-1],
            "mean_ms": _mean(ordered),
            "budget": tuple(budget),
            "values_ms": tuple(ordered),
        }
    )


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 6)


def histogram(ordered: Sequence[float], bars: int) -> list[tuple[float, float, int]]:
    """(from, to, how many), of equal widths; one bar for values that are all the same."""
    low, high = ordered[0], ordered[-1]
    if low == high:
        return [(low, high, len(ordered))]
    counts = [0] * bars
    for value in ordered:
        counts[min(bars - 1, int((value - low) / (high - low) * bars))] += 1
    width = (high - low) / bars
    return [(low + i * width, low + (i + 1) * width, n) for i, n in enumerate(counts)]


def published() -> dict[Kind, tuple[Published, ...]]:
    """The figures of others, by kind."""
    text = resources.files("redbutton.bench").joinpath("published.yaml").read_text()
    return TypeAdapter(dict[Kind, tuple[Published, ...]]).validate_python(yaml.safe_load(text))
