"""A partner in the wiring: its client, its folder, and sentences where the rules do not describe it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from channels.edi.client import WholesalePartner
from channels.edi.exchange import FolderExchange
from channels.packs import Packed
from tests.servers import Clock, Database
from tests.workers.edi_rig import PARTNER, a_grocer
from workers.settings import Settings
from workers.wiring import NotSetUp, Wiring


@pytest.fixture
def wiring(database: Database, clock: Clock, valkey: str, tmp_path: Path) -> Iterator[Wiring]:
    a_grocer(database.engine, clock, tmp_path)
    settings = Settings.model_validate({"database_url": database.app_url, "redis_url": valkey})
    with closing(Wiring(settings)) as wiring:
        yield wiring


def set_row(database: Database, column: str, value: str) -> None:
    with database.owner.begin() as connection:
        connection.execute(text(f"UPDATE channel SET {column} = :value"), {"value": value})  # noqa: S608 - our own


def test_a_partner_needs_no_secret_and_has_a_folder(wiring: Wiring, tmp_path: Path) -> None:
    client = wiring.client(PARTNER)
    partner, box = wiring.mailbox(PARTNER)

    assert isinstance(client, Packed)
    assert isinstance(client.vendor, WholesalePartner)
    assert isinstance(box, FolderExchange)
    assert (partner.name, box.path) == (PARTNER, tmp_path)


def test_options_that_describe_nobody_are_a_sentence(wiring: Wiring, database: Database) -> None:
    set_row(database, "options", '{"our_id": "ZZ:US"}')

    for ask in (wiring.client, wiring.mailbox):
        with pytest.raises(NotSetUp, match="option partner_id is missing"):
            ask(PARTNER)


@pytest.mark.parametrize("address", ["https://grocer.example", "sftp://user@grocer.example/box"])
def test_an_address_that_cannot_be_used_is_a_sentence(
    wiring: Wiring, database: Database, address: str
) -> None:
    set_row(database, "base_url", address)

    with pytest.raises(NotSetUp, match=r"is no mailbox|no host_key is pinned"):
        wiring.mailbox(PARTNER)
