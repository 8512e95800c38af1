"""The pin map that the firmware imports."""

from source import USB_PIN, Circuit

PATH = "firmware/pins.py"


def module(circuit: Circuit) -> str:
    """The text of the module."""
    lines = [
        '"""Which GPIO does what. An input pin is high when its contact is closed; a broken wire'
        " reads open.",
        "",
        f"GPIO{USB_PIN} is left free: the chip takes it for a moment whenever USB connects"
        " (RP2040 erratum E5).",
        "",
        "Generated from hardware/circuit.yaml by `make hardware`.",
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


def files(circuit: Circuit) -> dict[str, str]:
    """What is generated: path from the top of the repository -> text."""
    return {PATH: module(circuit)}
