"""What is printed and written of measured latencies: tables, histograms, a picture, the words."""

import json
import os
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from rich.console import Console, RenderableType
from rich.table import Table

from redbutton.bench.latency import WORDS, Figures, histogram, published

NOTES = (
    "Modelled, on both clocks: button, relays and load. Each relay drops out 3.5 ms after its "
    "coil is off, which is typical, and has no spread.",
    "virtual: the real firmware and the host's session in lock-step with the model, exact to the "
    "microsecond. Neither the firmware's computation nor the host's takes time there. The first "
    "opening of the button cuts both coils, by its contact and by an interrupt that takes no time "
    "there: so every press takes what the relay takes. A request begins there with the frame that "
    "the host sends.",
    "real: measured on this computer, from the act until the modelled load is off: the firmware "
    "in MicroPython on a pseudo-terminal, redbutton run as a process, a stop request through its "
    "socket. No USB and no silicon.",
    "To compare: a relay's data sheet counts from its input terminals to its contacts, its own "
    "logic included, and its maximum covers temperature, age and samples. The button's row here "
    "is from the button's contact to the load with typical relays: hold its typical figure "
    "against theirs, not its maximum. Figures for a lost heartbeat are others' timeouts; what "
    "then cuts the power comes on top. Here it is included; the timeout is a setting, 100 ms.",
)
BARS = 12
BAR_WIDTH = 40  # characters
PICTURE_BARS = 40
PANEL = (640, 150)  # pixels
MARGIN = 50


def document(seed: int, found: Sequence[Figures], repeated: int) -> str:
    """As JSON; `repeated`: stops in real time that were made again."""
    return json.dumps(
        {
            "seed": seed,
            "processors": os.cpu_count(),
            "repeated": repeated,
            "notes": NOTES,
            "figures": [one.model_dump(mode="json") for one in found],
            "published": {
                kind.value: [one.model_dump(mode="json") for one in several]
                for kind, several in published().items()
            },
        }
    )


def show(console: Console, found: Sequence[Figures], repeated: int) -> None:
    """Print everything."""
    console.print(_figures_table(found))
    for one in found:
        if one.n:
            console.print(_histogram(one))
    for one in found:
        if one.budget:
            console.print(_budget(one))
    for table in _comparisons(found):
        console.print(table)
    for note in NOTES:
        console.print(note)
    if repeated:
        console.print(
            f"Stops in real time that were made again, because the controller had stopped by "
            f"itself or could not be reset at once: {repeated}."
        )


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _figures_table(found: Sequence[Figures]) -> Table:
    table = Table("from", "clock", title="until the load is off, ms (relays: modelled)")
    for name in ("n", "p50", "p99", "max", "load stayed on"):
        table.add_column(name, justify="right")
    for one in found:
        table.add_row(
            WORDS[one.kind],
            one.clock.value,
            str(one.n),
            *(_ms(value) for value in (one.p50_ms, one.p99_ms, one.max_ms)),
            str(one.stayed_on),
            style="bold red" if one.stayed_on else "",
        )
    return table


def _histogram(one: Figures) -> RenderableType:
    table = Table(title=f"{WORDS[one.kind]}, {one.clock.value}", box=None, show_header=False)
    table.add_column("ms", justify="right")
    table.add_column("bar", style="cyan", no_wrap=True)
    table.add_column("n", justify="right")
    bars = histogram(one.values_ms, BARS)
    most = max(n for _, _, n in bars)
    for low, high, n in bars:
        span = f"{low:.2f} to {high:.2f}" if low < high else f"{low:.2f}"
        table.add_row(f"{span} ms", "█" * -(-n * BAR_WIDTH // most), str(n))
    return table


def _budget(one: Figures) -> Table:
    table = Table("stage", title=f"{WORDS[one.kind]}, {one.clock.value}: where the time goes, ms")
    table.add_column("mean", justify="right")
    table.add_column("in the slowest", justify="right")
    for share in one.budget:
        table.add_row(share.stage, f"{share.mean_ms:.3f}", f"{share.in_slowest_ms:.3f}")
    table.add_section()
    table.add_row("together", f"{one.mean_ms:.3f}", f"{one.max_ms:.3f}")
    return table


def _comparisons(found: Sequence[Figures]) -> Iterator[Table]:
    for kind, others in published().items():
        table = Table("who", title=f"{WORDS[kind]}, beside published figures, ms")
        table.add_column("typical", justify="right")
        table.add_column("at most", justify="right")
        table.add_column("what it is")
        table.add_column("source", overflow="fold")
        for one in found:
            if one.kind is kind and one.n:
                what = f"p50 and largest of {one.n}, {one.clock.value}, until the load is off"
                words = (_ms(one.p50_ms), _ms(one.max_ms), what, "here; relays modelled")
                table.add_row("redbutton", *words, style="bold")
        for other in others:
            table.add_row(
                other.who, _ms(other.typical_ms), _ms(other.most_ms), other.of, other.source
            )
        yield table


def picture(found: Sequence[Figures]) -> str:
    """Histograms as SVG that needs nothing else: a row for each kind, a panel for each clock."""
    rows = [list(row) for _, row in groupby((one for one in found if one.n), lambda one: one.kind)]
    width, height = PANEL
    across = max((len(row) for row in rows), default=1)
    size = (MARGIN + across * (width + MARGIN), MARGIN + len(rows) * (height + 2 * MARGIN))
    panels = [
        _panel(one, MARGIN + x * (width + MARGIN), MARGIN + y * (height + 2 * MARGIN))
        for y, row in enumerate(rows)
        for x, one in enumerate(row)
    ]
    head = "redbutton: from the demand until the load is off. Relays are modelled: 3.5 ms."
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" '
            f'viewBox="0 0 {size[0]} {size[1]}" font-family="sans-serif" font-size="13">',
            '<rect width="100%" height="100%" fill="white"/>',
            f'<text x="{MARGIN}" y="24">{escape(head)}</text>',
            *panels,
            "</svg>\n",
        ]
    )


def _panel(one: Figures, left: float, top: float) -> str:
    width, height = PANEL
    bars = histogram(one.values_ms, PICTURE_BARS)
    most = max(n for _, _, n in bars)
    bar = width / PICTURE_BARS
    indent = (PICTURE_BARS - len(bars)) / 2 * bar  # a single value stands in the middle
    drawn = [
        f'<rect x="{left + indent + i * bar:.1f}" y="{top + height * (1 - n / most):.1f}" '
        f'width="{bar - 1:.1f}" height="{height * n / most:.1f}" fill="#b3202c">'
        f"<title>{low:.3f} to {high:.3f} ms: {n}</title></rect>"
        for i, (low, high, n) in enumerate(bars)
    ]
    low, high = one.values_ms[0], one.values_ms[-1]
    base = top + height
    words = (
        f"{WORDS[one.kind]}, {one.clock.value}: n {one.n}, p50 {_ms(one.p50_ms)}, "
        f"p99 {_ms(one.p99_ms)}, max {_ms(one.max_ms)} ms"
    )
    if low < high:
        ends = [(left, "start", low), (left + width, "end", high)]
        for name, value in (("p50", one.p50_ms), ("p99", one.p99_ms)):
            assert value is not None
            x = left + (value - low) / (high - low) * width
            drawn.append(
                f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{base}" stroke="black" '
                f'stroke-dasharray="3"><title>{name}: {value:.3f} ms</title></line>'
            )
    else:
        ends = [(left + width / 2, "middle", low)]
    drawn += [
        f'<text x="{x}" y="{base + 18}" text-anchor="{anchor}">{value:.2f} ms</text>'
        for x, anchor, value in ends
    ]
    return "\n".join(
        [
            f'<text x="{left}" y="{top - 8}">{escape(words)}</text>',
            *drawn,
            f'<line x1="{left}" y1="{base}" x2="{left + width}" y2="{base}" stroke="black"/>',
        ]
    )
