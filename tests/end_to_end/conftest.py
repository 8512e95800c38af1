"""The whole chain in real time: firmware, pseudo-terminal, ROS 2 nodes in their own processes."""

import itertools
import os
from collections.abc import Iterator

import pytest

from redbutton.demo.stage import Stage, ros_is_here

_domains = itertools.count(os.getpid() % 50)


@pytest.fixture
def domain() -> int:
    """A ROS domain of the test's own."""
    return 10 + next(_domains) % 90


@pytest.fixture
def ros() -> None:
    """ROS 2 is here, or the test is not run; never silently where CI=true."""
    if not ros_is_here():
        if os.environ.get("CI") == "true":
            pytest.fail("no ROS 2 here: make test sets it up")
        pytest.skip("no ROS 2 here: make test sets it up")


@pytest.fixture
def stage(ros: None, domain: int) -> Iterator[Stage]:
    """The whole chain, stopped since power-up."""
    with Stage(domain=domain) as stage:
        yield stage
