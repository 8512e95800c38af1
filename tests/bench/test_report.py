"""Reports on campaigns: what they say, of hostile text too, and that they need no network."""

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from typer.testing import CliRunner

from redbutton.bench.bench_cli import bench_app
from redbutton.bench.campaign import (
    RESULTS,
    SUMMARY,
    Campaign,
    Speed,
    firmware_digest,
    summary,
)
from redbutton.bench.explained import explained, explanations, why_late
from redbutton.bench.faults import FAULTS, Place
from redbutton.bench.findings import Cells, could_be_found, coverage, staying, stops, worst
from redbutton.bench.junit import junit
from redbutton.bench.report import WORKSHEET, Grade, Report, as_json, gather, grade, verdict
from redbutton.bench.report_html import html
from redbutton.bench.report_pdf import write
from redbutton.bench.run import Outcome, Result, parse, run
from redbutton.bench.scenario import read, shipped
from redbutton.bench.timeline import views
from redbutton.errors import CampaignDiffers, MissingTool, ReportUnwritable, ScenarioWrong

ROOT = Path(__file__).parents[2]
SCENARIOS = shipped()
OTHER = "of another firmware, so that nothing is carried out again"
WELDED = "button:relay_1.stuck-closed@150+relay_2.stuck-closed@150:1"
HOSTILE = "\"><script>alert(1)</script><img src=http://x/ onerror='x'>"


def result(
    run_id: str, outcome: Outcome, words: str = "as without it", stop_ms: float | None = 3.5
) -> Result:
    return Result(plan=parse(run_id), outcome=outcome, words=words, stop_ms=stop_ms, digest="0")


FEW = (
    result("button:none:1", Outcome.IN_TIME, "as it should be"),
    result("button:relay_1.stuck-closed@150:1", Outcome.AT_NEXT, stop_ms=7.25),
    result("button:chip.watchdog-dead@150:1", Outcome.LATENT),
    result("stop-request:chip.watchdog-dead@1990:1", Outcome.LATENT, stop_ms=0.0),
    result("button:memory.decide.state.3@20:1", Outcome.IN_TIME),
    result("button:relay_1.bounces@150+mirror_1.bounces@9:1", Outcome.LATENT),
)
STUCK = result("button:relay_1.stuck-closed@299:1", Outcome.DANGEROUS, "the load is on from 5 ms")
LATE = result("host-killed:clock.at-500-permille@-1:1", Outcome.LATE, "the load is on to 464 ms")


def report(*results: Result, firmware: str = OTHER) -> Report:
    campaign = Campaign(seed=1, memory=False, pairs=3, instants=0, firmware=firmware)
    return Report(campaign, results, SCENARIOS, explanations(), "2026-01-02 03:04 UTC")


def keep(folder: Path, *lines: str) -> Path:
    header = Campaign(firmware=OTHER).model_dump_json()
    (folder / RESULTS).write_text("\n".join((header, *lines)) + "\n")
    return folder


def text(page: str) -> str:
    """What a person reads, without marks."""
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL).split())


def test_the_first_page_says_what_came_out() -> None:
    page = text(html(report(*FEW)))
    cover = page[: page.index("Each fault in each scenario The worst")]
    assert "In 4 runs no single fault kept the load energised when it had to be off." in cover
    assert "Of 1 run with two faults at once" in cover
    assert "one fault 3 0 1 2 0 0" in cover
    assert "one bit of the firmware's memory 1 1 0 0 0 0".replace("'", "&#x27;") in cover
    assert "two faults at once 1 0 0 1 0 0" in cover
    assert "runs 6 results from 2026-01-02 03:04 UTC" in cover
    assert OTHER in cover
    assert "no certificate" in cover


@pytest.mark.parametrize(
    ("results", "expected", "words"),
    [
        (
            FEW,
            Grade.GOOD,
            "In 4 runs no single fault kept the load energised when it had to be off.",
        ),
        (
            (*FEW, LATE),
            Grade.CAUTION,
            "In 5 runs no single fault kept the load energised for good, but in 1 it went off "
            "later than it should have: at most 4 ms after it was asked to.",
        ),
        ((*FEW, LATE, STUCK), Grade.BAD, "In 1 of 6 runs a single fault kept the load energised"),
        (FEW[:1], Grade.CAUTION, "No single fault was tried."),
        (
            (result("button:none:1", Outcome.IN_TIME, "the load is not on"), *FEW[1:]),
            Grade.BAD,
            "Even without a fault the load did not do what it should in button",
        ),
        ((result(WELDED, Outcome.DANGEROUS), *FEW), Grade.CAUTION, "In 4 runs no single fault"),
    ],
)
def test_the_verdict_is_of_single_faults(
    results: tuple[Result, ...], expected: Grade, words: str
) -> None:
    found = report(*results)
    assert grade(found) is expected
    assert verdict(found)[0].startswith(words)
    assert f'class="verdict {expected.value}"' in html(found)


def test_a_dangerous_run_is_named_with_its_command() -> None:
    page = html(report(*FEW, STUCK))
    assert "redbutton bench replay button:relay_1.stuck-closed@299:1" in page
    assert "the load is on from 5 ms" in page
    assert 'class="dangerous"' in page
    assert report(*FEW, STUCK).cells.worst["relay_1.stuck-closed", "button"] is STUCK


def test_the_matrix_names_the_run_of_each_cell() -> None:
    page = html(report(*FEW))
    for one in (FEW[1], FEW[2], FEW[3]):
        assert f'title="{one.plan.id}: ' in page
    anchors = set(re.findall(r'href="#([^"]*)"', page))
    assert "fault-relay_1.stuck-closed" in anchors
    assert anchors <= set(re.findall(r' id="([^"]*)"', page))


def test_nothing_is_loaded_from_anywhere() -> None:
    page = html(report(*FEW, STUCK, LATE))
    assert re.findall(r"<(?:script|link|img|iframe|object|embed)\b", page) == []
    assert all(one.startswith("#") for one in re.findall(r'\b(?:src|href)="?([^"> ]*)', page))
    assert "url(" not in page
    assert "@import" not in page


def test_hostile_text_stays_text() -> None:
    scenario = SCENARIOS["button"].model_copy(update={"words": HOSTILE})
    results = (
        result("button:relay_1.stuck-closed@1:1", Outcome.DANGEROUS, HOSTILE),
        result("button:memory.<script>alert(2)</script>.3@20:1", Outcome.LATE),
    )
    found = Report(Campaign(firmware=HOSTILE), results, {"button": scenario}, {}, HOSTILE)
    page = html(found)
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "memory.&lt;script&gt;alert(2)" in page
    assert write(found).startswith(b"%PDF")
    ElementTree.fromstring(junit(results))


def test_latent_faults_are_explained_and_others_stand_out() -> None:
    page = html(report(*FEW))
    assert explanations()["chip.watchdog-dead"].person.replace("'", "&#x27;") in page
    unknown = Report(Campaign(firmware=OTHER), FEW, SCENARIOS, {}, "")
    assert "Nobody has explained this one yet" in html(unknown)


def test_late_runs_have_their_reason_and_others_stand_out() -> None:
    lost = [
        result(f"stop-request:link.{name}@299:1", Outcome.LATE, stop_ms=ms)
        for name, ms in (("loss", 25.0), ("baud", 103.0))
    ]
    unknown = result("button:key.pin-low@5:1", Outcome.LATE)
    found = report(*FEW, LATE, *lost, unknown)
    reasons = {one.why: one for one in found.late_by_reason()}
    assert len(reasons) == 3
    (cable,) = [one for why, one in reasons.items() if why and "sent again every 5 ms" in why]
    assert (list(cable.runs), cable.most_ms) == (lost[::-1], 103.0)
    page = text(html(found))
    assert "2 runs, the longest stop 103 ms after the demand" in page
    assert "Nobody has explained these yet." in page
    assert write(found).startswith(b"%PDF")


def test_reasons_for_being_late_are_of_faults() -> None:
    names = [*FAULTS, "memory.decide.state.0"]
    reasons = yaml.safe_load((ROOT / "host/redbutton/bench/late.yaml").read_text())
    for beginning in reasons:
        assert any(name.startswith(beginning) for name in names), beginning
    assert why_late(["clock.at-500-permille", "link.loss"]) == " ".join(
        reasons[name] for name in ("clock.at-500-permille", "link.")
    )
    assert why_late(["key.pin-low"]) is None


def test_what_is_not_modelled_says_where_to_look() -> None:
    page = text(html(report(*FEW)))
    assert "298 faults: 0 dangerous, 35 lose one channel, 0 of those unnoticed" in page


def test_the_speed_is_told_where_it_was_measured(tmp_path: Path) -> None:
    keep(tmp_path, FEW[0].model_dump_json())
    assert gather(tmp_path).speed is None
    speed = Speed(runs=60, seconds=6.0, processor_s=9.0, cores=2)
    (tmp_path / SUMMARY).write_text(summary(Campaign(), FEW, speed))
    said = "60 runs in 6 s on 2 cores, 10.0 a second; 0.15 s of processor time each"
    assert dict(gather(tmp_path).versions())["speed"] == said


def test_a_fault_after_the_last_reset_is_not_called_latent() -> None:
    late, early = FEW[3], result("stop-request:chip.watchdog-dead@-1:1", Outcome.LATENT)
    assert not could_be_found(late, SCENARIOS)
    assert could_be_found(early, SCENARIOS)
    cell = "chip.watchdog-dead", "stop-request"
    assert Cells([late], SCENARIOS).untested(Cells([late], SCENARIOS).worst[cell])
    found = result("stop-request:chip.watchdog-dead@20:1", Outcome.AT_NEXT)
    assert Cells([late, found], SCENARIOS).worst[cell] is found
    assert Cells([late, early, found], SCENARIOS).worst[cell] is early


def test_coverage_is_of_faults_that_stay_and_matter() -> None:
    results = (
        *FEW,
        result("button:relay_1.bounces@150:1", Outcome.LATENT),  # harmless
        result("button:relay_1.stuck-closed@2150:1", Outcome.LATENT),  # nothing could find it
        result("button:chip.hang-5-ms@150:1", Outcome.IN_TIME),  # is over
        result("button:relay_2.stuck-closed@150..20:1", Outcome.IN_TIME),  # is over
        result("button:contact_a.stuck-closed@-1:1", Outcome.AT_NEXT),
        result("stop-request:contact_a.stuck-closed@-1:1", Outcome.LATENT),
    )
    hidden = staying(results, SCENARIOS, explanations())
    every = coverage(hidden)
    assert (every.faults, every.found, every.harmless) == (3, 2, 1)
    assert (every.runs, every.shown) == (4, 2)
    assert coverage(hidden, Place.RELAY).share == 1
    assert coverage(hidden, Place.CHIP).share == 0
    assert coverage(hidden, Place.DRIVE).share is None
    found = report(*results)
    assert [one.fault.name for one in found.nothing_found] == ["relay_1.bounces",
                                                               "chip.watchdog-dead"]  # fmt: skip
    assert [one.fault.name for one in found.found_by_some] == ["contact_a.stuck-closed"]


def test_the_worksheet_is_quoted_rightly() -> None:
    worksheet = (ROOT / "hardware/generated/worksheet.md").read_text()
    for name, claimed, _ in WORKSHEET:
        assert re.search(rf"^\| {re.escape(name)} \| \d \| [^|]* \| {claimed},", worksheet, re.M)


def test_stop_times_are_counted_apart_from_stops_of_nothing() -> None:
    results = [
        result(f"button:link.loss@{ms}:1", Outcome.IN_TIME, stop_ms=ms) for ms in range(101)
    ]
    found = stops(results)["button"]
    assert found.figures() == {"n": 100, "off_already": 1, "p50": 50, "p99": 99, "max": 100}
    assert "50.0 ms 99.0 ms 100.0 ms 1" in text(html(report(*results)))


def test_the_worst_runs_come_first() -> None:
    longest = result("supply-lost:none:1", Outcome.IN_TIME, stop_ms=80.0)
    chosen = worst([*FEW, longest, LATE, STUCK], 4)
    assert chosen == [STUCK, LATE, longest, FEW[1]]


def test_a_dangerous_run_is_drawn_from_its_replay() -> None:
    done, trace = run(SCENARIOS["button"], parse(WELDED))
    found = report(done, firmware=firmware_digest())
    page = html(found)
    assert page.count('class="timeline"') == 3  # what holds them, the whole run, close up
    assert 'class="load"' in page
    assert "<title>LOCKOUT</title>" in page
    assert "The replay differs" not in page
    changed = done.model_copy(update={"digest": "0"})
    assert "The replay differs" in html(report(changed, firmware=firmware_digest()))
    assert write(found).startswith(b"%PDF")
    _, close = views(SCENARIOS["button"], done, trace)
    assert close.begin < 320 < close.end, "the load had to be off from there on"


def test_runs_of_another_firmware_are_not_drawn() -> None:
    assert "the firmware that is here is not the one of this campaign" in html(report(*FEW))


def test_an_incomplete_campaign_says_so() -> None:
    page = text(html(report(*FEW, firmware=firmware_digest())))
    assert re.search(r"runs 6 of [\d,]+ that were planned: this campaign is not complete", page)


def test_programs_get_the_same_findings() -> None:
    found = json.loads(json.dumps(as_json(report(*FEW, STUCK))))
    assert found["dangerous"] == [STUCK.plan.id]
    assert found["counts"]["one fault"]["dangerous"] == 1
    assert found["worst"]["button:relay_1.stuck-closed"]["run"] == STUCK.plan.id
    assert found["never_found"] == ["chip.watchdog-dead"]
    assert found["requirements"]["SR-02"]["worst"] == "dangerous"


def test_junit_has_a_case_for_each_fault_in_each_scenario() -> None:
    bits = [result(f"button:memory.wire.key.{bit}@20:1", Outcome.IN_TIME) for bit in range(3)]
    suite = ElementTree.fromstring(
        junit([*FEW, *bits, STUCK, result("button:flash.fails@0:1", Outcome.LATE, "\x00\x1b[0m")])
    )
    names = {(one.get("classname"), one.get("name")) for one in suite.iter("testcase")}
    assert len(names) == int(suite.get("tests", "")) == 8
    assert ("button", "memory.wire.key") in names
    assert ("stop-request", "chip.watchdog-dead") in names
    assert suite.get("failures") == "1"
    (failed,) = [one for one in suite.iter("testcase") if one.find("failure") is not None]
    assert failed.get("name") == "relay_1.stuck-closed"
    assert STUCK.plan.id in (failed.findtext("failure") or "")


def test_the_commands_write_what_they_say(tmp_path: Path) -> None:
    out, pdf = tmp_path / "a.html", tmp_path / "a.pdf"
    few = ["campaign", "--limit", "2", "--no-memory", "--pairs", "0", "--out", str(tmp_path)]
    assert CliRunner().invoke(bench_app, few).exit_code == 0
    assert len(ElementTree.parse(tmp_path / "junit.xml").findall("testcase")) == 2
    asked = ["report", str(tmp_path), "--out", str(out), "--pdf", str(pdf)]
    said = CliRunner().invoke(bench_app, asked)
    assert said.exit_code == 0, said.output
    assert "no single fault kept the load energised" in said.output
    assert out.read_text().startswith("<!doctype html>")
    assert pdf.read_bytes().startswith(b"%PDF")


def test_paper_without_its_library_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fpdf", None)
    said = CliRunner().invoke(bench_app, ["report", str(tmp_path), "--pdf", "a.pdf"])
    assert isinstance(said.exception, MissingTool)
    assert str(said.exception) == "fpdf2 is not installed: pip install 'redbutton[report]'"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "there is no result in it"),
        (['{"plan": 1}'], "plan: "),
        ([result("button:rust@1:1", Outcome.LATE).model_dump_json()], "there is no fault 'rust'"),
        ([result("../x:none:1", Outcome.LATE).model_dump_json()], "there is no scenario '../x'"),
    ],
)
def test_results_that_are_none_are_refused(tmp_path: Path, lines: list[str], words: str) -> None:
    with pytest.raises(CampaignDiffers, match=re.escape(words)):
        gather(keep(tmp_path, *lines))


def test_a_report_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    keep(tmp_path, FEW[0].model_dump_json())
    said = CliRunner().invoke(bench_app, ["report", str(tmp_path), "--out", str(tmp_path)])
    assert isinstance(said.exception, ReportUnwritable)


@pytest.mark.parametrize("name", [name for name, one in FAULTS.items() if one.lasting])
def test_every_latent_fault_is_explained(name: str) -> None:
    found, _ = run(SCENARIOS["stop-request"], parse(f"stop-request:{name}@150:1"))
    assert found.outcome is not Outcome.LATENT or explained(name, explanations())


def test_explanations_are_of_faults() -> None:
    for beginning in explanations():
        assert any(name.startswith(beginning) for name in FAULTS), beginning
    exact = explained("clock.at-990-permille", explanations())
    general = explained("clock.at-900-permille", explanations())
    assert exact and general
    assert exact.harmless and not general.harmless


def test_scenarios_name_requirements_that_there_are(tmp_path: Path) -> None:
    known = yaml.safe_load((ROOT / "tests/requirements.yaml").read_text())
    for scenario in SCENARIOS.values():
        assert scenario.requirements, scenario.name
        assert set(scenario.requirements) <= set(known)
    file = tmp_path / "a.yaml"
    file.write_text(
        (ROOT / "host/redbutton/bench/scenarios/button.yaml").read_text().replace("SR-01", "SR-1")
    )
    with pytest.raises(ScenarioWrong, match=r"requirements.0"):
        read(file)
