"""The section `pendant` of the host's configuration: what is on which pin.

```yaml
pendant:
  buttons:                        # normally closed contacts: an open wire is a stop
    - {name: left, contacts: [5, 6]}
    - {name: right, contacts: [13]}
  key_switch: {contacts: [26]}    # open: hold, a stop is asked for all the while
  lights: {red: 17, yellow: 27, green: 22, blue: 23}
  buzzer: 24
  lit_by: high                    # the level that lights a lamp and sounds the buzzer
  shown:                          # in place of the default of a state
    STOPPED: {red: on}
```

A pin is a BCM number, or any name that gpiozero knows (GPIO17, BOARD11).
"""

from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from redbutton.document import Misplaced, Part, only

CONTACTS_MOST = 2  # of a button
Pin = Annotated[int, Field(strict=True, ge=0)] | Annotated[str, Field(strict=True, min_length=1)]


class Pull(str, Enum):
    """Of the chip's own resistor. up: a contact is wired to 0 V, and closed it reads low. down: to
    3.3 V, closed it reads high. In both a wire that is off reads as an open contact."""

    UP = "up"
    DOWN = "down"


class Level(str, Enum):
    """Of an output."""

    HIGH = "high"
    LOW = "low"


class Light(str, Enum):
    """What can be lit or sounded."""

    RED = "red"
    YELLOW = "yellow"
    GREEN = "green"
    BLUE = "blue"
    BUZZER = "buzzer"


class Pattern(str, Enum):
    """blink: on in the first half of each period."""

    OFF = "off"
    ON = "on"
    BLINK = "blink"


class Shown(str, Enum):
    """What is measured. UNPROVEN: a state that the mirror contacts do not bear out. There is
    nothing for a controller that is not heard: then all is dark."""

    STOPPED = "STOPPED"
    TESTING = "TESTING"
    RUN = "RUN"
    STOPPING = "STOPPING"
    LOCKOUT = "LOCKOUT"
    UNPROVEN = "UNPROVEN"


Patterns = dict[Light, Pattern]

# Red, green and buzzer as the controller's own (firmware/indicate.py). IEC 60204-1, 10.3.2, and
# IEC 60073: red for danger and stop, yellow for what is abnormal, green for normal operation,
# blue where a person must act.
DEFAULT: dict[Shown, Patterns] = {
    Shown.STOPPED: {Light.RED: Pattern.ON, Light.BLUE: Pattern.ON},
    Shown.TESTING: {Light.RED: Pattern.ON, Light.GREEN: Pattern.ON},
    Shown.RUN: {Light.GREEN: Pattern.ON},
    Shown.STOPPING: {
        Light.GREEN: Pattern.BLINK,
        Light.YELLOW: Pattern.ON,
        Light.BUZZER: Pattern.ON,
    },
    Shown.LOCKOUT: {
        Light.RED: Pattern.BLINK,
        Light.BLUE: Pattern.BLINK,
        Light.BUZZER: Pattern.BLINK,
    },
    Shown.UNPROVEN: {Light.YELLOW: Pattern.BLINK},
}


class Switch(Part):
    """A button or key switch with one or two normally closed contacts, each on a pin."""

    name: Annotated[str, Field(min_length=1, max_length=40)] = "key switch"
    contacts: Annotated[tuple[Pin, ...], Field(min_length=1, max_length=CONTACTS_MOST)]
    pull: Pull = Pull.UP


class Button(Switch):
    """`name`: what the record calls it."""

    name: Annotated[str, Field(min_length=1, max_length=40)] = "button"


class PendantSettings(Part):
    """A pendant. Every part of it may be missing, but not all."""

    buttons: tuple[Button, ...] = ()
    key_switch: Switch | None = None
    lights: dict[Light, Pin] = Field(default_factory=dict)
    buzzer: Pin | None = None
    lit_by: Level = Level.HIGH
    shown: dict[Shown, Patterns] = Field(default_factory=dict)

    @field_validator("lights", mode="before")
    @classmethod
    def _lights(cls, data: Any) -> Any:
        return only([light.value for light in Light if light is not Light.BUZZER], data)

    @field_validator("shown", mode="before")
    @classmethod
    def _measured(cls, data: Any) -> Any:
        if isinstance(data, dict) and "UNKNOWN" in data:
            raise Misplaced(("UNKNOWN",), "cannot be shown: what is not known is dark")
        return only([shown.value for shown in Shown], data)

    @model_validator(mode="after")
    def _something(self) -> Self:
        pins = list(self._pins())
        if not pins:
            raise ValueError("names no pin")
        for pin in pins:
            if pins.count(pin) > 1:
                raise ValueError(f"pin {pin} is named {pins.count(pin)} times")
        return self

    def _pins(self) -> Iterator[Pin]:
        for switch in self.switches:
            yield from switch.contacts
        yield from self.outputs.values()

    @property
    def switches(self) -> tuple[Switch, ...]:
        """All that may ask for a stop."""
        return (*self.buttons, *((self.key_switch,) if self.key_switch else ()))

    @property
    def outputs(self) -> dict[Light, Pin]:
        """All that can be lit or sounded."""
        return {**self.lights, **({} if self.buzzer is None else {Light.BUZZER: self.buzzer})}

    def patterns(self, shown: Shown) -> Patterns:
        """What is lit there."""
        return self.shown.get(shown, DEFAULT[shown])
