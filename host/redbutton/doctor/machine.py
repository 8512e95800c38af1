"""What can be seen of a computer: the running one, or an image below another root."""

import errno
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from redbutton.install.layout import Layout
from redbutton.install.users import User, Users, as_user

COMMAND_TIMEOUT_S = 10
USB_IDS = ("2e8a", "0005")
BOOTLOADER = ("2e8a", "0003")
CLOSED = 10  # exit codes of the child that tries
OPEN = 11


@dataclass(frozen=True)
class Machine:
    """`planner_user`: kept out, None if nobody said who it is. `gate_parameters`: the file of the
    ROS gate's parameters. `operator_group`: whose members approve. `port`: of the controller."""

    layout: Layout
    planner_user: str | None = None
    operator_group: str | None = None
    gate_parameters: Path | None = None
    port: str = ""

    @property
    def live(self) -> bool:
        """Whether this is the running computer."""
        return self.layout.root == Path("/")

    def at(self, path: str) -> Path:
        """An absolute path, below the root."""
        return self.layout.at(path)

    @cached_property
    def users(self) -> Users:
        """Users and groups."""
        return Users(self.layout.root)

    @property
    def planner(self) -> User | None:
        """The planner's user, if it is named and exists."""
        return self.users.find(self.planner_user) if self.planner_user else None

    def text(self, path: str) -> str | None:
        """The content of a small file, None if it cannot be read."""
        try:
            return self.at(path).read_text("utf-8", "replace").strip()
        except OSError:
            return None

    def run(self, *command: str) -> "subprocess.CompletedProcess[str] | None":
        """What a tool says; None if it is not installed, or does not end."""
        program = shutil.which(command[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
        if program is None:
            return None
        try:
            return subprocess.run(
                [program, *command[1:]],
                capture_output=True,
                text=True,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
                env={**os.environ, "LC_ALL": "C"},
            )
        except (OSError, subprocess.TimeoutExpired):
            return None

    def boards(self, ids: tuple[str, str] = USB_IDS) -> dict[str, str]:
        """The boards on USB with this identity: serial number to folder below /sys."""
        return {
            self.text(f"{folder}/serial") or "": folder
            for folder in self._usb()
            if (self.text(f"{folder}/idVendor"), self.text(f"{folder}/idProduct")) == ids
        }

    def _usb(self) -> Iterator[str]:
        devices = "/sys/bus/usb/devices"
        try:
            names = sorted(os.listdir(self.at(devices)))
        except OSError:
            return
        for name in names:
            yield f"{devices}/{name}"

    def processes(self) -> dict[int, str]:
        """Names of the processes that run, by number (proc(5))."""
        found = {}
        for folder in self.at("/proc").glob("[0-9]*"):
            name = self.text(f"/proc/{folder.name}/comm")
            if name is not None:
                found[int(folder.name)] = name
        return found

    def can_open(self, user: User, file: Path, flags: int) -> tuple[bool, bool]:
        """Whether `user` can open `file`, and whether that was really tried. Only root can try;
        else it follows from owners and modes."""
        if os.geteuid() == 0 and self.live:
            return self._tried(user, file, flags), True
        return self._computed(user, file, flags), False

    def _tried(self, user: User, file: Path, flags: int) -> bool:
        groups = list(self.users.groups_of(user.name).values())
        child = os.fork()
        if child == 0:
            code = OPEN
            try:
                as_user(user.uid, user.gid, groups)
                os.close(os.open(file, flags | os.O_NONBLOCK | os.O_NOCTTY))
            except OSError as error:
                if error.errno in (errno.EACCES, errno.EPERM):
                    code = CLOSED
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != CLOSED

    def _computed(self, user: User, file: Path, flags: int) -> bool:
        groups = set(self.users.groups_of(user.name).values())
        wanted = {os.O_RDONLY: 4, os.O_WRONLY: 2, os.O_RDWR: 6}[flags & os.O_ACCMODE]
        try:
            real = file.resolve(strict=True)
            inside = [*(real.parents if self.live else ()), real]
            return all(
                _allows(part.stat(), user, groups, wanted if part == real else 1)
                for part in inside
            )
        except OSError:
            return False  # we may not even look: neither may who has no more rights


def _allows(found: os.stat_result, user: User, groups: set[int], wanted: int) -> bool:
    """By the mode alone (path_resolution(7)); not by access lists."""
    mode = stat.S_IMODE(found.st_mode)
    if user.uid == 0:
        return True
    if found.st_uid == user.uid:
        return mode >> 6 & wanted == wanted
    return (mode >> 3 if found.st_gid in groups else mode) & wanted == wanted
