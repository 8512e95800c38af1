"""Only what JSON can say is judged: nothing else surely means the same to whoever acts on it."""

import re

from redbutton.model import Frozen

DEEPEST = 20  # lists and objects in each other
MOST = 1_000_000  # values
_HALF = re.compile("[\ud800-\udfff]")  # of a pair that stands for one character


def flaw(given: object) -> str:
    """What JSON cannot say in nested values, or "": numbers are finite, characters whole. What
    was checked when it was made (`Frozen`) may stand among them."""
    waiting, room = [(given, 0)], MOST
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, str):
            if not value.isascii() and _HALF.search(value):
                return "a text has half a character (a lone surrogate)"
        elif isinstance(value, int | float):
            if not -1.7e308 < value < 1.7e308:
                return "a number is not finite"
        elif isinstance(value, list | tuple | dict):
            room -= len(value)
            if room < 0 or depth == DEEPEST:
                return "it is nested too deep, or there is too much of it"
            parts = (*value, *value.values()) if isinstance(value, dict) else value
            waiting.extend((part, depth + 1) for part in parts)
        elif value is not None and not isinstance(value, Frozen):
            return f"{type(value).__name__} is no type of JSON"
    return ""
