"""What is generated from the source and committed is not stale, and says what the source says."""

import csv
import io
from pathlib import Path

import bom
import fmea
import generate
import pytest
import source

from redbutton.firmware import decide, pins

CIRCUIT = source.load()
SLICE = 37  # one fault in so many is simulated anew


@pytest.fixture(scope="module")
def made(graphviz: None) -> dict[str, str]:
    """All generated files: path -> text."""
    del graphviz
    return generate.files(CIRCUIT)


def test_no_generated_file_is_stale(made: dict[str, str]) -> None:
    assert made
    assert not generate.stale(CIRCUIT), "run `make hardware`"


def test_a_file_that_was_changed_by_hand_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: dict[str, str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    for path, text in made.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    assert not generate.stale(CIRCUIT)
    (tmp_path / bom.PATH).write_text(made[bom.PATH].replace("Omron", "Omrom"), encoding="utf-8")
    assert generate.stale(CIRCUIT) == [bom.PATH]


def test_the_folder_of_generated_files_holds_nothing_else(made: dict[str, str]) -> None:
    slow = {fmea.FAULTS, fmea.DROP_OUT, fmea.CURVES}
    expected = {source.ROOT / path for path in made} | slow
    assert {path for path in source.GENERATED.iterdir()} <= expected


@pytest.mark.usefixtures("ngspice")
def test_the_committed_fault_table_is_what_the_simulation_says_now() -> None:
    analysis = fmea.Analysis(CIRCUIT)
    analysis.faults = analysis.faults[::SLICE]
    text = fmea.table(CIRCUIT, analysis.verdicts())
    committed = {(row["ref"], row["fault"]): row for row in _rows(fmea.FAULTS.read_text())}
    for row in _rows(text):
        old = committed[row["ref"], row["fault"]]
        for column, value in row.items():
            same = value == old[column] or abs(float(value) - float(old[column])) <= 0.2
            assert same, f"stale: run `make fmea` ({row['ref']} {row['fault']}: {column})"


@pytest.mark.usefixtures("ngspice")
def test_the_committed_drop_out_is_what_the_simulation_says_now() -> None:
    committed = {(r["demand"], r["relay"]): r for r in _rows(fmea.DROP_OUT.read_text())}
    for demand in fmea.demands(CIRCUIT):
        result = fmea.Analysis(CIRCUIT).run(demand, CIRCUIT.supply.nominal)
        for relay, released in result.release.items():
            assert released is not None
            nominal = float(committed[demand.name, relay]["nominal ms"])
            assert nominal == pytest.approx((released - demand.demand) * 1e3, abs=0.2)


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_fault_table_has_one_line_for_each_fault_of_the_source() -> None:
    with (source.GENERATED / "fmea.csv").open(encoding="utf-8") as file:
        rows = [(row["ref"], row["fault"]) for row in csv.DictReader(file)]
    expected = [(fault.ref, fault.what) for fault in fmea.faults(CIRCUIT)]
    assert rows == expected, "stale: run `make fmea`"
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


@pytest.mark.requirement("SR-02")
def test_the_inputs_lie_side_by_side_in_the_order_of_the_decisions_bits() -> None:
    """The board reads them with one register."""
    order = ("CONTACT_A", "CONTACT_B", "MIRROR_1", "MIRROR_2", "RESET", "KEY", "SUPPLY")
    bits = (*order[:4], "RESET_PRESSED", "KEY_MAINTENANCE", "SUPPLY")
    for pin, bit in zip(order, bits, strict=True):
        assert 1 << getattr(pins, pin) - pins.CONTACT_A == getattr(decide, bit)
