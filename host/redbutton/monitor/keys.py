"""What each key does. None resets: only on the virtual board, which has a person's hands, is there
one that presses the reset button of the model.
"""

from collections.abc import Callable
from dataclasses import dataclass

from redbutton.model import SafetyState

QUIT = ("q", "\x04")
STOP = "s"
HELP = "?"


@dataclass
class Things:
    """How the things at the virtual board stand: as measured, else as these hands left them."""

    pressed: bool = False
    maintenance: bool = False
    supply: bool = True
    plugged: bool = True

    def see(self, state: SafetyState, plugged: bool) -> None:
        """Take what is measured, if anything is."""
        self.plugged = plugged
        measured = state.measured
        if measured is not None:
            self.supply = measured.supply_ok
        if measured is not None and measured.supply_ok:  # without it every contact reads open
            self.pressed = not (measured.contact_a_closed or measured.contact_b_closed)
            self.maintenance = measured.key_maintenance


@dataclass(frozen=True)
class Hand:
    """A key for the hands. `words`: what the console of the virtual board is to be told."""

    key: str
    name: str
    what: str
    words: Callable[[Things], tuple[str, ...]]


def _button(things: Things) -> tuple[str, ...]:
    things.pressed = not things.pressed
    return ("press" if things.pressed else "release",)


def _switch(things: Things) -> tuple[str, ...]:
    things.maintenance = not things.maintenance
    return ("key on" if things.maintenance else "key off",)


def _supply(things: Things) -> tuple[str, ...]:
    things.supply = not things.supply
    return ("supply on" if things.supply else "supply off",)


HANDS = (
    Hand("p", "press", "press or release the button", _button),
    Hand("r", "reset", "press the reset button, 0.3 s", lambda _: ("reset",)),
    Hand("k", "key", "turn the key switch", _switch),
    Hand("v", "supply", "take or give the supply", _supply),
    Hand(
        "u",
        "plug",
        "unplug or plug in the port",
        lambda things: ("unplug" if things.plugged else "plug",),
    ),
    Hand("o", "power", "power the board off and on", lambda _: ("power",)),
    Hand("1", "weld K1", "weld relay K1", lambda _: ("stick relay_1 1",)),
    Hand("2", "weld K2", "weld relay K2", lambda _: ("stick relay_2 1",)),
    Hand("0", "mend", "mend both relays", lambda _: ("free relay_1", "free relay_2")),
)
BY_KEY = {hand.key: hand for hand in HANDS}
