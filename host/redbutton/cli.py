"""The command line `redbutton`."""

import json
import os
import signal
import sys
import time
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from redbutton import __version__, key, udev
from redbutton.errors import NoContact, RedbuttonError, StopNotProven
from redbutton.local import StopRequest
from redbutton.model import SafetyState, State
from redbutton.owner import Owner
from redbutton.session import Fault, Hello, Rebooted, Transition, TransitionsLost
from redbutton.watch import Watch

HEARTBEAT_TURN_S = 0.01
CONTACT_TIMEOUT_S = 2.0
STOP_TIMEOUT_S = 2.0
COLOURS = {
    State.RUN: "green",
    State.STOPPING: "yellow",
    State.STOPPED: "red",
    State.LOCKOUT: "bold red",
    State.UNKNOWN: "magenta",
}

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
        from redbutton.firmware import wire

        print(f"redbutton {__version__}, protocol version {wire.VERSION}")
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
def run(port: Port = None, key_file: KeyFile = None, as_json: Json = False) -> None:
    """Own the port and make the heartbeat (without ROS).

    The heartbeat proves that this process turns. When it ends, hangs or is killed, the controller
    cuts the power.
    """
    owner = Owner(port, key.load(key_file or key.default_file()))
    last: tuple[object, ...] | None = None
    try:
        while True:
            for event in owner.turn():
                _say_event(as_json, event)
            state = owner.state()
            shown = (state.state, state.load, state.present, state.problem)
            if shown != last:
                last = shown
                _say_state(as_json, state)
            owner.wait(HEARTBEAT_TURN_S)
    except KeyboardInterrupt:
        _say(as_json, "ended: without a heartbeat the controller stops", event="ended")
    finally:
        owner.close()


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
    for name, number in state.counters.model_dump().items():
        console.print(f"  {name.replace('_', ' '):<20} {number}")


@app.command(epilog="Example: redbutton monitor --port /dev/redbutton")
def monitor(port: Port = None, as_json: Json = False) -> None:
    """Watch the state until Ctrl-C.

    A line at each change, and at once when contact is lost.
    """
    watch = Watch(port)
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
            lambda state: state.stopped and "stop requested" in state.causes, STOP_TIMEOUT_S
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
    as_json: Json = False,
) -> None:
    """Run the firmware on a modelled board.

    The firmware, its interpreter and the port are real; pins, relays and load are a model.

    Commands on standard input: press, release, reset, unplug, plug, key on|off, supply on|off,
    stick SIGNAL 0|1, free SIGNAL, quit.
    """
    from redbutton.virtual import console as virtual_console

    virtual_console.run(
        port_link,
        key_file,
        flash,
        stop_delay_ms,
        heartbeat_timeout_ms,
        lambda text, **fields: _say(as_json, text, **fields),
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


if __name__ == "__main__":
    main()
