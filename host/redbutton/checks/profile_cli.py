"""The commands `redbutton profile ...`: check robots' profiles, and help to write them."""

import json
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from redbutton.errors import ProfileWrong

profile_app = typer.Typer(
    name="profile",
    help="Check robots' profiles, and write them.\n\nA profile says in one YAML file what a robot "
    "is able to do, where, near whom, and who may approve what.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
console = Console(highlight=False)

Json = Annotated[bool, typer.Option("--json", help="One line of JSON for each thing said.")]


def _profiles() -> ModuleType:
    """Only when it is needed: shapely takes long to load."""
    from redbutton.checks import profile

    return profile


@profile_app.command("check", epilog="Example: redbutton profile check robot.yaml --json")
def check_command(
    files: Annotated[list[Path], typer.Argument(help="Profiles.", metavar="FILE...")],
    as_json: Json = False,
) -> None:
    """Say of each file whether it is a profile that a robot may be run with.

    What is wrong is said with its line and field. Exit code 16 if anything is.
    """
    from redbutton.checks.own import plan_check_of

    profiles = _profiles()
    wrong = False
    for file in files:
        try:
            found = profiles.load(file)
            plan_check_of(found)
        except ProfileWrong as error:
            wrong = True
            said = {"file": str(file), "valid": False, "problem": str(error)}
            text = f"[red]{escape(str(error))}[/red]"
        else:
            digest = profiles.digest(found)
            said = {"file": str(file), "valid": True, "name": found.name, "digest": digest}
            text = f"{escape(str(file))}: [green]ok[/green], {found.name}, digest {digest[:16]}"
        if as_json:
            print(json.dumps(said))
        else:
            console.print(text, soft_wrap=True)
    if wrong:
        raise typer.Exit(ProfileWrong.exit_code)


@profile_app.command("schema", epilog="Example: redbutton profile schema > profile.schema.json")
def schema_command() -> None:
    """Print the JSON Schema of profiles, with which an editor completes and checks them."""
    print(json.dumps(_profiles().schema(), indent=1))


@profile_app.command(
    "examples",
    epilog="Examples: redbutton profile examples | "
    "redbutton profile examples mobile_base > robot.yaml",
)
def examples_command(
    name: Annotated[str | None, typer.Argument(help="Print this one.")] = None,
    as_json: Json = False,
) -> None:
    """List the profiles that come with this package, or print one to begin with."""
    examples = _profiles().examples()
    if name is not None:
        if name not in examples:
            raise typer.BadParameter(f"no such example: {name}. There are {', '.join(examples)}")
        print(examples[name].read_text(), end="")
        return
    for known, path in examples.items():
        if as_json:
            print(json.dumps({"name": known, "file": str(path)}))
        else:
            console.print(f"{known:<18} {escape(str(path))}", soft_wrap=True)
