"""What `redbutton install` and `--uninstall` do, step by step: first all is looked at, and what
may not be done is refused; only then the first thing is changed."""

import difflib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from serial.tools import list_ports

from redbutton import key, udev
from redbutton.errors import InstallFailed, InstallRefused, MissingTool
from redbutton.install.layout import USER, Layout, template
from redbutton.install.seal import Standing, seal, standing, untouched
from redbutton.install.users import Users
from redbutton.link import USB_PRODUCT, USB_VENDOR

HOMES = ("/home/", "/root/", "/run/user/")  # systemd.exec(5), ProtectHome
COMMAND_TIMEOUT_S = 60


@dataclass(frozen=True)
class Step:
    """`says`: what it does, in one line. `detail`: what changes in a file. `act`: does it; None
    where there is nothing to do."""

    says: str
    act: Callable[[], None] | None
    detail: str = ""


@dataclass(frozen=True)
class Wanted:
    """What is asked for. `program`: the command `redbutton` that the service runs."""

    layout: Layout
    serial: str
    program: Path
    planner_user: str | None = None
    force: bool = False

    def unit(self) -> str:
        """The service, filled in."""
        return service(self.layout, self.program)

    def rule(self) -> str:
        """The udev rule, filled in."""
        return seal(udev.rule(self.serial, self.layout.name))


def service(layout: Layout, program: Path) -> str:
    """The service of a controller, which runs `program`."""
    text = template("redbutton.service")
    for gap, value in (
        ("@NAME@", layout.name),
        ("@SUFFIX@", layout.suffix),
        ("@DEVICE@", layout.device_unit),
        ("@PROGRAM@", str(program)),
    ):
        text = text.replace(gap, value)
    return seal(text)


def own_program() -> Path:
    """The command `redbutton` of this installation."""
    return Path(sys.executable).parent / "redbutton"


def only_board() -> str:
    """The serial number of the board that is plugged in; InstallRefused if there is not one."""
    found = sorted(
        str(port.serial_number).lower()
        for port in list_ports.comports()
        if (port.vid, port.pid) == (USB_VENDOR, USB_PRODUCT)
    )
    if len(found) == 1:
        return found[0]
    seen = f"{len(found)} are plugged in ({', '.join(found)})" if found else "none is plugged in"
    raise InstallRefused(f"which board? {seen}: name it with --serial, 16 hexadecimal digits")


def install(wanted: Wanted) -> list[Step]:
    """All steps. InstallRefused says in one line what may not be done."""
    layout = wanted.layout
    _refuse_program(layout, wanted.program)
    _refuse_planner(layout, wanted.planner_user)
    files = {
        layout.sysusers_file: seal(template("sysusers.conf")),
        layout.tmpfiles_file: seal(template("tmpfiles.conf")),
        layout.rule_file: wanted.rule(),
        layout.unit_file: wanted.unit(),
    }
    writing = {file: _writing(file, text, wanted.force) for file, text in files.items()}
    image = layout.root != Path("/")
    at = [f"--root={layout.root}"] if image else []
    unit_changed = writing[layout.unit_file].act is not None
    rule_changed = writing[layout.rule_file].act is not None
    return [
        writing[layout.sysusers_file],
        _command("make the user redbutton", ["systemd-sysusers", *at, str(layout.sysusers_file)]),
        writing[layout.tmpfiles_file],
        _command(
            "make its folders", ["systemd-tmpfiles", "--create", *at, str(layout.tmpfiles_file)]
        ),
        _configuration(wanted),
        _key(layout, image),
        writing[layout.rule_file],
        *([] if image else _udev(rule_changed)),
        writing[layout.unit_file],
        *([] if image else _reload(unit_changed)),
        _command("start it with the board", ["systemctl", *at, "enable", layout.unit]),
    ]


def uninstall(layout: Layout, force: bool) -> list[Step]:
    """All steps back. Keys, configuration, record and user stay."""
    image = layout.root != Path("/")
    at = [f"--root={layout.root}"] if image else ["--now"] if _booted() else []
    files = [layout.unit_file, layout.rule_file]
    if not layout.others():
        files += [layout.tmpfiles_file, layout.sysusers_file]
    disable = _command("stop the service for good", ["systemctl", "disable", *at, layout.unit])
    return [
        *([disable] if layout.unit_file.exists() else []),
        *(_removal(file, force) for file in files),
        *([] if image else [*_reload(True), *_udev(True)]),
    ]


def _refuse_program(layout: Layout, program: Path) -> None:
    if str(program).startswith(HOMES):
        raise InstallRefused(
            f"{program} is in somebody's home, where the service cannot go and its code is not "
            "safe: python3 -m venv /opt/redbutton && /opt/redbutton/bin/pip install redbutton"
        )
    if not layout.at(str(program)).exists():
        raise InstallRefused(f"there is no {layout.at(str(program))}: name it with --program")
    if not str(program).isprintable() or any(c in str(program) for c in " \"'%$\\"):
        raise InstallRefused(f"{program!s} cannot stand in a unit: no spaces, quotes, %, $")


def _refuse_planner(layout: Layout, planner: str | None) -> None:
    if planner is None:
        return
    users = Users(layout.root)
    found = users.find(planner)
    if found is None:
        raise InstallRefused(f"there is no user {planner}: make it first (useradd {planner})")
    if found.uid == 0 or planner == USER:
        raise InstallRefused(f"the planner cannot run as {planner}: give it a user of its own")
    if USER in users.groups_of(planner):
        raise InstallRefused(
            f"{planner} is in the group redbutton and could own the port: gpasswd -d {planner} "
            "redbutton"
        )


def _writing(file: Path, text: str, force: bool) -> Step:
    try:
        now = standing(file, text)
    except OSError as error:
        raise InstallRefused(f"{file}: {error.strerror}") from None
    if now is Standing.SAME:
        return Step(f"{file} is as it should be", None)
    old = "" if now is Standing.MISSING else file.read_text("utf-8", "replace")
    lines = difflib.unified_diff(
        old.splitlines(), text.splitlines(), f"{file} (now)", str(file), lineterm=""
    )
    detail = "\n".join(lines)
    if now is Standing.CHANGED and not force:
        raise InstallRefused(
            f"{file} was changed by hand: not touched without --force (--dry-run --force: the "
            "differences)"
        )
    verb = "write" if now is Standing.MISSING else "replace"
    return Step(f"{verb} {file}", lambda: _write(file, text, 0o644), detail)


def _configuration(wanted: Wanted) -> Step:
    file = wanted.layout.configuration_file
    if _there(file):
        return Step(f"{file} is there, and yours", None)
    text = template("host.yaml").replace("@PLANNER@", wanted.planner_user or "null")

    def act() -> None:
        _write(file, text, 0o640)
        _give_to_group(wanted.layout, file)

    return Step(f"write {file} (root:redbutton, 640)", act, text)


def _key(layout: Layout, image: bool) -> Step:
    file = layout.key_file
    if _there(file):
        return Step(f"{file} is there, and stays", None)
    if image:
        return Step(f"no key in an image: `redbutton provision` makes {file.name}", None)
    return Step(f"make a new link key in {file} (root's, 600)", lambda: _make_key(file))


def _make_key(file: Path) -> None:
    with key.replacing(file) as out:
        out.write(os.urandom(32).hex() + "\n")


def _udev(changed: bool) -> list[Step]:
    if not changed:
        return []
    if not Path("/run/udev/control").exists():
        return [Step("udev does not run here: the rule is read when it starts", None)]
    trigger = ["udevadm", "trigger", "--settle"]
    return [
        _command("let udev read the rules", ["udevadm", "control", "--reload"]),
        _command("apply them to ports", [*trigger, "--subsystem-match=tty"]),
        _command("apply them to boards", [*trigger, f"--attr-match=idVendor={USB_VENDOR:04x}"]),
    ]


def _reload(changed: bool) -> list[Step]:
    if not changed:
        return []
    if not _booted():
        return [Step("systemd does not run here: the service is read when it starts", None)]
    return [_command("let systemd read the service", ["systemctl", "daemon-reload"])]


def _booted() -> bool:
    """sd_booted(3)."""
    return Path("/run/systemd/system").is_dir() and Path("/proc/1/comm").read_text() == "systemd\n"


def _command(says: str, command: list[str]) -> Step:
    return Step(f"{says}: {' '.join(command)}", lambda: _run(command))


def _run(command: list[str]) -> None:
    program = shutil.which(command[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    if program is None:
        raise MissingTool(f"{command[0]} is not installed (apt-get install systemd udev)")
    try:
        ended = subprocess.run(
            [program, *command[1:]],
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InstallFailed(f"{' '.join(command)}: no end in {COMMAND_TIMEOUT_S} s") from None
    if ended.returncode:
        said = (ended.stderr or ended.stdout).strip().splitlines() or [
            f"exit code {ended.returncode}"
        ]
        raise InstallFailed(f"{' '.join(command)}: {said[0]}")


def _removal(file: Path, force: bool) -> Step:
    if not _there(file):
        return Step(f"{file} is not there", None)
    if not force and not untouched(file.read_text("utf-8", "replace")):
        raise InstallRefused(f"{file} was changed by hand: not removed without --force")
    return Step(f"remove {file}", file.unlink)


def _write(file: Path, text: str, mode: int) -> None:
    """All at once: a half-written rule or unit is never read."""
    try:
        file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with key.replacing(file, mode) as out:
            out.write(text)
    except OSError as error:
        raise InstallFailed(f"cannot write {file}: {error.strerror}") from None


def _give_to_group(layout: Layout, file: Path) -> None:
    found = Users(layout.root).find(USER)
    if found is None:
        raise InstallFailed("systemd-sysusers did not make the user redbutton")
    os.chown(file, 0, found.gid)


def _there(file: Path) -> bool:
    try:
        return stat.S_ISREG(file.stat().st_mode)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise InstallRefused(f"{file}: {error.strerror}") from None


def next_words(layout: Layout) -> Iterator[str]:
    """What is left to a person, after an installation."""
    yield "key switch to maintenance, power the board up, then: redbutton flash"
    key_option = f" --key-file /etc/redbutton/key{layout.suffix}" if layout.suffix else ""
    yield f"then: sudo redbutton provision{key_option}"
    yield f"key switch back, power up, then: sudo systemctl restart {layout.unit}"
    option = f" --name {layout.name}" if layout.suffix else ""
    yield f"at last: sudo redbutton doctor{option}"
