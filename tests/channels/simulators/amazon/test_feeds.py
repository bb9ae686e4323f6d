"""Feeds: from a presigned upload through its stages to a gzipped report."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from channels.simulators.amazon.feeds import LONGEST
from tests.channels.simulators.amazon.seller import Seller, conforms, schema

FEEDS = "/feeds/2021-06-30/feeds"


def message(number: int, sku: str, units: object, **changes: Any) -> dict[str, Any]:
    """A patch of the units on offer."""
    value = [{"fulfillment_channel_code": "DEFAULT", "quantity": units}]
    patch = {"op": "merge", "path": "/attributes/fulfillment_availability", "value": value}
    whole = {
        "messageId": number,
        "sku": sku,
        "operationType": "PATCH",
        "productType": "PRODUCT",
        "patches": [patch],
    }
    return {name: given for name, given in {**whole, **changes}.items() if given is not None}


def test_a_feed_waits_is_worked_on_and_done(seller: Seller) -> None:
    feed = seller.feed(message(1, "FBM-1", 4))
    stages = [seller.feed_state(feed)]

    for _ in range(2):
        seller.later(20)
        stages.append(seller.feed_state(feed))
    seller.later(20)
    stages.append(seller.feed_state(feed))

    names = [stage["processingStatus"] for stage in stages]
    assert names == ["IN_QUEUE", "IN_PROGRESS", "IN_PROGRESS", "DONE"]
    assert "processingStartTime" not in stages[0]
    assert stages[3]["processingEndTime"] == "2026-07-01T14:01:00.000Z"
    assert "resultFeedDocumentId" not in stages[2]


def test_a_messages_change_comes_after_the_report(seller: Seller) -> None:
    feed = seller.feed(message(1, "FBM-1", 4), message(2, "FBM-2", 6))

    seller.later(60)

    assert seller.report_of(feed)["summary"] == {
        "errors": 0,
        "warnings": 0,
        "messagesProcessed": 2,
        "messagesAccepted": 2,
        "messagesInvalid": 0,
    }
    assert seller.units("FBM-1") == {"DEFAULT": 10}
    seller.later(5)
    assert (seller.units("FBM-1"), seller.units("FBM-2")) == ({"DEFAULT": 4}, {"DEFAULT": 6})
    assert seller.offer("FBM-1")["lead_time_to_ship_max_days"] == 2


def test_our_message_is_what_the_vendors_schema_wants() -> None:
    conforms(message(1, "FBM-1", 4), schema("listings-feed-message-schema-v2"))


@pytest.mark.parametrize(
    "bad",
    [
        message(1, "FBM-1", -4),
        message(1, "FBM-1", 4, operationType="UPSERT"),
        message(1, "FBM-1", 4, productType=None),
        message(1, "FBM-1", 4, patches=None),
        message(1, "FBM-1", 4, patches=[]),
        message(1, "FBM-1", 4, patches=[{"op": "merge", "path": "/elsewhere", "value": []}]),
        message(1, "", 4),
        message(0, "FBM-1", 4) | {"messageId": None},
        message(1, "FBM-1", 4, attributes=7, operationType="PARTIAL_UPDATE"),
        message(1, "FBM-1", 4, patches=[{"op": "move", "path": "/attributes/brand", "value": []}]),
        message(1, "FBM-1", 4, operationType="UPDATE"),
    ],
)
def test_a_bad_message_is_reported_and_the_good_ones_are_taken(
    seller: Seller, bad: dict[str, Any]
) -> None:
    feed = seller.feed(bad, message(2, "FBM-2", 6))

    seller.later(65)

    report = seller.report_of(feed)
    assert report["summary"]["messagesAccepted"] == 1
    assert report["summary"]["messagesInvalid"] == 1
    assert {issue.get("messageId") for issue in report["issues"]} == {bad.get("messageId")}
    assert seller.feed_state(feed)["processingStatus"] == "DONE", "DONE says nothing of messages"
    assert (seller.units("FBM-1"), seller.units("FBM-2")) == ({"DEFAULT": 10}, {"DEFAULT": 6})


def test_a_repeated_message_id_counts_once(seller: Seller) -> None:
    feed = seller.feed(message(1, "FBM-1", 4), message(1, "FBM-1", 5))

    seller.later(65)

    assert seller.report_of(feed)["summary"]["messagesInvalid"] == 1
    assert seller.units("FBM-1") == {"DEFAULT": 4}


def test_a_partial_update_replaces_whole_attributes(seller: Seller) -> None:
    attributes = {
        "fulfillment_availability": [{"fulfillment_channel_code": "DEFAULT", "quantity": 4}]
    }
    seller.feed(
        message(1, "FBM-1", 0, operationType="PARTIAL_UPDATE", patches=None, attributes=attributes)
    )

    seller.later(65)

    assert seller.units("FBM-1") == {"DEFAULT": 4}
    assert "lead_time_to_ship_max_days" not in seller.offer("FBM-1")


def test_an_update_creates_and_a_delete_removes(seller: Seller) -> None:
    attributes = {
        "item_name": [{"value": "New"}],
        "condition_type": [{"value": "new_new"}],
        "fulfillment_availability": [{"fulfillment_channel_code": "DEFAULT", "quantity": 3}],
    }
    update = message(1, "NEW", 0, operationType="UPDATE", patches=None, attributes=attributes)
    delete = {"messageId": 2, "sku": "FBM-1", "operationType": "DELETE"}
    seller.feed(update, delete)

    seller.later(65)

    assert seller.units("NEW") == {"DEFAULT": 3}
    assert seller.item("FBM-1").status == 404


@pytest.mark.parametrize(
    "content",
    [
        b"not json",
        b"[]",
        b'{"header": {}}',
        json.dumps({"header": {"sellerId": "A1", "version": "2.0"}, "messages": [{}]}).encode(),
        json.dumps({"header": {"sellerId": "A3LOCKSTEPSIM1", "version": "1.0"}, "messages": [{}]}).encode(),
        json.dumps({"header": {"sellerId": "A3LOCKSTEPSIM1", "version": "2.0"}, "messages": []}).encode(),
    ],
)  # fmt: skip
def test_an_unreadable_feed_is_fatal(seller: Seller, content: bytes) -> None:
    feed = seller.send_feed(seller.upload(content))

    seller.later(60)

    state = seller.feed_state(feed)
    assert state["processingStatus"] == "FATAL"
    assert "resultFeedDocumentId" not in state


def test_a_feed_whose_document_was_never_uploaded_is_fatal(seller: Seller) -> None:
    body = {"contentType": "application/json; charset=UTF-8"}
    made = seller.call("POST", "/feeds/2021-06-30/documents", None, body).body

    feed = seller.send_feed(made["feedDocumentId"])
    seller.later(60)

    assert seller.feed_state(feed)["processingStatus"] == "FATAL"


def test_a_feed_may_be_gzipped_and_no_longer_than_the_vendor_allows(seller: Seller) -> None:
    header = {"sellerId": seller.account.seller_id, "version": "2.0"}
    many = [message(number, "NOPE", 1) for number in range(1, LONGEST + 2)]
    whole = json.dumps({"header": header, "messages": many[:-1]}).encode()
    fitting = seller.send_feed(seller.upload(gzip.compress(whole, 1)))
    long = seller.send_feed(
        seller.upload(json.dumps({"header": header, "messages": many}).encode())
    )

    seller.later(60)

    assert seller.report_of(fitting)["summary"]["messagesAccepted"] == LONGEST
    assert seller.feed_state(long)["processingStatus"] == "FATAL"


def test_a_feed_in_the_queue_can_be_cancelled_and_a_started_one_cannot(seller: Seller) -> None:
    feed = seller.feed(message(1, "FBM-1", 4))
    started = seller.feed(message(1, "FBM-2", 4))

    assert seller.call("DELETE", f"{FEEDS}/{feed}").status == 200
    seller.later(20)
    assert seller.call("DELETE", f"{FEEDS}/{started}").errors == ["InvalidInput"]
    seller.later(60)

    assert seller.feed_state(feed)["processingStatus"] == "CANCELLED"
    assert seller.units("FBM-1") == {"DEFAULT": 10}
    assert seller.units("FBM-2") == {"DEFAULT": 4}


def test_a_stuck_feed_stays_in_progress_and_does_nothing(seller: Seller) -> None:
    seller.do("fault", kind="stuck_feed", count=1)
    feed = seller.feed(message(1, "FBM-1", 4))

    seller.later(86_400)

    assert seller.feed_state(feed)["processingStatus"] == "IN_PROGRESS"
    assert seller.units("FBM-1") == {"DEFAULT": 10}


def test_a_fatal_feed_does_nothing(seller: Seller) -> None:
    seller.do("fault", kind="fatal_feed", count=1)
    feed = seller.feed(message(1, "FBM-1", 4))

    seller.later(120)

    assert seller.feed_state(feed)["processingStatus"] == "FATAL"
    assert seller.units("FBM-1") == {"DEFAULT": 10}


def test_swallowing_and_blocking_reach_into_feeds(seller: Seller) -> None:
    seller.do("fault", kind="swallow", sku="FBM-1")
    seller.do("fault", kind="invalid", sku="FBM-2")
    feed = seller.feed(*(message(n, f"FBM-{n}", 4) for n in (1, 2, 3)))

    seller.later(65)

    report = seller.report_of(feed)
    assert report["summary"]["messagesInvalid"] == 1
    assert report["issues"][0]["sku"] == "FBM-2"
    found = [seller.units(f"FBM-{n}")["DEFAULT"] for n in (1, 2, 3)]
    assert found == [10, 10, 4]


@pytest.mark.parametrize(
    "changes",
    [
        {"feedType": "POST_INVENTORY_AVAILABILITY_DATA"},
        {"inputFeedDocumentId": "badDocumentId"},
        {"marketplaceIds": ["A1F83G8C2ARO7P"]},
        {"marketplaceIds": []},
        {"marketplaceIds": None},
    ],
)
def test_a_feed_that_makes_no_sense_is_refused_at_once(
    seller: Seller, changes: dict[str, Any]
) -> None:
    body = {
        "feedType": "JSON_LISTINGS_FEED",
        "marketplaceIds": ["ATVPDKIKX0DER"],
        "inputFeedDocumentId": seller.upload(b"{}"),
    }

    answer = seller.call("POST", FEEDS, None, {**body, **changes})

    assert (answer.status, answer.errors) == (400, ["InvalidInput"])


def test_feeds_are_listed_newest_first_page_by_page(seller: Seller) -> None:
    made = []
    for _ in range(3):
        made.append(seller.feed(message(1, "FBM-1", 4)))
        seller.later(1)
    query = {"feedTypes": "JSON_LISTINGS_FEED", "pageSize": "2"}

    first = seller.call("GET", FEEDS, query).body
    second = seller.call("GET", FEEDS, {"nextToken": first["nextToken"]}).body

    listed = [feed["feedId"] for feed in first["feeds"] + second["feeds"]]
    assert listed == made[::-1]
    assert "nextToken" not in second
    assert seller.call("GET", FEEDS, {**query, "nextToken": first["nextToken"]}).status == 400
    assert seller.call("GET", FEEDS, {"nextToken": "made-up"}).status == 400


def test_feeds_are_found_by_status_and_time(seller: Seller) -> None:
    seller.feed(message(1, "FBM-1", 4))
    seller.later(60)
    young = seller.feed(message(1, "FBM-1", 5))

    def ids(**query: str) -> list[str]:
        found = seller.call("GET", FEEDS, {"feedTypes": "JSON_LISTINGS_FEED,OTHER", **query})
        return [feed["feedId"] for feed in found.body["feeds"]]

    assert ids(processingStatuses="IN_QUEUE") == [young]
    assert ids(createdSince="2026-07-01T14:00:30Z") == [young]
    assert len(ids()) == 2


def test_a_presigned_url_is_good_for_five_minutes_one_method_and_one_file(seller: Seller) -> None:
    body = {"contentType": "text/plain"}
    url = seller.call("POST", "/feeds/2021-06-30/documents", None, body).body["url"]

    assert seller.open_url(url, "GET") == "SignatureDoesNotMatch"
    assert seller.open_url(url.replace("/files/", "/files/x"), "PUT") == "SignatureDoesNotMatch"
    seller.later(299)
    assert not isinstance(seller.open_url(url, "PUT"), str)
    seller.later(1)
    assert seller.open_url(url, "PUT") == "AccessDenied"
