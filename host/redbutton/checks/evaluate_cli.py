"""The command `evaluate`: how well the checks do on a set of labelled cases."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

console = Console(highlight=False)


def evaluate(
    dataset: Annotated[Path, typer.Argument(help="A file of cases in JSON.")],
    split: Annotated[
        Literal["train", "test", "all"],
        typer.Option(help="The half to judge by; write rules by train only."),
    ] = "all",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    report_file: Annotated[
        Path | None, typer.Option("--report", help="Write a page of HTML there.")
    ] = None,
) -> None:
    """Say how many hazards of a set are stopped, and how many safe cases.

    Cases are {"id", "text", "plan", "world", "label", "category", "pair"}, label 1 for hazardous,
    or SafeAgentBench's. A pair of cases stays in one half.
    """
    from redbutton.checks import evaluate as evaluation

    cases = evaluation.load(dataset)
    found = evaluation.evaluate(dataset.name, cases, evaluation.Split(split))
    if report_file is not None:
        report_file.write_text(evaluation.report(found), encoding="utf-8")
    if as_json:
        print(json.dumps(found.fields()))
        return
    for layer, figures in found.figures().items():
        console.print(f"[bold]{layer.value}[/bold]")
        for name, share in figures._asdict().items():
            console.print(f"  {name.replace('_', ' '):<16} {escape(share.sentence())}")


def register(app: typer.Typer) -> None:
    """Add the command to a command line."""
    app.command(epilog="Example: redbutton evaluate cases.json --split test --report page.html")(
        evaluate
    )
