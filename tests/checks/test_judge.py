"""Plans are judged in a process of its own: what fails there is refused, and delays nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from checks_profiles import profile_of

from redbutton.checks import embedding, judge
from redbutton.checks.execution import Course
from redbutton.checks.judge import JUDGING_S, LONGEST, RESTART_S, WAITING_MOST, WAITING_S, Judge
from redbutton.checks.profile import digest
from redbutton.checks.verdict import Judgement, Verdict

pytestmark = pytest.mark.requirement("SR-24")

PLACE = {"parameters": {"place": {"type": "place"}}}
PROFILE = profile_of(
    places={"door": {"position": [4, 0]}, "bench": {"position": [4, 3]}},
    actions={"go_to": PLACE},
    execution={"corridor": 0.5, "lifetime": 60},
)
GO = json.dumps({"plan": ["go to door"]}).encode()
SOON_S = 60.0
# A child that is told what to do; it knows how to do right.
CHILD = """
import hashlib, json, os, socket, struct, sys, time
pair = socket.socket(fileno=0)
source = pair.makefile("rb")
profile, first = sys.argv[1], not os.path.exists(sys.argv[2])
open(sys.argv[2], "w").close()
def read():
    size, number = struct.unpack(">IQ", source.read(12))
    return number, source.read(size)
def say(number, body):
    pair.sendall(struct.pack(">IQ", len(body), number) + body)
def ready():
    read()
    say(0, json.dumps({"profile": profile}).encode())
def allow(question):
    digest = hashlib.sha256(question).hexdigest()
    return json.dumps({"digest": digest, "verdict": {"verdict": "allow"}}).encode()
if first:
    exec(sys.argv[3])
else:
    ready()
while True:
    number, question = read()
    say(number, allow(question))
"""


class Asking:
    """A gate that turns, on a clock that is set."""

    def __init__(self, *child: str) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.judge = Judge(PROFILE, lambda text, _: self.said.append(text), child)

    def ask(self, question: bytes = GO) -> list[tuple[Verdict, Course | None]]:
        """What is answered: a list that gets one entry."""
        answers: list[tuple[Verdict, Course | None]] = []
        self.judge.ask(question, self.now, lambda *answer: answers.append(answer))
        return answers

    def until(self, condition: Callable[[], object]) -> None:
        """Turn, while the clock stands still."""
        end = time.monotonic() + SOON_S
        while not condition():
            self.judge.turn(self.now)
            assert time.monotonic() < end, self.said
            time.sleep(0.001)

    def answered(self, question: bytes = GO) -> Verdict:
        """What is said of a question."""
        answers = self.ask(question)
        self.until(lambda: answers)
        return answers[0][0]

    def let_pass(self, seconds: float) -> None:
        """Turn, on a clock that runs, and no turn takes long."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.25
            began = time.thread_time()
            self.judge.turn(self.now)
            assert time.thread_time() - began < 0.05


def scripted(tmp_path: Path, does: str) -> Asking:
    """The first child does this, those after it judge as they should: everything is allowed."""
    arguments = (digest(PROFILE), str(tmp_path / "was-here"), does)
    return Asking(sys.executable, "-I", "-S", "-c", CHILD, *arguments)


@pytest.fixture(scope="module")
def real() -> Iterator[Asking]:
    """With the child that a gate has."""
    asking = Asking()
    yield asking
    asking.judge.close()


# --- as it should


def test_a_plan_is_judged_by_the_profile(real: Asking) -> None:
    answers = real.ask()
    real.until(lambda: answers)
    ((verdict, course),) = answers
    assert verdict.verdict is Judgement.ALLOW
    assert course
    assert (course.steps, course.begins) == ((("go to", {"place": "door"}),), (4.0, 0.0))
    assert real.answered(b'{"plan": ["throw Knife"]}').verdict is Judgement.REFUSE
    assert real.answered(b"\xff").rule == "request.malformed"


def test_answers_come_in_the_order_of_the_questions(real: Asking) -> None:
    places = ["door", "moon", "bench", "hell"]
    answers = [real.ask(json.dumps({"plan": [f"go to {name}"]}).encode()) for name in places]
    real.until(lambda: all(answers))
    assert [one[0][0].verdict.value for one in answers] == ["allow", "refuse", "allow", "refuse"]


def test_a_thousand_steps_are_judged_and_no_turn_of_the_gate_takes_long(real: Asking) -> None:
    steps = [
        {"name": "go to", "place": ("door", "bench")[i % 2], "text": "x" * 40} for i in range(1000)
    ]
    answers = real.ask(json.dumps({"plan": steps}).encode())
    longest = 0.0
    while not answers:
        began = time.thread_time()
        real.judge.turn(real.now)
        longest = max(longest, time.thread_time() - began)
        time.sleep(0.001)
    ((verdict, course),) = answers
    assert verdict.verdict is Judgement.ALLOW, verdict
    assert course
    assert len(course.steps) == 1000
    assert longest < 0.04, "half of what a heartbeat may be late"


def test_what_is_too_long_is_refused_at_once(real: Asking) -> None:
    (answer,) = real.ask(b"x" * (LONGEST + 1))
    assert answer[0].rule == "request.malformed"


@pytest.mark.requirement("SR-27")
@pytest.mark.skipif(
    not embedding.available() and os.environ.get("CI") != "true", reason="no model is installed"
)
def test_texts_are_read_by_meaning_where_that_is_installed(real: Asking) -> None:
    assert real.answered(b'{"text": "Bring the cup to the table."}').rule != "text.no_screen"
    assert real.answered(json.dumps({"text": "wait. " * 41}).encode()).rule == "text.meaning"


def test_the_child_has_nothing_but_its_end_of_the_pair_and_comes_after_the_gate(
    real: Asking,
) -> None:
    real.answered()
    child = Path(f"/proc/{real.judge.pid}")
    assert {file.name for file in (child / "fd").iterdir()} == {"0", "1", "2"}
    assert os.readlink(child / "fd" / "1") == "/dev/null"
    assert os.getpriority(os.PRIO_PROCESS, real.judge.pid or 0) > os.getpriority(
        os.PRIO_PROCESS, 0
    )


@pytest.mark.requirement("SR-24", "SR-20")
@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_a_child_that_is_halted_or_killed_is_replaced(real: Asking, how: signal.Signals) -> None:
    real.answered()
    before = real.judge.pid
    assert before
    os.kill(before, how)
    answers = real.ask()
    real.let_pass(WAITING_S + 1.0)
    real.until(lambda: answers)
    assert answers[0][0].rule in ("judge.failed", "judge.late", "")
    assert answers[0][0].verdict is Judgement.REFUSE or how is signal.SIGKILL
    real.until(lambda: real.judge.pid not in (None, before))
    assert real.answered().verdict is Judgement.ALLOW


def test_the_child_dies_with_its_parent_even_when_it_is_halted(tmp_path: Path) -> None:
    (tmp_path / "robot.json").write_text(PROFILE.model_dump_json(by_alias=True))
    script = """
import sys, time
from redbutton.checks.judge import Judge
from redbutton.checks.profile import RobotProfile
profile = RobotProfile.model_validate_json(open(sys.argv[1]).read())
said = []
judge = Judge(profile, lambda *text: said.append(text))
while not said:
    judge.turn(0.0)
    time.sleep(0.01)
print(judge.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "robot.json")], stdout=subprocess.PIPE
    )
    assert parent.stdout
    child = int(parent.stdout.readline())
    os.kill(child, signal.SIGSTOP)
    parent.kill()
    parent.communicate()
    end = time.monotonic() + SOON_S
    while _lives(child):
        assert time.monotonic() < end
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


# --- not as it should


@pytest.mark.parametrize(
    "does",
    [
        "ready(); read(); sys.exit()",
        "ready(); number, _ = read(); pair.sendall(bytes([255]) * 100); time.sleep(60)",
        "ready(); number, _ = read(); say(number, b'allow'); time.sleep(60)",
        'ready(); number, _ = read(); say(number, b\'{"verdict": {"verdict": "allow"}}\'); read()',
        "ready(); number, asked = read(); pair.sendall(allow(asked)[:40]); sys.exit()",
        "ready(); number, asked = read(); say(number + 1, allow(asked)); read()",
        "ready(); number, asked = read(); say(number, allow(asked + b' ')); read()",
        "ready(); number, asked = read(); say(number, b'x' * 2_000_000); read()",
    ],
    ids=["ends", "noise", "no JSON", "no digest", "half", "number", "question", "too much"],
)
def test_a_child_that_says_anything_else_is_a_refusal_and_is_replaced(
    tmp_path: Path, does: str
) -> None:
    asking = scripted(tmp_path, does)
    try:
        said = asking.answered()
        assert (said.verdict, said.rule) == (Judgement.REFUSE, "judge.failed")
        asking.let_pass(RESTART_S)
        assert asking.answered().verdict is Judgement.ALLOW
    finally:
        asking.judge.close()


@pytest.mark.parametrize(
    "does",
    [
        "sys.exit()",
        "say(0, b'{}'); time.sleep(60)",
        "read(); say(0, json.dumps({'profile': '0' * 64}).encode()); time.sleep(60)",
        "read(); say(0, json.dumps({'profile': profile, 'problem': 'no model'}).encode()); read()",
        "ready(); say(1, allow(b'" + GO.decode() + "')); time.sleep(60)",
    ],
    ids=["ends", "nothing", "another profile", "problem", "before it is asked"],
)
def test_a_child_that_does_not_begin_well_is_replaced(tmp_path: Path, does: str) -> None:
    asking = scripted(tmp_path, does)
    try:
        asking.until(lambda: any("process that judges plans" in text for text in asking.said))
        asking.let_pass(RESTART_S)
        assert asking.answered().verdict is Judgement.ALLOW
    finally:
        asking.judge.close()


@pytest.mark.requirement("SR-24", "SR-20")
@pytest.mark.parametrize("half", ["", "pair.sendall(b'0' * 5); "], ids=["hangs", "half an answer"])
def test_a_child_that_hangs_is_a_refusal_in_time_and_is_replaced(
    tmp_path: Path, half: str
) -> None:
    asking = scripted(tmp_path, f"ready(); read(); {half}time.sleep(60)")
    try:
        asking.until(lambda: asking.said)
        answers = asking.ask()
        asking.let_pass(JUDGING_S - 1.0)
        assert not answers
        asking.let_pass(2.0)
        assert [said.rule for said, _ in answers] == ["judge.failed"]
        assert "longer than 5 s" in answers[0][0].reason
        asking.let_pass(RESTART_S)
        assert asking.answered().verdict is Judgement.ALLOW
    finally:
        asking.judge.close()


def test_without_a_child_every_question_is_refused_in_time() -> None:
    asking = Asking("/no/such/program")
    answers = asking.ask()
    asking.let_pass(WAITING_S + 1.0)
    assert [said.rule for said, _ in answers] == ["judge.late"]
    assert 2 < len(asking.said) < 6, "it is tried again, less and less often"
    asking.judge.close()


def test_more_than_can_wait_are_refused_at_once(tmp_path: Path) -> None:
    asking = scripted(tmp_path, "time.sleep(60)")
    waiting = [asking.ask() for _ in range(WAITING_MOST)]
    (answer,) = asking.ask()
    assert answer[0].rule == "judge.busy"
    assert not any(waiting)
    asking.judge.close()


@pytest.mark.requirement("SR-10")
def test_a_stop_refuses_all_that_was_asked_before_whatever_is_said_of_it(tmp_path: Path) -> None:
    go = tmp_path / "go"
    does = f"ready(); asked = read()\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
    asking = scripted(tmp_path, does + "say(asked[0], allow(asked[1]))")
    try:
        asking.until(lambda: asking.said)
        first, second = asking.ask(), asking.ask()
        asking.let_pass(0.5)
        asking.judge.stopped()
        rules = [[said.rule for said, _ in answers] for answers in (first, second)]
        assert rules == [["judge.stopped"]] * 2
        go.touch()
        third = asking.ask()
        asking.until(lambda: third)
        assert third[0][0].verdict is Judgement.ALLOW
        assert len(first) == len(second) == 1, "what was allowed after it counts for nothing"
    finally:
        asking.judge.close()


def test_closing_leaves_no_child(tmp_path: Path) -> None:
    asking = scripted(tmp_path, "ready()")
    asking.answered()
    pid = asking.judge.pid
    asking.judge.close()
    assert pid is not None
    assert not _lives(pid)
    assert judge.Judge(PROFILE, lambda *_: None).pid is None
