"""The commands `redbutton profile ...`: check robots' profiles, and help to write them."""

import json
import time
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from redbutton.errors import ProfileNotApproved, ProfileWrong

profile_app = typer.Typer(
    name="profile",
    help="Check robots' profiles, and write them.\n\nA profile says in one YAML file what a robot "
    "is able to do, where, near whom, and who may approve what.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
console = Console(highlight=False)

Follows = Annotated[
    Path | None,
    typer.Option(
        help="The gate's file of the profile in force, or a copy of it (by default the gate keeps "
        "it in /var/lib/redbutton/profile-in-force.yaml)."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One line of JSON for each thing said.")]


def _profiles() -> ModuleType:
    """Only when it is needed: shapely takes long to load."""
    from redbutton.checks import profile

    return profile


@profile_app.command("check", epilog="Example: redbutton profile check robot.yaml --json")
def check_command(
    files: Annotated[list[Path], typer.Argument(help="Profiles.", metavar="FILE...")],
    follows: Follows = None,
    as_json: Json = False,
) -> None:
    """Say of each file whether it is a profile that a robot may be run with.

    What is wrong is said with its line and field. Exit code 16 if anything is. With --follows it
    says too whether the gate would take it in place of the one in force: exit code 17 if not.
    """
    from redbutton.approval import sealed
    from redbutton.checks.own import plan_check_of

    profiles = _profiles()
    before = sealed.read(follows) if follows is not None else None
    code = 0
    for file in files:
        try:
            found = profiles.load(file)
            plan_check_of(found)
            how = sealed.standing(before, file, found, time.time()) if before else ""
        except (ProfileWrong, ProfileNotApproved) as error:
            code = max(code, error.exit_code)
            said = {"file": str(file), "valid": False, "problem": str(error)}
            text = f"[red]{escape(str(error))}[/red]"
        else:
            digest = profiles.digest(found)
            said = {"file": str(file), "valid": True, "name": found.name, "digest": digest}
            text = f"{escape(str(file))}: [green]ok[/green], {found.name}, digest {digest[:16]}"
            if how:
                said["accepted"] = how
                text += f", {how}"
        if as_json:
            print(json.dumps(said))
        else:
            console.print(text, soft_wrap=True)
    if code:
        raise typer.Exit(code)


@profile_app.command(
    "sign",
    epilog="Example: redbutton profile sign robot.yaml --follows profile-in-force.yaml "
    "-k ~/anna.key",
)
def sign_command(
    file: Annotated[Path, typer.Argument(help="The profile that is to be in force.")],
    follows: Annotated[
        Path, typer.Option(help="The gate's file of the profile in force, or a copy of it.")
    ],
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file", "-k", help="Your approver's key.", envvar="REDBUTTON_APPROVER_KEY"
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Agree to a profile in place of the one in force.

    Shows what changes and asks. Your signature is put beside the profile, in FILE.votes. It is for
    exactly this change, made once, within seven days.
    """
    from redbutton.approval import sealed
    from redbutton.approval.ballot import Decision, cast, public_key
    from redbutton.approval.cli_approval import confirm, load_key
    from redbutton.approval.shown import differences

    secret = load_key(key_file)
    before, after = sealed.read(follows), _profiles().load(file)
    name = sealed.approver(before, public_key(secret))
    change = sealed.change_of(before, after)
    if change.before == change.after:
        raise ProfileNotApproved(f"{file} is the profile in force: there is nothing to sign")
    for line in differences(before.profile, after):
        print(line)
    if not yes:
        confirm(as_json=False)
    sealed.add_vote(file, cast(change, name, Decision.APPROVE, time.time(), secret))
    people = sealed.agreed(before, change, sealed.read_votes(file), time.time())
    missing = before.quorum.missing(people) if before.quorum else 0
    more = f"{missing} more must sign" if missing else "enough have signed"
    print(f"{file}: signed by {', '.join(sorted(people))}: {more}")


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
