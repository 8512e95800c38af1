"""The command `redbutton doctor`."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

console = Console(highlight=False)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(
        epilog="Examples: sudo redbutton doctor --planner-user llm | redbutton doctor --json | jq "
        "'select(.verdict == \"problem\")'"
    )(doctor)


def doctor(
    name: Annotated[str, typer.Option(help="Of the link below /dev.")] = "redbutton",
    planner_user: Annotated[
        str | None,
        typer.Option(help="As whom the planner runs. Default: planner.user in host.yaml."),
    ] = None,
    operator_group: Annotated[
        str | None, typer.Option(help="Who may approve. Default: as the gate's parameters say.")
    ] = None,
    gate_params: Annotated[
        Path | None, typer.Option(help="The ROS gate's file of parameters.")
    ] = None,
    root: Annotated[Path, typer.Option(help="Of an image, in place of this system.")] = Path("/"),
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON for each check.")
    ] = False,
) -> None:
    """Check every link from a stop request to the controller, and say what mends it.

    Changes nothing, sends no heartbeat, resets nothing. Best as root: only root can try what the
    planner's user can do. In the order in which you would mend it; the last line is what to do
    next.

    Exit code 0 if all is well, 37 if there is a problem, 38 if there is none but not all could be
    looked at.
    """
    from redbutton.doctor.checks import examine, next_command
    from redbutton.doctor.finding import Verdict
    from redbutton.doctor.machine import Machine
    from redbutton.errors import NotAllChecked, NotWell
    from redbutton.install.layout import Layout

    layout = Layout(name, root.absolute())
    planner = planner_user or _planner(layout.configuration_file)
    findings = examine(Machine(layout, planner, operator_group, gate_params, layout.device))
    width = max(len(check) for check in findings)
    for check, finding in findings.items():
        if as_json:
            print(json.dumps({"check": check, **finding.model_dump(mode="json")}))
            continue
        colour, mark = {
            Verdict.OK: ("green", "ok         "),
            Verdict.PROBLEM: ("red", "PROBLEM    "),
            Verdict.NOT_CHECKED: ("dim", "not checked"),
        }[finding.verdict]
        console.print(
            f"[{colour}]{mark}[/]  {check:<{width}}  {escape(finding.says)}", soft_wrap=True
        )
        if finding.mend and finding.verdict is Verdict.PROBLEM:
            console.print(f"{'':<{width + 15}}-> {escape(finding.mend)}", soft_wrap=True)
    counts = {verdict: 0 for verdict in Verdict}
    for finding in findings.values():
        counts[finding.verdict] += 1
    problems, unchecked = counts[Verdict.PROBLEM], counts[Verdict.NOT_CHECKED]
    said = f"{counts[Verdict.OK]} ok, {problems} problems, {unchecked} not checked"
    following = next_command(findings)
    if as_json:
        print(
            json.dumps(
                {
                    "ok": counts[Verdict.OK],
                    "problems": problems,
                    "not_checked": unchecked,
                    "next": following,
                }
            )
        )
    else:
        console.print(said, soft_wrap=True)
        console.print(f"next: {escape(following or 'nothing: all is well')}", soft_wrap=True)
    if problems or unchecked:
        raise typer.Exit((NotWell if problems else NotAllChecked).exit_code)


def _planner(file: Path) -> str | None:
    """As the configuration says, if it can be read; what is wrong with it is a check's to say."""
    from redbutton import configuration
    from redbutton.errors import RedbuttonError

    try:
        return configuration.load(file).planner.user
    except (RedbuttonError, OSError):
        return None
