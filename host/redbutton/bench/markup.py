"""HTML and SVG, in which every text is escaped."""

from html import escape


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def joined(*parts: object) -> Markup:
    """One after the other; what is no markup is escaped."""
    return Markup("".join(one if isinstance(one, Markup) else escape(str(one)) for one in parts))


def tag(name: str, *inside: object, **attributes: object) -> Markup:
    """An element. In attributes `class_` is class, and `stroke_width` is stroke-width."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
    )
    return Markup(f"<{name}{given}>{joined(*inside)}</{name}>")
