"""What is generated from the source and committed is not stale, and says what the source says."""

import csv
import io

import bom
import fmea
import pinmap
import pytest
import source

CIRCUIT = source.load()


@pytest.mark.parametrize(
    ("path", "text", "command"),
    [
        (pinmap.PINS, pinmap.module(CIRCUIT), "python hardware/pinmap.py"),
        (source.GENERATED / "bom.csv", bom.table(CIRCUIT), "python hardware/bom.py"),
    ],
    ids=["pins.py", "bom.csv"],
)
def test_generated_files_are_fresh(path, text: str, command: str) -> None:  # type: ignore[no-untyped-def]
    assert path.read_text(encoding="utf-8") == text, f"stale: run {command}"


def test_the_fault_table_has_one_line_for_each_fault_of_the_source() -> None:
    with (source.GENERATED / "fmea.csv").open(encoding="utf-8") as file:
        rows = [(row["ref"], row["fault"]) for row in csv.DictReader(file)]
    expected = [(fault.ref, fault.what) for fault in fmea.faults(CIRCUIT)]
    assert rows == expected, "stale: run python hardware/fmea.py"
    assert len(set(expected)) == len(expected)


def test_every_part_and_connector_is_in_the_bill_of_materials_once() -> None:
    rows = list(csv.DictReader(io.StringIO(bom.table(CIRCUIT))))
    refs = [ref for row in rows for ref in row["refs"].split()]
    assert sorted(refs) == sorted([*CIRCUIT.parts, *CIRCUIT.connectors])
    assert all(int(row["quantity"]) == len(row["refs"].split()) for row in rows)
    numbers = [(row["manufacturer"], row["manufacturer number"]) for row in rows]
    assert len(set(numbers)) == len(numbers)


def test_the_committed_fault_table_holds_no_dangerous_and_no_unseen_fault() -> None:
    with (source.GENERATED / "fmea.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert not [row for row in rows if row["effect"] == "dangerous"]
    lost = [row for row in rows if row["effect"] == "channel lost"]
    assert lost
    assert not [row for row in lost if row["detected by"] == "nothing"]
