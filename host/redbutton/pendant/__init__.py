"""`redbutton pendant`: stop buttons, key switch, stack light and buzzer on a Raspberry Pi's pins.

A requester and an indicator: it asks the owner of the controller's port for a stop, as anybody
may. It is not the emergency stop. That is the red button whose contacts carry the relays' coil
supply: wire a second pair of a pendant button's contacts into that chain to make it one.
"""
