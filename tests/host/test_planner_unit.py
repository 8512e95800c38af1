"""The planner's processes at a stop: frozen until RUN is measured, or killed; never waited for."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from redbutton import configuration, planner_unit
from redbutton.errors import ConfigurationWrong, PlannerUnitWrong
from redbutton.planner_unit import (
    AGAIN_S,
    OnStop,
    PlannerActed,
    PlannerConfiguration,
    PlannerUnit,
    unit_of,
)


@pytest.fixture
def cgroup(tmp_path: Path) -> Path:
    """A folder that looks like a control group."""
    folder = tmp_path / "planner.slice"
    folder.mkdir()
    (folder / "cgroup.freeze").write_text("0\n")
    (folder / "cgroup.kill").write_text("")
    (folder / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    return folder


def freezing(cgroup: Path) -> PlannerUnit:
    return PlannerUnit(cgroup, OnStop.FREEZE)


def asked(cgroup: Path) -> str:
    """What the kernel was told last."""
    return (cgroup / "cgroup.freeze").read_text().strip()


def says(cgroup: Path, frozen: int, populated: int = 1) -> None:
    """The kernel."""
    (cgroup / "cgroup.events").write_text(f"populated {populated}\nfrozen {frozen}\n")


def test_a_measured_stop_freezes_and_measured_run_thaws(cgroup: Path) -> None:
    unit = freezing(cgroup)
    assert unit.turn(False, 0.0) == [PlannerActed("freeze", str(cgroup))]
    assert asked(cgroup) == "1"
    assert unit.turn(False, 0.1) == []
    assert unit.turn(True, 5.0) == [PlannerActed("thaw", str(cgroup))]
    assert asked(cgroup) == "0"


def test_it_is_frozen_when_a_stop_is_asked_for_and_old_news_of_run_thaw_nothing(
    cgroup: Path,
) -> None:
    unit = freezing(cgroup)
    unit.turn(True, 0.0)
    assert unit.stop_asked(1.0) == [PlannerActed("freeze", str(cgroup))]
    unit.turn(True, 1.01)  # measured before the request arrived
    assert asked(cgroup) == "1"
    unit.turn(False, 1.03)
    unit.turn(None, 1.1)
    assert asked(cgroup) == "1"
    unit.turn(True, 9.0)
    assert asked(cgroup) == "0"


def test_while_the_controller_is_not_heard_nothing_changes(cgroup: Path) -> None:
    unit = freezing(cgroup)
    assert unit.turn(None, 0.0) == []
    assert asked(cgroup) == "0"
    unit.turn(False, 1.0)
    assert unit.turn(None, 100.0) == []
    assert asked(cgroup) == "1"


def test_a_restart_while_it_is_frozen_thaws_nothing_before_run_is_measured(cgroup: Path) -> None:
    freezing(cgroup).turn(False, 0.0)
    unit = freezing(cgroup)
    for running in (None, False, None):
        unit.turn(running, 1.0)
        assert asked(cgroup) == "1"
    unit.turn(True, 2.0)
    assert asked(cgroup) == "0"


def test_a_planner_that_is_started_meanwhile_is_frozen_too(cgroup: Path) -> None:
    unit = freezing(cgroup)
    unit.turn(False, 0.0)
    (cgroup / "cgroup.freeze").write_text("0")  # a control group made anew
    unit.turn(False, AGAIN_S)
    assert asked(cgroup) == "1"


@pytest.mark.requirement("SR-21")
def test_frozen_is_said_when_the_kernel_says_it(cgroup: Path) -> None:
    unit = freezing(cgroup)
    unit.turn(False, 0.0)
    assert unit.notice == f"the planner is not frozen yet ({cgroup})"
    says(cgroup, frozen=1)
    unit.turn(False, 0.1)
    assert unit.notice == "the planner is frozen"
    unit.turn(True, 0.2)
    assert unit.notice == f"the planner is not thawed yet ({cgroup})"
    says(cgroup, frozen=0)
    unit.turn(True, 0.3)
    assert unit.notice == ""


def test_what_cannot_be_frozen_is_said_and_tried_again(cgroup: Path) -> None:
    unit = freezing(cgroup)
    freeze = cgroup / "cgroup.freeze"
    freeze.unlink()
    problem = "No such file or directory"
    assert unit.turn(False, 0.0) == [PlannerActed("freeze", str(cgroup), problem)]
    assert unit.notice == f"the planner is NOT frozen: {cgroup}: {problem}"
    assert unit.turn(False, AGAIN_S) == []  # it was said
    freeze.write_text("0")
    says(cgroup, frozen=1)
    assert unit.turn(False, 2 * AGAIN_S) == [PlannerActed("freeze", str(cgroup))]
    assert unit.notice == "the planner is frozen"


def test_a_planner_is_killed_once_a_stop(cgroup: Path) -> None:
    unit = PlannerUnit(cgroup, OnStop.KILL)
    kill = cgroup / "cgroup.kill"
    unit.turn(True, 0.0)
    assert kill.read_text() == ""
    assert unit.stop_asked(1.0) == [PlannerActed("kill", str(cgroup))]
    assert kill.read_text() == "1"
    says(cgroup, frozen=0, populated=0)
    unit.turn(False, 1.1)
    assert unit.notice == "the planner was killed"
    kill.write_text("")
    says(cgroup, frozen=0, populated=1)  # somebody has started it again
    unit.turn(False, 50.0)
    assert (kill.read_text(), unit.notice) == ("", "the planner was killed")
    unit.turn(True, 60.0)
    assert unit.notice == ""
    unit.turn(False, 70.0)
    assert kill.read_text() == "1"


# --- what may be configured


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("unit: planner.service", "system.slice/planner.service"),
        ("unit: planner.slice", "planner.slice"),
        ("unit: lab-robot-planner.slice", "lab.slice/lab-robot.slice/lab-robot-planner.slice"),
        ("cgroup: /system.slice/docker-12ab.scope/", "system.slice/docker-12ab.scope"),
    ],
)
def test_a_unit_or_a_control_group_is_named(tmp_path: Path, text: str, path: str) -> None:
    file = tmp_path / "host.yaml"
    file.write_text(f"planner:\n  on_stop: freeze\n  {text}\n")
    assert configuration.load(file).planner.path == path


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("on_stop: freeze", "on_stop: needs unit or cgroup"),
        ("on_stop: pause", "on_stop: "),
        ("unit: planner", "unit: "),
        ("unit: ../planner.service", "unit: "),
        ("cgroup: a/../../b", "cgroup: is no path below"),
        ("cgroup: /", "cgroup: is no path below"),
        ("cgroup: a\n  unit: b.slice", "cgroup: unit says which already"),
    ],
)
def test_what_names_none_is_refused(tmp_path: Path, text: str, field: str) -> None:
    file = tmp_path / "host.yaml"
    file.write_text(f"planner:\n  {text}\n")
    with pytest.raises(ConfigurationWrong, match=f"planner.{field}"):
        configuration.load(file)


def freeze(cgroup: str) -> PlannerConfiguration:
    return PlannerConfiguration(cgroup=cgroup, on_stop=OnStop.FREEZE)


def test_our_own_control_group_is_never_the_planners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "cgroup"
    own.write_text("4:memory:/else\n0::/robot.slice/redbutton.service\n")
    monkeypatch.setattr(planner_unit, "OWN_CGROUP", own)
    monkeypatch.setattr(planner_unit, "_root", lambda: tmp_path)
    for path in ("robot.slice", "robot.slice/redbutton.service"):
        with pytest.raises(PlannerUnitWrong, match="nobody could thaw it"):
            unit_of(freeze(path))
    assert unit_of(freeze("robot.slice/red")) is not None
    assert unit_of(PlannerConfiguration(cgroup="robot.slice")) is None


def test_without_cgroup_v2_it_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("cgroup /sys/fs/cgroup/freezer cgroup rw,freezer 0 0\n")
    monkeypatch.setattr(planner_unit, "MOUNTS", mounts)
    with pytest.raises(PlannerUnitWrong, match="no cgroup v2"):
        unit_of(freeze("planner"))


# --- real control groups


@pytest.fixture
def group() -> Iterator[str]:
    """One of our own; not run where none can be made: then only a folder like one was tried."""
    try:
        root = planner_unit._root()
        path = root / f"redbutton-test-{os.getpid()}"
        path.mkdir()
    except (OSError, PlannerUnitWrong) as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        yield path.name
    finally:
        (path / "cgroup.freeze").write_text("0")
        (path / "cgroup.kill").write_text("1")
        end = time.monotonic() + 5
        while (path / "cgroup.procs").read_text() and time.monotonic() < end:
            time.sleep(0.01)
        path.rmdir()


@pytest.fixture
def planner(group: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A planner in it, that counts."""
    code = "import time\nwhile True:\n    print(flush=True)\n    time.sleep(0.005)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    (planner_unit._root() / group / "cgroup.procs").write_text(str(process.pid))
    yield process
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def turn_until(unit: PlannerUnit, running: bool, notice: str) -> bool:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        unit.turn(running, time.monotonic())
        if unit.notice == notice:
            return True
        time.sleep(0.01)
    return False


def counted(planner: "subprocess.Popen[bytes]") -> int:
    """How far it came since the last time."""
    assert planner.stdout is not None
    lines = 0
    while select.select([planner.stdout], [], [], 0)[0]:
        lines += len(os.read(planner.stdout.fileno(), 65536))
    return lines


def test_a_real_planner_stands_still_until_run(
    group: str, planner: "subprocess.Popen[bytes]"
) -> None:
    unit = unit_of(freeze(group))
    assert unit is not None
    unit.stop_asked(time.monotonic())
    assert turn_until(unit, False, "the planner is frozen"), unit.notice
    counted(planner)
    time.sleep(0.3)
    assert counted(planner) == 0
    assert turn_until(unit, True, ""), unit.notice
    time.sleep(1.0)
    assert counted(planner) > 0


def test_a_real_planner_is_killed(group: str, planner: "subprocess.Popen[bytes]") -> None:
    unit = unit_of(PlannerConfiguration(cgroup=group, on_stop=OnStop.KILL))
    assert unit is not None
    assert turn_until(unit, False, "the planner was killed"), unit.notice
    assert planner.wait(5) == -9
