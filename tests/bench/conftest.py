"""A virtual controller with a virtual probe wired to it."""

from collections.abc import Iterator

import pytest
from virtual_rig import Bench

from redbutton.bench.probe import Probe
from redbutton.bench.real import RealRig
from redbutton.virtual.board import RealTimeBoard
from redbutton.virtual.probe import VirtualProbe


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A virtual board with a virtual probe wired to it."""
    folder = tmp_path_factory.mktemp("rig")
    key = bytes(range(32))
    key_file = folder / "key"
    key_file.write_text(key.hex())
    port, probe = folder / "board", folder / "probe"
    with (
        RealTimeBoard(key, port, heartbeat_timeout_ms=500) as board,
        VirtualProbe(board, probe) as wired,
    ):
        yield Bench(board, wired, port, probe, key_file)
        assert board.errors == []


@pytest.fixture(scope="module")
def rig(bench: Bench) -> Iterator[RealRig]:
    """A host and an open probe on it."""
    with Probe(str(bench.probe)) as probe, RealRig(str(bench.port), bench.key_file, probe) as rig:
        yield rig
