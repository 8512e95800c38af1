"""Latencies of stops: what they are made of, that they repeat, and that none is made up."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from command_line import redbutton
from typer.testing import CliRunner

from redbutton.bench import latency
from redbutton.bench.bench_cli import bench_app
from redbutton.bench.latency import STAGES, Clock, Figures, Kind, Stop, figures
from redbutton.bench.latency_report import document, picture
from redbutton.bench.quantile import quantile
from redbutton.errors import FoundDangerous, NoContact
from redbutton.virtual.board import FIRMWARE, Change

N = 6
SEED = "1 0"
TIMEOUT_US = 100_000  # of the heartbeat, the default
TICK_US = 1000
DROP_OUT_US = 3500  # of the relays in the model
STOP_MOST_US = 20_000

Stops = dict[Kind, list[Stop]]


@pytest.fixture(scope="module")
def stops() -> Stops:
    """Some of each kind, in virtual time."""
    return {kind: latency.chunk(kind, N, SEED) for kind in Kind}


@pytest.fixture(scope="module")
def found(stops: Stops) -> list[Figures]:
    """Their figures."""
    return [figures(kind, Clock.VIRTUAL, several) for kind, several in stops.items()]


@pytest.fixture
def deaf(tmp_path: Path) -> tuple[Path, ...]:
    """Firmware that runs on, whatever happens."""
    patch = tmp_path / "patch"
    patch.mkdir()
    source = (FIRMWARE / "decide.py").read_text()
    stops = "if found and not delayed:"
    assert stops in source
    changed = source.replace(stops, "if found and not delayed and self.state != RUN:")
    (patch / "decide.py").write_text(changed)
    return patch, FIRMWARE


# --- stops


def totals(stops: list[Stop]) -> list[int]:
    """Of stops that all stopped."""
    assert all(stop.total_us is not None for stop in stops)
    return [stop.total_us or 0 for stop in stops]


@pytest.mark.requirement("SR-02", "SR-05")
def test_every_press_of_the_button_stops_in_20_ms(stops: Stops) -> None:
    assert all(DROP_OUT_US <= us <= STOP_MOST_US for us in totals(stops[Kind.BUTTON]))


@pytest.mark.requirement("SR-04")
def test_a_lost_heartbeat_stops_within_timeout_tick_and_drop_out(stops: Stops) -> None:
    most = TIMEOUT_US + TICK_US + DROP_OUT_US
    assert all(0 < us <= most for us in totals(stops[Kind.HEARTBEAT]))
    assert all(
        TIMEOUT_US <= stop.stages_us[0] <= TIMEOUT_US + TICK_US for stop in stops[Kind.HEARTBEAT]
    )


@pytest.mark.requirement("SR-06")
def test_every_request_stops_in_20_ms(stops: Stops) -> None:
    assert all(DROP_OUT_US <= us <= STOP_MOST_US for us in totals(stops[Kind.REQUEST]))


@pytest.mark.parametrize("kind", Kind)
def test_stages_add_up(stops: Stops, kind: Kind) -> None:
    for stop in stops[kind]:
        assert len(stop.stages_us) == len(STAGES[kind])
        assert sum(stop.stages_us) == stop.total_us
    one = figures(kind, Clock.VIRTUAL, stops[kind])
    assert sum(share.mean_ms for share in one.budget) == pytest.approx(one.mean_ms, abs=1e-4)
    assert sum(share.in_slowest_ms for share in one.budget) == pytest.approx(one.max_ms)


@pytest.mark.parametrize("kind", [Kind.HEARTBEAT, Kind.REQUEST])
def test_the_controllers_clock_and_the_plants_say_the_same(stops: Stops, kind: Kind) -> None:
    """The decision is timed by the controller, its outputs by the model of the plant."""
    driven = STAGES[kind].index(latency.OUTPUTS)
    assert [stop.stages_us[driven] for stop in stops[kind]] == [0] * N


def test_the_same_seed_gives_the_same_and_another_does_not(stops: Stops) -> None:
    assert latency.chunk(Kind.REQUEST, N, SEED) == stops[Kind.REQUEST]
    assert latency.chunk(Kind.REQUEST, N, "2 0") != stops[Kind.REQUEST]


def test_stops_are_demanded_at_any_moment_of_a_tick(stops: Stops) -> None:
    moments = {us % TICK_US for us in totals(stops[Kind.REQUEST])}
    assert len(moments) == N
    assert max(moments) - min(moments) > TICK_US / 4


def test_how_many_processes_there_are_changes_nothing() -> None:
    one, several = (list(latency.virtual(2, 1, workers=workers)) for workers in (1, 3))
    assert one == several
    assert [kind for kind, _ in one] == [kind for kind in Kind for _ in range(2)]


@pytest.mark.parametrize("kind", [Kind.HEARTBEAT, Kind.REQUEST])
def test_a_load_that_stays_on_is_no_number(kind: Kind, deaf: tuple[Path, ...]) -> None:
    stops = latency.chunk(kind, 2, SEED, deaf)
    assert stops == [Stop(total_us=None)] * 2
    one = figures(kind, Clock.VIRTUAL, stops)
    assert (one.n, one.stayed_on, one.max_ms, one.values_ms) == (0, 2, None, ())


def test_the_button_stops_even_firmware_that_runs_on(deaf: tuple[Path, ...]) -> None:
    assert max(totals(latency.chunk(Kind.BUTTON, 2, SEED, deaf))) <= STOP_MOST_US


@pytest.mark.timeout(300)
def test_the_real_chain_is_measured_too() -> None:
    stops = [(kind, stop) for kind, stop in latency.real(1, 1) if stop is not None]
    assert [kind for kind, _ in stops] == list(Kind)
    for _, stop in stops:
        assert stop.total_us is not None
        assert stop.total_us >= DROP_OUT_US  # no bound above: that is up to this computer
        assert stop.stages_us == ()


@pytest.mark.parametrize(
    ("coil_s", "load_s", "expected"),
    [
        (10.002, 10.006, 6000),
        (10.002, 10.004, 5500),  # a late board made up for it: the model's 3.5 ms count
        (9.999, 10.003, None),  # under way before it was demanded
    ],
)
def test_real_stops_are_never_faster_than_the_model(
    coil_s: float, load_s: float, expected: int | None
) -> None:
    changes = [
        Change(7000, 10.001, "k2_pin", 0),
        Change(7000, coil_s, "coil_2", 0),
        Change(10500, load_s, "relay_2", 0),
        Change(10500, load_s, "load", 0),
        Change(11000, load_s, "coil_1", 0),
    ]
    assert latency.real_total_us(10.0, changes) == expected
    assert latency.real_total_us(10.0, changes[2:]) is None


# --- figures


@pytest.mark.parametrize(
    ("values", "q", "expected"),
    [
        (range(1, 101), 0.5, 50),
        (range(1, 101), 0.99, 99),
        (range(1, 101), 1.0, 100),
        (range(1, 1001), 0.99, 990),
        ([1, 2, 3, 4], 0.5, 2),
        ([1, 2, 3], 0.5, 2),
        ([1, 2, 3], 0.99, 3),
        ([7], 0.0, 7),
    ],
)
def test_quantiles_are_the_nearest_rank(values: list[float], q: float, expected: float) -> None:
    assert quantile(list(values), q) == expected


def test_figures_count_what_stopped_and_what_did_not() -> None:
    stops = [Stop(total_us=us) for us in (4000, 3500, 9000)] + [Stop(total_us=None)]
    one = figures(Kind.BUTTON, Clock.REAL, stops)
    assert (one.n, one.stayed_on) == (3, 1)
    assert (one.p50_ms, one.p99_ms, one.max_ms, one.mean_ms) == (4.0, 9.0, 9.0, 5.5)


def test_a_histogram_holds_every_value() -> None:
    bars = latency.histogram([1.0, 1.1, 2.0, 3.0], 4)
    assert [n for _, _, n in bars] == [2, 0, 1, 1]
    assert (bars[0][0], bars[-1][1]) == (1.0, 3.0)
    assert latency.histogram([3.5, 3.5], 4) == [(3.5, 3.5, 2)]


def test_json_has_the_figures_and_what_they_are_compared_with(found: list[Figures]) -> None:
    told = json.loads(document(1, found, 0))
    for one in told["figures"]:
        assert one["n"] == N
        assert one["p50_ms"] <= one["p99_ms"] <= one["max_ms"]
        assert len(one["values_ms"]) == N
    assert all(other["source"] for several in told["published"].values() for other in several)
    assert "odelled" in told["notes"][0]


def test_the_picture_stands_alone(found: list[Figures]) -> None:
    drawn = picture([*found, figures(Kind.BUTTON, Clock.REAL, [Stop(total_us=None)])])
    words = "".join(ElementTree.fromstring(drawn).itertext())
    assert all(latency.WORDS[kind] in words for kind in Kind)
    assert "href" not in drawn


# --- the command


def test_the_command_writes_what_it_prints(tmp_path: Path) -> None:
    result = redbutton(
        *("bench", "latency", "--virtual", "--n", "2", "--json", "--out", str(tmp_path)),
        timeout=100,
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "latency.json").read_text() == result.stdout
    assert [one["n"] for one in json.loads(result.stdout)["figures"]] == [2, 2, 2]
    assert (tmp_path / "latency.svg").read_text().startswith("<svg")


def given(monkeypatch: pytest.MonkeyPatch, end: BaseException | None) -> None:
    """Two stops, one of which never came; and then an end."""

    def virtual(count: int, seed: int) -> Iterator[tuple[Kind, Stop]]:
        yield Kind.BUTTON, Stop(total_us=3500, stages_us=(0, 0, 3500, 0))
        if end is None:
            yield Kind.BUTTON, Stop(total_us=None)
        else:
            raise end

    monkeypatch.setattr(latency, "virtual", virtual)


@pytest.mark.parametrize("end", [KeyboardInterrupt(), NoContact("gone")])
def test_what_was_measured_is_reported_whatever_ended_it(
    monkeypatch: pytest.MonkeyPatch, end: BaseException
) -> None:
    given(monkeypatch, end)
    result = CliRunner().invoke(bench_app, ["latency", "--virtual"], standalone_mode=False)
    assert result.exception is end or isinstance(end, KeyboardInterrupt)
    row = next(line for line in result.stdout.splitlines() if "button pressed" in line)
    assert row.replace("│", " ").split()[-6:] == ["virtual", "1", "3.5", "3.5", "3.5", "0"]


def test_a_load_that_stays_on_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, None)
    result = CliRunner().invoke(bench_app, ["latency", "--virtual"], standalone_mode=False)
    assert isinstance(result.exception, FoundDangerous)
    assert "stayed on after 1" in str(result.exception)
    assert "\x1b" not in result.stdout


@pytest.mark.timeout(300)
def test_ctrl_c_ends_it_cleanly() -> None:
    command = ("-m", "redbutton.cli", "bench", "latency", "--virtual", "--n", "100000", "--json")
    with subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        deadline = time.monotonic() + 30
        while not children.read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(3)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
        try:
            told, complaint = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Traceback" not in complaint
    assert all(one["n"] > 0 for one in json.loads(told)["figures"])
