"""Line and branch coverage of the firmware, in MicroPython and CPython alike (`make coverage`).

No coverage tool runs in MicroPython, so the firmware is rewritten before the tests: every
statement marks that it was reached, every `if`, `while` and `for` marks both of its ways. Marking
allocates nothing, so that it works in interrupts and with the heap locked. The marks of all
interpreters that ran are put together at the end.

A line that no test here can reach carries the comment `# unreached: why` and is left out, with all
that is in it.
"""

import ast
import hashlib
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RECORDER = "coverage_marks"
UNREACHED = "# unreached:"

# Runs in both interpreters. `{size}` marks, one byte each, written at the end of the process.
RECORDER_TEXT = """
import sys

try:
    import utime as time
except ImportError:
    import time

marks = bytearray({size})


def way(index, value):
    marks[index if value else index + 1] = 1
    return value


def write():
    name = "%d-%d" % (time.time_ns(), id(marks))
    try:
        with open({folder!r} + "/" + name, "wb") as file:
            file.write(marks)
    except OSError:
        pass


try:
    import atexit

    atexit.register(write)
except ImportError:
    sys.atexit(write)
"""


@dataclass
class Marks:
    """What each mark stands for: (file, line, what)."""

    meaning: list[tuple[str, int, str]] = field(default_factory=list)

    def new(self, file: str, line: int, what: str) -> int:
        """The number of another mark."""
        self.meaning.append((file, line, what))
        return len(self.meaning) - 1


class _Instrument(ast.NodeTransformer):
    """Puts marks into one module."""

    def __init__(self, file: str, text: str, marks: Marks) -> None:
        self.file = file
        self.marks = marks
        self.skipped = {
            number for number, line in enumerate(text.splitlines(), 1) if UNREACHED in line
        }

    def _reached(self, node: ast.stmt) -> ast.stmt:
        number = self.marks.new(self.file, node.lineno, "line")
        text = f"{RECORDER}.marks[{number}] = 1"
        return ast.copy_location(ast.parse(text).body[0], node)

    def _call(self, function: str, node: ast.stmt, value: ast.expr) -> ast.expr:
        number = self.marks.new(self.file, node.lineno, "yes")
        self.marks.new(self.file, node.lineno, "no")
        call = ast.parse(f"{RECORDER}.{function}({number}, 0)", mode="eval").body
        assert isinstance(call, ast.Call)
        call.args[1] = value
        return ast.copy_location(call, value)

    def _body(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        found: list[ast.stmt] = []
        for statement in statements:
            if statement.lineno in self.skipped:
                found.append(statement)  # as it is, with all that is in it
                continue
            text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if not text and not isinstance(statement, ast.Global):
                found.append(self._reached(statement))
            found.append(self.visit(statement))
        return found

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for name in ("body", "orelse", "finalbody"):
            statements = getattr(node, name, None)
            if isinstance(statements, list):
                setattr(node, name, self._body(statements))
        for handler in getattr(node, "handlers", []):
            if handler.lineno not in self.skipped:
                self.generic_visit(handler)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if any("asm_pio" in ast.unparse(item) for item in node.decorator_list):
            return node  # a program of the PIO, not of the CPU
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self.generic_visit(node)

    def _branching(self, node: ast.If | ast.While) -> ast.AST:
        test = ast.unparse(node.test)
        if test == "TYPE_CHECKING":
            return node
        if test != "True":
            node.test = self._call("way", node, node.test)
        return self.generic_visit(node)

    visit_If = _branching
    visit_While = _branching

    def visit_For(self, node: ast.For) -> ast.AST:
        self.generic_visit(node)
        number = self.marks.new(self.file, node.lineno, "body")
        mark = ast.parse(f"{RECORDER}.marks[{number}] = 1").body
        node.body = [*mark, *node.body]
        if not _always_leaves(node):
            number = self.marks.new(self.file, node.lineno, "end")
            node.orelse = [*ast.parse(f"{RECORDER}.marks[{number}] = 1").body, *node.orelse]
        return node


def _always_leaves(node: ast.For) -> bool:
    """A loop whose last statement returns never comes to its end unless it is empty."""
    return isinstance(node.body[-1], ast.Return)


def _after_docstring(tree: ast.Module) -> int:
    return 1 if ast.get_docstring(tree) is not None else 0


def instrument(firmware: Path, folder: Path) -> Marks:
    """Write the marked firmware into `folder`/firmware; its marks go to `folder`/marks."""
    marks = Marks()
    out = folder / "firmware"
    out.mkdir(parents=True)
    (folder / "marks").mkdir()
    digest = ""
    for path in sorted(firmware.glob("*.py"), key=lambda p: (p.name == "boot.py", p.name)):
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        if path.name != "pins.py":
            _Instrument(path.name, text, marks).generic_visit(tree)
        first = ast.parse(f"import {RECORDER}").body
        tree.body[_after_docstring(tree) : _after_docstring(tree)] = first
        written = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
        if path.name == "main.py":  # boot.py knows its digest
            digest = hashlib.sha256(written.encode()).hexdigest()
        if path.name == "boot.py":
            written = re.sub(r"(MAIN = b)'[0-9a-f]{64}'", rf"\1'{digest}'", written)
        (out / path.name).write_text(written, encoding="utf-8")
    (out / f"{RECORDER}.py").write_text(
        RECORDER_TEXT.format(size=len(marks.meaning), folder=str(folder / "marks")),
        encoding="utf-8",
    )
    return marks


def missing(marks: Marks, folder: Path) -> Iterator[tuple[str, int, str]]:
    """(file, line, what) of all marks that no interpreter has set."""
    seen = bytearray(len(marks.meaning))
    for file in (folder / "marks").iterdir():
        for i, byte in enumerate(file.read_bytes()):
            seen[i] |= byte
    for i, meaning in enumerate(marks.meaning):
        if not seen[i]:
            yield meaning


def report(marks: Marks, folder: Path) -> tuple[str, bool]:
    """A table of the files, what is missing, and whether nothing is."""
    lost = list(missing(marks, folder))
    lines = ["file              lines  missed   ways  missed"]
    for file in sorted({file for file, _, _ in marks.meaning}):
        own = [what == "line" for name, _, what in marks.meaning if name == file]
        gone = [what == "line" for name, _, what in lost if name == file]
        lines.append(
            f"{file:<16} {sum(own):>6} {sum(gone):>7} {len(own) - sum(own):>6}"
            f" {len(gone) - sum(gone):>7}"
        )
    lines += [f"{file}:{line}: {what} never" for file, line, what in lost]
    return "\n".join(lines), not lost


class FirmwareCoverage:
    """A plugin of pytest: all tests run on the marked firmware, and the report ends the run."""

    def __init__(self) -> None:
        import redbutton.firmware

        self._folder = Path(tempfile.mkdtemp(prefix="rb-coverage-"))
        self._marks = instrument(Path(redbutton.firmware.__path__[0]), self._folder)
        marked = self._folder / "firmware"
        redbutton.firmware.__path__ = [str(marked)]  # type: ignore[assignment]
        sys.path.append(str(marked))  # for the recorder
        import coverage_marks  # type: ignore[import-not-found]

        from redbutton.virtual.board import FIRMWARE, VirtualBoard  # after that: it imports some

        self._recorder = coverage_marks

        begin = VirtualBoard.__init__

        def on_marked_firmware(board: VirtualBoard, *arguments: Any, **settings: Any) -> None:
            folders = settings.pop("firmware", (FIRMWARE,))
            settings["firmware"] = tuple(marked if f == FIRMWARE else f for f in folders)
            begin(board, *arguments, **settings)

        VirtualBoard.__init__ = on_marked_firmware  # type: ignore[method-assign]

    def pytest_sessionfinish(self, session: Any) -> None:
        """A line that was not reached is a failure."""
        self._recorder.write()
        if any(missing(self._marks, self._folder)) and not session.exitstatus:
            session.exitstatus = 1

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """What was reached, this process's own marks included."""
        text, _ = report(self._marks, self._folder)
        terminalreporter.write_line(text)
