"""The library of faults: what each is, where it sits, and what it does to the model.

A fault is a list of acts when it begins and, if it ends, a list when it ends. Names of acts:

| begins with | who knows it |
|---|---|
| link: host: board: | `redbutton.bench.rig.Rig` |
| chip: | `redbutton/virtual/shim/world.py` |
| any other | `Plant.act` in `redbutton/virtual/shim/plant.py` |

Sources: ISO 13849-2:2012, annex D, by its tables (D.4 conductors, D.8 switches, D.9 relays, D.18
discrete semiconductors, D.20 and D.21 integrated circuits); IEC 61784-3, clause 5.3, for errors of
communication. The tables' numbers are from public literature, not from the standard itself.
"""

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from redbutton.model import Frozen


class Place(str, Enum):
    """Where a fault sits."""

    BUTTON = "button"
    RELAY = "relay"
    MIRROR = "mirror contact"
    DRIVE = "drive"
    INPUT = "input"
    SUPPLY = "supply"
    CHIP = "chip"
    MEMORY = "memory"
    FLASH = "flash"
    LINK = "link"
    HOST = "host"


class Act(NamedTuple):
    """Something done to the model."""

    name: str
    value: int


class Fault(Frozen):
    """`begins`, `ends`: what is done. `ends` is empty for what cannot be taken back, which `stays`
    for good or is over by itself. `software`: it can be caused on a real controller over its port
    alone."""

    name: str
    place: Place
    source: str
    words: str
    begins: tuple[Act, ...]
    ends: tuple[Act, ...] = ()
    stays: bool = False
    software: bool = False

    @property
    def lasting(self) -> bool:
        """Whether it is there until it is mended."""
        return self.stays or bool(self.ends)


D4 = "ISO 13849-2 table D.4"
D8 = "ISO 13849-2 table D.8"
D9 = "ISO 13849-2 table D.9"
D18 = "ISO 13849-2 table D.18"
D20 = "ISO 13849-2 table D.20"
D21 = "ISO 13849-2 table D.21"
SUPPLY = "ISO 13849-2 table D.2 (energy supply)"
COMMUNICATION = "IEC 61784-3 clause 5.3"
HOST = "design SR-20"
FREE = -1
LONG_US = 10_000_000


def _held(signal: str, value: int, place: Place, source: str, words: str) -> Fault:
    """A signal of the plant that stays at a level."""
    kind, _, name = signal.partition(":")
    level = ("open", "closed")[value] if kind == "stick" else ("low", "high")[value]
    return Fault(
        name=f"{name}.{'stuck' if kind == 'stick' else 'pin'}-{level}",
        place=place,
        source=source,
        words=words,
        begins=(Act(signal, value),),
        ends=(Act(signal, FREE),),
    )


def _slow(name: str, what: str, microseconds: int, words: str) -> Fault:
    return Fault(
        name=name,
        place=Place.RELAY,
        source=D9,
        words=words,
        begins=(Act(f"time:{what}", microseconds),),
        ends=(Act(f"time:{what}", FREE),),
    )


def _of_contacts() -> Iterable[Fault]:
    for letter in "ab":
        what = f"contact {letter.upper()} of the button"
        yield _held(f"stick:contact_{letter}", 1, Place.BUTTON, D8, f"{what} does not open")
        yield _held(f"stick:contact_{letter}", 0, Place.BUTTON, D8, f"{what} does not close")
    yield Fault(
        name="button.slow", place=Place.BUTTON, source=D8,
        words="contact B moves 150 ms after contact A",
        begins=(Act("time:skew", 150_000),), ends=(Act("time:skew", FREE),),
    )  # fmt: skip
    yield Fault(
        name="button.bounces", place=Place.BUTTON, source=D8,
        words="each contact of the button bounces for 20 ms when it moves",
        begins=(Act("bounce:contact_a", 20_000), Act("bounce:contact_b", 20_000)),
        ends=(Act("bounce:contact_a", 0), Act("bounce:contact_b", 0)),
    )  # fmt: skip
    yield Fault(
        name="button.short-between-channels", place=Place.BUTTON, source=D4,
        words="the wires of the button's contacts to the controller touch",
        begins=(Act("short:button", 1),), ends=(Act("short:button", 0),),
    )  # fmt: skip
    yield _held("stick:reset", 1, Place.BUTTON, D8, "the reset button does not open")
    yield _held("stick:reset", 0, Place.BUTTON, D8, "the reset button does not close")


def _of_relays() -> Iterable[Fault]:
    yield Fault(
        name="mirrors.short-between-channels", place=Place.MIRROR, source=D4,
        words="the wires of the mirror contacts to the controller touch",
        begins=(Act("short:mirror", 1),), ends=(Act("short:mirror", 0),),
    )  # fmt: skip
    for number in "12":
        relay, mirror = f"relay_{number}", f"mirror_{number}"
        what = f"the contact of K{number}"
        yield _held(f"stick:{relay}", 1, Place.RELAY, D9, f"{what} is welded")
        yield _held(f"stick:{relay}", 0, Place.RELAY, D9, f"{what} does not close")
        what = f"the mirror contact of K{number}"
        yield _held(f"stick:{mirror}", 1, Place.MIRROR, D9, f"{what} does not open")
        yield _held(f"stick:{mirror}", 0, Place.MIRROR, D9, f"{what} does not close")
        yield _slow(f"relay_{number}.drops-out-slowly", f"drop_out_{number}", 80_000,
                    f"K{number} takes 80 ms to drop out")  # fmt: skip
        yield _slow(f"relay_{number}.pulls-in-slowly", f"pull_in_{number}", 200_000,
                    f"K{number} takes 200 ms to pull in")  # fmt: skip
        yield Fault(
            name=f"{mirror}.slow", place=Place.MIRROR, source=D9,
            words=f"{what} closes 60 ms after the relay has dropped out",
            begins=(Act(f"time:guide_{number}", 60_000),),
            ends=(Act(f"time:guide_{number}", FREE),),
        )  # fmt: skip
        for contact, place in ((relay, Place.RELAY), (mirror, Place.MIRROR)):
            yield Fault(
                name=f"{contact}.bounces", place=place, source=D9,
                words=f"{contact.replace('_', ' ')} bounces for 8 ms when it moves",
                begins=(Act(f"bounce:{contact}", 8_000),), ends=(Act(f"bounce:{contact}", 0),),
            )  # fmt: skip


def _of_drives() -> Iterable[Fault]:
    for signal, words in (
        ("drive_1", "the transistor of K1's driver"),
        ("switch_2", "the transistor of K2's driver"),
        ("latch", "the latch of K2's watchdog"),
        ("watchdog", "the output of K2's watchdog"),
    ):
        source = D18 if signal in ("drive_1", "switch_2") else D20
        yield _held(f"stick:{signal}", 1, Place.DRIVE, source, f"{words} conducts always")
        yield _held(f"stick:{signal}", 0, Place.DRIVE, source, f"{words} conducts never")
    yield _held("stick:k2_pin", 1, Place.DRIVE, D20, "the chip's output for K2 is high always")
    yield _held("stick:k2_pin", 0, Place.DRIVE, D20, "the chip's output for K2 is low always")
    yield Fault(
        name="drive_1.holds-long", place=Place.DRIVE, source=D20,
        words="K1's driver stays on for 15 ms after the last pulse",
        begins=(Act("time:hold", 15_000),), ends=(Act("time:hold", FREE),),
    )  # fmt: skip
    yield Fault(
        name="watchdog.lets-go-late", place=Place.DRIVE, source=D20,
        words="K2's watchdog lets go after 100 ms",
        begins=(Act("time:watchdog", 100_000),), ends=(Act("time:watchdog", FREE),),
    )  # fmt: skip


def _of_inputs() -> Iterable[Fault]:
    for name in ("contact_a", "contact_b", "mirror_1", "mirror_2", "reset", "key", "supply"):
        what = name.replace("_", " ")
        yield _held(f"pin:{name}", 0, Place.INPUT, D4, f"the wire of {what} is broken")
        yield _held(f"pin:{name}", 1, Place.INPUT, D4, f"the wire of {what} touches 24 V")
    for name in ("contact_a", "contact_b"):
        yield Fault(
            name=f"{name}.interrupt-lost", place=Place.INPUT, source=D21,
            words=f"the chip no longer raises the interrupt of {name.replace('_', ' ')}",
            begins=(Act(f"board:{name}", 1),), stays=True,
        )  # fmt: skip


def _of_supply() -> Iterable[Fault]:
    for milliseconds in (1, 5, 20, 100):
        yield Fault(
            name=f"supply.dips-{milliseconds}-ms", place=Place.SUPPLY, source=SUPPLY,
            words=f"the 24 V are gone for {milliseconds} ms",
            begins=(Act("supply", 0), Act(f"after:{milliseconds}:supply", 1)),
        )  # fmt: skip
    yield Fault(
        name="supply.lost", place=Place.SUPPLY, source=SUPPLY, words="the 24 V are gone",
        begins=(Act("stick:supply", 0),), ends=(Act("stick:supply", FREE),),
    )  # fmt: skip
    yield Fault(
        name="fuse.missing", place=Place.SUPPLY, source=SUPPLY,
        words="the fuse is missing or has blown: neither coils nor contacts get 24 V",
        begins=(Act("stick:supply", 0),), ends=(Act("stick:supply", FREE),),
    )  # fmt: skip
    yield Fault(
        name="board.power-lost", place=Place.SUPPLY, source=SUPPLY,
        words="the controller's own supply is gone for a moment, or too low (brown-out)",
        begins=(Act("board:power", 1),),
    )  # fmt: skip


def _of_the_chip() -> Iterable[Fault]:
    for milliseconds in (2, 5, 20, 100, 1000):
        for act, words in (("hang", "stands still"), ("deaf", "stands still, interrupts off,")):
            yield Fault(
                name=f"chip.{act}-{milliseconds}-ms", place=Place.CHIP, source=D21,
                words=f"the processor {words} for {milliseconds} ms",
                begins=(Act(f"chip:{act}", milliseconds * 1000),),
            )  # fmt: skip
    yield Fault(
        name="chip.hangs", place=Place.CHIP, source=D21, words="the processor stands still",
        begins=(Act("chip:hang", LONG_US),),
    )  # fmt: skip
    yield Fault(
        name="chip.hangs-without-watchdog", place=Place.CHIP, source=D21,
        words="the processor stands still, and the chip's watchdog is dead",
        begins=(Act("chip:watchdog", 0), Act("chip:hang", LONG_US)),
    )  # fmt: skip
    yield Fault(
        name="chip.watchdog-dead", place=Place.CHIP, source=D21,
        words="the chip's watchdog never bites",
        begins=(Act("chip:watchdog", 0),), ends=(Act("chip:watchdog", 1),),
    )  # fmt: skip
    for permille in (500, 900, 990, 1010, 1100, 2000):
        yield Fault(
            name=f"clock.at-{permille}-permille", place=Place.CHIP, source=D21,
            words=f"the chip's clock runs at {permille / 10:g} % of its rate",
            begins=(Act("chip:clock", permille),), ends=(Act("chip:clock", 1000),),
        )  # fmt: skip
    yield Fault(
        name="flash.fails", place=Place.FLASH, source=D21, words="no file can be written",
        begins=(Act("board:flash", 0),), stays=True,
    )  # fmt: skip


class _Cause(NamedTuple):
    """A fault that software can cause: `act` is one of the rig's own, which ends with 0."""

    name: str
    act: str
    value: int
    words: str


def _by_software(place: Place, source: str, causes: Iterable[_Cause]) -> Iterable[Fault]:
    for name, what, value, words in causes:
        act = f"{place.value}:{what}"
        yield Fault(
            name=f"{place.value}.{name}", place=place, source=source, words=words,
            begins=(Act(act, value),), ends=(Act(act, 0),), software=True,
        )  # fmt: skip


LINK = (
    _Cause("loss", "loss", 300, "a third of the frames are lost"),
    _Cause("corruption", "corruption", 300, "a bit of a third of the frames is wrong"),
    _Cause("duplication", "duplication", 1000, "every frame comes twice"),
    _Cause("replay", "repetition", 300, "recorded frames come again"),
    _Cause("reordering", "reordering", 300, "frames overtake each other"),
    _Cause("delay", "delay", 60, "each frame takes 60 ms more, either way"),
    _Cause("flood", "flood", 1, "64 bytes of garbage come in each millisecond"),
    _Cause("unplugged", "unplugged", 1, "the cable is unplugged"),
    _Cause("baud", "baud", 1, "one end is at another baud rate"),
)
PROCESS = (
    _Cause("killed", "killed", 1, "the host's process is killed (SIGKILL)"),
    _Cause(
        "stopped", "stopped", 1,
        "the host's process is stopped (SIGSTOP), and what came meanwhile waits",
    ),
    _Cause("hung", "hung", 1, "the gate hangs in a callback: the link turns, nothing vouches"),
    _Cause("period", "period", 30, "the executor is starved: the host runs every 30 ms"),
    _Cause("starved", "period", 150, "the executor is starved: the host runs every 150 ms"),
    _Cause(
        "swaps", "swaps", 20,
        "the host swaps: in a fiftieth of its turns it stands still for up to 300 ms",
    ),
)  # fmt: skip


def _of_the_host() -> Iterable[Fault]:
    yield from _by_software(Place.HOST, HOST, PROCESS)
    for name, value in (("forward", 5000), ("back", -5000)):
        yield Fault(
            name=f"host.clock-jumps-{name}", place=Place.HOST, source=HOST,
            words=f"the host's clock jumps {name} by 5 s", software=True,
            begins=(Act("host:clock", value),),
        )  # fmt: skip


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for faults in (
        _of_contacts(),
        _of_relays(),
        _of_drives(),
        _of_inputs(),
        _of_supply(),
        _of_the_chip(),
        _by_software(Place.LINK, COMMUNICATION, LINK),
        _of_the_host(),
    )
    for fault in faults
}
FLIP = "memory."


class Elsewhere(NamedTuple):
    """Faults that this bench does not model, and what tries them instead."""

    words: str
    where: str
    found: str


# What hardware/generated/fmea.csv counts: a test compares.
CIRCUIT = {"faults": 298, "dangerous": 0, "one channel": 35, "of them unnoticed": 0}
ELSEWHERE = (
    Elsewhere(
        "inside the coil circuits and their drives: every part opened and shorted, every two "
        "wires of a cable touching, shorts to 24 V and 0 V, the fuse bridged",
        "make fmea (ngspice), three demands each; its table is hardware/generated/fmea.csv",
        f"{CIRCUIT['faults']} faults: {CIRCUIT['dangerous']} dangerous, {CIRCUIT['one channel']} "
        f"lose one channel, {CIRCUIT['of them unnoticed']} of those unnoticed",
    ),
    Elsewhere(
        "the host's disk is full",
        "nothing to model: the session that makes the heartbeat and asks for stops opens no file",
        "no path from a full disk to the load; what becomes of the record: tests/record",
    ),
)


def flip(variable: str, bit: int) -> Fault:
    """One bit of a variable of the firmware is the other way round."""
    return Fault(
        name=f"{FLIP}{variable}.{bit}",
        place=Place.MEMORY,
        source=D21,
        words=f"bit {bit} of the firmware's {variable} flips",
        begins=(Act(f"chip:flip:{variable}", bit),),
    )


def named(name: str) -> Fault:
    """A fault by its name; KeyError if there is none."""
    if name in FAULTS:
        return FAULTS[name]
    variable, _, bit = name.removeprefix(FLIP).rpartition(".")
    if name.startswith(FLIP) and variable and bit.isdecimal():
        return flip(variable, int(bit))
    raise KeyError(name)
