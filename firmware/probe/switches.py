"""The probe's hands: solid-state relays, all open while no pin is high."""

import harness
from machine import Pin


class Switches:
    """One pin each; made with every pin low."""

    def __init__(self) -> None:
        self._pins = {}
        for _, states, _ in harness.OUTPUTS:
            for _, gpios in states:
                for gpio in gpios:
                    self._pins[gpio] = Pin(gpio, Pin.OUT, value=0)

    def set(self, output: int, state: int) -> None:
        """Put one output into one of its states. What opens does so before anything closes."""
        states = harness.OUTPUTS[output][1]
        high = states[state][1]
        for _, gpios in states:
            for gpio in gpios:
                if gpio not in high:
                    self._pins[gpio].value(0)
        for gpio in high:
            self._pins[gpio].value(1)

    def release(self) -> None:
        """Everything into the state of a probe without power: the stopped side."""
        for pin in self._pins.values():
            pin.value(0)
