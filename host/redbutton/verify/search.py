"""Every state that the decision can reach, under every combination of inputs; and random walks."""

import itertools
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from types import ModuleType
from typing import Any

from redbutton.verify.rules import (
    FOREVER,
    Letter,
    Monitor,
    State,
    Violation,
    check_end,
    check_start,
)
from redbutton.verify.source import COARSE, load

# Written by `step`, and read by nothing that moves the machine: no part of a state.
RECORD = ("causes", "first", "tripped", "present", "resets_refused")
WALK_MS = (1, 2, 9, 10, 29, 30, 49, 50, 51, 99, 100, 101, 400)
PRESS_MS = (149, 150, 150, 200, 200, 400, 1000, 3000, 3001)


class Alphabet:
    """What may come in with a tick, in classes: each member of a class has the same effect.

    `twin` draws another member. The search steps it too, and so checks the classes everywhere.
    """

    NOTHING, CATEGORY_1, STOP, SPLIT, DARK, DEAF = range(6)

    def __init__(self, module: ModuleType, timeout: int, person: bool = True) -> None:
        m = self.module = module
        self.timeout = timeout
        self.well = m.CONTACT_A | m.CONTACT_B | m.SUPPLY | m.LINK_KEY | m.INTERRUPTS
        self.mirrors = m.MIRROR_1 | m.MIRROR_2
        self.button = m.CONTACT_A | m.CONTACT_B
        self.free = (
            m.STOP_CATEGORY_0
            | m.STOP_CATEGORY_1
            | m.VERSION_DIFFERS
            | m.KEY_MAINTENANCE
            | m.LINK_KEY
        )
        self.soles = (
            m.STOP_CATEGORY_0,
            m.KEY_MAINTENANCE,
            m.LINK_KEY,
            m.VERSION_DIFFERS,
            self.button,
        )
        self.presses = (0, m.RESET_PRESSED) if person else (0,)
        self.of = {state: list(self._letters(state)) for state in m.TABLE}

    def _letters(self, state: int) -> Iterator[tuple[int, Letter]]:
        """One member of each class, plain ones first."""
        m = self.module
        mirrors = (self.mirrors, m.MIRROR_1, m.MIRROR_2, 0)
        beats = (0, *({self.timeout - 1} - {0}), -1)
        times = (*range(1, m.TICK_LATE_MAX + 1), 0, m.TICK_LATE_MAX + 1, FOREVER)
        kinds = {
            self.NOTHING: self.well,
            self.CATEGORY_1: self.well | m.STOP_CATEGORY_1,
            self.STOP: self.well | m.STOP_CATEGORY_0,
            self.SPLIT: self.well & ~m.CONTACT_B,
            self.DARK: self.well & ~m.SUPPLY,
        }
        for ms, beat, (kind, bits) in itertools.product(times, beats, kinds.items()):
            heard = state == m.STOPPING and kind in (self.NOTHING, self.CATEGORY_1)
            seen = kind != self.DARK or state == m.TESTING
            for press, mirror, still in itertools.product(
                self.presses, mirrors if seen else mirrors[:1], (0, m.STANDSTILL)[: 1 + heard]
            ):
                yield kind, (ms, bits | press | mirror | still, beat)
        yield self.DEAF, (1, self.well & ~m.INTERRUPTS | self.mirrors, 0)

    def twin(self, kind: int, letter: Letter, state: int, rng: random.Random) -> Letter:
        """Another member of the letter's class; what makes no difference is thrown with dice."""
        m = self.module
        ms, inputs, beat = letter
        noise = rng.getrandbits(len(m.INPUT_NAMES))
        if kind == self.DEAF:
            noise &= ~(0 if self.presses[1:] else m.RESET_PRESSED)
            return rng.choice((-1, 0, 1, FOREVER)), noise & ~m.INTERRUPTS, rng.randint(-2, 9)
        loose = m.STANDSTILL if state != m.STOPPING or kind > self.CATEGORY_1 else 0
        if kind == self.STOP:  # one stop at least, and any others
            sole = self.soles[int(rng.random() * len(self.soles))]
            inputs = (inputs & ~m.STOP_CATEGORY_0) ^ sole
            loose |= self.free & ~sole
        elif kind == self.SPLIT:
            inputs ^= self.button if noise & 1 else 0
            loose |= self.free
        elif kind == self.DARK:
            loose |= self.free | self.button | (0 if state == m.TESTING else self.mirrors)
        if ms == FOREVER:
            ms = (-1, -FOREVER, m.TIMER_MAX, FOREVER)[int(rng.random() * 4)]
        if beat < 0:
            beat = (-1, -FOREVER, self.timeout, FOREVER)[int(rng.random() * 4)]
        return ms, inputs & ~loose | noise & loose, beat


@dataclass(frozen=True)
class Task:
    """One search, or walk, with a controller of this stop delay.

    `person`: there is a reset button. `twins`: check the classes of inputs and states on the way.
    """

    base: int
    delay: int = FOREVER
    person: bool = True
    twins: bool = False
    bug: str | None = None
    seed: int = 0
    ticks: int = 0  # of a walk

    @property
    def name(self) -> str:
        """For a person."""
        if self.ticks:
            return f"walk {self.seed}, real limits"
        scale = "coarse" if self.base == COARSE else f"base {self.base}"
        delay = "" if self.delay else ", no stop delay"
        return scale + delay + ("" if self.person else ", no reset button")


@dataclass
class Found:
    """What a search has seen."""

    task: Task
    states: int = 0
    transitions: int = 0
    twins: int = 0
    seconds: float = 0.0
    causes: int = 0
    fired: set[tuple[str, str]] = field(default_factory=set)  # (state, trigger)
    shapes: set[State] = field(default_factory=set)
    violation: tuple[str, str] | None = None
    path: list[Letter] = field(default_factory=list)


class Machine:
    """A Decide whose memory is taken out and put back as a tuple."""

    def __init__(self, task: Task) -> None:
        m = self.module = load(task.base, task.bug)
        self.decide = m.Decide(0, task.delay, m.POWER_UP)
        self.memory = vars(self.decide)
        self.monitor = Monitor(m, task.base, 0, task.delay)
        self.fired = m.QUIET
        self.noted = 0  # causes of the last step
        self._names = tuple(name for name in self.memory if name not in RECORD)
        self._take: Callable[[dict[str, Any]], State] = itemgetter(*self._names)
        self._state = self._names.index("state")
        # From here on a timer says nothing new: no comparison tells its values apart.
        tops = {
            "heartbeat_age": self.decide.heartbeat_timeout,
            "_reset_open": m.RESET_SETTLE,
            "_reset_press": m.RESET_PRESS_MAX + 1,
        }
        self._tops = [(self._names.index(name), name, top) for name, top in tops.items()]
        original = m.Decide._trigger

        def recorded(decide: Any, *arguments: int) -> int:
            self.fired = trigger = int(original(decide, *arguments))
            return trigger

        m.Decide._trigger = recorded

    def state(self) -> State:
        """The memory, without what makes no difference; of LOCKOUT nothing does."""
        code = self._take(self.memory)
        if code[self._state] == self.module.LOCKOUT:
            return (self.module.LOCKOUT,)
        for index, _, top in self._tops:
            if code[index] > top:
                code = (*code[:index], top, *code[index + 1 :])
        return code

    def word(self, code: State) -> int:
        """The state word of a state."""
        return int(code[0 if len(code) == 1 else self._state])

    def step(self, code: State, letter: Letter, dice: random.Random | None = None) -> int:
        """One step from this state; what makes no difference is thrown with dice, if any."""
        memory, m = self.memory, self.module
        if len(code) > 1:
            memory.update(zip(self._names, code, strict=True))
        else:
            memory["state"] = m.LOCKOUT
        causes = memory["causes"] = 0
        if dice:
            causes = dice.getrandbits(8)
            memory.update(dict.fromkeys(RECORD, causes))
            for _, name, top in self._tops:
                if memory[name] >= top:
                    memory[name] = top + int(dice.random() * (m.TIMER_MAX + 1 - top))
            for name in self._names if len(code) == 1 else ():
                if name.startswith("_") and name != "_test_step":
                    memory[name] = dice.randint(0, m.TIMER_MAX)
        outputs = int(self.decide.step(*letter))
        self.noted = memory["causes"] & ~causes
        return outputs

    def shape(self) -> State:
        """The memory without its numbers: of each timer, which of its own limits it has reached,
        or whether it runs."""
        m, at = self.module, self.decide
        if at.state == m.LOCKOUT:
            return (at.state,)
        press = at._reset_press
        return (
            at.state,
            at._test_step,
            at._test_time >= m.TEST[at._test_step][3],
            at.heartbeat_age >= at.heartbeat_timeout,
            at._discrepancy > 0,
            at._mirror_1 > 0,
            at._mirror_2 > 0,
            at._reset_level > 0,
            at._reset_settle > 0,
            at._reset_open >= m.RESET_SETTLE,
            (press >= m.RESET_PRESS_MIN) + (press > m.RESET_PRESS_MAX),
            at._reset_void,
        )


def run(task: Task, tell: Callable[[int], None] = lambda transitions: None) -> Found:
    """Do the task, up to the first violation; `tell` hears of progress."""
    found = Found(task)
    begin = time.monotonic()
    machine = Machine(task)
    fired: set[tuple[int, int]] = set()
    try:
        check_start(machine.module, task.base)
        (_walk if task.ticks else _search)(machine, found, fired, tell)
        check_end(machine.module)
        if task.twins and task.person and task.delay:
            _check_reached(machine.module, found, fired)
    except Violation as violation:
        found.violation = (violation.requirement, violation.text)
    m = machine.module
    found.fired = {(m.STATE_NAMES[state], m.TRIGGER_NAMES[trigger]) for state, trigger in fired}
    found.seconds = time.monotonic() - begin
    return found


def _search(
    machine: Machine, found: Found, fired: set[tuple[int, int]], tell: Callable[[int], None]
) -> None:
    """Breadth first, so that the first violation found is one of the nearest."""
    m, task, dice = machine.module, found.task, random.Random(1)
    alphabet = Alphabet(m, machine.decide.heartbeat_timeout, task.person)
    watch = machine.monitor.watch
    start = (machine.state(), machine.monitor.start)
    origin: dict[State, tuple[State, Letter] | None] = {start: None}
    queue = [start]  # grows while it is read
    found.shapes.add(machine.shape())
    differ = ""

    def reach(target: State) -> None:
        if target not in origin:
            origin[target] = (place, letter)
            queue.append(target)
            found.shapes.add(machine.shape())

    for place in queue:
        code, past = place
        before = machine.word(code)
        letters = alphabet.of[before]
        twins = (20 if before == m.LOCKOUT else 1) if task.twins else 0
        letter: Letter = (0, 0, 0)
        try:
            for kind, plain in letters:
                letter = plain
                outputs = machine.step(code, letter)
                after = machine.decide.state
                following = watch(past, before, after, outputs, letter)
                if not task.person and after not in (m.STOPPED, m.LOCKOUT):
                    raise Violation("SR-07", "STOPPED was left, and nobody pressed reset")
                fired.add((before, machine.fired))
                found.causes |= machine.noted
                expected = machine.state()
                reach((expected, following))
                for _ in range(twins):
                    letter = alphabet.twin(kind, plain, before, dice)
                    outputs_2 = machine.step(code, letter, dice)
                    following = watch(past, before, machine.decide.state, outputs_2, letter)
                    found.causes |= machine.noted
                    if outputs_2 != outputs or machine.state() != expected:
                        differ = differ or f"{plain} and {letter} have different effects on {code}"
                        reach((machine.state(), following))
        except Violation:
            found.path = [*_path(origin, place), letter]
            raise
        finally:
            found.states = len(origin)
            found.transitions += len(letters)
            found.twins += twins * len(letters)
        tell(len(letters))
    if differ:
        raise Violation("classes", differ)


def _check_reached(m: ModuleType, found: Found, fired: set[tuple[int, int]]) -> None:
    """No dead rows: each cause is raised, each trigger moves each state that it can."""
    found.causes |= m.POWER_UP | m.WATCHDOG_RESET | m.BROWN_OUT  # `check_start` has seen them
    for bit, (cause, _) in enumerate(m.CAUSES):
        if not found.causes >> bit & 1:
            raise Violation("SR-22", f"nothing raises the cause {cause!r}")
    only = {m.CUT: m.STOPPING, m.RESET: m.STOPPED, m.PASSED: m.TESTING}
    for state, trigger in itertools.product(m.TABLE, range(len(m.TRIGGER_NAMES))):
        if (only.get(trigger, state) == state) != ((state, trigger) in fired):
            name = f"{m.TRIGGER_NAMES[trigger]} in {m.STATE_NAMES[state]}"
            known = "is raised" if (state, trigger) in fired else "is never raised"
            raise Violation("dead row", f"{name} {known}")


def _path(origin: dict[State, tuple[State, Letter] | None], place: State) -> list[Letter]:
    letters = []
    while (step := origin[place]) is not None:
        place, letter = step
        letters.append(letter)
    return letters[::-1]


def _walk(
    machine: Machine, found: Found, fired: set[tuple[int, int]], tell: Callable[[int], None]
) -> None:
    """A robot in use, with everything going wrong: times as the code has them."""
    m, task, dice = machine.module, found.task, random.Random(found.task.seed)
    at, memory = machine.decide, machine.memory
    alphabet = Alphabet(m, at.heartbeat_timeout)
    boot, past = dict(memory), machine.monitor.start
    while found.transitions < task.ticks:
        if at.state == m.LOCKOUT and dice.random() < 0.5:
            memory.update(boot)
            past, found.path = machine.monitor.start, []
        ms, flip, beat = 1, 0, dice.randrange(at.heartbeat_timeout // 2)
        presses = [0] * dice.choice(WALK_MS)
        action = dice.random() if at.state != m.TESTING or dice.random() < 0.1 else 1.0
        if at.state == m.STOPPED and action < 0.4:
            rest = [0] * (m.RESET_SETTLE + 10)
            presses = rest + [m.RESET_PRESSED] * dice.choice(PRESS_MS) + rest
        elif action < 0.6:
            kind, letter = dice.choice(alphabet.of[at.state])
            ms, inputs, beat = alphabet.twin(kind, letter, at.state, dice)
            flip = inputs ^ (alphabet.well | alphabet.mirrors)
            presses = presses if ms == 1 else [0]
        elif action < 0.7:
            flip = 1 << dice.randrange(len(m.INPUT_NAMES))
        elif action < 0.75:
            beat = -1
        for press in presses:
            before = at.state
            opened = alphabet.mirrors if before in (m.RUN, m.STOPPING) else 0
            if before == m.TESTING:
                opened = m.TEST[at._test_step][2]
            letter = (ms, (alphabet.well | alphabet.mirrors & ~opened | press) ^ flip, beat)
            found.path.append(letter)
            memory["causes"] = 0
            outputs = at.step(*letter)
            past = machine.monitor.watch(past, before, at.state, outputs, letter)
            fired.add((before, machine.fired))
            found.causes |= at.causes
            found.shapes.add(machine.shape())
        found.transitions += len(presses)
        tell(len(presses))


@dataclass
class Row:
    """A tick of a path, replayed."""

    letter: Letter
    state: str
    outputs: int
    present: int


def replay(task: Task, path: list[Letter]) -> tuple[list[Row], Violation | None]:
    """The path from power-up on, tick by tick, in the module of the task; how it ends."""
    machine = Machine(task)
    at, past, rows = machine.decide, machine.monitor.start, []
    for letter in path:
        before = at.state
        outputs = at.step(*letter)
        name = machine.module.STATE_NAMES.get(at.state, hex(at.state))
        rows.append(Row(letter, name, outputs, at.present))
        try:
            past = machine.monitor.watch(past, before, at.state, outputs, letter)
        except Violation as violation:
            return rows, violation
    return rows, None
