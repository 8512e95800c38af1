"""The record with the real firmware as its witness, in virtual time (SR-22)."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from logs import ORIGIN, WITNESS_KEY, entries, keys, kinds, verified

from redbutton.model import State
from redbutton.record import diary, writer
from redbutton.record.diary import Diary
from redbutton.record.folder import Escrow, Folder, create
from redbutton.record.recorder import shown
from redbutton.record.writer import Writer, stamp
from redbutton.session import Witnessed
from redbutton.virtual.chain import Chain


class Direct:
    """Writes a log in the test's own process, on virtual time; else as a Recorder."""

    problem = ""

    def __init__(self, path: Path, chain: Chain, run: str = "run") -> None:
        self.folder = Folder(path)
        self.writer = Writer(self.folder)
        self.chain = chain
        self.run, self.number = run, 0

    def note(self, kind: str, **fields: Any) -> None:
        self.number += 1
        note = stamp(kind, shown(fields), self.run, self.number)
        assert self.writer.write([note], self.chain.board.now)

    def turn(self, now: float) -> None:
        assert self.writer.write([], now)

    @property
    def ask(self) -> bytes:
        return bytes.fromhex(self.writer.ask)

    @property
    def journal(self) -> tuple[str, int]:
        return self.folder.last_journal

    def close(self) -> None:
        self.writer.end(self.chain.board.now)
        self.folder.close()


class Host:
    """What the owner of the port does, with a chain in lock-step. `deaf`: it loses answers.
    `forges`: it hides that the controller has signed another past."""

    def __init__(self, chain: Chain, path: Path, run: str = "run") -> None:
        self.chain = chain
        self.recorder = Direct(path, chain, run)
        self.diary = Diary(self.recorder)  # type: ignore[arg-type]
        self.deaf = self.forges = False
        self.asked: list[bytes] = []

    def ask_journal(self, sequence: int) -> None:
        self.chain._send(self.chain.session.ask_journal(sequence, self.chain.board.now))

    def ask_witness(self, digest: bytes) -> None:
        self.asked.append(digest)
        self.chain._send(self.chain.session.ask_witness(digest, self.chain.board.now))

    def step(self, ms: int) -> None:
        """Let time go by."""
        for _ in range(ms):
            self.chain.step(1)
            self.turn()

    def turn(self) -> None:
        """Take what the chain has heard."""
        events, self.chain.events = self.chain.events, []
        said = [event for event in events if isinstance(event, Witnessed)]
        if self.deaf:
            events = [event for event in events if event not in said]
        if self.forges:  # what the controller signed of the true past is not told
            own = [event for event in said if event.statement[:32] == self.recorder.ask]
            events = [event for event in events if event not in said or event in own]
            events += [Witnessed(b"")] if len(own) < len(said) else []
        self.diary.turn(self, events, self.chain.board.now)

    def run(self) -> None:
        """To RUN."""
        self.step(100)
        self.chain.press_reset()
        self.turn()
        assert self.chain.board.load

    def stop(self) -> None:
        """A person presses the button, and lets go."""
        self.chain.board.act("button", 1)
        self.step(200)
        self.chain.board.act("button", 0)
        self.step(100)
        assert not self.chain.board.load

    def end(self) -> None:
        self.diary.close()


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints and questions come sooner than they do."""
    monkeypatch.setattr(writer, "CHECKPOINT_MIN_S", 0.2)
    monkeypatch.setattr(diary, "WITNESS_S", 0.1)


@pytest.fixture
def chain(key: bytes) -> Iterator[Chain]:
    with Chain(key, witness_key=WITNESS_KEY) as chain:
        yield chain


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def escrow(path: Path) -> Escrow:
    return create(path, ORIGIN)


def transitions(path: Path) -> list[tuple[str, str, str | None]]:
    return [
        (e["fields"]["before"], e["fields"]["after"], e["fields"]["cause"])
        for e in entries(path)
        if e["kind"] == "transition"
    ]


STOP = ("RUN", "STOPPED", "button contact A")


@pytest.mark.requirement("SR-22")
def test_every_transition_reaches_the_log_with_its_cause_and_the_controller_signs_it(
    chain: Chain, path: Path, escrow: Escrow
) -> None:
    host = Host(chain, path)
    host.run()
    host.step(500)
    host.stop()
    host.step(500)
    host.end()
    assert transitions(path) == [
        ("STOPPED", "TESTING", None),
        ("TESTING", "RUN", None),
        STOP,
    ]
    stop = next(e for e in entries(path) if e["fields"].get("cause") == "button contact A")
    assert stop["fields"]["measured"]["contact_a_closed"] is False
    report = verified(path, keys(escrow, True))
    assert report.faults == []
    assert report.witnessed >= stop["sequence"]
    assert report.checkpoints >= 2
    assert {"hello", "attested", "journal", "witnessed", "ended"} <= set(kinds(path))


@pytest.mark.requirement("SR-22")
def test_what_the_controller_did_while_the_host_was_away_reaches_the_log(
    chain: Chain, path: Path, escrow: Escrow
) -> None:
    host = Host(chain, path)
    host.run()
    host.step(500)
    host.end()
    chain.connected = False  # nobody hears the stop
    chain.board.act("button", 1)
    chain.step(300)
    chain.board.act("button", 0)
    chain.connected = True
    chain._send(chain.session.opened(chain.board.now))
    host = Host(chain, path, "second")
    host.step(800)
    host.end()
    assert STOP not in transitions(path)
    journal = [e["fields"] for e in entries(path) if e["kind"] == "journal"]
    assert [fields["sequence"] for fields in journal] == list(range(1, len(journal) + 1))
    assert (journal[-1]["before"], journal[-1]["after"]) == ("RUN", "STOPPED")
    assert verified(path, keys(escrow, True)).faults == []


@pytest.mark.requirement("SR-22", "SR-25")
def test_another_past_that_is_shown_to_the_controller_later_is_found(
    chain: Chain, path: Path, escrow: Escrow, tmp_path: Path
) -> None:
    """Somebody has all of the computer, first key and link key too; not the board."""
    shutil.copytree(path, tmp_path / "forged")
    host = Host(chain, path)
    host.run()
    host.step(500)
    host.stop()
    host.step(500)
    host.end()
    assert verified(path, keys(escrow, True)).faults == []
    forger = Host(chain, tmp_path / "forged", "forged")  # nothing ever happened
    forger.forges = True
    chain._send(chain.session.opened(chain.board.now))
    forger.step(500)
    forger.diary.note("fault", error="nothing ever happened")
    forger.step(800)
    forger.end()
    assert STOP not in transitions(tmp_path / "forged")
    assert verified(tmp_path / "forged", keys(escrow)).faults == []  # MACs alone: first key known
    report = verified(tmp_path / "forged", keys(escrow, True))
    assert len(report.faults) == 1
    assert (
        "are missing here (the first: its number 1): it has signed another past"
        in (report.faults[0])
    )


@pytest.mark.requirement("SR-22")
def test_a_signature_whose_answer_was_lost_is_asked_for_again_and_none_is_missing(
    chain: Chain, path: Path, escrow: Escrow
) -> None:
    host = Host(chain, path)
    host.run()
    host.step(500)
    host.deaf = True
    host.stop()
    host.step(1000)
    host.recorder.folder.close()  # killed
    assert any(host.asked[-1:])
    host = Host(chain, path, "second")
    chain._send(chain.session.opened(chain.board.now))
    host.step(500)
    host.diary.note("fault", error="one more")
    host.step(500)
    host.end()
    assert host.asked[0] == b""
    assert verified(path, keys(escrow, True)).faults == []
    assert kinds(path).count("witnessed") >= 3


@pytest.mark.requirement("SR-22")
def test_a_controller_without_a_witness_key_is_asked_a_few_times_and_all_else_is_recorded(
    key: bytes, path: Path, escrow: Escrow
) -> None:
    with Chain(key) as chain:
        host = Host(chain, path)
        host.run()
        host.step(2000)
        host.end()
    assert len(host.asked) <= 10
    report = verified(path, keys(escrow, True))
    assert (report.faults, report.witnessed) == ([], 0)
    assert report.checkpoints >= 1


@pytest.mark.requirement("SR-18", "SR-22")
def test_a_flood_of_requests_to_sign_costs_no_heartbeat_and_one_tag_a_tick(chain: Chain) -> None:
    chain.run()
    chain.board.stats()
    for i in range(150):
        chain._send(chain.session.ask_witness(i.to_bytes(32, "big"), chain.board.now))
        chain.step(8)
        assert chain.board.load
    assert chain.state.state is State.RUN
    assert chain.board.stats()["most_in_a_tick"]["tags"] <= 1
    answers = [event for event in chain.events if isinstance(event, Witnessed)]
    assert 10 < len(answers) < 40


@pytest.mark.requirement("SR-22")
def test_over_a_power_cycle_the_power_ups_are_told_apart_and_the_count_begins_anew(
    key: bytes, path: Path, escrow: Escrow, tmp_path: Path
) -> None:
    flash = tmp_path / "flash"
    flash.mkdir()
    for run in ("first", "second"):
        with Chain(key, witness_key=WITNESS_KEY, flash=flash, seed=len(run)) as chain:
            host = Host(chain, path, run)
            host.run()
            host.step(500)
            host.stop()
            host.step(500)
            host.end()
    said = [
        bytes.fromhex(e["fields"]["statement"]) for e in entries(path) if e["kind"] == "witnessed"
    ]
    places = [(int.from_bytes(s[32:34], "big"), int.from_bytes(s[36:40], "big")) for s in said]
    assert {boot for boot, _ in places} == {1, 2}
    for boot in (1, 2):
        counts = [count for at, count in places if at == boot]
        assert counts == list(range(1, len(counts) + 1))
    assert verified(path, keys(escrow, True)).faults == []
