"""Featured offers, planning figures and typed-in scores, beside the stock."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from channels.amazon import health, health_store, wire
from channels.base import Unreadable
from ledger.db import transaction
from tests.channels.amazon_rig import CHANNEL
from tests.fba.house import FbaHouse, told

US = "ATVPDKIKX0DER"
BODY = b"""{"NotificationType": "ANY_OFFER_CHANGED", "EventTime": "2026-11-27T12:00:00Z",
 "NotificationMetadata": {"NotificationId": "n-1"}, "Payload": {"AnyOfferChangedNotification": {
 "OfferChangeTrigger": {"MarketplaceId": "ATVPDKIKX0DER", "ASIN": "B001", "ItemCondition": "New",
  "TimeOfOfferChange": "2026-11-27T12:00:00.000Z"},
 "Offers": [
  {"SellerId": "US1", "IsBuyBoxWinner": false, "ListingPrice": {"Amount": 19.99, "CurrencyCode": "USD"},
   "Shipping": {"Amount": 2.5, "CurrencyCode": "USD"}},
  {"SellerId": "RIVAL", "IsBuyBoxWinner": true, "ListingPrice": {"Amount": 18.5, "CurrencyCode": "USD"}}]}}}"""


def test_an_offer_change_says_who_is_featured_at_which_price() -> None:
    seen = health.offer_seen(wire.notice(BODY).payload, "US1", US)
    rivals = health.offer_seen(wire.notice(BODY).payload, "RIVAL", US)

    assert seen is not None
    assert rivals is not None
    assert (seen.asin, seen.condition, seen.offers, seen.currency) == ("B001", "new", 2, "USD")
    assert (seen.featured, seen.ours_featured, rivals.ours_featured) == (True, False, True)
    assert (seen.featured_price, seen.our_price) == (Decimal("18.5"), Decimal("22.49"))


def test_an_offer_change_of_another_marketplace_or_without_sense_says_nothing() -> None:
    payload = wire.notice(BODY).payload

    assert health.offer_seen(payload, "US1", "A1F83G8C2ARO7P") is None
    assert health.offer_seen({"anyofferchangednotification": {"offers": 7}}, "US1", US) is None


def test_the_featured_offers_share_is_counted_by_time(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=5)
    ours, rival = {"price": 19.99, "by_amazon": True}, {"seller": "A2RIVAL", "price": 18.5}
    with told(fba, {"ANY_OFFER_CHANGED": ""}) as box:
        begun = fba.now
        fba.rig.do("offers", sku="A-1", offers=[ours | {"featured": True}, rival])
        fba.pass_time(3 * 3600)
        fba.rig.do("offers", sku="A-1", offers=[ours, rival | {"featured": True}])
        box.wait_for(2)
        fba.deliver(box)
    report = fba.go(after_s=3600)
    again = fba.go(after_s=0.001)

    with transaction(fba.engine) as connection:
        (whole,) = health_store.shares(connection, CHANNEL, since=begun, now=fba.now)
        late = begun + timedelta(hours=2)
        (part,) = health_store.shares(connection, CHANNEL, since=late, now=fba.now)
    assert (report.offers, again.offers) == (2, 0)
    assert (round(whole.share, 2), round(part.share, 2)) == (0.75, 0.5)
    assert (whole.ours_now, whole.featured_price, whole.our_price) == (False, "18.50", "19.99")


def test_beside_the_featured_offers_share_stands_when_there_was_none_to_sell(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=5)
    fba.at_amazon("A-2", fulfillable=5)
    fba.go()
    fba.go()
    begun = fba.now
    fba.pass_time(3600)
    fba.rig.do("drift", sku="A-1", part="fulfillable", units=-5)
    fba.go()
    fba.pass_time(3 * 3600)
    fba.rig.do("drift", sku="A-1", part="fulfillable", units=4)
    fba.go()

    with transaction(fba.engine) as connection:
        found = health_store.shelves(connection, CHANNEL, since=begun, now=fba.now)
        asins = dict(fba.rows("SELECT seller_sku, asin FROM fba_health"))
    out, there = found[asins["A-1"]], found[asins["A-2"]]
    assert out.out_s == pytest.approx(3 * 3600 + 900, abs=120)
    assert (out.fulfillable, there.out_s, there.fulfillable) == (4, 0, 5)
    assert out.told_s == pytest.approx(4 * 3600 + 1800, abs=5)


def test_the_planning_report_is_read_whatever_its_columns_are_called_and_in_whichever_letters() -> (
    None
):
    content = (
        "Snapshot-Date\tSKU\tProduct-Name\tavailable\tSell_Through\tDays Of Supply\tinv-age-181-to-270-days"
        "\tinv-age-271-to-365-days\tinv-age-181-to-330-days\tBrand new column\r\n"
        '2026-11-26\t"A-1"\tTür für Küche\t1,017\t0.42\t31.5\t3\t4\t5\tx\r\n'
        "\tNO-DATE\tx\t1\r\n"
        "11/26/2026\tA-2\tx\t\t\t\r\n"
    ).encode("cp1252")

    first, second = health.planning(content)

    assert (first.seller_sku, first.snapshot_on, first.available) == (
        "A-1",
        date(2026, 11, 26),
        1017,
    )
    assert (first.sell_through, first.days_of_supply) == (Decimal("0.42"), Decimal("31.5"))
    assert (first.aged_181_units, first.excess_units, first.inbound) == (7, None, None)
    assert (second.seller_sku, second.available, second.aged_181_units) == ("A-2", None, None)


def test_a_row_that_is_cut_off_before_its_date_is_left_out_and_the_others_are_read() -> None:
    content = b"sku\tavailable\tsnapshot-date\nA-1\t5\nA-2\t7\t2026-11-26\nA-3"

    (row,) = health.planning(content)

    assert (row.seller_sku, row.available) == ("A-2", 7)


def test_a_page_that_is_no_planning_report_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="snapshotdate"):
        health.planning(b"<html>\tsku\r\n")


def test_the_planning_report_comes_once_a_day_and_stands_beside_the_stock(fba: FbaHouse) -> None:
    fba.at_amazon("A-1", fulfillable=7)
    fba.go()
    fba.go()

    assert fba.rows(
        "SELECT seller_sku, available, unfulfillable, aged_181_units FROM fba_health"
    ) == [("A-1", 7, 0, 0)]
    assert fba.rows("SELECT kind, state FROM amazon_report WHERE state = 'done' ORDER BY kind") == [
        ("GET_FBA_INVENTORY_PLANNING_DATA", "done"),
        ("GET_LEDGER_DETAIL_VIEW_DATA", "done"),
    ]


def test_an_ipi_score_is_what_a_person_typed_last_for_its_day(fba: FbaHouse) -> None:
    with transaction(fba.engine) as connection:
        for score, minute in ((512, 0), (521, 5)):
            health_store.set_ipi(
                connection,
                CHANNEL,
                scored_on=date(2026, 11, 23),
                score=score,
                threshold=400,
                by="ann",
                now=fba.now + timedelta(minutes=minute),
            )
        found = health_store.ipi(connection, CHANNEL)

    assert [(row["scored_on"], row["score"], row["above"]) for row in found] == [
        (date(2026, 11, 23), 521, 121)
    ]
