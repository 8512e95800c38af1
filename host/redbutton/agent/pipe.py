"""Standard input and output as the MCP transport takes them, but with bounded lines.

All that has come in is read at once, and a call of request_stop overtakes what came before it and
still waits: a flood does not queue it (SR-06).

What is no message is answered with one error. JSON-RPC 2.0, 5.1: its `id` is null then, because
nobody can know it.
"""

import json
import os
import re
import select
from collections import deque
from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
import mcp_types
from pydantic import ValidationError

LINE_MOST = 16_000_000  # bytes
AHEAD_MOST = 2 * LINE_MOST  # bytes that are read and wait
PARSE_ERROR = -32700
PIECE = 65536
GRACE_S = 0.3
STOP = re.compile(rb'"name"\s*:\s*"request_stop"')


class Pipe:
    """Lines in from one descriptor, out to another."""

    def __init__(self, lines_in: int, lines_out: int) -> None:
        """Descriptors. They stay open."""
        self._in = lines_in
        self._out = lines_out
        self._lines: deque[bytes | None] = deque()  # None: one that was too long
        self._ahead = 0
        self._over = False
        self._begun = False
        self._changed = anyio.Event()
        self._writing = anyio.Lock()

    # --- in

    async def read(self) -> None:
        """Read until the other end is gone. To be run beside."""
        buffer, whole = bytearray(), True
        while data := await self._piece():
            *ends, rest = data.split(b"\n")
            for end in ends:
                self._take(bytes(buffer + end) if whole else None)
                buffer, whole = bytearray(), True
            buffer += rest
            if len(buffer) > LINE_MOST:
                buffer, whole = bytearray(), False
            while self._ahead > AHEAD_MOST:
                await self._change()
        self._over = True
        self._tell()

    def _take(self, line: bytes | None) -> None:
        if line is not None and len(line) > LINE_MOST:
            line = None
        self._ahead += len(line or b"")
        # The first of all says which version of the protocol is spoken: nothing overtakes it.
        if line is not None and self._begun and STOP.search(line):
            self._lines.appendleft(line)
        else:
            self._lines.append(line)
        self._tell()

    async def __aiter__(self) -> AsyncIterator[str]:
        """Each line that is a message, until the other end is gone."""
        while self._lines or not self._over:
            if not self._lines:
                await self._change()
                continue
            line = self._lines.popleft()
            self._ahead -= len(line or b"")
            self._tell()
            if problem := _flaw(line):
                await self._complain(problem)
            elif line and line.strip():
                self._begun = True
                yield line.decode()
        await anyio.sleep(GRACE_S)  # at the end all is cancelled: a stop that came last begins

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _change(self) -> None:
        await self._changed.wait()

    async def _piece(self) -> bytes:
        try:
            await anyio.wait_readable(self._in)
        except PermissionError:  # a file: always readable
            await anyio.lowlevel.checkpoint()
        return os.read(self._in, PIECE)

    # --- out

    async def _complain(self, problem: str) -> None:
        error = {"code": PARSE_ERROR, "message": problem}
        await self.write(json.dumps({"jsonrpc": "2.0", "id": None, "error": error}) + "\n")

    async def write(self, text: str) -> None:
        """Whole lines."""
        data = text.encode()
        async with self._writing:
            while data:
                try:
                    await anyio.wait_writable(self._out)
                except PermissionError:
                    await anyio.lowlevel.checkpoint()
                data = data[os.write(self._out, data[: select.PIPE_BUF]) :]  # never blocks

    async def flush(self) -> None:
        """Nothing is kept back."""


def _flaw(line: bytes | None) -> str:
    """Why a line is no message, or ""."""
    if line is None:
        return f"a message has at most {LINE_MOST} bytes"
    if not line.strip():
        return ""
    try:
        mcp_types.jsonrpc_message_adapter.validate_json(line.decode(), by_name=False)
    except UnicodeDecodeError:
        return "not UTF-8"
    except ValidationError as error:
        return f"no message of JSON-RPC 2.0: {error.errors(include_url=False)[0]['msg'][:200]}"
    return ""
