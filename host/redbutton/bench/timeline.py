"""A run as a picture: what each contact, pin, coil and relay did, the load and the controller."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from redbutton.bench.markup import Markup, joined, tag
from redbutton.bench.run import FROM_POWER_UP, Moment, Result
from redbutton.bench.scenario import Load, Scenario

SIGNALS = (
    ("contact_a", "button contact A"),
    ("contact_b", "button contact B"),
    ("k1_pulses", "pulses for K1"),
    ("k2_pin", "level for K2"),
    ("coil_1", "coil K1"),
    ("coil_2", "coil K2"),
    ("relay_1", "contact K1"),
    ("relay_2", "contact K2"),
    ("mirror_1", "mirror K1"),
    ("mirror_2", "mirror K2"),
    ("load", "load"),
)
CLOSED_AT_REST = ("contact_a", "contact_b", "mirror_1", "mirror_2")
BEFORE_MS = 20
CLOSE_MS, CLOSE_MOST_MS = 40, 400  # a close look is no shorter and no longer
LABEL = 118  # widths and heights in the picture's own unit
WIDTH = 900
ROW = 17
HEAD = 16


class Span(NamedTuple):
    """From when to when a signal was on, or the controller in a state; ms."""

    begin: float
    end: float
    text: str


class Row(NamedTuple):
    """A signal."""

    signal: str
    label: str
    spans: Sequence[Span]


class Mark(NamedTuple):
    """A moment that matters; ms. `after`: its text is drawn after it, not before."""

    at: float
    text: str
    after: bool


class View(NamedTuple):
    """A part of a run, drawn from `begin` to `end`; ms. `off`: when the load has to be off."""

    begin: float
    end: float
    rows: Sequence[Row]
    off: Sequence[Span]
    marks: Sequence[Mark]

    def part(self, at: float) -> float:
        """Where a moment lies, from 0 to 1."""
        return min(1.0, max(0.0, (at - self.begin) / (self.end - self.begin)))

    def seen(self, spans: Iterable[Span]) -> list[Span]:
        """Those that are in the view."""
        return [one for one in spans if one.end > self.begin and one.begin < self.end]


def views(scenario: Scenario, result: Result, trace: Sequence[Moment]) -> list[View]:
    """The whole run, and a close look at what was wrong in it, or else at its stop."""
    rows = _rows(trace, scenario.until)
    off = [Span(one.since, one.until, "") for one in scenario.expect if one.load is Load.OFF]
    begins = sorted({placed.at for placed in result.plan.faults} - {FROM_POWER_UP})
    marks = [Mark(at, "fault", after=False) for at in begins]
    if scenario.demand is not None:
        marks.append(Mark(scenario.demand, "stop asked for", after=True))
    whole = View(-BEFORE_MS, scenario.until, rows, off, marks)
    close = _violation(rows, off)
    if close is None and scenario.demand is not None:
        close = Span(scenario.demand, scenario.demand + (result.stop_ms or 0), "")
    if close is None:
        return [whole]
    after = min(max(CLOSE_MS, (close.end - close.begin) * 1.2), CLOSE_MOST_MS)
    return [whole, View(close.begin - after / 4, close.begin + after, rows, off, marks)]


def _violation(rows: Iterable[Row], off: Iterable[Span]) -> Span | None:
    """When the load was first on though it had to be off."""
    load = next(row.spans for row in rows if row.signal == "load")
    wrong = [
        Span(max(one.begin, on.begin), min(one.end, on.end), "")
        for one in off
        for on in load
        if max(one.begin, on.begin) < min(one.end, on.end)
    ]
    return min(wrong, default=None)


def _rows(trace: Sequence[Moment], until: float) -> list[Row]:
    rows = [
        Row(signal, label, _spans(trace, signal, str(int(signal in CLOSED_AT_REST)), until, "0"))
        for signal, label in SIGNALS
    ]
    return [*rows, Row("state", "controller", _spans(trace, "state", "", until, ""))]


def _spans(
    trace: Sequence[Moment], signal: str, value: str, until: float, without: str
) -> list[Span]:
    """When a signal, that is `value` at first, was anything but `without`."""
    found = []
    since = float("-inf")
    for moment in (*trace, Moment(round(until * 1000), signal, "end")):
        if moment.signal != signal or moment.value == value:
            continue
        if value != without:
            found.append(Span(since, moment.us / 1000, value))
        since, value = moment.us / 1000, moment.value
    return found


def picture(view: View, title: str) -> Markup:
    """As SVG. It takes its colours from the page."""
    height = HEAD + ROW * len(view.rows) + HEAD
    bottom = height - HEAD
    parts = [tag("title", title)]
    for span in view.seen(view.off):
        left, right = _x(view, span.begin), _x(view, span.end)
        parts.append(tag("rect", class_="must-be-off", x=left, y=HEAD, width=_width(left, right),
                         height=bottom - HEAD))  # fmt: skip
    for number, row in enumerate(view.rows):
        top = HEAD + ROW * number
        parts.append(tag("text", row.label, x=LABEL - 6, y=top + 12, text_anchor="end"))
        parts.append(
            tag("line", class_="rest", x1=LABEL, x2=WIDTH, y1=top + ROW - 3, y2=top + ROW - 3)
        )
        parts += [_bar(view, row, span, top) for span in view.seen(row.spans)]
    for mark in view.marks:
        if view.begin <= mark.at <= view.end:
            x = _x(view, mark.at)
            parts.append(tag("line", class_="mark", x1=x, x2=x, y1=HEAD - 4, y2=bottom))
            side, anchor = (2, "start") if mark.after else (-2, "end")
            parts.append(
                tag("text", mark.text, class_="mark", x=x + side, y=HEAD - 6, text_anchor=anchor)
            )
    for at in ticks(view):
        parts.append(tag("text", f"{at:g} ms", class_="tick", x=_x(view, at), y=height - 3,
                         text_anchor="middle"))  # fmt: skip
    return tag("svg", *parts, viewBox=f"0 0 {WIDTH} {height}", role="img", class_="timeline")


def _bar(view: View, row: Row, span: Span, top: float) -> Markup:
    left, right = _x(view, span.begin), _x(view, span.end)
    kind = "state" if row.signal == "state" else "load" if row.signal == "load" else "on"
    words = [tag("title", span.text)] if kind == "state" else []
    wide = _width(left, right)
    bar = tag("rect", *words, class_=kind, x=left, y=top + 3, width=wide, height=ROW - 6)
    if kind != "state" or right - left < 8 * len(span.text):
        return bar
    return joined(bar, tag("text", span.text, class_="inside", x=left + 3, y=top + 12))


def ticks(view: View) -> list[float]:
    """Round moments, four to nine of them."""
    step = next(
        step
        for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
        if (view.end - view.begin) / step < 9
    )
    first = -(-view.begin // step)
    count = int((view.end - first * step) // step) + 1
    found = [(first + number) * step for number in range(count)]
    return [at for at in found if 0.02 < view.part(at) < 0.97]


def _x(view: View, at: float) -> float:
    return round(LABEL + (WIDTH - LABEL) * view.part(at), 2)


def _width(left: float, right: float) -> float:
    return round(max(0.6, right - left), 2)
