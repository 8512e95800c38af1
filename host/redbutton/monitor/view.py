"""The screen as a pure function of what was measured, the size and the time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from textwrap import wrap
from typing import NamedTuple

from rich.console import Group
from rich.text import Text

from redbutton.colours import COLOURS
from redbutton.model import Contacts, Load, SafetyState, State
from redbutton.monitor.history import KEPT_S, History
from redbutton.monitor.keys import HANDS
from redbutton.monitor.letters import WIDTH, large
from redbutton.plain import plain

LABEL = 15
CONTACT = 20
HELP = 32
BAR = 20
KEYS = (("s", "stop"), ("q", "quit"), ("?", "help"))
UNKNOWN = "not known"
NAMES = {State.UNKNOWN: "NO CONTACT"}
CODES = {
    State.STOPPED: "S",
    State.TESTING: "T",
    State.RUN: "R",
    State.STOPPING: "D",
    State.LOCKOUT: "L",
}
PROOFS = {
    Load.OFF: "OFF: both mirror contacts closed",
    Load.ON: "ON: both mirror contacts open, supply present",
    Load.UNPROVEN: "UNPROVEN: the mirror contacts prove neither on nor off",
}
CONTACTS: tuple[tuple[str, str, str, str], ...] = (  # name, field, what it is if true, if false
    ("button A", "contact_a_closed", "closed", "OPEN"),
    ("mirror K1", "mirror_1_closed", "closed", "open"),
    ("reset", "reset_pressed", "PRESSED", "released"),
    ("supply", "supply_ok", "present", "MISSING"),
    ("button B", "contact_b_closed", "closed", "OPEN"),
    ("mirror K2", "mirror_2_closed", "closed", "open"),
    ("key", "key_maintenance", "MAINTENANCE", "operation"),
)
TRACES = (
    ("button A", "contact_a_closed"),
    ("button B", "contact_b_closed"),
    ("mirror K1", "mirror_1_closed"),
    ("mirror K2", "mirror_2_closed"),
)
MORE_TRACES = (
    ("reset", "reset_pressed"),
    ("key", "key_maintenance"),
    ("supply", "supply_ok"),
)


@dataclass(frozen=True)
class Glyphs:
    """What the drawing is made of."""

    ink: str
    high: str
    low: str
    both: str
    neither: str = "?"
    nothing: str = "."


BLOCKS = Glyphs(ink="█", high="█", low="▁", both="┃")
ASCII = Glyphs(ink="#", high="#", low="_", both="|")


@dataclass(frozen=True)
class Scene:
    """What is on the screen besides what was measured."""

    port: str
    hands: bool = False
    note: str = ""
    help: bool = False
    glyphs: Glyphs = BLOCKS


class _Block(NamedTuple):
    """Lines that stand together; where not all fit, those of the greatest `rank` are left out."""

    rank: int
    lines: list[Text]


def screen(
    history: History, scene: Scene, now: float, clock: datetime, width: int, height: int
) -> Group:
    """At most `height` lines, none wider than `width`. `now` is the history's time."""
    state = history.present(now)
    ago = now - history.heard_at
    blocks = [
        _Block(1, [_title(scene, clock, width)]),
        _Block(11, [Text()]),
        _Block(3, _large(state, scene.glyphs, width)),
        _Block(11, [Text()]),
        _Block(0, [_state(state, clock, ago)]),
        _Block(2, [_field("load", PROOFS[state.load] if state.heard else UNKNOWN, "bold")]),
        _Block(1, _attention(state, width)),
        *_causes(state, width),
        _Block(6, [_heartbeat(state, scene.glyphs)]),
        _Block(4, _contacts(state.measured, width)),
        _Block(10, [_counted(state)]),
        _Block(11, [Text()]),
    ]
    if scene.help:
        blocks.append(_Block(3, _help(scene)))
    else:
        traces = _traces(history, now, max(1, width - LABEL), scene.glyphs)
        more = 3 + len(TRACES)
        blocks += [_Block(8, traces[:3]), _Block(9, traces[3:more]), _Block(12, traces[more:])]
        blocks.append(_Block(11, [Text()]))
    if scene.hands:
        blocks.append(_Block(3, [_keys((hand.key, hand.name) for hand in HANDS)]))
    blocks.append(_Block(2, [_keys(KEYS).append(f"   {plain(scene.note)}", "bold")]))
    lines = _fitting(blocks, height)
    for line in lines:
        line.no_wrap = True
        line.truncate(width, overflow="ellipsis" if scene.glyphs is BLOCKS else "crop")
    return Group(*lines)


def _fitting(blocks: list[_Block], height: int) -> list[Text]:
    chosen: set[int] = set()
    for index in sorted(range(len(blocks)), key=lambda index: blocks[index].rank):
        size = len(blocks[index].lines)
        if size <= height:
            chosen.add(index)
            height -= size
    return [line for index in sorted(chosen) for line in blocks[index].lines]


def _field(name: str, text: str, style: str = "") -> Text:
    return Text.assemble((f"{name:<{LABEL}}", "dim"), (plain(text), style))


def _fields(name: str, text: str, width: int, style: str = "") -> list[Text]:
    """A field that may need more than one line."""
    lines = wrap(plain(text), max(20, width - LABEL))
    return [_field("" if i else name, line, style) for i, line in enumerate(lines)]


def _title(scene: Scene, clock: datetime, width: int) -> Text:
    left = f"redbutton monitor  {scene.port}" + ("  (virtual board)" if scene.hands else "")
    room = max(0, width - 9)
    return Text(f"{plain(left):<{room}.{room}} {clock:%H:%M:%S}", "reverse")


def _colour(state: SafetyState) -> str:
    """Green only for what is proven to run as it should."""
    if state.state is State.RUN and not state.running:
        return "yellow"
    return COLOURS[state.state]


def _name(state: SafetyState) -> str:
    return NAMES.get(state.state, state.state.value)


def _large(state: SafetyState, glyphs: Glyphs, width: int) -> list[Text]:
    """Nothing where they would be cut off: the name stands below them anyway."""
    if len(_name(state)) * WIDTH - 1 > width:
        return []
    return [Text(row, _colour(state)) for row in large(_name(state), glyphs.ink)]


def _state(state: SafetyState, clock: datetime, ago: float) -> Text:
    style = f"bold {_colour(state)}"
    if not state.heard:
        since = clock - timedelta(seconds=ago)
        return _field("state", f"no contact since {since:%H:%M:%S} ({ago:.0f} s)", style)
    text = f"{_name(state)} for {state.for_s:.1f} s"
    age = f"   measured {state.age_ms:.0f} ms ago" if state.age_ms is not None else ""
    return _field("state", text, style).append(age)


def _attention(state: SafetyState, width: int) -> list[Text]:
    """Why nothing is heard, or what is wrong besides."""
    wrong = [] if state.heard else ["the controller is not heard"]
    if state.problem:
        wrong = [state.problem]
    if state.journal_fails:
        wrong.append("the controller's journal FAILS to write flash")
    if state.record_fails:
        wrong.append("the host's record FAILS: what happens is not recorded")
    return [line for text in wrong for line in _fields("attention", text, width, "bold yellow")]


def _causes(state: SafetyState, width: int) -> Iterable[_Block]:
    def said(causes: tuple[str, ...]) -> str:
        return (", ".join(causes) or "none") if state.heard else UNKNOWN

    first = (state.first_cause,) if state.first_cause else ()
    yield _Block(3, _fields("first cause", said(first), width, "bold"))
    if state.heard:
        yield _Block(7, _fields("all causes", said(state.causes), width))
    yield _Block(5, _fields("blocks a reset", said(state.present), width))


def _heartbeat(state: SafetyState, glyphs: Glyphs) -> Text:
    age, timeout, counters = state.heartbeat_age_ms, state.heartbeat_timeout_ms, state.counters
    if age is None or counters is None:
        return _field("heartbeat", UNKNOWN)
    text = "none yet" if age < 0 else f"{age} ms"
    if timeout:
        full = BAR if age < 0 else min(BAR, round(BAR * age / timeout))
        bar = glyphs.high * full + glyphs.low * (BAR - full)
        text = f"{text} of {timeout} ms  {bar}"
    refused = f", refused {counters.heartbeats_refused}"
    if state.refusal:
        refused += f" ({state.refusal})"
    return _field("heartbeat", f"{text}  taken {counters.heartbeats_taken}{refused}")


def _contacts(measured: Contacts | None, width: int) -> list[Text]:
    across = max(1, width // CONTACT)
    lines = []
    for start in range(0, len(CONTACTS), across):
        line = Text()
        for name, field, true, false in CONTACTS[start : start + across]:
            value = "-" if measured is None else true if getattr(measured, field) else false
            line.append(f"{name:<10}", "dim")
            line.append(f"{value:<{CONTACT - 10}}", "bold" if value.isupper() else "")
        lines.append(line)
    return lines


def _counted(state: SafetyState) -> Text:
    counters = state.counters
    if counters is None:
        return _field("counted", UNKNOWN)
    return _field(
        "counted",
        f"transitions {counters.transitions}  stop requests {counters.stop_requests}  "
        f"resets refused {counters.resets_refused}  bad frames {counters.frames_malformed}",
    )


def _traces(history: History, now: float, columns: int, glyphs: Glyphs) -> list[Text]:
    """A scale, the state, the load and each contact over the last KEPT_S."""
    bins = history.bins(now, columns)
    scale = f"-{KEPT_S:.0f} s"
    codes = [_code(states, glyphs) for states in bins]
    row = _field("state", "")
    for code, states in zip(codes, bins, strict=True):
        row.append(code, _colour(states[-1]) if states else "")

    def trace(name: str, value: Callable[[SafetyState], bool | None]) -> Text:
        return _field(name, "".join(_level(states, value, glyphs) for states in bins))

    def contact(field: str) -> Callable[[SafetyState], bool | None]:
        return lambda state: getattr(state.measured, field)

    return [
        Text(f"{'':<{LABEL}}{scale}{'now':>{max(0, columns - len(scale))}}", "dim"),
        row,
        trace(
            "load", lambda state: None if state.load is Load.UNPROVEN else state.load is Load.ON
        ),
        *(trace(name, contact(field)) for name, field in TRACES + MORE_TRACES),
    ]


def _code(states: list[SafetyState], glyphs: Glyphs) -> str:
    if not all(state.heard for state in states):
        return glyphs.nothing
    return CODES[states[-1].state] if states else " "


def _level(
    states: list[SafetyState], value: Callable[[SafetyState], bool | None], glyphs: Glyphs
) -> str:
    """High, low, or both within this time; nothing where contact was lost meanwhile."""
    if not states:
        return " "
    if not all(state.heard for state in states):
        return glyphs.nothing
    values = [value(state) for state in states]
    if True in values and False in values:
        return glyphs.both
    last = values[-1]
    return glyphs.neither if last is None else glyphs.high if last else glyphs.low


def _keys(keys: Iterable[tuple[str, str]]) -> Text:
    return Text("  ").join(Text.assemble((key, "bold"), f" {name}") for key, name in keys)


def _help(scene: Scene) -> list[Text]:
    glyphs = scene.glyphs
    codes = ", ".join(f"{code} {state.value.lower()}" for state, code in CODES.items())
    lines = [
        _field("s", "request a stop at once; whether it came is what is measured above"),
        _field("q, Ctrl-C", "leave; controller and service go on"),
        _field("", "nothing resets but the reset button on the controller"),
        _field("timeline", codes),
        _field(
            f"{glyphs.high} {glyphs.low} {glyphs.both}",
            "closed, on, pressed; open, off, released; both in that time",
        ),
        _field(f"{glyphs.neither} {glyphs.nothing}", "unproven; not heard"),
    ]
    if scene.hands:
        hands = [f"{hand.key}  {hand.what}" for hand in HANDS]
        for i in range(0, len(hands), 2):
            text = "".join(f"{one:<{HELP}}" for one in hands[i : i + 2])
            lines.append(_field("" if i else "virtual board", text))
    return lines
