"""The heartbeat of `redbutton run` on a busy computer: how regular it is, and false stops.

usage: python tests/benchmarks/soak.py [MINUTES] [--timeout-ms N] [--no-realtime] [--alone]

The real process, the real firmware on a virtual board in real time, all processors busy, and 200
clients of the owner's socket: most read what they are told; the others read too slowly or never,
send garbage, half lines, questions, and connect over and over. The record is on a slow disk.
Nobody asks for a stop: every stop is a false one. --alone: without clients and load, to compare.

Measured at the board's end of the cable, while the load is on:
- the interval between two heartbeats;
- the age that the last answered challenge has reached when the next answer comes: the figure that
  the controller compares with its timeout. A stop is one of more than the timeout.

The board and its cable stand for hardware, which has a processor of its own: where the system
permits it they run before everything else (SCHED_FIFO). What is left is the host's.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redbutton.bench.quantile import quantile
from redbutton.demo.stage import Stage
from redbutton.firmware import wire
from redbutton.local import socket_path
from redbutton.model import cause_name

CLIENTS = {
    "readers": 140,
    "slow": 20,
    "deaf": 20,
    "garbage": 5,
    "halves": 5,
    "connects": 5,
    "journal": 5,
}
STEPS_MS = (5, 10, 15, 20, 22, 25, 30, 40, 50, 60, 70, 80, 90, 100)
BOARD_PRIORITY = 40
NOBODY = 65534
NONCES = 64
LATE_MS = 50
STRUCT = wire.struct
SAID_S = 60.0
# What is late by no fault of a program, each in a process that runs before everything else. PROBE:
# one processor itself, as a virtual one that its host keeps waiting. TERMINAL: the kernel, which
# hands on what is written to a terminal (a pseudo-terminal, a USB serial port) in a work queue of
# ordinary priority (drivers/tty/tty_buffer.c, flush_to_ldisc).
FIRST = """
import os, sys, time
what = sys.argv[1]
try:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(90))
except OSError:
    pass
"""
PROBE = """
os.sched_setaffinity(0, {int(what)})
last = time.monotonic()
while True:
    time.sleep(0.002)
    now = time.monotonic()
    if now - last > 0.012:
        print("processor", last, now, flush=True)
    last = now
"""
TERMINAL = """
import tty
ours, theirs = os.openpty()
tty.setraw(theirs)
while True:
    time.sleep(0.005)
    begin = time.monotonic()
    os.write(ours, b".")
    os.read(theirs, 1)
    now = time.monotonic()
    if now - begin > 0.01:
        print("terminal", begin, now, flush=True)
"""

# A disk on which every write takes long: the process that writes stands still most of the time.
SLOW_DISK = """
import os, signal, sys, time
while True:
    os.kill(int(sys.argv[1]), signal.SIGSTOP)
    time.sleep(0.9)
    os.kill(int(sys.argv[1]), signal.SIGCONT)
    time.sleep(0.1)
"""


@dataclass
class Soak:
    """What was measured. Times in ms. `stops`: of each the cause, after how many seconds, and
    when. `pauses`: what of the computer stood still from when to when (s, monotonic). `late`:
    answers of an age of more than LATE_MS, when they came and what went on before."""

    intervals: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    stops: list[tuple[str, float, float]] = field(default_factory=list)
    seconds: float = 0.0
    clients: list[dict[str, Any]] = field(default_factory=list)
    priorities: str = ""
    got: str = ""
    lateness: str = ""
    stolen_s: float = 0.0
    record_fails: bool = False
    pauses: list[tuple[str, float, float]] = field(default_factory=list)
    late: list[tuple[float, str]] = field(default_factory=list)


class Tap:
    """Listens at the board's end of the cable, in its thread."""

    def __init__(self, soak: Soak) -> None:
        self.soak = soak
        self.cause = ""
        self._readers = {True: wire.LineReader(), False: wire.LineReader()}
        self._made: OrderedDict[bytes, float] = OrderedDict()  # when each challenge went by
        self._answered: float | None = None
        self._beat: float | None = None
        self._challenges = 0  # since the last answer

    def __call__(self, to_board: bool, data: bytes) -> None:
        """Bytes go by."""
        now = time.monotonic() * 1000
        for byte in data:
            line = self._readers[to_board].push(byte)
            frame = wire.decode(line) if line else None
            if frame is not None:
                self._take(to_board, frame[1], frame[3], now)

    def _take(self, to_board: bool, kind: int, payload: bytes, now: float) -> None:
        if to_board and kind == wire.HEARTBEAT:
            self._take_heartbeat(payload[: wire.NONCE_SIZE], now)
        elif not to_board and kind == wire.STATUS:
            fields = dict(
                zip(
                    wire.STATUS_FIELDS,
                    STRUCT.unpack(wire.STATUS_LAYOUT, payload),
                    strict=True,
                )
            )
            self._made[fields["nonce"]] = now
            self._challenges += 1
            if len(self._made) > NONCES:
                self._made.popitem(last=False)
        elif not to_board and kind == wire.EVENT:
            fields = dict(
                zip(wire.EVENT_FIELDS, STRUCT.unpack(wire.EVENT_LAYOUT, payload), strict=True)
            )
            self.cause = cause_name(fields["cause"]) or ""

    def _take_heartbeat(self, nonce: bytes, now: float) -> None:
        made = self._made.get(nonce)
        if made is None:
            return
        if self._beat is not None and self._answered is not None:
            self.soak.intervals.append(now - self._beat)
            self.soak.ages.append(now - self._answered)
            if now - self._answered > LATE_MS:
                text = (
                    f"age {now - self._answered:.0f} ms, {self._challenges} challenges meanwhile"
                )
                self.soak.late.append((now / 1000, text))
            self.last_gap = (
                f"interval {now - self._beat:.0f} ms, age {now - self._answered:.0f} ms"
            )
        self._beat, self._answered = now, made
        self._challenges = 0

    def restart(self) -> None:
        """What comes next is no interval since what came before."""
        self._beat = self._answered = None


def soak(
    seconds: float,
    *,
    timeout_ms: int = 100,
    realtime: bool = True,
    busy: int | None = None,
    busy_nice: int = 0,
    clients: dict[str, int] = CLIENTS,
    pause_s: float = 0.0,
    say: Callable[[str], None] = print,
    then: Callable[[Stage], None] | None = None,
) -> Soak:
    """For so long. `busy`: loops that do nothing else (None: one for each processor), with
    `busy_nice`. `pause_s`: of bad clients between their deeds. `then`: afterwards, while all that
    is still going on."""
    found = Soak()
    arguments = [] if realtime else ["--no-realtime"]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="redbutton-")))
        arguments += ["--config", str(_recorded(folder))]
        stage = stack.enter_context(
            Stage(ros=False, heartbeat_timeout_ms=timeout_ms, arguments=arguments)
        )
        stage.runtime.parent.chmod(0o711)  # for the other user
        first = _before_all(stage.board.pid)
        tap = Tap(found)
        stage.board.cable.tap = tap
        found.priorities = (
            f"board and cable: SCHED_FIFO {BOARD_PRIORITY}" if first else "board: ordinary"
        )
        found.got = next(iter(stage.state().notices), "")
        if not stage.reset():
            raise SystemExit("the board does not run")
        probes = [_python(FIRST + TERMINAL, "", stdout=subprocess.PIPE)]
        for processor in os.sched_getaffinity(0):
            probes.append(_python(FIRST + PROBE, str(processor), stdout=subprocess.PIPE))
        for probe in probes:
            stack.callback(_end, probe)
        for _ in range(os.cpu_count() or 1 if busy is None else busy):
            stack.callback(_end, _python(f"import os\nos.nice({busy_nice})\nwhile True: pass"))
        assert stage.gate is not None
        writer = _writer(stage.gate.pid)
        stack.callback(_go_on, writer)  # once nothing makes it stand still any more
        stack.callback(_end, _python(SLOW_DISK, str(writer)))
        path = socket_path(str(stage.port), stage.runtime)
        crowd = [_clients(path, kind, count, pause_s) for kind, count in clients.items()]
        for one in crowd:
            stack.callback(_end, one)
        stage.board.stats()  # what counts begins now
        tap.restart()
        found.intervals.clear()
        found.ages.clear()
        found.late.clear()
        ticks = os.sysconf("SC_CLK_TCK")
        stolen = _stolen()
        _run(stage, tap, found, seconds, say)
        found.stolen_s = (_stolen() - stolen) / ticks
        found.lateness = _lateness(stage.board.stats())
        found.record_fails = stage.state().record_fails
        for probe in probes:
            probe.kill()
            said, _ = probe.communicate()
            for what, first, last in map(str.split, said.splitlines()):
                found.pauses.append((what, float(first), float(last)))
        stage.board.cable.tap = None
        if then is not None:
            then(stage)
        for one in crowd:
            said, _ = one.communicate(input="", timeout=20)
            found.clients.append(json.loads(said or "{}"))
    return found


def _run(stage: Stage, tap: Tap, found: Soak, seconds: float, say: Callable[[str], None]) -> None:
    begin = time.monotonic()
    told = begin
    while (now := time.monotonic()) < begin + seconds:
        if not stage.board.load:
            at = now - begin
            found.stops.append((tap.cause, at, now))
            say(f"{at:8.1f} s  FALSE STOP: {tap.cause}")
            if not stage.reset():
                raise SystemExit("the board does not run")
            tap.restart()
            tap.cause = ""
        if now - told >= SAID_S:
            told = now
            load = os.getloadavg()[0]
            say(
                f"{now - begin:8.1f} s  {len(found.intervals)} heartbeats, age max "
                f"{max(found.ages, default=0):.1f} ms, false stops {len(found.stops)}, "
                f"load average {load:.1f}"
            )
        time.sleep(0.02)
    found.seconds = time.monotonic() - begin


def _recorded(folder: Path) -> Path:
    """A configuration with a record."""
    log, file = folder / "record", folder / "host.yaml"
    command = [sys.executable, "-m", "redbutton.cli", "log", "init", "--folder", str(log)]
    subprocess.run(
        [*command, "--escrow", str(folder / "escrow")], check=True, stdout=subprocess.DEVNULL
    )
    file.write_text(f"record: {{folder: {log}}}\n")
    return file


def _writer(owner: int) -> int:
    """The process that writes the record, a child of `redbutton run`."""
    children = Path(f"/proc/{owner}/task/{owner}/children").read_text().split()
    for child in map(int, children):
        if b"redbutton.record.writer" in Path(f"/proc/{child}/cmdline").read_bytes():
            return child
    raise SystemExit("redbutton run keeps no record")


def _go_on(writer: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(writer, signal.SIGCONT)


def _before_all(board: int) -> bool:
    """Whether the board, and this process with its cable, run before everything else now."""
    # All threads: one that waits for another one's lock comes no sooner than that one.
    threads = [int(name) for name in os.listdir("/proc/self/task")]
    policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
    try:
        for thread in (board, *threads):
            os.sched_setscheduler(thread, policy, os.sched_param(BOARD_PRIORITY))
    except OSError:
        return False
    return True


def _python(code: str, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-S", "-c", code, *arguments], text=True, **options)


def _clients(path: Path, kind: str, count: int, pause_s: float) -> "subprocess.Popen[str]":
    """As another user, where we may."""
    user = [str(NOBODY)] if os.getuid() == 0 else []
    script = str(Path(__file__).with_name("soak_clients.py"))
    return subprocess.Popen(
        [sys.executable, script, str(path), kind, str(count), str(pause_s), *user],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()


def _stolen() -> int:
    """Ticks that this computer, if it is a virtual one, was kept from its processors (proc(5))."""
    return int(Path("/proc/stat").read_text().split(None, 9)[8])


def _lateness(stats: dict[str, Any]) -> str:
    return f"ticks late at most {stats['lateness_us']['max'] / 1000:.1f} ms since the start"


def _near(found: Soak, begin: float, end: float) -> str:
    """What of the computer stood still then."""
    return "".join(
        f"; {what} stood still for {(last - first) * 1000:.0f} ms"
        for what, first, last in found.pauses
        if last > begin and first < end
    )


def table(found: Soak, timeout_ms: int) -> str:
    """All of it, for people."""
    rows = [
        f"{found.seconds / 60:.1f} min on {os.cpu_count()} processors, heartbeat timeout "
        f"{timeout_ms} ms",
        f"redbutton run: {found.got}; {found.priorities}, {found.lateness}",
        f"{'ms':<28}{'n':>8}{'p50':>8}{'p99':>8}{'p99.9':>8}{'max':>8}",
    ]
    for name, values in (("interval of heartbeats", found.intervals), ("age", found.ages)):
        if values:
            figures = [quantile(sorted(values), q) for q in (0.5, 0.99, 0.999)] + [max(values)]
            shown = "".join(f"{figure:8.1f}" for figure in figures)
            rows.append(f"{name:<28}{len(values):>8}{shown}")
    for what in ("processor", "terminal"):
        paused = [(last - first) * 1000 for kind, first, last in found.pauses if kind == what]
        rows.append(
            f"a probe of the {what} alone: later than 10 ms {len(paused)} times, most "
            f"{max(paused, default=0):.1f} ms"
        )
    rows.append(f"stolen from this (virtual) computer: {found.stolen_s:.1f} s")
    rows += ["", f"{'up to ms':>10}{'intervals':>12}{'ages':>12}"]
    for edge, low in zip((*STEPS_MS, float("inf")), (0, *STEPS_MS), strict=True):
        counts = [sum(low < v <= edge for v in vs) for vs in (found.intervals, found.ages)]
        rows.append(f"{edge:>10}{counts[0]:>12}{counts[1]:>12}")
    rows += ["", *(json.dumps(one) for one in found.clients)]
    rows.append(f"false stops: {len(found.stops)}")
    for cause, at, when in found.stops:
        rows.append(f"  after {at:.1f} s: {cause}{_near(found, when - 0.4, when)}")
    rows.append(f"answers later than {LATE_MS} ms: {len(found.late)}")
    rows += [f"  {text}{_near(found, when - 0.2, when)}" for when, text in found.late[:20]]
    failing = "FAILS" if found.record_fails else "is written"
    rows.append(
        f"record: {failing}, on a disk (its writer) that stands still 0.9 s of each second"
    )
    return "\n".join(rows)


def main(arguments: Sequence[str]) -> None:
    """From the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("minutes", nargs="?", type=float, default=30.0)
    parser.add_argument("--timeout-ms", type=int, default=100)
    parser.add_argument("--no-realtime", dest="realtime", action="store_false")
    parser.add_argument("--alone", action="store_true")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and leave no process behind
    found = soak(
        given.minutes * 60,
        timeout_ms=given.timeout_ms,
        realtime=given.realtime,
        busy=0 if given.alone else None,
        clients={} if given.alone else CLIENTS,
        say=lambda text: print(text, flush=True),
    )
    print(table(found, given.timeout_ms), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
