"""Every command that changes something asks whether its user may, and writes down what was asked and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from console.access.rights import VERBS, may
from console.access.secrets import hash_of, is_token
from console.access.types import Role
from console.cli import cli
from console.cli.common import user
from tests.builders import stock_the_house
from tests.console.command import lockstep, surroundings
from tests.servers import Database

#: What runs a process, or works in a database that is gone afterwards: nobody's stock changes.
PROCESSES = {
    "beat", "demo", "flower", "play", "serve", "sim", "up", "worker", "bench", "chaos", "faults", "prove",
    "recon bench", "recon drill",
}  # fmt: skip
#: What only reads.
READS = {
    "alarm list", "alert doors", "alert list", "alert silences", "alloc check", "alloc fit", "alloc history",
    "alloc plan", "alloc show", "alloc simulate", "amazon changes", "amazon fba", "amazon health", "amazon ipi list",
    "amazon capacity list", "amazon explain", "amazon removals", "amazon send-in", "amazon size list",
    "amazon mcf list", "amazon offers", "audit list", "case list", "case rate", "case show",
    "channel certificate", "channel complete",
    "channel list", "channel test", "channel unmapped", "completion", "config check", "config schema", "config show",
    "count accuracy", "count orders", "count plan",
    "count shrinkage", "db status", "edi documents", "edi parse", "edi status", "edi validate", "failed export",
    "failed list", "failed show", "forecast backtest", "forecast show",
    "forecast status", "export verify", "halt list", "hook list",
    "inbox list", "inbox show", "lag", "ledger verify",
    "op list",
    "op show", "op watch", "pace", "partner burn", "partner list", "partner show", "pickup show", "push list",
    "push parked", "push show", "queue list", "recon causes", "recon debt", "recon drift", "recon early",
    "recon quarantine", "recon report", "recon status", "reorder list", "reorder terms", "review suggestions",
    "sku atp", "sku explain",
    "sku search", "sku show",
    "sku timeline", "supply list", "supply requests", "token list",
}  # fmt: skip
WHY = ("--reason", "a test")
#: Each command that changes something, with words it understands.
CHANGES: dict[str, tuple[str, ...]] = {
    "alert ack": ("inc-1",),
    "alert silence": ("drift.open", "--for", "2h", *WHY),
    "alert test": (),
    "alloc apply": ("RULES", "--author", "ann", *WHY),
    "alloc rollback": ("1", *WHY),
    "amazon capacity set": ("standard", "--units", "5"),
    "amazon ipi set": ("500",),
    "amazon mcf create": ("shop", "1001", "--address", "FILE"),
    "amazon mirror": (),
    "amazon size set": ("FILE",),
    "case choose": ("1", "refund", *WHY),
    "case close": ("1", *WHY),
    "case run": ("1",),
    "catalogue add-location": ("NORTH",),
    "catalogue add-sku": ("TEA",),
    "channel certify": ("shop", "--approve", "abc"),
    "channel map": ("shop",),
    "channel pause": ("shop", *WHY),
    "channel resume": ("shop",),
    "channel subscribe": ("shop", "--uri", "https://hooks.example/hooks/shopify"),
    "count order": ("TEA", "--location", "WH", *WHY),
    "count submit": ("FILE",),
    "count worth": ("FILE",),
    "db upgrade": (),
    "edi dismiss": ("1", *WHY),
    "edi exchange": ("grocer",),
    "edi resend": ("1",),
    "edi retry": ("1",),
    "edi ship": ("grocer", "PO-1"),
    "export run": ("nowhere/out",),
    "failed assign": ("eve", "--channel", "shop", "--yes"),
    "failed discard": ("--channel", "shop", "--yes", *WHY),
    "failed retry": ("--channel", "shop", "--yes"),
    "forecast run": (),
    "halt lift": ("TEA", "--channel", "shop", *WHY),
    "halt set": ("TEA", "--channel", "shop", *WHY),
    "history import": ("FILE", "--opening", "FILE", "--tie-out", "FILE"),
    "hook add": ("erp", "--url", "https://erp.example/hooks"),
    "hook remove": ("erp",),
    "hook test": ("erp",),
    "inbox replay": ("1",),
    "ledger seal": (),
    "op cancel": ("00000000-0000-0000-0000-000000000000",),
    "partner release": ("SPRING", *WHY),
    "partner reserve": (
        *("grocer", "--sku", "TEA", "--location", "WH", "--units", "5", "--until", "2030-01-01"),
        *("--name", "SPRING", *WHY),
    ),
    "pickup failed": ("TEA", "--location", "WH"),
    "push retry": ("--channel", "shop"),
    "queue pause": ("ingest", *WHY),
    "queue resume": ("ingest",),
    "recon owner": ("ann",),
    "recon release": ("TEA", "--channel", "shop", *WHY),
    "recon run": ("shop",),
    "review dismiss": ("reorder", "MUG-RED@OSLO", *WHY),
    "review quarter": (),
    "reorder import": ("TERMS",),
    "reorder set": ("--supplier", "Acme"),
    "sku resync": ("MUG-RED", *WHY),
    "stock adjust": ("MUG-RED", "3", "--location", "WH", *WHY),
    "stock reverse": ("e-1", "--source", "operator", *WHY),
    "supply expect": (
        *("TEA", "--location", "WH", "--units", "5", "--due", "2030-01-01", "--reference", "PO-1/1"),
    ),
    "token create": ("ann", "--role", "viewer"),
    "token revoke": ("ann",),
    "token rotate": ("ann",),
}  # fmt: skip
#: Verbs of other doors than the command line.
ELSEWHERE = {"session.login", "session.logout"}

DEEDS = """
    SELECT d.actor, d.role, d.door, d.verb, d.object, e.outcome FROM deed d LEFT JOIN deed_end e ON e.deed_id = d.id
    ORDER BY d.id
"""


def commands(group: click.Group = cli, *path: str) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from commands(found, *path, name)
        else:
            yield " ".join([*path, name])


def is_among(command: str, names: Any) -> bool:
    return any(command == name or command.startswith(f"{name} ") for name in names)


def deeds(database: Database) -> list[tuple[Any, ...]]:
    with database.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(DEEDS))]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    rules, file = tmp_path / "lockstep.toml", tmp_path / "file"
    rules.write_text(
        '[locations.WH]\n[channels.shop]\nkind = "shopify"\n'
        'base_url = "https://shop.example"\naccount = "one.example"\nlocations = ["WH"]\n'
        'vendor_locations = { "gid://1" = "WH" }\n'
    )
    file.write_text("sku,location,counted,cubic_feet\nTEA,WH,1,0.5\n")
    terms = tmp_path / "terms"
    terms.write_text("sku,pack\nTEA,6\n")
    return {"RULES": str(rules), "FILE": str(file), "TERMS": str(terms)}


def test_every_command_is_known_to_read_to_change_or_to_run_a_process() -> None:
    known = READS | CHANGES.keys()

    unknown = [each for each in commands() if each not in known and not is_among(each, PROCESSES)]

    assert unknown == [], "say in this file what it does; what changes something needs a verb"


def test_every_change_has_its_verb_and_every_verb_is_used() -> None:
    said = {each.replace(" ", ".") for each in CHANGES}

    assert said | ELSEWHERE == VERBS.keys()


def test_a_viewer_changes_nothing_by_any_command_and_that_is_written_down(
    database: Database, files: dict[str, str]
) -> None:
    stock_the_house(database.engine)
    here = surroundings(database, LOCKSTEP_ROLE="viewer")

    let_through = {}
    for command, words in CHANGES.items():
        said = [files.get(word, word) for word in words]
        who = "ann" if "--author" in said else "vera"
        by = () if "--author" in said else ("--by", who)
        answer = lockstep(*command.split(), *said, *by, environment=here)
        verb = command.replace(" ", ".")
        expected = (who, "viewer", "cli", verb, deeds(database)[-1][4], "refused")
        if answer.code != 5 or deeds(database)[-1] != expected:
            let_through[command] = (answer, deeds(database)[-1])

    assert let_through == {}


def test_roles_reach_as_far_as_the_table_says() -> None:
    reach = {role: sum(may(role, verb) for verb in VERBS) for role in Role}

    assert list(reach.values()) == sorted(reach.values())
    assert [may(role, "halt.set") for role in Role] == [False, True, True, True]
    assert [may(role, "halt.lift") for role in Role] == [False, False, True, True]
    assert [may(role, "token.create") for role in Role] == [False, False, False, True]


def test_what_was_done_refused_and_failed_is_told_with_who_and_why(database: Database) -> None:
    stock_the_house(database.engine)
    here = surroundings(database)
    lockstep("stock", "adjust", "MUG-RED", "3", "--location", "OSLO", "--reason", "found", "--by", "ann",
             environment=here)  # fmt: skip
    lockstep("alert", "silence", "no.rule", "--for", "2h", "--reason", "why", environment=here)
    lockstep("case", "run", "77", environment=here)

    told = lockstep("audit", "list", "--json", environment=here).read
    mine = lockstep(
        "audit", "list", "--actor", "ann", "--verb", "stock", "--json", environment=here
    )

    assert [(row["actor"], row["verb"], row["object"], row["outcome"]) for row in told] == [
        (user(), "case.run", "case:77", "refused"),
        (user(), "alert.silence", "rule:no.rule", "refused"),
        ("ann", "stock.adjust", "place:MUG-RED/OSLO", "done"),
    ]
    assert told[0]["detail"].startswith("there is no case 77")
    (adjusted,) = mine.read
    assert (adjusted["reason"], adjusted["arguments"]["units"]) == ("found", 3)
    assert adjusted["arguments"]["user"] == user()


def test_a_list_goes_on_where_the_page_before_ended(database: Database) -> None:
    here = surroundings(database)
    for name in ("one", "two", "three"):
        lockstep("catalogue", "add-sku", name, environment=here)

    first = lockstep("audit", "list", "--limit", "2", "--json", environment=here)
    after = first.err.strip().rpartition(" ")[2]
    rest = lockstep("audit", "list", "--after", after, "--json", environment=here)
    wrong = lockstep("audit", "list", "--after", "nonsense", environment=here)

    objects = [row["object"] for row in [*first.read, *rest.read]]
    assert objects == ["sku:three", "sku:two", "sku:one"]
    assert wrong.code == 2


def test_a_token_is_shown_once_and_only_its_hash_is_kept(database: Database) -> None:
    here = surroundings(database)
    made = lockstep("token", "create", "ann", "--role", "lead", "--days", "7", environment=here)
    again = lockstep("token", "create", "ann", "--role", "admin", environment=here)
    anew = lockstep("token", "rotate", "ann", "--json", environment=here).read
    listed = lockstep("token", "list", "--all", "--json", environment=here)
    ended = lockstep("token", "revoke", "ann", environment=here)
    twice = lockstep("token", "revoke", "ann", environment=here)

    token = made.out.strip()
    assert is_token(token)
    assert is_token(anew["token"])
    assert (again.code, ended.code, twice.code) == (5, 0, 1)
    assert "rotate" in again.err
    assert [row["role"] for row in listed.read] == ["lead", "lead"]
    with database.engine.connect() as connection:
        kept = connection.execute(text("SELECT hash FROM token ORDER BY id")).scalars().all()
        everything = connection.execute(
            text("SELECT string_agg(d::text, '') FROM deed AS d")
        ).scalar_one()
    assert kept == [hash_of(token), hash_of(anew["token"])]
    assert "lockstep_" not in everything + listed.out
    assert token.removeprefix("lockstep_") not in everything


@pytest.mark.parametrize("table", ["deed", "deed_end", "audit"])
def test_nobody_rewrites_what_was_done(database: Database, table: str) -> None:
    lockstep("channel", "pause", "nowhere", "--reason", "x", environment=surroundings(database))
    with database.owner.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO audit (at, actor, action, object) VALUES (now(), 'ann', 'a.b', 'c:d')"
            )
        )

    for attempt in ("DELETE FROM {}", "UPDATE {} SET at = now()", "TRUNCATE {} CASCADE"):
        statement = text(attempt.format(table))
        with pytest.raises(DBAPIError, match="stays written"), database.owner.begin() as owner:
            owner.execute(statement)
        with pytest.raises(DBAPIError, match="permission denied"), database.engine.begin() as app:
            app.execute(statement)
