"""The gate's rules on the controller's state: may this velocity command pass? (SR-10, SR-24)

Pure: no ROS, no clock of its own. Default is refusal. The first rule that objects names itself:

1. the command is finite;
2. the controller was heard, freshly, and measured RUN with the load on;
3. the command was made after the reset, and recently;
4. after every stop the stream of commands was at rest once: a zero command or a silence. A planner
   that goes on sending what it sent before the reset has not given a new command.
"""

import math
from dataclasses import dataclass

from redbutton.model import SafetyState

COMMAND_AGE_S = 0.25
REST_S = 0.5


@dataclass(frozen=True)
class Verdict:
    """Whether the command passes; if not, why."""

    passed: bool
    reason: str = ""


class Gate:
    """Remembers since when the robot may run, and whether the commands have come to rest.

    Counts what passed and what it refused; `refusal` is why the last command was refused, or "".
    """

    def __init__(self, command_age_s: float = COMMAND_AGE_S, rest_s: float = REST_S) -> None:
        """`command_age_s`: how old a command may be. `rest_s`: silence that counts as rest."""
        self._command_age_s = command_age_s
        self._rest_s = rest_s
        self._running_since: float | None = None
        self._rested = False
        self._heard = float("-inf")
        self._moving = False
        self.passed = 0
        self.refused = 0
        self.refusal = ""

    def observe(self, state: SafetyState, now: float) -> bool:
        """Take the present state; True while the robot may run. Call before each command."""
        if not state.running:
            self._running_since = None
            self._rested = False
            self._moving = False
        elif self._running_since is None:
            self._running_since = now
        return state.running

    def command(
        self, values: tuple[float, ...], made: float, state: SafetyState, now: float
    ) -> Verdict:
        """May a command with these components pass? `made`: when it was made, same clock."""
        verdict = self._judge(values, made, state, now)
        self._heard = now
        self.refusal = verdict.reason
        if verdict.passed:
            self.passed += 1
            self._moving = any(values)
        else:
            self.refused += 1
        return verdict

    def run_out(self, now: float) -> bool:
        """True once when the last command that moved the robot was not renewed for `rest_s`."""
        if self._moving and now - self._heard >= self._rest_s:
            self._moving = False
            return True
        return False

    def _judge(
        self, values: tuple[float, ...], made: float, state: SafetyState, now: float
    ) -> Verdict:
        self.observe(state, now)
        if not all(math.isfinite(value) for value in values):
            return Verdict(False, "not finite")
        if self._running_since is None:
            return Verdict(False, f"not running: {state.sentence()}")
        if made < self._running_since:
            return Verdict(False, "made before the reset")
        if now - made > self._command_age_s:
            return Verdict(False, f"stale: made {now - made:.2f} s ago")
        if made - now > self._command_age_s:
            return Verdict(False, f"made {made - now:.2f} s in the future")
        if not self._rested and any(values) and now - self._heard < self._rest_s:
            return Verdict(False, "no new command since the reset: the one from before goes on")
        self._rested = True
        return Verdict(True)
