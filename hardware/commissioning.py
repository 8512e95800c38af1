"""The list for commissioning and for the proof test, its expected readings from the source."""

from source import Circuit, SourceError
from spice import watchdog_timeout
from template import render

PATH = "hardware/generated/commissioning.md"
LED_DROP = 1.9  # V, an optocoupler's LED and the diode before it


def pole(circuit: Circuit, net: str) -> str:
    """Where a net can be touched with a probe: the first pole that carries it, such as X2.1."""
    for ref, connector in circuit.connectors.items():
        for number, pin in connector.pins.items():
            if pin.net == net:
                return f"{ref}.{number}"
    raise SourceError(f"{net}: no connector carries this net, which the commissioning list needs")


def terminal(circuit: Circuit, ref: str, name: str) -> str:
    """The pole to which a terminal of a part is wired; in the field, one of its connector."""
    part = circuit.parts[ref]
    if part.connector:
        for number, pin in circuit.connectors[part.connector].pins.items():
            if pin.net == part.nodes[name]:
                return f"{part.connector}.{number}"
    return pole(circuit, part.nodes[name])


def files(circuit: Circuit) -> dict[str, str]:
    """What is generated: path from the top of the repository -> text."""
    relay = circuit.article(circuit.of_kind("relay")[0])
    coil = relay.model["resistance"]
    spread = coil * relay.tolerance["resistance"]
    shot = circuit.of_kind("one-shot")[0]
    limits = {
        (ref, name): tolerance
        for ref in circuit.parts
        for name, tolerance in circuit.article(ref).tolerance.items()
    }
    widths = [
        watchdog_timeout(circuit, {key: 1 + sign * value for key, value in limits.items()})
        for sign in (-1, 0, 1)
    ]
    sensing = circuit.value("R15")
    text = render(
        "commissioning.md",
        circuit=circuit,
        supply=circuit.supply,
        safety=circuit.safety,
        pole=lambda net: pole(circuit, net),
        terminal=lambda ref, name: terminal(circuit, ref, name),
        coil=(coil - spread, coil + spread),
        fuse=circuit.article(circuit.of_kind("fuse")[0]),
        must_operate=relay.model["must_operate"],
        held=relay.model["must_operate"] * (1 + circuit.limits.margin_nominal),
        led_current=(circuit.supply.nominal - LED_DROP) / sensing,
        led_voltage=circuit.supply.nominal - LED_DROP,
        watchdog=widths,
        shot=shot,
    )
    return {PATH: text}
