"""Writes `firmware/pins.py`, the pin map that the firmware imports, from the source.

python hardware/pinmap.py
"""

import sys
from pathlib import Path

from source import FOLDER, USB_PIN, Circuit, SourceError, load

PINS = FOLDER.parent / "firmware" / "pins.py"


def module(circuit: Circuit) -> str:
    """The text of the module."""
    lines = [
        '"""Which GPIO does what. An input pin is high when its contact is closed; a broken wire'
        " reads open.",
        "",
        f"GPIO{USB_PIN} is left free: the chip takes it for a moment whenever USB connects"
        " (RP2040 erratum E5).",
        "",
        "Generated from hardware/circuit.yaml by hardware/pinmap.py.",
        '"""',
    ]
    for title, direction in (("Inputs, pulled down.", "in"), ("Outputs, low at reset.", "out")):
        lines += ["", f"# {title}"]
        lines += [
            f"{name} = {pin.gpio}  # {pin.function}"
            for name, pin in circuit.pins.items()
            if pin.direction == direction
        ]
    return "\n".join(lines) + "\n"


def main(path: Path = PINS) -> int:
    """The command. Returns its exit status."""
    try:
        path.write_text(module(load()), encoding="utf-8")
    except SourceError as error:
        print(f"pinmap: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
