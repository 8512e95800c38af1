"""Generated text: the templates in `templates/`, and the tables that fmea.py has left."""

import csv

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from source import FOLDER, GENERATED, SourceError

_templates = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    undefined=StrictUndefined,  # a name that is missing is an error, never a gap in the text
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,
)
_templates.filters.update(
    ms=lambda seconds: f"{seconds * 1e3:.1f} ms",
    years=lambda years: f"{years:,.0f}",
    percent=lambda share: f"{share:.1%}",
)


def render(name: str, **values: object) -> str:
    """The template `name` with these values."""
    return _templates.get_template(name).render(**values)


def read_table(name: str) -> list[dict[str, str]]:
    """The rows of a generated CSV. Raises SourceError if it was not made yet."""
    try:
        with (GENERATED / name).open(encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise SourceError(f"{name} is missing: run `make fmea` first") from None
