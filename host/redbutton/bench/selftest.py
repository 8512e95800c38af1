"""Proves the rig before it proves a controller: every wire, the clocks, the fail-safe.

Each output of the probe is moved alone, and exactly one of its senses and one of the controller's
measured contacts has to follow. What follows instead names the wire that is wrong. Then the
controller is brought to RUN, where the senses of its drives and of the load must show what its own
mirror contacts show; and there the host goes silent, upon which the probe has to stop it.
"""

import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from redbutton.bench.means import OPERATION
from redbutton.bench.probe import Clock, Probe, Trace
from redbutton.bench.quantile import quantile
from redbutton.bench.real import RealRig
from redbutton.errors import RigFailed, SelftestFailed
from redbutton.firmware.probe import harness, protocol
from redbutton.model import Frozen, State

FOLLOW_S = 1.5  # what should follow may take so long
HOLD_S = 0.08  # and nothing else follows for so long: four reports of the controller
HEARD_S = 4.0  # until a controller is heard again, after its USB or its power came back
PATH_US = 100_000  # of the probe's own path, at most
DRIFT_PPM = 500.0  # two crystals: 100
SILENCE_US = (protocol.SILENCE_MS * 1000, protocol.SILENCE_MS * 1000 + 600_000)
QUIET_S = SILENCE_US[1] / 1e6 + 0.3
WHERE = {name: where for name, _, where in harness.OUTPUTS}
SEEN_AT = {name: f"{where}, GPIO{gpio}" for name, gpio, where in harness.SENSES}
# The controller's contacts, by the senses of the probe that are wired to the same.
CONTACTS = {
    "contact_a": "contact_a_closed",
    "contact_b": "contact_b_closed",
    "mirror_1": "mirror_1_closed",
    "mirror_2": "mirror_2_closed",
    "reset": "reset_pressed",
    "key": "key_maintenance",
    "supply": "supply_ok",
}
# What is moved, in this order; each back again, but for the supply, without which nothing shows.
STEPS = (
    ("contact_a", "closed"),
    ("contact_b", "closed"),
    ("reset", "pressed"),
    ("key", "maintenance"),
    ("mirror_1", "closed"),
    ("mirror_1", "follows"),
    ("mirror_2", "closed"),
    ("mirror_2", "follows"),
)


class Check(Frozen):
    """`wires`: those that are wrong, by the names of hardware/probe.yaml; empty: it is right."""

    name: str
    words: str
    wires: tuple[str, ...] = ()


class Selftest(Frozen):
    """All checks that were made, and what was measured. `ahead_ppm`: how much faster the probe's
    clock goes than this computer's, and how far that can be wrong. `path_ms`: from a pin of the
    probe until one of its senses shows it: half of the moves, and the slowest. `silence_ms`: from
    the host's last word until everything was released. `stop_ms`: from then until the load was
    off."""

    checks: tuple[Check, ...]
    ahead_ppm: float | None = None
    ahead_wrong_ppm: float | None = None
    path_ms: tuple[float, float] | None = None
    silence_ms: float | None = None
    stop_ms: float | None = None

    @property
    def wrong(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.wires)

    def require(self) -> None:
        """SelftestFailed with the wires that are wrong."""
        if self.wrong:
            raise SelftestFailed(
                "the rig is not as it should be: " + "; ".join(one.words for one in self.wrong)
            )


class Pair(NamedTuple):
    """What the probe senses, and what the controller measures, by the senses' names."""

    senses: dict[str, int]
    controller: dict[str, int] | None  # None: it is not heard


class Examiner:
    """Carries it out. `found` grows as it goes on."""

    def __init__(self, rig: RealRig, probe: Probe) -> None:
        self._rig = rig
        self._probe = probe
        self.found: list[Check] = []

    def run(self) -> Selftest:
        """All of it, as far as what was found lets it."""
        begun = self._probe.arm()
        if self._at_rest() and self._supply():
            for output, state in STEPS:
                self._move(output, state)
            self._usb()
            self._board()
        clock = self._probe.sync()
        ahead, wrong = _ahead(begun, clock)
        path = self._path()
        self._clock(ahead, wrong)
        silence: tuple[float | None, float | None] = (None, None)
        if not any(check.wires for check in self.found):
            silence = self._in_run()
        self._probe.release()
        return Selftest(
            checks=tuple(self.found),
            ahead_ppm=round(ahead, 1),
            ahead_wrong_ppm=round(wrong, 1),
            path_ms=path,
            silence_ms=silence[0],
            stop_ms=silence[1],
        )

    def _say(self, name: str, words: str, *wires: str) -> bool:
        self.found.append(Check(name=name, words=words, wires=wires))
        return not wires

    # --- one output after the other

    def _now(self) -> Pair:
        senses = self._probe.levels()
        seen = self._rig.now
        if seen is None:
            return Pair(senses, None)
        contacts = seen.contacts.model_dump()
        return Pair(senses, {name: int(contacts[field]) for name, field in CONTACTS.items()})

    def _settled(self, wanted: Pair) -> Pair:
        """What there is when everything is as wanted, and stays so; or after FOLLOW_S."""
        end = time.monotonic() + (HEARD_S if wanted.controller is None else FOLLOW_S)
        good = None
        while time.monotonic() < end:
            self._rig.wait(HOLD_S / 4)
            now = self._now()
            if now != wanted:
                good = None
            elif good is None:
                good = time.monotonic()
            elif time.monotonic() - good >= HOLD_S:
                break
        return now

    def _at_rest(self) -> bool:
        """Everything released: nothing is closed, and the controller is there."""
        self._probe.release()
        senses = dict.fromkeys(SEEN_AT, 0) | {"board": 1, "usb": 1}
        self._rig.until(lambda: self._rig.now, HEARD_S)
        now = self._settled(Pair(senses, dict.fromkeys(CONTACTS, 0)))
        good = True
        for name, value in senses.items():
            if now.senses[name] != value:
                what = "shows something" if now.senses[name] else "shows nothing"
                words = f"sense {name} ({SEEN_AT[name]}) {what} while everything is released"
                good = self._say("at rest", words, f"sense.{name}")
        if now.controller is None:
            return self._say("at rest", "the controller is not heard", "switch.usb")
        for name, value in now.controller.items():
            if value:
                words = f"the controller measures {name} while everything is released"
                good = self._say("at rest", words, f"switch.{name}")
        if good:
            self._say("at rest", "everything is open, and the controller is heard")
        return good

    def _supply(self) -> bool:
        self._rig.set(supply="on")
        wanted = Pair(
            dict.fromkeys(SEEN_AT, 0) | {"board": 1, "usb": 1, "supply": 1},
            dict.fromkeys(CONTACTS, 0) | {"supply": 1},
        )
        return self._judge("supply", "on", self._settled(wanted), wanted)

    def _move(self, output: str, state: str) -> None:
        """One output to a state and back; its sense, its contact and nothing else follows."""
        before = self._now()
        assert before.controller is not None
        wanted = Pair(before.senses | {output: 1}, before.controller | {output: 1})
        self._rig.set(**{output: state})
        moved = self._settled(wanted)
        self._rig.set(**{output: next(s for s, high in _states(output) if not high)})
        after = self._settled(before)
        if self._judge(output, state, moved, wanted) and after != before:
            wires = [f"sense.{name}" for name in _differ(after.senses, before.senses)]
            words = f"what switch {output} ({WHERE[output]}) closed does not open again"
            self._say(output, words, *(wires or [f"switch.{output}"]))

    def _judge(self, output: str, state: str, found: Pair, wanted: Pair) -> bool:
        """Name the wire that is wrong, by what followed and what did not."""
        senses = _differ(found.senses, wanted.senses)
        contacts = _differ(found.controller or {}, wanted.controller or {})
        name = f"{output} {state}"
        if not senses and not contacts:
            return self._say(name, f"sense {output} and the controller's contact, and no other")
        return self._say(name, *diagnosis(output, senses, contacts))

    def _usb(self) -> None:
        before = self._now()
        self._gone("usb", "unplugged", "plugged", before)

    def _board(self) -> None:
        before = self._now()
        boot = self._rig.seen[-1].boot
        if self._gone("board", "off", "on", before) and self._rig.seen[-1].boot == boot:
            words = f"switch board ({WHERE['board']}) does not start the controller anew: cut"
            self._say("board", words, "switch.board")

    def _gone(self, output: str, off: str, on: str, before: Pair) -> bool:
        """An output that takes the controller away."""
        self._rig.set(**{output: off})
        levels = dict(before.senses) | {output: 0}
        there = not self._rig.until(lambda: self._rig.now is None, FOLLOW_S)
        senses = self._probe.levels()
        self._rig.set(**{output: on})
        again = self._rig.until(lambda: self._rig.now is not None, HEARD_S)
        differ = _differ(senses, levels)
        if there and output in differ:
            words = f"switch {output} ({WHERE[output]}) takes nothing away: cut"
            return self._say(output, words, f"switch.{output}")
        if output in differ:
            words = f"sense {output} ({SEEN_AT[output]}) does not show it: cut"
            return self._say(output, words, f"sense.{output}")
        if there or not again:
            words = f"the controller is {'still' if there else 'no more'} heard"
            return self._say(output, f"switch {output}: {words}", f"switch.{output}")
        return self._say(output, f"sense {output}, and the controller is gone and comes again")

    # --- what was timed

    def _path(self) -> tuple[float, float] | None:
        """From each pin until its sense showed it."""
        trace = self._probe.read()
        times = []
        for done in self._probe.done:
            value = int(done.state not in ("open", "operation", "off", "unplugged"))
            edge = trace.edge(done.output, value, done.us)
            if edge is not None and trace.at(done.output, done.us - 1) != value:
                times.append((edge.us - done.us) / 1000)
        if not times:
            return None
        path = (round(quantile(sorted(times), 0.5), 3), max(times))
        if path[1] * 1000 > PATH_US and not any(check.wires for check in self.found):
            self._say("path", f"a contact took {path[1]:.1f} ms to move", "switch")
        return path

    def _clock(self, ahead: float, wrong: float) -> None:
        words = f"the probe's clock goes {ahead:+.0f} ppm (+-{wrong:.0f}) against this computer's"
        wires = ("clock",) if abs(ahead) - wrong > DRIFT_PPM else ()
        self._say("clock", words, *wires)

    # --- with power

    def _in_run(self) -> tuple[float | None, float | None]:
        """Drives, load and fail-safe. What was moved before may have locked the controller out;
        the way out proves the key switch and the board's power once more."""
        try:
            self._rig.set(**OPERATION)
            self._rig.prepare()
            clock = self._probe.arm()
            if not self._rig.reset():
                self._say(
                    "run", f"a reset does not lead to RUN: {self._rig.told()}", *self._dead()
                )
                return None, None
        except RigFailed as error:
            self._say("run", str(error), "controller")
            return None, None
        self._rig.wait(HOLD_S)
        good = True
        for name, words in self._drives(self._probe.read()):
            good = self._say("run", words, f"sense.{name}")
        if not good:
            return None, None
        self._say("run", "drives, load and mirror contacts, in RUN and on the way there")
        return self._silent(clock)

    def _dead(self) -> list[str]:
        senses = self._probe.levels()
        return [f"sense.{name}" for name in ("k1_pulses", "k2") if not senses[name]] or ["run"]

    @staticmethod
    def _drives(trace: Trace) -> Iterator[tuple[str, str]]:
        """What is wrong with the senses of drives and load, from how a start-up looks: K2 alone,
        K1 alone, then both."""
        levels = dict(trace.first)
        alone = {"k1_pulses": False, "k2": False}
        early = False
        for edge in trace.edges:
            levels[edge.sense] = edge.value
            open_1, open_2 = not levels["mirror_1"], not levels["mirror_2"]
            driven_1, driven_2 = bool(levels["k1_pulses"]), bool(levels["k2"])
            if open_1 and not open_2 and driven_1 and not driven_2:
                alone["k1_pulses"] = True
            if open_2 and not open_1 and driven_2 and not driven_1:
                alone["k2"] = True
            early = early or (bool(levels["load"]) and open_1 != open_2)
        for name, number in (("k1_pulses", 1), ("k2", 2)):
            if not levels[name]:
                yield name, f"sense {name} ({SEEN_AT[name]}) shows nothing in RUN: cut"
            elif not alone[name]:
                yield name, f"sense {name} ({SEEN_AT[name]}) is not of K{number}: crossed"
        if not levels["load"]:
            yield "load", f"sense load ({SEEN_AT['load']}) shows nothing in RUN: cut"
        elif early:
            yield "load", f"sense load ({SEEN_AT['load']}) shows voltage with one relay alone"

    def _silent(self, clock: Clock) -> tuple[float | None, float | None]:
        """This host says nothing, as if it had died: the probe stops the robot by itself."""
        begun = time.monotonic()
        self._probe.turn()
        clock = self._probe.sync()
        last = clock.us(time.monotonic())
        time.sleep(QUIET_S)
        trace = self._probe.read()
        released = trace.edge("contact_a", 0, clock.us(begun))
        off = trace.edge("load", 0, clock.us(begun))
        if not self._probe.silent or released is None or off is None:
            self._say("fail-safe", "the probe does not let go when its host is silent", "probe")
            return None, None
        silence, stop = (released.us - last) / 1000, (off.us - released.us) / 1000
        if released.us - last > SILENCE_US[1] or released.us > off.us:
            words = f"the probe let go {silence:.0f} ms after its host's last word"
            self._say("fail-safe", words, "probe")
        else:
            words = "the host was silent: the probe released everything, and the load went off"
            self._say("fail-safe", words)
        return silence, stop


def diagnosis(output: str, senses: list[str], contacts: list[str]) -> list[str]:
    """In words, and the wires; from the senses and the contacts that are not as wanted."""
    where = f"switch {output} ({WHERE[output]})"
    sense = f"sense {output} ({SEEN_AT[output]})"
    others = [one for one in senses if one != output]
    both = [one for one in others if one in contacts]
    if output in senses and output in contacts:
        if both:
            words = f"{where} moves {', '.join(both)}: crossed"
            return [words, f"switch.{output}", *(f"switch.{one}" for one in both)]
        return [f"{where} moves nothing: cut", f"switch.{output}"]
    if output in senses:
        crossed = f"is crossed with {', '.join(others)}" if others else "does not show it: cut"
        return [f"{sense} {crossed}", f"sense.{output}", *(f"sense.{one}" for one in others)]
    if output in contacts:
        words = f"{where}: the controller does not measure it: cut behind the harness"
        return [words, f"switch.{output}"]
    more = dict.fromkeys([*others, *contacts])
    words = f"{where} moves {', '.join(more)} too: they touch"
    kinds = [f"{'switch' if one in WHERE else 'sense'}.{one}" for one in more]
    return [words, f"switch.{output}", *kinds]


def _states(output: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return next(states for name, states, _ in harness.OUTPUTS if name == output)


def _differ(found: Mapping[str, int], wanted: Mapping[str, int]) -> list[str]:
    return [name for name in wanted if found.get(name) != wanted[name]]


def _ahead(first: Clock, last: Clock) -> tuple[float, float]:
    """How much faster the probe's clock goes, and how far that can be wrong, ppm."""
    seconds = time.monotonic() - first.zero_s
    drift = first.zero_s - last.zero_s
    return drift / seconds * 1e6, (first.wrong_s + last.wrong_s) / seconds * 1e6


def selftest(rig: RealRig, probe: Probe) -> Selftest:
    """Prove the rig. Leaves everything released."""
    found = Examiner(rig, probe).run()
    rig.until(lambda: rig.is_state(State.STOPPED, State.LOCKOUT), FOLLOW_S)
    return found
