"""A report on paper: the first page, the tables and the pictures. Needs fpdf2."""

from collections.abc import Iterable, Sequence
from typing import Any

from redbutton.bench.faults import ELSEWHERE
from redbutton.bench.findings import Hidden
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
    WORKSHEET,
    Grade,
    Report,
    counted_runs,
    grade,
    percent,
    shows_in,
    verdict,
)
from redbutton.bench.run import Outcome
from redbutton.bench.timeline import Row, Span, View, ticks, views
from redbutton.errors import MissingTool
from redbutton.model import State

GOOD, BAD, CAUTION = (18, 114, 58), (163, 19, 27), (150, 85, 0)
COLOURS = {Grade.GOOD: GOOD, Grade.CAUTION: CAUTION, Grade.BAD: BAD}
BLACK, GREY, PALE = (0, 0, 0), (90, 98, 112), (213, 217, 224)
MUST_BE_OFF, ON, LOAD, STATE = (251, 233, 233), (74, 127, 193), (200, 50, 43), (201, 211, 224)
STATES = [state.value for state in State]
LATE_MOST = 12  # runs of one reason
LABEL_MM, ROW_MM = 26.0, 3.6


def require() -> Any:
    """fpdf2, or MissingTool."""
    try:
        import fpdf  # noqa: PLC0415
    except ImportError:
        raise MissingTool("fpdf2 is not installed: pip install 'redbutton[report]'") from None
    return fpdf


def write(report: Report) -> bytes:
    """The whole file."""
    paper = Paper()
    _cover(paper, report)
    _bad(paper, report)
    _latent(paper, report)
    _coverage(paper, report)
    _elsewhere(paper)
    _stops(paper, report)
    _requirements(paper, report)
    _timelines(paper, report)
    return paper.bytes()


class Paper:
    """Pages with headings, paragraphs, tables and pictures, in a font that every reader has."""

    def __init__(self) -> None:
        self.pdf = require().FPDF(format="A4")
        self.pdf.set_auto_page_break(True, 15)
        self.pdf.set_margin(15)
        self.pdf.set_title(TITLE)
        self.pdf.add_page()

    def bytes(self) -> bytes:
        """The file."""
        return bytes(self.pdf.output())

    def heading(self, text: str, size: int = 13) -> None:
        """With some space above."""
        if self.pdf.will_page_break(ROW_MM * 10):
            self.pdf.add_page()
        self.pdf.ln(3)
        self.text(text, size, "B")

    def text(self, text: str, size: int = 9, style: str = "", colour: Any = BLACK) -> None:
        """A paragraph."""
        self.pdf.set_font("Helvetica", style, size)
        self.pdf.set_text_color(*colour)
        self.pdf.multi_cell(0, size * 0.5, _printable(text), new_x="LMARGIN", new_y="NEXT")
        self.pdf.ln(1)

    def table(
        self, heads: Sequence[str], rows: Iterable[Sequence[object]], widths: Sequence[int]
    ) -> None:
        """`widths`: of the columns, in proportion."""
        self.pdf.set_font("Helvetica", "", 7.5)
        self.pdf.set_text_color(*BLACK)
        self.pdf.set_draw_color(*PALE)
        with self.pdf.table(
            col_widths=tuple(widths), line_height=3.6, padding=0.8, text_align="LEFT"
        ) as table:
            for row in (heads, *rows):
                table.row([_printable(str(value)) for value in row])
        self.pdf.ln(2)

    def picture(self, view: View) -> None:
        """A timeline."""
        high = ROW_MM * (len(view.rows) + 2)
        if self.pdf.will_page_break(high):
            self.pdf.add_page()
        top = self.pdf.get_y() + ROW_MM
        bottom = top + ROW_MM * len(view.rows)
        for span in view.seen(view.off):
            self._bar(view, span, top, bottom - top, MUST_BE_OFF)
        for number, row in enumerate(view.rows):
            self._row(view, row, top + ROW_MM * number)
        self.pdf.set_draw_color(*BAD)
        for mark in view.marks:
            if view.begin <= mark.at <= view.end:
                x = self._x(view, mark.at)
                self.pdf.line(x, top - 1, x, bottom)
                self._label(x + (0.5 if mark.after else -5), top - 1, mark.text, BAD)
        for at in ticks(view):
            self._label(self._x(view, at) - 3, bottom + 3, f"{at:g} ms", GREY)
        self.pdf.set_y(bottom + ROW_MM + 2)

    def _row(self, view: View, row: Row, top: float) -> None:
        self._label(self.pdf.l_margin, top + 2.7, row.label, BLACK)
        self.pdf.set_draw_color(*PALE)
        end = self.pdf.w - self.pdf.r_margin
        self.pdf.line(self.pdf.l_margin + LABEL_MM, top + 3.1, end, top + 3.1)
        colour = {"load": LOAD, "state": STATE}.get(row.signal, ON)
        for span in view.seen(row.spans):
            wide = self._bar(view, span, top + 0.6, ROW_MM - 1.2, colour)
            if row.signal == "state" and wide > 1.5 * len(span.text):
                self._label(self._x(view, span.begin) + 0.5, top + 2.6, span.text, BLACK)

    def _bar(self, view: View, span: Span, top: float, high: float, colour: Any) -> float:
        left = self._x(view, span.begin)
        wide = max(0.15, self._x(view, span.end) - left - (0.3 if span.text in STATES else 0))
        self.pdf.set_fill_color(*colour)
        self.pdf.rect(left, top, wide, high, style="F")
        return wide

    def _label(self, x: float, y: float, text: str, colour: Any) -> None:
        self.pdf.set_font("Helvetica", "", 6.5)
        self.pdf.set_text_color(*colour)
        self.pdf.text(x, y, _printable(text))

    def _x(self, view: View, at: float) -> float:
        left = float(self.pdf.l_margin) + LABEL_MM
        return left + (float(self.pdf.w) - float(self.pdf.r_margin) - left) * view.part(at)


def _printable(text: str) -> str:
    """What the font has no letter for becomes a question mark."""
    return text.encode("latin-1", "replace").decode("latin-1")


def _cover(paper: Paper, report: Report) -> None:
    paper.text(TITLE, 18, "B")
    paper.text(TESTED)
    for number, sentence in enumerate(verdict(report)):
        paper.text(sentence, 9 if number else 13, "" if number else "B",
                   COLOURS[grade(report)])  # fmt: skip
    paper.text(report.setting)
    paper.table(
        ("runs with", "runs", *(outcome.value for outcome in Outcome)),
        ((words, runs, *outcomes) for words, runs, outcomes in report.counts()),
        (34, 12, 20, 28, 14, 20, 20),
    )
    meaning = ((one.value, words) for one, words in OUTCOMES.items())
    paper.table(("outcome", "means"), meaning, (1, 4))
    paper.table(("this report", ""), report.versions(), (1, 2))
    paper.text(f"The campaign again: {report.again()}")
    paper.text("The matrix of all faults and scenarios is in the HTML form of this report.")


def _bad(paper: Paper, report: Report) -> None:
    paper.pdf.add_page()
    paper.heading("Dangerous and late runs")
    heads, widths = ("what happened", "redbutton bench replay"), (5, 6)
    if report.dangerous:
        rows = [(one.words, one.plan.id) for one in report.dangerous]
        paper.table(heads, rows, widths)
    else:
        paper.text("No run was dangerous.")
    if report.late:
        paper.text(LATE_WORDS)
    for one in report.late_by_reason():
        paper.text(one.why or "Nobody has explained these yet.")
        paper.text(
            f"{counted_runs(one.runs)}, the longest stop {one.most_ms:.0f} ms after the demand:"
        )
        paper.table(heads, [(run.words, run.plan.id) for run in one.runs[:LATE_MOST]], widths)
        if len(one.runs) > LATE_MOST:
            paper.text("The others are in the HTML form of this report.")


def _latent(paper: Paper, report: Report) -> None:
    for title, faults in (
        ("Faults that nothing found", report.nothing_found),
        ("Faults found only by some scenarios", report.found_by_some),
    ):
        paper.heading(title)
        rows = (
            (one.fault.name, "yes" if one.harmless else "no", _why(one), one.missed[0].plan.id)
            for one in faults
        )
        if faults:
            paper.table(("fault", "harmless", "why, and what to do", "run"), rows, (5, 2, 12, 6))
        else:
            paper.text("There is none.")


def _why(one: Hidden) -> str:
    if not one.explanation:
        return shows_in(one) if one.found else UNEXPLAINED
    person = f" A person: {one.explanation.person}" if one.explanation.person else ""
    return one.explanation.why + person


def _coverage(paper: Paper, report: Report) -> None:
    paper.heading("Diagnostic coverage")
    paper.text(COVERAGE)
    paper.table(
        ("where", "kinds of fault", "found", "DC", "runs", "showed it", "share"),
        (
            (name, one.faults, one.found, percent(one.share), one.runs, one.shown,
             percent(one.share_of_runs))
            for name, one in report.coverage()
        ),
        (3, 2, 2, 2, 2, 2, 2),
    )  # fmt: skip
    paper.table(
        ("safety function of the worksheet", "its DCavg", "here: parts", "kinds found", "runs"),
        (
            (name, claimed, ", ".join(place.value for place in places),
             percent(report.coverage_of(places).share),
             percent(report.coverage_of(places).share_of_runs))
            for name, claimed, places in WORKSHEET
        ),
        (6, 2, 4, 2, 2),
    )  # fmt: skip
    paper.text(COMPARABLE)


def _elsewhere(paper: Paper) -> None:
    paper.heading("What this bench does not model")
    paper.text(ELSEWHERE_WORDS)
    paper.table(("faults", "tried by", "found"), ELSEWHERE, (3, 3, 3))


def _stops(paper: Paper, report: Report) -> None:
    paper.heading("How long stops took")
    paper.text(STOPS)
    paper.table(
        ("scenario", "n", "p50 ms", "p99 ms", "longest ms", "off already"),
        (
            (name, len(one.times), f"{one.percentile(50):.1f}", f"{one.percentile(99):.1f}",
             f"{one.times[-1]:.1f}", one.off)
            for name, one in report.stops.items() if one.times
        ),
        (4, 1, 1, 1, 1, 1),
    )  # fmt: skip


def _requirements(paper: Paper, report: Report) -> None:
    paper.heading("Safety requirements")
    paper.table(
        ("requirement", "scenarios", "faults", "runs", "worst outcome"),
        (
            (one.requirement, ", ".join(one.scenarios), one.faults, one.runs,
             one.worst.value if one.worst else "not run")
            for one in report.requirements()
        ),
        (3, 10, 2, 2, 4),
    )  # fmt: skip


def _timelines(paper: Paper, report: Report) -> None:
    for number, one in enumerate(report.timelines):
        if number % 2 == 0:
            paper.pdf.add_page()
            paper.heading("The worst runs, drawn")
        paper.text(f"{one.result.outcome.value}: {one.result.words}", 9, "B")
        paper.text(f"redbutton bench replay {one.result.plan.id}", 8)
        if not one.same:
            paper.text("The replay differs from the run: it is not what happened then.", 8)
        for view in views(report.scenarios[one.result.plan.scenario], one.result, one.trace):
            paper.picture(view)
