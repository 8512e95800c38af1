"""What a rig in real time can cause: by the probe's contacts, by software, or not at all."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from redbutton.bench.faults import FREE, Act, Fault
from redbutton.bench.run import Placed
from redbutton.bench.scenario import DEEDS, Load, Scenario, Start
from redbutton.errors import CannotCause

PRESS_SKEW_US = 700  # contact B after contact A, as in the model
POWER_OFF_US = 200_000  # how long a power cycle of the board takes
CONTACTS = ("contact_a", "contact_b", "reset")
MIRRORS = ("mirror_1", "mirror_2")
STUCK = (*CONTACTS, *MIRRORS)
# Contacts whose wire to the controller leads nowhere else: a fault of the wire is one of theirs.
WIRES = ("reset", "key", *MIRRORS)
OPERATION = {
    "contact_a": "closed",
    "contact_b": "closed",
    "reset": "open",
    "key": "operation",
    "mirror_1": "follows",
    "mirror_2": "follows",
    "supply": "on",
    "board": "on",
    "usb": "plugged",
}
WORDS = {
    "reset": ("open", "pressed"),
    "key": ("operation", "maintenance"),
    "supply": ("off", "on"),
    "board": ("off", "on"),
    "usb": ("unplugged", "plugged"),
}


class Move(NamedTuple):
    """An output of the probe comes to be in a state: us from the start."""

    us: int
    output: str
    state: str


class Deed(NamedTuple):
    """Software does something: us from the start."""

    us: int
    act: Act


def by_software(act: Act) -> bool:
    """Whether a host alone can do it."""
    return act.name.startswith(("host:", "link:"))


def by_probe(act: Act) -> bool:
    """Whether contacts can."""
    kind, _, what = act.name.partition(":")
    if kind == "after":
        return what.partition(":")[2] == "supply"
    return (
        act.name in ("button", "reset", "key", "supply", "board:power", "time:skew")
        or (kind == "stick" and what in (*STUCK, "supply"))
        or (kind == "pin" and what in WIRES)
        or act.name == "link:unplugged"
    )


def cannot(fault: Fault, probe: bool) -> str | None:
    """Why a fault cannot be caused here, or None if it can be."""
    for act in (*fault.begins, *fault.ends):
        if not (by_software(act) or (probe and by_probe(act))):
            means = "neither the probe nor software can" if probe else "software alone cannot"
            return f"{fault.name}: {fault.words}: {means} cause that; the virtual board can"
    return None


def clipped(scenario: Scenario) -> tuple[Scenario, str]:
    """As much of a scenario as software alone can cause and the controller can measure, and what
    was left out. CannotCause if that shows nothing."""
    end = scenario.until
    left_out = ""
    for step in scenario.steps:
        if not all(by_software(act) for _, act in DEEDS[step.do]) and step.at <= end:
            end, left_out = step.at, f"up to {step.at} ms, where it needs {step.do.value}"
            break
    expect = tuple(
        one.model_copy(update={"until": min(one.until, end)})
        for one in scenario.expect
        if one.since < end
    )
    stops = any(one.load is Load.OFF for one in expect)
    if scenario.start is Start.POWER_UP or scenario.demand is None or not stops:
        raise CannotCause(
            f"{scenario.name}: without a probe software alone cannot cause what it is about "
            "(--probe names one)"
        )
    steps = tuple(step for step in scenario.steps if step.at < end)
    changed = {"until": end, "expect": expect, "steps": steps}
    return scenario.model_copy(update=changed), left_out


class Desk:
    """Turns acts into what the probe's outputs do. What is stuck stays, whatever moves it."""

    def __init__(self) -> None:
        self._natural = {"contact_a": 1, "contact_b": 1, "reset": 0, "key": 0, "supply": 1}
        self._natural |= {"board": 1, "usb": 1, "mirror_1": FREE, "mirror_2": FREE}
        self._stuck: dict[str, int] = {}
        self._skew_us = PRESS_SKEW_US
        self._shown = dict(OPERATION)

    def moves(self, acts: Iterable[tuple[int, Act]]) -> list[Move]:
        """Of acts that only contacts can do, with their times in us; in the order of time."""
        primitive = []
        for us, act in sorted(acts, key=lambda one: one[0]):
            primitive += list(self._primitive(us, act))
        found = []
        for us, values, name, value in sorted(primitive, key=lambda one: one[0]):
            values[name] = value
            state = self._state(name)
            if state != self._shown[name]:
                self._shown[name] = state
                found.append(Move(us, name, state))
        return found

    def _primitive(self, us: int, act: Act) -> Iterable[tuple[int, dict[str, int], str, int]]:
        """What an act changes: when, of which values, which, to what."""
        kind, _, what = act.name.partition(":")
        natural, value = self._natural, act.value
        if act.name == "button":
            yield us, natural, "contact_a", 1 - value
            yield us + self._skew_us, natural, "contact_b", 1 - value
        elif act.name == "time:skew":
            self._skew_us = PRESS_SKEW_US if value == FREE else value
        elif act.name == "board:power":
            yield us, natural, "board", 0
            yield us + POWER_OFF_US, natural, "board", 1
        elif act.name == "link:unplugged":
            yield us, natural, "usb", 1 - value
        elif kind == "after":
            after, _, name = what.partition(":")
            yield us + int(after) * 1000, natural, name, value
        elif kind in ("stick", "pin"):
            yield us, self._stuck, what, value
        else:
            yield us, natural, act.name, value

    def _state(self, name: str) -> str:
        value = self._stuck.get(name, FREE)
        if value == FREE:
            value = self._natural[name]
        if value == FREE:
            return "follows"
        return WORDS.get(name, ("open", "closed"))[value]


def split(
    acts: Iterable[tuple[int, Act]], probe: bool
) -> tuple[list[tuple[int, Act]], list[Deed]]:
    """What the probe does, and what software does."""
    contacts, deeds = [], []
    for us, act in acts:
        if probe and by_probe(act):
            contacts.append((us, act))
        else:
            deeds.append(Deed(us, act))
    return contacts, deeds


def refuse(scenario: Scenario, faults: Sequence[tuple[Placed, Fault]], probe: bool) -> None:
    """CannotCause, with one line, for what this rig cannot do."""
    for _, fault in faults:
        if why := cannot(fault, probe):
            raise CannotCause(f"{scenario.name}: {why}")
