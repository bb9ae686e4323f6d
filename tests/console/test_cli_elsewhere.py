"""The command line with an address and a token, and no database: the same words, the same JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from console.access.types import Role
from tests.console.api_door import Api, an_api
from tests.console.command import Said, lockstep, surroundings
from tests.servers import Clock, Database


@pytest.fixture
def api(database: Database, clock: Clock, tmp_path: Path) -> Iterator[Api]:
    with an_api(database, clock, tmp_path) as api:
        yield api


def afar(api: Api, *command: str, role: Role = Role.LEAD, url: str | None = None) -> Said:
    here = {
        "LOCKSTEP_URL": api.url if url is None else url,
        "LOCKSTEP_TOKEN": api.tokens[role],
        "LOCKSTEP_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/nothing",
    }
    return lockstep(*command, environment=here)


def test_what_is_read_from_afar_is_what_the_database_says(api: Api) -> None:
    api.run(
        "INSERT INTO drift (channel, sku, location, expected, actual, cause, action, seen_at, last_at)"
        " VALUES ('shop', 'MUG-RED', 'WH', 30, 50, 'unknown', 'repush', now(), now())"
    )
    api.run(
        "INSERT INTO alarm (rule, object, since, last_at) VALUES ('drift.open', 'channel:shop', now(), now())"
    )
    commands = (
        "recon drift",
        "recon status",
        "channel list",
        "inbox list",
        "alarm list",
        "halt list",
        "alert list",
        "push parked",
        "audit list",
    )

    for command in commands:
        there = afar(api, *command.split(), "--json")
        near = lockstep(*command.split(), "--json", environment=surroundings(api.database))

        assert (there.code, there.read) == (near.code, near.read), command


def test_what_is_changed_from_afar_is_written_down_as_the_token_s(api: Api) -> None:
    api.run(
        "INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)"
        " VALUES ('shop', 'MUG-RED', 'OSLO', 'i-1', 'gid://1')"
    )
    said = [
        afar(api, "channel", "pause", "shop", "--reason", "stocktaking"),
        afar(api, "channel", "resume", "shop"),
        afar(api, "push", "retry", "--channel", "shop"),
        afar(api, "halt", "set", "MUG-RED", "--channel", "shop", "--for", "2h", "--reason", "broken"),
        afar(api, "halt", "lift", "MUG-RED", "--channel", "shop", "--reason", "mended"),
        afar(api, "alert", "silence", "drift.open", "--for", "2h", "--reason", "known"),
        afar(api, "alert", "silence", "drift.open", "--end", "--reason", "over"),
    ]  # fmt: skip

    assert [(each.code, each.err) for each in said] == [(0, "")] * len(said)
    assert [each.out.strip() for each in said[:2]] == ["paused", "resumed"]
    assert [(d["actor"], d["door"], d["verb"], d["outcome"]) for d in api.deeds()] == [
        ("lead-1", "api", verb, "done")
        for verb in (
            *("channel.pause", "channel.resume", "push.retry", "halt.set", "halt.lift"),
            *("alert.silence", "alert.silence"),
        )
    ]


def test_who_may_not_whom_nobody_knows_and_what_needs_the_database_is_said(api: Api) -> None:
    api.tokens[Role.ADMIN] = "lockstep_wrong"

    refused = afar(api, "channel", "pause", "shop", "--reason", "x", role=Role.VIEWER)
    unknown = afar(api, "channel", "list", role=Role.ADMIN)
    away = afar(api, "channel", "list", url="http://127.0.0.1:1")
    missing = afar(api, "channel", "pause", "nowhere", "--reason", "x")
    only_here = afar(api, "ledger", "verify")

    codes = [each.code for each in (refused, unknown, away, missing, only_here)]
    assert codes == [5, 1, 1, 1, 2]
    assert "operator" in refused.err
    assert "nobody is known" in unknown.err
    assert "LOCKSTEP_URL" in only_here.err
