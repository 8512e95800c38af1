"""What is in flash beside the firmware, read back: settings and entries that are not sound."""

import binascii
import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from redbutton import firmware

KEY = bytes(range(32))


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The firmware's module, with an empty folder for its flash."""
    monkeypatch.chdir(tmp_path)
    yield from _imported("settings", monkeypatch)


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The same for the journal."""
    monkeypatch.chdir(tmp_path)
    yield from _imported("journal", monkeypatch)


def _imported(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """As on the board, where the modules find each other by their bare names."""
    names = (name, "decide", "wire")
    monkeypatch.syspath_prepend(firmware.__path__[0])
    for each in names:
        monkeypatch.delitem(sys.modules, each, raising=False)
    yield __import__(name)
    for each in names:
        sys.modules.pop(each, None)


@pytest.mark.requirement("SR-09")
@pytest.mark.parametrize(
    "stored",
    [
        "",
        "{",
        "[]",
        json.dumps({"key": "00", "heartbeat_timeout_ms": 100, "stop_delay_ms": 0}),
        json.dumps({"key": "zz" * 32, "heartbeat_timeout_ms": 100, "stop_delay_ms": 0}),
        json.dumps({"key": KEY.hex(), "heartbeat_timeout_ms": "x", "stop_delay_ms": 0}),
        json.dumps({"key": KEY.hex()}),
        *(
            json.dumps(
                {
                    "key": KEY.hex(),
                    "heartbeat_timeout_ms": 100,
                    "stop_delay_ms": 0,
                    "witness_key": wrong,
                }
            )
            for wrong in ("", "00" * 31, "zz" * 32, 5)
        ),
    ],
)
def test_settings_that_are_not_sound_are_none_at_all(settings: ModuleType, stored: str) -> None:
    Path(settings.FILE).write_text(stored)
    assert settings.load().key is None


def test_what_was_provisioned_is_what_is_loaded(settings: ModuleType) -> None:
    told = settings.provision(KEY, 5, 2000, "arm")
    kept = settings.load()
    assert (kept.key, kept.heartbeat_timeout, kept.stop_delay, kept.name) == (
        KEY,
        40,
        1000,
        b"arm",
    )
    assert told["heartbeat_timeout_ms"] == 40
    assert KEY.hex() not in str(told)
    assert kept.witness_key.hex() == told["witness_key"]


def test_provisioning_says_so_if_flash_did_not_keep_the_key(
    settings: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = settings.load()
    assert empty.witness_key is None
    monkeypatch.setattr(settings, "load", lambda: empty)
    with pytest.raises(ValueError, match="not stored"):
        settings.provision(KEY)


@pytest.mark.requirement("SR-22")
def test_the_witness_key_is_made_on_the_board_and_told_once(settings: ModuleType) -> None:
    first = settings.provision(KEY)["witness_key"]
    assert settings.load().witness_key.hex() == first
    assert len(first) == 64
    assert settings.provision(bytes(32), 50)["witness_key"] is None
    assert settings.load().witness_key.hex() == first
    other = settings.provision(bytes(32), new_witness=True)["witness_key"]
    assert other != first
    assert settings.load().witness_key.hex() == other


@pytest.mark.requirement("SR-22")
def test_a_board_that_was_provisioned_before_there_were_witnesses_signs_nothing(
    settings: ModuleType,
) -> None:
    stored = {"key": KEY.hex(), "heartbeat_timeout_ms": 100, "stop_delay_ms": 0}
    for witness in ({}, {"witness_key": None}):
        Path(settings.FILE).write_text(json.dumps({**stored, **witness}))
        assert settings.load().key == KEY
        assert settings.load().witness_key is None
    assert settings.provision(KEY)["witness_key"]


def record(journal: ModuleType, sequence: int, boot: int) -> bytes:
    """A whole entry as it lies in flash."""
    entry = struct.pack(">IH", sequence, boot).ljust(journal.ENTRY_SIZE, b"\0")
    return entry + struct.pack(">I", binascii.crc32(entry))


@pytest.mark.requirement("SR-22")
def test_entries_out_of_order_or_beyond_all_numbers_do_not_confuse_the_ring(
    journal: ModuleType,
) -> None:
    folder = Path(journal.FOLDER)
    folder.mkdir()
    newer = journal.CAPACITY + 3
    (folder / "0").write_bytes(
        record(journal, 0, 9)
        + record(journal, journal.SEQUENCE_MAX, 9)
        + record(journal, newer, 7)
        + record(journal, 3, 5)  # the same place in the ring, and older
    )
    read = journal.Journal(None, 0)
    assert read.boot == 8
    answer = read.answer(newer)
    assert struct.pack(">IH", newer, 7) in answer
