"""The command line `redbutton`."""

import contextlib
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from redbutton import attestation, configuration, key, planner_unit, udev
from redbutton.colours import COLOURS
from redbutton.conduct import ConductWatch
from redbutton.errors import (
    ConfigurationWrong,
    JournalFaulty,
    NoContact,
    RedbuttonError,
    RotationUnfinished,
    StopNotProven,
    WrongKey,
)
from redbutton.journal import JournalEntry, Reading
from redbutton.link import SerialLink, find_port
from redbutton.local import StopRequest
from redbutton.model import STOP_REQUESTED, SafetyState
from redbutton.notify import Notifier
from redbutton.owner import ConductExceeded, Owner
from redbutton.planner_unit import PlannerActed
from redbutton.record.diary import open_diary
from redbutton.session import (
    Attested,
    Fault,
    Hello,
    Rebooted,
    Session,
    Transition,
    TransitionsLost,
)
from redbutton.stop_log import StopRequested
from redbutton.watch import Watch

HEARTBEAT_TURN_S = 0.01
CONTACT_TIMEOUT_S = 2.0
STOP_TIMEOUT_S = 2.0

app = typer.Typer(
    name="redbutton",
    help="Emergency stop for robots that a language model drives: the host's end.\n\n"
    "The stop itself is hardware. Nothing here can make the robot run again: that is the reset "
    "button on the controller, and a person. Not certified equipment.",
    epilog="Try it without hardware: redbutton demo",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)
console = Console(highlight=False)

Port = Annotated[
    str | None,
    typer.Option(
        "--port",
        "-p",
        help="The controller's port. Default: /dev/redbutton, else the "
        "only board that could be one.",
        envvar="REDBUTTON_PORT",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One line of JSON for each thing said.")]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        "-k",
        help="The link key. Default: $REDBUTTON_KEY_FILE, else /etc/redbutton/key.",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        help="The host's configuration. Default: $REDBUTTON_CONFIG, else "
        "/etc/redbutton/host.yaml if it is there."
    ),
]


def main() -> NoReturn:
    """Run the command line: errors are one line on standard error and an exit code.

    SIGTERM ends a command like Ctrl-C, so that nothing that it started is left running.
    """
    signal.signal(signal.SIGTERM, _end)
    try:
        code = app(standalone_mode=False)  # of typer.Exit; None where a command just ended
    except RedbuttonError as error:
        _complain(str(error))
        sys.exit(error.exit_code)
    except typer.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:  # usage errors are click's, which Typer may carry inside itself
        show = getattr(error, "show", None)
        if show is None:
            raise
        show()
        sys.exit(getattr(error, "exit_code", 2))
    sys.exit(code)


def _end(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _complain(text: str) -> None:
    Console(stderr=True, highlight=False).print(
        f"[red]redbutton:[/red] {escape(text)}", soft_wrap=True
    )


def _say(as_json: bool, text: str, colour: str = "", **fields: Any) -> None:
    """One line, for a person or for a script."""
    if as_json:
        print(json.dumps({"time": time.time(), **fields}), flush=True)
        return
    stamp = datetime.now().strftime("%H:%M:%S.%f")[:-3]
    body = f"[{colour}]{escape(text)}[/{colour}]" if colour else escape(text)
    console.print(f"[dim]{stamp}[/dim]  {body}", soft_wrap=True)


def _say_state(as_json: bool, state: SafetyState) -> None:
    if as_json:
        print(state.model_dump_json(), flush=True)
    else:
        _say(False, state.sentence(), COLOURS[state.state])


def _version(wanted: bool) -> None:
    if wanted:
        from redbutton import parts

        print("\n".join(parts.lines()))
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Name all parts.")
    ] = False,
    no_colour: Annotated[bool, typer.Option("--no-color", help="Plain text.")] = False,
) -> None:
    """Options of every command."""
    if no_colour:
        os.environ["NO_COLOR"] = "1"
        console.no_color = True


@app.command(epilog="Example: redbutton run --port /dev/redbutton --key-file /etc/redbutton/key")
def run(
    port: Port = None,
    key_file: KeyFile = None,
    config: Config = None,
    realtime: Annotated[
        bool,
        typer.Option(help="Ask for real-time priority and locked memory. Goes on without."),
    ] = True,
    as_json: Json = False,
) -> None:
    """Own the port and make the heartbeat (without ROS).

    The heartbeat proves that this process turns. When it ends, hangs or is killed, the controller
    cuts the power.
    """
    from redbutton import realtime as priority

    host = configuration.load(config)
    key_file = key_file or (Path(host.key_file) if host.key_file else key.default_file())
    planner = planner_unit.unit_of(host.planner)
    _, got = priority.ask() if realtime else (False, "ordinary priority")
    _say(as_json, f"runs with {got}", event="priority", got=got)
    link_key = key.load_private(key_file)
    diary = open_diary(host.record.folder)
    if not diary.on:
        _say(as_json, "nothing is recorded: see redbutton log init", event="not_recorded")
    try:
        owner = Owner(
            port or host.port,
            link_key,
            attestation.expected(key_file),
            planner=planner,
            conduct=ConductWatch(host.conduct),
            notices=[f"runs with {got}"],
            record=diary,
        )
    except RedbuttonError as error:
        diary.note("fault", error=str(error))
        diary.close()
        raise
    diary.begin(configuration.file_of(config), port=owner.port)
    manager = Notifier()
    manager.tell("READY=1")  # the port is owned; what the controller says is in the status
    last: tuple[object, ...] | None = None
    said = ""
    try:
        while True:
            for event in owner.turn():
                _say_event(as_json, event)
            if diary.problem != said:
                said = diary.problem
                text = f"not recorded: {said}" if said else "recorded again"
                _say(as_json, text, "magenta", event="record", problem=said)
            state = owner.state()
            manager.turned(state.sentence())
            shown = (state.state, state.load, state.present, state.problem)
            if shown != last:
                last = shown
                _say_state(as_json, state)
            owner.wait(HEARTBEAT_TURN_S)
    except WrongKey as error:
        if key.next_file(key_file).exists():
            raise RotationUnfinished(f"{error}: finish it with `redbutton rotate-key`") from None
        raise
    except KeyboardInterrupt:
        _say(as_json, "ended: without a heartbeat the controller stops", event="ended")
    finally:
        manager.tell("STOPPING=1")
        owner.close()
        diary.close()


def _say_attested(as_json: bool, event: Attested) -> None:
    found = event.configuration
    _say(
        as_json,
        f"attested: firmware {event.firmware.hex()[:16]}, heartbeat timeout "
        f"{found.heartbeat_timeout_ms} ms, stop delay {found.stop_delay_ms} ms, name "
        f"{found.name or 'none'}",
        event="attested",
        firmware=event.firmware.hex(),
        **found.model_dump(),
    )


def _say_event(as_json: bool, event: object) -> None:
    if isinstance(event, Fault):
        if not event.error.survivable:
            raise event.error
        _say(as_json, str(event.error), "magenta", event="fault", error=str(event.error))
    elif isinstance(event, Hello):
        who = event.identity
        _say(
            as_json,
            f"controller {who.board}, firmware {who.firmware}, heartbeat timeout "
            f"{who.heartbeat_timeout_ms} ms, stop delay {who.stop_delay_ms} ms, started by "
            f"{who.boot_cause}",
            event="hello",
            **who.model_dump(),
        )
    elif isinstance(event, Attested):
        _say_attested(as_json, event)
    elif isinstance(event, Transition):
        _say(
            as_json,
            f"{event.before.value} -> {event.after.value}: {event.cause or 'reset'}",
            COLOURS[event.after],
            event="transition",
            number=event.number,
            before=event.before.value,
            after=event.after.value,
            cause=event.cause,
            causes=event.causes,
        )
    elif isinstance(event, StopRequested):
        fields = {**vars(event), "peer": event.peer.model_dump() if event.peer else None}
        _say(as_json, event.sentence(), "magenta", event="stop_requested", **fields)
    elif isinstance(event, PlannerActed):
        _say(as_json, event.sentence(), "magenta", event="planner", **vars(event))
    elif isinstance(event, ConductExceeded):
        _say(as_json, event.words, "magenta", event="conduct", words=event.words)
    elif isinstance(event, Rebooted):
        _say(as_json, "the controller started anew", "magenta", event="rebooted")
    elif isinstance(event, TransitionsLost):
        _say(
            as_json,
            f"{event.count} transitions were not told",
            "magenta",
            event="transitions_lost",
            count=event.count,
        )


@app.command(epilog="Example: redbutton status --json | jq .load")
def status(port: Port = None, as_json: Json = False) -> None:
    """Say the measured state, once.

    Fails if the controller is not heard.
    """
    watch = Watch(port)
    try:
        heard, state = watch.until(lambda state: state.heard, CONTACT_TIMEOUT_S)
    finally:
        watch.close()
    if not heard:
        raise NoContact(state.problem or "the controller is not heard")
    if as_json:
        print(state.model_dump_json())
        return
    console.print(f"[{COLOURS[state.state]}]{escape(state.sentence())}[/]", soft_wrap=True)
    assert state.measured is not None and state.counters is not None
    for name, value in state.measured.model_dump().items():
        console.print(f"  {name.replace('_', ' '):<20} {'yes' if value else 'no'}")
    console.print(f"  {'all causes':<20} {', '.join(state.causes) or 'none'}")
    console.print(f"  {'heartbeat age':<20} {state.heartbeat_age_ms} ms")
    console.print(f"  {'journal':<20} {'FAILS to write flash' if state.journal_fails else 'ok'}")
    if state.record_fails:
        console.print(f"  {'record':<20} FAILS: what happens is not recorded")
    for name, number in state.counters.model_dump().items():
        console.print(f"  {name.replace('_', ' '):<20} {number}")


@app.command(epilog="Example: redbutton monitor --port /dev/redbutton")
def monitor(port: Port = None, as_json: Json = False) -> None:
    """Watch the state until Ctrl-C.

    In a terminal a live view, with keys: s stops, q leaves, ? lists them; nothing resets. On a
    virtual board of your own there are keys for the hands of the person at it, too. Without a
    terminal a line at each change, and at once when contact is lost.
    """
    watch = Watch(port)
    if not as_json and _at_a_terminal():
        from redbutton.monitor import live

        live.run(console, watch)
        return
    last: tuple[object, ...] | None = None
    try:
        for state in watch.states():
            shown = (state.state, state.load, state.present, state.problem)
            if shown != last:
                last = shown
                _say_state(as_json, state)
        raise NoContact(state.problem or "the owner of the port is gone")
    except KeyboardInterrupt:
        pass
    finally:
        watch.close()


def _at_a_terminal() -> bool:
    """Whether a person can see a whole screen, and press keys."""
    return sys.stdin.isatty() and sys.stdout.isatty() and not console.is_dumb_terminal


@app.command("journal", epilog="Example: redbutton journal --since 120 --json")
def journal_command(
    port: Port = None,
    key_file: KeyFile = None,
    since: Annotated[int, typer.Option(min=0, help="Number of the first entry to read.")] = 0,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Check the entries under the link key.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Read the controller's journal.

    Every power-up and every transition with its cause, over power cycles. Stops nothing. Fails if
    entries are missing or forged, or if the controller's flash fails.
    """
    key_file = key_file or key.default_file()
    record = attestation.load_record(key_file) if check else None
    reading = Reading(
        since, key.load(key_file) if check else None, record.journal_since if record else 0
    )
    watch = Watch(port)
    try:
        while not reading.over:
            reading.take(watch.journal(reading.sequence))
    finally:
        watch.close()
    assert reading.last is not None
    if as_json:
        for entry in reading.entries:
            print(entry.model_dump_json())
    else:
        console.print(_journal_table(reading.entries, check))
        console.print(
            f"entries {reading.last.oldest} to {reading.last.next - 1} are kept"
            + ("" if check else "; not checked"),
            soft_wrap=True,
        )
    if faults := reading.faults():
        raise JournalFaulty("; ".join(faults))


def _journal_table(entries: list[JournalEntry], checked: bool) -> Table:
    table = Table("entry", "boot", "uptime", "what", "cause", "", box=None)
    for entry in entries:
        remarks = []
        if entry.authentic is False:
            remarks.append("FORGED")
        elif entry.authentic is None and checked:
            remarks.append("older key")
        if not entry.stored:
            remarks.append("not in flash yet")
        cause = entry.cause or ""
        if entry.first_cause != entry.cause:
            cause += f" (first: {entry.first_cause})"
        table.add_row(
            str(entry.sequence),
            str(entry.boot),
            f"{entry.uptime_ms / 1000:.3f} s",
            entry.sentence(),
            escape(cause),
            ", ".join(remarks),
            style=COLOURS[entry.after] if entry.after else "magenta",
        )
    return table


@app.command(epilog="Example: redbutton stop --reason 'person in the cell'")
def stop(
    port: Port = None,
    category: Annotated[
        int, typer.Option(min=0, max=1, help="IEC 60204-1. 1: after the controller's stop delay.")
    ] = 0,
    reason: Annotated[str, typer.Option(help="For the record.")] = "",
    as_json: Json = False,
) -> None:
    """Request a stop, and say when it is measured.

    Fails if it could not be proven. A request is never refused. The red button needs no request.
    """
    watch = Watch(port)
    try:
        begin = time.monotonic()
        watch.stop(StopRequest(category=category, reason=reason[:200]))
        stopped, state = watch.until(
            lambda state: state.stopped and STOP_REQUESTED in state.causes, STOP_TIMEOUT_S
        )
        took = time.monotonic() - begin
    finally:
        watch.close()
    if not stopped:
        raise StopNotProven(
            f"a stop was requested, but not proven in {STOP_TIMEOUT_S:.0f} s: {state.sentence()}. "
            "Press the red button"
        )
    _say(
        as_json,
        f"stopped: both mirror contacts closed, seen {took * 1000:.0f} ms after the request",
        "red",
        event="stopped",
        seen_after_s=took,
        state=state.model_dump(mode="json"),
    )


@app.command(epilog="Example: redbutton reset")
def reset(as_json: Json = False) -> None:
    """Say where the reset button is.

    There is no reset by software.
    """
    text = (
        "a reset is a person at the controller: see that nobody is in reach of the robot, "
        "release the red button, then press the reset button for 150 ms to 3 s and let go"
    )
    _say(as_json, text, event="no_reset", answer=text)
    raise typer.Exit(1)


@app.command("flash", epilog="Example: redbutton flash --port /dev/redbutton")
def flash_command(port: Port = None, as_json: Json = False) -> None:
    """Put the firmware of this package on the board.

    Only in maintenance: turn the key switch, then take the board's power away and give it back.
    Files that do not belong there are removed; settings and journal stay. If it is interrupted,
    the board stays off until it is repeated.
    """
    from redbutton.maintenance import Maintenance

    wanted = attestation.files()
    with Maintenance(port) as board, Progress(console=console, disable=as_json) as bar:
        task = bar.add_task("firmware", total=sum(len(content) for content in wanted.values()))
        written, removed = board.flash(
            wanted,
            lambda name, done, total: bar.update(
                task, description=name, completed=done, total=total
            ),
        )
        bar.update(task, description="verified", completed=1, total=1)
    digest = attestation.digest(wanted).hex()
    _say(
        as_json,
        f"{len(written)} files written, {len(removed)} removed, all read back: firmware "
        f"{digest[:16]}. Turn the key switch back: the board starts in operation",
        event="flashed",
        written=written,
        removed=removed,
        firmware=digest,
    )


@app.command(
    "provision",
    epilog="Example: sudo redbutton provision --name arm-2 --heartbeat-timeout-ms 100",
)
def provision_command(
    port: Port = None,
    key_file: KeyFile = None,
    new_key: Annotated[bool, typer.Option(help="Make a new key even if there is one.")] = False,
    heartbeat_timeout_ms: Annotated[
        int | None, typer.Option(help="Without a heartbeat for so long, stop. 40 to 1000.")
    ] = None,
    stop_delay_ms: Annotated[
        int | None, typer.Option(help="Of a stop of category 1. 0 to 1000.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What the robot is called.")] = None,
    new_witness: Annotated[
        bool, typer.Option("--new-witness", help="Let the board make a new witness key.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Give board and host one link key, and the board its times and name.

    Only in maintenance, like flash. The key is made unless its file is there, and is never shown;
    what is not named stays as it is on the board. The limits are the controller's. The board makes
    a key of its own, too, with which it signs checkpoints of the record.
    """
    from redbutton import maintenance

    key_file = key_file or key.default_file()
    with maintenance.Maintenance(port) as board:
        record, witness_file = maintenance.provision(
            board, key_file, new_key, heartbeat_timeout_ms, stop_delay_ms, name, new_witness
        )
    stored = record.configuration
    for what, asked, kept in (
        ("heartbeat timeout", heartbeat_timeout_ms, stored.heartbeat_timeout_ms),
        ("stop delay", stop_delay_ms, stored.stop_delay_ms),
    ):
        if asked is not None and asked != kept:
            _say(
                as_json,
                f"{what}: {asked} ms is beyond the controller's limits, it keeps {kept} ms",
                "yellow",
                event="clamped",
                what=what,
                asked=asked,
                kept=kept,
            )
    _say(
        as_json,
        f"board {record.board}: link key {record.key_id} (in {key_file}), heartbeat timeout "
        f"{stored.heartbeat_timeout_ms} ms, stop delay {stored.stop_delay_ms} ms, name "
        f"{stored.name or 'none'}",
        event="provisioned",
        key_file=str(key_file),
        **record.model_dump(),
    )
    if witness_file is not None:
        _say(
            as_json,
            f"the board made a witness key; it is told this once, in {witness_file}: move that "
            "file off this computer, to whoever will verify the record",
            "yellow",
            event="witness_key",
            file=str(witness_file),
        )


@app.command(
    "rotate-key", epilog="Example: sudo redbutton rotate-key --key-file /etc/redbutton/key"
)
def rotate_key(port: Port = None, key_file: KeyFile = None, as_json: Json = False) -> None:
    """Give board and host a new link key; the old one opens nothing any more.

    Only in maintenance, like flash. Interrupted at any point, board and host still hold one key in
    common: run it again. The old key is deleted when the board has proved that it holds the new
    one.
    """
    from redbutton import rotation

    key_file = key_file or key.default_file()
    record = rotation.rotate(port, key_file)
    _say(
        as_json,
        f"board {record.board}: link key {record.key_id} is in force (in {key_file}), the old one "
        "is refused. Turn the key switch back: the board starts in operation",
        event="rotated",
        key_file=str(key_file),
        **record.model_dump(),
    )


@app.command(
    "attest",
    epilog="Example: redbutton attest --manifest firmware/manifest.json --verify-key release.pub",
)
def attest_command(
    port: Port = None,
    key_file: KeyFile = None,
    manifest: Annotated[
        Path | None, typer.Option(help="A signed manifest, in place of this package's firmware.")
    ] = None,
    verify_key: Annotated[
        Path | None, typer.Option(help="File of the key that the manifest is signed with.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Let the controller prove its firmware and configuration.

    What it must be: the firmware of this package, and what `redbutton provision` recorded. Sends
    no heartbeat. Whoever owns the port has asked the same before its first heartbeat.
    """
    from redbutton import manifest as manifests

    key_file = key_file or key.default_file()
    expected = attestation.expected(key_file)
    if (manifest is None) != (verify_key is None):
        raise typer.BadParameter("--manifest and --verify-key go together")
    if manifest is not None and verify_key is not None:
        signed = manifests.load(manifest, verify_key)
        expected = attestation.Expected(bytes.fromhex(signed.digest), expected.configuration)
    for event in _attest(port, key.load(key_file), expected):
        if isinstance(event, Fault):
            raise event.error
        _say_event(as_json, event)


def _attest(
    port: str | None, link_key: bytes, expected: attestation.Expected
) -> Iterator[Attested | Fault]:
    """Ask until it is answered, or fails."""
    link = SerialLink(port or find_port())
    session = Session(link_key, first_sequence=secrets.randbelow(65536), expected=expected)
    try:
        link.write(session.opened(time.monotonic()))
        end = time.monotonic() + CONTACT_TIMEOUT_S
        while time.monotonic() < end:
            for event in session.receive(link.read(), time.monotonic()):
                if isinstance(event, Attested | Fault):
                    yield event
                    return
            link.write(session.answer(time.monotonic()))
            time.sleep(HEARTBEAT_TURN_S)
    finally:
        link.close()
    raise NoContact(f"{link.port}: the controller is not heard")


@app.command(
    "udev-rule",
    epilog="Example: redbutton udev-rule E6614C311B7E6F2C | "
    "sudo tee /etc/udev/rules.d/70-redbutton.rules",
)
def udev_rule(
    serial: Annotated[str, typer.Argument(help="The board's USB serial number, 16 hex digits.")],
    name: Annotated[str, typer.Option(help="Name of the link below /dev.")] = "redbutton",
) -> None:
    """Print the udev rule for /dev/redbutton."""
    print(udev.rule(serial, name), end="")


@app.command("virtual-board", epilog="Example: redbutton virtual-board --port-link /tmp/vb")
def virtual_board(
    port_link: Annotated[
        Path | None, typer.Option(help="Where to link the port. Default: the runtime folder.")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", "-k", help="The link key; made if missing.")
    ] = None,
    flash: Annotated[
        Path | None, typer.Option(help="Folder to keep as the board's flash. Default: none kept.")
    ] = None,
    stop_delay_ms: Annotated[int, typer.Option(min=0, max=1000)] = 0,
    heartbeat_timeout_ms: Annotated[int, typer.Option(min=40, max=1000)] = 100,
    probe_link: Annotated[
        Path | None,
        typer.Option(help="Wire the bench's probe to the board, and link its port here."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the firmware on a modelled board.

    The firmware, its interpreter and the port are real; pins, relays and load are a model.

    Commands on standard input: press, release, reset, unplug, plug, power (a power
    cycle), key on|off, supply on|off, stick SIGNAL 0|1, free SIGNAL, quit.

    With --probe-link the bench's probe (its real firmware, see hardware/) holds the contacts in
    place of a person: redbutton bench selftest, redbutton bench run. Its wires can be made wrong:
    cut WIRE, short WIRE, cross WIRE WIRE, mend, with WIRE such as sense.load or switch.contact_a.

    The same words, but for quit, are taken on the socket PORT_LINK.hands, which is its user's
    alone. It stands for the fingers of a person at the board: no real controller has one.
    """
    from redbutton.virtual import console as virtual_console

    virtual_console.run(
        port_link,
        key_file,
        flash,
        stop_delay_ms,
        heartbeat_timeout_ms,
        lambda text, **fields: _say(as_json, text, **fields),
        probe_link,
    )


@app.command(epilog="Example: redbutton pendant --config /etc/redbutton/host.yaml")
def pendant(
    port: Port = None,
    config: Config = None,
    dark: Annotated[
        bool, typer.Option("--dark", help="Switch all lights off, and end: after a crash.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Watch stop buttons and show the state on a Raspberry Pi's pins.

    The configuration's section `pendant` says what is where. An open contact requests a stop, for
    as long as it is open. Lights show the measured state, or nothing.

    It is no emergency stop: that is the red button that is wired into the controller's chain.
    """
    host = configuration.load(config)
    if host.pendant is None:
        raise ConfigurationWrong("the configuration has no section `pendant`")
    from redbutton.pendant import pendant as at_work

    with contextlib.suppress(KeyboardInterrupt):
        at_work.run(
            host.pendant,
            port or host.port,
            lambda text, **fields: _say(as_json, text, **fields),
            dark,
        )


@app.command(epilog="Example: redbutton demo --json")
def demo(
    as_json: Json = False,
    ros: Annotated[
        bool | None,
        typer.Option("--ros/--no-ros", help="With the ROS 2 gate. Default: if it is installed."),
    ] = None,
) -> None:
    """Show the whole chain on a virtual board.

    A planner, five stops, and what software cannot do against them. Ends by itself, in less than
    a minute. Exit code 0 if all that was seen is as it must be.
    """
    from redbutton.demo import story

    raise typer.Exit(story.tell(console, as_json, ros))


@app.command(
    epilog="Examples: redbutton verify | redbutton verify --json | jq .holds | "
    "redbutton verify --seed-bug all | redbutton verify --seed-bug stopping-one-late"
)
def verify(
    seed_bug: Annotated[
        str | None,
        typer.Option(
            "--seed-bug",
            metavar="NAME|all|list",
            help="Plant this bug into the decision, find it, and print the shortest path to it.",
        ),
    ] = None,
    fine: Annotated[
        int, typer.Option(min=3, max=8, help="Base of the second scale. 3: finer, minutes.")
    ] = 4,
    ticks: Annotated[
        int, typer.Option(min=1, help="Length of each random walk with the real limits.")
    ] = 200_000,
    as_json: Json = False,
) -> None:
    """Visit every state of the safety decision.

    Explores the code of firmware/decide.py under every combination of inputs, with small limits,
    checks each tick against the safety requirements, and says why the small limits lose nothing.

    Exit code 0 if all requirements hold (or every seeded bug was found), else 1.
    """
    from redbutton.verify import report
    from redbutton.verify.seeds import BUGS

    if seed_bug == "list":
        for name, bug in BUGS.items():
            if as_json:
                print(json.dumps({"bug": name, "what": bug.what}))
            else:
                console.print(f"{name:<26} {bug.what}", soft_wrap=True)
        return
    if seed_bug is None:
        raise typer.Exit(report.verify(console, as_json, fine, ticks))
    if seed_bug != "all" and seed_bug not in BUGS:
        raise typer.BadParameter(f"no such bug: {seed_bug}. See: redbutton verify --seed-bug list")
    names = list(BUGS) if seed_bug == "all" else [seed_bug]
    raise typer.Exit(report.find_bugs(console, as_json, names))


def _add_checks() -> None:
    """The commands that stand beside what they use."""
    from redbutton.agent import agent_cli
    from redbutton.approval import cli_approval
    from redbutton.bench.bench_cli import bench_app
    from redbutton.checks import check_cli, evaluate_cli
    from redbutton.checks.profile_cli import profile_app
    from redbutton.doctor import doctor_cli
    from redbutton.install import install_cli
    from redbutton.record.record_cli import log_app

    app.add_typer(profile_app)
    app.add_typer(bench_app, name="bench")
    app.add_typer(log_app, name="log")
    check_cli.register(app)
    evaluate_cli.register(app)
    cli_approval.register(app)
    agent_cli.register(app)
    install_cli.register(app)
    doctor_cli.register(app)


_add_checks()


if __name__ == "__main__":
    main()
