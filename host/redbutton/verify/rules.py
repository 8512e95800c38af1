"""What the requirements say of every tick, in their own words and with their own clocks."""

import itertools
from types import ModuleType
from typing import Any

from redbutton.verify.source import scale

FOREVER = 1 << 29

Letter = tuple[int, int, int]  # elapsed, inputs, heartbeat
State = tuple[Any, ...]


class Violation(Exception):
    """A requirement that does not hold, and why."""

    def __init__(self, requirement: str, text: str) -> None:
        super().__init__(f"{requirement}: {text}")
        self.requirement, self.text = requirement, text


def must(fact: object, requirement: str, text: str) -> None:
    """Violation if this is not so."""
    if not fact:
        raise Violation(requirement, text)


class Monitor:
    """The requirements as a watcher with clocks of its own.

    What it knows it has seen on inputs, outputs and the state word. Of the code under test it
    takes the names of the bits, the steps of TEST, and how late a tick may be: for these the
    requirements give no number.
    """

    def __init__(self, module: ModuleType, base: int, timeout: int, delay: int) -> None:
        m = self.module = module
        ms = {each: scale(each, base) for each in (40, 50, 100, 150, 1000, 3000)}
        self.timeout = min(max(timeout, ms[40]), ms[1000])  # SR-04
        self.delay = min(max(delay, 0), ms[1000])  # SR-05
        self.discrepancy, self.open, self.close = ms[100], ms[100], ms[50]  # SR-11, SR-12
        self.settle, self.press_min, self.press_max = ms[50], ms[150], ms[3000]  # SR-07
        self.late = m.TICK_LATE_MAX
        self.slack = self.late - 1  # what sampling adds to a span that it measures
        self.start: State = (
            (False, 0, 0),  # a reset since the last stop; steps of the test passed, ms in this
            0,  # ms in STOPPING
            (0, 0, 0),  # ms of contacts that disagree, mirror 1 wrong, mirror 2 wrong
            self.timeout,  # age of the last heartbeat
            (False, 0, 0, 0, False),  # of the reset button, see _follow_reset
        )
        self._closed = m.CONTACT_A | m.CONTACT_B | m.SUPPLY | m.LINK_KEY | m.INTERRUPTS
        self._stops = m.KEY_MAINTENANCE | m.STOP_CATEGORY_0 | m.VERSION_DIFFERS
        self._drives_1 = m.K1 | m.K1_LEVEL | m.K1_STARVED

    def watch(self, past: State, before: int, after: int, outputs: int, letter: Letter) -> State:
        """The next past; Violation if this step must not be."""
        m = self.module
        permit, delayed, contacts, age, reset = past
        elapsed, inputs, heartbeat = letter
        late = not 0 <= elapsed <= self.late
        ms = elapsed if 0 <= elapsed <= FOREVER else FOREVER
        age = min(age + ms, self.timeout)
        if 0 <= heartbeat < age:
            age = heartbeat
        asks = inputs & m.STOP_CATEGORY_1
        cause = (
            inputs & self._closed != self._closed
            or inputs & self._stops
            or age >= self.timeout
            or (late and before in (m.TESTING, m.RUN, m.STOPPING))
        )
        if outputs:
            self._check_output(inputs, age, cause, after, outputs)
        if cause:
            must(after in (m.STOPPED, m.LOCKOUT), "SR-03", "a stop cause did not win")
        if asks:
            must(after not in (m.TESTING, m.RUN), "SR-03", "a stop request did not win")
        must(inputs & m.INTERRUPTS or after == m.LOCKOUT, "SR-02", "interrupts lost, no lockout")
        must(before != m.LOCKOUT or after == m.LOCKOUT, "SR-16", "LOCKOUT was left")
        if after == m.STOPPING:
            must(before in (m.RUN, m.STOPPING), "SR-01", "STOPPING was not entered from RUN")
            delayed = delayed + ms if before == m.STOPPING else 0
            must(delayed < self.delay, "SR-05", "STOPPING outlasts its deadline")
            still = before == m.STOPPING and inputs & m.STANDSTILL
            must(not still, "SR-05", "standstill was reported, and STOPPING goes on")
        else:
            delayed = 0
        watched = self.late if late else ms
        contacts = self._follow_contacts(contacts, watched, inputs, before, after)
        quiet = before == m.STOPPED and not (cause or asks or late)
        acts, reset = self._follow_reset(reset, ms, inputs, quiet)
        seen = (
            bool(inputs & m.SUPPLY) and not late
        )  # else mirror contacts prove nothing of the test
        permit = self._follow_permit(permit, ms, inputs, before, after, outputs, acts, seen)
        if after == m.LOCKOUT:
            return self.start  # what was makes no difference any more
        return permit, delayed, contacts, age, reset

    def _check_output(
        self, inputs: int, age: int, cause: object, after: int, outputs: int
    ) -> None:
        """When an output may be on."""
        m = self.module
        must(inputs & m.CONTACT_A, "SR-02", "contact A is open, and an output is on")
        must(inputs & m.CONTACT_B, "SR-02", "contact B is open, and an output is on")
        must(age < self.timeout, "SR-04", "no fresh heartbeat, and an output is on")
        must(not inputs & m.KEY_MAINTENANCE, "SR-16", "an output is on in maintenance")
        must(not inputs & m.STOP_CATEGORY_0, "SR-03", "a stop of category 0 did not win")
        must(not cause, "SR-03", "a stop cause is there, and an output is on")
        must(after in (m.TESTING, m.RUN, m.STOPPING), "SR-01", "an output is on at rest")
        if outputs & self._drives_1 and outputs & m.K2:
            must(after != m.TESTING, "SR-01", "both relays are driven outside RUN and STOPPING")

    def _follow_contacts(
        self, past: State, ms: int, inputs: int, before: int, after: int
    ) -> State:
        """Contacts that contradict while watched lock out. Unsupplied they prove nothing."""
        m = self.module
        split, weld_1, weld_2 = past
        supply = inputs & m.SUPPLY
        differ = bool(inputs & m.CONTACT_A) != bool(inputs & m.CONTACT_B)
        split = split + ms if supply and differ else 0
        must(split <= self.discrepancy or after == m.LOCKOUT, "SR-11", "contacts disagree")
        energised = before in (m.RUN, m.STOPPING)
        judged = supply and before != m.TESTING
        weld_1 = weld_1 + ms if judged and bool(inputs & m.MIRROR_1) == energised else 0
        weld_2 = weld_2 + ms if judged and bool(inputs & m.MIRROR_2) == energised else 0
        if max(weld_1, weld_2) >= (self.open if energised else self.close):
            must(after == m.LOCKOUT, "SR-12", "a mirror contact contradicts its relay")
        if energised != (after in (m.RUN, m.STOPPING)):
            weld_1 = weld_2 = 0
        return split, weld_1, weld_2

    def _follow_permit(
        self,
        past: State,
        ms: int,
        inputs: int,
        before: int,
        after: int,
        outputs: int,
        acts: bool,
        seen: bool,
    ) -> State:
        """The way to RUN: a reset by a person, then every step of the test."""
        m = self.module
        permitted, passed, test_ms = past
        opened = ~inputs & (m.MIRROR_1 | m.MIRROR_2)
        if before == m.TESTING and seen:
            _, may_open, at_end, least, most = m.TEST[passed]
            test_ms += ms
            wrong = opened & ~may_open or (test_ms >= most and opened != at_end)
            must(not wrong or after == m.LOCKOUT, "SR-13", "the test saw a fault and goes on")
            if test_ms >= least and opened == at_end:
                passed, test_ms = passed + 1, 0
        if after != before and after in (m.TESTING, m.RUN):
            must(not opened, "SR-12", "a mirror contact is open before energising")
        if after == m.TESTING and before != m.TESTING:
            must(before == m.STOPPED and acts, "SR-07", "TESTING without a reset")
            permitted, passed, test_ms = True, 0, 0
        if after == m.RUN and before != m.RUN:
            must(before == m.TESTING, "SR-13", "RUN without a test")
            must(passed == len(m.TEST), "SR-13", "RUN before every step of the test has passed")
        if after == m.TESTING:
            must(passed < len(m.TEST), "SR-13", "the test does not end")
            must(outputs == m.TEST[passed][0], "SR-13", "not the step of the test that is due")
        else:
            passed = test_ms = 0
            permitted = permitted and after in (m.RUN, m.STOPPING)
        must(not outputs or permitted, "SR-07", "no reset since the last stop")
        return permitted, passed, test_ms

    def _follow_reset(self, past: State, ms: int, inputs: int, quiet: bool) -> tuple[bool, State]:
        """What a person with a stopwatch says of the reset button: whether a release acts now.

        Since the last cause: the contact was at rest, then closed, once at least without bounce,
        never longer than the longest press; from its first closing to its last for the shortest.
        """
        ready, rest, span, held, steady = past
        if not quiet:
            ready, span, held, steady = False, 0, 0, False
        acts = False
        if inputs & self.module.RESET_PRESSED:
            rest = 0
            if ready:
                span, held = span + ms, held + ms
                steady = steady or held >= self.settle
                if held > self.press_max + self.slack:
                    ready, span, held, steady = False, 0, 0, False
        else:
            rest, held = rest + ms, 0
            span += ms if span else 0
            if rest >= self.settle:
                acts = ready and steady and span - rest >= self.press_min - self.slack
                ready, rest, span, steady = quiet, self.settle, 0, False
        span = min(span, self.press_min + self.settle)
        return acts, (ready, rest, span, held, steady)


def check_start(module: ModuleType, base: int) -> None:
    """How a controller starts, and what its tables must hold."""
    m = module
    boots = (m.POWER_UP, m.WATCHDOG_RESET, m.BROWN_OUT)
    for boot, lockout, key in itertools.product(boots, (0, m.DISCREPANCY), (False, True)):
        made = m.Decide(FOREVER, FOREVER, boot, lockout, key)
        over = not lockout or (key and boot == m.POWER_UP)
        if made.state != (m.STOPPED if over else m.LOCKOUT):
            raise Violation("SR-16", "a recorded lockout is left without key and power-up")
        if not made.causes & boot:
            raise Violation("SR-09", "the cause of the start is not recorded")
        if made.heartbeat_timeout > scale(1000, base):
            raise Violation("SR-04", "the heartbeat's timeout is not clamped")
        if made.stop_delay > scale(1000, base):
            raise Violation("SR-05", "the stop delay is not clamped")
    if m.Decide(0, 0, m.POWER_UP).heartbeat_timeout < scale(40, base):
        raise Violation("SR-04", "the heartbeat's timeout is not clamped")
    if set(m.TABLE[m.LOCKOUT]) != {0, m.LOCKOUT}:
        raise Violation("SR-16", "the table leads out of LOCKOUT")
    rows = [row[:3] for row in m.TEST]
    for row in (m.K1_STARVED, 0, 0), (m.K1_LEVEL, 0, 0), (m.K2 | m.WATCHDOG_STARVED, 0, 0):
        if row not in rows:
            raise Violation("SR-13", "the test leaves out a means of stopping")


def check_end(module: ModuleType) -> None:
    """What the test before energising must also do, if no tick of it was wrong."""
    m = module
    rows = [row[:3] for row in m.TEST]
    for relay, mirror in (m.K1, m.MIRROR_1), (m.K2, m.MIRROR_2):
        if (relay, mirror, mirror) not in rows:
            raise Violation("SR-13", "the test does not move each relay alone")
