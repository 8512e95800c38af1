"""What people write: YAML files, each read into a model, with errors that name line and field.

One way for all of them: profiles of robots, the host's configuration.
"""

import difflib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError, model_validator

from redbutton.errors import RedbuttonError
from redbutton.model import Frozen
from redbutton.plain import plain

SIZE_MOST = 1_000_000  # bytes
DEPTH_MOST = 20  # of nesting

Where = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


class Misplaced(ValueError):
    """What is wrong with a field at `where` below the model that says it."""

    def __init__(self, where: Where, text: str) -> None:
        super().__init__(text)
        self.where = where


def only(known: list[str], data: Any) -> Any:
    """The data, if all its keys are known."""
    for key in data if isinstance(data, dict) else ():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise Misplaced((key,), f"is not known here; {hint}")
    return data


class Part(Frozen):
    """A part of a document: a key that is not known is refused with the nearest known one."""

    @model_validator(mode="before")
    @classmethod
    def _known(cls, data: Any) -> Any:
        return only([field.alias or name for name, field in cls.model_fields.items()], data)


def read(path: Path, model: type[Model], wrong: type[RedbuttonError]) -> Model:
    """What stands in a file. `wrong` is raised, with file, line, field and what is wrong."""
    shown = plain(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_MOST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise wrong(f"{shown}: {reason}") from None
    if len(data) > SIZE_MOST:
        raise wrong(f"{shown}: is larger than {SIZE_MOST} bytes")
    document = _Document()
    try:
        return model.model_validate(document.read(data))
    except _Wrong as error:
        raise wrong(plain(f"{shown}:{error.line}: {error}")) from None
    except ValidationError as error:
        raise wrong(plain(f"{shown}:{document.explain(error)}")) from None


class _Wrong(Exception):
    """What is wrong with the YAML, in a line from 1."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


class _Composer(yaml.SafeLoader):
    """YAML without anchors, tags, depth: what it makes is no larger than the file."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if event.anchor is not None:
            raise _Wrong(line, "anchors and aliases (& and *) are not taken")
        if event.tag is not None:
            raise _Wrong(line, f"tags are not taken, as is {event.tag}")
        self.depth += 1
        if self.depth > DEPTH_MOST:
            raise _Wrong(line, f"is nested deeper than {DEPTH_MOST}")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


# The core schema of YAML 1.2. By YAML 1.1, PyYAML's own, `no` is false, 1:30 is 90 and 010 is 8.
_PLAIN: tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...] = (
    (re.compile(r"null|~|"), lambda text: None),
    (re.compile(r"true|false"), lambda text: text == "true"),
    (re.compile(r"[-+]?[0-9]{1,300}"), int),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
)


class _Document:
    """The values of a document, and the line of each."""

    def __init__(self) -> None:
        self._lines: dict[Where, int] = {(): 1}

    def read(self, data: bytes) -> Any:
        """All values; remembers their lines."""
        try:
            composer = _Composer(data)
            try:
                node = composer.get_single_node()
            finally:
                composer.dispose()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise _Wrong(mark.line + 1 if mark else 1, f"is no YAML: {error.problem}") from None
        except yaml.reader.ReaderError as error:
            line = data[: error.position].count(b"\n") + 1
            raise _Wrong(line, f"is no YAML: {error.reason}") from None
        if not isinstance(node, yaml.MappingNode):
            raise _Wrong(1, "is no mapping: it must be `name: value` in lines")
        return self._value(node, ())

    def _value(self, node: Any, where: Where) -> Any:
        if isinstance(node, yaml.MappingNode):
            return dict(self._items(node, where))
        if isinstance(node, yaml.SequenceNode):
            return [self._placed(part, part, (*where, i)) for i, part in enumerate(node.value)]
        if node.style is None:
            for form, read in _PLAIN:
                if form.fullmatch(node.value):
                    return read(node.value)
        return node.value

    def _items(self, node: yaml.MappingNode, where: Where) -> Iterator[tuple[str, Any]]:
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise _Wrong(line, f"{_dotted(where)}a key must be a name")
            inner = (*where, key.value)
            if inner in self._lines:
                first = self._lines[inner]
                raise _Wrong(line, f"{_dotted(inner)}is named twice, first in line {first}")
            yield key.value, self._placed(key, value, inner)

    def _placed(self, at: yaml.Node, node: yaml.Node, where: Where) -> Any:
        self._lines[where] = at.start_mark.line + 1
        return self._value(node, where)

    def explain(self, error: ValidationError) -> str:
        """Line, field and what is wrong there, of the first error; how many more there are."""
        errors = error.errors(include_url=False)
        first = errors[0]
        cause = first.get("ctx", {}).get("error")
        text = first["msg"].removeprefix("Input ")
        if isinstance(cause, ValueError):
            text = str(cause)
        elif isinstance(first["input"], str | int | float):
            text += f", not {str(first['input'])[:60]!r}"
        where = (*first["loc"], *(cause.where if isinstance(cause, Misplaced) else ()))
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        return f"{self._line_of(where)}: {_dotted(where)}{text}{more}"

    def _line_of(self, where: Where) -> int:
        """Of the nearest thing around it that stands in the file."""
        found: Where = ()
        for part in where:
            if (*found, part) not in self._lines:
                break
            found = (*found, part)
        return self._lines[found]


def _dotted(where: Where) -> str:
    """zones[2].polygon, and a colon."""
    text = ""
    for part in where:
        if part != "[key]":  # pydantic's, after a key that is wrong itself
            text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return f"{text.lstrip('.')}: " if text else ""
