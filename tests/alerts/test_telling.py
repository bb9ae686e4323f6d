"""One incident, one thread, edited in place: told, taken, silenced, resolved, and in a storm."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import jsonschema

from tests.alerts.desk import Desk, drift, post_rows, repaired
from tests.alerts.played import text_of
from tests.workers.shelf import House
from tests.workers.shelf import a_house as a_shelf_house
from workers.alerts import slack_message
from workers.flows import alerts

ROOT = Path(__file__).resolve().parents[2]
KEY = "lockstep:prod:drift.open:shop:*"
SCHEMA = json.loads((ROOT / "docs" / "alert.schema.json").read_text())


def test_an_incident_is_told_once_edited_and_resolved_in_its_thread(
    desk: Desk, house: House
) -> None:
    drift(desk)
    begun = desk.round().begun
    desk.clock.advance(60)
    drift(desk, "B", 10, 14)
    desk.round()
    (root,) = desk.slack.roots
    first = text_of(root)
    desk.clock.advance(600)
    repaired(desk, "A")
    repaired(desk, "B")
    desk.round()

    (root,) = desk.slack.roots
    assert [alert["rule"] for alert in begun] == ["drift.open"]
    assert "[PAGE] prod · shop · A channel shows another number" in first
    assert "A at WH  should 30 · shows 50 · Δ +20 (66.7 %)" in first
    assert "B at WH  should 10 · shows 14" in first
    assert "up to 24 units can be oversold" in first
    assert "lockstep sku explain A --channel shop --location WH" in first
    assert root["edits"] == 2
    assert "[RESOLVED]" in text_of(root)
    assert "resolved after 11 min" in text_of(root)
    assert ":white_check_mark:" in text_of(desk.slack.thread(root["ts"])[-1])
    assert desk.pagerduty.calls == ["trigger", "trigger", "resolve"]
    assert desk.slack.calls.count("chat.postMessage") == 2


def test_what_is_told_follows_the_published_schema_at_every_door(desk: Desk, house: House) -> None:
    drift(desk)
    desk.round()
    repaired(desk)
    desk.round()

    bodies = [json.loads(body) for _, body in desk.listener.heard]
    details = desk.pagerduty.incidents[KEY][0]["payload"]["custom_details"]
    for each in (*bodies, details):
        jsonschema.validate(each, SCHEMA)
    assert [body["status"] for body in bodies] == ["firing", "resolved"]
    assert details["cause"] == {"code": "swallowed_update", "confidence": "high"}
    assert (details["expected"], details["actual"], details["delta"]) == (30, 50, 20)


def test_a_call_to_an_address_of_ones_own_is_signed(desk: Desk, house: House) -> None:
    drift(desk)
    desk.round()

    headers, body = desk.listener.heard[0]
    seconds, _, proof = headers["x-lockstep-signature"].partition(",")
    signed = seconds.removeprefix("t=").encode() + b"." + body
    assert proof == f"v1={hmac.new(b'hush', signed, hashlib.sha256).hexdigest()}"
    assert headers["x-lockstep-delivery"].startswith("inc-")


def test_a_storm_is_one_message_with_the_rest_folded(desk: Desk) -> None:
    skus = [f"S{n:03}" for n in range(40)]
    a_shelf_house(desk.engine, desk.clock, *skus)
    for sku in skus:
        drift(desk, sku)
    desk.round()

    (root,) = desk.slack.roots
    assert "+37 SKUs" in text_of(root)
    assert "up to 800 units" in text_of(root)
    assert len(desk.pagerduty.incidents) == 1
    assert len(json.loads(desk.listener.heard[0][1])["skus"]) == 10


def test_the_longest_alert_stays_within_slacks_limits(desk: Desk, house: House) -> None:
    alert = alerts._trial("slack", "prod", desk.now).alert | {
        "lines": ["<&>" * 80] * 10,
        "next_commands": ["lockstep sku show " + "x" * 4000] * 10,
    }

    message = slack_message.root(alert, desk.now)

    texts = [block["text"]["text"] for block in message["blocks"] if "text" in block]
    assert all(len(text) <= slack_message.SECTION_CHARACTERS for text in texts)
    assert len(json.dumps(message["blocks"])) <= slack_message.ALL_CHARACTERS
    assert texts[1].endswith("```")


def test_a_look_that_finds_the_same_tells_nobody(desk: Desk, house: House) -> None:
    drift(desk)
    desk.round()
    calls = len(desk.slack.calls)
    for _ in range(5):
        desk.clock.advance(60)
        desk.round()

    assert len(desk.slack.calls) == calls
    assert desk.rows("SELECT revision FROM incident") == [(1,)]


def test_only_pages_call_somebody(desk: Desk, house: House) -> None:
    desk.run("UPDATE channel SET paused = true, paused_by = 'ann', paused_why = 'moving'")
    desk.round()

    assert "[NOTE]" in text_of(desk.slack.roots[0])
    assert desk.pagerduty.calls == []


def test_what_becomes_worse_calls_somebody_and_what_was_told_is_told_to_the_end(
    desk: Desk, house: House
) -> None:
    drift(desk, expected=30, actual=20)
    desk.clock.advance(400)
    desk.round()
    before = list(desk.pagerduty.calls)
    desk.run("UPDATE drift SET actual = 60")
    desk.clock.advance(60)
    desk.round()
    desk.run("UPDATE drift SET actual = 20")
    desk.clock.advance(60)
    desk.round()
    repaired(desk)
    desk.round()

    assert (before, desk.pagerduty.calls) == ([], ["trigger", "trigger", "resolve"])


def test_whoever_takes_an_incident_is_named_at_every_door(desk: Desk, house: House) -> None:
    drift(desk)
    desk.round()
    number = desk.rows("SELECT id FROM incident")[0][0]

    taken = alerts.acknowledge(desk.engine, number, by="ann", now=desk.now)
    again = alerts.acknowledge(desk.engine, number, by="bob", now=desk.now)
    desk.clock.advance(60)
    desk.round()

    assert (taken, again) == (True, False)
    assert "acknowledged by ann" in text_of(desk.slack.roots[0])
    assert desk.pagerduty.state(KEY) == "acknowledge"
    assert desk.rows("SELECT actor, action FROM audit WHERE action = 'alert.ack'") == [
        ("ann", "alert.ack")
    ]


def test_a_silenced_rule_is_told_when_the_silence_is_over(desk: Desk, house: House) -> None:
    alerts.silence(
        desk.engine, "drift.open", "", for_s=7200, by="ann", reason="stocktaking", now=desk.now
    )
    drift(desk)
    desk.round()
    quiet = (list(desk.slack.calls), desk.on("drift.open"))
    desk.clock.advance(7200)
    desk.round()

    assert quiet == ([], ["drift:shop/A@WH"])
    assert len(desk.slack.roots) == 1


def test_what_was_over_before_the_silence_ended_is_never_told(desk: Desk, house: House) -> None:
    alerts.silence(
        desk.engine, "drift.open", "shop", for_s=7200, by="ann", reason="stocktaking", now=desk.now
    )
    drift(desk)
    desk.round()
    repaired(desk)
    desk.round()
    desk.clock.advance(7200)
    desk.round()

    assert desk.slack.calls + desk.pagerduty.calls == []
    assert all(told == wanted for _, _, wanted, told, _, _ in post_rows(desk))


def test_news_in_an_open_incident_is_told_in_its_thread_now_and_then(
    desk: Desk, house: House
) -> None:
    drift(desk)
    desk.round()
    desk.clock.advance(400)
    drift(desk, "B")
    desk.round()
    desk.clock.advance(1)
    drift(desk, "C")
    desk.round()

    (root,) = desk.slack.roots
    assert len(desk.slack.thread(root["ts"])) == 1
