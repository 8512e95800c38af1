"""The drop-out plot: coil currents after each demand, from what fmea.py has found."""

import io
from collections.abc import Iterable

import matplotlib as mpl
from matplotlib.figure import Figure
from source import Circuit
from template import read_table

PATH = "hardware/generated/drop-out.svg"
TITLES = {
    "button": "The button is pressed",
    "controller stops": "The controller stops",
    "controller hangs": "The controller hangs, its pins left high",
}
COLOURS = {"K1": "#c0392b", "K2": "#1f5fa8"}


def files(circuit: Circuit) -> dict[str, str]:
    """What is generated: path from the top of the repository -> text."""
    curves = read_table("drop-out-curves.csv")
    times = {(row["relay"], row["demand"]): row for row in read_table("drop-out.csv")}
    demands = list(dict.fromkeys(row["demand"] for row in curves))
    style = {
        "svg.hashsalt": "redbutton",
        "svg.fonttype": "path",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(7.5, 2.6 * len(demands)), layout="constrained")
        figure.suptitle("Coil current after each demand (simulation)", fontsize=11)
        plots = figure.subplots(len(demands), 1, sharex=True)
        for axes, demand in zip(plots, demands, strict=True):
            for relay, colour in COLOURS.items():
                points = [r for r in curves if (r["relay"], r["demand"]) == (relay, demand)]
                row = times[relay, demand]
                for column, line in (("nominal", "-"), ("worst corner", "--")):
                    axes.plot(
                        _numbers(points, "ms"),
                        _numbers(points, f"{column} mA"),
                        line,
                        color=colour,
                        label=f"{relay} {column}: {row[f'{column} ms']} ms",
                    )
                model = circuit.article(relay).model
                release = model["must_release"] / model["resistance"] * 1e3
            axes.axhline(release, color="0.4", linewidth=0.8, linestyle=":")
            axes.annotate(
                f"must release, {release:g} mA", (15.9, release + 0.4), ha="right", color="0.3"
            )
            axes.axvline(circuit.limits.drop_out * 1e3, color="0.4", linewidth=0.8)
            axes.annotate("limit", (circuit.limits.drop_out * 1e3 + 0.1, 7), color="0.3")
            axes.set(title=TITLES[demand], ylabel="mA", ylim=(-1, 21), xlim=(-1, 16))
            axes.legend(frameon=False, loc="upper right")
        plots[-1].set_xlabel("ms after the demand (button, last pulse, last feed)")
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return {PATH: "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"}


def _numbers(rows: Iterable[dict[str, str]], column: str) -> list[float]:
    return [float(row[column]) for row in rows]
