"""The exhaustive search itself: it proves what it says, and finds what is wrong."""

import ast
import difflib
import functools
import io
import json
import os
import signal
import subprocess
import sys
import time
import tokenize
from dataclasses import replace
from pathlib import Path
from typing import Any

import command_line
import pytest

from redbutton.firmware import decide
from redbutton.verify import report, search
from redbutton.verify.search import Found, Task, replay
from redbutton.verify.seeds import BUGS
from redbutton.verify.source import COARSE, FULL, LIMITS, SOURCE, TINY, load, scale, scaled

TIMEOUT_S = 60
WITHOUT_A_PATH = {  # seen in how it starts, in its tables, or when everything has been visited
    "timeout-not-clamped",
    "lockout-left-by-restart",
    "lockout-left-by-reset",
    "test-without-starving",
    "cause-never-raised",
}
EXPECTED = {
    "contact-b-ignored": "SR-02",
    "stop-loses-to-reset": "SR-03",
    "heartbeat-ignored": "SR-04",
    "heartbeat-one-late": "SR-04",
    "old-heartbeat-fresh": "SR-07",  # a stop cause was there, and the press counted
    "timeout-not-clamped": "SR-04",
    "category-0-delayed": "SR-03",
    "stopping-never-ends": "SR-05",
    "stopping-one-late": "SR-05",
    "standstill-resets": "SR-07",
    "press-too-short": "SR-07",
    "press-too-long": "SR-07",
    "reset-on-press": "SR-07",
    "press-before-the-stop": "SR-07",
    "lockout-left-by-reset": "SR-16",
    "lockout-left-by-key": "SR-16",
    "lockout-left-by-restart": "SR-16",
    "key-switch-ignored": "SR-07",  # as above
    "late-tick-ignored": "SR-03",
    "discrepancy-not-latched": "SR-11",
    "weld-ignored": "SR-12",
    "mirror-unchecked-at-reset": "SR-12",
    "no-test": "SR-13",
    "test-step-skipped": "SR-13",
    "test-passed-while-open": "SR-13",
    "test-drives-both": "SR-01",
    "test-without-starving": "SR-13",
    "cause-never-raised": "SR-22",
}


redbutton = functools.partial(command_line.redbutton, "verify", timeout=TIMEOUT_S)


# --- The code under test is the code ---------------------------------------------------------


def tokens(text: str) -> list[tuple[int, str]]:
    """What the compiler sees."""
    return [
        (each.type, each.string) for each in tokenize.generate_tokens(io.StringIO(text).readline)
    ]


@pytest.mark.parametrize("base", [3, 4, COARSE, TINY])
def test_scaling_changes_the_numbers_of_limits_and_nothing_else(base: int) -> None:
    source = SOURCE.read_text()
    small = scaled(source, base)

    pairs = list(zip(tokens(source), tokens(small), strict=True))
    for (kind, text), (kind_after, text_after) in pairs:
        if text != text_after:
            assert kind == kind_after == tokenize.NUMBER
            assert int(text_after) == scale(int(text), base)
    lines = [
        line[2:]
        for line in difflib.ndiff(source.splitlines(), small.splitlines())
        if line.startswith("- ")
    ]
    for line in lines:
        assert line.split(" =")[0] in LIMITS or line.strip().startswith("("), line
    module = load(base)
    for name in LIMITS:
        assert getattr(module, name) == scale(getattr(decide, name), base)
    for row, row_after in zip(decide.TEST, module.TEST, strict=True):
        assert row_after == (*row[:3], *(scale(ms, base) for ms in row[3:]))


def test_without_a_scale_the_text_is_the_file() -> None:
    assert scaled(SOURCE.read_text(), FULL) == SOURCE.read_text()


def test_scaling_keeps_the_order_and_never_reaches_zero() -> None:
    for base in (3, 4, COARSE, TINY):
        small = [scale(number, base) for number in range(1, 3001)]
        assert small == sorted(small)
        assert small[0] == 1


def test_each_timer_is_compared_with_limits_only_never_with_another_timer() -> None:
    """What the argument for small limits stands on, read from the code."""
    code = next(
        node for node in ast.parse(SOURCE.read_text()).body if isinstance(node, ast.ClassDef)
    )
    machine = search.Machine(Task(TINY))
    timers = {name for name, value in vars(machine.decide).items() if type(value) is int}
    timers -= {"state", "heartbeat_timeout", "stop_delay", "_reset_level", *search.RECORD}
    seen = set()
    for compare in (node for node in ast.walk(code) if isinstance(node, ast.Compare)):
        names = {
            each.attr for each in ast.walk(compare) if isinstance(each, ast.Attribute)
        } & timers
        assert len(names) <= 1, ast.unparse(compare)
        seen |= names
    assert seen >= timers - {"heartbeat_age"}  # compared under the local name `age`


# --- The real code holds ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> Found:
    """The whole search with the smallest limits."""
    return search.run(Task(TINY, twins=True))


@pytest.mark.requirement(
    "SR-01", "SR-02", "SR-03", "SR-04", "SR-05", "SR-07", "SR-08", "SR-09", "SR-11", "SR-12"
)
@pytest.mark.requirement("SR-13", "SR-16")
def test_no_reachable_state_breaks_a_requirement(real: Found) -> None:
    assert real.violation is None
    assert real.states > 100
    assert real.transitions > 10_000 and real.twins >= real.transitions


@pytest.mark.requirement("SR-07")
def test_whatever_the_host_sends_without_the_reset_button_nothing_leaves_stopped() -> None:
    found = search.run(Task(COARSE, person=False, twins=True))

    assert found.violation is None
    assert {state for state, _ in found.fired} == {"STOPPED", "LOCKOUT"}


def test_every_state_cause_and_trigger_is_reached(real: Found) -> None:
    assert {state for state, _ in real.fired} == set(decide.STATE_NAMES.values())
    assert real.causes == (1 << len(decide.CAUSES)) - 1
    assert {trigger for _, trigger in real.fired} == set(decide.TRIGGER_NAMES)
    for state in decide.STATE_NAMES.values():
        assert (state, "FAULT") in real.fired


@pytest.mark.requirement("SR-05")
def test_without_a_stop_delay_nothing_is_ever_stopping() -> None:
    found = search.run(Task(TINY, delay=0))

    assert found.violation is None
    assert "STOPPING" not in {state for state, _ in found.fired}


@pytest.mark.requirement("SR-01", "SR-03", "SR-04", "SR-07", "SR-13", "SR-16")
def test_walks_with_the_real_limits_break_nothing() -> None:
    found = search.run(Task(FULL, seed=1, ticks=100_000))

    assert found.violation is None
    assert ("TESTING", "PASSED") in found.fired and ("RUN", "STOP") in found.fired


def test_a_search_that_reaches_more_than_the_coarse_one_refutes_the_argument(real: Found) -> None:
    coarse = replace(real, task=Task(COARSE))
    more = replace(real, task=Task(FULL, ticks=1), shapes=real.shapes | {("a new shape",)})

    assert report.beyond([coarse, real]) == []
    assert len(report.beyond([coarse, more])) == 1


# --- Every seeded bug is found ---------------------------------------------------------------


@pytest.fixture(scope="module")
def hunted() -> dict[str, Found]:
    """Every bug, looked for as the command does."""
    tasks = [Task(TINY, twins=True, bug=name) for name in BUGS]
    return {found.task.bug or "": found for found in report.work(tasks, show=False)}


def test_the_bugs_expected_here_are_the_bugs() -> None:
    assert set(EXPECTED) == set(BUGS)


@pytest.mark.parametrize("bug", BUGS)
def test_a_seeded_bug_is_found_under_its_requirement(bug: str, hunted: dict[str, Found]) -> None:
    found = hunted[bug]

    assert found.violation is not None
    assert found.violation[0] == EXPECTED[bug]
    assert bool(found.path) == (bug not in WITHOUT_A_PATH)


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug not in WITHOUT_A_PATH])
def test_the_path_to_a_seeded_bug_breaks_the_bug_and_not_the_real_code(
    bug: str, hunted: dict[str, Found]
) -> None:
    found = hunted[bug]

    rows, violation = replay(found.task, found.path)
    assert violation is not None
    assert (violation.requirement, violation.text) == found.violation
    assert len(rows) == len(found.path)

    rows, violation = replay(replace(found.task, bug=None), found.path)
    assert violation is None
    assert len(rows) == len(found.path)


def test_the_path_found_is_a_shortest_one() -> None:
    """With the tiny limits: at rest, two ticks of pressing, and the release with the stop."""
    found = search.run(Task(TINY, bug="stop-loses-to-reset"))

    assert len(found.path) == 4
    assert [bool(inputs & decide.RESET_PRESSED) for _, inputs, _ in found.path] == [
        False,
        True,
        True,
        False,
    ]


def test_a_bug_that_no_longer_fits_the_text_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    bug = replace(BUGS["no-test"], edits=(("text that is not there", ""),))
    monkeypatch.setitem(BUGS, "no-test", bug)

    with pytest.raises(ValueError, match="no-test"):
        load(TINY, "no-test")


# --- The command -----------------------------------------------------------------------------


def run_report(
    monkeypatch: pytest.MonkeyPatch, tasks: list[Task], as_json: bool
) -> "tuple[int, str]":
    monkeypatch.setattr(report, "plan", lambda fine, ticks: tasks)
    monkeypatch.setattr(report, "COARSE", TINY)
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    code = report.verify(report.Console(file=out, width=120), as_json, 4, 1000)
    return code, out.getvalue()


def test_the_report_counts_states_and_says_what_is_exact_and_what_is_argued(
    monkeypatch: pytest.MonkeyPatch, real: Found
) -> None:
    code, text = run_report(monkeypatch, [Task(TINY, twins=True)], as_json=False)

    assert code == 0
    assert f"{real.states} states" in text
    for word in ("exact", "checked", "argued", "not covered", "no requirement is violated"):
        assert word in text


def test_json_holds_every_figure(monkeypatch: pytest.MonkeyPatch, real: Found) -> None:
    code, text = run_report(monkeypatch, [Task(TINY, twins=True)], as_json=True)

    answer: dict[str, Any] = json.loads(text)
    assert code == 0
    assert answer["holds"] is True
    assert answer["states"] == real.states
    assert answer["transitions"] == real.transitions + real.twins
    assert answer["searches"][0]["violation"] is None


def test_a_violation_ends_with_exit_code_1_and_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [Task(TINY, bug="stop-loses-to-reset")]

    code, text = run_report(monkeypatch, tasks, as_json=True)
    violation = json.loads(text)["searches"][0]["violation"]
    assert code == 1
    assert violation["requirement"] == "SR-03"
    assert violation["ticks"] == 4
    assert violation["path"][-1] == {
        "tick": "4",
        "inputs": "stop category 0, heartbeat 0 ms old",
        "state": "TESTING",
        "outputs": "K1_STARVED",
        "present": "-",
    }

    code, text = run_report(monkeypatch, tasks, as_json=False)
    assert code == 1
    assert "SR-03" in text and "4 ticks" in text and "stop category 0" in text


def test_a_bug_that_is_not_found_ends_with_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    missed = Found(Task(TINY, bug="no-test"))
    monkeypatch.setattr(report, "work", lambda tasks, show: [missed])

    out = io.StringIO()
    code = report.find_bugs(report.Console(file=out, width=120), False, ["no-test"])

    assert code == 1
    assert "not found" in out.getvalue()


def test_the_command_finds_a_bug_and_lists_them_all() -> None:
    found = redbutton("--seed-bug", "standstill-resets", "--json")
    listed = redbutton("--seed-bug", "list")
    unknown = redbutton("--seed-bug", "no-such-bug")

    assert found.returncode == 0, found.stderr
    line = json.loads(found.stdout)
    assert line["found"] is True and line["violation"]["ticks"] == 1
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(BUGS)
    assert unknown.returncode == 2
    assert "no-such-bug" in unknown.stderr and "Traceback" not in unknown.stderr


def test_ctrl_c_ends_it_at_once_and_silently() -> None:
    """In a terminal the signal goes to the whole group: to the workers too."""
    process = subprocess.Popen(
        [sys.executable, "-m", "redbutton.cli", "verify", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while len(workers := children.read_text().split()) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=10)

    assert process.returncode == 130
    assert out == "" and err == ""
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
