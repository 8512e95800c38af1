"""The fuzzer's targets, without the fuzzer: on their seeds, and on some that are changed."""

import random

import pytest
from fuzz_targets import TARGETS

SEEDS = 40
CHANGED = 120


def mutated(data: bytes, chance: random.Random) -> bytes:
    """With some bytes changed, put in or cut off."""
    found = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        at = chance.randint(0, len(found))
        match chance.randrange(4):
            case 0:
                found[at:] = chance.randbytes(chance.randint(1, 40))
            case 1:
                found[at:at] = chance.randbytes(chance.randint(1, 4))
            case 2:
                found[at : at + 1] = chance.randbytes(1)
            case 3:
                del found[at : at + chance.randint(1, 4)]
    return bytes(found)


@pytest.mark.parametrize("name", TARGETS)
def test_targets_hold_on_their_seeds_and_on_changed_ones(name: str) -> None:
    target, chance = TARGETS[name], random.Random(name)
    seeds = target.seeds()
    assert seeds, "a target needs something to begin with"
    target.run(b"")
    for seed in seeds[:: 1 + len(seeds) // SEEDS]:
        target.run(seed)
    for _ in range(CHANGED):
        target.run(mutated(chance.choice(seeds), chance))
