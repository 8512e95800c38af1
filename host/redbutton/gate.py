"""The gate's rules on the controller's state: may this command pass? (SR-10, SR-24)

Pure: no ROS, no clock of its own. Default is refusal. The first rule that objects names itself:

1. the command is well-formed and finite;
2. the controller was heard, freshly, and measured RUN with the load on;
3. the command was made after the reset, and recently;
4. after every stop each stream of commands was at rest once: a command that moves nothing, or a
   silence. A planner that goes on sending what it sent before the reset has given no new command;
5. the command is within the limits of its input;
6. no input of higher priority is in use on the same output;
7. the checks of the robot's profile, if it has one.

A stream is an input or an action. When the input that moves an output is refused or falls silent,
the output is told to rest.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from redbutton.conduct import ConductWatch, Offence
from redbutton.crossing import Input
from redbutton.model import SafetyState

COMMAND_AGE_S = 0.25
REST_S = 0.5


@dataclass(frozen=True)
class Command:
    """What rules look at. `values`: all numbers of the message; `linear` (m/s) and `angular`
    (rad/s): its speeds, where it has any; `problem`: what is wrong with its shape.

    `lasts`: it goes on moving the robot without being renewed, as a trajectory does.
    """

    values: tuple[float, ...] = ()
    moves: bool = True
    linear: float = 0.0
    angular: float = 0.0
    problem: str = ""
    lasts: bool = False


@dataclass(frozen=True)
class Passage:
    """Whether the command passes; if not, why, and whether its output must rest now.

    `offence`: what it counts as; None for what only came at a wrong time.
    """

    passed: bool
    reason: str = ""
    rest: bool = False
    offence: Offence | None = None


@dataclass
class _Stream:
    """`rested`: since the stop. `heard`, `used`: when a command last came, and last passed."""

    rested: bool = False
    heard: float = float("-inf")
    used: float = float("-inf")
    input: Input | None = None


@dataclass
class _Motion:
    """What an output was last told: by which stream, when, and whether that must be renewed."""

    stream: _Stream
    since: float
    lasts: bool


Check = Callable[[], str]  # why a command may not pass, or ""


def unchecked() -> str:
    """Without a profile."""
    return ""


class Gate:
    """Remembers since when the robot may run, and which commands have come to rest.

    Counts what passed and what it refused; `refusal` is why the last command was refused, or "".
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        actions: Sequence[str] = (),
        command_age_s: float = COMMAND_AGE_S,
        rest_s: float = REST_S,
        conduct: ConductWatch | None = None,
    ) -> None:
        """`actions`: their names. `command_age_s`: how old a command may be. `rest_s`: silence
        that counts as rest. `conduct`: where offences are counted."""
        self._conduct = conduct or ConductWatch()
        self._command_age_s = command_age_s
        self._rest_s = rest_s
        self._running_since: float | None = None
        self._inputs = {entry.name: _Stream(input=entry) for entry in inputs}
        self._actions = {name: _Stream() for name in actions}
        self._moving: dict[str, _Motion] = {}  # by output
        self.passed = 0
        self.refused = 0
        self.refusal = ""

    @property
    def running(self) -> bool:
        """Whether the robot might run when the state was last observed."""
        return self._running_since is not None

    def observe(self, state: SafetyState, now: float) -> bool:
        """Take the present state; True while the robot may run. Call before each command."""
        if not state.running:
            self._running_since = None
            self._moving.clear()
            for stream in (*self._inputs.values(), *self._actions.values()):
                stream.rested = False
                stream.used = float("-inf")
        elif self._running_since is None:
            self._running_since = now
        return state.running

    def command(
        self,
        name: str,
        command: Command,
        made: float,
        state: SafetyState,
        now: float,
        check: Check = unchecked,
    ) -> Passage:
        """May a command of an input pass? `made`: when it was made, on the clock of `now`."""
        stream = self._inputs[name]
        assert stream.input is not None
        verdict = self._judged(stream, command, made, state, now, check)
        output = stream.input.output
        moving = self._moving.get(output)
        if verdict.passed and command.moves:
            self._moving[output] = _Motion(stream, now, command.lasts)
        elif moving is not None and (verdict.passed or moving.stream is stream):
            del self._moving[output]
            return Passage(verdict.passed, verdict.reason, rest=not verdict.passed)
        return verdict

    def goal(
        self,
        name: str,
        server_is_there: bool,
        state: SafetyState,
        now: float,
        check: Check = unchecked,
    ) -> Passage:
        """May a goal for an action pass, that is received now?"""
        if not server_is_there:
            return self._counted(Passage(False, f"the robot has no server for {name}"), now)
        return self._judged(self._actions[name], Command(), now, state, now, check)

    def run_out(self, now: float) -> list[str]:
        """The outputs whose last motion was not renewed for `rest_s`; each is named once."""
        silent = [
            output
            for output, motion in self._moving.items()
            if not motion.lasts and now - motion.since >= self._rest_s
        ]
        for output in silent:
            del self._moving[output]
        return silent

    def rest(self, name: str) -> str | None:
        """An input has broken its promise; the output that it moved and that must rest now."""
        stream = self._inputs[name]
        for output, motion in self._moving.items():
            if motion.stream is stream and not motion.lasts:
                del self._moving[output]
                return output
        return None

    def silence(self, name: str, now: float) -> float:
        """For how long nothing has come from an input, in seconds."""
        return now - self._inputs[name].heard

    def _judged(
        self,
        stream: _Stream,
        command: Command,
        made: float,
        state: SafetyState,
        now: float,
        check: Check,
    ) -> Passage:
        verdict = self._judge(stream, command, made, state, now)
        if verdict.passed and (objection := check()):
            verdict = Passage(False, objection, offence=Offence.REFUSED)
        stream.heard = now
        if verdict.passed:
            stream.used = now
        return self._counted(verdict, now)

    def _counted(self, verdict: Passage, now: float) -> Passage:
        self.refusal = verdict.reason
        if verdict.offence is not None:
            self._conduct.count(verdict.offence, now)
        if verdict.passed:
            self.passed += 1
        else:
            self.refused += 1
        return verdict

    def _judge(
        self, stream: _Stream, command: Command, made: float, state: SafetyState, now: float
    ) -> Passage:
        self.observe(state, now)
        if command.problem:
            return Passage(False, command.problem, offence=Offence.MALFORMED)
        if not all(map(math.isfinite, command.values)):
            return Passage(False, "not finite", offence=Offence.MALFORMED)
        if self._running_since is None:
            return Passage(False, f"not running: {state.sentence()}")
        if made < self._running_since:
            return Passage(False, "made before the reset")
        if now - made > self._command_age_s:
            return Passage(False, f"stale: made {now - made:.2f} s ago")
        if made - now > self._command_age_s:
            return Passage(False, f"made {made - now:.2f} s in the future")
        if not stream.rested and command.moves and now - stream.heard < self._rest_s:
            return Passage(False, "no new command since the reset: the one from before goes on")
        if stream.input is not None:
            if beyond := _beyond(stream.input, command):
                return Passage(False, beyond, offence=Offence.REFUSED)
            if higher := self._in_use_above(stream.input, now):
                return Passage(False, f"{higher} has priority")
        stream.rested = True
        return Passage(True)

    def _in_use_above(self, entry: Input, now: float) -> str | None:
        """The name of an input of higher priority that is in use on the same output."""
        for name, other in self._inputs.items():
            assert other.input is not None
            if (
                other.input.output == entry.output
                and other.input.priority > entry.priority
                and now - other.used < self._rest_s
            ):
                return name
        return None


def _beyond(entry: Input, command: Command) -> str:
    """The limit that a command is beyond, in words, or ""."""
    for what, speed, most, unit in (
        ("linear speed", command.linear, entry.max_linear, "m/s"),
        ("angular speed", command.angular, entry.max_angular, "rad/s"),
    ):
        if most and speed > most:
            return f"{what} {speed:.3g} {unit} is beyond {most:g} {unit} of {entry.name}"
    return ""
