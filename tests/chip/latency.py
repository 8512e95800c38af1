"""From a contact that opens to both outputs off, many times over."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from emulated_chip import Chip

from redbutton.firmware import pins

SAMPLE_US = 0.5  # how finely the outputs are looked at
LOOK_US = 400  # longer than any output may stay on, and than K1's pulses are apart
CLOSED_US = (2000, 4000)  # between two edges, at a random phase of the control loop
OUTPUTS = (pins.K1, pins.K2)


@dataclass(frozen=True)
class Edge:
    """How long after the contact opened each output was last seen high, in microseconds."""

    k1: float
    k2: float


class Stopwatch:
    """Opens a contact at random moments and watches both outputs."""

    def __init__(self, chip: Chip, contact: int = pins.CONTACT_A, seed: int = 1) -> None:
        self._chip = chip
        self._contact = contact
        self._random = random.Random(seed)
        self._opened = 0.0
        self._last: dict[int, float] = {}
        self.edges: list[Edge] = []
        self.also: Callable[[], object] = lambda: None  # done before each edge
        chip.drive(contact, 1)

    def measure(self, count: int) -> list[Edge]:
        """So many edges, each from an output K2 that was on."""
        for _ in range(20 * count):
            if len(self.edges) >= count:
                return self.edges
            self.also()
            self._chip.run(self._random.uniform(*CLOSED_US) / 1000)
            if self._chip.level(pins.K2):
                self._edge()
        raise AssertionError(f"K2 was on at {len(self.edges)} of {20 * count} moments")

    def _edge(self) -> None:
        self._last = dict.fromkeys(OUTPUTS, 0.0)
        self._chip.drive(self._contact, 0)
        self._opened = self._chip.us
        self._look()
        self._chip.run((LOOK_US + 50) / 1000)
        self._chip.drive(self._contact, 1)
        self.edges.append(Edge(*(self._last[gpio] for gpio in OUTPUTS)))

    def _look(self) -> None:
        passed = self._chip.us - self._opened
        for gpio in OUTPUTS:
            if self._chip.level(gpio):
                self._last[gpio] = passed
        if passed < LOOK_US:
            self._chip.after(SAMPLE_US, self._look)


def worst(edges: list[Edge]) -> float:
    """p100, of both outputs."""
    return max(max(edge.k1, edge.k2) for edge in edges)
