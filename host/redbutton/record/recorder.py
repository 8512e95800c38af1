"""The log's end in the process that makes the heartbeat: it never waits, and never raises.

Notes go to a process of their own (`writer.py`) over a socket that does not block, and are kept
until that says that they are on the disk. What it was told when it was killed is told again to
the next one, which knows what it has. When more waits than may wait, notes are counted as lost;
an entry says how many as soon as there is room.
"""

import contextlib
import json
import secrets
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from redbutton.model import Frozen
from redbutton.plain import plain
from redbutton.record import entry
from redbutton.record.writer import MESSAGE_MAX, stamp

QUEUE_MAX = 4096  # notes
QUEUE_BYTES = 4 << 20
TURN_MAX = 32  # messages sent in a turn
SILENT_S = 3.0  # so long a note may wait for the disk before that is said
RESTART_S, RESTART_MAX_S = 1.0, 60.0
CLOSE_S = 1.0
TEXT_MAX = 2000  # characters of what others have written
ENDED = "the process that writes it has ended"


class Recorder:
    """Notes to the log of one folder.

    `ask`: the digest of a checkpoint that waits for the controller's signature, or b"".
    `journal`: board and sequence of the last entry of a controller's journal in the log; None
    while that is not known. `lost`: notes lost that no entry tells of yet.
    """

    def __init__(self, folder: Path) -> None:
        """Start the process that writes; nothing waits for it."""
        self._folder = folder.absolute()
        self._run = secrets.token_hex(4)
        self._number = 0
        self._waiting: deque[tuple[int, bytes]] = deque()  # until they are on the disk
        self._bytes = 0
        self._sent = 0  # so many of them, the oldest, have been told
        self._since = time.monotonic()  # something waits for the disk
        self._problem = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._restart = 0.0
        self._patience = RESTART_S
        self.lost = 0
        self.ask = b""
        self.journal: tuple[str, int] | None = None
        self._start(time.monotonic())

    @property
    def pid(self) -> int | None:
        """Of the process that writes."""
        return self._process.pid if self._process else None

    @property
    def problem(self) -> str:
        """Why something is not recorded at this moment, in words; "" if all is."""
        if self._problem:
            return self._problem
        if self.lost:
            return f"{self.lost} entries were lost: the disk is too slow, or fails"
        if self._waiting and time.monotonic() - self._since > SILENT_S:
            return "the disk takes no entries"
        return ""

    def note(self, kind: str, **fields: Any) -> None:
        """Record that something happened. Never waits, never raises."""
        try:
            self._say_lost()
            self._queue(kind, shown(fields))
        except Exception:  # whatever the fields are: recording withholds nothing
            self.lost += 1

    def _queue(self, kind: str, fields: dict[str, Any]) -> bool:
        self._number += 1
        note = stamp(kind, fields, self._run, self._number)
        data = entry.canonical(note._asdict())
        if len(data) > entry.BODY_MAX:
            small = {"too_large": len(data)}
            data = entry.canonical(note._replace(fields=small)._asdict())
        if len(self._waiting) >= QUEUE_MAX or self._bytes + len(data) > QUEUE_BYTES:
            self.lost += 1
            return False
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append((self._number, data))
        self._bytes += len(data)
        return True

    def _say_lost(self) -> None:
        if self.lost and len(self._waiting) < QUEUE_MAX // 2 and self._bytes < QUEUE_BYTES // 2:
            lost, self.lost = self.lost, 0
            self._queue("lost", {"count": lost})

    def turn(self, now: float) -> None:
        """Do what can be done now."""
        try:
            if self._socket is None:
                if now >= self._restart:
                    self._start(now)
                return
            self._hear(now)
            self._say_lost()
            self._tell()
        except OSError:
            self._lose(now, ENDED)
        except Exception as error:  # whatever it is: recording withholds nothing
            self._lose(now, str(error))

    def _tell(self) -> None:
        for _ in range(TURN_MAX):
            if self._socket is None or self._sent >= len(self._waiting):
                return
            try:
                self._socket.send(self._waiting[self._sent][1])
            except (BlockingIOError, BrokenPipeError, ConnectionResetError):
                return  # full; or it has ended, and what it said last is heard first
            self._sent += 1

    def _hear(self, now: float) -> None:
        while self._socket is not None:
            try:
                message = self._socket.recv(MESSAGE_MAX)
            except BlockingIOError:
                return
            except ConnectionResetError:  # it ended with notes unread; what it said comes next
                continue
            if not message:
                self._lose(now, ENDED)
                return
            answer = json.loads(message)
            self._problem = plain(answer["problem"])
            self.ask = bytes.fromhex(answer["ask"])
            if "journal" in answer:
                self.journal = (answer["journal"][0], answer["journal"][1])
                self._patience = RESTART_S
            if answer.get("run") == self._run:
                self._written(answer["number"], now)

    def _written(self, number: int, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= number:
            self._bytes -= len(self._waiting.popleft()[1])
            self._sent = max(0, self._sent - 1)
        self._since = now

    def _start(self, now: float) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        handle = str(theirs.fileno())
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "redbutton.record.writer", str(self._folder), handle],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                cwd="/",  # what -m finds first: nobody else's files
                start_new_session=True,  # Ctrl-C is for its parent, which has last words
            )
        except OSError as error:
            ours.close()
            self._lose(now, str(error))
            return
        finally:
            theirs.close()
        ours.setblocking(False)
        self._socket = ours
        self._sent = 0

    def _lose(self, now: float, why: str) -> None:
        """The process is gone. Another follows, after longer and longer waits."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        if self._process is not None:
            self._process.poll()
        self.journal = None
        self._problem = self._problem or f"{self._folder}: {why}"
        self._restart = now + self._patience
        self._patience = min(2 * self._patience, RESTART_MAX_S)

    def close(self) -> None:
        """Wait a second at most until all is on the disk. The process ends by itself."""
        end = time.monotonic() + CLOSE_S
        while self._waiting and self._socket is not None and time.monotonic() < end:
            self.turn(time.monotonic())
            time.sleep(0.002)
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(CLOSE_S)


def shown(value: Any) -> Any:
    """A value as it stands in the log: text that can do nothing to who reads it, and no more of
    it than is needed."""
    if isinstance(value, Frozen):
        return shown(value.model_dump(mode="json"))
    if is_dataclass(value) and not isinstance(value, type):
        return shown(asdict(value))
    if isinstance(value, dict):
        return {str(name): shown(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [shown(one) for one in value]
    if isinstance(value, str):
        return plain(value[:TEXT_MAX])
    return value
