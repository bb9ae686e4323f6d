"""The migrations: from nothing to the newest schema, once, by one at a time, with exactly the rights that are meant."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import ProgrammingError

from ledger.db import UnfitDatabase
from ledger.migrate import locked, upgrade, versions
from tests.servers import Database

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ROOT / "ledger" / "migrations" / "versions"

# Whoever grants more writes it here too.
WHOLE_TABLES = {
    "alarm": "DELETE INSERT SELECT UPDATE",
    "alert_door": "INSERT SELECT UPDATE",
    "alert_look": "INSERT SELECT UPDATE",
    "alert_post": "DELETE INSERT SELECT UPDATE",
    "amazon_mark": "INSERT SELECT UPDATE",
    "amazon_report": "INSERT SELECT UPDATE",
    "audit": "INSERT SELECT",
    "balance": "INSERT SELECT UPDATE",
    "binding": "DELETE INSERT SELECT UPDATE",
    "bulk_read": "DELETE INSERT SELECT UPDATE",
    "bundle": "DELETE INSERT SELECT UPDATE",
    "buy_terms": "DELETE INSERT SELECT UPDATE",
    "case_look": "INSERT SELECT UPDATE",
    "case_step": "INSERT SELECT UPDATE",
    "certificate": "INSERT SELECT",
    "channel": "DELETE INSERT SELECT UPDATE",
    "channel_location": "DELETE INSERT SELECT UPDATE",
    "count_look": "INSERT SELECT UPDATE",
    "count_mark": "INSERT SELECT",
    "count_open": "SELECT",
    "count_order": "INSERT SELECT",
    "count_tier": "INSERT SELECT UPDATE",
    "count_variance": "INSERT SELECT UPDATE",
    "debt_owner": "DELETE INSERT SELECT UPDATE",
    "deed": "INSERT SELECT",
    "deed_end": "INSERT SELECT",
    "demand_weeks": "DELETE INSERT SELECT UPDATE",
    "drift": "INSERT SELECT UPDATE",
    "due": "DELETE INSERT SELECT UPDATE",
    "early_plan": "INSERT SELECT UPDATE",
    "early_read": "DELETE INSERT SELECT UPDATE",
    "edi_availability": "INSERT SELECT UPDATE",
    "edi_counter": "INSERT SELECT UPDATE",
    "edi_document": "INSERT SELECT",
    "edi_interchange": "INSERT SELECT",
    "edi_line": "INSERT SELECT UPDATE",
    "edi_mailbox": "INSERT SELECT UPDATE",
    "edi_order": "INSERT SELECT UPDATE",
    "edi_sscc": "INSERT SELECT",
    "edi_superseded": "DELETE INSERT SELECT",
    "event": "SELECT",
    "exposure": "DELETE INSERT SELECT UPDATE",
    "failure": "INSERT SELECT UPDATE",
    "fba_capacity": "INSERT SELECT",
    "fba_change": "INSERT SELECT UPDATE",
    "fba_factor": "INSERT SELECT UPDATE",
    "fba_health": "INSERT SELECT UPDATE",
    "fba_mirror": "INSERT SELECT UPDATE",
    "fba_reading": "INSERT SELECT",
    "fba_row": "INSERT SELECT",
    "fba_size": "INSERT SELECT UPDATE",
    "fba_standing": "DELETE INSERT SELECT UPDATE",
    "fba_stranded": "INSERT SELECT UPDATE",
    "fit_look": "INSERT SELECT UPDATE",
    "forecast": "DELETE INSERT SELECT UPDATE",
    "forecast_run": "DELETE INSERT SELECT UPDATE",
    "halt": "INSERT SELECT UPDATE",
    "halt_hold": "INSERT SELECT",
    "halt_scope": "INSERT SELECT UPDATE",
    "heartbeat": "INSERT SELECT UPDATE",
    "clock_mark": "INSERT SELECT UPDATE",
    "clock_off": "DELETE INSERT SELECT UPDATE",
    "hidden": "DELETE INSERT SELECT UPDATE",
    "hook": "INSERT SELECT",
    "hook_event": "DELETE INSERT SELECT",
    "hook_post": "DELETE INSERT SELECT UPDATE",
    "inbox": "INSERT SELECT",
    "incident": "DELETE INSERT SELECT UPDATE",
    "ipi_score": "INSERT SELECT",
    "lag": "INSERT SELECT UPDATE",
    "location": "INSERT SELECT UPDATE",
    "login_failure": "DELETE INSERT SELECT UPDATE",
    "mcf_fact": "INSERT SELECT UPDATE",
    "mcf_line": "INSERT SELECT UPDATE",
    "mcf_order": "INSERT SELECT UPDATE",
    "mcf_shipped": "INSERT SELECT",
    "offer_share": "INSERT SELECT",
    "operation": "INSERT SELECT UPDATE",
    "order_line": "INSERT SELECT UPDATE",
    "oversold_case": "INSERT SELECT UPDATE",
    "pace": "DELETE INSERT SELECT UPDATE",
    "position": "SELECT",
    "posting": "INSERT SELECT",
    "program": "INSERT SELECT",
    "program_line": "INSERT SELECT",
    "program_step": "INSERT SELECT",
    "program_use": "INSERT SELECT UPDATE",
    "pull_forward": "INSERT SELECT UPDATE",
    "push": "DELETE INSERT SELECT",
    "push_due": "DELETE INSERT SELECT UPDATE",
    "quarantine": "INSERT SELECT UPDATE",
    "queue_pause": "DELETE INSERT SELECT UPDATE",
    "receipt": "DELETE INSERT SELECT UPDATE",
    "reorder_level": "DELETE INSERT SELECT UPDATE",
    "retention_walk": "INSERT SELECT UPDATE",
    "review": "INSERT SELECT UPDATE",
    "rule_set": "INSERT SELECT",
    "rule_turn": "DELETE INSERT SELECT UPDATE",
    "run": "DELETE INSERT SELECT UPDATE",
    "schema_version": "SELECT",
    "seal": "INSERT SELECT",
    "second_look": "DELETE INSERT SELECT UPDATE",
    "shown": "DELETE INSERT SELECT UPDATE",
    "shrunk": "DELETE INSERT SELECT",
    "silence": "INSERT SELECT UPDATE",
    "sku": "INSERT SELECT UPDATE",
    "sku_size": "INSERT SELECT UPDATE",
    "sku_worth": "INSERT SELECT UPDATE",
    "snapshot": "DELETE INSERT SELECT UPDATE",
    "sold": "DELETE INSERT SELECT",
    "supply_line": "INSERT SELECT UPDATE",
    "tally": "INSERT SELECT UPDATE",
    "tally_mark": "INSERT SELECT UPDATE",
    "target": "DELETE INSERT SELECT UPDATE",
    "target_history": "DELETE INSERT SELECT",
    "suggestion_dismissed": "INSERT SELECT",
    "token": "DELETE INSERT SELECT",
    "trail": "DELETE INSERT SELECT",
    "trial": "DELETE INSERT SELECT",
    "velocity_tier": "DELETE INSERT SELECT UPDATE",
}
SINGLE_COLUMNS = {
    ("count_order", "UPDATE"): "sound_at missing withdrawn_at",
    ("fba_row", "UPDATE"): "state settled_at",
    (
        "edi_document",
        "UPDATE",
    ): "state ack_state acked_at due_at error order_number release sequence",
    ("edi_interchange", "UPDATE"): "state sent_at file error",
    # All but `seq`: the order of writing is the database's own to say.
    (
        "event",
        "INSERT",
    ): "id kind source source_id occurred_at recorded_at actor reason reference channel order_id"
    " line_id reverses inbox_id payload",
    ("halt_hold", "UPDATE"): "ended_at",
    ("hook", "UPDATE"): "next_at failing told_at stopped_at stopped_why removed_at removed_by",
    ("program", "UPDATE"): "state moves ended_at looked_at",
    ("program_line", "UPDATE"): "used released",
    ("inbox", "UPDATE"): "state attempts wait_for error settled_at",
    ("push", "UPDATE"): "sent_at answered_at outcome detail seen_at",
    ("token", "UPDATE"): "last_used_at revoked_at revoked_by",
    ("trial", "UPDATE"): "begun_at",
}

_RELATIONS = (
    "SELECT oid, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY relname"
)
_HELD = """
    SELECT c.relname, acl.privilege_type, coalesce(r.rolname, 'public')
    FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS acl LEFT JOIN pg_roles AS r ON r.oid = acl.grantee
    WHERE c.relnamespace = 'public'::regnamespace AND acl.grantee <> c.relowner
"""
_HELD_BY_COLUMN = """
    SELECT c.relname, acl.privilege_type, coalesce(r.rolname, 'public'), a.attname
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid CROSS JOIN aclexplode(a.attacl) AS acl
    LEFT JOIN pg_roles AS r ON r.oid = acl.grantee
    WHERE c.relnamespace = 'public'::regnamespace AND acl.grantee <> c.relowner
"""


def files() -> list[str]:
    return sorted(path.stem for path in VERSIONS.glob("*.py"))


def newest() -> str:
    return files()[-1].partition("_")[0]


def relations(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(_RELATIONS))]


def test_files_are_numbered_without_gaps_and_follow_each_other() -> None:
    numbers = [name.partition("_")[0] for name in files()]
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent).replace("%", "%%"))
    chain = [
        (script.revision, script.down_revision)
        for script in ScriptDirectory.from_config(config).walk_revisions()
    ]

    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]
    assert chain[::-1] == list(zip(numbers, [None, *numbers], strict=False))


def test_an_empty_database_is_brought_to_the_newest_schema(bare_database: Database) -> None:
    before = versions(bare_database.admin_url)

    upgrade(bare_database.admin_url)

    assert before == (None, newest())
    assert versions(bare_database.admin_url) == (newest(), newest())


def test_a_database_that_is_not_in_utf_8_is_refused_and_left_empty(
    bare_database: Database,
) -> None:
    url = make_url(bare_database.admin_url)
    with bare_database.owner.connect().execution_options(
        isolation_level="AUTOCOMMIT"
    ) as connection:
        name = f"{url.database}_latin"
        connection.execute(
            text(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
        )
        try:
            with pytest.raises(UnfitDatabase, match=f"{name} is in LATIN1.*ENCODING 'UTF8'"):
                upgrade(url.set(database=name).render_as_string(hide_password=False))
        finally:
            connection.execute(text(f"DROP DATABASE {name}"))


def test_migrating_again_changes_nothing(bare_database: Database) -> None:
    upgrade(bare_database.admin_url)
    before = relations(bare_database.owner)

    upgrade(bare_database.admin_url)

    assert relations(bare_database.owner) == before


def test_two_migrators_at_once_both_end_well(bare_database: Database) -> None:
    start, errors = threading.Barrier(2), []

    def migrate() -> None:
        start.wait()
        try:
            upgrade(bare_database.admin_url)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=migrate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert versions(bare_database.admin_url) == (newest(), newest())


def test_a_migrator_waits_for_the_one_before(bare_database: Database) -> None:
    with bare_database.owner.connect() as first:
        with locked(first):
            second = threading.Thread(target=upgrade, args=[bare_database.admin_url])
            second.start()
            waiting = _somebody_waits(bare_database.superuser)
            seen = versions(bare_database.admin_url)
        second.join()

    assert waiting
    assert seen == (None, newest())
    assert versions(bare_database.admin_url) == (newest(), newest())


def _somebody_waits(engine: Engine) -> bool:
    """Whether somebody comes to wait for an advisory lock of this database, within ten seconds."""
    waiting = """
        SELECT EXISTS (SELECT FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
                       WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted)
    """
    until = time.monotonic() + 10
    with engine.connect() as connection:
        while time.monotonic() < until:
            if connection.execute(text(waiting)).scalar_one():
                return True
            time.sleep(0.01)
    return False


def test_a_migration_that_fails_leaves_nothing_behind_and_can_be_repeated(
    bare_database: Database,
) -> None:
    with bare_database.owner.begin() as connection:
        connection.execute(text("CREATE TABLE drift (id int)"))

    with pytest.raises(ProgrammingError, match="drift"):
        upgrade(bare_database.admin_url)

    assert [name for _, name in relations(bare_database.owner)] == ["drift"]
    with bare_database.owner.begin() as connection:
        connection.execute(text("DROP TABLE drift"))
    upgrade(bare_database.admin_url)
    assert versions(bare_database.admin_url) == (newest(), newest())


def test_the_owner_of_the_schema_needs_no_superuser(bare_database: Database) -> None:
    upgrade(bare_database.admin_url)

    owners = """
        SELECT DISTINCT r.rolname, r.rolsuper FROM pg_class AS c JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE c.relnamespace = 'public'::regnamespace
    """
    with bare_database.owner.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(owners))]
    assert found == [("lockstep", False)]


def test_the_application_holds_exactly_the_rights_that_are_meant(database: Database) -> None:
    tables: defaultdict[str, set[str]] = defaultdict(set)
    columns: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    holders = set()
    with database.owner.connect() as connection:
        for table, right, role in connection.execute(text(_HELD)):
            tables[table].add(right)
            holders.add(role)
        for table, right, role, column in connection.execute(text(_HELD_BY_COLUMN)):
            columns[table, right].add(column)
            holders.add(role)

    assert holders == {"lockstep_app"}
    assert tables == {table: set(rights.split()) for table, rights in WHOLE_TABLES.items()}
    assert columns == {place: set(names.split()) for place, names in SINGLE_COLUMNS.items()}


def test_every_table_has_its_row_of_rights(database: Database) -> None:
    named = (
        "SELECT relname FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'p', 'm')"
    )

    with database.owner.connect() as connection:
        found = set(connection.execute(text(named)).scalars())

    assert found == set(WHOLE_TABLES)


def alembic(*words: str) -> subprocess.CompletedProcess[str]:
    """Run alembic's own command in the repository's root, where its settings are in pyproject.toml."""
    command = Path(sys.executable).parent / "alembic"
    return subprocess.run([command, *words], cwd=ROOT, capture_output=True, text=True, check=False)


def test_alembics_own_command_migrates_the_database_it_is_told(bare_database: Database) -> None:
    answer = alembic("-x", f"url={bare_database.admin_url}", "upgrade", "head")

    assert answer.returncode == 0, answer.stderr
    assert versions(bare_database.admin_url) == (newest(), newest())


def test_alembics_own_command_asks_which_database() -> None:
    answer = alembic("upgrade", "head")

    assert answer.returncode == 1
    assert re.search(r"say which database: alembic -x url=\S+ upgrade head", answer.stderr)
