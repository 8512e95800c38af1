"""A report as one HTML file that needs nothing else: no script, no font, no network."""

from collections.abc import Iterable, Sequence
from importlib import resources

from redbutton.bench.faults import ELSEWHERE, FAULTS, Fault, Place
from redbutton.bench.findings import Hidden, Stops
from redbutton.bench.markup import Markup, joined, tag
from redbutton.bench.report import (
    COMPARABLE,
    COVERAGE,
    ELSEWHERE_WORDS,
    LATE_WORDS,
    OUTCOMES,
    STOPS,
    TESTED,
    TITLE,
    UNEXPLAINED,
    WHY_NOT_FASTER,
    WORKSHEET,
    Report,
    Timeline,
    counted_runs,
    grade,
    percent,
    shows_in,
    verdict,
)
from redbutton.bench.run import Outcome, Result
from redbutton.bench.timeline import picture, views

# What a cell of the matrix says, and its colour.
CELL = {
    Outcome.IN_TIME: ("in time", "in-time"),
    Outcome.AT_NEXT: ("found", "found"),
    Outcome.LATENT: ("latent", "latent"),
    Outcome.LATE: ("LATE", "late"),
    Outcome.DANGEROUS: ("DANGER", "dangerous"),
}
UNTESTED = ("no test", "untested")
SECTIONS = (
    ("matrix", "Each fault in each scenario"),
    ("bad", "Dangerous and late runs"),
    ("latent", "Faults that nothing found"),
    ("coverage", "Diagnostic coverage"),
    ("elsewhere", "What this bench does not model"),
    ("stops", "How long stops took"),
    ("timelines", "The worst runs, drawn"),
    ("requirements", "Safety requirements"),
    ("faults", "The worst run of each fault"),
    ("repeat", "Versions, and how to repeat this"),
)
BINS = 24
BAR_WIDTH, BAR_HEIGHT = 300, 44


def html(report: Report) -> str:
    """The whole file."""
    style = resources.files("redbutton.bench").joinpath("report.css").read_text("utf-8")
    parts = (
        _matrix,
        _bad,
        _latent,
        _coverage,
        _elsewhere,
        _stops,
        _timelines,
        _requirements,
        _faults,
        _repeat,
    )
    sections = [
        tag("section", tag("h2", title), part(report), id=name)
        for (name, title), part in zip(SECTIONS, parts, strict=True)
    ]
    body = tag("body", _cover(report), *sections)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{tag('title', TITLE)}<style>\n{style}</style></head>\n{body}</html>\n"
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: int = 99) -> Markup:
    """`numbers`: the first column that is of numbers."""

    def cells(kind: str, values: Sequence[object]) -> Markup:
        return tag(
            "tr",
            *(
                tag(kind, value, class_="n") if column >= numbers else tag(kind, value)
                for column, value in enumerate(values)
            ),
        )

    body = tag("tbody", *(cells("td", row) for row in rows))
    return tag("div", tag("table", tag("thead", cells("th", heads)), body), class_="wide")


def _replay(result: Result) -> Markup:
    return tag("code", f"redbutton bench replay {result.plan.id}")


def _cover(report: Report) -> Markup:
    said = tag(
        "div",
        *(tag("p", sentence) for sentence in verdict(report)),
        class_=f"verdict {grade(report).value}",
    )
    counts = _table(
        ("runs with", "runs", *(outcome.value for outcome in Outcome)),
        (
            (words, f"{runs:,}", *(f"{count:,}" for count in outcomes))
            for words, runs, outcomes in report.counts()
        ),
        numbers=1,
    )
    meaning = _table(("outcome", "means"), ((one.value, words) for one, words in OUTCOMES.items()))
    return tag(
        "header",
        tag("h1", TITLE),
        tag("p", TESTED),
        said,
        tag("p", report.setting),
        counts,
        meaning,
        _table(("this report", ""), report.versions()),
        tag("nav", *(tag("a", title, href=f"#{name}") for name, title in SECTIONS)),
        class_="cover",
    )


def _matrix(report: Report) -> Markup:
    names = [name for name in report.scenarios if any(s == name for _, s in report.cells.worst)]
    tried = {fault for fault, _ in report.cells.worst}
    rows = []
    for place in Place:
        here = [one for one in FAULTS.values() if one.place is place and one.name in tried]
        if here:
            rows.append(tag("tr", tag("th", place.value, class_="place", colspan=len(names) + 1)))
        rows += [
            tag(
                "tr",
                tag("th", tag("a", fault.name, href=f"#{_anchor(fault)}", title=fault.words)),
                *(_cell(report, fault, name) for name in names),
            )
            for fault in here
        ]
    head = tag("tr", tag("th", "fault"), *(tag("th", tag("span", name)) for name in names))
    key = [tag("span", text, class_=colour) for text, colour in (*CELL.values(), UNTESTED)]
    return joined(
        tag(
            "p",
            "The worst outcome of each fault in each scenario, of runs with one fault. Under it "
            "is the moment in ms at which the fault began in that run; -1 is from power-up on. A"
            " run is named by the three together: ",
            tag("code", f"redbutton bench replay SCENARIO:FAULT@MOMENT:{report.campaign.seed}"),
            ". “No test”: the fault began after the last reset of the scenario, so that nothing "
            "could find it there. Empty: not run.",
        ),
        tag("p", *key, class_="key"),
        tag(
            "div",
            tag("table", tag("thead", head), tag("tbody", *rows), class_="matrix"),
            class_="wide",
        ),
        _table(
            ("scenario", "what happens"), ((one, report.scenarios[one].words) for one in names)
        ),
    )


def _cell(report: Report, fault: Fault, scenario: str) -> Markup:
    result = report.cells.worst.get((fault.name, scenario))
    if result is None:
        return tag("td")
    text, colour = _said(report, result)
    placed = result.plan.faults[0]
    when = f"@{placed.at}" + (f"..{placed.lasts}" if placed.lasts is not None else "")
    link = tag(
        "a", text, tag("small", when), href=f"#{_anchor(fault)}",
        title=f"{result.plan.id}: {result.words}",
    )  # fmt: skip
    return tag("td", link, class_=colour)


def _said(report: Report, result: Result) -> tuple[str, str]:
    return UNTESTED if report.cells.untested(result) else CELL[result.outcome]


def _anchor(fault: Fault) -> str:
    return f"fault-{fault.name}"


def _bad(report: Report) -> Markup:
    if not report.dangerous and not report.late:
        return tag("p", "There is none.")
    heads = ("outcome", "what happened", "see it again")
    dangerous = _table(
        heads, ((one.outcome.value, one.words, _replay(one)) for one in report.dangerous)
    )
    return joined(
        dangerous if report.dangerous else tag("p", "No run was dangerous."),
        tag("h3", f"Late: {len(report.late):,}"),
        tag("p", LATE_WORDS),
        *(
            joined(
                tag("p", one.why or tag("strong", "Nobody has explained these yet.")),
                tag(
                    "details",
                    tag("summary", f"{counted_runs(one.runs)}, the longest stop "
                        f"{one.most_ms:.0f} ms after the demand"),
                    _table(heads, ((run.outcome.value, run.words, _replay(run))
                                   for run in one.runs)),
                ),
            )
            for one in report.late_by_reason()
        ),
    )  # fmt: skip


def _elsewhere(_: Report) -> Markup:
    return joined(
        tag("p", ELSEWHERE_WORDS),
        _table(("faults", "tried by", "found"), ELSEWHERE),
    )


def _latent(report: Report) -> Markup:
    return joined(
        tag(
            "p",
            "These faults stayed, a whole reset came after them, and no run of this campaign "
            "showed them. They stay in a robot until somebody looks, so each has a reason why "
            "nothing notices it, and what a person must do.",
        ),
        _hidden(report.nothing_found, "There is none."),
        tag("h3", "Found only by some scenarios"),
        tag("p", "Other scenarios, though there was a reset in them, did not show these."),
        _hidden(report.found_by_some, "There is none."),
    )


def _hidden(faults: Sequence[Hidden], nothing: str) -> Markup:
    if not faults:
        return tag("p", nothing)
    return _table(
        ("fault", "harmless", "why nothing notices it, and what to do", "runs", "for example"),
        (
            (
                joined(tag("code", one.fault.name), tag("div", one.fault.words, class_="dim")),
                "yes" if one.harmless else "no",
                _why(one),
                f"{len(one.missed)} of {len(one.missed) + len(one.found)}",
                tag("code", one.missed[0].plan.id),
            )
            for one in faults
        ),
    )


def _why(one: Hidden) -> Markup:
    if not one.explanation:
        return joined(shows_in(one)) if one.found else tag("strong", UNEXPLAINED)
    if not one.explanation.person:
        return joined(one.explanation.why)
    return joined(
        one.explanation.why, tag("div", tag("strong", "A person: "), one.explanation.person)
    )


def _coverage(report: Report) -> Markup:
    ours = _table(
        ("where", "kinds of fault", "found", "DC", "runs", "showed it", "share", "harmless"),
        (
            (name, one.faults, one.found, percent(one.share), one.runs, one.shown,
             percent(one.share_of_runs), one.harmless)
            for name, one in report.coverage()
        ),
        numbers=1,
    )  # fmt: skip
    theirs = _table(
        ("safety function of the worksheet", "its DCavg", "here: parts", "kinds found", "runs"),
        (
            (name, claimed, ", ".join(place.value for place in places),
             percent(report.coverage_of(places).share),
             percent(report.coverage_of(places).share_of_runs))
            for name, claimed, places in WORKSHEET
        ),
    )  # fmt: skip
    missed = [one.fault.name for one in report.nothing_found if not one.harmless]
    return joined(
        tag("p", COVERAGE),
        ours,
        tag("p", f"Not harmless, and found by no run: {', '.join(missed) or 'none'}."),
        tag("h3", "Beside what the circuit's worksheet assumes"),
        theirs,
        tag("p", COMPARABLE),
    )


def _stops(report: Report) -> Markup:
    return joined(
        tag("p", STOPS),
        _table(
            ("scenario", "from 0 to the longest", "n", "p50", "p99", "longest", "off already"),
            (
                (name, _histogram(one), len(one.times), *_figures(one), one.off)
                for name, one in report.stops.items()
            ),
            numbers=2,
        ),
    )


def _figures(one: Stops) -> Sequence[str]:
    if not one.times:
        return ("", "", "")
    return tuple(f"{ms:.1f} ms" for ms in (one.percentile(50), one.percentile(99), one.times[-1]))


def _histogram(one: Stops) -> Markup:
    if not one.times:
        return joined("")
    longest = one.times[-1]
    counts = [0] * BINS
    for ms in one.times:
        counts[min(BINS - 1, int(ms / longest * BINS))] += 1
    wide, base = BAR_WIDTH / BINS, BAR_HEIGHT - 12
    bars = []
    for number, count in enumerate(counts):
        if count:
            x, high = round(number * wide, 2), round(max(2, (base - 2) * count / max(counts)), 2)
            bars.append(tag("rect", class_="on", x=x, y=base - high, width=wide - 1, height=high))
    return tag(
        "svg",
        tag("title", f"{len(one.times)} stops, the longest {longest:.1f} ms"),
        *bars,
        tag("line", class_="rest", x1=0, x2=BAR_WIDTH, y1=base, y2=base),
        tag("text", "0", class_="tick", x=0, y=BAR_HEIGHT - 1),
        tag("text", f"{longest:.1f} ms", class_="tick", x=BAR_WIDTH, y=BAR_HEIGHT - 1,
            text_anchor="end"),
        viewBox=f"0 0 {BAR_WIDTH} {BAR_HEIGHT}", role="img", class_="histogram",
    )  # fmt: skip


def _timelines(report: Report) -> Markup:
    if not report.same_firmware:
        return tag("p", "Not drawn: the firmware that is here is not the one of this campaign.")
    return joined(
        tag(
            "p",
            "Dangerous runs first, then late ones, then the longest stop of a scenario; each was"
            " carried out again to draw it. Bars: contact closed, pin or coil on. Shaded: the "
            "load must be off. The controller's state is what the host was told, as far as it "
            "listened.",
        ),
        *(_timeline(report, one) for one in report.timelines),
    )


def _timeline(report: Report, one: Timeline) -> Markup:
    scenario = report.scenarios[one.result.plan.scenario]
    stopped = one.result.stop_ms and one.result.outcome is not Outcome.DANGEROUS
    took = f", load off after {one.result.stop_ms:.1f} ms" if stopped else ""
    whole, *close = views(scenario, one.result, one.trace)
    same = "" if one.same else " The replay differs from the run: it is not what happened then."
    return tag(
        "div",
        tag("h3", f"{one.result.outcome.value}: {one.result.words}{took}"),
        tag("p", _replay(one.result), same),
        picture(whole, "the whole run"),
        *(joined(tag("p", "Close up:", class_="dim"), picture(view, "close up"))
          for view in close),
        class_="timeline",
    )  # fmt: skip


def _requirements(report: Report) -> Markup:
    return joined(
        tag(
            "p",
            "Which scenarios bear on which safety requirement, the faults that were tried in "
            "them, and the worst that came of it, with pairs of faults and bits of memory. That "
            "a run bears on a requirement proves it only as far as the load shows it; the tests "
            "prove the rest.",
        ),
        _table(
            ("requirement", "scenarios", "faults", "runs", "worst outcome"),
            (
                (one.requirement, ", ".join(one.scenarios), one.faults, one.runs,
                 one.worst.value if one.worst else "not run")
                for one in report.requirements()
            ),
        ),
    )  # fmt: skip


def _faults(report: Report) -> Markup:
    by_fault: dict[str, list[Result]] = {}
    for (name, _), result in report.cells.worst.items():
        by_fault.setdefault(name, []).append(result)
    return joined(
        *(
            tag(
                "details",
                tag("summary", tag("code", name), f": {FAULTS[name].words}"),
                tag("p", f"{FAULTS[name].place.value}; {FAULTS[name].source}", class_="dim"),
                _table(
                    ("outcome", "what happened", "see it again"),
                    ((_said(report, one)[0], one.words, _replay(one)) for one in results),
                ),
                id=_anchor(FAULTS[name]),
            )
            for name, results in sorted(by_fault.items())
        )
    )


def _repeat(report: Report) -> Markup:
    return joined(
        _table(("", ""), report.versions()),
        tag("p", WHY_NOT_FASTER),
        tag("p", "All runs follow from the seed. The campaign again: "),
        tag("p", tag("code", report.again())),
        tag("p", "One run again, with all that happened:"),
        tag("p", tag("code", "redbutton bench replay RUN")),
        tag("p", "What faults and scenarios there are:"),
        tag("p", tag("code", "redbutton bench list")),
    )
