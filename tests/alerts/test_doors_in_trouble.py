"""Doors that throttle, break, lose their answers or do not know us: nothing is lost, nothing is told twice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.alerts import played
from tests.alerts.desk import Desk, drift, post_rows, repaired
from tests.alerts.played import text_of
from tests.servers import Clock, Database
from tests.workers.shelf import House, a_house
from workers.flows import alerts


def test_one_message_a_second_goes_to_slack(desk: Desk, house: House) -> None:
    for rule in ("alloc.fit", "program.over", "other.thing"):
        desk.run(
            "INSERT INTO alarm (rule, object, since, last_at) VALUES (:rule, 'channel:shop', :at, :at)",
            rule=rule,
            at=desk.now,
        )
    desk.look()

    first = desk.tell()
    sent = len(desk.slack.calls)
    desk.tell()

    assert (sent, len(desk.slack.calls)) == (1, 1)
    assert first.again_s is not None
    assert 1.0 <= first.again_s <= 1.5
    desk.settle()
    assert len(desk.slack.roots) == 3


def test_a_door_that_asks_to_be_left_alone_is_left_alone(desk: Desk, house: House) -> None:
    desk.slack.trouble, desk.pagerduty.trouble = ["429"], ["429"]
    drift(desk)
    desk.look()
    done = desk.tell()
    desk.clock.advance(6.5)
    early = desk.tell()
    calls = list(desk.slack.calls + desk.pagerduty.calls)
    desk.clock.advance(1)
    desk.tell()

    assert (done.told, early.told, calls) == (1, 0, [])
    assert desk.slack.calls + desk.pagerduty.calls == ["chat.postMessage", "trigger"]
    assert all(attempts == 0 for *_, attempts, _ in post_rows(desk))


@pytest.mark.parametrize("trouble", ["500", "refused"])
def test_what_a_door_did_not_take_is_told_again_with_growing_waits(
    desk: Desk, house: House, trouble: str
) -> None:
    desk.slack.trouble = [trouble] * 3
    drift(desk)
    desk.look()
    waits = []
    for _ in range(3):
        waits.append(desk.tell().again_s or 0.0)
        desk.clock.advance(waits[-1])
    desk.settle()

    assert waits == sorted(waits)
    assert waits[-1] == 8.0
    assert len(desk.slack.roots) == 1


def test_a_post_whose_answer_was_lost_is_found_and_not_posted_again(
    desk: Desk, house: House
) -> None:
    desk.slack.trouble = ["lost"]
    drift(desk)
    desk.round()
    repaired(desk)
    desk.look()
    desk.slack.trouble = ["lost", "lost"]
    desk.settle()

    (root,) = desk.slack.roots
    assert "[RESOLVED]" in text_of(root)
    assert len(desk.slack.thread(root["ts"])) == 1
    assert "conversations.history" in desk.slack.calls
    assert "conversations.replies" in desk.slack.calls


def test_a_worker_that_dies_while_it_posts_leaves_a_doubt_and_no_second_message(
    desk: Desk, house: House
) -> None:
    drift(desk)
    desk.look()

    class Dying(Exception):
        pass

    class Killed:
        name, pace_s, secret = desk.doors[0].name, desk.doors[0].pace_s, desk.doors[0].secret

        def tell(self, post: Any, now: Any) -> Any:
            desk.doors[0].tell(post, now)
            raise Dying

    with pytest.raises(Dying):
        alerts.deliver(desk.engine, [Killed()], now=lambda: desk.clock.now)
    held = len(desk.slack.roots), desk.tell().told
    desk.clock.advance(61)
    desk.settle()

    assert held == (1, 2)
    assert len(desk.slack.roots) == 1
    assert all(told == wanted for _, _, wanted, told, _, _ in post_rows(desk))


def test_without_the_scope_to_look_a_doubtful_post_is_posted_again(
    desk: Desk, house: House
) -> None:
    desk.slack.scopes = {"chat:write"}
    desk.slack.trouble = ["lost"]
    drift(desk)
    desk.round()

    assert len(desk.slack.roots) == 2
    assert all(told == wanted for _, _, wanted, told, _, _ in post_rows(desk))


def test_a_message_that_somebody_deleted_is_posted_anew(desk: Desk, house: House) -> None:
    drift(desk)
    desk.round()
    desk.slack.messages.clear()
    drift(desk, "B")
    desk.clock.advance(60)
    desk.round()

    assert len(desk.slack.roots) == 1


def test_a_door_that_does_not_know_us_is_shut_with_a_sentence_and_loses_nothing(
    desk: Desk, house: House
) -> None:
    drift(desk)
    desk.look()
    desk.slack.token = "xoxb-other"
    desk.wished = {"alert_slack_token": "xoxb-revoked"}
    shut = desk.tell().shut
    desk.clock.advance(60)
    calls = desk.tell().told
    known = desk.rows("SELECT shut_why FROM alert_door WHERE door = 'slack'")[0][0]
    desk.wished = {}
    desk.settle()

    assert "LOCKSTEP_ALERT_SLACK_TOKEN" in shut["slack"]
    assert "xoxb" not in known
    assert calls == 0
    assert len(desk.slack.roots) == 1
    assert desk.rows("SELECT shut_why FROM alert_door WHERE door = 'slack'") == [("",)]


def test_a_shut_door_is_tried_again_by_itself_after_a_while(desk: Desk, house: House) -> None:
    desk.slack.member = False
    drift(desk)
    desk.look()
    why = desk.tell().shut["slack"]
    desk.slack.member = True
    desk.clock.advance(901)
    desk.settle()

    assert "invite the bot" in why
    assert len(desk.slack.roots) == 1


def test_a_wrong_key_of_pagerduty_is_said_and_not_shown(desk: Desk, house: House) -> None:
    desk.wished = {"alert_pagerduty_key": "short-key"}
    drift(desk)
    desk.look()

    why = desk.tell().shut["pagerduty"]

    assert "LOCKSTEP_ALERT_PAGERDUTY_KEY" in why
    assert "short-key" not in why


def test_slack_away_for_twenty_minutes_tells_what_is_so_then(desk: Desk, house: House) -> None:
    desk.slack.trouble = ["refused"] * 50
    drift(desk)
    desk.look()
    for _ in range(20):
        desk.tell()
        desk.clock.advance(60)
    repaired(desk)
    desk.look()
    desk.slack.trouble.clear()
    desk.clock.advance(300)
    desk.settle()

    (root,) = desk.slack.roots
    assert "[RESOLVED]" in text_of(root)
    assert desk.pagerduty.calls == ["trigger", "resolve"]


def test_alerts_are_written_down_where_no_door_is_set_up(database: Database, clock: Clock) -> None:
    a_house(database.engine, clock, "A")
    slack, pagerduty, listener = played.Slack(), played.PagerDuty(), played.Listener()
    desk = Desk(database, clock, slack, pagerduty, listener)
    desk.wished = {
        "alert_slack_token": "",
        "alert_pagerduty_key": "",
        "alert_webhook_url": "",
    }
    drift(desk)

    desk.look()
    done = desk.tell()

    assert (done.told, done.again_s) == (0, None)
    assert desk.rows("SELECT rule FROM incident") == [("drift.open",)]
