"""Stand-in for `os`: random bytes that are the same for the same seed."""

import world
from uos import *


def urandom(size):
    return world.world.random(size)
