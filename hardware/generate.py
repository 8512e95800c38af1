"""Writes all that follows from the source, circuit.yaml. `make hardware` runs this.

    python hardware/generate.py
    python hardware/generate.py --check    # writes nothing; ends with 1 if a file is stale

Each module below has `files(circuit)`, which returns what it makes as path -> text, and touches
no file of it itself. The table of faults (fmea.py) takes minutes and has a command of its own.
"""

import argparse
import sys

import bom
import commissioning
import pinmap
import plot
import probe
import schematic
import wiring
import worksheet
from source import ROOT, Circuit, SourceError, load

MODULES = (pinmap, bom, worksheet, commissioning, plot, schematic, probe, wiring)


def files(circuit: Circuit) -> dict[str, str]:
    """All generated files: path from the top of the repository -> text."""
    return {path: text for module in MODULES for path, text in module.files(circuit).items()}


def stale(circuit: Circuit) -> list[str]:
    """The paths whose files are missing or differ from what the source says."""
    texts = {p: t for m in MODULES if m is not wiring for p, t in m.files(circuit).items()}
    found = [path for path, text in texts.items() if _read(path) != text]
    # Another version of Graphviz lays out differently: what was drawn must be the same.
    drawn = wiring.graphs(circuit)
    return found + [p for p in drawn if not wiring.fresh(circuit, p, _read(p) or "")]


def _read(path: str) -> str | None:
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(description="Write all that follows from circuit.yaml.")
    parser.add_argument("--check", action="store_true", help="write nothing, name stale files")
    options = parser.parse_args(arguments)
    try:
        circuit = load()
        if options.check:
            found = stale(circuit)
            for path in found:
                print(f"stale: {path}: run `make hardware`", file=sys.stderr)
            return 1 if found else 0
        for path, text in files(circuit).items():
            (ROOT / path).parent.mkdir(exist_ok=True)
            (ROOT / path).write_text(text, encoding="utf-8")
            print(path)
    except SourceError as error:
        print(f"hardware: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
