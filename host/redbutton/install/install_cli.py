"""The command `redbutton install`."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from redbutton.install.steps import Step

console = Console(highlight=False)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(
        epilog="Examples: redbutton install --dry-run | sudo redbutton install --planner-user "
        "llm | sudo redbutton install --name redbutton-arm --serial E6614C311B7E6F2D"
    )(install)


def install(
    serial: Annotated[
        str | None,
        typer.Option(help="The board's USB serial number. Default: of the one plugged in."),
    ] = None,
    name: Annotated[
        str, typer.Option(help="Of the link below /dev; redbutton-WORD for a further board.")
    ] = "redbutton",
    planner_user: Annotated[
        str | None, typer.Option(help="The user as whom the planner runs: kept out.")
    ] = None,
    program: Annotated[
        Path | None, typer.Option(help="The `redbutton` that the service runs. Default: this.")
    ] = None,
    root: Annotated[Path, typer.Option(help="Of an image, in place of this system.")] = Path("/"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show each step and file, change nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace or remove files that were changed by hand.")
    ] = False,
    uninstall: Annotated[
        bool, typer.Option("--uninstall", help="Take it away; keys, record and user stay.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON for each thing said.")
    ] = False,
) -> None:
    """Set this computer up for a controller: user, port, key, service.

    Makes the system user redbutton, its folders, the udev rule that gives it the board's port, a
    link key if there is none, and the service that makes the heartbeat. May be repeated: what is
    there and right stays, and what people have changed is not touched. Resets nothing and starts
    nothing that the board's plugging in does not.
    """
    from redbutton.errors import InstallRefused
    from redbutton.install import steps
    from redbutton.install.layout import Layout

    layout = Layout(name, root.absolute())
    if os.geteuid() != 0 and not dry_run:
        raise InstallRefused(
            "only root may install: sudo redbutton install (or --dry-run to look)"
        )
    if uninstall:
        todo = steps.uninstall(layout, force)
    else:
        found = serial or steps.only_board()
        used = program or steps.own_program()
        todo = steps.install(steps.Wanted(layout, found, used, planner_user, force))
    for step in todo:
        _show(step, dry_run, as_json)
        if step.act is not None and not dry_run:
            step.act()
    if dry_run:
        return
    if uninstall:
        _say(as_json, "kept: /etc/redbutton, /var/lib/redbutton, the user redbutton")
        return
    for words in steps.next_words(layout):
        _say(as_json, words)


def _show(step: "Step", dry_run: bool, as_json: bool) -> None:
    needed = step.act is not None
    if as_json:
        said = {"step": step.says, "needed": needed, "done": needed and not dry_run}
        print(json.dumps({**said, **({"detail": step.detail} if dry_run else {})}), flush=True)
        return
    mark = (
        "[dim]-[/dim]"
        if not needed
        else "[yellow]would[/yellow]"
        if dry_run
        else "[green]*[/green]"
    )
    console.print(f"{mark} {escape(step.says)}", soft_wrap=True)
    if dry_run and step.detail:
        console.print(
            escape("\n".join("    " + line for line in step.detail.splitlines())), soft_wrap=True
        )


def _say(as_json: bool, words: str) -> None:
    if as_json:
        print(json.dumps({"next": words}), flush=True)
    else:
        console.print(escape(words), soft_wrap=True)
