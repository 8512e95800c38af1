"""What goes into the record: no flood fills it, and without a log nothing happens (SR-25)."""

from pathlib import Path
from typing import Any

import pytest

from redbutton import configuration
from redbutton.errors import ConfigurationWrong
from redbutton.record import diary as diary_module
from redbutton.record.diary import Diary, digest_of, open_diary


class Noted:
    """Keeps what it is told."""

    problem = ""
    ask = b""
    journal = None

    def __init__(self) -> None:
        self.notes: list[tuple[str, dict[str, Any]]] = []

    def note(self, kind: str, **fields: Any) -> None:
        self.notes.append((kind, fields))

    def turn(self, now: float) -> None:
        """Nothing to do."""


@pytest.fixture
def noted() -> Noted:
    return Noted()


@pytest.fixture
def diary(noted: Noted) -> Diary:
    return Diary(noted)  # type: ignore[arg-type]


NOBODY: Any = None


@pytest.mark.requirement("SR-25", "SR-22")
def test_a_flood_is_an_entry_at_once_and_then_its_number_rarer_and_rarer(
    diary: Diary, noted: Noted
) -> None:
    for tick in range(60_000):  # ten minutes, a hundred a second
        diary.count(tick / 100, "refused", "planner", reason=f"speed {tick}")
        if tick % 10 == 0:
            diary.turn(NOBODY, [], tick / 100)
    assert noted.notes[0] == ("refused", {"name": "planner", "count": 1, "reason": "speed 0"})
    assert len(noted.notes) < 20
    diary.turn(NOBODY, [], 1000.0)
    assert sum(fields["count"] for _, fields in noted.notes) == 60_000


@pytest.mark.requirement("SR-25")
def test_names_without_end_are_counted_together(diary: Diary, noted: Noted) -> None:
    for number in range(10_000):
        diary.count(number / 1000, "plan", f"refuse rule-{number}")
    diary.turn(NOBODY, [], 100.0)
    assert len(noted.notes) <= diary_module.COUNT_NAMES + 10
    assert sum(fields["count"] for _, fields in noted.notes) == 10_000
    assert noted.notes[-1][1]["name"] == "others"


def test_after_a_rest_the_next_one_is_an_entry_at_once_again(diary: Diary, noted: Noted) -> None:
    for now in (0.0, 0.1, 0.2, 5.0):
        diary.turn(NOBODY, [], now)
        diary.count(now, "refused", "planner")
    assert [fields["count"] for _, fields in noted.notes] == [1, 2]
    for now in (20.0, 40.0):
        diary.turn(NOBODY, [], now)
    diary.count(40.0, "refused", "planner")
    assert [fields["count"] for _, fields in noted.notes] == [1, 2, 1, 1]


@pytest.mark.requirement("SR-22")
def test_a_stop_request_is_recorded_with_who_made_it(diary: Diary, noted: Noted) -> None:
    from redbutton.local import Peer
    from redbutton.record.recorder import shown
    from redbutton.stop_log import StopRequested

    diary.turn(NOBODY, [StopRequested(0, "because", Peer(pid=7, uid=1000, gid=1))], 0.0)
    ((kind, fields),) = noted.notes
    assert kind == "stop_requested"
    assert shown(fields)["peer"] == {"pid": 7, "uid": 1000, "gid": 1}
    assert (fields["reason"], fields["category"], fields["times"]) == ("because", 0, 1)


def test_without_a_log_nothing_is_recorded_and_nothing_fails(tmp_path: Path) -> None:
    for folder in ("", None):
        diary = open_diary(folder)
        diary.note("fault", error="x")
        diary.count(0.0, "refused", "x")
        diary.turn(NOBODY, [], 0.0)
        diary.begin()
        assert not diary.on and not diary.fails
        diary.close()


def test_the_usual_folder_is_used_if_a_log_was_made_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from redbutton.record.folder import create

    monkeypatch.setattr(diary_module, "DEFAULT_FOLDER", tmp_path / "log")
    assert not open_diary(None).on
    create(tmp_path / "log", "lab/arm-2")
    diary = open_diary(None)
    assert diary.on
    diary.close()


def test_the_section_of_the_hosts_configuration(tmp_path: Path) -> None:
    file = tmp_path / "host.yaml"
    file.write_text("record: {folder: /x}\n")
    assert configuration.load(file).record.folder == "/x"
    file.write_text("record: {foldr: /x}\n")
    with pytest.raises(ConfigurationWrong, match="did you mean folder"):
        configuration.load(file)
    assert configuration.file_of(file) == file
    assert len(digest_of(file)) == 64
    assert digest_of(tmp_path) == "Is a directory"
    assert digest_of(None) == ""
