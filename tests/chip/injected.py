"""Firmware with a fault built in, and firmware that measures itself: files of the image, changed.

The fault stays asleep until the pin ASK is high. MARK goes high in the moment in which it begins.
"""

ASK = 22
MARK = 26
STEP_MARK = 27
EMPTY_MARK = 28
CALIBRATIONS = 50

LOOP = "while True: pass"
LOOP_WITHOUT_INTERRUPTS = "_machine.disable_irq()\n        while True: pass"
RAISE = 'raise ValueError("injected")'
ASKED = "_ask.value()"

# Every step of a control tick: (module, class, method).
PLACES = (
    ("controller", "Controller", "tick"),
    ("controller", "Controller", "_report"),
    ("link", "Link", "receive"),
    ("link", "Link", "_take"),
    ("link", "Link", "send_status"),
    ("decide", "Decide", "step"),
    ("board", "Board", "inputs"),
    ("board", "Board", "drive"),
    ("board", "Board", "show"),
    ("board", "Board", "feed_watchdogs"),
    ("board", "Port", "flush"),
)
INTERRUPT = ("board", "Board", "_contact_a_opened")
FRAME_HANDLER = ("link", "Link", "_take")
FEEDING = ("pulse", "PulseChannel", "pulse")

FAULT = """

import machine as _machine
_ask = _machine.Pin({ask}, _machine.Pin.IN, _machine.Pin.PULL_DOWN)
_mark = _machine.Pin({mark}, _machine.Pin.OUT, value=0)
_without_fault = {owner}.{method}


def _with_fault({arguments}):
    if {when}:
        _mark.value(1)
        {body}
    return _without_fault({arguments})


{owner}.{method} = _with_fault
"""


def fault(
    files: dict[str, bytes],
    place: tuple[str, str, str],
    body: str,
    when: str = ASKED,
    arguments: str = "*arguments",
) -> dict[str, bytes]:
    """The files, with `body` done first in a method when `when` holds.

    An interrupt handler needs its `arguments` by name: it must not make a tuple.
    """
    module, owner, method = place
    text = FAULT.format(
        ask=ASK,
        mark=MARK,
        owner=owner,
        method=method,
        arguments=arguments,
        when=when,
        body=body,
    )
    name = f"{module}.py"
    return {**files, name: files[name] + text.encode()}


# Both outputs driven as in RUN by the firmware's own board while both contacts read closed, and no
# other decision, so that the button can be tried a thousand times. What else the processor is
# doing is put into {load}.
ENDLESS_RUN = """


def run():
    import gc

    board = Board()
    link = Controller(board).link
    number = 0
    while True:
        due = time.ticks_add(time.ticks_us(), 1000)
        both = decide.CONTACT_A | decide.CONTACT_B
        board.drive(decide.K1 | decide.K2 if board.inputs() & both == both else 0)
        {load}
        number += 1
        left = time.ticks_diff(due, time.ticks_us())
        if left > 0:
            time.sleep_us(left)
"""
LOADS = {
    "nothing else": "pass",
    "collection": "gc.collect()",
    "frame flood": "link.receive(number)",
    "flash writes": "open('written', 'w').write(str(number) * 100)",
}


def endless_run(files: dict[str, bytes], load: str) -> dict[str, bytes]:
    """The files, with a control loop that drives both outputs for ever under this load."""
    text = ENDLESS_RUN.format(load=LOADS[load])
    return {**files, "controller.py": files["controller.py"] + text.encode()}


TIMED = """

import machine as _machine


def _timed(function, gpio):
    mark = _machine.Pin(gpio, _machine.Pin.OUT, value=0)

    def timed(*arguments):
        mark.value(1)
        result = function(*arguments)
        mark.value(0)
        return result

    return timed


_empty = _timed(lambda *arguments: None, {empty})
for _ in range({calibrations}):
    _empty(None, 1, 2, 3)
Link._answer = _timed(Link._answer, {answer})
decide.Decide.step = _timed(decide.Decide.step, {step})
Controller.tick = _timed(Controller.tick, {tick})
"""


def timed(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files, with pins high during a tick (MARK), a step, a heartbeat's check (ASK).

    EMPTY_MARK is high for the time that the marking itself takes, a few times before the first
    tick.
    """
    text = TIMED.format(
        empty=EMPTY_MARK, calibrations=CALIBRATIONS, answer=ASK, step=STEP_MARK, tick=MARK
    )
    return {**files, "controller.py": files["controller.py"] + text.encode()}
