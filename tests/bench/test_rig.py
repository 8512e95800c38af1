"""Runs and selftests on a controller with a probe, both virtual, both with their real firmware.

Everything is real but the pins: two MicroPython interpreters, two pseudo-terminals, the host in a
process of its own. Times are the plant's own, so that a busy machine changes none of the figures.
"""

import signal

import pytest
from virtual_rig import Bench, slow_host_killed

from redbutton.bench.probe import Edge, Trace
from redbutton.bench.real import RealRig, run
from redbutton.bench.run import Outcome, Plan, Result, parse
from redbutton.bench.scenario import Scenario, Settings, shipped
from redbutton.bench.selftest import Examiner, diagnosis, selftest
from redbutton.errors import CannotCause, RigFailed

PATIENT = Settings(heartbeat_timeout_ms=500)  # for a machine that others use too
ATTEMPTS = 3


def patient(name: str) -> Scenario:
    """A scenario for a controller that waits longer for a heartbeat: everything else is late."""
    return shipped()[name].model_copy(update={"settings": PATIENT})


def carried_out(rig: RealRig, run_id: str) -> tuple[Result, list[str]]:
    """A run, again if this machine was too busy to make it; and the signals of its trace."""
    plan = parse(run_id)
    for again in range(ATTEMPTS):
        try:
            result, trace = run(rig, patient(plan.scenario), plan)
        except RigFailed:
            if again == ATTEMPTS - 1:
                raise
            continue
        if result.words.startswith("the load is not on from 0") and again < ATTEMPTS - 1:
            continue
        return result, [moment.signal for moment in trace]
    raise AssertionError


# --- runs


@pytest.mark.requirement("SR-01", "SR-02", "SR-05", "SR-07")
def test_a_press_stops_in_time_as_the_probe_times_the_load(rig: RealRig) -> None:
    result, signals = carried_out(rig, "button:none:1")
    assert (result.outcome, result.words) == (Outcome.IN_TIME, "as it should be")
    assert result.clock == "real"
    assert result.stop_ms is not None and 3.4 <= result.stop_ms <= 10  # modelled relays: 3.5
    assert {"load", "contact_a", "k1_pulses", "k2_pin", "mirror_1", "state"} <= set(signals)


@pytest.mark.requirement("SR-11")
def test_the_same_run_with_a_fault_is_judged_like_a_virtual_one(rig: RealRig) -> None:
    result, _ = carried_out(rig, "button:contact_a.stuck-closed@150:1")
    assert result.outcome is Outcome.AT_NEXT
    assert result.stop_ms is not None and result.stop_ms <= 20


@pytest.mark.requirement("SR-04", "SR-20")
def test_a_host_that_is_killed_for_real_stops_the_load(rig: RealRig) -> None:
    host = rig.host
    result, _ = run(rig, slow_host_killed(), Plan(scenario="slow-host-killed"))
    assert result.outcome is Outcome.IN_TIME
    assert result.stop_ms is not None and 0 < result.stop_ms <= 550
    assert host._process.wait(5) == -signal.SIGKILL


def test_a_load_that_stays_on_is_seen_by_the_probe_whatever_the_controller_says(
    bench: Bench, rig: RealRig
) -> None:
    """Both relays weld in the plant: the verdict is the load's."""
    rig.to_run()
    for number in "12":
        bench.board.act(f"stick:relay_{number}", 1)
    try:
        scenario = patient("button").model_copy(update={"start": "stopped"})
        assert rig.probe
        rig.probe.arm()
        rig.set(contact_a="open", contact_b="open")
        rig.wait(0.4)
        trace = rig.probe.read()
        assert trace.edge("contact_a", 0, 0) and trace.edge("load", 0, 0) is None
        assert scenario.expect
    finally:
        for number in "12":
            bench.board.act(f"stick:relay_{number}", -1)


@pytest.mark.parametrize(
    ("run_id", "what"),
    [
        ("button:memory.decide.state.0@5:1", "neither the probe nor software"),
        ("button:clock.at-900-permille@5:1", "neither the probe nor software"),
        ("button:relay_1.stuck-closed@5:1", "the contact of K1 is welded"),
        ("button:contact_a.pin-low@5:1", "contact a"),
    ],
)
def test_what_cannot_be_caused_is_refused_in_one_line(
    rig: RealRig, run_id: str, what: str
) -> None:
    plan = parse(run_id)
    with pytest.raises(CannotCause, match=what) as error:
        run(rig, patient(plan.scenario), plan)
    assert "\n" not in str(error.value)


def test_a_controller_that_is_provisioned_otherwise_is_refused(rig: RealRig) -> None:
    with pytest.raises(CannotCause, match="heartbeat_timeout_ms 100, this one has 500"):
        run(rig, shipped()["button"], Plan(scenario="button"))


# --- the selftest


@pytest.mark.parametrize(
    ("fault", "wires"),
    [
        ("short sense.load", {"sense.load"}),
        ("cross switch.contact_a switch.contact_b", {"switch.contact_a", "switch.contact_b"}),
        ("cut sense.load", {"sense.load"}),
    ],
)
def test_each_wire_that_is_wrong_is_found_and_named(
    bench: Bench, rig: RealRig, fault: str, wires: set[str]
) -> None:
    assert rig.probe
    bench.wired.wire(fault.split())
    try:
        found = selftest(rig, rig.probe)
    finally:
        bench.wired.wire(["mend"])
    named = {wire_ for check in found.wrong for wire_ in check.wires}
    assert named == wires
    for wire_ in wires:
        assert wire_.partition(".")[2] in " ".join(check.words for check in found.wrong)


@pytest.mark.parametrize(
    ("senses", "contacts", "wires"),
    [
        (["reset"], ["reset"], ["switch.reset"]),
        (["reset", "key"], ["reset", "key"], ["switch.reset", "switch.key"]),
        (["reset"], [], ["sense.reset"]),
        (["reset", "mirror_1"], [], ["sense.reset", "sense.mirror_1"]),
        ([], ["reset"], ["switch.reset"]),
        (["key"], ["key"], ["switch.reset", "switch.key"]),
        (["load"], [], ["switch.reset", "sense.load"]),
    ],
)
def test_what_follows_a_switch_and_what_does_not_tells_the_wire(
    senses: list[str], contacts: list[str], wires: list[str]
) -> None:
    """Senses and contacts that are not as they should be, after the reset's switch was closed."""
    words, *named = diagnosis("reset", senses, contacts)
    assert named == wires
    assert "reset (X3" in words


def start_up(**early: int) -> Trace:
    """As a start-up looks to the probe: K2 alone, K1 alone, both. `early`: levels all along."""
    rest = {"mirror_1": 1, "mirror_2": 1, "k1_pulses": 0, "k2": 0, "load": 0} | early
    us = 0
    edges = []
    for changes in (
        {"k2": 1}, {"mirror_2": 0}, {"k2": 0}, {"mirror_2": 1},
        {"k1_pulses": 1}, {"mirror_1": 0}, {"k1_pulses": 0}, {"mirror_1": 1},
        {"k1_pulses": 1}, {"k2": 1}, {"mirror_1": 0}, {"mirror_2": 0}, {"load": 1},
    ):  # fmt: skip
        us += 10_000
        edges += [(us, name, value) for name, value in changes.items() if name not in early]
    return Trace(rest, tuple(Edge(*edge) for edge in edges))


def test_the_senses_of_drives_and_load_are_judged_by_a_start_up() -> None:
    assert list(Examiner._drives(start_up())) == []
    assert [name for name, _ in Examiner._drives(start_up(load=1))] == ["load"]
    assert [name for name, _ in Examiner._drives(start_up(k2=0))] == ["k2"]
    swap = {"k1_pulses": "k2", "k2": "k1_pulses"}
    crossed = tuple(
        edge._replace(sense=swap.get(edge.sense, edge.sense)) for edge in start_up().edges
    )
    found = list(Examiner._drives(start_up()._replace(edges=crossed)))
    assert [name for name, _ in found] == ["k1_pulses", "k2"]
    assert all("crossed" in words for _, words in found)
