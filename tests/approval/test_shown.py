"""What people are shown: all of the command, and nothing that the planner made it look like."""

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import LIFETIME_S, hold_for, made_desk, of_all, vote
from rich.console import Console

from redbutton.approval.ballot import Quorum, canonical
from redbutton.approval.desk import Desk
from redbutton.approval.shown import countdown, lines_of, panels
from redbutton.checks.verdict import Judgement, Verdict
from redbutton.plain import plain

pytestmark = pytest.mark.requirement("SR-26")


def screen(command: object, reason: str = "", step: int | None = None, width: int = 200) -> str:
    """What is on the screen when this command is held."""
    desk = made_desk()
    why = Verdict(verdict=Judgement.HOLD, rule="a-rule", reason=reason, step=step)
    desk.hold(canonical(command), why, of_all(2), 0.0, LIFETIME_S)
    return panel_of(desk, width)


def panel_of(desk: Desk, width: int = 200) -> str:
    """What is on the screen of what is held."""
    out = io.StringIO()
    Console(file=out, color_system=None, width=width).print(panels(desk.pending(5.0)))
    return out.getvalue()


def test_command_reason_and_countdown_are_shown() -> None:
    text = screen(
        {"skill": "hand_over", "object": "knife", "at": [0.5, {"frame": "map"}]},
        "a knife, near a person",
        3,
    )
    for part in (
        '"object": "knife"',
        '"skill": "hand_over"',
        '"at": [0.5, {"frame": "map"}]',
        "step 3: a knife, near a person (a-rule)",
        "0 of 2",
        "0:25",
    ):
        assert part in text


def test_each_quorum_says_who_has_approved_and_who_is_needed() -> None:
    desk = made_desk()
    held = hold_for(
        desk,
        Quorum(what="mobility_aid", k=2, names=("ben", "cleo")),
        Quorum(what="plan", k=1, names=("anna", "ben")),
    )
    desk.vote(vote(held, "ben"), 5.0)
    text = panel_of(desk)
    assert "mobility_aid: 1 of 2 (ben), needs 1 more of cleo" in text
    assert "plan: 1 of 1 (ben) " in text


def test_no_end_of_a_long_command_is_hidden() -> None:
    text = screen({"a": "x" * 3000 + "END"}, "y" * 1000 + "FIN", width=60)
    assert "END" in text
    assert "FIN" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b[31m", r"\x1b[2J\x1b[31m"),
        ("a\rb\nc\td", r"a\rb\nc\td"),
        ("\x9b31m\x7f", r"\x9b31m\x7f"),
        ("\u202eevil\u2066\u2069", r"\u202eevil\u2066\u2069"),
        ("\u200b\ufeff\u2028\xa0", r"\u200b\ufeff\u2028\xa0"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
        ("ein Löffel, 勺子", "ein Löffel, 勺子"),
    ],
)
def test_what_is_not_seen_as_itself_is_shown_as_its_escape(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text())
def test_nothing_shown_controls_the_terminal(text: str) -> None:
    for line in [*lines_of(canonical({"a": text}).decode()), plain(text)]:
        assert all(unicodedata.category(c)[0] != "C" for c in line)


@given(st.text())
def test_a_planners_text_begins_no_line_of_its_own(text: str) -> None:
    assert len(lines_of(canonical({text: text}).decode())) == 1


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_text_passes_for_what_we_say_of_it(width: int) -> None:
    """Though spaces wrap it to a line of its own, it does not reach the labels' column."""
    for spaces in range(width):
        lie = "x" + " " * spaces + "approved by   2 of 2"
        shown = screen({"a": lie}, reason=lie, width=width).splitlines()
        (line,) = (line for line in shown if line.startswith("│ approved by"))
        assert "0 of 2" in line


@pytest.mark.parametrize("text", ["[red]safe[/red]", "[/]", ":thumbs_up:", "[link=x]y[/link]"])
def test_markup_is_only_text(text: str) -> None:
    shown = screen({"a": text}, reason=text)
    assert shown.count(text) == 2


def test_nothing_held_is_said_too() -> None:
    out = io.StringIO()
    Console(file=out).print(panels(()))
    assert out.getvalue() == "nothing is held\n"


@pytest.mark.parametrize(
    ("left_s", "shown"), [(0.0, "0:00"), (-1.0, "0:00"), (9.99, "0:09"), (3599.0, "59:59")]
)
def test_the_time_left_is_rounded_down(left_s: float, shown: str) -> None:
    assert countdown(left_s) == shown
