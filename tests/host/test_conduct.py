"""More of what is refused than a profile allows. In virtual time."""

from pathlib import Path

import pytest

from redbutton import configuration
from redbutton.conduct import WINDOW_S, ConductBounds, ConductWatch, Offence
from redbutton.errors import ConfigurationWrong


@pytest.fixture
def watch() -> ConductWatch:
    """At most 3 refusals in a minute."""
    return ConductWatch(ConductBounds(refused=3))


def test_as_many_as_are_allowed_are_nothing_unusual(watch: ConductWatch) -> None:
    for _ in range(3):
        watch.count(Offence.REFUSED, 0.0)
    assert watch.exceeded == ""


def test_one_more_is(watch: ConductWatch) -> None:
    for i in range(4):
        watch.count(Offence.REFUSED, i * WINDOW_S / 3)
    assert watch.exceeded == "unusual conduct: more than 3 refused requests in a minute"


def test_a_minute_is_any_minute_and_no_more(watch: ConductWatch) -> None:
    for i in range(100):
        watch.count(Offence.REFUSED, i * (WINDOW_S / 3 + 0.001))
    assert watch.exceeded == ""


def test_what_has_no_bound_is_not_counted(watch: ConductWatch) -> None:
    watch.count(Offence.MALFORMED, 0.0, 1_000_000)
    assert watch.exceeded == ""
    assert watch.counts(0.0) == {"refused": "0 of 3"}


def test_a_bound_of_none_at_all() -> None:
    watch = ConductWatch(ConductBounds(strangers=0))
    watch.count(Offence.STRANGERS, 0.0, 0)
    assert watch.exceeded == ""
    watch.count(Offence.STRANGERS, 0.0)
    assert watch.exceeded == "unusual conduct: more than 0 strangers on guarded topics in a minute"


def test_the_first_bound_that_was_passed_is_what_is_said(watch: ConductWatch) -> None:
    watch = ConductWatch(ConductBounds(refused=1, frames=1))
    watch.count(Offence.FRAMES, 0.0, 500)
    watch.count(Offence.REFUSED, 0.0, 500)
    assert "frames rejected by the controller" in watch.exceeded


def test_it_is_said_until_a_reset_and_then_counted_anew(watch: ConductWatch) -> None:
    watch.count(Offence.REFUSED, 0.0, 4)
    watch.count(Offence.REFUSED, 1000.0)
    assert watch.exceeded
    watch.clear()
    assert watch.exceeded == ""
    watch.count(Offence.REFUSED, 1000.0, 3)
    assert watch.exceeded == ""
    assert watch.counts(1000.0) == {"refused": "3 of 3"}


def test_without_bounds_nothing_is_unusual() -> None:
    watch = ConductWatch()
    for offence in Offence:
        watch.count(offence, 0.0, 100_000)
    assert watch.exceeded == ""


@pytest.mark.parametrize("bound", ["-1", "1.5", "100001", "many", "true"])
def test_a_bound_that_is_none_is_refused_with_its_line(tmp_path: Path, bound: str) -> None:
    file = tmp_path / "host.yaml"
    file.write_text(f"conduct:\n  frames: {bound}\n")
    with pytest.raises(ConfigurationWrong, match=r"host\.yaml:2: conduct\.frames: "):
        configuration.load(file)
