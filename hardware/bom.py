"""The bill of materials, each article once: as CSV, and in the README."""

import csv
import io

from source import ROOT, Circuit, Connector, Part, SourceError

PATH = "hardware/generated/bom.csv"
README = "hardware/README.md"
BEGIN = "<!-- bill of materials: make hardware -->"
END = "<!-- end of the bill of materials -->"

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


def markdown(circuit: Circuit) -> str:
    """The same for the README."""
    rows = list(csv.DictReader(io.StringIO(table(circuit))))
    lines = [
        "| | parts | what | manufacturer, number | alternatives and notes |",
        "|" + "---|" * 5,
    ]
    for row in rows:
        what = f"{row['kind']}, {row['value']}; {row['rating']}"
        remarks = ". ".join(text for text in (row["alternatives"], row["note"]) if text)
        number = f"{row['manufacturer']} {row['manufacturer number']}"
        lines.append(f"| {row['quantity']} | {row['refs']} | {what} | {number} | {remarks} |")
    return "\n".join(lines)


def files(circuit: Circuit) -> dict[str, str]:
    """What is generated: path from the top of the repository -> text."""
    readme = (ROOT / README).read_text(encoding="utf-8")
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise SourceError(f"{README}: the marks around the bill of materials are missing")
    head, rest = readme.split(BEGIN)
    _, tail = rest.split(END)
    return {
        PATH: table(circuit),
        README: f"{head}{BEGIN}\n{markdown(circuit)}\n{END}{tail}",
    }
