"""The service beside an unprivileged second user, the planner's: real users, a real service, real
firmware. The folders are made by systemd-tmpfiles of the real file, but for the users' numbers."""

import contextlib
import errno
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_machine import missing

from redbutton.install.layout import template
from redbutton.install.users import as_user
from redbutton.virtual.board import RealTimeBoard

SERVICE, PLANNER = 64001, 64002  # no such users need to exist
PATIENCE_S = 60.0
KEY = bytes(range(32))


def as_if_by(user: int) -> list[str]:
    """The command `redbutton` for a user of this number, in no further group.

    Where this Python is in a folder that only root may enter, it is seen, in a mount namespace of
    that process, as if everybody might.
    """
    needed = [Path(sys.base_prefix), Path(__file__).parents[2]]
    closed = [
        folder
        for path in needed
        for folder in path.parents
        if not folder.stat().st_mode & stat.S_IXOTH
    ]
    script = ["set -e", "umask 022", "mount -t tmpfs none /mnt"]
    for top in {min(closed, key=lambda folder: len(folder.parts))} if closed else ():
        inside = [path for path in needed if top in path.parents]
        for number, path in enumerate(inside):
            script += [f"mkdir /mnt/{number}", f"mount --bind '{path}' /mnt/{number}"]
        script.append(f"mount -t tmpfs -o mode=755 none '{top}'")
        for number, path in enumerate(inside):
            script += [f"mkdir -p '{path}'", f"mount --move /mnt/{number} '{path}'"]
    script += ["umask 027", f'exec setpriv --reuid={user} --regid={user} --clear-groups "$@"']
    entered = ["unshare", "--mount", "sh", "-c", "\n".join(script), "sh"]
    return [*entered, sys.executable, "-m", "redbutton.cli"]


@dataclass(frozen=True)
class Robot:
    """What runs. `folder` is in place of /."""

    board: RealTimeBoard
    folder: Path
    service: "subprocess.Popen[bytes]"

    @property
    def port(self) -> Path:
        return self.folder / "port"

    @property
    def key(self) -> Path:
        return self.folder / "etc/redbutton/key"

    @property
    def sockets(self) -> Path:
        return self.folder / "run/redbutton"

    @property
    def log(self) -> Path:
        return self.folder / "var/lib/redbutton/log"

    def to_run(self) -> None:
        """A person resets."""
        for _ in range(20):
            self.board.reset()
            if self.board.wait_load(True, 2.0):
                return
        raise AssertionError("no reset acted")

    def redbutton(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The command line, as the planner's user runs it."""
        return subprocess.run(
            [*as_if_by(PLANNER), *arguments, "-p", str(self.port)],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
            env={**os.environ, "REDBUTTON_RUNTIME_DIR": str(self.sockets)},
        )


@pytest.fixture
def robot() -> Iterator[Robot]:
    """In RUN, its service owned by one user."""
    if os.geteuid() != 0:
        missing("only root can become two other users")
    if not shutil.which("systemd-tmpfiles"):
        missing("systemd-tmpfiles not found (Debian: systemd)")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rb-")))
        folder.chmod(0o755)
        conf = folder / "etc/tmpfiles.d/redbutton.conf"
        conf.parent.mkdir(parents=True)
        text = template("tmpfiles.conf")
        conf.write_text(
            "\n".join(
                line.replace(" redbutton", f" {SERVICE}")
                for line in text.splitlines()
                if line.startswith("d ")
            )
            + "\n"
        )
        subprocess.run(
            ["systemd-tmpfiles", "--create", f"--root={folder}", str(conf)],
            check=True,
            capture_output=True,
        )
        key = folder / "etc/redbutton/key"
        key.write_text(KEY.hex())
        key.chmod(0o600)
        os.chown(key, SERVICE, SERVICE)  # as the credential is
        log = folder / "var/lib/redbutton/log"
        log.write_text("begun\n")
        log.chmod(0o640)
        os.chown(log, SERVICE, SERVICE)
        board = stack.enter_context(RealTimeBoard(KEY, folder / "port", heartbeat_timeout_ms=1000))
        os.chown(folder / "port", SERVICE, SERVICE)
        (folder / "port").chmod(0o660)
        service = subprocess.Popen(
            [*as_if_by(SERVICE), "run", "-p", folder / "port", "-k", key],
            stdout=subprocess.DEVNULL,
            env={**os.environ, "REDBUTTON_RUNTIME_DIR": str(folder / "run/redbutton")},
        )
        stack.callback(service.wait)
        stack.callback(service.kill)
        robot = Robot(board, folder, service)
        robot.to_run()
        yield robot


def refused(act: Callable[[], object]) -> str:
    """Why the kernel refuses this to the planner's user; empty if it does not."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        said = ""
        try:
            as_user(PLANNER, PLANNER, [])
            act()
        except OSError as error:
            said = errno.errorcode[error.errno or 0]
        except BaseException as error:
            said = repr(error)
        finally:
            os.write(write, said.encode())
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as said_by_child:
        return said_by_child.read()


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as own:
        own.bind(str(path))


@pytest.mark.requirement("SR-25", "SR-06")
def test_the_planner_can_ask_for_a_stop_and_do_nothing_else(robot: Robot) -> None:
    pid = robot.service.pid
    [listening] = robot.sockets.iterdir()
    attempts: dict[str, tuple[Callable[[], object], str]] = {
        "open the port": (lambda: os.open(robot.port, os.O_RDWR | os.O_NOCTTY), "EACCES"),
        "listen at the port": (lambda: os.open(robot.port, os.O_RDONLY | os.O_NOCTTY), "EACCES"),
        "read the key": (lambda: os.open(robot.key, os.O_RDONLY), "EACCES"),
        "look for keys": (lambda: os.listdir(robot.key.parent), "EACCES"),
        "read the key in memory": (lambda: os.open(f"/proc/{pid}/mem", os.O_RDONLY), "EACCES"),
        "end the service": (lambda: os.kill(pid, signal.SIGTERM), "EPERM"),
        "kill the service": (lambda: os.kill(pid, signal.SIGKILL), "EPERM"),
        "stop the service": (lambda: os.kill(pid, signal.SIGSTOP), "EPERM"),
        "read the log": (lambda: os.open(robot.log, os.O_RDONLY), "EACCES"),
        "write to the log": (lambda: os.open(robot.log, os.O_WRONLY | os.O_APPEND), "EACCES"),
        "remove the log": (lambda: os.unlink(robot.log), "EACCES"),
        "write beside the log": (lambda: os.mkdir(robot.log.parent / "x"), "EACCES"),
        "remove the socket": (lambda: os.unlink(listening), "EACCES"),
        "rename the socket": (lambda: os.rename(listening, "/tmp/x"), "EACCES"),
        "listen in its place": (lambda: bind(robot.sockets / "x.sock"), "EACCES"),
        "open the socket's folder": (lambda: os.chmod(robot.sockets, 0o777), "EPERM"),
    }
    found = {what: refused(act) for what, (act, _) in attempts.items()}
    assert found == {what: expected for what, (_, expected) in attempts.items()}
    assert robot.service.poll() is None
    if not robot.board.load:  # a busy machine may have stopped it meanwhile
        robot.to_run()
    done = robot.redbutton("stop", "--reason", "a person is here")
    assert done.returncode == 0, done.stderr
    assert not robot.board.load
    assert robot.service.poll() is None


def test_what_is_tried_there_does_work_for_who_may(robot: Robot) -> None:
    """So that a refusal above is the planner's, and not everybody's."""
    os.close(os.open(robot.port, os.O_RDWR | os.O_NOCTTY))
    os.close(os.open(robot.key, os.O_RDONLY))
    os.close(os.open(robot.log, os.O_WRONLY | os.O_APPEND))
    bind(robot.sockets / "x.sock")
    assert refused(lambda: os.listdir(robot.sockets)) == ""
