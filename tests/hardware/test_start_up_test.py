"""Simulation and firmware speak of the same test before energising."""

import pytest

from redbutton.firmware import decide


@pytest.mark.requirement("SR-13")
def test_the_firmware_performs_the_test_that_the_fault_table_supposes() -> None:
    """Steps 1 to 6 of `start_up_test`; a starved pulse channel is tested before them."""
    long_enough = [outputs for outputs, _, _, least, _ in decide.TEST if least >= 16]
    assert long_enough == [
        decide.K1_STARVED,
        decide.K1_LEVEL,
        0,
        decide.K2 | decide.WATCHDOG_STARVED,
        decide.K2,
        decide.K2,
        decide.K1,
    ]
