"""Checks of the port, who owns it, and the controller behind it."""

import os
import secrets
import select
import stat
import time

from redbutton import attestation, key
from redbutton.doctor import setting
from redbutton.doctor.finding import Finding, not_checked, ok, problem
from redbutton.doctor.machine import BOOTLOADER, Machine
from redbutton.errors import (
    AttestationFailed,
    NoContact,
    RedbuttonError,
    VersionMismatch,
    WrongKey,
)
from redbutton.install.layout import USER
from redbutton.link import SerialLink
from redbutton.local import Client, socket_path
from redbutton.model import SafetyState
from redbutton.session import Attested, Fault, Session

GRABBERS = ("ModemManager", "brltty", "gpsd")
HEAR_S = 2.0
COUNT_S = 1.0
TURN_S = 0.01


def board(machine: Machine) -> Finding:
    """The board that the rule names is plugged in."""
    serial = setting.serial(machine)
    boards = machine.boards()
    if serial is None:
        if not boards:
            return problem("no board with MicroPython is plugged in", "plug it in: lsusb -d 2e8a:")
        return ok(f"plugged in: {', '.join(sorted(boards))}; no rule names one yet")
    if serial in boards:
        more = len(boards) - 1
        return ok(f"board {serial} is plugged in{f', and {more} more' if more else ''}")
    if serial in {found.lower() for found in machine.boards(BOOTLOADER)}:
        return problem(
            f"board {serial} is in its bootloader: it has no MicroPython, or BOOTSEL was pressed",
            "unplug it and plug it in again, without BOOTSEL",
        )
    if boards:
        others = ", ".join(sorted(boards))
        return problem(
            f"board {serial} is not plugged in, but {others}: another board than the rule names",
            setting.install_command(machine, f"--serial {min(boards)}"),
        )
    return problem(f"board {serial} is not plugged in", "plug it in; then: lsusb -d 2e8a:")


def port(machine: Machine) -> Finding:
    """The port is there, redbutton's, and closed to all others."""
    file = machine.at(machine.port)
    apply = "sudo udevadm trigger --settle --subsystem-match=tty"
    try:
        found = file.stat()
    except FileNotFoundError:
        return problem(f"there is no {file}", f"sudo udevadm control --reload && {apply}")
    except OSError as error:
        return not_checked(f"{file}: {error.strerror}", "sudo redbutton doctor")
    if not stat.S_ISCHR(found.st_mode):
        return problem(f"{file} is no serial port", f"sudo rm {file} && {apply}")
    owner = machine.users.find(USER)
    mode = stat.S_IMODE(found.st_mode)
    words = (
        f"{file} is {file.resolve()}, of user {found.st_uid}, group {found.st_gid}, mode {mode:o}"
    )
    if owner is None or found.st_uid != owner.uid:
        return problem(f"{words}: not redbutton's", f"sudo udevadm control --reload && {apply}")
    if mode & 0o007 or (mode & 0o060 and found.st_gid != owner.gid):
        return problem(f"{words}: others can open it", f"sudo udevadm control --reload && {apply}")
    return ok(words)


def planner_and_port(machine: Machine) -> Finding:
    """The planner's user cannot open the port."""
    file = machine.at(machine.port)
    return setting.kept_out(machine, file, os.O_RDWR, "udevadm trigger --settle")


def grabbers(machine: Machine) -> Finding:
    """Nothing runs that opens serial ports to see what is there."""
    running = sorted({name for name in machine.processes().values() if name in GRABBERS})
    if not running:
        return ok(f"none of {', '.join(GRABBERS)} runs")
    if running == ["ModemManager"]:
        said = machine.run("udevadm", "info", "--query=property", machine.port)
        if said is not None and "ID_MM_DEVICE_IGNORE=1" in said.stdout.split():
            return ok("ModemManager runs, and is told to leave this port alone")
        return problem(
            "ModemManager runs and may send AT commands to the board",
            "sudo udevadm control --reload && sudo udevadm trigger --settle --subsystem-match=tty",
        )
    name = next(name for name in running if name != "ModemManager")
    return problem(f"{name} runs and opens serial ports", f"sudo systemctl disable --now {name}")


def autosuspend(machine: Machine) -> Finding:
    """USB does not put the board to sleep."""
    folder = machine.boards().get(setting.serial(machine) or "")
    control = machine.text(f"{folder}/power/control")
    if control is None:
        return ok("USB cannot put the board to sleep here")
    if control != "on":
        return problem(
            f"USB may put the board to sleep (power/control is {control}): that would be a stop",
            f"echo on | sudo tee {machine.at(f'{folder}/power/control')}",
        )
    return ok("USB never puts the board to sleep")


def holders(machine: Machine) -> dict[int, int]:
    """Processes that have the port open: their users. Only what we may see (proc(5))."""
    real = machine.at(machine.port).resolve()
    found = {}
    for number in machine.processes():
        folder = machine.at(f"/proc/{number}")
        try:
            if any(os.path.realpath(handle) == str(real) for handle in (folder / "fd").iterdir()):
                found[number] = folder.stat().st_uid
        except OSError:
            continue
    return found


def owner(machine: Machine) -> Finding:
    """One process has the port open, the user redbutton's or of its group."""
    found = holders(machine)
    if not found:
        if os.geteuid() != 0:
            return not_checked("only root sees who has the port open", "sudo redbutton doctor")
        name = machine.layout.unit
        return problem("nobody owns the port: no heartbeat", f"sudo systemctl restart {name}")
    names = machine.processes()
    words = ", ".join(f"process {n} ({names.get(n, '?')}) of user {u}" for n, u in found.items())
    if len(found) > 1:
        return problem(f"several have the port open: {words}", f"sudo kill {max(found)}")
    number, uid = next(iter(found.items()))
    may = [0] + [one.uid for one in (machine.users.find(USER),) if one]
    planner = machine.planner
    if planner is not None and uid == planner.uid:
        return problem(f"the planner owns the port: {words}", f"sudo kill {number}")
    if uid not in may:
        return ok(f"{words}, a member of the group redbutton")
    return ok(words)


def service(machine: Machine) -> Finding:
    """The service is enabled and active, or the gate has its place."""
    name = machine.layout.unit
    if machine.live and (found := holders(machine)) and not _by_unit(min(found), machine):
        return ok(f"not used: process {min(found)} owns the port, as the ROS gate does")
    enabled = machine.run("systemctl", *_at(machine), "is-enabled", name)
    if enabled is None or enabled.stdout.strip() != "enabled":
        return problem(
            f"{name} is not enabled: it does not start", f"sudo systemctl enable {name}"
        )
    if not machine.live:
        return ok(f"{name} is enabled")
    active = machine.run("systemctl", "is-active", name)
    words = active.stdout.strip() if active else ""
    if words in ("active", "reloading"):
        status = machine.run("systemctl", "show", "--value", "--property=StatusText", name)
        return ok(f"{name} is active: {status.stdout.strip() if status else ''}")
    if words not in ("inactive", "failed", "activating"):
        return not_checked("systemd does not answer: it does not run here")
    return problem(
        f"{name} is {words} (why: journalctl -u {name} -n 20)", f"sudo systemctl restart {name}"
    )


def _by_unit(number: int, machine: Machine) -> bool:
    """Whether a process is of the service (cgroups(7))."""
    return machine.layout.unit in (machine.text(f"/proc/{number}/cgroup") or "")


def _at(machine: Machine) -> list[str]:
    return [] if machine.live else [f"--root={machine.layout.root}"]


def _client(machine: Machine) -> Client:
    return Client(socket_path(machine.port))


def socket(machine: Machine) -> Finding:
    """The owner's socket answers, for whoever wants a stop."""
    path = socket_path(machine.port)
    restart = f"sudo systemctl restart {machine.layout.unit}"
    try:
        client = _client(machine)
    except FileNotFoundError:
        return problem(f"no socket {path}: `redbutton stop` would find no owner", restart)
    except (OSError, RedbuttonError) as error:
        return problem(f"{path}: {error}", restart)
    try:
        state = _heard(client)
    finally:
        client.close()
    if state is None:
        return problem(f"{path} is silent", restart)
    return ok(f"{path} answers")


def _heard(client: Client) -> SafetyState | None:
    """The last state told, as soon as one is heard freshly, or after 2 s; None for none at all."""
    end = time.monotonic() + HEAR_S
    last = None
    while time.monotonic() < end and not client.gone:
        select.select([client], [], [], 0.1)
        for state in client.take():
            last = state if not (last and last.heard) else last
            if state.heard:
                return state
    return last


def controller(machine: Machine) -> Finding:
    """Whoever owns the port hears the controller, which takes its heartbeats.

    It is given none before the controller has attested its firmware, and takes none under another
    key. So heartbeats that are taken prove both. Where nobody owns the port, the controller is
    asked here; that is no heartbeat.
    """
    try:
        client = _client(machine)
    except (OSError, RedbuttonError):
        return _asked(machine)
    try:
        first = _heard(client)
        end = time.monotonic() + COUNT_S
        last = first
        while time.monotonic() < end and not client.gone:
            select.select([client], [], [], 0.1)
            last = next((s for s in reversed(client.take()) if s.counters), last)
    finally:
        client.close()
    if first is None or not first.heard or first.counters is None:
        return _fault(machine, (first.problem if first else None) or "the controller is not heard")
    taken = (last.counters.heartbeats_taken if last and last.counters else 0) - (
        first.counters.heartbeats_taken
    )
    if first.problem or taken % 65536 == 0:
        return _fault(machine, first.problem or "the controller takes no heartbeats")
    if first.journal_fails:
        return problem("the controller cannot write its journal", "replace the board")
    return ok(
        f"{first.sentence()}; it takes heartbeats: same key, firmware and configuration attested"
    )


def _asked(machine: Machine) -> Finding:
    """Attested on the port itself."""
    file = machine.layout.key_file
    try:
        session = Session(
            key.load(file),
            first_sequence=secrets.randbelow(65536),
            expected=attestation.expected(file),
        )
        link = SerialLink(machine.port)
    except RedbuttonError as error:
        return not_checked(str(error), "sudo redbutton doctor")
    try:
        link.write(session.opened(time.monotonic()))
        end = time.monotonic() + HEAR_S
        while time.monotonic() < end:
            for event in session.receive(link.read(), time.monotonic()):
                if isinstance(event, Attested):
                    version = session.identity.firmware if session.identity else "?"
                    return ok(
                        f"firmware {version} attested, {event.firmware.hex()[:16]}; same key"
                    )
                if isinstance(event, Fault):
                    return _mended(machine, event.error)
            link.write(session.answer(time.monotonic()))
            time.sleep(TURN_S)
    except RedbuttonError as error:
        return _mended(machine, error)
    finally:
        link.close()
    return _mended(machine, NoContact(f"{machine.port}: the controller is not heard"))


def _mended(machine: Machine, error: RedbuttonError) -> Finding:
    if isinstance(error, AttestationFailed | VersionMismatch):
        return problem(str(error), "key switch to maintenance, power up, then: redbutton flash")
    if isinstance(error, WrongKey):
        words = f"sudo redbutton provision{setting.key_option(machine)}"
        return problem(str(error), f"key switch to maintenance, power up, then: {words}")
    return problem(
        str(error), "is the key switch in operation, the board powered? redbutton status"
    )


def _fault(machine: Machine, words: str) -> Finding:
    """What the owner of the port says is wrong; it says no more than its words."""
    for error, signs in (
        (WrongKey, ("link key",)),
        (AttestationFailed, ("attest", "firmware", "configured as")),
    ):
        if any(sign in words for sign in signs):
            return _mended(machine, error(words))
    return _mended(machine, NoContact(words))
