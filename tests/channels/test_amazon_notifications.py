"""The door for Amazon's notifications: every example of the vendor, forged and broken ones, and what the pipe posts."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from channels.amazon import notifications
from channels.amazon.lane import LANE, connect
from channels.amazon.notifications import EVENT_BRIDGE_ONLY, VERSIONS
from channels.amazon.subscriptions import WITHOUT
from channels.base import Level, Refused, Sighting, Throttled, Unreadable
from channels.names import Names
from channels.simulators.amazon import notices
from channels.simulators.amazon.account import Notice
from channels.simulators.amazon.serving import AmazonRunning
from ledger.events import Order
from tests.channels.amazon_rig import BUS, QUEUE, AmazonRig, an_account

BODIES = sorted((Path(__file__).parent / "amazon_bodies").glob("*.json"))
NAMES = Names({"SellerSKUID1": "SKU-1"}, {"d7679e14-031b-4ab3-a81b-ec4fc7a460b3": "OSLO"}, "")


@pytest.fixture(scope="module")
def account() -> Iterator[AmazonRunning]:
    with an_account() as running:
        yield running


@pytest.fixture
def rig(account: AmazonRunning) -> Iterator[AmazonRig]:
    made = AmazonRig(account)
    yield made
    made.close()


def body_of(name: str) -> bytes:
    """The vendor's example of a notification."""
    (found,) = [path for path in BODIES if path.name.startswith(name)]
    return found.read_bytes()


def camel(value: Any) -> Any:
    """The same document in the other spelling."""
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: camel(inner) for name, inner in value.items()}
    return [camel(one) for one in value] if isinstance(value, list) else value


def wrapped(body: bytes) -> bytes:
    """As EventBridge carries it."""
    return json.dumps(
        {
            "version": "0",
            "id": "e1",
            "detail-type": "X",
            "source": "aws.partner/sellingpartnerapi.amazon.com",
            "time": "2021-02-03T18:59:30Z",
            "detail": json.loads(body),
        }
    ).encode()


# ---- every example of the vendor ----


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.stem)
def test_every_example_is_routed_and_books_sights_or_says_why_not(path: Path) -> None:
    body = path.read_bytes()

    delivery = LANE.routing({}, body)
    message = LANE.read(delivery.topic, body)

    document = {name.lower(): value for name, value in json.loads(body).items()}
    assert delivery.topic == document["notificationtype"]
    # The schema of this one has no example of its metadata.
    assert delivery.delivery_id or "from_property_examples" in path.name
    assert delivery.triggered_at is not None
    facts = message.facts(source="amazon-us", channel="amazon-us", names=NAMES)
    assert bool(facts) is (message.silent == "")
    assert "is not a notification that Lockstep reads" not in message.silent


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.stem)
def test_spelling_and_wrapping_make_no_difference(path: Path) -> None:
    body = path.read_bytes()
    topic = LANE.routing({}, body).topic

    others = [json.dumps(camel(json.loads(body))).encode(), wrapped(body)]

    plain = LANE.read(topic, body)
    for other in others:
        assert LANE.routing({}, other) == LANE.routing({}, body)
        read = LANE.read(topic, other)
        assert (read.silent, read.sightings, read.vendor_ids) == (
            plain.silent,
            plain.sightings,
            plain.vendor_ids,
        )


def test_there_is_an_example_of_every_type_that_we_subscribe_to() -> None:
    found = {LANE.routing({}, path.read_bytes()).topic for path in BODIES}

    assert set(VERSIONS) <= found
    assert LANE.topics == frozenset(VERSIONS)


def test_the_example_of_an_order_is_booked_as_it_says() -> None:
    message = LANE.read("ORDER_CHANGE", body_of("OrderChange"))

    (fact,) = message.facts(source="amazon-us", channel="amazon-us", names=NAMES)

    assert isinstance(fact, Order)
    assert (fact.order, fact.line, fact.sku, fact.location, fact.units) == (
        "903-8868176-2219830",
        "OIID34853450",
        "SKU-1",
        "OSLO",
        10,
    )
    assert fact.revision == datetime(2022, 11, 29, 19, 42, 4, 284000, UTC)


def test_units_that_the_seller_offers_are_seen_and_never_booked() -> None:
    message = LANE.read("X", body_of("ListingsItemMfn"))

    at = datetime(2021, 2, 3, 18, 59, 30, 194000, UTC)
    assert message.sightings == (Sighting("NLS-SHOES-03", "DEFAULT", 99, at),)
    assert "never changes the ledger" in message.silent


def test_units_in_amazons_network_are_seen_where_its_marketplaces_agree() -> None:
    body = body_of("FBAInventoryAvailability")
    document = json.loads(body)
    markets = document["Payload"]["FulfillmentInventoryByMarketplace"]

    def seen(units: Sequence[int]) -> int | None:
        for market, count in zip(markets, units, strict=False):
            market["FulfillmentInventory"]["Fulfillable"] = count
        document["Payload"]["FulfillmentInventoryByMarketplace"] = markets[: len(units)]
        (sighting,) = LANE.read("X", json.dumps(document).encode()).sightings
        assert (sighting.item_id, sighting.vendor_location_id) == ("SELLERSKU-1", "FBA")
        return sighting.units

    assert len(markets) == 2
    assert [seen([50, 50]), seen([50]), seen([50, 7]), seen([])] == [50, 50, None, None]


def test_a_unit_count_of_amazons_own_channel_is_not_the_sellers() -> None:
    document = json.loads(body_of("ListingsItemMfn"))
    document["Payload"]["FulfillmentChannelCode"] = "AMAZON_NA"

    (sighting,) = LANE.read("X", json.dumps(document).encode()).sightings

    assert (sighting.vendor_location_id, sighting.units) == ("FBA", None)


# ---- what cannot be read ----


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" * 900 + b"]" * 900, "nested too deeply"),
        (b"[]", "not a JSON object"),
        (b"{}", "NotificationType"),
        (b'{"NotificationType": 3, "Payload": {}}', "NotificationType"),
        (b'{"NotificationType": "ORDER_CHANGE"}', "Payload"),
        (b'{"NotificationType": "ORDER_CHANGE", "Payload": {}}', "ORDER_CHANGE"),
        (
            b'{"NotificationType": "LISTINGS_ITEM_MFN_QUANTITY_CHANGE", "Payload": {}}',
            "Sku is missing",
        ),
        (
            b'{"NotificationType": "LISTINGS_ITEM_MFN_QUANTITY_CHANGE", "Payload": {"Sku": "A"}}',
            "FulfillmentChannelCode is missing",
        ),
        (
            b'{"NotificationType": "LISTINGS_ITEM_MFN_QUANTITY_CHANGE", "Payload":'
            b' {"Sku": "A", "FulfillmentChannelCode": "DEFAULT"}}',
            "EventTime is missing",
        ),
        (
            b'{"NotificationType": "FBA_INVENTORY_AVAILABILITY_CHANGES", "Payload": {"SKU": "A"}}',
            "FulfillmentInventoryByMarketplace is missing",
        ),
    ],
)
def test_what_cannot_be_read_says_what_is_missing_and_routing_stays_calm(
    body: bytes, says: str
) -> None:
    delivery = LANE.routing({"X-Pipe-Signature": "s"}, body)

    assert delivery.signature == "s"
    with pytest.raises(Unreadable, match=says):
        LANE.read(delivery.topic, body)


def test_a_type_of_tomorrow_is_silent_and_named() -> None:
    body = b'{"NotificationType": "STOCK_TELEPATHY", "Payload": {}}'

    message = LANE.read("STOCK_TELEPATHY", body)

    assert message.silent == "STOCK_TELEPATHY is not a notification that Lockstep reads"


# ---- genuine or not ----


def test_only_the_pipes_own_secrets_sign_exactly_these_bytes(rig: AmazonRig) -> None:
    body = body_of("OrderChange")
    secret = rig.running.facts.hook_secret
    headers = {name.upper(): value for name, value in rig.signed(body).items()}
    signature = LANE.signed(headers).signature

    assert LANE.signed(headers).account == ""
    assert LANE.verify(body, signature, [secret], "")
    assert LANE.verify(body, f" {signature} ", ["old", secret], "https://anywhere")
    assert not LANE.verify(body + b" ", signature, [secret], "")
    assert not LANE.verify(body, signature, [], "")
    assert not LANE.verify(body, signature, ["other"], "")
    assert not LANE.verify(body, "", [secret], "")
    assert not LANE.verify(body, "é", [secret], "")


def test_an_empty_secret_verifies_nothing(rig: AmazonRig) -> None:
    body = b"{}"
    forged = base64.b64encode(hmac.new(b"", body, hashlib.sha256).digest()).decode()

    assert not LANE.verify(body, forged, ["", rig.running.facts.hook_secret], "")


def test_the_seller_is_found_in_every_form_of_payload() -> None:
    sellers = {
        LANE.routing({}, path.read_bytes()).topic: LANE.routing({}, path.read_bytes()).account
        for path in BODIES
    }

    assert sellers["ORDER_CHANGE"] == "A3TH9S8BH6GOGM"
    assert sellers["LISTINGS_ITEM_MFN_QUANTITY_CHANGE"] == "AXXXXXXXXXXXXX"
    assert sellers["FEED_PROCESSING_FINISHED"] == "A3TH9S8BH6GOGM"
    assert sellers["FEE_PROMOTION"] == "AJH434853485"


# ---- what the simulated account sends ----


def test_what_the_account_tells_of_our_push_is_the_number_we_pushed(rig: AmazonRig) -> None:
    told: list[Notice] = []
    rig.running.simulator.account.tell = told.extend
    rig.channel.push([Level(rig.bindings()["SKU-A"], 4, 1)], key="k")
    assert rig.shown("SKU-A") == 4

    (notice,) = [one for one in told if one.kind == notifications.MFN_UNITS]
    body = notices.envelope(
        notice,
        application_id="a",
        subscription_id="s",
        notification_id="n1",
        sent=notice.at,
    )
    (sighting,) = LANE.read(notice.kind, json.dumps(body).encode()).sightings

    assert (sighting.item_id, sighting.vendor_location_id, sighting.units) == (
        "SKU-A",
        "DEFAULT",
        4,
    )


# ---- subscriptions ----


def test_each_type_goes_where_amazon_sends_it(rig: AmazonRig) -> None:
    made = rig.channel.subscribe(sorted(VERSIONS), "https://relay.example.com/hooks/amazon")

    assert {one.topic: one.uri for one in made} == {
        kind: BUS if kind in EVENT_BRIDGE_ONLY else QUEUE for kind in VERSIONS
    }
    assert len(rig.called("createDestination")) == 2
    assert rig.channel.subscriptions() == made


def test_a_type_that_comes_through_our_pipes_comes_to_the_relay(rig: AmazonRig) -> None:
    relay = "https://relay.example.com/hooks/amazon"
    client = rig.client(notification_url=relay)
    made = client.subscribe(["ORDER_CHANGE", notifications.MFN_UNITS], relay)

    assert {one.uri for one in made} == {relay}
    assert client.subscriptions() == made


def test_who_comes_back_after_the_limit_goes_on_where_it_ended(rig: AmazonRig) -> None:
    client = connect(rig.account(), rig.unwaited, rig.now)
    kinds = sorted(VERSIONS)

    with pytest.raises(Throttled):
        client.subscribe(kinds, "")
    rig.advance(1)
    made = client.subscribe(kinds, "")

    assert [one.topic for one in made] == kinds[5:]
    assert len(rig.called("getSubscription")) == len(kinds)
    assert {one.topic for one in client.subscriptions()} == set(kinds)


def test_a_pipe_that_is_not_set_up_is_named_and_nothing_is_made(rig: AmazonRig) -> None:
    with pytest.raises(Refused, match="event_bridge") as refusal:
        rig.client(event_bridge="").subscribe(sorted(VERSIONS), "")

    assert refusal.value.code == "NO_PIPE"
    assert rig.called("createDestination") == rig.called("createSubscription") == []


def test_a_merchant_may_go_without_one_of_the_pipes_knowingly(rig: AmazonRig) -> None:
    made = rig.client(event_bridge=WITHOUT).subscribe(sorted(VERSIONS), "")

    assert {one.topic for one in made} == set(VERSIONS) - EVENT_BRIDGE_ONLY


def test_a_type_that_goes_to_another_queue_is_not_taken_away_from_it(rig: AmazonRig) -> None:
    rig.client(sqs_arn="arn:aws:sqs:us-east-1:1:other").subscribe(["ORDER_CHANGE"], "")

    with pytest.raises(Refused) as refusal:
        rig.channel.subscribe(["ORDER_CHANGE"], "")

    assert refusal.value.code == "SUBSCRIBED_ELSEWHERE"


def test_a_type_that_we_do_not_read_is_not_subscribed_to(rig: AmazonRig) -> None:
    with pytest.raises(Refused) as refusal:
        rig.channel.subscribe(["PRICING_HEALTH"], "")

    assert refusal.value.code == "UNKNOWN"
