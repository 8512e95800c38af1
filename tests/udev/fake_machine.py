"""A machine with boards on USB that are not there, for the real udevadm.

Its /sys, /dev, /run, /etc/udev and its users exist in a mount namespace only, which ends with
each command: the real machine is not touched. udev gives its port, which is a real device node
without a device, to whom the rules say. Source for a /sys of plain files: systemd's own
test/sys-script.py, and SYSTEMD_DEVICE_VERIFY_SYSFS in its docs/ENVIRONMENT.md.
"""

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

RULES = "/etc/udev/rules.d"
SYSUSERS = Path(__file__).parents[2] / "udev/sysusers.d/redbutton.conf"
USB = "/sys/devices/pci0000:00/0000:00:14.0/usb1"
TTY = f"{USB}/1-1/1-1:1.0/tty/ttyACM0"
ASLEEP = "??"  # in place of the kernel's auto: a plain file is not cut to what is written
VERIFY_SINCE = 254  # udevadm verify

# $1: the prepared files. Then the command.
ENTER = """
set -e
mount --bind "$1/sys" /sys
mount --bind "$1/etc" /etc/udev
mount --bind "$1/none" /usr/lib/udev/rules.d
mount --bind "$1/users/etc/passwd" /etc/passwd
mount --bind "$1/users/etc/group" /etc/group
mount -t tmpfs none /run
mount -t tmpfs none /dev
mknod -m 666 /dev/null c 1 3 || touch /dev/null
mknod -m 600 /dev/ttyACM0 c 166 0 || true
shift
export SYSTEMD_DEVICE_VERIFY_SYSFS=0 SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_COLOR=0
"$@"
stat -c "NODE=%u:%g:%a" /dev/ttyACM0 || true
"""


@dataclass(frozen=True)
class Board:
    """What a board says of itself on USB. `hub_serial`: that of the hub it is plugged into."""

    serial: str
    vendor: str = "2e8a"
    product: str = "0005"
    hub_serial: str = "0000:00:14.0"


@dataclass(frozen=True)
class Port:
    """What udev makes of a board's serial port."""

    links: set[str]
    tags: set[str]
    properties: dict[str, str]
    node: str  # user:group:mode of the device node; empty where none can be made (no root)


class FakeMachine:
    """Rules and one board at a time. No rules but those installed here are read.

    The planner is in the group of all serial ports, as on many a robot.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("sys", "none", "etc/rules.d", "users/etc"):
            (folder / name).mkdir(parents=True)
        (folder / "users/etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        (folder / "users/etc/group").write_text("root:x:0:\ndialout:x:20:planner\n")

    def install(self, rules: str, file: str = "70-redbutton.rules") -> None:
        """As /etc/udev/rules.d/`file`."""
        (self._folder / "etc/rules.d" / file).write_text(rules)

    def plug(self, board: Board, action: str = "add") -> Port:
        """The port of `board` after an event, as the installed rules make it."""
        output = self._udevadm_test(board, action, TTY)
        properties = dict(re.findall(r"^\s*([A-Z_]+)=(.*)$", output, re.MULTILINE))
        assert properties["DEVNAME"] == "/dev/ttyACM0", output
        return Port(
            links=set(properties.get("DEVLINKS", "").split()),
            tags=set(filter(None, properties.get("TAGS", "").split(":"))),
            properties=properties,
            node=properties.get("NODE", ""),
        )

    def make_users(self) -> None:
        """With the real systemd-sysusers, of the real file."""
        sysusers = shutil.which("systemd-sysusers")
        if sysusers is None:
            missing("systemd-sysusers not found (Debian: systemd)")
        subprocess.run(
            [str(sysusers), f"--root={self._folder}/users", str(SYSUSERS)],
            check=True,
            capture_output=True,
        )

    def number(self, database: str, name: str) -> int | None:
        """Of a user (passwd) or group (group); None if there is none."""
        for line in (self._folder / "users/etc" / database).read_text().splitlines():
            fields = line.split(":")
            if fields[0] == name:
                return int(fields[2])
        return None

    def sleep_control(self, board: Board) -> str:
        """What the board's power/control says after it was plugged in; ASLEEP as before."""
        self._udevadm_test(board, "add", f"{USB}/1-1")
        return (self._folder / f"{USB}/1-1/power/control".lstrip("/")).read_text().strip()

    def complaints(self) -> list[str]:
        """What udev finds wrong in the installed rules."""
        log = self._udevadm_test(Board("0123456789abcdef"), "add", TTY)
        # The log of a rule that is applied begins with the device, that of a bad one with the file
        found = [line for line in log.splitlines() if line.startswith(f"{RULES}/")]
        if _version() >= VERIFY_SINCE:
            files = [f"{RULES}/{file.name}" for file in (self._folder / "etc/rules.d").iterdir()]
            verified = self._run("udevadm", "verify", *files)
            if verified.returncode:
                found.append(verified.stdout + verified.stderr)
        return found

    def _udevadm_test(self, board: Board, action: str, path: str) -> str:
        shutil.rmtree(self._folder / "sys")
        usb = {"subsystem": "bus/usb"}
        self._device(USB, usb, serial=board.hub_serial, idVendor="1d6b", idProduct="0002")
        self._device(
            f"{USB}/1-1",
            usb,
            uevent="DEVTYPE=usb_device",
            serial=board.serial,
            idVendor=board.vendor,
            idProduct=board.product,
        )
        power = self._folder / f"{USB}/1-1/power".lstrip("/")
        power.mkdir()
        (power / "control").write_text(ASLEEP)
        self._device(
            f"{USB}/1-1/1-1:1.0", usb, uevent="DEVTYPE=usb_interface", bInterfaceNumber="00"
        )
        self._device(TTY, {"subsystem": "class/tty"}, uevent="MAJOR=166\nMINOR=0\nDEVNAME=ttyACM0")
        ended = self._run("udevadm", "test", f"--action={action}", path)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    def _device(self, path: str, links: dict[str, str], **attributes: str) -> None:
        folder = self._folder / path.lstrip("/")
        folder.mkdir(parents=True)
        for name, target in links.items():
            (self._folder / "sys" / target).mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(f"/sys/{target}")
        for name, value in {"uevent": "", **attributes}.items():
            (folder / name).write_text(f"{value}\n")

    def _run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*_namespace(), "sh", "-c", ENTER, "sh", str(self._folder), *command],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


def require() -> None:
    """Skip where udevadm or namespaces are missing; where CI is true, fail instead."""
    absent = [tool for tool in ("udevadm", "unshare", "mount") if not shutil.which(tool)]
    if absent:
        missing(f"{', '.join(absent)} not found (Debian: udev, util-linux, mount)")
    elif not _namespace():
        missing("no permission to make a mount namespace (be root, or allow user namespaces)")


def missing(problem: str) -> NoReturn:
    """A tool is: never passed over in silence."""
    if os.environ.get("CI") == "true":
        pytest.fail(problem)
    pytest.skip(problem)


@functools.cache
def _namespace() -> tuple[str, ...]:
    """The command that runs another with mounts of its own; empty if there is none."""
    for command in (
        ("unshare", "--mount"),
        ("unshare", "--user", "--map-root-user", "--mount"),
        ("sudo", "-n", "unshare", "--mount"),
    ):
        if shutil.which(command[0]):
            mount = [*command, "mount", "-t", "tmpfs", "none", "/dev"]
            if subprocess.run(mount, capture_output=True, check=False).returncode == 0:
                return command
    return ()


@functools.cache
def _version() -> int:
    output = subprocess.run(["udevadm", "--version"], capture_output=True, text=True, check=True)
    found = re.match(r"\d+", output.stdout)
    assert found, output.stdout
    return int(found.group())
