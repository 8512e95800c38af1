"""A machine with boards on USB that are not there, for the real udevadm.

Its /sys, /dev, /run and /etc/udev exist in a mount namespace only, which ends with each command:
the real machine is not touched. Source for a /sys of plain files: systemd's own
test/sys-script.py, and SYSTEMD_DEVICE_VERIFY_SYSFS in its docs/ENVIRONMENT.md.
"""

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

RULES = "/etc/udev/rules.d"
USB = "/sys/devices/pci0000:00/0000:00:14.0/usb1"
TTY = f"{USB}/1-1/1-1:1.0/tty/ttyACM0"
VERIFY_SINCE = 254  # udevadm verify

# $1: the prepared files. Then the command.
ENTER = """
set -e
mount --bind "$1/sys" /sys
mount --bind "$1/etc" /etc/udev
mount --bind "$1/none" /usr/lib/udev/rules.d
mount -t tmpfs none /run
mount -t tmpfs none /dev
shift
export SYSTEMD_DEVICE_VERIFY_SYSFS=0 SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_COLOR=0
exec "$@"
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


class FakeMachine:
    """Rules and one board at a time. No rules but those installed here are read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("sys", "none", "etc/rules.d"):
            (folder / name).mkdir(parents=True)

    def install(self, rules: str, file: str = "70-redbutton.rules") -> None:
        """As /etc/udev/rules.d/`file`."""
        (self._folder / "etc/rules.d" / file).write_text(rules)

    def plug(self, board: Board, action: str = "add") -> Port:
        """The port of `board` after an event, as the installed rules make it."""
        output = self._udevadm_test(board, action)
        properties = dict(re.findall(r"^\s*([A-Z_]+)=(.*)$", output, re.MULTILINE))
        assert properties["DEVNAME"] == "/dev/ttyACM0", output
        return Port(
            links=set(properties.get("DEVLINKS", "").split()),
            tags=set(filter(None, properties.get("TAGS", "").split(":"))),
            properties=properties,
        )

    def complaints(self) -> list[str]:
        """What udev finds wrong in the installed rules."""
        log = self._udevadm_test(Board("0123456789abcdef"), "add")
        # The log of a rule that is applied begins with the device, that of a bad one with the file
        found = [line for line in log.splitlines() if line.startswith(f"{RULES}/")]
        if _version() >= VERIFY_SINCE:
            files = [f"{RULES}/{file.name}" for file in (self._folder / "etc/rules.d").iterdir()]
            verified = self._run("udevadm", "verify", *files)
            if verified.returncode:
                found.append(verified.stdout + verified.stderr)
        return found

    def _udevadm_test(self, board: Board, action: str) -> str:
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
        self._device(
            f"{USB}/1-1/1-1:1.0", usb, uevent="DEVTYPE=usb_interface", bInterfaceNumber="00"
        )
        self._device(TTY, {"subsystem": "class/tty"}, uevent="MAJOR=166\nMINOR=0\nDEVNAME=ttyACM0")
        ended = self._run("udevadm", "test", f"--action={action}", TTY)
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
    missing = [tool for tool in ("udevadm", "unshare", "mount") if not shutil.which(tool)]
    if missing:
        problem = f"{', '.join(missing)} not found (Debian: udev, util-linux, mount)"
    elif not _namespace():
        problem = "no permission to make a mount namespace (run as root, or allow user namespaces)"
    else:
        return
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
