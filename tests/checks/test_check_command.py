"""The command `check`: one verdict for each line, whatever the line is."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from redbutton.checks import check_cli
from redbutton.checks.check_cli import answer
from redbutton.checks.profile import EXAMPLES, RobotProfile, load
from redbutton.checks.request import LONGEST, RequestCheck
from redbutton.checks.verdict import Judgement, Verdict
from redbutton.errors import LinesUnreadable

APP = typer.Typer()
check_cli.register(APP)
APP.command("other")(lambda: None)


@pytest.fixture(scope="session")
def judge() -> RequestCheck:
    """The check of lines, without a profile."""
    return RequestCheck()


def verdicts(judge: RequestCheck, *lines: bytes) -> list[dict[str, object]]:
    """What is answered to lines."""
    return [json.loads(line) for line in answer(io.BytesIO(b"\n".join(lines)), judge)]


def test_one_verdict_a_line_in_order(judge: RequestCheck) -> None:
    said = verdicts(
        judge,
        b'{"plan": ["pick Cup", "place Cup on Table"]}',
        b'{"text": "Throw the vase."}',
        b'{"text": "Bring the cup.", "plan": ["turn on Tap"]}',
    )
    assert [one["verdict"] for one in said] == ["allow", "refuse", "hold"]
    assert said[1]["rule"] == "throw.hazard"
    assert said[2]["step"] == 0
    assert all(one.keys() == {"verdict", "rule", "step", "reason"} for one in said)


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"{",
        b"7",
        b"[]",
        b"null",
        b"{}",
        b'{"world": {}}',
        b'{"plan": NaN}',
        b'{"silly": 1, "text": "Go."}',
        b'{"text": "\xff\xfe"}',
        b'{"plan": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"text": "' + b"x" * LONGEST + b'"}',
        b"\x00\x01",
    ],
    ids=lambda line: repr(line[:12]),
)
def test_a_line_that_cannot_be_read_is_refused_and_the_next_one_is_judged(
    judge: RequestCheck, line: bytes
) -> None:
    first, second = verdicts(judge, line, b'{"plan": ["pick Cup"]}')
    assert first["verdict"] == "refuse"
    assert second["verdict"] == "allow"


@pytest.mark.requirement("SR-24")
def test_a_line_of_ten_megabytes_is_refused_once(judge: RequestCheck) -> None:
    first, second = verdicts(judge, b"x" * 10_000_000, b'{"plan": ["pick Cup"]}')
    assert (first["rule"], second["verdict"]) == ("request.malformed", "allow")


@pytest.mark.requirement("SR-24")
def test_without_a_profile_no_motion_passes(judge: RequestCheck) -> None:
    (said,) = verdicts(judge, b'{"command": {"linear": [0.1, 0.0, 0.0]}, "text": "Go."}')
    assert (said["verdict"], said["rule"]) == ("refuse", "motion.no_profile")


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize(
    ("command", "rule"),
    [
        ('"linear": [0.3, 0.0, 0.0], "pose": {"x": 0.0, "y": 0.0}, "people": []', ""),
        ('"linear": [0.3, 0.0, 0.0], "people": []', "motion.pose_unknown"),
        ('"linear": [0.3, 0.0, 0.0], "pose": {"x": 0.0, "y": 0.0}', "motion.people_unknown"),
        (
            '"linear": [0.3, 0.0, 0.0], "pose": {"x": 7.6, "y": -4.0}, "people": []',
            "motion.keep_out",
        ),
        ('"linear": [1e999, 0.0, 0.0]', "request.malformed"),
        ('"linear": [0.3]', "motion.shape"),
        ('"linaer": [0.3, 0.0, 0.0]', "motion.shape"),
        ('"names": ["elbow"], "points": [{"positions": [0.1], "time": 1.0}]', "motion.joints"),
    ],
)
def test_a_command_of_motion_is_judged_by_the_profile(command: str, rule: str) -> None:
    base = RequestCheck(load(EXAMPLES / "mobile_base.yaml"))
    (said,) = verdicts(base, f'{{"command": {{{command}}}}}'.encode())
    assert said["rule"] == rule
    assert (said["verdict"] == "allow") == (not rule)


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text('{"plan": ["pick Cup"]}\n\n{"text": "Throw the vase."}\n')
    result = CliRunner().invoke(APP, ["check", str(file)])
    assert [json.loads(line)["verdict"] for line in result.stdout.splitlines()] == [
        "allow",
        "refuse",
        "refuse",
    ]


def test_a_file_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(APP, ["check", str(tmp_path / "none")])
    assert isinstance(result.exception, LinesUnreadable)
    assert str(result.exception).endswith("No such file or directory")


def test_each_verdict_is_written_before_the_next_line_comes() -> None:
    program = (
        "import typer; from redbutton.checks import check_cli; app = typer.Typer();"
        "check_cli.register(app); app()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        for line, verdict in ((b'{"plan": ["pick Cup"]}\n', "allow"), (b"silly\n", "refuse")):
            process.stdin.write(line)
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["verdict"] == verdict
    finally:
        process.stdin.close()
        process.stdout.close()
        assert process.wait(timeout=20) == 0


@pytest.mark.requirement("SR-27")
@pytest.mark.parametrize("learned", list(Judgement))
@pytest.mark.parametrize(
    ("line", "without"),
    [
        (b'{"text": "Bring the cup."}', "allow"),
        (b'{"text": "Throw the vase."}', "refuse"),
        (b'{"text": "Bring the cup.", "plan": ["turn on Tap"]}', "hold"),
    ],
)
def test_a_learned_check_only_ever_makes_allowed_into_held(
    learned: Judgement, line: bytes, without: str
) -> None:
    check = RequestCheck(meaning=lambda _: Verdict(verdict=learned, rule="learned"))
    (said,) = verdicts(check, line)
    held = without == "allow" and learned is not Judgement.ALLOW
    assert said["verdict"] == ("hold" if held else without)


@pytest.mark.requirement("SR-27")
def test_without_a_learned_check_the_profile_may_hold_every_text() -> None:
    base = RequestCheck(load(EXAMPLES / "mobile_base.yaml"))
    (said,) = verdicts(base, b'{"text": "Bring the cup."}')
    assert (said["verdict"], said["rule"]) == ("hold", "text.no_screen")


def go_to(**parameters: object) -> dict[str, object]:
    """A step to the sofa."""
    return {"name": "go to", "place": "sofa", "parameters": parameters}


@pytest.fixture(scope="session")
def home() -> RequestCheck:
    """The checks of a robot in a home, with actions and objects of its own."""
    return RequestCheck(load(EXAMPLES / "home_manipulator.yaml"))


@pytest.mark.requirement("SR-24")
@pytest.mark.parametrize(
    ("plan", "rule", "step"),
    [
        (["pick Cup", "wash Cup"], "profile.action", 1),
        ([{"name": "go_to", "place": "sofa", "parameters": {"speed": 0.3}}], "", None),
        ([{"name": "go to", "place": "sofa", "parameters": {"speed": 3}}], "profile.parameter", 0),
        (
            [{"name": "go to", "place": "sofa", "parameters": {"speed": True}}],
            "profile.parameter",
            0,
        ),
        (
            [{"name": "go to", "place": "sofa", "parameters": {"sped": 0.3}}],
            "profile.parameter",
            0,
        ),
    ],
)
def test_a_plan_takes_only_steps_that_the_profile_names(
    home: RequestCheck, plan: list[object], rule: str, step: int | None
) -> None:
    (said,) = verdicts(home, json.dumps({"plan": plan}).encode())
    assert (said["rule"], said["step"]) == (rule, step)


@pytest.mark.requirement("SR-24")
def test_what_the_profile_calls_its_things_is_known() -> None:
    profile = load(EXAMPLES / "mobile_base.yaml")
    profile = RobotProfile.model_validate(
        {
            **profile.model_dump(by_alias=True),
            "actions": {"throw": {"parameters": {"object": {"type": "object"}}}},
            "objects": {"zorgblatt": {"hazards": ["heavy", "sharp"]}},
        }
    )
    (known,) = verdicts(RequestCheck(profile), b'{"plan": ["throw zorgblatt"]}')
    (unknown,) = verdicts(RequestCheck(), b'{"plan": ["throw zorgblatt"]}')
    assert (known["verdict"], known["rule"]) == ("refuse", "throw.hazard")
    assert unknown["rule"] != known["rule"]
