"""What hangs on which pin of the probe. Outputs: name, states with the GPIOs that are high in
each, where. Senses: name, GPIO, where; high when closed, pressed, present.

Generated from hardware/probe.yaml by `make hardware`.
"""

OUTPUTS = (
    (
        "contact_a",
        (
            ("open", ()),
            ("closed", (16,)),
        ),
        "X2.1-X2.2",
    ),
    (
        "contact_b",
        (
            ("open", ()),
            ("closed", (17,)),
        ),
        "X2.3-X2.4",
    ),
    (
        "reset",
        (
            ("open", ()),
            ("pressed", (18,)),
        ),
        "X3.1-X3.2",
    ),
    (
        "key",
        (
            ("operation", ()),
            ("maintenance", (19,)),
        ),
        "X3.1-X3.3",
    ),
    (
        "mirror_1",
        (
            ("open", ()),
            ("closed", (21,)),
            ("follows", (20,)),
        ),
        "X6.1-X6.2, X3.1-X6.2",
    ),
    (
        "mirror_2",
        (
            ("open", ()),
            ("closed", (26,)),
            ("follows", (22,)),
        ),
        "X6.3-X6.4, X3.1-X6.4",
    ),
    (
        "supply",
        (
            ("off", ()),
            ("on", (27,)),
        ),
        "G30.+-X1.1",
    ),
    (
        "board",
        (
            ("off", (28,)),
            ("on", ()),
        ),
        "J1.37-J1.38",
    ),
    (
        "usb",
        (
            ("unplugged", (14,)),
            ("plugged", ()),
        ),
        "P30.IN-P30.OUT",
    ),
)
SENSES = (
    ("contact_a", 0, "X2.2-X2.4"),
    ("contact_b", 1, "X3.1-X2.3"),
    ("mirror_1", 2, "X6.2-X2.4"),
    ("mirror_2", 3, "X6.4-X2.4"),
    ("reset", 4, "X3.2-X2.4"),
    ("key", 5, "X3.3-X2.4"),
    ("supply", 6, "X3.1-X2.4"),
    ("load", 7, "X5.2-X5.3"),
    ("k2", 8, "J1.22"),
    ("k1_pulses", 9, "J1.21"),
    ("board", 10, "J1.36"),
    ("usb", 11, "P30.OUT"),
)
FIRST_SENSE = 0
SENSED = 12  # so many, side by side
K1_PULSES = 9  # made by the probe from K1
K1 = 12  # pulses for K1
