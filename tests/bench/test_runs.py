"""Runs on the bench: the load decides, and the same run is the same every time."""

import csv
import os
import signal
from pathlib import Path

import pytest

from redbutton.bench import rig
from redbutton.bench.campaign import MEMORY_SCENARIO, MEMORY_STATES
from redbutton.bench.faults import CIRCUIT, FAULTS
from redbutton.bench.rig import Rig
from redbutton.bench.run import FROM_POWER_UP, KEY, Outcome, Placed, Plan, parse, run
from redbutton.bench.scenario import Scenario, shipped
from redbutton.errors import RigFailed
from redbutton.model import State

SCENARIOS = shipped()
BUTTON = SCENARIOS["button"]


def outcome(fault: str, at: int = FROM_POWER_UP, scenario: Scenario = BUTTON) -> Outcome:
    """Of one fault that stays."""
    placed = Placed(fault=fault, at=at)
    return run(scenario, Plan(scenario=scenario.name, faults=(placed,)))[0].outcome


@pytest.mark.requirement("SR-01", "SR-02", "SR-04", "SR-05", "SR-07", "SR-08", "SR-09")
@pytest.mark.parametrize("name", SCENARIOS)
def test_without_a_fault_the_load_does_what_is_expected(name: str) -> None:
    result, _ = run(SCENARIOS[name], Plan(scenario=name))
    assert (result.outcome, result.words) == (Outcome.IN_TIME, "as it should be")


def test_a_run_is_the_same_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether each ms is looked at, or those in which nothing can happen are left out."""
    plan = parse("button:link.corruption@40+chip.hang-2-ms@299:7")
    first, trace = run(BUTTON, plan)
    monkeypatch.setattr(rig, "QUIET_MS", 1)
    second, again = run(BUTTON, plan)
    assert trace == again
    assert first.digest == second.digest
    assert run(BUTTON, plan.model_copy(update={"seed": 8}))[0].digest != first.digest


def test_a_run_is_named_by_all_that_determines_it() -> None:
    text = "button:link.loss@299..40+memory.decide.state.3@-1:12"
    assert parse(text).id == text


@pytest.mark.requirement("SR-11", "SR-12", "SR-13")
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("relay_1.stuck-closed", Outcome.AT_NEXT),
        ("relay_2.stuck-closed", Outcome.AT_NEXT),
        ("drive_1.stuck-closed", Outcome.AT_NEXT),
        ("contact_a.pin-high", Outcome.AT_NEXT),
        ("mirror_2.stuck-closed", Outcome.IN_TIME),
        ("chip.watchdog-dead", Outcome.LATENT),
    ],
)
def test_what_a_fault_leads_to_is_read_from_the_load(fault: str, expected: Outcome) -> None:
    assert outcome(fault, 150) is expected


@pytest.mark.requirement("SR-02")
def test_an_interrupt_that_never_was_there_is_found_at_power_up() -> None:
    """The fault is older than the firmware's handler."""
    result, _ = run(BUTTON, parse("button:contact_a.interrupt-lost@-1:1"))
    assert result.words == "the load is not on from 0 to 300 ms"


@pytest.mark.requirement("SR-14")
@pytest.mark.parametrize("fault", ["chip.hangs", "chip.hangs-without-watchdog"])
def test_a_chip_that_hangs_stops_the_robot(fault: str) -> None:
    result, _ = run(BUTTON, Plan(scenario="button", faults=(Placed(fault=fault, at=100),)))
    assert result.outcome is Outcome.IN_TIME
    assert result.words.startswith("the load is not on from 0")


@pytest.mark.parametrize(
    "run_id", ["button:memory.decide.nosuch.0@5:1", "button:memory.nosuch.state.0@5:1"]
)
def test_a_model_that_fails_shows_nothing_and_says_so(run_id: str) -> None:
    with pytest.raises(RigFailed, match="nosuch"):
        run(BUTTON, parse(run_id))


def test_an_interpreter_that_ends_is_no_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    act = Rig.act

    def killed(rig: Rig, name: str, value: int, offset_us: int = 0) -> None:
        if name == "stick:supply":
            os.kill(rig.board.pid, signal.SIGKILL)
        act(rig, name, value, offset_us)

    monkeypatch.setattr(Rig, "act", killed)
    with pytest.raises(RigFailed, match=r"button:supply\.lost@100:1"):
        run(BUTTON, parse("button:supply.lost@100:1"))


def test_garbage_at_the_prompt_in_maintenance_ends_nothing() -> None:
    result, _ = run(SCENARIOS["maintenance"], parse("maintenance:link.flood@-1:1"))
    assert result.outcome is Outcome.IN_TIME


def test_what_the_circuits_own_table_counts_is_quoted_rightly() -> None:
    table = Path(__file__).parents[2] / "hardware/generated/fmea.csv"
    rows = list(csv.DictReader(table.read_text().splitlines()))
    lost = [row for row in rows if row["channel lost"]]
    assert {
        "faults": len(rows),
        "dangerous": sum(row["effect"] == "dangerous" for row in rows),
        "one channel": len(lost),
        "of them unnoticed": sum(row["detected by"] == "nothing" for row in lost),
    } == CIRCUIT


def test_both_relays_welded_are_dangerous() -> None:
    """Two faults at once, so that it is seen that the bench finds danger at all."""
    faults = tuple(Placed(fault=f"relay_{n}.stuck-closed", at=150) for n in "12")
    result, _ = run(BUTTON, Plan(scenario="button", faults=faults))
    assert result.outcome is Outcome.DANGEROUS


def test_bits_flip_in_the_states_that_the_campaign_names() -> None:
    _, trace = run(SCENARIOS[MEMORY_SCENARIO], Plan(scenario=MEMORY_SCENARIO))
    told = [(one.us / 1000, one.value) for one in trace if one.signal == "state"]
    for state, (since, until) in MEMORY_STATES.items():
        during = [value for ms, value in told if ms <= since][-1:] or [State.STOPPED.value]
        during += [value for ms, value in told if since < ms < until]
        assert during == [state.value]


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_acts_on_something(name: str) -> None:
    """A fault that the model does not know would look harmless."""
    with Rig(KEY, 1) as rig:
        rig.step(10)
        for act in (*FAULTS[name].begins, *FAULTS[name].ends):
            rig.act(act.name, act.value)
            rig.step(2)
        assert rig.board.errors == []
