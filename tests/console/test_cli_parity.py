"""Every command that works from afar says there what it says beside the database, and ends alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.access.rights import VERBS
from console.access.types import Role
from console.cli.places import LOCAL, why_local
from console.pages.acts import DOINGS
from tests.console.api_door import Api, an_api
from tests.console.command import Said, lockstep, surroundings
from tests.console.pages.busy import a_busy_house
from tests.console.test_cli_access import CHANGES, ELSEWHERE, READS, commands, is_among
from tests.servers import Clock, Database

#: Words that a command which reads needs.
WORDS: dict[str, tuple[str, ...]] = {
    "alloc plan": ("RULES",),
    "amazon explain": ("A-1",),
    "case show": ("1",),
    "channel certificate": ("shop",),
    "channel unmapped": ("shop",),
    "count shrinkage": ("--quarter", "2026Q1"),
    "failed list": ("--since", "30d"),
    "failed show": ("1",),
    "forecast show": ("MUG-RED",),
    "forecast status": (),
    "inbox show": ("1",),
    "op show": ("00000000-0000-0000-0000-000000000000",),
    "op watch": ("00000000-0000-0000-0000-000000000000",),
    "pace": ("MUG-RED",),
    "partner burn": ("SPRING",),
    "partner show": ("SPRING",),
    "pickup show": ("MUG-RED",),
    "push show": ("1",),
    "recon report": ("--quarter", "2026Q1"),
    "sku atp": ("MUG-RED",),
    "sku explain": ("MUG-RED", "--channel", "shop"),
    "sku search": ("mug",),
    "sku show": ("MUG-RED",),
    "sku timeline": ("MUG-RED", "--since", "30d"),
}
#: The others of the same words, which say something else.
MORE = (
    ("sku", "timeline", "MUG-RED", "--at", "1h", "--json"),
    ("push", "list", "--due", "--json"),
    ("push", "list"),
    ("sku", "explain", "MUG-RED", "--channel", "shop"),
    ("failed", "list", "--since", "30d"),
    ("queue", "list"),
    ("recon", "status"),
    ("halt", "list"),
    ("failed", "export", "--channel", "second"),
)
#: Where figures grow from second to second.
AGING = {("channel", "complete"), ("pace", "MUG-RED"), ("recon", "debt"), ("sku", "timeline")}
#: What has no JSON.
PLAIN = {"failed export", "op watch"}
#: Where nothing may be tried: a secret is handed out, a door is told, or it has a count of its own instead.
FIRM = {"alert test", "hook add", "hook test", "token create", "token rotate"}
_IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\d[T ][0-9:.+]+|\d+")


@pytest.fixture
def api(database: Database, tmp_path: Path) -> Iterator[Api]:
    clock = Clock(datetime.now(UTC) - timedelta(hours=4))
    with an_api(database, clock, tmp_path) as api:
        a_busy_house(database, clock)
        yield api


@pytest.fixture
def rules(tmp_path: Path) -> str:
    file = tmp_path / "lockstep.toml"
    file.write_text(
        '[locations.WH]\n[locations.OSLO]\n[channels.shop]\nkind = "shopify"\n'
        'base_url = "https://shop.example"\naccount = "one.example"\nlocations = ["WH"]\n'
        'vendor_locations = { "gid://1" = "WH" }\n'
    )
    return str(file)


def both(api: Api, *command: str) -> tuple[Said, Said]:
    there = {
        "LOCKSTEP_URL": api.url,
        "LOCKSTEP_TOKEN": api.tokens[Role.ADMIN],
        "LOCKSTEP_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/nothing",
    }
    here = surroundings(api.database, LOCKSTEP_HOME=str(api.wiring.settings.home))
    return lockstep(*command, environment=there), lockstep(*command, environment=here)


def exactly(said: Said) -> tuple[int, str]:
    return said.code, said.out


def alike(said: Said) -> tuple[int, str]:
    """What is compared: ids and moments that are made anew each time aside."""
    return said.code, _IDS.sub("#", said.out)


def test_what_reads_says_the_same_from_afar(api: Api, rules: str) -> None:
    differs = {}
    asked = [
        (*name.split(), *(rules if word == "RULES" else word for word in WORDS.get(name, ())))
        + (() if name in PLAIN else ("--json",))
        for name in sorted(READS)
        if why_local(name) is None
    ]
    for command in [*asked, *MORE]:
        there, here = both(api, *command)
        same = alike if command[:2] in AGING else exactly
        if same(there) != same(here):
            differs[command] = (there, here)

    assert differs == {}
    assert len(asked) > 45


def test_what_changes_something_comes_to_the_same_from_afar_when_it_is_tried(
    api: Api, rules: str, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("sku,location,counted,cost,cubic_feet\nMUG-RED,WH,50,4.20,0.5\n")
    differs, tried = {}, 0
    before = api.rows("SELECT count(*) AS n FROM audit")
    for name, words in CHANGES.items():
        if why_local(name) is not None or name in FIRM:
            continue
        said = [{"RULES": rules, "FILE": str(sheet)}.get(word, word) for word in words]
        # Who acts from afar is the token's name.
        by = () if "--author" in said else ("--by", "admin-1")
        there, here = both(api, *name.split(), *said, *by, "--dry-run")
        tried += here.code == 0
        if alike(there) != alike(here):
            differs[name] = (there, here)

    assert differs == {}
    assert tried > 15, "most of these must do something, or nothing is compared"
    assert api.rows("SELECT count(*) AS n FROM audit") == before
    assert api.deeds() == []


def test_what_works_beside_the_house_only_says_why(api: Api) -> None:
    known = list(commands())
    assert [name for name in LOCAL if not any(is_among(each, [name]) for each in known)] == []
    command = ("recon", "run", "shop")

    there, _ = both(api, *command)

    assert there.code == 2
    assert (
        "`lockstep recon run` works beside the house only: it speaks with the vendor" in there.err
    )


def test_api_and_pages_have_every_verb_that_works_from_afar(api: Api) -> None:
    afar = {name for name in VERBS if why_local(name.replace(".", " ")) is None}
    routes = {
        said["x-verb"]
        for methods in api.schema["paths"].values()
        for said in methods.values()
        if "x-verb" in said
    }

    assert routes == afar
    assert DOINGS.keys() == afar - ELSEWHERE
