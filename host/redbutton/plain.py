"""Text from elsewhere as it may be shown: it can neither colour, move nor hide anything."""


def plain(text: str) -> str:
    """With every character that is not seen as itself written as its escape: control characters,
    those that change the direction of writing or take no width, line ends, lone surrogates."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )
