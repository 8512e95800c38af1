"""Whatever is done to a log afterwards is found, and the first entry is named (SR-22)."""

import base64
import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from logs import ORIGIN, WITNESS_KEY, Told, body, keys, made, note, read, verified, witness_says

from redbutton.record import checkpoint, entry
from redbutton.record.audit import End, Keys, Line, Report, audit
from redbutton.record.checkpoint import Checkpoint, Signed
from redbutton.record.folder import create, load_state
from redbutton.record.tree import Frontier, leaf_hash

TRIES = 200  # of each of five kinds: a thousand


class Log:
    """A log of some sixty entries with checkpoints that the controller signed; in memory."""

    def __init__(self, path: Path) -> None:
        self.escrow = create(path, ORIGIN)
        told = Told(path)
        for i in range(12):
            told.tell("transition", "fault", "hello"[: 5 - i % 2])
        told.tell("hello")  # after the last checkpoint
        told.folder.close()
        self.state = load_state(path)
        self.lines = [line.text for line in read(path)]
        self.seed = bytes.fromhex((path / "signing-key").read_text())
        self.size = len(self.lines)
        self.end = End(self.size, key=self.state.place.key)

    def audit(self, data: bytes | list[bytes], held: Keys | None = None, **more: object) -> Report:
        """Of these bytes in the place of the log's."""
        joined = data if isinstance(data, bytes) else b"".join(data)
        lines = [Line(f"line {i}", text) for i, text in enumerate(_lines(joined), 1)]
        arguments = {"end": self.end, **more}
        return audit(ORIGIN, lines, held or keys(self.escrow, True), **arguments)  # type: ignore[arg-type]

    def notes(self) -> list[Signed]:
        """The checkpoints, oldest first."""
        bodies = [entry.decode(entry.split(line)[0]) for line in self.lines]
        return [
            checkpoint.read(body.fields["note"]) for body in bodies if body.kind == "checkpoint"
        ]


def _lines(data: bytes) -> list[bytes]:
    return [part + b"\n" for part in data.split(b"\n")[:-1]] + (
        [data.split(b"\n")[-1]] if not data.endswith(b"\n") else []
    )


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return Log(tmp_path_factory.mktemp("record") / "log")


@pytest.mark.requirement("SR-22")
def test_a_log_that_nobody_touched_is_sound(log: Log) -> None:
    report = log.audit(log.lines)
    assert report.faults == []
    assert (report.entries, report.checkpoints) == (log.size, 12)
    assert 0 < report.witnessed < log.size
    assert report.remarks == []


Manipulation = Callable[[Log, random.Random], tuple[bytes, int]]


def truncated(log: Log, dice: random.Random) -> tuple[bytes, int]:
    """Cut at any byte; the first entry that is not whole."""
    data = b"".join(log.lines)
    at = dice.randrange(len(data))
    return data[:at], data[:at].count(b"\n") + 1


def flipped(log: Log, dice: random.Random) -> tuple[bytes, int]:
    data = bytearray(b"".join(log.lines))
    bit = dice.randrange(8 * len(data))
    bad = data[: bit // 8].count(b"\n") + 1
    data[bit // 8] ^= 1 << bit % 8
    return bytes(data), bad


def deleted(log: Log, dice: random.Random) -> tuple[bytes, int]:
    at = dice.randrange(log.size)
    count = dice.randint(1, 3)
    return b"".join(log.lines[:at] + log.lines[at + count :]), at + 1


def reordered(log: Log, dice: random.Random) -> tuple[bytes, int]:
    one, other = sorted(dice.sample(range(log.size), 2))
    lines = list(log.lines)
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines), one + 1


def repeated(log: Log, dice: random.Random) -> tuple[bytes, int]:
    to = dice.randrange(log.size - 1)
    at = dice.choice([i for i in range(log.size) if i != to + 1])
    return b"".join([*log.lines[: to + 1], log.lines[at], *log.lines[to + 1 :]]), to + 2


def rewritten(log: Log, dice: random.Random) -> tuple[bytes, int]:
    """A later root: changes an entry and makes all after it anew, with the key that he found."""
    at = dice.randrange(log.size)
    return b"".join(forged(log, at, log.state.place.key)), at + 1


def forged(log: Log, at: int, key: bytes, new_signature: bool = False) -> list[bytes]:
    """Entry `at`, from 0, says something else; chain, checkpoints and MACs after it are made anew
    with what is on the computer. The controller's signatures after it are left away, or, with
    `new_signature`, the controller is asked for one under the last forged checkpoint."""
    lines = log.lines[:at]
    tree = Frontier()
    for line in lines:
        tree.append(leaf_hash(entry.split(line)[0]))
    previous = leaf_hash(entry.split(lines[-1])[0]).hex() if lines else entry.NO_ENTRY
    for number, line in enumerate(log.lines[at:], at + 1):
        said = entry.decode(entry.split(line)[0])
        fields = {"n": "nothing happened"} if number == at + 1 else said.fields
        if said.kind == "checkpoint":
            new = Checkpoint(ORIGIN, tree.size, tree.root(), number)
            fields = {"note": checkpoint.sign(new, log.seed).note}
        if said.kind == "witnessed" and number > at + 1:
            last = new_signature and number == log.size - 1
            fields = {"statement": witness_says(new.digest, 13).hex()} if last else {}
            said = said._replace(kind="witnessed" if last else "hello")
        made_anew = entry.encode(said._replace(fields=fields, previous=previous))
        lines.append(entry.line(made_anew, key))
        previous = leaf_hash(made_anew).hex()
        tree.append(leaf_hash(made_anew))
        key = entry.next_key(key)
    return lines


@pytest.mark.requirement("SR-22", "SR-25")
@pytest.mark.parametrize(
    "manipulation", [truncated, flipped, deleted, reordered, repeated, rewritten]
)
def test_of_a_thousand_manipulations_each_is_found_and_the_first_bad_entry_named(
    log: Log, manipulation: Manipulation, say: Callable[[str], None]
) -> None:
    dice = random.Random(manipulation.__name__)
    for _ in range(TRIES):
        data, bad = manipulation(log, dice)
        report = log.audit(data)
        assert report.faults, bad
        assert report.bad == bad, report.faults
    say(f"record: {TRIES} times {manipulation.__name__}: each found, the first bad named")


# --- Somebody who has the computer later, and all that is on it ------------------------------


@pytest.mark.requirement("SR-22", "SR-25")
def test_a_tail_cut_off_is_found_as_nobody_has_the_key_of_an_earlier_end(log: Log) -> None:
    """He writes what he wants into the state; the key of an earlier end is not there to write."""
    for count in (1, 2, 10, log.size - 1):
        size = log.size - count
        for key in (log.state.place.key, bytes(32)):
            report = log.audit(log.lines[:size], end=End(size, key=key))
            assert "does not fit" in report.faults[0]


@pytest.mark.requirement("SR-22")
def test_without_the_escrow_a_rewritten_past_is_found_by_the_controllers_signatures(
    log: Log,
) -> None:
    public = bytes.fromhex(log.escrow.public_key)
    held, end = Keys(None, public, WITNESS_KEY), End(log.size)
    lines = forged(log, 12, log.state.place.key)
    assert log.audit(lines, held, end=end).faults == []  # nobody could know yet
    lines = forged(log, 12, log.state.place.key, new_signature=True)
    report = log.audit(lines, held, end=end)
    assert (
        "are missing here (the first: its number 3): it has signed another past"
        in (report.faults[0])
    )


@pytest.mark.requirement("SR-22")
def test_a_controller_that_signs_the_forged_past_has_counted_on(tmp_path: Path, log: Log) -> None:
    """The later root drops all old signatures and has the controller sign the forged past anew."""
    escrow = create(tmp_path / "log", ORIGIN)
    told = Told(tmp_path / "log")
    told.signed = 12  # what it has signed of the true past
    told.tell("transition")
    told.tell("transition")
    told.folder.close()
    report = verified(tmp_path / "log", keys(escrow, True))
    assert "12 are missing here (the first: its number 1)" in report.faults[0]


@pytest.mark.requirement("SR-22")
@pytest.mark.parametrize("which", range(12))
def test_a_witness_that_kept_a_checkpoint_finds_another_past_before_it(
    log: Log, which: int
) -> None:
    copy = log.notes()[which]
    sound = log.audit(log.lines, copies=[copy])
    assert sound.faults == []
    assert f"entries 1 to {copy.checkpoint.size} are as the witness knows them" in sound.remarks
    lines = forged(log, copy.checkpoint.size - 1, log.state.place.key)
    report = log.audit(lines, Keys(), copies=[copy], end=None)
    assert report.faults[-1] == (
        f"the witness's checkpoint of {copy.checkpoint.size} entries has another root: the past "
        "before it was changed"
    )
    report = log.audit(log.lines[: copy.checkpoint.size - 1], Keys(), copies=[copy], end=None)
    assert "is ahead: entries" in report.faults[0]


@pytest.mark.requirement("SR-22")
def test_what_is_not_protected_entries_after_the_last_checkpoint_without_the_escrow(
    log: Log,
) -> None:
    """The limit that the documentation has: only MACs prove the tail, and they need the escrow."""
    last = log.notes()[-1].checkpoint.size
    held = Keys(None, bytes.fromhex(log.escrow.public_key), WITNESS_KEY)
    lines = forged(log, log.size - 1, log.state.place.key)
    assert log.size > last
    report = log.audit(lines, held, end=None, copies=log.notes())
    assert report.faults == []
    assert log.audit(lines).bad == log.size


# --- Checkpoints -----------------------------------------------------------------------------


def with_entry(log: Log, kind: str, **fields: object) -> bytes:
    """The log with one more entry, rightly made."""
    place = log.state.place
    told = body(1, kind)._replace(fields=fields, sequence=place.size + 1, previous=place.previous)
    return b"".join(log.lines) + entry.line(entry.encode(told), place.key)


@pytest.mark.requirement("SR-22")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"origin": "lab/arm-3"}, "of another log or another size"),
        ({"size": 3}, "of another log or another size"),
        ({"root": bytes(32)}, "another root"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_found(
    log: Log, change: dict[str, object], why: str
) -> None:
    tree = Frontier(log.size, log.state.nodes)
    right = Checkpoint(ORIGIN, log.size, tree.root(), 5)
    good = checkpoint.sign(right, log.seed)
    assert log.audit(with_entry(log, "checkpoint", note=good.note)).faults == []
    wrong = checkpoint.sign(right._replace(**change), log.seed)  # type: ignore[arg-type]
    assert why in log.audit(with_entry(log, "checkpoint", note=wrong.note)).faults[0]
    other = checkpoint.sign(right, bytes(32))
    assert "not signed" in log.audit(with_entry(log, "checkpoint", note=other.note)).faults[0]
    for text in ("", "x", good.note + "\n", good.note[:-9], None):
        assert (
            "no signed checkpoint" in log.audit(with_entry(log, "checkpoint", note=text)).faults[0]
        )


@pytest.mark.requirement("SR-22")
def test_a_signature_of_the_controller_that_does_not_fit_is_found(log: Log) -> None:
    digest = log.notes()[-1].checkpoint.digest
    older = log.notes()[0].checkpoint.digest

    def faults(statement: bytes) -> str:
        return " ".join(log.audit(with_entry(log, "witnessed", statement=statement.hex())).faults)

    assert faults(witness_says(digest, 12)) == ""  # told twice
    assert "not made by the controller" in faults(witness_says(digest, 13, key=bytes(32)))
    assert "another past" in faults(witness_says(bytes(32), 13))
    assert "is none" in faults(b"") and "is none" in faults(bytes(5))
    assert "under two checkpoints" in faults(witness_says(older, 12))
    assert "older checkpoint" in faults(witness_says(older, 13))
    assert "1 are missing" in faults(witness_says(digest, 14))
    assert "1 are missing" in faults(witness_says(digest, 2, boot=2))
    assert faults(witness_says(digest, 1, boot=2)) == ""


def test_a_checkpoint_is_a_signed_note_as_c2sp_describes_it(log: Log) -> None:
    import hashlib

    from nacl.signing import VerifyKey

    signed = log.notes()[3]
    text, _, tail = signed.note.rpartition("\n\n")
    origin, size, root, when = text.split("\n")
    assert (origin, int(size)) == (ORIGIN, signed.checkpoint.size)
    assert len(base64.b64decode(root)) == 32
    assert when == f"time {signed.checkpoint.time}"
    dash, name, code = tail.rstrip("\n").split(" ")
    assert (dash, name) == ("\u2014", ORIGIN)
    public = bytes.fromhex(log.escrow.public_key)
    data = base64.b64decode(code)
    assert data[:4] == hashlib.sha256(ORIGIN.encode() + b"\n\x01" + public).digest()[:4]
    VerifyKey(public).verify((text + "\n").encode(), data[4:])
    said = witness_says(signed.checkpoint.digest, 1)
    both = signed.witnessed(checkpoint.Statement(*checkpoint.Statement.of(said) or ()))
    assert checkpoint.read(both.note) == both
    assert both.statements()[0].authentic(WITNESS_KEY)
    assert both.signed_by(public) and not both.signed_by(bytes(32))


# --- Size ------------------------------------------------------------------------------------


@pytest.mark.requirement("SR-22")
def test_a_hundred_thousand_entries_are_verified_in_seconds(
    tmp_path: Path, say: Callable[[str], None]
) -> None:
    escrow, folder = made(tmp_path / "log", 100_000)
    folder.close()
    begin, wall = time.process_time(), time.monotonic()
    report = verified(tmp_path / "log", keys(escrow))
    took = time.process_time() - begin
    assert (report.faults, report.entries) == ([], 100_000)
    say(
        f"record: 100000 entries verified in {took:.1f} s of processor time "
        f"({time.monotonic() - wall:.1f} s)"
    )
    assert took < 20


def test_remarks_say_what_was_not_checked(log: Log) -> None:
    said = log.audit(log.lines, Keys()).remarks
    assert [text.split(" were")[0] for text in said] == [
        "the MACs",
        "the log's signatures",
        "the controller's signatures",
    ]


@pytest.mark.requirement("SR-22")
def test_lost_entries_are_told(tmp_path: Path) -> None:
    escrow = create(tmp_path / "log", ORIGIN)
    told = Told(tmp_path / "log")
    told.writer.write([note(1, "lost", count=7)], 0.0)
    told.folder.close()
    report = verified(tmp_path / "log", keys(escrow))
    assert report.faults == []
    assert "entry 3: 7 entries were lost before it" in report.remarks
    assert json.dumps(vars(report))


def test_an_export_with_another_end_is_found(log: Log) -> None:
    tree = Frontier(log.size, log.state.nodes)
    code = entry.end_mac(log.state.place.key, log.size, tree.root())
    good = End(log.size, tree.root(), mac=code)
    assert log.audit(log.lines, end=good).faults == []
    for wrong in (
        good._replace(mac=bytes(32)),
        good._replace(root=bytes(32)),
        good._replace(mac=None),
        good._replace(size=log.size - 1),
        End(log.size - 1, mac=entry.end_mac(log.state.place.key, log.size - 1, bytes(32))),
    ):
        assert "does not fit" in log.audit(log.lines, end=wrong).faults[0]
    assert "at the end" in log.audit(log.lines[:-1], end=good).faults[0]
    more = with_entry(log, "transition")
    assert "after the end" in log.audit(more, end=good).faults[0]
