"""Every kind of vendor can be played: what a person asks for, what the accounts are called, what a lane is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click import Choice

from channels.edi.exchange import exchange_of
from channels.simulators.serve import ALL_KINDS
from console.cli.sim import sim_up
from console.demo import playing
from console.local.layout import Played, played, simulators
from console.local.supervisor import Service
from workers.settings import Settings

KINDS = {"web": "shopify", "fba": "amazon", "till": "square", "dock-1": "edi"}


def test_a_name_may_say_its_kind() -> None:
    found = playing.wanted(("outlet", "dock=edi"), (), 1)

    assert [(one.name, one.kind) for one in found] == [("outlet", "shopify"), ("dock", "edi")]
    with pytest.raises(ValueError, match="no such vendor: ebay"):
        playing.wanted(("x=ebay",), (), 1)


def test_the_command_knows_every_kind_there_is() -> None:
    (choice,) = [option.type for option in sim_up.params if option.name == "kinds"]

    assert isinstance(choice, Choice)
    assert set(choice.choices) == set(ALL_KINDS)


def test_every_kind_is_played_and_told_with_what_its_lane_asks_for(tmp_path: Path) -> None:
    mailboxes = tmp_path / "mailboxes"
    wanted = playing.wanted(tuple(f"{name}={kind}" for name, kind in KINDS.items()), (), 1)
    with playing.Players(wanted, host="127.0.0.1", seed=3, mailboxes=mailboxes) as players:
        told = players.told
        secrets = {name: set(one.secrets()) for name, one in told.items()}
        dock = told["dock-1"]
        assert (mailboxes / "dock-1" / "inbound").is_dir()
        assert exchange_of(dock.base_url, {}).inbound() == []
        server = exchange_of(dock.facts["sftp_url"], {n: str(v) for n, v in dock.secrets().items()})
        assert server.inbound() == []
        server.close()

    assert {name: one.kind for name, one in told.items()} == KINDS
    assert all(one.account and one.control_url and one.control_token for one in told.values())
    assert (told["web"].account, dock.account) == ("web.myshopify.com", "DOCK1")
    assert secrets == {
        "web": {"token", "webhook_secrets"},
        "fba": {"client_id", "client_secret", "refresh_token", "webhook_secrets"},
        "till": {"token", "webhook_secrets"},
        "dock-1": {"user", "password", "host_key"},
    }
    assert not (mailboxes / "dock-1").exists(), "its mailbox goes with the partner"


def test_the_facts_of_every_kind_survive_the_way_through_their_file(tmp_path: Path) -> None:
    facts = {"client_id": "c", "sftp_url": "sftp://x"}
    one = Played("fba", "amazon", "http://b", "A3", "http://b/control", "", "w", "c", facts)

    playing.write_facts(tmp_path / "facts", {"fba": one})

    assert played((tmp_path / "facts").read_text()) == {"fba": one}
    assert "client_secret" not in repr(one)
    json.dumps(one.secrets())


def test_the_process_is_asked_for_each_account_and_its_kind(tmp_path: Path) -> None:
    service = simulators(Settings(), {"web": "shopify", "dock": "edi"}, tmp_path / "f", ("x",))

    assert isinstance(service, Service)
    assert service.command == (
        "x", "sim", "up", "--facts", str(tmp_path / "f"), "--name", "web", "--name", "dock=edi",
    )  # fmt: skip
