"""The operators' commands: `redbutton pending | approve | deny | approver-key`."""

import base64
import json
import stat
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from redbutton import key
from redbutton.approval.ballot import Decision, cast, public_key
from redbutton.approval.channel import Operator, Pending, socket_path
from redbutton.approval.desk import Outcome, Standing, Waiting
from redbutton.approval.shown import panel, panels, progress
from redbutton.errors import ApprovalRefused, KeyUnreadable
from redbutton.manifest import new_key

ENVIRONMENT = "REDBUTTON_APPROVER_KEY"

Json = Annotated[bool, typer.Option("--json", help="One line of JSON for each thing said.")]
Id = Annotated[str, typer.Argument(help="The held command, as `redbutton pending` names it.")]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", "-k", help="Your approver's key.", envvar=ENVIRONMENT),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        help="The operator channel's folder. Default: $REDBUTTON_OPERATOR_DIR, else "
        "/run/redbutton/operator."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(epilog="Example: redbutton pending --watch")(pending)
    app.command(epilog="Example: redbutton approve 3f9a01c2 --key-file ~/approver.key")(approve)
    app.command(epilog="Example: redbutton deny 3f9a01c2 --key-file ~/approver.key")(deny)
    app.command(
        "approver-key", epilog="Example: redbutton approver-key anna --key-file ~/approver.key"
    )(approver_key)


def pending(
    watch: Annotated[bool, typer.Option("--watch", help="Until Ctrl-C.")] = False,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Show the commands that wait for a person.

    What each would do, why it is held, who has approved it, who else must, and the time left.
    What is not approved in time is denied.
    """
    operator = Operator(socket_path(folder))
    try:
        if not watch:
            _say_pending(operator.pending(), as_json)
        elif as_json:
            for now in operator.watch():
                _say_pending(now, as_json)
        else:
            with Live(console=_console(), vertical_overflow="visible") as live:
                for now in operator.watch():
                    live.update(panels(now.pending))
    except KeyboardInterrupt:
        pass
    finally:
        operator.close()


def approve(
    held_id: Id,
    key_file: KeyFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Let a held command go on, once.

    Shows it and asks. Your signature is for exactly what is shown: it fits no other command, and
    not this one if it comes again.
    """
    _vote(held_id, Decision.APPROVE, key_file, yes, folder, as_json)


def deny(
    held_id: Id, key_file: KeyFile = None, folder: Folder = None, as_json: Json = False
) -> None:
    """Deny a held command. It is over at once, whoever has approved it."""
    _vote(held_id, Decision.DENY, key_file, True, folder, as_json)


def approver_key(
    name: Annotated[str, typer.Argument(help="Your name in the robot's profile.")],
    key_file: Annotated[Path, typer.Option("--key-file", "-k", help="The file to make.")],
) -> None:
    """Make an approver's key, and print the line for the robot's profile.

    The file is yours alone: keep it where no planner can read it.
    """
    try:
        public = new_key(key_file)
    except OSError as error:
        raise KeyUnreadable(f"no key was made: {key_file}: {error.strerror}") from None
    public = base64.b64encode(bytes.fromhex(public)).decode()
    print(f"{json.dumps(name)}: {json.dumps(public)}")


def _vote(
    held_id: str,
    decision: Decision,
    key_file: Path | None,
    yes: bool,
    folder: Path | None,
    as_json: bool,
) -> None:
    secret = load_key(key_file)
    operator = Operator(socket_path(folder))
    try:
        now = operator.pending()
        waiting = _find(now, held_id)
        name = _name(now, secret)
        if not as_json:
            _console().print(panel(waiting))
        if not yes:
            confirm(as_json)
        counted = operator.vote(cast(waiting.held, name, decision, time.time(), secret))
    finally:
        operator.close()
    if as_json:
        print(json.dumps({"id": held_id, "approver": name, **counted.model_dump(mode="json")}))
    if counted.outcome is not Outcome.COUNTED:
        raise ApprovalRefused(f"{counted.outcome.value} ({counted.standing.value})")
    if not as_json:
        more = ", more people are needed" if counted.standing is Standing.WAITING else ""
        print(f"{held_id}: {counted.standing.value}{more}")


def load_key(file: Path | None) -> bytes:
    """An approver's key that nobody else can read, or KeyUnreadable."""
    if file is None:
        raise KeyUnreadable(f"no approver's key: name it with --key-file or {ENVIRONMENT}")
    secret = key.load(file, "approver's key", ENVIRONMENT)
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise KeyUnreadable(f"no approver's key: others may use {file} too (chmod 600 it)")
    return secret


def _find(now: Pending, held_id: str) -> Waiting:
    for waiting in now.pending:
        if waiting.held.id == held_id:
            return waiting
    raise ApprovalRefused(f"{held_id} is not held: see redbutton pending")


def _name(now: Pending, secret: bytes) -> str:
    public = public_key(secret).hex()
    for name, known in now.approvers.items():
        if known == public:
            return name
    raise ApprovalRefused("your key is none of an approver in this robot's profile")


def confirm(as_json: bool) -> None:
    """Ask whether what is shown is approved; ApprovalRefused if not."""
    if as_json or not sys.stdin.isatty():
        raise ApprovalRefused("nobody can be asked here: --yes approves without asking")
    if not typer.confirm("Approve this?"):
        raise ApprovalRefused("not approved: nothing was sent")


def _say_pending(now: Pending, as_json: bool) -> None:
    if as_json:
        held = [
            {
                "id": one.held.id,
                **one.model_dump(mode="json"),
                "quorums": [quorum._asdict() for quorum in progress(one)],
            }
            for one in now.pending
        ]
        print(json.dumps({"time": time.time(), "pending": held}), flush=True)
    else:
        _console().print(panels(now.pending))


def _console() -> Console:
    return Console(highlight=False)
