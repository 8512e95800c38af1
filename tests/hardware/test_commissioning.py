"""The commissioning list expects what the source says."""

import re

import commissioning
import source

CIRCUIT = source.load()
TEXT = commissioning.files(CIRCUIT)[commissioning.PATH]


def test_the_coils_are_expected_within_their_tolerance() -> None:
    assert "1,360 to 1,840 ohm" in TEXT


def test_a_changed_supply_changes_the_readings() -> None:
    twelve = commissioning.files(source.load(variant="12V"))[commissioning.PATH]
    assert "10.2 V to 13.2 V" in twelve
    assert "340 to 460 ohm" in twelve


def test_contacts_of_the_button_are_measured_at_its_own_plug() -> None:
    poles = {
        f"{CIRCUIT.parts['S1'].connector}.{number}"
        for number in CIRCUIT.connectors[CIRCUIT.parts["S1"].connector].pins
    }
    assert {
        commissioning.terminal(CIRCUIT, "S1", name) for name in ("A1", "A2", "B1", "B2")
    } == poles


def test_the_steps_are_numbered_without_gaps() -> None:
    numbers = [int(n) for n in re.findall(r"(?m)^\| (\d+) \|", TEXT)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_commands_name_in_the_list_exists() -> None:
    from redbutton import cli

    known = {command.name or command.callback.__name__ for command in cli.app.registered_commands}  # type: ignore[union-attr]
    assert set(re.findall(r"`redbutton (\w+)", TEXT)) <= known


def test_the_proof_test_covers_button_mirrors_reset_and_heartbeat() -> None:
    steps = [line for line in TEXT.splitlines() if line.endswith("| ● |")]
    for word in ("button pressed", "Plug of X6", "reset", "redbutton run", "mirror contact"):
        assert any(word in step for step in steps), word
