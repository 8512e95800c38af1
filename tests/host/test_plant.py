"""The plant's model, without any firmware."""

from collections.abc import Iterator

import pytest

from redbutton.virtual.shim import plant
from redbutton.virtual.shim.plant import Plant

HELD_US = 10_000_000


class Bench:
    """A plant and what it traced."""

    def __init__(self) -> None:
        self.changes: list[tuple[int, str, int]] = []
        self.plant = Plant(lambda now, name, value: self.changes.append((now, name, value)))

    def when(self, signal: str, value: int) -> int:
        """When the signal last became so, in microseconds."""
        return [at for at, name, v in self.changes if (name, v) == (signal, value)][-1]


@pytest.fixture
def off() -> Bench:
    """Nothing driven, button released."""
    return Bench()


@pytest.fixture
def on() -> Iterator[Bench]:
    """Both relays driven since time 0, load on since 12 ms."""
    bench = Bench()
    bench.plant.pulses(HELD_US)
    bench.plant.feed(HELD_US)
    bench.plant.k2(1)
    bench.plant.advance(100_000)
    assert bench.plant.value["load"] == 1
    yield bench


def test_the_load_comes_on_when_both_relays_have_pulled_in(on: Bench) -> None:
    assert on.when("load", 1) == plant.PULL_IN_US


def test_a_mirror_contact_opens_before_its_relay_closes(on: Bench) -> None:
    for relay in ("1", "2"):
        assert on.when(f"mirror_{relay}", 0) < on.when(f"relay_{relay}", 1)


def test_a_mirror_contact_closes_after_its_relay_has_opened(on: Bench) -> None:
    on.plant.k2(0)
    on.plant.advance(200_000)
    assert on.when("relay_2", 0) == 100_000 + plant.DROP_OUT_US
    assert on.when("mirror_2", 1) == on.when("relay_2", 0) + plant.GUIDE_US


def test_one_relay_alone_cuts_the_load(on: Bench) -> None:
    on.plant.k2(0)
    on.plant.advance(200_000)
    assert on.plant.value["relay_1"] == 1
    assert on.plant.value["load"] == 0


def test_a_starved_pulse_channel_drops_k1(on: Bench) -> None:
    on.plant.pulses(150_000)
    on.plant.advance(HELD_US)
    assert on.when("coil_1", 0) == 150_000 + plant.PULSE_HOLD_US
    assert on.when("load", 0) == 150_000 + plant.PULSE_HOLD_US + plant.DROP_OUT_US


def test_a_level_on_the_pulse_pin_holds_nothing(off: Bench) -> None:
    off.plant.k2(1)
    off.plant.advance(HELD_US)
    assert off.plant.value["relay_1"] == 0


@pytest.mark.requirement("SR-02")
def test_the_button_cuts_both_coils_though_the_pins_still_drive(on: Bench) -> None:
    """The one fact that no software can change: the contacts carry the coil supply."""
    on.plant.act("button", 1)
    on.plant.advance(200_000)
    assert on.plant.value["k1_pulses"] and on.plant.value["k2_pin"]
    assert (on.plant.value["relay_1"], on.plant.value["relay_2"]) == (0, 0)
    assert on.when("load", 0) < 100_000 + 10_000


def test_a_contact_bounces_and_comes_to_rest(off: Bench) -> None:
    off.plant.act("button", 1)
    off.plant.advance(50_000)
    moves = [change for change in off.changes if change[1] == "contact_a"]
    assert len(moves) == 1 + len(plant.BOUNCE_US)
    assert off.plant.value["contact_a"] == 0


@pytest.mark.parametrize("relay", ["1", "2"])
def test_a_weld_keeps_its_mirror_contact_open(on: Bench, relay: str) -> None:
    on.plant.act(f"stick:relay_{relay}", 1)
    on.plant.act("button", 1)
    on.plant.advance(HELD_US)
    assert on.plant.value[f"mirror_{relay}"] == 0
    assert on.plant.value["load"] == 0


def test_a_freed_weld_follows_its_coil_again(on: Bench) -> None:
    on.plant.act("stick:relay_1", 1)
    on.plant.act("button", 1)
    on.plant.advance(300_000)
    on.plant.act("stick:relay_1", -1)
    on.plant.advance(400_000)
    assert (on.plant.value["relay_1"], on.plant.value["mirror_1"]) == (0, 1)


def test_a_contact_freed_goes_where_the_button_is(off: Bench) -> None:
    off.plant.act("stick:contact_a", 1)
    off.plant.act("button", 1)
    off.plant.advance(50_000)
    assert off.plant.value["contact_a"] == 1
    off.plant.act("stick:contact_a", -1)
    assert off.plant.value["contact_a"] == 0


def test_without_supply_everything_reads_open_and_the_load_is_dead(on: Bench) -> None:
    on.plant.act("supply", 0)
    on.plant.advance(200_000)
    assert on.plant.value["load"] == 0
    for name in ("contact_a", "contact_b", "mirror_1", "mirror_2"):
        assert on.plant.sense(name) == 0


def test_an_unknown_action_is_an_error_that_names_it(off: Bench) -> None:
    with pytest.raises(ValueError, match="no action explode"):
        off.plant.act("explode", 1)
