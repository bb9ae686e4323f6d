"""A seller with stock at Amazon: the simulated account behind HTTP, a book of its own, and the mirror between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, text

from channels import bindings
from channels.base import Binding
from channels.lane import Account
from ledger import catalogue, inbox, queries
from ledger.db import transaction
from ledger.events import FACT
from ledger.inbox import FACT_TOPIC, Delivery
from reconcile.runs import window_of
from tests.builders import a_house
from tests.channels.amazon_rig import CHANNEL, AmazonRig
from tests.channels.simulators.shopdesk import Mailbox, mailbox
from workers.flows import mirror
from workers.flows.ingest import Drained, drain
from workers.flows.mirror import MirrorReport, Terms

FBA = "FBA-US"
OSLO = "OSLO"
SHOP = "shopify"
CAUSES = ("sale", "mcf", "inbound", "returned", "removal", "adjustment", "transfer", "rest")

_CHANNEL = text(
    "INSERT INTO channel (channel, kind, base_url, options) VALUES (:c, :k, :u, CAST(:o AS jsonb))"
)
_PLACE = text(
    "INSERT INTO channel_location (channel, vendor_location_id, location) VALUES (:c, :v, :l)"
)


@dataclass
class FbaHouse:
    """The account, its book, and the hands of Amazon's people."""

    rig: AmazonRig
    engine: Engine
    terms: Terms = field(default_factory=Terms)

    # -- furnishing ---------------------------------------------------------------------------------------------------

    def furnish(self, options: str = "{}", base_url: str = "http://127.0.0.1:1") -> None:
        """Two channels, the merchant's own house and Amazon's network."""
        with transaction(self.engine) as connection:
            catalogue.add_locations(connection, [OSLO], kind="warehouse")
            catalogue.add_locations(connection, [FBA], kind="mirror")
            for channel, kind in ((CHANNEL, "amazon"), (SHOP, "shopify")):
                row = {"c": channel, "k": kind, "u": base_url, "o": options}
                connection.execute(_CHANNEL, row)
            for vendor, ours in (("DEFAULT", OSLO), ("FBA", FBA)):
                connection.execute(_PLACE, {"c": CHANNEL, "v": vendor, "l": ours})

    def at_amazon(self, sku: str, *, bound: bool = True, pack: int = 1, **parts: int) -> None:
        """A listing that Amazon ships, with these parts in its network."""
        self.rig.do("listing", sku=sku, fba=parts)
        if bound:
            self.bind(sku, pack=pack)

    def bind(self, sku: str, *, pack: int = 1, ours: str = "") -> None:
        """Say which SKU of ours a listing of Amazon's is."""
        with transaction(self.engine) as connection:
            catalogue.add_skus(connection, {ours or sku: ""})
            place = Binding(CHANNEL, ours or sku, FBA, sku, "FBA", sku, pack=pack, read_only=True)
            bindings.bind(connection, [place], now=self.now)

    # -- time and work ------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        return self.rig.now()

    def pass_time(self, seconds: float) -> None:
        self.rig.advance(seconds)

    def go(self, *, after_s: float = 900) -> MirrorReport:
        """The next window: the mirror's go, then everything it told is booked."""
        self.pass_time(after_s)
        report = self.again()
        self.drain()
        return report

    def again(self) -> MirrorReport:
        """A go in the window of now, opened if nobody did."""
        at = self.now
        mirror.open_windows(self.engine, now=at, window_s=self.terms.window_s)
        return mirror.mirror(
            self.engine,
            self.rig.channel.api,
            channel=CHANNEL,
            window_at=window_of(at, self.terms.window_s),
            now=self.rig.now,
            terms=self.terms,
        )

    def reported(self) -> MirrorReport:
        """Two goes an hour apart: one that asks Amazon for its ledger, one that reads it."""
        self.go(after_s=3600)
        return self.go()

    def drain(self) -> Drained:
        done = drain(a_house(self.engine), now=self.now)
        assert done.parked == 0, self.rows("SELECT topic, error FROM inbox WHERE error <> ''")
        return done

    def post(self, kind: str, **said: Any) -> None:
        """A fact of somebody else's, booked at once."""
        fact = FACT.validate_python(
            {"kind": kind, "source": SHOP, "occurred_at": self.now, "id": f"{kind}:{said}"} | said
        )
        body = fact.model_dump_json().encode()
        with transaction(self.engine) as connection:
            inbox.keep(connection, [Delivery(fact.source, fact.id, FACT_TOPIC, body)], now=self.now)
        self.drain()

    def shop_order(self, order: str, sku: str, units: int, *, location: str = FBA) -> None:
        """An order of the merchant's own shop."""
        self.post(
            "order",
            channel=SHOP,
            order=order,
            line="1",
            sku=sku,
            units=units,
            location=location,
            id=f"order:{order}:1",
        )

    def deliver(self, box: Mailbox) -> int:
        """Put every notification that Amazon's pipe posted into the inbox, and drain it."""
        taken, box.received[:] = list(box.received), []
        with transaction(self.engine) as connection:
            for _, body in taken:
                routing = self.lane.routing({}, body)
                delivery = Delivery(CHANNEL, routing.delivery_id, routing.topic, body)
                inbox.keep(connection, [delivery], now=self.now)
        self.drain()
        return len(taken)

    @property
    def lane(self) -> Any:
        return a_house(self.engine).lanes["amazon"]

    # -- looking ------------------------------------------------------------------------------------------------------

    def held(self, sku: str, location: str = FBA) -> tuple[int, int, int]:
        """(available, committed, reserved) of a SKU at a location."""
        with transaction(self.engine) as connection:
            found = {p.location: p for p in queries.positions(connection, sku)}
        if location not in found:
            return 0, 0, 0
        position = found[location]
        return position.available, position.committed, position.reserved

    def truth(self, sku: str) -> dict[str, int]:
        """The parts as they truly are at Amazon."""
        parts: dict[str, int] = self.rig.listing(sku)["fba"]
        return parts

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """What a query says, as plain tuples."""
        with transaction(self.engine) as connection:
            return [tuple(row) for row in connection.execute(text(statement), values)]

    def change(self, sku: str) -> dict[str, int]:
        """How the newest change of a SKU is explained; only what is not 0."""
        found = self.rows(
            "SELECT sale, mcf, inbound, returned, removal, adjustment, transfer, rest FROM fba_change"
            " WHERE seller_sku = :sku ORDER BY to_at DESC, reading_id DESC LIMIT 1",
            sku=sku,
        )
        return {name: units for name, units in zip(CAUSES, found[0], strict=True) if units}

    def drifts(self) -> list[tuple[Any, ...]]:
        return self.rows(
            "SELECT sku, location, expected, actual, cause, resolved_at IS NULL FROM drift ORDER BY id"
        )


@contextmanager
def told(house: FbaHouse, topics: Mapping[str, str]) -> Iterator[Mailbox]:
    """Amazon's notifications of these types, posted to a mailbox."""
    with mailbox() as box:
        house.rig.do("pipe", url=box.url)
        house.rig.channel.subscribe(topics, box.url)
        yield box
        house.rig.do("pipe", url=None)


def account_with(rig: AmazonRig, **options: str) -> Account:
    """The account with other options."""
    account = rig.account()
    return replace(account, options={**account.options, **options})
