"""The planner's own processes at a stop: frozen until the controller is measured RUN, or killed.

By the control group (cgroup v2, kernel's Documentation/admin-guide/cgroup-v2.rst) that they are
in: a systemd unit or slice, a container. One write of one byte to `cgroup.freeze` or
`cgroup.kill`, made after the stop request is on its way; stopping never waits for it and does not
depend on it. What the kernel then says (`cgroup.events`) is what is told.

- On a stop is: as soon as somebody here asks for one, and for as long as the controller is
  measured in any state but RUN. So it holds over a restart of this program, and for a planner that
  is started meanwhile. While the controller is not heard nothing changes.
- Killed is once for each stop. What starts it again is not ours to say.
"""

import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pydantic import Field, model_validator
from typing_extensions import Self

from redbutton.document import Misplaced, Part
from redbutton.errors import PlannerUnitWrong

AGAIN_S = 1.0
LOOK_S = 0.05  # until the kernel has done it
MOUNTS = Path("/proc/self/mounts")
OWN_CGROUP = Path("/proc/self/cgroup")


class OnStop(str, Enum):
    """What becomes of the planner."""

    NONE = "none"
    FREEZE = "freeze"
    KILL = "kill"


class PlannerConfiguration(Part):
    """`unit`: a systemd service or scope below system.slice, or a slice. `cgroup`: any other
    control group, by its path below the root of cgroup v2. `user`: as whom it runs, who is kept
    out of port and key (`redbutton doctor`)."""

    user: str | None = None
    unit: str | None = Field(default=None, pattern=r"^[A-Za-z0-9:_.@\\-]+\.(service|scope|slice)$")
    cgroup: str | None = Field(default=None, min_length=1, max_length=4000)
    on_stop: OnStop = OnStop.NONE

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.unit is not None and self.cgroup is not None:
            raise Misplaced(("cgroup",), "unit says which already")
        if self.on_stop is not OnStop.NONE and self.unit is None and self.cgroup is None:
            raise Misplaced(("on_stop",), "needs unit or cgroup: whose processes")
        if self.cgroup is not None and (
            ".." in Path(self.cgroup).parts or not self.cgroup.strip("/.")
        ):
            raise Misplaced(("cgroup",), "is no path below the root of cgroup v2")
        return self

    @property
    def path(self) -> str:
        """Below the root of cgroup v2. A slice a-b.slice is in a.slice (systemd.slice(5))."""
        if self.unit is None:
            return (self.cgroup or "").strip("/")
        if not self.unit.endswith(".slice"):
            return f"system.slice/{self.unit}"
        words = self.unit.removesuffix(".slice").split("-")
        return "/".join("-".join(words[: i + 1]) + ".slice" for i in range(len(words)))


@dataclass(frozen=True)
class PlannerActed:
    """The kernel was told to `action` (freeze, thaw, kill) `cgroup`. `problem`: why it was not."""

    action: str
    cgroup: str
    problem: str = ""

    def sentence(self) -> str:
        """One line for a person."""
        if self.problem:
            return f"planner: cannot {self.action} {self.cgroup}: {self.problem}"
        return f"planner: {self.action} {self.cgroup}"


def unit_of(configuration: PlannerConfiguration) -> "PlannerUnit | None":
    """None if nothing is to be done. PlannerUnitWrong if nothing could ever be done."""
    if configuration.on_stop is OnStop.NONE:
        return None
    root = _root()
    own = next(
        line.removeprefix("0::/")
        for line in OWN_CGROUP.read_text().splitlines()
        if line.startswith("0::")
    )
    path = configuration.path
    if own == path or own.startswith(f"{path}/"):
        raise PlannerUnitWrong(
            f"planner: this program is in {path} itself: with the planner it would stop the "
            "heartbeat, and nobody could thaw it. Run them in control groups of their own"
        )
    return PlannerUnit(root / path, configuration.on_stop)


def _root() -> Path:
    for line in MOUNTS.read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    raise PlannerUnitWrong("planner: this system has no cgroup v2, so nothing can be frozen")


class PlannerUnit:
    """`notice`: what is to be said of it now, or "". `turn` never raises and never waits."""

    def __init__(self, cgroup: Path, on_stop: OnStop) -> None:
        self._cgroup = cgroup
        self._freezes = on_stop is OnStop.FREEZE
        self._held: bool | None = None  # None: the controller was not heard yet
        self._awaited = False  # a stop was asked for, and not measured yet
        self._again = 0.0
        self._look = 0.0
        self._done = True
        self._problem = ""
        self.notice = ""

    def stop_asked(self, now: float) -> list[PlannerActed]:
        """A stop request was sent: at once, and RUN is not believed before it was left."""
        self._awaited = True
        return self._hold(now)

    def turn(self, running: bool | None, now: float) -> list[PlannerActed]:
        """`running`: whether the controller is measured RUN; None: it is not heard."""
        acted: list[PlannerActed] = []
        if running is False:
            self._awaited = False
            acted = self._hold(now)
        elif running and not self._awaited:
            acted = self._release(now)
        if now >= self._look:
            self._observe(now)
        return acted

    def _hold(self, now: float) -> list[PlannerActed]:
        first = self._held is not True
        if not first and (now < self._again or not (self._freezes or self._problem)):
            return []
        self._held = True
        if self._freezes:
            return self._write("freeze", "cgroup.freeze", b"1", first, now)
        return self._write("kill", "cgroup.kill", b"1", first, now)

    def _release(self, now: float) -> list[PlannerActed]:
        first = self._held is not False
        if not first and (now < self._again or not self._problem):
            return []
        self._held = False
        if not self._freezes:
            self._problem = self.notice = ""
            return []
        return self._write("thaw", "cgroup.freeze", b"0", first, now)

    def _write(
        self, action: str, file: str, data: bytes, first: bool, now: float
    ) -> list[PlannerActed]:
        """One byte; what is to be told of it: the first time, and when it begins to fail."""
        self._again = now + AGAIN_S
        self._look = now
        self._done = False
        before, self._problem = self._problem, ""
        try:
            handle = os.open(self._cgroup / file, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                os.write(handle, data)
            finally:
                os.close(handle)
        except OSError as error:
            self._problem = error.strerror or str(error)
        if first or self._problem != before:
            return [PlannerActed(action, str(self._cgroup), self._problem)]
        return []

    def _observe(self, now: float) -> None:
        """What the kernel says has become of it."""
        if self._held is None or (self._done and self._held and not self._freezes):
            return  # killed once: what starts it again is another one
        wanted = "thawed" if not self._held else "frozen" if self._freezes else "killed"
        events = self._events()
        self._done = {
            "thawed": events.get("frozen") == "0",
            "frozen": events.get("frozen") == "1",
            "killed": events.get("populated") == "0",
        }[wanted]
        self._look = now + (AGAIN_S if self._done or self._problem else LOOK_S)
        if self._problem:
            self.notice = f"the planner is NOT {wanted}: {self._cgroup}: {self._problem}"
        elif not self._done:
            self.notice = f"the planner is not {wanted} yet ({self._cgroup})"
        else:
            self.notice = {"thawed": "", "frozen": "the planner is frozen"}.get(
                wanted, "the planner was killed"
            )

    def _events(self) -> dict[str, str]:
        try:
            text = (self._cgroup / "cgroup.events").read_text()
        except OSError:
            return {}
        return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
