"""Checks of the computer around the service: ROS, clock, processor, disk, people."""

import ctypes
import importlib.util
import os
import shutil
import time
from pathlib import Path
from typing import Any

import yaml

from redbutton.doctor.finding import Finding, not_checked, ok, problem
from redbutton.doctor.machine import Machine
from redbutton.install.layout import USER

SLEEP_S = 0.05
SLEEP_WORST_S = 0.5
LOAD_MOST = 2.0  # processes that want to run, a core
DISK_LEAST = 500 * 2**20  # bytes
UNSYNCHRONISED = 0x40  # STA_UNSYNC, adjtimex(2)


def ros(machine: Machine) -> Finding:
    """The planner's ROS domain is not the robot's."""
    if machine.gate_parameters is None:
        if importlib.util.find_spec("rclpy") is None and not machine.at("/opt/ros").exists():
            return ok("no ROS here")
        return not_checked(
            "ROS is here: name the gate's parameters to have the domains looked at",
            "redbutton doctor --gate-params FILE",
        )
    own = gate_parameters(machine.gate_parameters)
    if own is None:
        return problem(
            f"{machine.gate_parameters} is no file of ROS parameters with a node gate",
            f"nano {machine.gate_parameters}",
        )
    domain = os.environ.get("ROS_DOMAIN_ID", "")
    if domain and not domain.isdigit():
        return problem(f"ROS_DOMAIN_ID is {domain!r}", "export ROS_DOMAIN_ID=0")
    theirs = own.get("planner_domain", -1)
    mine = int(domain or 0)
    mend = f"planner_domain: {42 if mine != 42 else 43} in {machine.gate_parameters}"
    if theirs == -1:
        return problem("planner and robot share one ROS domain: it can pass the gate by", mend)
    if theirs == mine:
        return problem(f"the planner's ROS domain is the robot's, {mine}", mend)
    if not domain:
        return problem(
            f"ROS_DOMAIN_ID is not set: the robot's domain is 0 by chance, the planner's {theirs}",
            "export ROS_DOMAIN_ID=0",
        )
    return ok(f"the planner's domain is {theirs}, the robot's {mine}")


def gate_parameters(file: Path) -> dict[str, Any] | None:
    """Of the node `gate` in a file of ROS parameters; None if there is none."""
    try:
        found = yaml.safe_load(file.read_text())
        nodes = [found[name] for name in found if str(name).split("/")[-1] == "gate"]
        return dict(nodes[0]["ros__parameters"])
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError, IndexError, AttributeError):
        return None


def keystore(machine: Machine) -> Finding:
    """SROS2: without it a ROS domain is a number, and not a lock."""
    if machine.gate_parameters is None and "ROS_DISTRO" not in os.environ:
        return ok("no ROS here that is sourced")
    folder = os.environ.get("ROS_SECURITY_KEYSTORE", "")
    on = os.environ.get("ROS_SECURITY_ENABLE", "") == "true"
    enforced = os.environ.get("ROS_SECURITY_STRATEGY", "") == "Enforce"
    if not (on and enforced):
        return problem(
            "DDS security is not enforced: whoever is on the network can join the robot's domain",
            "export ROS_SECURITY_ENABLE=true ROS_SECURITY_STRATEGY=Enforce "
            "ROS_SECURITY_KEYSTORE=DIR",
        )
    if not Path(folder, "enclaves").is_dir():
        return problem(f"no keystore in {folder!r}", "ros2 security create_keystore DIR")
    return ok(f"DDS security is enforced, with {folder}")


class _Timex(ctypes.Structure):
    """struct timex, adjtimex(2); enough room for all of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def clock(machine: Machine) -> Finding:
    """The time of day is synchronised: the record's entries carry it."""
    found = _Timex()
    if ctypes.CDLL(None).adjtimex(ctypes.byref(found)) < 0:
        return not_checked("the kernel does not tell of its clock")
    if found.status & UNSYNCHRONISED:
        return problem(
            "the clock is not synchronised: times in the record may be wrong",
            "sudo apt-get install systemd-timesyncd && sudo timedatectl set-ntp true",
        )
    return ok(f"synchronised, to within {found.maxerror / 1000:.0f} ms")


def monotonic(machine: Machine) -> Finding:
    """The clock of the heartbeat goes forwards, and a short sleep is short."""
    worst, last = 0.0, time.monotonic()
    for _ in range(5):
        time.sleep(SLEEP_S)
        now = time.monotonic()
        if now < last + SLEEP_S * 0.9:
            return problem(
                "the monotonic clock does not go with the time slept",
                "cat /sys/devices/system/clocksource/clocksource0/current_clocksource",
            )
        worst, last = max(worst, now - last - SLEEP_S), now
    if worst > SLEEP_WORST_S:
        return problem(f"a sleep of 50 ms was {worst * 1000:.0f} ms late", "top -o %CPU")
    return ok(f"goes forwards; a sleep of 50 ms was {worst * 1000:.1f} ms late at most")


def processor(machine: Machine) -> Finding:
    """There is time left for the heartbeat."""
    words = (machine.text("/proc/loadavg") or "").split()
    cores = os.cpu_count() or 1
    if not words:
        return not_checked("no /proc/loadavg")
    load = float(words[0])
    if load > LOAD_MOST * cores:
        return problem(f"{load:.1f} processes want {cores} cores", "top -o %CPU")
    return ok(f"{load:.1f} processes want {cores} cores")


def governor(machine: Machine) -> Finding:
    """The processor does not have to wake up slowly."""
    files = machine.at("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    found = sorted({file.read_text().strip() for file in files})
    if not found:
        return ok("the processor's frequency is not for this system to choose")
    if "powersave" in found and not machine.at("/sys/devices/system/cpu/intel_pstate").exists():
        return problem(
            "the governor is powersave: always the lowest frequency",
            "echo schedutil | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
        )
    return ok(", ".join(found))


def real_time(machine: Machine) -> Finding:
    """No process of real-time priority can take a processor for ever."""
    found = machine.text("/proc/sys/kernel/sched_rt_runtime_us")
    if found is None:
        return not_checked("the kernel does not tell of real-time throttling")
    if found == "-1":
        return problem(
            "real-time throttling is off: one such process that hangs takes a core for ever",
            "sudo sysctl kernel.sched_rt_runtime_us=950000",
        )
    return ok(f"real-time processes get {int(found) / 10000:.0f} % of a core at most")


def disk(machine: Machine) -> Finding:
    """There is room for the record."""
    folder = machine.layout.state_folder
    try:
        free = shutil.disk_usage(folder).free
    except FileNotFoundError:
        return problem(
            f"no {folder}", f"sudo systemd-tmpfiles --create {machine.layout.tmpfiles_file}"
        )
    except OSError as error:
        return not_checked(f"{folder}: {error.strerror}", "sudo redbutton doctor")
    if free < DISK_LEAST:
        return problem(
            f"{free // 2**20} MiB are free for the record in {folder}",
            "sudo journalctl --vacuum-size=200M",
        )
    return ok(f"{free // 2**20} MiB are free in {folder}")


def operators(machine: Machine) -> Finding:
    """Somebody may approve held commands, and the planner may not."""
    own = gate_parameters(machine.gate_parameters) if machine.gate_parameters else None
    name = machine.operator_group or (own or {}).get("operator_group") or None
    if name is None:
        return ok("no group of operators is named: nobody but the gate's own may approve")
    found = machine.users.groups().get(name)
    if found is None:
        return problem(f"there is no group {name}", f"sudo groupadd {name}")
    planner = machine.planner_user
    if planner is not None and name in machine.users.groups_of(planner):
        return problem(f"{planner} is in {name}", f"sudo gpasswd -d {planner} {name}")
    if name == USER:
        return problem("the operators' group is redbutton's own", "sudo groupadd operators")
    if not found[1]:
        return problem(f"nobody is in {name}: nobody can approve", f"sudo gpasswd -a NAME {name}")
    return ok(f"{name}: {', '.join(found[1])}")
