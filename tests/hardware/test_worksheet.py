"""The worksheet computes what ISO 13849-1's formulae give, and claims no more."""

import pytest
import source
import template
import worksheet

CIRCUIT = source.load()
TABLE = template.read_table("fmea.csv")
DROP_OUT = template.read_table("drop-out.csv")


def block(mttfd: float, coverage: float = 0.0) -> worksheet.Block:
    return worksheet.Block("X", mttfd, coverage, "", "")


def result(
    first: list[worksheet.Block], second: list[worksheet.Block], category: str = "3"
) -> worksheet.Result:
    function = CIRCUIT.safety.functions[0].model_copy(update={"category": category})
    return worksheet.Result(function, {"K1": first, "K2": second})


def test_mttfd_of_a_channel_is_the_parts_count_and_at_most_100_years() -> None:
    found = result([block(40), block(40)], [block(1000)])
    assert found.mttfd("K1") == pytest.approx(20)
    assert found.mttfd("K2") == 100


def test_two_channels_are_symmetrised() -> None:
    """ISO 13849-1 annex D.2: 3 and 100 years give 66 years."""
    assert result([block(3)], [block(100)]).symmetrised == pytest.approx(66, abs=1)


def test_dcavg_weighs_with_the_failure_rate() -> None:
    found = result([block(10, 0.99)], [block(90, 0.0)])
    assert found.coverage == pytest.approx(0.99 * 0.9)


@pytest.mark.parametrize(
    ("category", "years", "coverage", "level"),
    [
        ("1", 50, 0.0, "c"),
        ("2", 50, 0.7, "c"),
        ("2", 50, 0.95, "d"),
        ("3", 5, 0.7, "b"),
        ("3", 20, 0.7, "c"),
        ("3", 50, 0.7, "d"),
        ("3", 20, 0.95, "d"),
        ("3", 50, 0.3, "-"),
        ("2", 50, 0.3, "-"),
    ],
)
def test_the_level_is_that_of_the_simplified_table(
    category: str, years: float, coverage: float, level: str
) -> None:
    blocks = [block(years, coverage)]
    assert result(blocks, blocks, category).level == level


def test_mttfd_of_worn_parts_follows_from_b10d_and_use() -> None:
    """n_op = 220 d x 8 h x 3600 s / 900 s = 7040; MTTFd = B10d / (0.1 n_op)."""
    assert worksheet.operations(CIRCUIT, "contactor") == pytest.approx(7040)
    blocks = worksheet.results(CIRCUIT, TABLE)[0].channels["K1"]
    (contactor,) = [b for b in blocks if b.ref == "KM1"]
    assert contactor.mttfd == pytest.approx(1.3e6 / 704)
    assert contactor.t10d == pytest.approx(1.3e6 / 7040)


def test_the_button_needs_no_electronics() -> None:
    found = worksheet.results(CIRCUIT, TABLE)[0]
    refs = {relay: {b.ref for b in blocks} for relay, blocks in found.channels.items()}
    assert refs == {"K1": {"S1", "K1", "KM1"}, "K2": {"S1", "K2", "KM2"}}


def test_a_fault_that_nothing_detects_lowers_the_coverage() -> None:
    table = [dict(row) for row in TABLE]
    for row in table:
        if (row["ref"], row["fault"]) == ("S1", "contact A bridged"):
            row["detected by"] = "nothing"
    before, after = (worksheet.results(CIRCUIT, t)[0].coverage for t in (TABLE, table))
    assert after < before


def test_a_part_without_reliability_that_can_cost_a_channel_is_one_clear_error() -> None:
    circuit = CIRCUIT.model_copy(deep=True)
    circuit.articles["button"].reliability = None
    with pytest.raises(source.SourceError, match="S1: no reliability"):
        worksheet.results(circuit, TABLE)


def test_no_level_is_claimed_for_what_hangs_on_software() -> None:
    found = worksheet.results(CIRCUIT, TABLE)
    assert [r.level_without_diagnosis for r in found] == ["PL c", "none", "none"]
    assert all(r.function.no_claim for r in found)


def test_the_points_are_those_of_the_standard_and_do_not_suffice_without_the_lab() -> None:
    """Table F.1: 15, 20, 15, 5, 5, 5, 25, 10."""
    assert sorted(m.score for m in CIRCUIT.safety.common_cause) == [5, 5, 5, 10, 15, 15, 20, 25]
    assert worksheet.points(CIRCUIT, "yes") < worksheet.ENOUGH
    assert worksheet.points(CIRCUIT, "yes", "lab") >= worksheet.ENOUGH


def test_the_stopping_time_counts_heartbeat_drop_out_armature_and_contactor() -> None:
    times = {t.demand: t for t in worksheet.stopping_times(CIRCUIT, DROP_OUT)}
    timeout = CIRCUIT.safety.stopping.heartbeat_timeout.time
    firmware = (source.ROOT / "firmware" / "settings.py").read_text(encoding="utf-8")
    assert f"HEARTBEAT_TIMEOUT_MS = {timeout * 1e3:.0f}\n" in firmware
    lost = times["heartbeat lost"]
    assert lost.total == lost.before + lost.drop_out + lost.after
    assert lost.before > timeout
    worst = max(float(r["worst corner ms"]) for r in DROP_OUT if r["demand"] == "button")
    assert times["button"].drop_out * 1e3 == pytest.approx(worst)


def test_every_means_of_detection_in_the_fault_table_has_a_coverage() -> None:
    means = {by for row in TABLE for by in row["detected by"].split("; ")}
    costly = {
        by
        for row in TABLE
        if row["effect"] == "channel lost"
        for by in row["detected by"].split("; ")
    }
    assert costly <= set(CIRCUIT.safety.coverage)
    assert set(CIRCUIT.safety.coverage) <= means
