"""The commands `redbutton log ...`."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from redbutton import key
from redbutton.errors import KeyUnreadable, RecordFaulty, RecordWrong
from redbutton.plain import plain

if TYPE_CHECKING:
    from redbutton.record.audit import End, Keys, Line, Report
    from redbutton.record.checkpoint import Signed
    from redbutton.record.entry import Body

log_app = typer.Typer(
    no_args_is_help=True,
    help="The record: what happened, in a log whose past cannot be changed unnoticed.",
)
DEFAULT_FOLDER = Path("/var/lib/redbutton/record")
FOLLOW_S = 0.2
KEY_SIZE = 32

Folder = Annotated[
    Path,
    typer.Option("--folder", "-f", help="The log's folder.", envvar="REDBUTTON_RECORD"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Out = Annotated[Path | None, typer.Option(help="File to write; else it is printed.")]


@log_app.command(
    "init", epilog="Example: sudo -u redbutton redbutton log init --escrow /media/usb/arm-2.escrow"
)
def init_command(
    escrow: Annotated[
        Path, typer.Option(help="File for the first key: keep it off this computer.")
    ],
    origin: Annotated[
        str | None, typer.Option(help="Name of the log, the same nowhere else. Default: made up.")
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: Json = False,
) -> None:
    """Make a log, once; from then on what happens is recorded there.

    Run it as the user that will write the log. The escrow is what the log is verified with: who
    has it and the computer, too, can rewrite the past.
    """
    import secrets

    from redbutton.record.folder import create

    if escrow.exists():
        raise RecordWrong(f"{plain(str(escrow))} is there already: an escrow is not overwritten")
    try:
        with key.replacing(escrow) as out:
            made = create(folder, origin or f"redbutton/{secrets.token_hex(4)}")
            out.write(json.dumps(made._asdict(), indent=1) + "\n")
    except OSError as error:
        raise RecordWrong(f"{plain(str(escrow))}: {error.strerror}") from None
    if as_json:
        print(json.dumps({"origin": made.origin, "public_key": made.public_key}))
        return
    print(f"{folder}: the log {made.origin}, public key {made.public_key}")
    print(f"{escrow}: move this file off the robot, to whoever will verify the log")


@log_app.command(
    "show", epilog="Example: redbutton log show --kind transition --since 2h --follow"
)
def show_command(
    source: Annotated[
        Path | None, typer.Argument(help="A folder or an exported file. Default: --folder.")
    ] = None,
    since: Annotated[
        str, typer.Option(help="From this entry on, or from so long ago: 120, 30m, 2h, 7d.")
    ] = "1",
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="Only entries of this kind; repeatable.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until Ctrl-C.")] = False,
    folder: Folder = DEFAULT_FOLDER,
    as_json: Json = False,
) -> None:
    """Show entries. Nothing is verified: that is `redbutton log verify`."""
    from redbutton.record import entry
    from redbutton.record.entry import EntryWrong

    console = Console(highlight=False)
    source = source or folder
    number, moment = _since(since)
    shown = 0
    seen = -1
    while follow or seen < 0:
        size = _size(source)
        for line in _read(source)[1] if size != seen else ():
            try:
                body = entry.decode(entry.split(line.text)[0])
            except EntryWrong:
                continue
            wanted = body.sequence >= number and body.time >= moment and body.sequence > shown
            if wanted:
                shown = body.sequence
                if not kind or body.kind in kind:
                    _show(console, body, as_json)
        seen = size
        if follow:
            time.sleep(FOLLOW_S)


def _size(source: Path) -> int:
    """How much there is to read."""
    from redbutton.record.folder import segments

    return sum(file.stat().st_size for file in segments(source))


def _show(console: Console, body: "Body", as_json: bool) -> None:
    if as_json:
        print(json.dumps(body._asdict()), flush=True)
        return
    said = ", ".join(
        f"{name} {value if isinstance(value, str | int) else json.dumps(value)}"
        for name, value in body.fields.items()
        if value not in ("", None)
    )
    console.print(
        f"[dim]{body.sequence:>6}  {escape(plain(body.time))}[/dim]  "
        f"[bold]{escape(plain(body.kind))}[/bold]  {escape(plain(said))}",
        soft_wrap=True,
    )


def _since(text: str) -> tuple[int, str]:
    """The first entry's number, and its earliest time."""
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    if text.isdecimal():
        return int(text), ""
    if text[:-1].isdecimal() and text[-1] in seconds:
        begin = time.time() - int(text[:-1]) * seconds[text[-1]]
        return 1, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(begin))
    raise typer.BadParameter(f"--since {text}: a number of an entry, or 30s, 30m, 2h, 7d")


EscrowFile = Annotated[
    Path | None, typer.Option(help="The file that `log init` made: checks every MAC.")
]
LogKey = Annotated[
    str | None, typer.Option(help="The log's public key, 64 hexadecimal digits, without escrow.")
]
WitnessKey = Annotated[
    Path | None,
    typer.Option(help="The file of the controller's witness key, from `redbutton provision`."),
]
Copies = Annotated[
    list[Path] | None,
    typer.Option("--witness", help="A checkpoint that a witness has kept; repeatable."),
]


@log_app.command(
    "verify",
    epilog="Example: redbutton log verify record.export --escrow arm-2.escrow "
    "--witness-key arm-2.witness --witness monday.checkpoint",
)
def verify_command(
    source: Annotated[
        Path | None,
        typer.Argument(help="A folder, an exported file or a proof. Default: --folder."),
    ] = None,
    escrow: EscrowFile = None,
    log_key: LogKey = None,
    witness_key: WitnessKey = None,
    witness: Copies = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: Json = False,
) -> None:
    """Verify a log or a proof, and name the first entry that is wrong.

    Without keys only that it fits together: whoever has rewritten all of it passes that. The
    escrow proves every entry, and that none is missing at the end. The controller's witness key
    proves that it has signed no other past. Verify on another computer than the robot.
    """
    from redbutton.record import proof
    from redbutton.record.audit import audit

    source = source or folder
    keys = _keys(escrow, log_key, witness_key)
    copies = [_checkpoint(file) for file in witness or []]
    if source.is_file() and proof.is_proof(_bytes(source, proof.SIZE_MAX)):
        report = proof.check(_bytes(source, proof.SIZE_MAX), keys, copies)
    else:
        about, lines, end = _read(source)
        if escrow is not None and _escrow(escrow)["origin"] != about:
            raise RecordWrong(f"{plain(str(source))} is the log {plain(about)}, not the escrow's")
        size = end.size if end else None
        with Progress(console=Console(stderr=True), transient=True, disable=as_json) as bar:
            task = bar.add_task("verifying", total=size)
            report = audit(
                about, lines, keys, copies, end, lambda count: bar.update(task, completed=count)
            )
    _say(report, as_json)
    if report.faults:
        raise RecordFaulty("; ".join(report.faults))


def _say(report: "Report", as_json: bool) -> None:
    if as_json:
        print(json.dumps(vars(report)))
        return
    for remark in report.remarks:
        print(plain(remark))
    print(
        f"{report.entries} entries, {report.checkpoints} checkpoints, {report.witnessed} entries "
        f"under the controller's signature; root {report.root}"
    )
    if not report.faults:
        print("nothing wrong was found")


@log_app.command("export", epilog="Example: sudo redbutton log export --out record.export")
def export_command(
    out: Out = None,
    checkpoint: Annotated[
        bool, typer.Option("--checkpoint", help="Only the newest checkpoint, for a witness.")
    ] = False,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Write the whole log into one file, for a third party.

    Or its newest checkpoint: a few lines of text to keep elsewhere, with which anybody can see
    later that the log up to there has not changed.
    """
    if checkpoint:
        _write(out, [_newest(_checkpoints(folder)).note.encode()])
    else:
        _write(out, _export(folder))


def _export(folder: Path) -> Iterator[bytes]:
    from redbutton.record import entry
    from redbutton.record.entry import EntryWrong
    from redbutton.record.folder import about, load_state
    from redbutton.record.tree import Frontier

    name = about(folder)
    state = load_state(folder)
    size = state.place.size
    root = Frontier(size, state.nodes).root()
    code = entry.end_mac(state.place.key, size, root)
    head = {**name, "size": size, "root": root.hex(), "end_mac": code.hex()}
    yield entry.canonical({"export": head}) + b"\n"
    for line in _lines(folder) if size else ():
        yield line.text
        try:
            if entry.decode(entry.split(line.text)[0]).sequence >= size:
                return
        except EntryWrong:
            continue


@log_app.command(
    "prove",
    epilog="Examples: redbutton log prove 120 --out entry-120.proof | "
    "redbutton log prove --between monday.checkpoint --out growth.proof",
)
def prove_command(
    entry: Annotated[
        int | None, typer.Argument(min=1, help="Number of the entry to prove the inclusion of.")
    ] = None,
    between: Annotated[
        Path | None,
        typer.Option(help="Prove that the log has only grown since this checkpoint."),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Up to this checkpoint. Default: the newest in the log.")
    ] = None,
    out: Out = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Prove something of the log to somebody who has only a checkpoint (RFC 9162).

    `redbutton log verify PROOF` checks it, and says what vouches for it.
    """
    from redbutton.record import proof

    if (entry is None) == (between is None):
        raise typer.BadParameter("either the number of an entry, or --between CHECKPOINT")
    bodies = _bodies(folder)
    upto = _checkpoint(checkpoint) if checkpoint else _newest(_checkpoints(folder))
    if entry is not None:
        made = proof.prove_entry(bodies, entry, upto)
    else:
        assert between is not None
        made = proof.prove_growth(bodies, _checkpoint(between), upto)
    _write(out, [json.dumps(made, indent=1).encode() + b"\n"])


# --- reading and writing


def _read(source: Path) -> "tuple[str, Iterator[Line], End | None]":
    """Origin, lines and what is said of the end, of a folder or an exported file."""
    from redbutton.record.audit import End, Line
    from redbutton.record.folder import about, load_state

    if source.is_dir():
        state = load_state(source)  # before the entries: there may be more of them meanwhile
        return about(source)["origin"], _lines(source), End(state.place.size, key=state.place.key)
    try:
        file = source.open("rb")
    except OSError as error:
        raise RecordWrong(f"{plain(str(source))}: {error.strerror}") from None
    try:
        head = json.loads(file.readline(1 << 16))["export"]
        end = End(head["size"], bytes.fromhex(head["root"]), mac=bytes.fromhex(head["end_mac"]))
        origin = str(head["origin"])
    except (ValueError, KeyError, TypeError, RecursionError):
        file.close()
        raise RecordWrong(f"{plain(str(source))} is neither an exported log nor a proof") from None

    def lines() -> Iterator[Line]:
        with file:
            for number, line in enumerate(file, 2):
                yield Line(f"{source.name}:{number}", line)

    return origin, lines(), end


def _lines(folder: Path) -> "Iterator[Line]":
    from redbutton.record.audit import Line
    from redbutton.record.folder import lines

    try:
        number, last = 0, ""
        for name, text in lines(folder):
            number = number + 1 if name == last else 1
            last = name
            yield Line(f"{name}:{number}", text)
    except OSError as error:
        raise RecordWrong(f"{plain(str(folder))}: {error.strerror}") from None


def _bodies(folder: Path) -> list[bytes]:
    """Of all entries; RecordFaulty if they do not follow on each other."""
    from redbutton.record import entry
    from redbutton.record.audit import Audit, Keys
    from redbutton.record.folder import about

    work = Audit(about(folder)["origin"], Keys())
    found = [entry.split(line.text)[0] for line in _lines(folder) if work.take(line)]
    if faults := work.finish().faults:
        raise RecordFaulty("; ".join(faults))
    return found


def _checkpoints(folder: Path) -> "list[Signed]":
    """All that are in the log, those that the controller signed with its signature."""
    from redbutton.record import checkpoint, entry
    from redbutton.record.checkpoint import Statement
    from redbutton.record.entry import EntryWrong

    found: dict[bytes, Signed] = {}
    for line in _lines(folder):
        try:
            body = entry.decode(entry.split(line.text)[0])
        except EntryWrong:
            continue
        if body.kind == "checkpoint":
            signed = checkpoint.read(str(body.fields.get("note")))
            found[signed.checkpoint.digest] = signed
        elif body.kind == "witnessed":
            said = Statement.of(bytes.fromhex(str(body.fields.get("statement"))))
            if said is not None and said.digest in found:
                found[said.digest] = found[said.digest].witnessed(said)
    return list(found.values())


def _newest(checkpoints: "list[Signed]") -> "Signed":
    """The newest that the controller signed; the newest of all if it signed none."""
    if not checkpoints:
        raise RecordWrong("there is no checkpoint in the log yet")
    return ([one for one in checkpoints if one.statements()] or checkpoints)[-1]


def _checkpoint(file: Path) -> "Signed":
    from redbutton.record import checkpoint

    text = _bytes(file, checkpoint.NOTE_MAX).decode("utf-8", "replace")
    return checkpoint.read(text, plain(str(file)))


def _bytes(file: Path, most: int) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(most)
    except OSError as error:
        raise RecordWrong(f"{plain(str(file))}: {error.strerror}") from None


def _escrow(file: Path) -> dict[str, str]:
    try:
        found = json.loads(_bytes(file, 1 << 16))
        for name in ("first_key", "public_key"):
            if len(bytes.fromhex(found[name])) != KEY_SIZE:
                raise ValueError
        return {name: str(found[name]) for name in ("origin", "first_key", "public_key")}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise KeyUnreadable(f"{plain(str(file))} is no escrow of `redbutton log init`") from None


def _keys(escrow: Path | None, log_key: str | None, witness_key: Path | None) -> "Keys":
    from redbutton.record.audit import Keys

    held: dict[str, Any] = {}
    if escrow is not None:
        found = _escrow(escrow)
        held["first"] = bytes.fromhex(found["first_key"])
        held["public"] = bytes.fromhex(found["public_key"])
    if log_key is not None:
        try:
            held["public"] = bytes.fromhex(log_key)
        except ValueError:
            held["public"] = b""
        if len(held["public"]) != KEY_SIZE:
            raise typer.BadParameter("--log-key: 64 hexadecimal digits")
    if witness_key is not None:
        held["witness"] = key.load(witness_key, "witness key", "nothing else")
    return Keys(**held)


def _write(out: Path | None, parts: "list[bytes] | Iterator[bytes]") -> None:
    import sys

    if out is None:
        for part in parts:
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
        return
    try:
        new = out.with_name(out.name + ".new")
        with new.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        new.replace(out)
    except OSError as error:
        raise RecordWrong(f"{plain(str(out))}: {error.strerror}") from None
