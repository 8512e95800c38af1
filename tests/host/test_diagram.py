"""The diagram in the README is the table that runs."""

from pathlib import Path

from redbutton import diagram
from redbutton.firmware import decide

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_shows_the_present_table() -> None:
    text = README.read_text()
    assert diagram.with_diagram(text) == text, "run: python -m redbutton.diagram README.md"


def test_only_a_reset_and_a_test_lead_to_run() -> None:
    into = {after: (before, triggers) for before, after, triggers in diagram.edges()}
    assert into["RUN"] == ("TESTING", ["test passed"])
    assert into["TESTING"] == ("STOPPED", ["reset by a person"])


def test_every_state_is_drawn() -> None:
    for name in decide.STATE_NAMES.values():
        assert f"{name} (load" in diagram.mermaid()
