"""Runs first: both relay outputs off, before anything else can go wrong."""

import pins
from machine import Pin

Pin(pins.K1, Pin.OUT, value=0)
Pin(pins.K2, Pin.OUT, value=0)
