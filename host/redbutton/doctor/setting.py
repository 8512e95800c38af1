"""Checks of what `redbutton install` and `redbutton provision` have made."""

import os
import re
import stat
import sys
from importlib import metadata
from pathlib import Path

from redbutton import __version__, attestation, configuration, key, udev
from redbutton.doctor.finding import Finding, not_checked, ok, problem
from redbutton.doctor.machine import Machine
from redbutton.errors import RedbuttonError
from redbutton.firmware import wire
from redbutton.install import steps
from redbutton.install.layout import USER
from redbutton.install.seal import Standing, standing

PYTHON = (3, 10)
TOOLS = {
    "systemd-sysusers": "systemd",
    "systemd-tmpfiles": "systemd",
    "systemctl": "systemd",
    "udevadm": "udev",
}
ROOTS = {"root", "sudo", "wheel", "admin", "docker", "lxd", "disk", "shadow"}  # as good as root
HEX = re.compile(r'ATTRS\{serial\}=="([0-9a-f]{16})"')


def install_command(machine: Machine, *more: str) -> str:
    """What a person types to install, or install again."""
    words = ["sudo redbutton install"]
    if machine.layout.suffix:
        words.append(f"--name {machine.layout.name}")
    if not machine.live:
        words.append(f"--root {machine.layout.root}")
    if machine.planner_user:
        words.append(f"--planner-user {machine.planner_user}")
    return " ".join([*words, *more])


def key_option(machine: Machine) -> str:
    """For a controller whose key is not the usual file."""
    suffix = machine.layout.suffix
    return f" --key-file /etc/redbutton/key{suffix}" if suffix else ""


def python(machine: Machine) -> Finding:
    """Python and the packages that redbutton cannot do without."""
    mine = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON:
        return problem(f"Python {mine}, and 3.10 is needed", "apt-get install python3.11")
    try:
        missing = [name for name in _needed() if not _installed(name)]
    except metadata.PackageNotFoundError:
        missing = ["redbutton"]
    if missing:
        return problem(
            f"not installed: {', '.join(missing)}", f"{sys.executable} -m pip install redbutton"
        )
    return ok(f"redbutton {__version__}, Python {mine}, all packages")


def _needed() -> list[str]:
    wanted = metadata.requires("redbutton") or []
    plain = [one for one in wanted if ";" not in one]
    return [re.split(r"[^A-Za-z0-9._-]", one, maxsplit=1)[0] for one in plain]


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def tools(machine: Machine) -> Finding:
    """The system's tools that install, and start the service."""
    missing = sorted({TOOLS[tool] for tool in TOOLS if machine.run(tool, "--version") is None})
    if missing:
        return problem(
            f"not installed: {', '.join(missing)}", f"sudo apt-get install {' '.join(missing)}"
        )
    return ok("systemd and udev are there")


def user(machine: Machine) -> Finding:
    """The system user that owns the port."""
    found = machine.users.find(USER)
    if found is None or USER not in machine.users.groups():
        return problem("there is no system user and group redbutton", install_command(machine))
    if found.uid == 0:
        return problem("redbutton is root by another name", f"sudo userdel {USER}")
    if not found.shell.endswith(("nologin", "false")):
        return problem(
            f"redbutton can log in, with {found.shell}",
            f"sudo usermod -s /usr/sbin/nologin {USER}",
        )
    members = machine.users.groups()[USER][1]
    more = f"; its group has {', '.join(members)} too" if members else ""
    return ok(f"the system user redbutton, number {found.uid}{more}")


def planner(machine: Machine) -> Finding:
    """The planner has a user of its own, with no way around."""
    name = machine.planner_user
    file = machine.layout.configuration_file
    if name is None:
        return problem(
            "nobody said as which user the planner runs: whether it is kept out is not known",
            f"sudo sed -i 's/user: null/user: NAME/' {file}"
            if file.exists()
            else f"{install_command(machine)} --planner-user NAME",
        )
    found = machine.planner
    if found is None:
        return problem(f"the planner's user {name} does not exist", f"sudo useradd -m {name}")
    if found.uid == 0 or name == USER:
        return problem(
            f"the planner runs as {name}, which is the one that must be out of its reach",
            f"sudo useradd -m planner, and in {file} planner: user: planner",
        )
    groups = machine.users.groups_of(name)
    if USER in groups:
        return problem(f"{name} is in the group redbutton: it can own the port", _out(name, USER))
    if ways := sorted(ROOTS & set(groups)):
        return problem(
            f"{name} is in {', '.join(ways)}, which is as good as root", _out(name, ways[0])
        )
    return ok(f"{name}, number {found.uid}, in no group that could reach around")


def _out(name: str, group: str) -> str:
    return f"sudo gpasswd -d {name} {group}"


def program(machine: Machine) -> Finding:
    """The code that the service runs: where nobody but root can change it."""
    text = machine.text(f"/etc/systemd/system/{machine.layout.unit}") or ""
    found = re.search(r"^ExecStart=(\S+)", text, re.MULTILINE)
    file = machine.at(found[1]) if found else steps.own_program()
    try:
        real = file.resolve(strict=True)
        package = Path(__file__).parents[1] if machine.live else real
    except OSError as error:
        return problem(
            f"{file} is not there: {error.strerror}", install_command(machine, "--program FILE")
        )
    venv = "python3 -m venv /opt/redbutton && /opt/redbutton/bin/pip install redbutton"
    if str(found[1] if found else file).startswith(steps.HOMES):
        return problem(f"{file} is in somebody's home, where the service cannot go", venv)
    for part in (file, real, package):
        if weak := _not_only_roots(part, machine):
            return problem(
                f"{weak} can be changed by others than root",
                f"sudo chown -R root: {weak} && sudo chmod -R go-w {weak}",
            )
    return ok(f"{file}, and only root can change it")


def _not_only_roots(path: Path, machine: Machine) -> Path | None:
    """The first of a path and its folders that somebody but root may change."""
    for part in (path, *path.parents):
        if part == machine.layout.root.parent:
            break
        found = part.stat()
        sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
        group = found.st_mode & stat.S_IWGRP and found.st_gid != 0
        others = found.st_mode & stat.S_IWOTH
        if found.st_uid != 0 or ((group or others) and not sticky):
            return part
    return None


def rule(machine: Machine) -> Finding:
    """The udev rule of this controller."""
    layout = machine.layout
    text = machine.text(f"/etc/udev/rules.d/{layout.rule_file.name}")
    if text is None:
        return problem(f"no udev rule {layout.rule_file}", install_command(machine))
    found = HEX.search(text)
    if found is None:
        return problem(f"{layout.rule_file} names no board", install_command(machine, "--force"))
    return _standing(
        machine, layout.rule_file, udev.rule(found[1], layout.name), f"for board {found[1]}"
    )


def serial(machine: Machine) -> str | None:
    """The serial number in the rule."""
    text = machine.text(f"/etc/udev/rules.d/{machine.layout.rule_file.name}") or ""
    found = HEX.search(text)
    return found[1] if found else None


def _standing(machine: Machine, file: Path, wanted: str, words: str) -> Finding:
    from redbutton.install.seal import seal

    try:
        now = standing(file, seal(wanted))
    except OSError as error:
        return not_checked(f"{file}: {error.strerror}", "sudo redbutton doctor")
    if now is Standing.SAME:
        return ok(f"{file}, {words}")
    option = ["--force"] if now is Standing.CHANGED else []
    return problem(f"{file} is {now.value}", install_command(machine, *option))


def host_file(machine: Machine) -> Finding:
    """The host's configuration."""
    file = machine.layout.configuration_file
    try:
        if not file.exists():
            return problem(
                f"no {file}, which the service is told to read", install_command(machine)
            )
        configuration.load(file)
    except PermissionError:
        return not_checked(f"{file} may not be read by you", "sudo redbutton doctor")
    except RedbuttonError as error:
        if not os.access(file, os.R_OK):
            return not_checked(f"{file} may not be read by you", "sudo redbutton doctor")
        return problem(str(error), f"sudo nano {file}")
    return ok(f"{file}")


def key_file(machine: Machine) -> Finding:
    """The link key: there, whole, and nobody else's."""
    file = machine.layout.key_file
    try:
        found = file.stat()
    except FileNotFoundError:
        return problem(f"no link key {file}", install_command(machine))
    except OSError:
        return not_checked(f"{file} may not be looked at by you", "sudo redbutton doctor")
    if found.st_uid != 0 and machine.live:
        return problem(f"{file} is not root's", f"sudo chown root: {file}")
    if found.st_mode & 0o077:
        return problem(
            f"{file} has mode {stat.S_IMODE(found.st_mode):o}: others than root have it",
            f"sudo chmod 600 {file}, then sudo redbutton provision --new-key{key_option(machine)}",
        )
    try:
        key.load(file)
    except RedbuttonError as error:
        if not os.access(file, os.R_OK):
            return not_checked(f"{file} may not be read by you", "sudo redbutton doctor")
        return problem(str(error), f"sudo redbutton provision --new-key{key_option(machine)}")
    return ok(f"{file}, root's alone")


def planner_and_key(machine: Machine) -> Finding:
    """The planner's user cannot read the key."""
    return kept_out(machine, machine.layout.key_file, os.O_RDONLY, "chmod 600")


def kept_out(machine: Machine, file: Path, flags: int, mend: str) -> Finding:
    """Whether the planner's user can open `file`."""
    who = machine.planner
    assert who is not None
    can, tried = machine.can_open(who, file, flags)
    how = "tried" if tried else "by owners and modes, not tried: you are not root"
    if can:
        return problem(f"{who.name} can open {file} ({how})", f"sudo {mend} {file}")
    return ok(f"{who.name} cannot open {file} ({how})")


def provisioned(machine: Machine) -> Finding:
    """What `redbutton provision` recorded belongs to the key."""
    file = machine.layout.key_file
    mend = f"sudo redbutton provision{key_option(machine)}"
    try:
        record = attestation.load_record(file)
    except RedbuttonError as error:
        return problem(str(error), mend)
    if record is None:
        return problem("the board was not provisioned from here: it holds no key of ours", mend)
    mine = wire.key_id(key.load(file)).hex()
    if record.key_id != mine:
        return problem(
            f"board {record.board} was given key {record.key_id}, and {file} is {mine}", mend
        )
    found = record.configuration
    return ok(
        f"board {record.board}, key {mine}, heartbeat timeout {found.heartbeat_timeout_ms} ms"
    )


def unit(machine: Machine) -> Finding:
    """The service, as this version of redbutton has it."""
    layout = machine.layout
    text = machine.text(f"/etc/systemd/system/{layout.unit}")
    if text is None:
        return problem(f"no service {layout.unit_file}", install_command(machine))
    found = re.search(r"^ExecStart=(\S+)", text, re.MULTILINE)
    used = Path(found[1]) if found else steps.own_program()
    wanted = steps.service(layout, used).partition("\n")[2]
    return _standing(machine, layout.unit_file, wanted, f"version {__version__}")
