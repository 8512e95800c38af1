"""Which GPIO does what. An input pin is high when its contact is closed; a broken wire reads open.

GPIO15 is left free: the chip takes it for a moment whenever USB connects (RP2040 erratum E5).

Generated from hardware/circuit.yaml by `make hardware`.
"""

# Inputs, pulled down.
CONTACT_A = 2  # button, first normally closed contact
CONTACT_B = 3  # button, second normally closed contact
MIRROR_1 = 4  # mirror contact of relay K1
MIRROR_2 = 5  # mirror contact of relay K2
RESET = 6  # reset button
KEY = 7  # key switch, closed in maintenance
SUPPLY = 8  # 24 V supply is there

# Outputs, low at reset.
K1 = 16  # pulse channel of relay K1
K2 = 17  # static drive of relay K2
WATCHDOG = 18  # feeds K2's hardware watchdog, a rising edge every 4 ms at least
LAMP_RED = 19  # red lamp
LAMP_GREEN = 20  # green lamp
BUZZER = 21  # buzzer
