"""The chip on the bench: modelled plant at its pins, the host's session at its serial port.

Both live in the chip's own time. The verdict about stopping comes from the plant's load.
"""

from collections.abc import Callable
from typing import Protocol

from emulated_chip import Chip

from redbutton.firmware import pins
from redbutton.model import SafetyState
from redbutton.session import Event, Session
from redbutton.virtual.shim.plant import Plant

HOST_PERIOD_US = 1000
INPUTS = {
    "contact_a": pins.CONTACT_A,
    "contact_b": pins.CONTACT_B,
    "mirror_1": pins.MIRROR_1,
    "mirror_2": pins.MIRROR_2,
    "reset": pins.RESET,
    "key": pins.KEY,
    "supply": pins.SUPPLY,
}
PULSE_US = 200  # longer than one period of K1's pulses and the pause between two words


class Port(Protocol):
    """A serial port in somebody's time."""

    @property
    def now(self) -> float: ...
    def read(self) -> bytes: ...
    def write(self, data: bytes) -> object: ...


class Host:
    """The host's session at a port. `alive` off: it only watches. `heard`: all that came."""

    def __init__(self, port: Port, key: bytes) -> None:
        self.port = port
        self.session = Session(key)
        self.alive = True
        self.heard = bytearray()
        self.events: list[Event] = []
        port.write(self.session.opened(port.now))

    def turn(self) -> None:
        """Read, take, answer."""
        data = self.port.read()
        self.heard += data
        self.events += self.session.receive(data, self.port.now)
        answer = self.session.answer(self.port.now, self.alive)
        if answer:
            self.port.write(answer)

    @property
    def state(self) -> SafetyState:
        """What the host says of the controller now."""
        return self.session.state(self.port.now)


class PlantAtPins:
    """The plant, wired to a chip's pins. `changes`: (us, signal, value)."""

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self.changes: list[tuple[float, str, int]] = []
        self.plant = Plant(self._changed)
        self._planned: int | None = None
        for name in INPUTS:
            self._sense(name)
        chip.watch(pins.K1, self._k1)
        chip.watch(pins.K2, lambda us, level: self._told(lambda: self.plant.k2(level)))
        chip.watch(pins.WATCHDOG, self._watchdog)

    @property
    def load(self) -> bool:
        """Whether the load is energised now."""
        self._told(lambda: None)
        return bool(self.plant.value["load"])

    def act(self, name: str, value: int) -> None:
        """A person or a fault acts now. See `Plant.act`."""
        self._told(lambda: self.plant.act(name, value))

    def when(self, signal: str, value: int, since: float = 0) -> float:
        """When the signal first became so."""
        return next(
            us for us, name, now in self.changes if (name, now) == (signal, value) and us >= since
        )

    def _k1(self, us: float, level: int) -> None:
        if level:
            self._told(lambda: self.plant.pulses(int(us) + PULSE_US))

    def _watchdog(self, us: float, level: int) -> None:
        if level:
            self._told(self.plant.feed)

    def _told(self, act: Callable[[], object]) -> None:
        """The plant lives up to now, takes what happens, and is woken for what follows."""
        self.plant.advance(int(self._chip.us))
        act()
        self._plan()

    def _plan(self) -> None:
        due = self.plant.next_event()
        if due is not None and (self._planned is None or due < self._planned):
            self._planned = due
            self._chip.after(max(due - self._chip.us, 0), lambda: self._wake(due))

    def _wake(self, due: int) -> None:
        if self._planned == due:
            self._planned = None
        self.plant.advance(int(self._chip.us) + 1)
        self._plan()

    def _changed(self, us: int, name: str, value: int) -> None:
        self.changes.append((us, name, value))
        for signal in INPUTS if name == "supply" else (name,):
            if signal in INPUTS:
                self._sense(signal)

    def _sense(self, name: str) -> None:
        self._chip.drive(INPUTS[name], self.plant.sense(name))


class Bench:
    """Chip, plant and host together."""

    def __init__(self, chip: Chip, key: bytes) -> None:
        self.chip = chip
        self.plant = PlantAtPins(chip)
        self.host = Host(chip, key)
        chip.every(HOST_PERIOD_US, self.host.turn)

    @property
    def state(self) -> str:
        """The controller's state as the host measures it; UNKNOWN if nothing is fresh."""
        return str(self.host.state.state.value)

    def run(self, ms: float) -> None:
        self.chip.run(ms)

    def press_reset(self, ms: float = 300) -> None:
        """A person presses the reset button for so long."""
        self.plant.act("reset", 1)
        self.run(ms)
        self.plant.act("reset", 0)

    def to_stopped(self) -> "Bench":
        """From power-up until the host measures STOPPED."""
        assert self.chip.run_until(lambda: self.state == "STOPPED", 2000, 5), self.host.state
        return self

    def to_run(self) -> "Bench":
        """From power-up to RUN, with the load proven on."""
        self.to_stopped()
        self.run(100)
        self.press_reset()
        assert self.chip.run_until(lambda: self.state == "RUN", 1500, 5), self.host.state
        self.run(30)
        assert self.plant.load, self.host.state.sentence()
        return self
