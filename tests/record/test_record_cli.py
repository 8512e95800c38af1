"""`redbutton log ...` as its users run it (SR-22)."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import one_line, redbutton
from logs import ORIGIN, WITNESS_KEY, Told, entries
from typer.testing import CliRunner

from redbutton import errors
from redbutton.cli import app
from redbutton.errors import RecordFaulty, RecordUnwritable, RecordWrong, RedbuttonError


def log(*arguments: object) -> str:
    """Its output, in this process; RedbuttonError as raised."""
    result = CliRunner().invoke(app, ["log", *map(str, arguments)], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.output


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a log in `log`, escrow, witness key and a checkpoint of some time ago."""
    monkeypatch.setenv("REDBUTTON_RECORD", str(tmp_path / "log"))
    monkeypatch.setenv("COLUMNS", "200")
    said = log("init", "--escrow", tmp_path / "escrow", "--origin", ORIGIN)
    assert "move this file off the robot" in said
    (tmp_path / "witness").write_text(WITNESS_KEY.hex() + "\n")
    told = Told(tmp_path / "log")
    told.tell("transition", "fault")
    log("export", "--checkpoint", "--out", tmp_path / "monday")
    for _ in range(5):
        told.tell("transition", "hello")
    told.folder.close()
    return tmp_path


def held(place: Path) -> tuple[object, ...]:
    """All that a verifier may hold."""
    escrow, witness = place / "escrow", place / "witness"
    return ("--escrow", escrow, "--witness-key", witness, "--witness", place / "monday")


def edited(place: Path) -> Path:
    """An entry says something else."""
    file = place / "log" / "0000000000000001.log"
    file.write_bytes(file.read_bytes().replace(b'"kind":"fault"', b'"kind":"fauIt"'))
    return file


@pytest.mark.requirement("SR-22")
def test_a_sound_log_is_verified_with_every_key(place: Path) -> None:
    said = log("verify", *held(place))
    assert "nothing wrong was found" in said
    assert "as the witness knows them" in said
    report = json.loads(log("verify", *held(place), "--json"))
    assert report["faults"] == [] and report["bad"] is None
    assert 0 < report["witnessed"] < report["entries"] == len(entries(place / "log"))


@pytest.mark.requirement("SR-22")
def test_the_first_bad_entry_is_named_and_the_exit_code_tells(place: Path) -> None:
    edited(place)
    with pytest.raises(RecordFaulty, match=r"entry 4 \(0000000000000001.log:4\) was changed"):
        log("verify", *held(place))
    result = redbutton("log", "verify", "--escrow", str(place / "escrow"))
    assert result.returncode == RecordFaulty.exit_code == 32
    assert "entry 4 " in one_line(result)
    assert json.loads(_json_of(place))["bad"] == 4


def _json_of(place: Path) -> str:
    result = CliRunner().invoke(
        app, ["log", "verify", "--escrow", str(place / "escrow"), "--json"], standalone_mode=False
    )
    return result.output


@pytest.mark.requirement("SR-22")
def test_a_third_party_verifies_what_was_exported_without_the_log(place: Path) -> None:
    log("export", "--out", place / "export")
    os.rename(place / "log", place / "gone")
    assert "nothing wrong was found" in log("verify", place / "export", *held(place))
    text = (place / "export").read_bytes()
    (place / "export").write_bytes(text.replace(b'"kind":"fault"', b'"kind":"fauIt"'))
    with pytest.raises(RecordFaulty, match=r"entry 4 \(export:5\)"):
        log("verify", place / "export", *held(place))
    (place / "export").write_bytes(b"".join(text.splitlines(keepends=True)[:-1]))
    with pytest.raises(RecordFaulty, match="missing at the end"):
        log("verify", place / "export", *held(place))


@pytest.mark.requirement("SR-22")
def test_a_proof_of_an_entry_is_checked_with_nothing_but_a_checkpoint(place: Path) -> None:
    log("export", "--checkpoint", "--out", place / "now")
    log("prove", "4", "--out", place / "proof")
    public = json.loads((place / "escrow").read_text())["public_key"]
    os.rename(place / "log", place / "gone")
    for vouching in (
        ("--witness", place / "now"),
        ("--log-key", public),
        ("--witness-key", place / "witness"),
    ):
        assert "nothing wrong" in log("verify", place / "proof", *vouching)
    for other in ((), ("--witness", place / "monday"), ("--log-key", "00" * 32)):
        with pytest.raises(RecordFaulty, match="nothing vouches"):
            log("verify", place / "proof", *other)
    text = (place / "proof").read_text()
    assert "fault" in text
    (place / "proof").write_text(text.replace("fault", "fauIt"))
    with pytest.raises(RecordFaulty, match="entry 4 is not under this checkpoint"):
        log("verify", place / "proof", "--witness", place / "now")


@pytest.mark.requirement("SR-22")
def test_a_proof_of_growth_ties_two_checkpoints_together(place: Path) -> None:
    log("export", "--checkpoint", "--out", place / "now")
    log("prove", "--between", place / "monday", "--out", place / "proof")
    both = ("--witness", place / "monday", "--witness", place / "now")
    assert "nothing wrong" in log("verify", place / "proof", *both)
    proof = json.loads((place / "proof").read_text())
    for change in (
        {"path": proof["path"][:-1]},
        {"path": [node[::-1] for node in proof["path"]]},
        {"second": proof["first"]},
    ):
        (place / "proof").write_text(json.dumps({**proof, **change}))
        with pytest.raises(RecordFaulty):
            log("verify", place / "proof", *both)
    with pytest.raises(RecordWrong, match="older one"):
        log("prove", "--between", place / "now", "--checkpoint", place / "monday")


@pytest.mark.requirement("SR-22")
def test_a_checkpoint_from_another_past_is_no_beginning_of_this_log(
    place: Path, tmp_path: Path
) -> None:
    log("init", "--escrow", tmp_path / "e2", "--origin", ORIGIN, "-f", tmp_path / "other")
    told = Told(tmp_path / "other")
    told.tell("transition", "hello")
    told.folder.close()
    log("export", "--checkpoint", "--out", tmp_path / "cp2", "-f", tmp_path / "other")
    with pytest.raises(RecordFaulty, match="signed neither by this log nor"):
        log("verify", "--witness", tmp_path / "cp2", "--escrow", place / "escrow")
    with pytest.raises(RecordFaulty, match="another root"):
        log("verify", "--witness", tmp_path / "cp2")


def test_entries_are_shown_by_number_time_and_kind(place: Path) -> None:
    everything = log("show").splitlines()
    assert len(everything) == len(entries(place / "log"))
    assert "transition  n 1" in everything[2]
    assert log("show", "--since", "5").splitlines() == everything[4:]
    assert len(log("show", "--kind", "fault", "--kind", "begun").splitlines()) == 2
    shown = [json.loads(line) for line in log("show", "--json").splitlines()]
    assert shown == entries(place / "log")
    assert 0 < len(log("show", "--since", "1h").splitlines()) < len(everything)
    log("export", "--out", place / "export")
    assert log("show", place / "export").splitlines() == everything


def test_what_others_have_written_is_shown_as_it_can_do_nothing(place: Path) -> None:
    told = Told(place / "log")
    told.tell("\x1b[31m[bold]x")
    told.folder.close()
    assert "\\x1b[31m[bold]x" in log("show")


@pytest.mark.timeout(120)
def test_the_log_is_followed_until_ctrl_c(place: Path) -> None:
    command = [sys.executable, "-m", "redbutton.cli", "log", "show", "--follow", "--since", "14"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        told = Told(place / "log")
        told.tell("fault")
        told.folder.close()
        while "fault" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(60) == 130


Wrong = Callable[[Path], tuple[object, ...]]


def _file(place: Path, text: str) -> Path:
    (place / "wrong").write_text(text)
    return place / "wrong"


@pytest.mark.parametrize(
    ("arguments", "kind", "why"),
    [
        (lambda p: ("verify", p / "none"), RecordWrong, "none: No such file"),
        (lambda p: ("verify", p), RecordWrong, "state: No such file"),
        (lambda p: ("verify", _file(p, "x")), RecordWrong, "neither an exported log nor a proof"),
        (lambda p: ("verify", _file(p, '{"proof": 1}')), RecordWrong, "it is no proof"),
        (lambda p: ("verify", "--escrow", _file(p, "{}")), errors.KeyUnreadable, "no escrow"),
        (lambda p: ("verify", "--witness-key", p / "no"), errors.KeyUnreadable, "no witness key"),
        (lambda p: ("verify", "--witness", _file(p, "x\n")), RecordWrong, "no signed checkpoint"),
        (lambda p: ("prove", "999"), RecordWrong, "entry 999 is not among"),
        (lambda p: ("init", "--escrow", p / "escrow"), RecordWrong, "not overwritten"),
        (lambda p: ("init", "--escrow", p / "new"), RecordWrong, "not empty"),
        (lambda p: ("init", "--escrow", p / "no" / "new"), RecordWrong, "No such file"),
        (lambda p: ("export", "--out", p / "no" / "new"), RecordWrong, "No such file"),
        (lambda p: ("show", "--since", "soon"), Exception, "a number of an entry"),
        (lambda p: ("prove",), Exception, "either the number"),
        (lambda p: ("verify", "--log-key", "xx"), Exception, "64 hexadecimal digits"),
    ],
)
def test_what_is_wrong_is_one_clear_error(
    place: Path, arguments: Wrong, kind: type[Exception], why: str
) -> None:
    with pytest.raises(kind, match=why):
        log(*arguments(place))
    assert not (place / "new").exists()


def test_the_escrow_of_another_log_is_told_from_a_log_that_was_changed(
    place: Path, tmp_path: Path
) -> None:
    log("init", "--escrow", tmp_path / "e2", "--origin", "lab/else", "-f", tmp_path / "other")
    with pytest.raises(RecordWrong, match="not the escrow's"):
        log("verify", "--escrow", tmp_path / "e2")


def test_the_escrow_is_readable_by_its_owner_only_and_nowhere_else(place: Path) -> None:
    assert (place / "escrow").stat().st_mode & 0o777 == 0o600
    first = json.loads((place / "escrow").read_text())["first_key"]
    for file in (place / "log").iterdir():
        assert first not in file.read_text()


def test_errors_have_the_exit_codes_that_are_documented() -> None:
    kinds: tuple[type[RedbuttonError], ...] = (RecordFaulty, RecordWrong, RecordUnwritable)
    assert [kind.exit_code for kind in kinds] == [32, 33, 34]


@pytest.mark.requirement("SR-22")
@pytest.mark.timeout(120)
def test_redbutton_run_records_and_says_where_it_does_not(
    place: Path, key: bytes, tmp_path: Path
) -> None:
    from redbutton.virtual.board import RealTimeBoard

    (tmp_path / "key").write_text(key.hex())
    (tmp_path / "on.yaml").write_text(f"record: {{folder: {place / 'log'}}}\n")
    (tmp_path / "off.yaml").write_text('record: {folder: ""}\n')
    (tmp_path / "broken.yaml").write_text(f"record: {{folder: {tmp_path / 'none'}}}\n")
    said = {}
    with RealTimeBoard(key, tmp_path / "vb", heartbeat_timeout_ms=1000):
        for name, awaited in (
            ("on", '"event": "attested"'),
            ("off", '"event": "attested"'),
            ("broken", '"event": "record"'),
        ):
            command = [sys.executable, "-m", "redbutton.cli", "run", "--json"]
            command += ["--config", str(tmp_path / f"{name}.yaml")]
            command += ["-p", str(tmp_path / "vb"), "-k", str(tmp_path / "key")]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                said[name] = ""
                while awaited not in said[name]:
                    said[name] += process.stdout.readline()
                time.sleep(0.2)
                process.send_signal(signal.SIGINT)
                said[name] += process.stdout.read()
    assert '"not_recorded"' not in said["on"] and '"record"' not in said["on"]
    assert "nothing is recorded" not in said["on"]
    assert '"not_recorded"' in said["off"]
    assert "holds no record" in said["broken"]
    found = [entry["kind"] for entry in entries(place / "log")]
    assert {"configuration", "hello", "attested"} <= set(found)
    assert "nothing wrong" in log("verify", "--escrow", place / "escrow")
