"""The pendant at work: contacts to stop requests, measured state to lights.

A process of its own, a client of the owner's socket: what happens on these pins can delay no
heartbeat, and the socket takes nothing but stop requests from it. When the process ends, so does
the light: pins are released.
"""

import contextlib
import os
import select
import time
from collections.abc import Callable
from typing import Any

from typing_extensions import Self

from redbutton.errors import MissingTool, PendantFailed
from redbutton.follow import Follow
from redbutton.local import StopRequest
from redbutton.pendant.lights import lit
from redbutton.pendant.settings import Level, Light, PendantSettings, Pin, Pull, Switch

TURN_S = 0.02
# While a contact is open, and until the stop is measured. Any press of the reset button, 150 ms at
# least, meets a request.
REPEAT_S = 0.05
DISAGREE_S = 0.1  # contacts of one button, as in SR-11

Say = Callable[..., None]


class _Contacts:
    """The contacts of a switch, and the stop that is owed to an opening until it is measured."""

    def __init__(self, switch: Switch, inputs: list[Any], wake: Callable[[], None]) -> None:
        self.name = switch.name
        self._inputs = inputs
        self._wake = wake
        self._openings = 0  # counted by a thread of the library, and never set back here
        self._seen = 0
        self.asked = float("-inf")
        self.owed = False
        self.held = False
        self.differ_since: float | None = None
        self.told = False
        for device in inputs:
            device.when_deactivated = self._open

    def _open(self) -> None:
        self._openings += 1
        self._wake()

    def take(self) -> tuple[bool, bool]:
        """Whether any contact is, or since the last time was open, however shortly; whether they
        disagree now."""
        openings = self._openings
        opened, self._seen = openings != self._seen, openings
        closed = [bool(device.is_active) for device in self._inputs]
        return opened or not all(closed), len(set(closed)) > 1


class Pendant:
    """Use as a context manager; `turn` over and over. Every failure of a pin asks for a stop."""

    def __init__(
        self, settings: PendantSettings, follow: Follow, say: Say, factory: Any = None
    ) -> None:
        """`say`: takes a text, and fields for a script. `factory`: gpiozero's, of pins; None: the
        one of this computer. PendantFailed if a pin cannot be had."""
        self._settings = settings
        self._follow = follow
        self._say = say
        self._devices: list[Any] = []
        self._lights: dict[Light, Any] = {}
        self._contacts: list[_Contacts] = []
        self._lit: set[Light] | None = None
        self._contact = True
        self._ready, self._signal = os.pipe()
        for end in (self._ready, self._signal):
            os.set_blocking(end, False)
        with self._guarded():
            self._open(factory)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _open(self, factory: Any) -> None:
        try:
            import gpiozero  # noqa: PLC0415
        except ImportError:
            raise MissingTool("no gpiozero here: pip install 'redbutton[pendant]'") from None

        def contact(pin: Pin, pull: Pull) -> Any:
            # Active is closed. No bounce time: nothing may keep an opening back.
            device = gpiozero.DigitalInputDevice(pin, pull_up=pull is Pull.UP, pin_factory=factory)
            self._devices.append(device)
            return device

        for light, pin in self._settings.outputs.items():
            device = gpiozero.DigitalOutputDevice(
                pin, active_high=self._settings.lit_by is Level.HIGH, pin_factory=factory
            )
            self._devices.append(device)
            self._lights[light] = device
        for switch in self._settings.switches:
            inputs = [contact(pin, switch.pull) for pin in switch.contacts]
            self._contacts.append(_Contacts(switch, inputs, self._wake))

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it wakes anyway; closed: too late
            os.write(self._signal, b".")

    @contextlib.contextmanager
    def _guarded(self) -> Any:
        """What a pin raises, whatever it is, is a stop and an error: its button may be deaf."""
        try:
            yield
        except MissingTool:
            raise
        except Exception as error:
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            self._follow.stop(StopRequest(reason=f"pendant failed: {text}"[:200]))
            self.close()
            raise PendantFailed(f"a pin of the pendant fails: {text}") from None

    def turn(self) -> None:
        """Ask for a stop where a contact is open, show the state. PendantFailed if a pin fails."""
        with contextlib.suppress(OSError):
            os.read(self._ready, 4096)
        now = time.monotonic()
        with self._guarded():
            for contacts in self._contacts:
                self._look_at(contacts, now)
        self._follow.turn()
        with self._guarded():
            self._show(time.monotonic())

    def wait(self) -> None:
        """Until a contact opens or the owner tells something, at most 20 ms."""
        handles = [self._ready]
        if self._follow.fileno() >= 0:
            handles.append(self._follow.fileno())
        select.select(handles, [], [], TURN_S)

    def _look_at(self, contacts: _Contacts, now: float) -> None:
        is_open, differ = contacts.take()
        if is_open:
            contacts.owed = True
        elif contacts.owed and self._follow.stopped_since(contacts.asked):
            contacts.owed = False
        fresh = is_open and not contacts.held
        if contacts.owed and (fresh or now - contacts.asked >= REPEAT_S):
            contacts.asked = now
            asked = self._follow.stop(StopRequest(reason=f"pendant: {contacts.name}"))
            if fresh:
                self._say(
                    f"{contacts.name}: open, a stop "
                    + ("was requested" if asked else "could not be requested, nobody to ask"),
                    event="open",
                    name=contacts.name,
                    requested=asked,
                )
        if contacts.held and not is_open:
            self._say(f"{contacts.name}: closed again", event="closed", name=contacts.name)
        contacts.held = is_open
        if not differ:
            contacts.differ_since, contacts.told = None, False
        elif contacts.differ_since is None:
            contacts.differ_since = now
        elif now - contacts.differ_since >= DISAGREE_S and not contacts.told:
            contacts.told = True
            self._say(
                f"{contacts.name}: its contacts disagree, look after the wiring",
                event="disagree",
                name=contacts.name,
            )

    def _show(self, now: float) -> None:
        state = self._follow.state()
        if state.heard != self._contact:
            self._contact = state.heard
            self._say(
                state.sentence() if state.heard else f"all dark: {state.sentence()}",
                event="contact",
                contact=state.heard,
            )
        wanted = lit(self._settings, state, now)
        if wanted != self._lit:
            for light, device in self._lights.items():
                device.value = light in wanted
            self._lit = wanted

    def close(self) -> None:
        """All dark, all pins released. Never raises."""
        for device in self._devices:
            with contextlib.suppress(Exception):
                device.close()
        self._devices.clear()
        for end in (self._ready, self._signal):
            with contextlib.suppress(OSError):
                os.close(end)


def run(settings: PendantSettings, port: str | None, say: Say, dark: bool = False) -> None:
    """Until a signal, or with `dark` only until all lights are off."""
    follow = Follow(port)
    try:
        if dark:
            unwired = settings.model_copy(update={"buttons": (), "key_switch": None})
            Pendant(unwired, follow, say).close()
            return
        with Pendant(settings, follow, say) as pendant:
            say("the pendant is at work; it is no emergency stop", event="ready")
            while True:
                pendant.turn()
                pendant.wait()
    finally:
        follow.close()
