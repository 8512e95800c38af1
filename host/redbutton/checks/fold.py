"""Text as it reads, whatever characters it is written with: one form for each look."""

import base64
import binascii
import re
import unicodedata

_LOOK_ALIKE = str.maketrans(
    "абвгдезикмнорстухіјѕԁһոցաοαεικνρτυχβμηωςϲӏɡıℓ",
    "abbrde3ukmhopctyxijsdhngwoaeikvptuxbunwccigil",
)
_LEET = str.maketrans("0134578@$", "oieastbas")
_LEET_WORD = re.compile(r"\b(?=\w*[a-z])(?=[a-z@$]*[013457@$])[a-z@$][a-z013457@$]{3,}\b")
_SPACED = re.compile(r"\b(?:[a-z][ .\-_*]){3,}[a-z]\b")
_SPACES = re.compile(r"\s+")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")


def _shown(character: str) -> bool:
    return unicodedata.category(character) not in ("Cf", "Cc", "Mn", "Me") or character in "\n\t\r"


def fold(text: str) -> str:
    """In NFKC, lower case, look-alike letters as Latin ones, without what is not shown."""
    if text.isascii():
        plain = "".join(filter(_shown, text)) if not text.isprintable() else text
    else:
        plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text))
        plain = "".join(filter(_shown, plain))
    return _SPACES.sub(" ", plain.casefold().translate(_LOOK_ALIKE)).strip()


def unleet(folded: str) -> str:
    """With digits for letters read as letters, inside words only ("kn1fe", not "mug 1"), and
    words in spaced letters joined ("k n i f e")."""
    joined = _SPACED.sub(lambda found: re.sub(r"[ .\-_*]", "", found.group()), folded)
    return _LEET_WORD.sub(lambda found: found.group().translate(_LEET), joined)


def decoded(text: str, most: int = 8) -> list[str]:
    """Texts that stand in base64 in a text, at most so many."""
    found = []
    for segment in _BASE64.findall(text)[:most]:
        try:
            padded = segment.rstrip("=") + "=" * (-len(segment.rstrip("=")) % 4)
            plain = base64.b64decode(padded, altchars=b"-_" if set("-_") & set(segment) else None)
            inner = plain.decode("utf-8")
        except (binascii.Error, ValueError):
            continue
        if inner.isprintable() and " " in inner:
            found.append(inner)
    return found
