"""The live view in a terminal: one loop over keys, states and answers, without a thread."""

import contextlib
import os
import select
import sys
import termios
import time
from datetime import datetime

from rich.console import Console
from rich.live import Live
from typing_extensions import Self

from redbutton.errors import NoContact
from redbutton.local import StopRequest
from redbutton.monitor.history import History
from redbutton.monitor.keys import BY_KEY, HELP, QUIT, STOP, Things
from redbutton.monitor.view import ASCII, BLOCKS, Scene, screen
from redbutton.virtual.hands import Fingers, hands_path
from redbutton.watch import Watch

TURN_S = 0.1
RETRY_S = 0.5


class Keyboard:
    """Keys of a terminal as they are pressed, unechoed. As a context manager it is put back."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self._handle)
        mode = termios.tcgetattr(self._handle)
        mode[3] &= ~(termios.ICANON | termios.ECHO)
        # Nothing may freeze the picture: a state that stands still is a stale one.
        mode[0] &= ~termios.IXON
        mode[6][termios.VSUSP] = b"\0"
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 0, 0
        termios.tcsetattr(self._handle, termios.TCSADRAIN, mode)
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._handle, termios.TCSADRAIN, self._before)

    def fileno(self) -> int:
        """For select."""
        return self._handle

    def pressed(self) -> str:
        """The keys of this moment; QUIT where the terminal is gone."""
        try:
            data = os.read(self._handle, 64)
        except OSError:
            data = b""
        # An arrow or function key is an escape and letters that nobody has pressed.
        return data.partition(b"\x1b")[0].decode(errors="replace") if data else QUIT[0]


class Monitor:
    """What the keys act on and the screen shows."""

    def __init__(self, watch: Watch, ascii_only: bool) -> None:
        self._watch = watch
        self._glyphs = ASCII if ascii_only else BLOCKS
        self._history = History(time.monotonic())
        self._things = Things()
        self._fingers: Fingers | None = None
        self._note = ""
        self._help = False
        self._retry = 0.0
        self.over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._watch.close()
        self._let_go()

    def wait(self, keyboard: Keyboard) -> bool:
        """Until something comes, at most a turn; whether it is a key."""
        handles: list[int] = [keyboard.fileno(), *self._watch.filenos()]
        if self._fingers is not None:
            handles.append(self._fingers.fileno())
        return keyboard.fileno() in select.select(handles, [], [], TURN_S)[0]

    def turn(self) -> bool:
        """Do all that can be done now; whether there is news that must be seen at once."""
        now = time.monotonic()
        before = self._history.present(now)
        for state in self._watch.take():
            self._history.take(now, state)
        if now >= self._retry:
            self._retry = now + RETRY_S
            if self._watch.gone:
                self._watch.rejoin()
            if self._fingers is None:
                self._reach()
        self._listen()
        present = self._history.present(now)
        self._things.see(present, os.path.exists(self._watch.port))
        return (before.state, before.load, before.measured) != (
            present.state,
            present.load,
            present.measured,
        )

    def press(self, key: str) -> None:
        """A key is pressed."""
        if key in QUIT:
            self.over = True
        elif key == HELP:
            self._help = not self._help
        elif key == STOP:
            self._note = self._stop()
        elif key in BY_KEY and self._fingers is not None:
            for words in BY_KEY[key].words(self._things):
                self._note = self._do(self._fingers, words)

    def draw(self, live: Live) -> None:
        """Show what is so now."""
        scene = Scene(
            port=self._watch.port,
            hands=self._fingers is not None,
            note=self._note,
            help=self._help,
            glyphs=self._glyphs,
        )
        width, height = live.console.size
        now, clock = time.monotonic(), datetime.now()
        live.update(screen(self._history, scene, now, clock, width, height), refresh=True)

    def _stop(self) -> str:
        try:
            sent = self._watch.stop(StopRequest(reason="key pressed in redbutton monitor"))
        except NoContact:
            sent = False
        if not sent:
            return "no stop could be requested: press the red button"
        return f"{datetime.now():%H:%M:%S} a stop was requested"

    def _do(self, fingers: Fingers, words: str) -> str:
        try:
            fingers.do(words)
        except OSError as error:
            return f"hands: {words}: {error}"
        return f"hands: {words}"

    def _reach(self) -> None:
        with contextlib.suppress(OSError):
            self._fingers = Fingers(hands_path(self._watch.port))

    def _listen(self) -> None:
        if self._fingers is None:
            return
        try:
            for answer in self._fingers.answers():
                self._note += f": {answer}" if answer != "done" else ""
        except OSError:
            self._let_go()

    def _let_go(self) -> None:
        if self._fingers is not None:
            self._fingers.close()
            self._fingers = None


def run(console: Console, watch: Watch) -> None:
    """Until a key says so, Ctrl-C, or the terminal is gone."""
    with (
        contextlib.suppress(KeyboardInterrupt),
        Monitor(watch, console.options.ascii_only) as monitor,
        Keyboard(sys.stdin.fileno()) as keyboard,
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        drawn = float("-inf")
        while not monitor.over:
            keys = keyboard.pressed() if monitor.wait(keyboard) else ""
            for key in keys:
                monitor.press(key)
            if monitor.turn() or keys or time.monotonic() - drawn >= TURN_S:
                drawn = time.monotonic()
                monitor.draw(live)
