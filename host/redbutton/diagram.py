"""The state diagram of the controller, drawn from the table that it runs (`decide.TABLE`).

usage: python -m redbutton.diagram            print it (Mermaid)
       python -m redbutton.diagram README.md  put it between the marks in a file
"""

import sys
from pathlib import Path

from redbutton.firmware import decide

BEGIN = "<!-- state diagram: python -m redbutton.diagram README.md -->"
END = "<!-- end of state diagram -->"
WORDS = {
    decide.FAULT: "fault",
    decide.STOP: "any stop cause",
    decide.CUT: "deadline or standstill",
    decide.DELAYED_STOP: "category 1 request",
    decide.RESET: "reset by a person",
    decide.PASSED: "test passed",
}


def edges() -> list[tuple[str, str, list[str]]]:
    """(from, to, triggers) for every pair of states that a trigger connects."""
    names = decide.STATE_NAMES
    found: dict[tuple[str, str], list[str]] = {}
    for state, (_, *following) in decide.TABLE.items():
        for trigger, after in enumerate(following):
            if trigger == decide.CUT and state != decide.STOPPING:
                continue  # the trigger is raised in STOPPING only
            if after != state:
                found.setdefault((names[state], names[after]), []).append(WORDS[trigger])
    return [(before, after, triggers) for (before, after), triggers in found.items()]


def mermaid() -> str:
    """The diagram as Mermaid text; states with the load on are marked."""
    lines = ["```mermaid", "stateDiagram-v2"]
    for state, (outputs, *_) in decide.TABLE.items():
        name = decide.STATE_NAMES[state]
        lines.append(f"    {name} : {name} (load {'on' if outputs else 'off'})")
    lines.append("    [*] --> STOPPED : power up, watchdog reset, brown-out")
    lines.append("    [*] --> LOCKOUT : lockout recorded, key not in maintenance")
    for before, after, triggers in edges():
        lines.append(f"    {before} --> {after} : {', '.join(triggers)}")
    lines.append("```")
    return "\n".join(lines)


def with_diagram(text: str) -> str:
    """`text` with the diagram between its marks; ValueError if it has none."""
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    return f"{head}{BEGIN}\n{mermaid()}\n{END}{tail}"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        file = Path(sys.argv[1])
        file.write_text(with_diagram(file.read_text()))
    else:
        print(mermaid())
