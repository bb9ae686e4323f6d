"""A partner's items are mapped from a file: nobody can be asked for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from channels import listings
from channels.edi.client import WholesalePartner
from tests.servers import Clock, Database
from tests.workers.edi_rig import PARTNER, Grocer, a_grocer, line, po
from workers.flows.mapping import map_channel


@pytest.fixture
def grocer(database: Database, clock: Clock, tmp_path: Path) -> Grocer:
    grocer = a_grocer(database.engine, clock, tmp_path)
    with grocer.engine.begin() as connection:
        connection.execute(text("DELETE FROM binding"))
    return grocer


def test_a_file_binds_the_partners_numbers_packs_and_bundles_among_them(grocer: Grocer) -> None:
    client = WholesalePartner(grocer.partner, grocer.engine, now=lambda: grocer.clock.now)
    file = "listing,sku,units\n700,MUG,6\n701,TEE,1\n701,MUG,1\n"

    mapped = map_channel(
        grocer.engine,
        client,
        channel=PARTNER,
        now=grocer.clock.now,
        dry_run=False,
        add_skus=False,
        assortment=listings.read(file),
    )

    assert mapped.problems == []
    grocer.stock(MUG=20, TEE=20)
    grocer.send(po(line(1, 2, item="700"), line(2, 3, item="701")))
    grocer.run()
    assert grocer.lines() == [("1", 2, 2, 0, 0), ("2", 3, 3, 0, 0)]
    assert grocer.rows("SELECT sku, units FROM balance WHERE state = 'committed' ORDER BY sku") == [
        ("MUG", 15),
        ("TEE", 3),
    ]
