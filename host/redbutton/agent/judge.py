"""Judges questions in a process of its own: `redbutton check`, one line of JSON each way.

Whatever a question costs, it costs it there: a stop request never waits for it (SR-06), and one
that takes too long is ended.
"""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from redbutton.checks.verdict import Verdict, refused

WAITING_MOST = 64  # questions
START_MOST_S = 60.0
TIME_MOST_S = 30.0
ANSWER_MOST = 100_000  # bytes
NICE = 5


class Judge:
    """One question at a time, some waiting; more are refused."""

    def __init__(self, profile: Path | None) -> None:
        """`profile`: of the robot; without one no motion passes."""
        self._command = [sys.executable, "-m", "redbutton.cli", "check"]
        if profile is not None:
            self._command += ["--profile", str(profile.absolute())]
        self._process: Process | None = None
        self._answers: BufferedByteReceiveStream | None = None
        self._lock = anyio.Lock()
        self._waiting = 0

    async def judge(self, question: bytes) -> Verdict:
        """The verdict on a question, which is one line. Refused if it cannot be had."""
        if self._waiting >= WAITING_MOST:
            return refused("judge.busy", f"{WAITING_MOST} questions wait already: ask again")
        self._waiting += 1
        try:
            async with self._lock:
                return await self._judged(question)
        finally:
            self._waiting -= 1

    async def _judged(self, question: bytes) -> Verdict:
        try:
            if self._process is None or self._process.returncode is not None:
                await self._start()
            with anyio.fail_after(TIME_MOST_S):
                return await self._asked(question)
        except TimeoutError:
            await self.close()
            return refused("judge.time", f"it is not judged in {TIME_MOST_S:.0f} s")
        except Exception as error:
            await self.close()
            return refused("judge.error", f"it cannot be judged: {type(error).__name__}")
        except BaseException:  # cancelled: its answer must not be taken for the next one's
            await self.close()
            raise

    async def _asked(self, question: bytes) -> Verdict:
        assert self._process and self._process.stdin and self._answers
        await self._process.stdin.send(question + b"\n")
        answer = await self._answers.receive_until(b"\n", ANSWER_MOST)
        return Verdict.model_validate_json(answer)

    async def _start(self) -> None:
        """Start the process, and wait until it judges."""
        self._process = await anyio.open_process(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None
        )
        assert self._process.stdout
        self._answers = BufferedByteReceiveStream(self._process.stdout)
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self._process.pid, NICE)
        with anyio.fail_after(START_MOST_S):
            await self._asked(b"{}")

    async def close(self) -> None:
        """End the process. The next question starts another."""
        process, self._process, self._answers = self._process, None, None
        if process is not None:
            with anyio.CancelScope(shield=True), contextlib.suppress(ProcessLookupError):
                process.kill()
                await process.aclose()
