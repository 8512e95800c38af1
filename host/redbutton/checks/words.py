"""Sets of words, written as they are read."""


def one_of(text: str) -> frozenset[str]:
    """The words of a text, in no order."""
    return frozenset(text.split())
