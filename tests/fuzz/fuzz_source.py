"""Choices made out of bytes, and values that programs trip over.

A fuzzer changes bytes; `Source` turns them into choices, so that the same bytes always make the
same input, with or without a fuzzer.
"""

import math
import re
import struct
from collections.abc import Sequence
from copy import deepcopy
from decimal import Decimal
from typing import Any, TypeVar

Choice = TypeVar("Choice")


class Hostile:
    """Fails whatever is done with it."""

    def _fail(self, *_: object) -> Any:
        raise ArithmeticError("hostile")

    __bool__ = __len__ = __iter__ = __eq__ = __hash__ = __str__ = __repr__ = _fail  # type: ignore[assignment]
    __float__ = __int__ = __index__ = __getitem__ = __contains__ = __lt__ = _fail
    __deepcopy__ = __copy__ = lambda self, *_: self


class Word(str):
    """A string that is not quite one."""

    __slots__ = ()


# First those that JSON can say.
IN_JSON: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**63, 10**400, -(10**400), 0.5, -0.0, 1e308, -1e308, 5e-324),
    *(math.inf, -math.inf, math.nan, 1e7, "", " ", "a", "1", "NaN", "true", "\0", "zzqx", "Cup"),
    *("\ud800", "\u200b", "\u202epuc", "\N{ROBOT FACE}", "\u0301" * 9, "a" * 201, "b" * 6000),
    *("pick(", "it", "robot", "emergency stop", "\N{GREEK SMALL LETTER OMICRON}", "\ufdfa" * 50),
    *([], {}, [[]], {"": ""}, [math.nan], [0, 0, 0], [0.01, 0, 0], {"name": "Cup"}),
)
SPECIAL = (*IN_JSON, b"pick", 1j, Decimal("NaN"), (), {1.0, 2.0}, range(3), Hostile(), Word("cup"))
CHARACTERS = "\u200b\u200d\u202e\u2066\u00ad\u0301\ufe0f\0\n\t\"'(),.;_ 0@$A\ud800\u0430\U000e0041"
KEYS = ("name", "object", "text", "parameters", "on", "unknown", "", "\ud800", "x", "is", "linear")


class Source:
    """Choices; when the bytes have run out, always the first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def below(self, count: int) -> int:
        """A number from 0, less than `count`."""
        size = 1 if count <= 256 else 2
        part = self.take(size)
        return int.from_bytes(part, "little") % count

    def pick(self, options: Sequence[Choice]) -> Choice:
        """One of these."""
        return options[self.below(len(options))]

    def mostly(self, usual: Sequence[Any], others: Sequence[Any] = SPECIAL) -> Any:
        """One of the usual ones; one time in sixteen of the others."""
        return self.pick(others if self.below(16) == 15 else usual)

    def take(self, count: int) -> bytes:
        """So many bytes, or those that are left."""
        part = self._data[self._at : self._at + count]
        self._at += count
        return part

    def number(self, usual: Sequence[float], others: Sequence[Any] = SPECIAL) -> Any:
        """Mostly a usual number; else any float at all, or one of the others."""
        if self.below(16) == 14:
            return float(struct.unpack("<d", self.take(8).ljust(8, b"\0"))[0])
        return self.mostly(usual, others)

    def changed(self, example: Any, values: Sequence[Any] = SPECIAL) -> Any:
        """A copy of nested lists and dicts, with up to seven changes; values of `values` may get
        into it. The first choice: unchanged."""
        holder = [deepcopy(example)]
        for _ in range(self.below(8)):
            self._change(holder, values)
        return holder[0]

    def _change(self, holder: list[Any], values: Sequence[Any]) -> None:
        places = list(_places(holder))
        inside, key = self.pick(places)
        value = inside[key]
        match self.below(9):
            case 0:
                inside[key] = deepcopy(self.pick(values))
            case 1 if inside is not holder:
                del inside[key]
            case 2 if isinstance(value, dict):
                value[self.pick(KEYS)] = deepcopy(self.pick(values))
            case 2 if isinstance(value, list):
                value.append(deepcopy(self.pick(values)))
            case 3:  # maybe what is around it: a cycle
                other, name = self.pick(places)
                inside[key] = other[name]
            case 4:
                for _ in range(self.pick((1, 2, 30, 3000))):
                    value = {"a": value} if self.below(2) else [value]
                inside[key] = value
            case 5 if isinstance(value, str):
                at = self.below(len(value) + 1)
                inside[key] = value[:at] + self.pick(CHARACTERS) + value[at:]
            case 6 if isinstance(value, str | list):
                inside[key] = value[:1000] * self.pick((2, 3, 20, 300))
            case 7 if isinstance(value, list) and values is SPECIAL:
                inside[key] = tuple(value)
            case 8 if isinstance(value, int | float):
                inside[key] = self.pick((math.nan, math.inf, -1, 1e308, 10**400, 0.001, 5e-324))


def said_twice(text: str, source: Source) -> str:
    """JSON with a name that is there twice in one object."""
    names = list(re.finditer(r'"\w+": ', text))
    if not names:
        return text
    name = source.pick(names)
    return f"{text[: name.start()]}{name.group()}0, {text[name.start() :]}"


def _places(holder: list[Any]) -> Any:
    """Each container and the key of each thing in it; no more than are soon gone through."""
    waiting, seen = [holder], set()
    while waiting and len(seen) < 300:
        inside = waiting.pop()
        seen.add(id(inside))
        for key in list(inside if isinstance(inside, dict) else range(len(inside)))[:100]:
            yield inside, key
            if isinstance(inside[key], dict | list) and id(inside[key]) not in seen:
                waiting.append(inside[key])
