"""Writes the bill of materials, `generated/bom.csv`, from the source: each article once.

python hardware/bom.py
"""

import csv
import io
import sys

from source import GENERATED, Circuit, Connector, Part, SourceError, load

COLUMNS = (
    "quantity",
    "refs",
    "kind",
    "value",
    "manufacturer",
    "manufacturer number",
    "rating",
    "alternatives",
    "note",
)


def table(circuit: Circuit) -> str:
    """The bill of materials as CSV, in the order of the articles. What is not used is left out."""
    refs: dict[str, list[str]] = {name: [] for name in circuit.articles}
    items: dict[str, Part | Connector] = {**circuit.parts, **circuit.connectors}
    for ref, item in items.items():
        refs[item.article].append(ref)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, article in circuit.articles.items():
        if refs[name]:
            writer.writerow(
                [
                    len(refs[name]),
                    " ".join(refs[name]),
                    article.kind,
                    article.value,
                    article.manufacturer,
                    article.mpn,
                    article.rating,
                    "; ".join(article.alternatives),
                    article.note,
                ]
            )
    return text.getvalue()


def main() -> int:
    """The command. Returns its exit status."""
    try:
        text = table(load())
    except SourceError as error:
        print(f"bom: {error}", file=sys.stderr)
        return 2
    GENERATED.mkdir(exist_ok=True)
    (GENERATED / "bom.csv").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
