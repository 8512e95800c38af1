"""`redbutton doctor`: every check on a robot that is well, then with one thing broken at a time.

The robot is an image made by `redbutton install`, with a /sys, /proc and /dev of plain files.
"""

import itertools
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import running
from pytest_mock import MockerFixture
from robot_image import LLM, SERIAL, make_image
from typer.testing import CliRunner

from redbutton.attestation import Configuration, Record, digest, files, record_file
from redbutton.cli import app
from redbutton.doctor import host, port, setting
from redbutton.doctor.checks import CHECKS, examine, next_command
from redbutton.doctor.finding import Finding, Verdict, not_checked, ok, problem
from redbutton.doctor.machine import Machine
from redbutton.errors import NotAllChecked, NotWell
from redbutton.firmware import wire
from redbutton.install.layout import Layout
from redbutton.install.users import User
from redbutton.virtual.board import RealTimeBoard

BY_NAME = {check.name: check for check in CHECKS}
KEY = bytes(range(32))
OWNER = 4242  # a process
HEARD_S = 10.0


def write(path: Path, text: str) -> Path:
    """A file, and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A robot that is well, but that it does not run."""
    image = make_image(tmp_path)
    program = ["--program", "/opt/redbutton/bin/redbutton", "--serial", SERIAL]
    done = CliRunner().invoke(
        app, ["install", "--root", str(image), "--planner-user", LLM, *program]
    )
    assert done.exit_code == 0, done.output
    layout = Layout(root=image)
    write(layout.key_file, KEY.hex()).chmod(0o600)
    record = Record(
        board="e6614c311b7e6f2c",
        key_id=wire.key_id(KEY).hex(),
        configuration=Configuration(heartbeat_timeout_ms=100, stop_delay_ms=0),
    )
    write(record_file(layout.key_file), record.model_dump_json())
    usb = image / "sys/bus/usb/devices/1-1"
    for name, value in {
        "idVendor": "2e8a",
        "idProduct": "0005",
        "serial": SERIAL,
        "power/control": "on",
    }.items():
        write(usb / name, value + "\n")
    (image / "dev").mkdir()
    os.mknod(image / "dev/redbutton", 0o660 | stat.S_IFCHR, os.makedev(1, 3))
    user = Machine(layout).users.find("redbutton")
    assert user is not None
    os.chown(image / "dev/redbutton", user.uid, user.gid)
    os.chmod(image / "dev/redbutton", 0o660)
    write(image / f"proc/{OWNER}/comm", "redbutton\n")
    write(image / f"proc/{OWNER}/cgroup", "0::/system.slice/redbutton.service\n")
    (image / f"proc/{OWNER}/fd").mkdir()
    (image / f"proc/{OWNER}/fd/3").symlink_to(image / "dev/redbutton")
    os.chown(image / f"proc/{OWNER}", user.uid, user.gid)
    write(image / "proc/loadavg", "0.50 0.40 0.30 1/100 4242\n")
    write(image / "proc/sys/kernel/sched_rt_runtime_us", "950000\n")
    write(image / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "schedutil\n")
    return image


@pytest.fixture
def machine(root: Path) -> Machine:
    """That robot, as doctor sees it."""
    return Machine(Layout(root=root), planner_user=LLM, port="/dev/redbutton")


def look(machine: Machine, name: str) -> Finding:
    """What one check finds."""
    return BY_NAME[name].look(machine)


NEED_MORE = {"socket", "controller"}  # a service that runs: further down


@pytest.mark.parametrize("name", [name for name in BY_NAME if name not in NEED_MORE])
def test_a_robot_that_is_well(machine: Machine, name: str, mocker: MockerFixture) -> None:
    adjtimex(mocker, status=0)
    mocker.patch.dict(os.environ, {"ROS_DOMAIN_ID": "7", **ENFORCED})
    parameters = write(machine.at("/gate.yaml"), PARAMETERS.format(domain=42))
    mocker.patch.object(Path, "is_dir", return_value=True)
    machine = Machine(machine.layout, LLM, None, parameters, machine.port)
    found = look(machine, name)
    assert found.verdict is Verdict.OK, found
    assert found.mend is None


ENFORCED = {
    "ROS_SECURITY_ENABLE": "true",
    "ROS_SECURITY_STRATEGY": "Enforce",
    "ROS_SECURITY_KEYSTORE": "/keystore",
}
PARAMETERS = "/**/gate:\n  ros__parameters:\n    planner_domain: {domain}\n"


def append(path: str, text: str) -> Callable[[Path], None]:
    return lambda root: (root / path).open("a").write(text) and None


def put(path: str, text: str) -> Callable[[Path], None]:
    return lambda root: write(root / path, text) and None


def replace(path: str, old: str, new: str) -> Callable[[Path], None]:
    def act(root: Path) -> None:
        text = (root / path).read_text()
        assert old in text
        (root / path).write_text(text.replace(old, new))

    return act


def remove(path: str) -> Callable[[Path], None]:
    return lambda root: (root / path).unlink()


def mode(path: str, value: int) -> Callable[[Path], None]:
    return lambda root: (root / path).chmod(value)


def give(path: str, uid: int) -> Callable[[Path], None]:
    return lambda root: os.chown(root / path, uid, -1)


def member(group: str) -> Callable[[Path], None]:
    return append("etc/group", f"{group}:x:77:{LLM}\n")


USB = "sys/bus/usb/devices/1-1"
UNIT = "etc/systemd/system/redbutton.service"
RULE = "etc/udev/rules.d/70-redbutton.rules"
BROKEN: list[tuple[str, Callable[[Path], None], str, str]] = [
    ("user redbutton", replace("etc/passwd", "redbutton:x", "rb:x"), "no system user", "install"),
    ("user redbutton", replace("etc/passwd", "/usr/sbin/nologin", "/bin/sh"), "log in", "usermod"),
    (
        "planner's user",
        replace("etc/passwd", LLM, "somebody"),
        "does not exist",
        f"useradd -m {LLM}",
    ),
    ("planner's user", replace("etc/passwd", f"{LLM}:x:1001", f"{LLM}:x:0"), "runs as", "useradd"),
    ("planner's user", member("docker"), "as good as root", f"gpasswd -d {LLM} docker"),
    ("planner's user", member("redbutton"), "own the port", f"gpasswd -d {LLM} redbutton"),
    ("configuration", remove("etc/redbutton/host.yaml"), "host.yaml", "install"),
    ("configuration", append("etc/redbutton/host.yaml", "prot: x\n"), "did you mean port", "nano"),
    ("udev rule", remove(RULE), "no udev rule", "redbutton install"),
    ("udev rule", append(RULE, "#\n"), "changed by hand", "--force"),
    ("service", remove(UNIT), "no service", "redbutton install"),
    ("service", replace(UNIT, "PrivateNetwork=yes\n", ""), "changed by hand", "--force"),
    ("program", mode("opt/redbutton/bin/redbutton", 0o777), "others than root", "chmod"),
    ("program", give("opt/redbutton/bin", 1001), "others than root", "chown"),
    ("program", remove("opt/redbutton/bin/redbutton"), "not there", "--program"),
    ("key", remove("etc/redbutton/key"), "no link key", "redbutton install"),
    ("key", mode("etc/redbutton/key", 0o640), "mode 640", "chmod 600"),
    ("key", put("etc/redbutton/key", "abc"), "64 hexadecimal digits", "provision --new-key"),
    ("planner and key", mode("etc/redbutton/key", 0o644), f"{LLM} can open", "chmod 600"),
    ("board", put(f"{USB}/idProduct", "0003"), "in its bootloader", "BOOTSEL"),
    (
        "board",
        put(f"{USB}/serial", "e6614c311b7e6f2d"),
        "another board",
        "--serial e6614c311b7e6f2d",
    ),
    ("board", put(f"{USB}/idVendor", "1d6b"), "not plugged in", "plug it in"),
    ("port", remove("dev/redbutton"), "there is no", "udevadm trigger"),
    ("port", give("dev/redbutton", 1001), "not redbutton's", "udevadm"),
    ("port", mode("dev/redbutton", 0o666), "others can open it", "udevadm"),
    ("planner and port", mode("dev/redbutton", 0o666), f"{LLM} can open", "udevadm"),
    ("USB sleep", put(f"{USB}/power/control", "auto"), "to sleep", "echo on"),
    ("port grabbers", put("proc/55/comm", "brltty\n"), "brltty runs", "disable --now brltty"),
    ("port grabbers", put("proc/55/comm", "ModemManager\n"), "AT commands", "udevadm"),
    ("provisioned", remove("etc/redbutton/key.json"), "was not provisioned", "provision"),
    ("provisioned", put("etc/redbutton/key", "f" * 64), "was given key", "provision"),
    ("provisioned", put("etc/redbutton/key.json", "{"), "is not a record", "provision"),
    (
        "service runs",
        remove("etc/systemd/system/dev-redbutton.device.wants/redbutton.service"),
        "not enabled",
        "systemctl enable",
    ),
    ("owner", remove(f"proc/{OWNER}/fd/3"), "nobody owns the port", "systemctl restart"),
    ("owner", give(f"proc/{OWNER}", 1001), "the planner owns the port", f"kill {OWNER}"),
    ("processor", put("proc/loadavg", "999.00 1 1 1/1 1\n"), "want", "top"),
    (
        "governor",
        put("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
        "powersave",
        "schedutil",
    ),
    (
        "real time",
        put("proc/sys/kernel/sched_rt_runtime_us", "-1\n"),
        "throttling is off",
        "sysctl",
    ),
    ("disk", lambda root: (root / "var/lib/redbutton").rmdir(), "no ", "systemd-tmpfiles"),
]


@pytest.mark.parametrize(("name", "break_it", "says", "mends"), BROKEN)
def test_what_is_broken_is_found_and_said_how_to_mend(
    machine: Machine,
    root: Path,
    name: str,
    break_it: Callable[[Path], None],
    says: str,
    mends: str,
) -> None:
    break_it(root)
    found = look(machine, name)
    assert found.verdict is Verdict.PROBLEM, found
    assert says in found.says
    assert found.mend is not None and mends in found.mend


def test_every_check_is_tried_both_ways() -> None:
    elsewhere = {
        *("Python", "system tools", "socket", "controller", "clock", "monotonic clock"),
        *("ROS domains", "ROS security", "operators"),
    }
    assert {name for name, *_ in BROKEN} | elsewhere == set(BY_NAME)
    assert not {name for name, *_ in BROKEN} & elsewhere


def test_a_package_that_is_missing(machine: Machine, mocker: MockerFixture) -> None:
    mocker.patch.object(setting, "_installed", lambda name: name != "pyserial")
    found = look(machine, "Python")
    assert found.verdict is Verdict.PROBLEM and "pyserial" in found.says
    assert found.mend and "pip install redbutton" in found.mend


def test_tools_that_are_missing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("redbutton.doctor.machine.shutil.which", lambda *_, **__: None)
    found = look(machine, "system tools")
    assert found.mend == "sudo apt-get install systemd udev"


def adjtimex(mocker: MockerFixture, status: int) -> None:
    """A kernel whose clock has this status."""

    def answer(pointer: object) -> int:
        pointer._obj.status = status  # type: ignore[attr-defined]
        return 0

    mocker.patch.object(host.ctypes, "CDLL").return_value.adjtimex = answer


def test_a_clock_that_is_not_synchronised(machine: Machine, mocker: MockerFixture) -> None:
    adjtimex(mocker, status=host.UNSYNCHRONISED)
    found = look(machine, "clock")
    assert found.verdict is Verdict.PROBLEM and "not synchronised" in found.says
    assert found.mend and "timedatectl" in found.mend


def test_a_clock_that_does_not_go(machine: Machine, mocker: MockerFixture) -> None:
    mocker.patch.object(host.time, "monotonic", return_value=5.0)
    assert look(machine, "monotonic clock").verdict is Verdict.PROBLEM


@pytest.mark.parametrize(
    ("robot", "planner", "says"),
    [
        ("7", 7, "is the robot's, 7"),
        ("7", -1, "share one ROS domain"),
        ("", 42, "ROS_DOMAIN_ID is not set"),
        ("x", 42, "ROS_DOMAIN_ID is 'x'"),
    ],
)
def test_ros_domains(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, robot: str, planner: int, says: str
) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", robot)
    file = write(machine.at("/gate.yaml"), PARAMETERS.format(domain=planner))
    found = host.ros(Machine(machine.layout, gate_parameters=file))
    assert found.verdict is Verdict.PROBLEM and says in found.says and found.mend


@pytest.mark.parametrize("text", ["", "a: [", "gate: 1", "- 1", "gate:\n  ros__parameters: 3"])
def test_a_file_that_is_not_the_gates(machine: Machine, text: str) -> None:
    file = write(machine.at("/gate.yaml"), text)
    found = host.ros(Machine(machine.layout, gate_parameters=file))
    assert found.verdict is Verdict.PROBLEM and "no file of ROS parameters" in found.says


def test_dds_security_that_is_not_enforced(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    monkeypatch.setenv("ROS_SECURITY_ENABLE", "true")
    monkeypatch.setenv("ROS_SECURITY_STRATEGY", "Permissive")
    found = look(machine, "ROS security")
    assert found.verdict is Verdict.PROBLEM and found.mend and "Enforce" in found.mend


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("", "no group operators"),
        ("operators:x:50:\n", "nobody is in operators"),
        (f"operators:x:50:{LLM},anna\n", f"{LLM} is in operators"),
    ],
)
def test_operators(machine: Machine, lines: str, says: str) -> None:
    append("etc/group", lines)(machine.layout.root) if lines else None
    found = host.operators(Machine(machine.layout, LLM, "operators"))
    assert found.verdict is Verdict.PROBLEM and says in found.says


@pytest.mark.requirement("SR-25")
@pytest.mark.parametrize(
    ("mode", "uid", "can"),
    [(0o600, 0, False), (0o640, 0, False), (0o644, 0, True), (0o600, 64002, True)],
)
def test_what_the_planner_can_open_is_tried_as_the_planner(
    runtime_folder: Path, mode: int, uid: int, can: bool
) -> None:
    if os.geteuid() != 0:
        pytest.fail("only root can try") if os.environ.get("CI") == "true" else pytest.skip("root")
    runtime_folder.chmod(0o755)
    file = write(runtime_folder / "key", KEY.hex())
    file.chmod(mode)
    os.chown(file, uid, 0)
    planner = User("llm", 64002, 64002, "/bin/sh")
    running = Machine(Layout())
    assert running.can_open(planner, file, os.O_RDONLY) == (can, True)
    assert running._computed(planner, file, os.O_RDONLY) is can


def test_a_check_that_would_only_repeat_another_problem_is_not_made(
    machine: Machine, root: Path
) -> None:
    remove("etc/redbutton/key")(root)
    found = examine(machine)
    assert found["provisioned"] == not_checked("first: key")


def test_the_next_command_is_the_first_problems() -> None:
    findings = {"a": ok("x"), "b": not_checked("y", "look"), "c": problem("z", "mend")}
    assert next_command(findings) == "mend"
    assert next_command({"a": ok("x"), "b": not_checked("y", "look")}) == "look"
    assert next_command({"a": ok("x")}) is None


# --- the command


def test_with_nothing_set_up_it_says_where_to_begin(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["doctor", "--root", str(tmp_path)])
    assert done.exit_code == NotWell.exit_code
    lines = done.stdout.splitlines()
    assert lines[0].startswith("ok") and "Python" in lines[0]
    assert lines[-1] == f"next: sudo redbutton install --root {tmp_path}"
    assert [line for line in lines if line.startswith("PROBLEM") and "user redbutton" in line]
    for line, after in itertools.pairwise(lines):
        if line.startswith("PROBLEM"):
            assert after.lstrip().startswith("-> ")


def test_an_image_that_is_well_is_not_all_checked(root: Path) -> None:
    done = CliRunner().invoke(app, ["doctor", "--root", str(root), "--json"])
    *checks, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["check"] for line in checks] == list(BY_NAME)
    wrong = [line for line in checks if line["verdict"] == "problem"]
    assert not [line for line in wrong if not line["check"].startswith(("Python", "ROS"))], wrong
    if not wrong:
        assert done.exit_code == NotAllChecked.exit_code
    assert summary["not_checked"] > 0


def test_on_this_computer_whatever_it_is() -> None:
    done = CliRunner().invoke(app, ["doctor", "--json"])
    assert done.exit_code in (0, NotWell.exit_code, NotAllChecked.exit_code), done.output
    *checks, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["check"] for line in checks] == list(BY_NAME)
    assert (summary["problems"] > 0) == (done.exit_code == NotWell.exit_code)
    assert all(line["mend"] for line in checks if line["verdict"] == "problem")


# --- port and controller, with real firmware


@pytest.fixture
def board(tmp_path: Path) -> Iterator[RealTimeBoard]:
    """A virtual board that holds the key."""
    with RealTimeBoard(KEY, tmp_path / "port") as board:
        yield board


@pytest.fixture
def at_board(board: RealTimeBoard, root: Path, tmp_path: Path) -> Machine:
    """The robot, with that board's port."""
    return Machine(Layout(root=root), LLM, port=str(tmp_path / "port"))


def test_a_controller_that_nobody_owns_attests_itself(at_board: Machine) -> None:
    found = port.controller(at_board)
    assert found.verdict is Verdict.OK, found
    assert digest(files()).hex()[:16] in found.says


def test_a_controller_with_another_key(at_board: Machine, root: Path) -> None:
    put("etc/redbutton/key", "f" * 64)(root)
    found = port.controller(at_board)
    assert found.verdict is Verdict.PROBLEM and "the controller holds" in found.says
    assert found.mend and "redbutton provision" in found.mend


def test_a_controller_with_other_firmware(at_board: Machine, mocker: MockerFixture) -> None:
    mocker.patch.object(port.attestation, "digest", return_value=bytes(32))
    found = port.controller(at_board)
    assert found.verdict is Verdict.PROBLEM and "not the firmware" in found.says
    assert found.mend and "redbutton flash" in found.mend


def test_an_owner_whose_heartbeats_are_taken(at_board: Machine, root: Path) -> None:
    assert port.socket(at_board).verdict is Verdict.PROBLEM  # nobody listens yet
    keys = str(root / "etc/redbutton/key")
    with running("run", "-p", at_board.port, "-k", keys, "--json") as process:
        assert process.stdout
        assert any('"STOPPED"' in line for line in process.stdout)
        assert port.socket(at_board).verdict is Verdict.OK
        found = port.controller(at_board)
        assert found.verdict is Verdict.OK, found
        assert "takes heartbeats" in found.says
