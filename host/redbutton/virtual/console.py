"""`redbutton virtual-board`: a virtual board that a person at a terminal can press and unplug."""

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

from redbutton import key
from redbutton.errors import RedbuttonError
from redbutton.virtual.board import Change, RealTimeBoard
from redbutton.virtual.hands import Hands, hands_path
from redbutton.virtual.probe import VirtualProbe

SHOWN = ("load", "contact_a", "contact_b", "relay_1", "relay_2", "supply", "key", "reset")
Say = Callable[..., None]


def run(
    port_link: Path | None,
    key_file: Path | None,
    flash: Path | None,
    stop_delay_ms: int,
    heartbeat_timeout_ms: int,
    say: Say,
    probe_link: Path | None = None,
) -> None:
    """Until `quit` or a signal. At the end of standard input it goes on, for scripts."""
    with tempfile.TemporaryDirectory(prefix="redbutton-") as folder:
        port = port_link or Path(folder) / "port"
        keys = key_file or Path(folder) / "key"
        link_key = key.load(keys) if keys.exists() else key.create(keys)
        if flash is not None:
            flash.mkdir(parents=True, exist_ok=True)
        for link in (port,) if probe_link is None else (port, probe_link):
            _check_link(link)
        over = threading.Event()

        def end(number: int, frame: FrameType | None) -> None:
            over.set()

        signal.signal(signal.SIGINT, end)
        signal.signal(signal.SIGTERM, end)
        with RealTimeBoard(
            link_key,
            port,
            flash=flash,
            stop_delay_ms=stop_delay_ms,
            heartbeat_timeout_ms=heartbeat_timeout_ms,
        ) as board:
            board.on_change = lambda change: _show(change, say)
            say(
                f"virtual board on {port}, link key in {keys}",
                event="ready",
                port=str(port),
                key_file=str(keys),
                pid=board.pid,
            )
            say(f"now: redbutton run --port {port} --key-file {keys}", event="hint")
            with _probe(board, probe_link, say) as probe, _hands(board, probe, port, say):
                threading.Thread(target=_obey, args=(board, probe, over, say), daemon=True).start()
                while not over.wait(0.2):
                    if not board.alive:
                        raise RedbuttonError("the firmware's interpreter ended by itself")


def _check_link(link: Path) -> None:
    if not link.parent.is_dir() or not os.access(link.parent, os.W_OK):
        raise RedbuttonError(f"cannot link a port at {link}: no such folder, or not writable")
    if link.exists() and not link.is_symlink():
        raise RedbuttonError(f"cannot link a port at {link}: there is a file of that name")


def _probe(
    board: RealTimeBoard, link: Path | None, say: Say
) -> AbstractContextManager[VirtualProbe | None]:
    """The bench's probe, wired to the board in place of its button, keys and supply."""
    if link is None:
        return nullcontext()
    say(f"probe on {link}: the board is released until a bench speaks to it", event="probe")
    return VirtualProbe(board, link)


def _hands(
    board: RealTimeBoard, probe: VirtualProbe | None, port: Path, say: Say
) -> AbstractContextManager[object]:
    """Hands for other programs of this user; without them, as on a path too long, it goes on."""
    path = hands_path(str(port))
    try:
        return Hands(path, lambda words: command(board, words, probe))
    except RedbuttonError as error:
        say(str(error), event="error", error=str(error))
        return nullcontext()


def _show(change: Change, say: Say) -> None:
    if change.signal in SHOWN:
        say(
            f"{change.signal.replace('_', ' ')} {'on' if change.value else 'off'}",
            event="change",
            signal=change.signal,
            value=change.value,
            wall_s=change.wall_s,
            virtual_us=change.at_us,
        )


def _obey(
    board: RealTimeBoard, probe: VirtualProbe | None, over: threading.Event, say: Say
) -> None:
    for line in sys.stdin:
        words = line.split()
        if not words:
            continue
        if words == ["quit"]:
            break
        try:
            command(board, words, probe)
        except (RedbuttonError, ValueError) as error:
            say(f"{line.strip()}: {error}", event="error", error=str(error))
    else:
        return
    over.set()


def command(board: RealTimeBoard, words: list[str], probe: VirtualProbe | None = None) -> None:
    """Do what one line says; ValueError if it says nothing that can be done."""
    simple: dict[str, Callable[[], Any]] = {
        "press": board.press,
        "release": board.release,
        "reset": board.reset,
        "unplug": board.cable.unplug,
        "plug": board.cable.plug,
        "power": board.power_cycle,
    }
    match words:
        case [name] if name in simple:
            simple[name]()
        case ["key" | "supply" as name, "on" | "off" as level]:
            board.act(name, int(level == "on"))
        case ["stick", signal_name, "0" | "1" as level]:
            board.act(f"stick:{signal_name}", int(level))
        case ["free", signal_name]:
            board.act(f"stick:{signal_name}", -1)
        case ["cut" | "short" | "cross" | "mend", *_] if probe is not None:
            probe.wire(words)
        case _:
            raise ValueError(
                "not a command: press, release, reset, unplug, plug, power, key on|off, "
                "supply on|off, stick SIGNAL 0|1, free SIGNAL, quit; with a probe cut WIRE, "
                "short WIRE, cross WIRE WIRE, mend"
            )
