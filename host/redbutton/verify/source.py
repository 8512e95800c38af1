"""The text of firmware/decide.py as it stands, with its limits in milliseconds made small."""

import ast
from pathlib import Path
from types import ModuleType

from redbutton.firmware import decide
from redbutton.verify.seeds import BUGS

SOURCE = Path(decide.__file__)
LIMITS = (
    "HEARTBEAT_TIMEOUT_MIN",
    "HEARTBEAT_TIMEOUT_MAX",
    "STOP_DELAY_MAX",
    "DISCREPANCY_MAX",
    "MIRROR_CLOSE_MAX",
    "MIRROR_OPEN_MAX",
    "RESET_SETTLE",
    "RESET_PRESS_MIN",
    "RESET_PRESS_MAX",
    "TICK_LATE_MAX",
    "TIMER_MAX",
)
FULL = 0  # the scale at which no number is changed
# Bases of the logarithms in which limits are counted: smaller is finer, and takes longer.
TINY, SMALL, COARSE = 8, 7, 5


def scale(number: int, base: int) -> int:
    """A limit at this scale: its logarithm, rounded down, at least 1. It keeps the order."""
    if base == FULL:
        return number
    power = 0
    while base ** (power + 1) <= number:
        power += 1
    return max(1, power)


def scaled(source: str, base: int) -> str:
    """The text with the numbers of LIMITS and the times of TEST scaled, and nothing else."""
    numbers: list[ast.Constant] = []
    for node in ast.parse(source).body:
        if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)):
            continue
        value = node.value
        if node.targets[0].id in LIMITS and isinstance(value, ast.Call):
            numbers += [each for each in value.args if isinstance(each, ast.Constant)]
        elif node.targets[0].id == "TEST" and isinstance(value, ast.Tuple):
            for row in value.elts:
                assert isinstance(row, ast.Tuple)
                numbers += [each for each in row.elts[3:] if isinstance(each, ast.Constant)]
    lines = source.splitlines(keepends=True)
    for number in sorted(numbers, key=lambda each: (each.lineno, -each.col_offset)):
        line = lines[number.lineno - 1]
        value_text = str(scale(int(str(number.value)), base))
        lines[number.lineno - 1] = (
            line[: number.col_offset] + value_text + line[number.end_col_offset :]
        )
    return "".join(lines)


def load(base: int, bug: str | None = None) -> ModuleType:
    """A module of its own, from the text of decide.py."""
    source = SOURCE.read_text()
    for old, new in BUGS[bug].edits if bug else ():
        if source.count(old) != 1:
            raise ValueError(f"seeded bug {bug}: not once in {SOURCE.name}: {old!r}")
        source = source.replace(old, new)
    module = ModuleType("decide_under_test")
    exec(compile(scaled(source, base), str(SOURCE), "exec"), module.__dict__)
    return module
