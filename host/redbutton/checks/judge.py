"""Judging in a process of its own: whatever takes long must not keep the gate from its heartbeat.

`Judge` is the gate's end. It starts the child, gives it one question after the other and never
waits; `turn` does what can be done now. `main` is the child: it checks one question at a time, and
it alone runs the learned screen of texts.

Frames in both directions, over a pair of sockets: length and number (big-endian, 4 and 8 bytes),
then so many bytes. Number 0 is the profile, and `Ready` in return; every other one is a question
as it was asked, and an `Answer`. An answer counts only if it has the number and the digest of the
question that is being judged. Whatever else the child does (it ends, hangs, says anything else),
it is killed, that question is refused, and another child is started.
"""

import ctypes
import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from redbutton.checks.execution import Course
from redbutton.checks.profile import RobotProfile, digest
from redbutton.checks.verdict import Verdict, refused
from redbutton.errors import RedbuttonError
from redbutton.model import Frozen, first_problem

LONGEST = 100_000  # bytes of a question, a thousand steps and more
ANSWER_MOST = 1_000_000  # bytes
WAITING_MOST = 8  # questions
JUDGING_S = 5.0  # for one question
WAITING_S = 10.0  # until a question's turn comes
STARTING_S = 60.0  # for a child: it loads rules and, where it is installed, the model for texts
RESTART_S, RESTART_MOST_S = 1.0, 60.0  # from one start to the next, doubled while none answers
NICENESS = 5
PR_SET_PDEATHSIG = 1  # Linux, prctl(2)

FAILED, LATE, STOPPED, BUSY = "judge.failed", "judge.late", "judge.stopped", "judge.busy"
NOT_JUDGED = frozenset((FAILED, LATE, STOPPED))  # refused, and not for what was asked

_HEAD = struct.Struct(">IQ")
_PROFILE = 0
_CHILD = (
    "import sys; sys.path[:] = sys.argv[2:]; from redbutton.checks.judge import main; "
    "main(int(sys.argv[1]))"
)
# Of the libraries that compute: one question, one core.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Ready(Frozen):
    """A child can judge. `profile`: digest of what it judges by. `learned`: whether texts are
    read by the learned screen. `problem`: why it can not, or ""."""

    profile: str
    learned: bool = False
    problem: str = ""


class Answer(Frozen):
    """`digest`: SHA-256 of the question. `course`: what its plan leaves to do, see `Course`."""

    digest: str
    verdict: Verdict
    course: Course | None = None


Answered = Callable[[Verdict, Course | None], None]


@dataclass
class _Question:
    """`until`: when it has waited, or was judged, too long. `answered`: None once it is."""

    number: int
    data: bytes
    until: float
    answered: Answered | None

    def answer(self, verdict: Verdict, course: Course | None = None) -> None:
        """Once."""
        answered, self.answered = self.answered, None
        if answered is not None:
            answered(verdict, course)


class _Broken(Exception):
    """This child is of no use any more, and why."""


class Judge:
    """The gate's end. `now`: a monotonic clock's, in seconds, from call to call."""

    def __init__(
        self, profile: RobotProfile, report: Callable[[str, bool], None], child: Sequence[str] = ()
    ) -> None:
        """`report`: told what becomes of children, and whether it is a fault, for a log. `child`:
        another command, which is given its end of the sockets as standard input."""
        self._profile = profile
        self._report = report
        self._child = child or (sys.executable, "-I", "-c", _CHILD, str(os.getpid()), *sys.path)
        self._number = _PROFILE
        self._waiting: deque[_Question] = deque()
        self._judging: _Question | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._killed: list[subprocess.Popen[bytes]] = []
        self._is_ready = False
        self._received = bytearray()
        self._unsent = b""
        self._until = 0.0  # a child that starts must be ready
        self._start_at = float("-inf")
        self._pause = RESTART_S

    @property
    def pid(self) -> int | None:
        """The child's process; None while there is none."""
        return self._process.pid if self._process else None

    def ask(self, question: bytes, now: float, answered: Answered) -> None:
        """Have a question judged; `answered` is called once, within 15 s, by this or by `turn`."""
        self._number += 1
        asked = _Question(self._number, question, now + WAITING_S, answered)
        if len(question) > LONGEST:
            asked.answer(refused("request.malformed", f"more than {LONGEST} bytes"))
        elif len(self._waiting) >= WAITING_MOST:
            asked.answer(refused(BUSY, f"{WAITING_MOST} questions wait already"))
        else:
            self._waiting.append(asked)

    def turn(self, now: float) -> None:
        """Give and take what can be given and taken now."""
        self._killed = [process for process in self._killed if process.poll() is None]
        try:
            if self._process is None:
                self._start(now)
            else:
                self._hear(now)
                self._give(now)
                self._send()
        except (_Broken, OSError) as error:
            self._end(f"{error}", now)
        while self._waiting and now > self._waiting[0].until:
            late = self._waiting.popleft()
            late.answer(refused(LATE, f"it was not its turn within {WAITING_S:g} s"))

    def stopped(self) -> None:
        """Nothing that was asked before goes on (SR-10): it is refused, whatever is said of it."""
        for asked in (*self._waiting, *([self._judging] if self._judging else ())):
            asked.answer(
                refused(STOPPED, "the robot was stopped or reset, or not heard, meanwhile")
            )
        self._waiting.clear()

    def close(self) -> None:
        """Leave no child behind."""
        self._kill()
        for process in self._killed:
            process.wait()

    def _start(self, now: float) -> None:
        if now < self._start_at:
            return
        self._start_at = now + self._pause
        self._pause = min(2 * self._pause, RESTART_MOST_S)
        self._until = now + STARTING_S
        self._socket, theirs = socket.socketpair()
        self._socket.setblocking(False)
        with theirs:
            try:
                self._process = subprocess.Popen(
                    self._child,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env={**os.environ, **_ONE_THREAD},
                    start_new_session=True,  # a Ctrl-C is the gate's
                )
            except BaseException:
                self._socket.close()
                raise
        data = json.dumps(self._profile.model_dump(mode="json", by_alias=True)).encode()
        self._unsent = _frame(_PROFILE, data)

    def _hear(self, now: float) -> None:
        try:
            while data := self._socket.recv(65536):
                self._received += data
                if len(self._received) > ANSWER_MOST:
                    raise _Broken("it says too much")
        except BlockingIOError:
            pass
        else:
            raise _Broken("it ended")
        while len(self._received) >= _HEAD.size:
            size, number = _HEAD.unpack_from(self._received)
            if size > ANSWER_MOST:
                raise _Broken("it says what is no answer")
            if len(self._received) < _HEAD.size + size:
                break
            body = bytes(self._received[_HEAD.size : _HEAD.size + size])
            del self._received[: _HEAD.size + size]
            self._take(number, body)
        asked = self._judging
        if asked is not None and now > asked.until:
            raise _Broken(f"it took longer than {JUDGING_S:g} s for a question")
        if not self._is_ready and now > self._until:
            raise _Broken(f"it was not ready within {STARTING_S:g} s")

    def _take(self, number: int, body: bytes) -> None:
        try:
            if not self._is_ready:
                self._take_ready(number, Ready.model_validate_json(body))
                return
            answer = Answer.model_validate_json(body)
        except ValidationError as error:
            raise _Broken(f"it says what is no answer: {first_problem(error)[:200]}") from None
        asked = self._judging
        if asked is None or (number, answer.digest) != (asked.number, _digest(asked.data)):
            raise _Broken("it answers to what it was not asked")
        self._judging = None
        self._pause = RESTART_S
        asked.answer(answer.verdict, answer.course)

    def _take_ready(self, number: int, ready: Ready) -> None:
        if ready.problem:
            raise _Broken(ready.problem[:300])
        if (number, ready.profile) != (_PROFILE, digest(self._profile)):
            raise _Broken("it judges by another profile")
        self._is_ready = True
        reads = "are" if ready.learned else "are not (it is not installed)"
        self._report(
            f"plans are judged in process {self.pid}; texts {reads} read by meaning", False
        )

    def _give(self, now: float) -> None:
        if self._is_ready and self._judging is None and self._waiting:
            asked = self._judging = self._waiting.popleft()
            asked.until = now + JUDGING_S
            self._unsent += _frame(asked.number, asked.data)

    def _send(self) -> None:
        try:
            if self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            pass

    def _end(self, why: str, now: float) -> None:
        self._report(f"the process that judges plans: {why}", True)
        self._kill()
        self._start_at = max(self._start_at, now)
        asked, self._judging = self._judging, None
        if asked is not None:
            asked.answer(refused(FAILED, f"it could not be judged: {why}"))

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._killed.append(self._process)
            self._process = None
            self._socket.close()
        self._is_ready = False
        self._received.clear()
        self._unsent = b""


def _frame(number: int, data: bytes) -> bytes:
    return _HEAD.pack(len(data), number) + data


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# --- the child


def main(parent: int) -> None:
    """Judge what comes over standard input, until it ends. `parent`: whose process this is."""
    _die_with(parent)
    os.nice(NICENESS)
    with socket.socket(fileno=0) as pair, pair.makefile("rb") as source:
        first = _read(source.read)
        if first is None:
            return
        try:
            profile, judge, learned = _made(first[1])
        except (RedbuttonError, ValueError) as error:
            ready = Ready(profile="", problem=f"{error}")
            pair.sendall(_frame(_PROFILE, ready.model_dump_json().encode()))
            return
        ready = Ready(profile=digest(profile), learned=learned)
        pair.sendall(_frame(_PROFILE, ready.model_dump_json().encode()))
        while (asked := _read(source.read)) is not None:
            number, question = asked
            pair.sendall(_frame(number, judge(question).model_dump_json().encode()))


def _made(data: bytes) -> tuple[RobotProfile, Callable[[bytes], Answer], bool]:
    """The profile, what judges by it, and whether that reads texts by meaning."""
    # Only in the child: with the model it is large.
    from redbutton.checks import meaning  # noqa: PLC0415
    from redbutton.checks.request import RequestCheck  # noqa: PLC0415

    profile = RobotProfile.model_validate(json.loads(data))
    learned = meaning.installed()
    check = RequestCheck(profile, learned.judge if learned else None, LONGEST)

    def judge(question: bytes) -> Answer:
        verdict, course = check.planned(question)
        return Answer(digest=_digest(question), verdict=verdict, course=course)

    return profile, judge, learned is not None


def _read(read: Callable[[int], bytes]) -> tuple[int, bytes] | None:
    """One frame: number and bytes; None at the end."""
    head = read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    size, number = _HEAD.unpack(head)
    data = read(size)
    return (number, data) if len(data) == size else None


def _die_with(parent: int) -> None:
    """Be killed when the process that started this ends, even if this one hangs. Elsewhere than on
    Linux it ends when it next looks for a question."""
    if hasattr(library := ctypes.CDLL(None), "prctl"):
        library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before
        sys.exit()
