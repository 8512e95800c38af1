"""Every request stops; a flood of them does not fill the record. In virtual time."""

from redbutton.local import Peer
from redbutton.stop_log import ONE_BY_ONE, PERIOD_S, StopLog, StopRequested


def by(uid: int, reason: str = "", times: int = 1) -> StopRequested:
    return StopRequested(0, reason, Peer(pid=7, uid=uid, gid=uid), times)


def test_a_request_is_told_at_once() -> None:
    log = StopLog()
    assert log.take(by(1000, "here"), 0.0) == [by(1000, "here")]
    assert log.due(10.0) == []


def test_a_flood_is_told_as_one_a_second_with_its_number() -> None:
    log = StopLog()
    told = [one for i in range(1000) for one in log.take(by(1000, str(i)), i / 1000)]
    assert [one.reason for one in told] == [str(i) for i in range(ONE_BY_ONE)]
    assert log.due(PERIOD_S - 0.001) == []
    assert log.due(PERIOD_S) == [by(1000, "999", times=1000 - ONE_BY_ONE)]
    assert log.take(by(1000), PERIOD_S) == [by(1000)]


def test_one_users_flood_keeps_nobody_elses_back() -> None:
    log = StopLog()
    for i in range(100):
        log.take(by(1000, str(i)), 0.0)
    assert log.take(by(1001, "a person"), 0.1) == [by(1001, "a person")]


def test_what_a_client_sends_cannot_disturb_what_is_shown() -> None:
    text = StopRequested(1, "a\x1b[2J\nb", Peer(pid=7, uid=1000, gid=1), 3, sent=False).sentence()
    assert text == (
        "stop requested by user 1000 (process 7), 3 times, category 1: a\\x1b[2J\\nb; NOT SENT, "
        "there is no link to the controller"
    )
