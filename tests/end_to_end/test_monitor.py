"""`redbutton monitor` as a person sees it: board, service and monitor each a process, a terminal
between, and keys.
"""

import contextlib
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from terminal import Terminal

from redbutton.monitor.letters import large

LOST_S = 3.0  # 1 s is wanted; the machine may be busy
BOOT_S = 2.0
RESET_S = 3.0
TIMEOUT_MS = "500"  # of the heartbeat: the machine may be busy

Start = Callable[..., "subprocess.Popen[bytes]"]
Serve = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def port(runtime_folder: Path) -> Path:
    """Where the virtual board's port is linked; short, for the socket of its hands."""
    return runtime_folder / "vb"


@pytest.fixture
def start() -> Iterator[Start]:
    """Start commands in the background; all that are left are killed."""
    with contextlib.ExitStack() as stack:

        def begin(*arguments: str) -> "subprocess.Popen[bytes]":
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "redbutton.cli", *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            stack.callback(process.kill)
            return process

        yield begin


@pytest.fixture
def board(start: Start, port: Path) -> "subprocess.Popen[bytes]":
    """`redbutton virtual-board`, ready."""
    files = ("--port-link", str(port), "--key-file", f"{port}.key")
    process = start("virtual-board", *files, "--heartbeat-timeout-ms", TIMEOUT_MS)
    while not Path(f"{port}.hands").exists():
        assert process.poll() is None
        time.sleep(0.05)
    return process


@pytest.fixture
def serve(board: object, start: Start, port: Path) -> Serve:
    """Start `redbutton run` on it, believed by it."""

    def begin() -> "subprocess.Popen[bytes]":
        process = start("run", "-p", str(port), "-k", f"{port}.key", "--json")
        assert process.stdout
        assert any(b'"attested"' in line for line in process.stdout)
        return process

    return begin


def shows(shown: str, name: str) -> bool:
    """Whether this stands on the screen in large letters."""
    lines = [line.rstrip() for line in shown.splitlines()]
    return all(row.rstrip() in lines for row in large(name, "█"))


def fields(shown: str) -> str:
    """All but the timeline, which tells of the past."""
    return shown.split("-30 s", maxsplit=1)[0]


def to_run(terminal: Terminal) -> str:
    """A person resets, with a finger that the virtual board has."""
    for _ in range(4):
        terminal.wait_for("blocks a reset none")
        terminal.press("r")
        end = time.monotonic() + RESET_S
        while time.monotonic() < end:
            shown = terminal.look()
            if "state          RUN for" in shown and "load           ON" in shown:
                return shown
    raise AssertionError(f"no reset acted\n{shown}")


@pytest.mark.requirement("SR-01", "SR-21")
def test_press_and_see_the_stop_kill_the_service_and_see_no_contact(
    serve: Serve, port: Path
) -> None:
    service = serve()
    with Terminal("monitor", "-p", str(port)) as terminal:
        assert shows(to_run(terminal), "RUN")

        terminal.press("p")
        shown = terminal.wait_for("first cause    button contact A", "button A  OPEN")
        assert shows(shown, "STOPPED")
        assert "load           OFF: both mirror contacts closed" in shown
        assert "RUN" not in shown

        terminal.press("p")
        to_run(terminal)
        service.kill()
        killed = time.monotonic()
        shown = terminal.wait_for("no contact since", timeout=LOST_S)
        assert time.monotonic() - killed < LOST_S
        assert shows(shown, "NO CONTACT")
        for stale in ("RUN", "ON:", "OFF:", "closed", "open", " ms", "none"):
            assert stale not in fields(shown)

        time.sleep(
            2 * int(TIMEOUT_MS) / 1000
        )  # else the next one takes over in time, and nothing stops
        serve()
        shown = terminal.wait_for("state          STOPPED for")
        assert "heartbeat lost" in shown

        terminal.press("q")
        assert terminal.end() == 0
        assert terminal.mode() == terminal.before
        assert terminal.sent.index(b"\x1b[?1049h") < terminal.sent.index(b"\x1b[?1049l")
        assert terminal.sent.rindex(b"\x1b[?25l") < terminal.sent.rindex(b"\x1b[?25h")


@pytest.mark.requirement("SR-21")
def test_a_service_that_hangs_is_no_contact(serve: Serve, port: Path) -> None:
    service = serve()
    with Terminal("monitor", "-p", str(port)) as terminal:
        to_run(terminal)
        service.send_signal(signal.SIGSTOP)
        shown = terminal.wait_for("the owner of the port is silent", timeout=LOST_S)
        assert "RUN" not in fields(shown)
        service.send_signal(signal.SIGCONT)
        terminal.wait_for("state          STOPPED for", "heartbeat lost")


@pytest.mark.requirement("SR-06")
def test_s_requests_a_stop(serve: Serve, port: Path) -> None:
    serve()
    with Terminal("monitor", "-p", str(port)) as terminal:
        to_run(terminal)
        terminal.press("s")
        terminal.wait_for("a stop was requested", "first cause    stop requested")


def test_the_hands_unplug_turn_weld_and_give_power(serve: Serve, port: Path) -> None:
    serve()
    with Terminal("monitor", "-p", str(port)) as terminal:
        terminal.wait_for("blocks a reset none")
        terminal.press("u")
        terminal.wait_for("no contact since", "was unplugged")
        terminal.press("u")
        terminal.wait_for("blocks a reset none")
        terminal.press("v")
        terminal.wait_for("supply    MISSING")
        terminal.press("v")
        terminal.wait_for("supply    present")
        terminal.press("1")
        assert shows(terminal.wait_for("LOCKOUT for", "mirror K1 open"), "LOCKOUT")
        terminal.press("0k")
        terminal.wait_for("key       MAINTENANCE", "mirror K1 closed")
        terminal.press("o")
        terminal.wait_for("the controller is not heard")  # in maintenance it does not speak
        terminal.look(BOOT_S)
        terminal.press("k")
        terminal.wait_for("STOPPED for", "transitions 0", "key       operation")


@pytest.mark.requirement("SR-25")
def test_where_there_are_no_hands_no_key_moves_anything(serve: Serve, port: Path) -> None:
    """As with a real controller."""
    serve()
    hands = Path(f"{port}.hands")
    assert stat.S_IMODE(hands.stat().st_mode) == 0o600
    hands.unlink()
    with Terminal("monitor", "-p", str(port)) as terminal:
        shown = terminal.wait_for("blocks a reset none")
        assert "r reset" not in shown
        assert "virtual" not in shown
        terminal.press("prkvuo120")
        terminal.press("\x1b[1~")  # Home
        terminal.look(0.5)
        terminal.press("?")
        terminal.wait_for("nothing resets but the reset button")
        terminal.press("?")
        shown = terminal.wait_for("transitions 0")
        assert "button A  closed" in shown


def test_it_follows_the_windows_size(board: object, port: Path) -> None:
    with Terminal("monitor", "-p", str(port)) as terminal:
        terminal.wait_for("-30 s")
        terminal.resize(50, 11)
        shown = terminal.look(2.0)
        assert "-30 s" not in shown
        assert "q quit" in shown
        assert shows(shown, "STOPPED")


@pytest.mark.parametrize(
    ("options", "environment"), [((), {"NO_COLOR": "1"}), (("--no-color",), {})]
)
def test_without_colours_the_state_is_still_told_and_ctrl_c_leaves(
    board: object, port: Path, options: tuple[str, ...], environment: dict[str, str]
) -> None:
    with Terminal(*options, "monitor", "-p", str(port), **environment) as terminal:
        assert shows(terminal.wait_for("STOPPED for"), "STOPPED")
        terminal.press("\x03")
        assert terminal.end() == 0
        assert terminal.mode() == terminal.before
        styles = b";".join(re.findall(rb"\x1b\[([\d;]*)m", terminal.sent)).split(b";")
        assert set(styles) <= {b"", b"0", b"1", b"2", b"7"}  # plain, bold, dim, reverse


def test_in_a_terminal_that_can_only_print_lines_it_prints_lines(
    board: object, port: Path
) -> None:
    with Terminal("monitor", "-p", str(port), TERM="dumb") as terminal:
        terminal.wait_for("STOPPED, load off, first cause: power up")
        assert b"\x1b[?1049h" not in terminal.sent
