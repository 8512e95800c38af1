"""The diagram in the README is the table that runs."""

from pathlib import Path

from redbutton import diagram
from redbutton.firmware import decide

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_shows_the_present_table() -> None:
    text = README.read_text()
    assert diagram.with_diagram(text) == text, "run: python -m redbutton.diagram README.md"


def test_only_a_reset_leads_to_run() -> None:
    into_run = [triggers for _, after, triggers in diagram.edges() if after == "RUN"]
    assert into_run == [["reset by a person"]]


def test_every_state_is_drawn() -> None:
    for name in decide.STATE_NAMES.values():
        assert f"{name} (load" in diagram.mermaid()
