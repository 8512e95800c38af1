"""Scenarios in real time, on a controller on a port: contacts by the probe, the rest by software.

The verdict is from the load as the probe times it. Without a probe it is from the mirror contacts
as the controller measures them, every 20 ms and by its own clock: that is weaker, and said so.
"""

import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from typing_extensions import Self

from redbutton.bench.faults import Act, Fault, named
from redbutton.bench.means import (
    OPERATION,
    Deed,
    Desk,
    Move,
    cannot,
    clipped,
    refuse,
    split,
)
from redbutton.bench.probe import Clock, Probe, Trace
from redbutton.bench.run import (
    FROM_POWER_UP,
    TEST_MS,
    TICK_US,
    Faults,
    Moment,
    Plan,
    Result,
    judged,
)
from redbutton.bench.scenario import Scenario, Start
from redbutton.errors import CannotCause, RedbuttonError, RigFailed
from redbutton.model import Contacts, Load, State, cause_name, cause_names, state_of

NO_PROBE = "measured by the controller, no probe"
LEAD_US = 150_000  # from arming the probe to the start: so that it is told what to do before
START_S = 20.0  # of the host's processes
READY_S = 15.0
PERSON_S = 60.0
PRESS_S = 0.3
OFF_S = 0.3
SETTLE_S = 0.3  # contacts bounce, the controller decides, and writes its journal
MAINTENANCE_S = 1.0  # from power-up until the key switch was read
FRESH_S = 0.5
ATTEMPTS = 3
TURN_S = 0.005
DEED_TURN_S = 0.001
SIGNALS = {"k2": "k2_pin"}  # senses that have another name in the model
NAMED = {  # what moves first, and how, when a demand is made with contacts
    "contact_a": ("contact_a", 0),
    "contact_b": ("contact_b", 0),
    "supply": ("supply", 0),
    "board": ("board", 0),
    "usb": ("usb", 0),
}


class Seen(NamedTuple):
    """What the controller measured: when it was told here (s), and by its own clock (ms)."""

    s: float
    boot: int
    uptime: int
    state: State
    contacts: Contacts
    inputs: int
    first: str | None
    causes: tuple[str, ...]
    present: tuple[str, ...]


class HostProcess:
    """A host in a process of its own, see redbutton.bench.host: ready, and told when to begin."""

    def __init__(self, port: str, key_file: Path, seed: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "redbutton.bench.host", port, str(key_file), str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout
        os.set_blocking(self._process.stdout.fileno(), False)
        self._buffer = b""
        self.ready = False
        self.begun = False

    def tell(self, line: str) -> None:
        """Say a line; one that is dead does not hear it."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line.encode() + b"\n")

    def begin(self) -> None:
        """Open the port, and answer."""
        self.begun = True
        self.tell("go")

    def heard(self) -> list[dict[str, Any]]:
        """What it said."""
        assert self._process.stdout
        data = self._process.stdout.read() or b""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        found = [json.loads(line) for line in lines]
        self.ready = self.ready or {"ready": True} in found
        return found

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()


class RealRig:
    """A controller on a port, a host for it, and the probe if there is one. A context manager."""

    def __init__(
        self,
        port: str,
        key_file: Path,
        probe: Probe | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        """`say`: tells a person what to do, where there is no probe."""
        self.port = port
        self.probe = probe
        self.say = say
        self._key_file = key_file
        self._seed = 1
        self.seen: list[Seen] = []
        self.events: list[tuple[float, State]] = []
        self.identity: dict[str, Any] | None = None
        self._touched = False  # the host was not left as it began
        self.host = HostProcess(port, key_file, self._seed)
        self._standby: HostProcess | None = None

    def __enter__(self) -> Self:
        try:
            self._until(lambda: self.host.ready, START_S, "the host's process does not start")
            self.host.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.host.end()
        if self._standby is not None:
            self._standby.end()

    # --- time goes by

    def turn(self) -> None:
        """Take what was said, and keep the probe awake."""
        if self.probe is not None:
            self.probe.turn()
        for said in self.host.heard():
            self._take(said)
        if self._standby is not None:
            self._standby.heard()

    def _take(self, said: dict[str, Any]) -> None:
        if "status" in said:
            s, boot, uptime, state, inputs, first, causes, present = said["status"]
            self.seen.append(
                Seen(
                    s,
                    boot,
                    uptime,
                    state_of(state),
                    Contacts.from_bits(inputs),
                    inputs,
                    cause_name(first),
                    cause_names(causes),
                    cause_names(present),
                )
            )
        elif "event" in said:
            s, _, _, _, after, _ = said["event"]
            self.events.append((s, state_of(after)))
        elif "identity" in said:
            self.identity = said["identity"]
        elif "error" in said:
            raise RigFailed(f"{self.port}: {said['error']}")

    def wait(self, seconds: float) -> None:
        """Let time go by."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.turn()
            time.sleep(min(TURN_S, left))

    def until(self, wanted: Callable[[], object], seconds: float) -> bool:
        """Let time go by until something is so; whether it came to be."""
        end = time.monotonic() + seconds
        while not wanted():
            if time.monotonic() > end:
                return False
            self.turn()
            time.sleep(TURN_S)
        return True

    def _until(self, wanted: Callable[[], object], seconds: float, otherwise: str) -> None:
        if not self.until(wanted, seconds):
            raise RigFailed(f"{self.port}: {otherwise}")

    @property
    def now(self) -> Seen | None:
        """What the controller measures; None if it is not heard."""
        if not self.seen or time.monotonic() - self.seen[-1].s > FRESH_S:
            return None
        return self.seen[-1]

    def told(self) -> str:
        """The same in words."""
        seen = self.now
        if seen is None:
            return "the controller is not heard"
        causes = ", ".join(seen.present or seen.causes)
        return f"{seen.state.value}" + (f" ({causes})" if causes else "")

    def is_state(self, *states: State) -> bool:
        """Whether the controller is heard to be in one of these."""
        return self.now is not None and self.now.state in states

    # --- contacts

    def set(self, **outputs: str) -> None:
        """Move outputs of the probe now, in this order."""
        assert self.probe
        for output, state in outputs.items():
            self.probe.act(output, state)

    def prepare(self) -> None:
        """To STOPPED, with nothing in the way of a reset. RigFailed if it does not come there."""
        self._renew_host()
        if self.probe is not None:
            self.set(**OPERATION)
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            if self.until(self._is_ready, SETTLE_S):
                break
            if self.probe is None:
                continue
            if self.is_state(State.LOCKOUT):
                self.recover()
            elif self.is_state(State.RUN, State.TESTING, State.STOPPING):
                self.press()
        else:
            raise RigFailed(f"{self.port}: not ready for a reset: {self.told()}")
        if self.identity is None:
            self._until(lambda: self.identity, READY_S, "the controller does not say who it is")

    def _is_ready(self) -> bool:
        seen = self.now
        return seen is not None and seen.state is State.STOPPED and not seen.present

    def recover(self) -> None:
        """Out of a lockout: power-up in maintenance, then back to operation (SR-16)."""
        self.set(reset="open", key="maintenance")
        self.power_cycle()
        self.wait(MAINTENANCE_S)
        self.set(key="operation")
        self.until(self._is_ready, READY_S / 3)

    def power_cycle(self) -> None:
        """Take the board's power away and give it back."""
        self.set(board="off")
        self.wait(OFF_S)
        self.set(board="on")

    def press(self) -> None:
        """Press the button and turn it back."""
        self.set(contact_a="open", contact_b="open")
        self.wait(SETTLE_S)
        self.set(contact_a="closed", contact_b="closed")

    def reset(self) -> bool:
        """Press the reset button, or let a person do it; whether the controller is in RUN."""
        if self.probe is None:
            self.say("press the reset button now")
            return self.until(self._is_running, PERSON_S)
        self.set(reset="pressed")
        self.wait(PRESS_S)
        self.set(reset="open")
        return self.until(self._is_running, 2 * TEST_MS / 1000)

    def _is_running(self) -> bool:
        return self.is_state(State.RUN) and self.seen[-1].contacts.load is Load.ON

    def to_run(self) -> None:
        """RigFailed if it does not come there."""
        for _ in range(ATTEMPTS):
            self.prepare()
            if self.reset():
                return
        raise RigFailed(f"{self.port}: a reset does not lead to RUN: {self.told()}")

    # --- software

    def do(self, act: Act) -> None:
        """The host does something, or something befalls it."""
        kind, _, what = act.name.partition(":")
        self._touched = self._touched or act.name not in ("host:stop", "host:clock")
        if act.name == "host:stop":
            self.host.tell(f"stop {act.value}")
        elif self.probe is None and what in ("killed", "stopped", "unplugged"):
            name = "killed" if what == "unplugged" else what
            self.host.tell(f"host {name} {act.value}")
        elif what == "killed" and act.value:
            self.host.send(signal.SIGKILL)
        elif what == "killed":
            self._replace_host()
        elif what == "stopped":
            self.host.send(signal.SIGSTOP if act.value else signal.SIGCONT)
        else:
            self.host.tell(f"{kind} {what} {act.value}")

    def stand_by(self) -> None:
        """Have another host ready, which begins at once when this one is dead."""
        if self._standby is None:
            self._standby = HostProcess(self.port, self._key_file, self._seed)
        other = self._standby
        self._until(lambda: other.ready, START_S, "no other host starts")

    def _replace_host(self) -> None:
        self.host.end()
        assert self._standby
        self.host, self._standby = self._standby, None
        self.host.begin()

    def _renew_host(self) -> None:
        """A host that nothing befell, for the next run."""
        if self._touched:
            self.stand_by()
            self._replace_host()
        self._touched = False


# --- a run


def run(rig: RealRig, scenario: Scenario, plan: Plan) -> tuple[Result, list[Moment]]:
    """What came of a run. CannotCause if this rig cannot do it; RigFailed if it shows nothing;
    KeyError if a fault has no such name."""
    scenario, faults, said = possible(scenario, plan, rig.probe is not None)
    _start(rig, scenario, faults)
    _check_settings(rig, scenario)
    if rig.probe is not None:
        trace, stop_ms = _with_probe(rig, rig.probe, scenario, faults, random.Random(plan.id))
    else:
        trace, stop_ms = _without(rig, scenario, faults, random.Random(plan.id))
    outcome, words, _ = judged(scenario, faults, trace)
    text = "".join(f"{us} {signal_} {value}\n" for us, signal_, value in trace)
    return Result(
        plan=plan,
        outcome=outcome,
        words=words + said,
        stop_ms=stop_ms,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        clock="real",
    ), trace


def possible(scenario: Scenario, plan: Plan, probe: bool) -> tuple[Scenario, Faults, str]:
    """As much of a scenario as a rig can do, the faults, and what is to be said of it. CannotCause
    if it can do nothing; KeyError if a fault has no such name."""
    faults = [(placed, named(placed.fault)) for placed in plan.faults]
    refuse(scenario, faults, probe)
    if probe:
        return scenario, faults, ""
    scenario, left_out = clipped(scenario)
    return scenario, faults, f"; {NO_PROBE}" + (f"; {left_out}" if left_out else "")


def _check_settings(rig: RealRig, scenario: Scenario) -> None:
    """A controller is provisioned in maintenance, and not by a run."""
    assert rig.identity is not None
    for name, wanted in scenario.settings.model_dump().items():
        if (found := rig.identity[name]) != wanted:
            raise CannotCause(
                f"{scenario.name}: is about a controller with {name} {wanted}, this one has "
                f"{found} (redbutton provision)"
            )


def _start(rig: RealRig, scenario: Scenario, faults: Faults) -> None:
    """To where the scenario's time begins."""
    before = [
        act for placed, fault in faults if placed.at == FROM_POWER_UP for act in fault.begins
    ]
    if any(act.name == "host:killed" for _, act in scenario.acts()) or any(
        act.name == "host:killed" for _, fault in faults for act in fault.begins
    ):
        rig.stand_by()
    rig.prepare()
    if not before:
        if scenario.start is Start.RUN:
            rig.to_run()
        return
    contacts, deeds = split([(0, act) for act in before], rig.probe is not None)
    if contacts:
        rig.set(board="off")
        rig.wait(OFF_S)
        for move in Desk().moves(contacts):
            rig.set(**{move.output: move.state})
        rig.set(board="on")
    for deed in deeds:
        rig.do(deed.act)
    rig.until(rig._is_ready, READY_S / 3)  # with the fault it may never be
    if scenario.start is Start.RUN and not rig.reset():
        rig.wait(SETTLE_S)


def _planned(
    scenario: Scenario, faults: Faults, phase: random.Random, probe: bool
) -> tuple[list[Move], list[Deed]]:
    """What contacts and software do, in us from the start, as `redbutton.bench.run` does it."""
    acts = [(ms * 1000 + phase.randrange(TICK_US), act) for ms, act in scenario.acts()]
    begun: list[tuple[int, Act]] = []
    for placed, fault in faults:
        offset = phase.randrange(TICK_US)
        if placed.at == FROM_POWER_UP:
            begun += [(-1, act) for act in fault.begins]
        else:
            acts += [(placed.at * 1000 + offset, act) for act in fault.begins]
        if placed.lasts is not None:
            end = max(placed.at, 0) + placed.lasts
            acts += [(end * 1000 + offset, act) for act in fault.ends]
    contacts, _ = split(begun, probe)
    more, deeds = split(acts, probe)
    moves = [move for move in Desk().moves([*contacts, *more]) if move.us >= 0]
    return moves, sorted(deeds, key=lambda deed: deed.us)


def _with_probe(
    rig: RealRig, probe: Probe, scenario: Scenario, faults: Faults, phase: random.Random
) -> tuple[list[Moment], float | None]:
    moves, deeds = _planned(scenario, faults, phase, True)
    if scenario.start is Start.POWER_UP:
        rig.set(board="off")
        rig.wait(OFF_S)
        moves.insert(0, Move(0, "board", "on"))
    rig.events.clear()
    clock = probe.arm()
    for move in moves:
        probe.act(move.output, move.state, LEAD_US + move.us)
    done = _carry_out(rig, deeds, scenario.until, clock.zero_s + LEAD_US / 1e6)
    trace = probe.read()
    if probe.silent:
        raise RigFailed("this computer was too busy: the probe released everything meanwhile")
    if len(probe.done) < len(moves):
        raise RigFailed("the probe did not do all that it was told to")
    demand = _demand(scenario, trace, moves, done, clock)
    return _moments(rig, trace, clock), _stop_ms(trace, demand)


def _carry_out(
    rig: RealRig, deeds: Sequence[Deed], until_ms: int, zero_s: float
) -> list[tuple[float, Deed]]:
    """Do what software does, each at its time; when it was done, by time.monotonic()."""
    done = []
    waiting = list(deeds)
    end = zero_s + until_ms / 1000 + TURN_S
    while (now := time.monotonic()) < end:
        while waiting and zero_s + waiting[0].us / 1e6 <= now:
            deed = waiting.pop(0)
            done.append((time.monotonic(), deed))
            rig.do(deed.act)
        rig.turn()
        time.sleep(DEED_TURN_S)
    return done


def _demand(
    scenario: Scenario,
    trace: Trace,
    moves: Sequence[Move],
    done: Sequence[tuple[float, Deed]],
    clock: Clock,
) -> int | None:
    """When the stop was really asked for, by the probe's clock: where it is a contact's, when
    that was seen to open; else when software did it."""
    if scenario.demand is None:
        return None
    due = scenario.demand * 1000
    for s, deed in done:
        if due <= deed.us < due + TICK_US:
            return clock.us(s)
    for move in moves:
        if due <= move.us < due + TICK_US and move.output in NAMED:
            sense, value = NAMED[move.output]
            if edge := trace.edge(sense, value, LEAD_US + move.us):
                return edge.us
    return LEAD_US + due


def _stop_ms(trace: Trace, demand: int | None) -> float | None:
    """From the demand until the load was off, ms; 0 if it was off already; None without one."""
    if demand is None:
        return None
    if not trace.at("load", demand):
        return 0.0
    edge = trace.edge("load", 0, demand)
    return None if edge is None else (edge.us - demand) / 1000


def _moments(rig: RealRig, trace: Trace, clock: Clock) -> list[Moment]:
    """All that the probe saw, and what the controller said."""
    moments = [
        Moment(-LEAD_US, SIGNALS.get(name, name), str(value))
        for name, value in trace.first.items()
    ]
    moments += [
        Moment(edge.us - LEAD_US, SIGNALS.get(edge.sense, edge.sense), str(edge.value))
        for edge in trace.edges
    ]
    moments += [Moment(clock.us(s) - LEAD_US, "state", state.value) for s, state in rig.events]
    return sorted(moments, key=lambda moment: moment.us)


def _without(
    rig: RealRig, scenario: Scenario, faults: Faults, phase: random.Random
) -> tuple[list[Moment], float | None]:
    """The load as the mirror contacts prove it, by the controller's clock. Off is only what both
    of them prove."""
    _, deeds = _planned(scenario, faults, phase, False)
    rig.events.clear()
    rig.wait(SETTLE_S)
    assert rig.now is not None
    # What was on its way for the shortest time tells best how the clocks stand.
    ahead_s = min(one.s - one.uptime / 1000 for one in rig.seen[-10:] if one.boot == rig.now.boot)
    boot, count = rig.now.boot, len(rig.seen)
    zero_s = time.monotonic() + LEAD_US / 1e6
    done = _carry_out(rig, deeds, scenario.until, zero_s)
    rig.wait(SETTLE_S / 3)
    moments = []
    for one in rig.seen[count - 1 :]:
        if one.boot != boot:
            raise RigFailed(f"{rig.port}: the controller started anew, and its clock with it")
        us = round((one.uptime / 1000 + ahead_s - zero_s) * 1e6)
        moments.append(Moment(us, "load", "0" if one.contacts.load is Load.OFF else "1"))
        moments.append(Moment(us, "state", one.state.value))
    demand_s = next((s for s, deed in done if deed.us >= (scenario.demand or 0) * 1000), None)
    if demand_s is None:
        return moments, None
    demand = round((demand_s - zero_s) * 1e6)
    off = next(
        (m for m in moments if m.signal == "load" and m.value == "0" and m.us >= demand), None
    )
    return moments, None if off is None else (off.us - demand) / 1000


def causable(
    scenarios: Sequence[Scenario], faults: Sequence[Fault], probe: bool
) -> tuple[list[Scenario], list[Fault], list[str]]:
    """What of these a rig can do, and one line for each that it cannot."""
    can, able, why = [], [], []
    for scenario in scenarios:
        try:
            if not probe:
                clipped(scenario)
            can.append(scenario)
        except RedbuttonError as error:
            why.append(str(error))
    for fault in faults:
        if (reason := cannot(fault, probe)) is None:
            able.append(fault)
        else:
            why.append(reason)
    return can, able, why
