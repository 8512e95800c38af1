"""The whole chain in real time: firmware, pseudo-terminal, ROS 2 nodes in their own processes."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from redbutton.demo.stage import Stage, own_domain, ros_is_here

OF_ROS = (
    "two_domains",
    "actions",
    "liveness",
    "zone",
    "policies",
    "other_dds",
    "recorded_bag",
    "profiled_gate",
)
# These import ROS 2. Where CI=true they fail to.
ROS_OR_FAIL = ros_is_here() or os.environ.get("CI") == "true"
collect_ignore = [] if ROS_OR_FAIL else [f"test_{name}.py" for name in OF_ROS]


@pytest.fixture
def domain() -> Iterator[int]:
    """A ROS domain of the test's own, and the next one too."""
    with own_domain() as domain:
        yield domain


@pytest.fixture
def ros() -> None:
    """ROS 2 is here, or the test is not run; never silently where CI=true."""
    if not ros_is_here():
        if os.environ.get("CI") == "true":
            pytest.fail("no ROS 2 here: make test sets it up")
        pytest.skip("no ROS 2 here: make test sets it up")


@pytest.fixture
def scene(ros: None, domain: int) -> Iterator[Callable[..., Any]]:
    """Make the gate on a virtual board and nodes of the test in both domains: `scene_on`."""
    from ros_side import scene_on

    with ExitStack() as stack:
        yield lambda **given: stack.enter_context(scene_on(domain, **given))


@pytest.fixture
def stage(ros: None, domain: int) -> Iterator[Stage]:
    """The whole chain, stopped since power-up."""
    with Stage(domain=domain) as stage:
        yield stage
