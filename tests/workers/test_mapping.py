"""First contact with a channel: listings are bound by their SKU text, and whatever is in doubt is left out by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import text

from channels import bindings
from channels.base import Binding, Subscription
from channels.listings import read
from channels.packs import Packed
from ledger import catalogue
from tests.console.door import set_up_channels
from tests.servers import FIRST_NOW, Clock, Database
from tests.workers.shelf import RULES, House, Shelf, apply
from workers.flows.mapping import Mapped, NoPlaces, look, map_channel, subscribe
from workers.flows.push import push


@dataclass
class Listing(Shelf):
    """A channel that lists what the test says.

    listed    SKU texts at the vendor, one variant each
    asked     what it was asked to subscribe to
    """

    listed: list[str] = field(default_factory=list)
    asked: list[tuple[frozenset[str], str]] = field(default_factory=list)

    def bindings(self, locations: Mapping[str, str]) -> Iterator[Binding]:
        for number, sku in enumerate(self.listed, 1):
            for vendor_location, location in locations.items():
                yield Binding(
                    channel="shop",
                    sku=sku,
                    location=location,
                    item_id=f"item-{number}",
                    vendor_location_id=vendor_location,
                    variant_id=f"variant-{number}",
                )

    def subscribe(self, topics: Iterable[str], uri: str) -> list[Subscription]:
        self.asked.append((frozenset(topics), uri))
        return []


@pytest.fixture
def listing(database: Database, clock: Clock) -> Listing:
    set_up_channels(database)
    with database.engine.begin() as connection:
        catalogue.add_skus(connection, {"MUG-RED": "", "MUG-BLUE": ""})
        connection.execute(text("DELETE FROM due"))
    return Listing(clock)


def mapped(
    database: Database,
    listing: Listing,
    *skus: str,
    dry_run: bool = False,
    add_skus: bool = False,
) -> Mapped:
    listing.listed = list(skus)
    return map_channel(
        database.engine,
        listing,
        channel="shop",
        now=FIRST_NOW,
        dry_run=dry_run,
        add_skus=add_skus,
    )


def bound(database: Database) -> dict[str, str]:
    with database.engine.connect() as connection:
        return {b.sku: b.variant_id for b in bindings.of_channel(connection, "shop")}


def test_listings_are_bound_by_their_sku_text(database: Database, listing: Listing) -> None:
    done = mapped(database, listing, "MUG-RED", "MUG-BLUE")

    assert (done.bound, done.problems) == (2, [])
    assert bound(database) == {"MUG-RED": "variant-1", "MUG-BLUE": "variant-2"}


def test_what_was_bound_is_computed_again(database: Database, listing: Listing) -> None:
    mapped(database, listing, "MUG-RED")

    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT sku FROM due")).scalars().all() == ["MUG-RED"]


def test_a_second_mapping_follows_the_vendor(database: Database, listing: Listing) -> None:
    mapped(database, listing, "MUG-RED", "MUG-BLUE")
    mapped(database, listing, "MUG-BLUE", "MUG-RED")

    assert bound(database) == {"MUG-RED": "variant-2", "MUG-BLUE": "variant-1"}


def test_a_listing_with_a_new_sku_is_bound_to_that_alone(
    database: Database, listing: Listing
) -> None:
    mapped(database, listing, "MUG-RED")
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM due"))

    mapped(database, listing, "MUG-BLUE")

    assert bound(database) == {"MUG-BLUE": "variant-1"}
    with database.engine.connect() as connection:
        due = connection.execute(text("SELECT sku FROM due ORDER BY sku")).scalars().all()
    assert due == ["MUG-BLUE", "MUG-RED"]


def test_a_dry_run_writes_nothing(database: Database, listing: Listing) -> None:
    done = mapped(database, listing, "MUG-RED", "NEW", dry_run=True, add_skus=True)

    assert (done.bound, done.problems) == (2, [])
    assert bound(database) == {}


def test_an_unknown_sku_is_left_out_or_added_as_asked(database: Database, listing: Listing) -> None:
    left_out = mapped(database, listing, "MUG-RED", "NEW")
    assert bound(database) == {"MUG-RED": "variant-1"}

    added = mapped(database, listing, "MUG-RED", "NEW", add_skus=True)

    assert (left_out.bound, added.bound) == (1, 2)
    assert "'NEW' is not in the catalogue" in left_out.problems[0]


def test_a_sku_that_differs_by_case_is_no_match_but_a_hint(
    database: Database, listing: Listing
) -> None:
    done = mapped(database, listing, "mug-red")

    assert done.bound == 0
    assert "'MUG-RED' differs only by case" in done.problems[0]


def test_two_listings_of_one_sku_are_both_left_out(database: Database, listing: Listing) -> None:
    done = mapped(database, listing, "MUG-RED", "MUG-RED", "MUG-BLUE")

    assert bound(database) == {"MUG-BLUE": "variant-3"}
    assert len(done.problems) == 2
    assert all("MUG-RED" in problem for problem in done.problems)


@pytest.mark.parametrize("sku", ["", "  ", " MUG", "MUG\n", "x" * 129, "a\x07b", "a\x00b"])
def test_a_sku_that_cannot_stand_in_the_book_is_left_out_alone(
    database: Database, listing: Listing, sku: str
) -> None:
    """Otherwise one listing's text would keep all the others from being bound."""
    done = mapped(database, listing, sku, "MUG-RED", add_skus=True)

    assert (done.bound, len(done.problems)) == (1, 1)
    assert "variant-1" in done.problems[0]
    assert bound(database) == {"MUG-RED": "variant-2"}


def test_a_channel_without_places_says_so(database: Database, listing: Listing) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM channel_location WHERE channel = 'shop'"))

    with pytest.raises(NoPlaces, match="vendor_locations"):
        mapped(database, listing, "MUG-RED")
    with pytest.raises(NoPlaces, match="'shop'"):
        look(database.engine, listing, channel="shop", now=lambda: FIRST_NOW)


def test_a_look_counts_and_changes_nothing(database: Database, listing: Listing) -> None:
    listing.listed = ["MUG-RED", "NEW"]

    seen = look(database.engine, listing, channel="shop", now=lambda: FIRST_NOW)

    assert (seen.listed, seen.locations, seen.subscriptions) == (2, 1, 0)
    assert bound(database) == {}


def test_a_subscription_is_for_all_that_its_lane_reads(
    database: Database, listing: Listing
) -> None:
    subscribe(database.engine, listing, channel="shop", uri="https://hooks.example/shopify")

    [(topics, uri)] = listing.asked
    assert {"orders/create", "orders/updated", "refunds/create"} <= topics
    assert uri == "https://hooks.example/shopify"


def parts_of(database: Database) -> list[tuple[str, str, int]]:
    with database.engine.connect() as connection:
        rows = connection.execute(text("SELECT sku, component, units FROM bundle ORDER BY 1, 2"))
        return [tuple(row) for row in rows]


def with_file(database: Database, listing: Listing, source: str, *skus: str) -> Mapped:
    listing.listed = list(skus)
    return map_channel(
        database.engine,
        listing,
        channel="shop",
        now=FIRST_NOW,
        dry_run=False,
        add_skus=False,
        assortment=read("listing,sku,units\n" + source),
    )


def test_a_pack_listing_is_bound_to_the_sku_it_holds(database: Database, listing: Listing) -> None:
    found = with_file(database, listing, "MUG-SIX,MUG-RED,6\n", "MUG-SIX", "MUG-BLUE")

    assert (found.packs, found.bundles, found.problems) == (1, 0, [])
    with database.engine.connect() as connection:
        packs = connection.execute(text("SELECT DISTINCT sku, pack FROM binding ORDER BY 1")).all()
    assert [tuple(row) for row in packs] == [("MUG-BLUE", 1), ("MUG-RED", 6)]


def test_a_pack_of_what_is_sold_by_itself_too_is_a_bundle_of_one(
    database: Database, listing: Listing
) -> None:
    found = with_file(database, listing, "MUG-SIX,MUG-RED,6\n", "MUG-SIX", "MUG-RED")

    assert (found.packs, found.bundles, found.problems) == (0, 1, [])
    assert parts_of(database) == [("MUG-SIX", "MUG-RED", 6)]


def test_a_bundle_takes_its_parts_and_says_so_anew_each_time(
    database: Database, listing: Listing
) -> None:
    with_file(database, listing, "GIFT,MUG-RED,1\nGIFT,MUG-BLUE,2\n", "GIFT", "MUG-RED")

    with_file(database, listing, "GIFT,MUG-RED,3\nGIFT,MUG-BLUE,2\n", "GIFT", "MUG-RED")

    assert parts_of(database) == [("GIFT", "MUG-BLUE", 2), ("GIFT", "MUG-RED", 3)]


def test_a_part_that_nobody_knows_keeps_its_bundle_out(
    database: Database, listing: Listing
) -> None:
    found = with_file(database, listing, "GIFT,mug-red,1\nGIFT,MUG-BLUE,2\n", "GIFT", "MUG-RED")

    (problem,) = found.problems
    assert problem.startswith("'mug-red' is not in the catalogue; 'MUG-RED' differs only by case")
    assert (found.bound > 0, parts_of(database)) == (True, [])


def test_listings_that_differ_only_by_case_are_both_left_out(
    database: Database, listing: Listing
) -> None:
    found = mapped(database, listing, "MUG-RED", "mug-red", "MUG-BLUE", add_skus=True)

    assert sum("differs only by case" in problem for problem in found.problems) == 2 * len(
        {b.location for b in listing.bindings({"gid://1": "WH"})}
    )


def test_a_file_with_a_mistake_binds_nothing(database: Database, listing: Listing) -> None:
    found = with_file(database, listing, "GIFT,MUG-RED,none\n", "GIFT", "MUG-RED")

    assert (found.bound, len(found.problems)) == (0, 1)


WHOLESALE = """\
[locations.WH]
[channels.shop]
kind = "edi"
base_url = "file:///tmp/nobody"
locations = ["WH"]
vendor_locations = { "0001" = "WH" }
options = { our_id = "ZZ:US", partner_id = "12:THEM" }
"""


def test_a_partner_that_tells_no_listings_is_mapped_from_the_file(
    database: Database, listing: Listing
) -> None:
    with database.engine.begin() as connection:
        apply(connection, WHOLESALE, FIRST_NOW)

    without = mapped(database, listing)
    found = with_file(database, listing, "012345678905,MUG-RED,1\nCASE-9,MUG-BLUE,24\n")

    assert "give a mapping file" in without.problems[0]
    assert (found.bound, found.packs, found.problems) == (2, 1, [])
    with database.engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT sku, item_id, variant_id, vendor_location_id, pack FROM binding ORDER BY 1"
            )
        ).all()
    assert [tuple(row) for row in rows] == [
        ("MUG-BLUE", "CASE-9", "CASE-9", "0001", 24),
        ("MUG-RED", "012345678905", "012345678905", "0001", 1),
    ]


def test_a_listing_whose_pack_changed_is_shown_its_number_anew(
    database: Database, listing: Listing
) -> None:
    """Else 24 cases of six would stay on sale where 24 mugs are meant, as its target is what it was."""
    house = House(database.engine, listing.clock, listing)
    with database.engine.begin() as connection:
        apply(connection, RULES, FIRST_NOW)
    mapped(database, listing, "MUG-RED")
    house.set(**{"MUG-RED": 24})
    listing.name = "shop"
    push(house.lane)
    assert listing.numbers == {"MUG-RED": 24}

    with_file(database, listing, "MUG-RED,MUG-RED,6\n", "MUG-RED")
    house.allocate()
    push(replace(house.lane, client=Packed(listing)))

    assert house.rows("SELECT units FROM target") == [(24,)]
    assert listing.numbers == {"MUG-RED": 4}


def test_mapping_once_more_sends_nothing(database: Database, listing: Listing) -> None:
    house = House(database.engine, listing.clock, listing)
    with database.engine.begin() as connection:
        apply(connection, RULES, FIRST_NOW)
    mapped(database, listing, "MUG-RED")
    house.set(**{"MUG-RED": 24})
    push(house.lane)

    mapped(database, listing, "MUG-RED")
    house.allocate()

    assert house.queue() == {}
