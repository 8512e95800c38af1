"""The operators' commands as they meet them: real processes, a real channel and a real desk."""

import base64
import contextlib
import json
import os
import pty
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import TIMEOUT_S, one_line
from people import COMMAND, KEYS, PUBLIC, Clock, hold, hold_for, vote
from pydantic import TypeAdapter

from redbutton.approval.ballot import Decision, Quorum, canonical
from redbutton.approval.desk import Desk, Standing
from redbutton.checks.profile import PublicKey
from redbutton.errors import ApprovalRefused, KeyUnreadable, NoContact

COMMANDS = (
    "from redbutton import cli; from redbutton.approval import cli_approval; "
    "cli_approval.register(cli.app); cli.main()"
)

pytestmark = pytest.mark.requirement("SR-26")


def start(*arguments: str, **options: Any) -> "subprocess.Popen[str]":
    """The command in the background."""
    return subprocess.Popen(
        [sys.executable, "-c", COMMANDS, *arguments],
        text=True,
        **{
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            **options,
        },
    )


def redbutton(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end, where nobody can be asked."""
    process = start(*arguments)
    out, complaint = process.communicate(timeout=TIMEOUT_S)
    return subprocess.CompletedProcess(arguments, process.returncode, out, complaint)


def in_terminal(typed: bytes, *arguments: str) -> tuple[int, str]:
    """Run the command in a terminal where a person types; its exit code and what was shown."""
    person, terminal = pty.openpty()
    process = start(*arguments, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # of a terminal whose other end is closed
        while data := os.read(person, 4096):
            shown += data
            if b"[y/N]" in shown and typed:
                os.write(person, typed)
                typed = b""
    os.close(person)
    return process.wait(TIMEOUT_S), shown.decode()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Anna's key."""
    return made_key(tmp_path, "anna")


def made_key(folder: Path, name: str) -> Path:
    """A file with somebody's key."""
    file = folder / name
    file.touch(0o600)
    file.write_text(KEYS[name].hex())
    return file


# --- pending


def test_pending_shows_what_is_held(desk: Desk, served: Clock) -> None:
    held = hold(desk, now=served(), needed=2)
    desk.vote(vote(held, "ben"), served())
    shown = redbutton("pending").stdout
    for part in (held.id, "hand_over", "knife", "sharp-near-person", "1 of 2 (ben)", "0:30"):
        assert part in shown


def test_pending_shows_a_script_the_same(desk: Desk, served: Clock) -> None:
    held = hold(desk, now=served())
    (shown,) = json.loads(redbutton("pending", "--json").stdout)["pending"]
    assert shown["id"] == held.id
    assert shown["held"]["command"] == COMMAND.decode()
    assert shown["left_s"] == 30


def test_pending_tells_a_script_how_far_each_quorum_is(desk: Desk, served: Clock) -> None:
    both = Quorum(what="mobility_aid", k=2, names=("anna", "ben"))
    one = Quorum(what="plan", k=1, names=("ben", "cleo"))
    held = hold_for(desk, both, one)
    desk.vote(vote(held, "ben"), served())
    (shown,) = json.loads(redbutton("pending", "--json").stdout)["pending"]
    assert shown["quorums"] == [
        {
            "what": "mobility_aid",
            "needed": 2,
            "approved_by": ["ben"],
            "missing": 1,
            "missing_of": ["anna"],
        },
        {"what": "plan", "needed": 1, "approved_by": ["ben"], "missing": 0, "missing_of": []},
    ]


@pytest.mark.parametrize("command", ["approve", "deny"])
def test_approve_and_deny_show_who_must_approve(
    desk: Desk, served: Clock, key_file: Path, command: str
) -> None:
    held = hold_for(desk, Quorum(what="medical", k=1, names=("anna", "ben")))
    yes = ["--yes"] if command == "approve" else []
    shown = redbutton(command, held.id, "-k", str(key_file), *yes).stdout
    assert "medical: 0 of 1, needs 1 more of anna, ben" in shown


@pytest.mark.parametrize("command", ["approve", "deny"])
def test_an_approver_who_is_not_asked_is_told_so(
    desk: Desk, served: Clock, key_file: Path, command: str
) -> None:
    held = hold_for(desk, Quorum(what="medical", k=1, names=("ben", "cleo")))
    yes = ["--yes"] if command == "approve" else []
    result = redbutton(command, held.id, "-k", str(key_file), *yes)
    assert result.returncode == ApprovalRefused.exit_code
    assert "this approver is not asked" in one_line(result)
    assert desk.standing(held.id, served()) is Standing.WAITING


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_pending_says_that_nothing_is_held(served: Clock, as_json: list[str]) -> None:
    shown = redbutton("pending", *as_json).stdout
    assert "nothing is held" in shown or json.loads(shown)["pending"] == []


def test_pending_watches_until_it_is_ended(desk: Desk, served: Clock) -> None:
    process = start("pending", "--watch", "--json")
    assert process.stdout
    assert json.loads(process.stdout.readline())["pending"] == []
    held = hold(desk, now=served())
    assert held.id in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0


def test_pending_counts_down_in_a_terminal(desk: Desk, served: Clock) -> None:
    hold(desk, now=served())
    person, terminal = pty.openpty()
    process = start("pending", "--watch", stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown = b""
    for left in (b"0:30", b"0:29", b"0:28"):
        while left not in shown:
            shown += os.read(person, 4096)
        served.now += 1.0
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(OSError):
        while os.read(person, 4096):
            pass
    os.close(person)
    assert process.wait(TIMEOUT_S) == 0


def test_what_a_planner_wrote_does_not_control_the_terminal(desk: Desk, served: Clock) -> None:
    hold(desk, now=served(), command=canonical({"say": "\x1b[2J\u202e[red]safe[/red]"}))
    _, shown = in_terminal(b"", "pending")
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown
    assert r"\u001b[2J\u202e[red]safe[/red]" in shown


def test_no_channel_is_one_line(path: Path) -> None:
    result = redbutton("pending")
    assert result.returncode == NoContact.exit_code
    assert "nothing holds commands" in one_line(result)


# --- approve and deny


def test_approve_shows_asks_and_approves(desk: Desk, served: Clock, key_file: Path) -> None:
    held = hold(desk, now=served())
    code, shown = in_terminal(b"y\n", "approve", held.id, "--key-file", str(key_file))
    assert code == 0
    assert shown.index("knife") < shown.index("Approve this?") < shown.index(": approved")
    assert desk.take(held.id, COMMAND, served())


@pytest.mark.parametrize("typed", [b"n\n", b"\n"])
def test_what_is_not_confirmed_is_not_approved(
    desk: Desk, served: Clock, key_file: Path, typed: bytes
) -> None:
    held = hold(desk, now=served())
    code, shown = in_terminal(typed, "approve", held.id, "--key-file", str(key_file))
    assert code == ApprovalRefused.exit_code
    assert "nothing was sent" in shown
    assert desk.standing(held.id, served()) is Standing.WAITING


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_where_nobody_can_be_asked_nothing_is_approved(
    desk: Desk, served: Clock, key_file: Path, as_json: list[str]
) -> None:
    held = hold(desk, now=served())
    result = redbutton("approve", held.id, "--key-file", str(key_file), *as_json)
    assert result.returncode == ApprovalRefused.exit_code
    assert "--yes" in one_line(result)
    assert desk.standing(held.id, served()) is Standing.WAITING


def test_a_script_in_a_terminal_is_not_asked(desk: Desk, served: Clock, key_file: Path) -> None:
    held = hold(desk, now=served())
    code, shown = in_terminal(b"y\n", "approve", held.id, "-k", str(key_file), "--json")
    assert code == ApprovalRefused.exit_code
    assert "--yes" in shown


def test_of_several_the_one_that_is_named_is_approved(
    desk: Desk, served: Clock, key_file: Path
) -> None:
    first, second = hold(desk, now=served()), hold(desk, now=served())
    assert redbutton("approve", second.id, "--yes", "-k", str(key_file)).returncode == 0
    assert desk.standing(first.id, served()) is Standing.WAITING
    assert desk.standing(second.id, served()) is Standing.APPROVED


def test_approve_says_that_more_people_are_needed(
    desk: Desk, served: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = hold(desk, now=served(), needed=2)
    monkeypatch.setenv("REDBUTTON_APPROVER_KEY", str(made_key(tmp_path, "anna")))
    assert "waiting, more people are needed" in redbutton("approve", held.id, "--yes").stdout
    again = redbutton("approve", held.id, "--yes")
    assert again.returncode == ApprovalRefused.exit_code
    assert "has approved already" in one_line(again)
    monkeypatch.setenv("REDBUTTON_APPROVER_KEY", str(made_key(tmp_path, "ben")))
    assert f"{held.id}: approved\n" in redbutton("approve", held.id, "--yes").stdout


def test_deny_needs_no_question(desk: Desk, served: Clock, key_file: Path) -> None:
    held = hold(desk, now=served())
    result = redbutton("deny", held.id, "--key-file", str(key_file), "--json")
    assert json.loads(result.stdout) == {
        "id": held.id,
        "approver": "anna",
        "outcome": "counted",
        "standing": "denied",
    }
    assert desk.standing(held.id, served()) is Standing.DENIED


@pytest.mark.parametrize("command", ["approve", "deny"])
def test_what_is_not_held_has_no_votes(
    desk: Desk, served: Clock, key_file: Path, command: str
) -> None:
    held = hold(desk, now=served())
    desk.vote(vote(held, "ben", Decision.DENY), served())
    result = redbutton(command, held.id, "--key-file", str(key_file))
    assert result.returncode == ApprovalRefused.exit_code
    assert f"{held.id} is not held" in one_line(result)


def test_what_ends_while_a_person_thinks_is_refused(
    desk: Desk, served: Clock, key_file: Path
) -> None:
    held = hold(desk, now=served())
    person, terminal = pty.openpty()
    process = start("approve", held.id, "-k", str(key_file), stdin=terminal, stdout=terminal)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(person, 4096)
    desk.withdraw(held.id)
    os.write(person, b"y\n")
    assert process.stderr
    complaint = process.stderr.read()
    assert process.wait(TIMEOUT_S) == ApprovalRefused.exit_code
    assert "no such command is held (withdrawn)" in complaint
    os.close(person)
    os.close(terminal)


# --- keys


def test_a_key_of_no_approver_is_one_line(desk: Desk, served: Clock, tmp_path: Path) -> None:
    held = hold(desk, now=served())
    stranger = tmp_path / "key"
    stranger.touch(0o600)
    stranger.write_text("63" * 32)
    result = redbutton("approve", held.id, "--yes", "--key-file", str(stranger))
    assert result.returncode == ApprovalRefused.exit_code
    assert "none of an approver" in one_line(result)


@pytest.mark.parametrize(
    ("content", "mode", "complaint"),
    [
        (None, 0, "does not exist (name it with --key-file or REDBUTTON_APPROVER_KEY)"),
        ("abc", 0o600, "must hold 64 hexadecimal digits"),
        ("01" * 32, 0o640, "others may use"),
        ("01" * 32, 0o604, "others may use"),
    ],
)
def test_a_key_that_cannot_be_used_is_one_line(
    tmp_path: Path, content: str | None, mode: int, complaint: str
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    result = redbutton("deny", "00000000", "--key-file", str(file))
    assert result.returncode == KeyUnreadable.exit_code
    assert "no approver's key" in one_line(result)
    assert complaint in one_line(result)


def test_no_key_at_all_is_one_line() -> None:
    result = redbutton("deny", "00000000")
    assert result.returncode == KeyUnreadable.exit_code
    assert "name it with --key-file" in one_line(result)


def test_a_new_key_is_its_owners_alone_and_its_line_is_for_the_profile(
    tmp_path: Path, served: Clock, desk: Desk
) -> None:
    file = tmp_path / "new"
    result = redbutton("approver-key", "dora", "--key-file", str(file))
    name, public = json.loads("{" + result.stdout + "}").popitem()
    assert name == "dora"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    TypeAdapter(PublicKey).validate_python(public)  # as a profile takes it
    desk.adopt({**PUBLIC, name: base64.b64decode(public)}, bytes(32))
    held = hold(desk, now=served())
    assert redbutton("approve", held.id, "--yes", "-k", str(file)).returncode == 0


def test_a_key_is_never_written_over(key_file: Path) -> None:
    result = redbutton("approver-key", "anna", "--key-file", str(key_file))
    assert result.returncode == KeyUnreadable.exit_code
    assert "File exists" in one_line(result)
    assert key_file.read_text() == KEYS["anna"].hex()
