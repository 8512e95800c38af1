"""A slice of the proof in simulation; the whole of it is `python hardware/fmea.py`.

The check must also be able to fail: two circuits that are known to be bad are found bad by it.
"""

import fmea
import pytest
import source
import spice

pytestmark = pytest.mark.usefixtures("ngspice")

CIRCUIT = source.load()
CABLE = CIRCUIT.parts["S1"].connector


def verdict(ref: str, what: str, variant: str = "") -> fmea.Verdict:
    """The verdict on one fault, at the nominal supply."""
    analysis = fmea.Analysis(source.load(variant=variant), quick=True)
    (fault,) = [f for f in fmea.faults(analysis.circuit) if (f.ref, f.what) == (ref, what)]
    return analysis.verdict(fault)


@pytest.mark.requirement("SR-14")
def test_the_circuit_meets_its_limits_in_a_slice_of_the_faults(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert fmea.main(["--quick"]) == 0
    output = capsys.readouterr().out
    assert "dangerous: 0" in output
    assert "FAIL" not in output


def test_a_fuse_per_channel_is_found_dangerous(capsys: pytest.CaptureFixture[str]) -> None:
    assert fmea.main(["--quick", "--variant", "fuse-per-channel"]) == 1
    assert f"FAIL dangerous: 1; {CABLE} wires 2 and 3 touch" in capsys.readouterr().out


@pytest.mark.requirement("SR-14")
def test_a_hung_controller_drops_both_relays_within_10_ms_in_the_worst_corner() -> None:
    assert CIRCUIT.limits.drop_out == pytest.approx(10e-3)
    found = fmea.Analysis(CIRCUIT).drop_out()
    assert [(d.demand, d.relay) for d in found] == [
        (d.name, relay) for d in fmea.demands(CIRCUIT) for relay in ("K1", "K2")
    ]
    assert all(d.nominal < d.worst <= 10e-3 for d in found)


def test_plain_diodes_across_the_coils_are_found_slow() -> None:
    found = fmea.Analysis(source.load(variant="plain-diodes")).drop_out()
    assert {(one.demand, one.relay) for one in found if one.worst > CIRCUIT.limits.drop_out} == {
        (demand, relay)
        for relay in ("K1", "K2")
        for demand in ("button", "controller stops", "controller hangs")
    }


def test_the_12_v_variant_releases_in_time_and_pulls_in(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert fmea.main(["--quick", "--variant", "12V"]) == 0
    assert "FAIL" not in capsys.readouterr().out


@pytest.mark.requirement("SR-14")
@pytest.mark.parametrize("level", ["high", "low"])
def test_a_pin_that_is_stuck_never_pulls_in_k1(level: str) -> None:
    found = verdict("A1", f"K1 stuck {level}")
    assert found.effect == "does not run"


@pytest.mark.requirement("SR-14")
def test_a_hung_controller_drops_k1_within_20_ms_though_k2s_watchdog_has_failed() -> None:
    found = verdict("U3", "output stuck high")
    assert found.times["controller hangs", "K2"] == "HELD"
    assert float(found.times["controller hangs", "K1"]) < 20
    assert "start-up test" in found.detected


@pytest.mark.requirement("SR-14")
def test_the_watchdog_drops_k2_within_20_ms_though_k1s_pin_pulses_for_ever() -> None:
    found = verdict("A1", "K1 stuck toggling")
    assert found.times["controller hangs", "K1"] == "HELD"
    assert float(found.times["controller hangs", "K2"]) < 20
    assert "start-up test" in found.detected


@pytest.mark.requirement("SR-14")
def test_the_latch_stays_off_when_the_feed_comes_back() -> None:
    """Until K2's pin rises again: step 4 of the start-up test."""
    found = verdict("A2", "link lost")
    assert (found.effect, found.detected) == ("none", "")
    broken = verdict("U3", "does not latch")
    assert (broken.lost, broken.detected) == ("K2 (step 4)", "start-up test")


def test_the_button_drops_both_relays_though_every_pin_drives_on() -> None:
    result = spice.run(CIRCUIT, fmea.demands(CIRCUIT)[0], CIRCUIT.supply.nominal)
    assert result.load == [True, False]
    for relay in ("K1", "K2"):
        release = result.release[relay]
        assert release is not None
        assert release - fmea.DEMAND < CIRCUIT.limits.drop_out
    assert not result.reads[1]["CONTACT_A"]
    assert not result.reads[1]["CONTACT_B"]
    assert result.reads[1]["MIRROR_1"]
    assert result.reads[1]["MIRROR_2"]


@pytest.mark.parametrize("contact", ["A", "B"])
def test_a_bridged_button_contact_costs_one_channel_and_is_seen(contact: str) -> None:
    found = verdict("S1", f"contact {contact} bridged")
    assert found.lost == {"A": "K1 (button)", "B": "K2 (button)"}[contact]
    assert "discrepancy" in found.detected


def test_a_short_in_the_buttons_cable_between_the_channels_blows_the_common_fuse() -> None:
    found = verdict(CABLE, "wires 2 and 3 touch")
    assert found.effect == "does not run"
    assert "fuse" in found.detected


@pytest.mark.parametrize("wires", ["1 and 2", "3 and 4"])
def test_a_bypassed_output_is_seen_by_a_contactors_mirror_contact(wires: str) -> None:
    found = verdict("X5", f"wires {wires} touch")
    assert found.effect == "channel lost"
    assert found.detected == "start-up test"


@pytest.mark.parametrize("relay", ["K1", "K2"])
def test_a_welded_relay_is_seen_by_its_mirror_contact(relay: str) -> None:
    assert "mirror contact" in verdict(relay, "welded").detected


def test_every_part_cable_and_pin_has_faults() -> None:
    refs = {fault.ref for fault in fmea.faults(CIRCUIT)}
    assert refs == {*CIRCUIT.parts, *CIRCUIT.connectors}
    names = {fault.what for fault in fmea.faults(CIRCUIT) if fault.ref == "A1"}
    assert {f"{pin} stuck {how}" for pin in CIRCUIT.pins for how in fmea.STATES} <= names


def test_a_run_is_the_same_every_time() -> None:
    scenario = fmea.demands(CIRCUIT)[1]
    first = spice.run(CIRCUIT, scenario, 24.0)
    spice._ngspice.cache_clear()
    assert spice.run(CIRCUIT, scenario, 24.0) == first


def test_without_ngspice_the_command_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    spice._ngspice.cache_clear()
    assert fmea.main(["--quick"]) == 2
    assert "apt-get install ngspice" in capsys.readouterr().err
