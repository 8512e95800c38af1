"""The decision allocates nothing: it runs in the real interpreter with the heap locked."""

import chip
import pytest


@pytest.mark.requirement("SR-18")
def test_no_step_allocates_memory_in_any_state_or_transition():
    assert chip.run("chip_locked_heap.py").startswith("OK ")


def test_a_step_that_makes_an_object_would_be_noticed():
    assert chip.run("chip_locked_heap.py", "allocate") == "MemoryError in step 0\n"
