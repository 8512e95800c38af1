"""Defects to plant into a copy of the firmware, so that it is seen what the bench would find.

A defect is found by a run that ends worse than with the sound firmware: the load does what it must
not, or a fault is noticed later, or never.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from redbutton.bench.faults import FAULTS
from redbutton.bench.run import FROM_POWER_UP, Outcome, Placed, Plan, Result, run
from redbutton.bench.scenario import shipped
from redbutton.verify.seeds import BUGS
from redbutton.virtual.board import FIRMWARE

SEARCHED = ("stop-request", "button")


@dataclass(frozen=True)
class Defect:
    """What goes wrong, and the places in a file of the firmware that make it so: (old, new)."""

    what: str
    file: str
    edits: tuple[tuple[str, str], ...]

    def plant(self, folder: Path) -> tuple[Path, ...]:
        """The firmware with this defect, as folders for a board. ValueError if the text of the
        firmware has changed, so that it does not fit any more."""
        text = (FIRMWARE / self.file).read_text()
        for old, new in self.edits:
            if text.count(old) != 1:
                raise ValueError(f"not once in {self.file}: {old!r}")
            text = text.replace(old, new)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / self.file).write_text(text)
        return folder, FIRMWARE


DEFECTS: dict[str, Defect] = {
    **{name: Defect(bug.what, "decide.py", bug.edits) for name, bug in BUGS.items()},
    "no-latch": Defect(
        "the robot runs again as soon as every stop cause is gone",
        "decide.py",
        (
            (
                "STOPPED: (0, LOCKOUT, STOPPED, STOPPED, STOPPED, TESTING, STOPPED, STOPPED)",
                "STOPPED: (0, LOCKOUT, STOPPED, STOPPED, STOPPED, TESTING, STOPPED, RUN)",
            ),
        ),
    ),
    "no-discrepancy-check": Defect(
        "contacts may disagree for ever",
        "decide.py",
        (("if self._discrepancy > DISCREPANCY_MAX:", "if False:"),),
    ),
    "heartbeat-late": Defect(
        "the heartbeat's timeout is three times too long",
        "decide.py",
        (("if age >= self.heartbeat_timeout:", "if age >= 3 * self.heartbeat_timeout:"),),
    ),
    "mirrors-unchecked-in-run": Defect(
        "a mirror contact that stays closed while its relay is on is not noticed",
        "decide.py",
        (("limit = MIRROR_OPEN_MAX if energised", "limit = TIMER_MAX + 1 if energised"),),
    ),
    "stop-request-ignored": Defect(
        "software asks for a stop in vain",
        "decide.py",
        (("if inputs & (STOP_CATEGORY_0 | STOP_CATEGORY_1):", "if False:"),),
    ),
    "supply-ignored": Defect(
        "a lost supply does not stop",
        "decide.py",
        (("            present |= BROWN_OUT\n", "            pass\n"),),
    ),
    "k1-never-off": Defect(
        "the loop does not end K1's pulses",
        "board.py",
        (
            (
                "            else:\n                self._k1.off()\n",
                "            else:\n                pass\n",
            ),
        ),
    ),
    "k2-never-off": Defect(
        "the loop does not switch K2 off",
        "board.py",
        (
            (
                "self._k2.value(1 if outputs & decide.K2 else 0)",
                "if outputs & decide.K2:\n                self._k2.value(1)",
            ),
        ),
    ),
    "lost-interrupts-unnoticed": Defect(
        "the board always says that it has its interrupts",
        "board.py",
        (("if self._irq_a.trigger() and self._irq_b.trigger():", "if True:"),),
    ),
    "watchdog-always-fed": Defect(
        "K2's watchdog is fed in the test too",
        "board.py",
        (("if not outputs & decide.WATCHDOG_STARVED:", "if True:"),),
    ),
    "stale-nonce-accepted": Defect(
        "the answer to a challenge of long ago counts",
        "link.py",
        (("        live = -1\n", "        live = self._newest\n"),),
    ),
    "forged-heartbeat-accepted": Defect(
        "the tag of a heartbeat is not looked at",
        "link.py",
        (("elif not self._signer.authentic(sequence, payload):", "elif False:"),),
    ),
}


@dataclass(frozen=True)
class Found:
    """The run that finds a defect, after how many others; None: none of them."""

    plan: Plan | None
    runs: int


def plans() -> Iterator[Plan]:
    """Every scenario without a fault; then those of SEARCHED with every fault that stays, from
    power-up, and with every fault, just before the demand and just after."""
    for name in shipped():
        yield Plan(scenario=name)
    for name in SEARCHED:
        demand = shipped()[name].demand or 0
        for at in (FROM_POWER_UP, demand - 1, demand + 1):
            for fault in FAULTS.values():
                if fault.lasting or at >= 0:
                    yield Plan(scenario=name, faults=(Placed(fault=fault.name, at=at),))


def find(defect: Defect, plans: Iterable[Plan], folder: Path) -> Found:
    """Go through the runs until one finds it."""
    firmware = defect.plant(folder)
    runs = 0
    for runs, plan in enumerate(plans, start=1):
        if finds(plan, firmware):
            return Found(plan, runs)
    return Found(None, runs)


def finds(plan: Plan, firmware: tuple[Path, ...]) -> bool:
    """Whether a run tells this firmware from the sound one: its outcome is worse, or without a
    fault the load does not do what is expected."""
    result, sound = _result(plan, firmware), _result(plan, (FIRMWARE,))
    if not plan.faults:
        return result.words != sound.words
    order = list(Outcome)
    return order.index(result.outcome) > order.index(sound.outcome)


@cache
def _result(plan: Plan, firmware: tuple[Path, ...]) -> Result:
    return run(shipped()[plan.scenario], plan, firmware)[0]
