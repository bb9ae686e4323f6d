"""What is written stays written: every way round it that the application's login could try, at the database itself."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from console.local.cluster import APP
from ledger.verify import verify
from tests.builders import a_fact, book, stock_the_house
from tests.servers import Database

#: The book, its proof, and who did what.
KEPT = ("event", "posting", "seal", "deed", "deed_end", "audit")
ATTEMPTS = [
    "UPDATE {table} SET {column} = {column}",
    "DELETE FROM {table}",
    "TRUNCATE {table} CASCADE",
    "DROP TABLE {table} CASCADE",
    "ALTER TABLE {table} DISABLE TRIGGER ALL",
    "ALTER TABLE {table} DISABLE TRIGGER USER",
    "ALTER TABLE {table} OWNER TO lockstep_app",
    "ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT NULL",
    "ALTER TABLE {table} RENAME TO other",
    "CREATE RULE away AS ON INSERT TO {table} DO INSTEAD NOTHING",
    "CREATE TRIGGER first BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE INDEX slow ON {table} ({column})",
    "SELECT 1 FROM {table} FOR UPDATE",
    "MERGE INTO {table} USING (SELECT 1) AS x ON true WHEN MATCHED THEN DELETE",
    "WITH gone AS (DELETE FROM {table} RETURNING 1) SELECT count(*) FROM gone",
    "LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE",
]
#: Ways that name no table of ours.
AROUND = [
    "SET session_replication_role = replica",
    "SELECT set_config('session_replication_role', 'replica', false)",
    "SET ROLE lockstep",
    "SET SESSION AUTHORIZATION lockstep",
    "ALTER ROLE lockstep_app SUPERUSER",
    "ALTER ROLE lockstep_app SET session_replication_role = replica",
    "ALTER FUNCTION refuse_change() RENAME TO allow_change",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "DROP FUNCTION refuse_change() CASCADE",
    "CREATE TABLE public.event2 (id int)",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY event FROM '/dev/null'",
    "COPY event TO '/tmp/book'",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT lo_import('/etc/hostname')",
    "ALTER DATABASE {name} SET session_replication_role = replica",
    "DELETE FROM schema_version",
    "UPDATE pg_trigger SET tgenabled = 'D'",
    "ALTER EVENT TRIGGER none DISABLE",
]
REFUSED = (
    "permission denied",
    "must be owner",
    "must be able to",
    "does not exist",
    "cannot set parameter",
    "only roles with",
    "must have",
)


_SUM = "SELECT count(*), sum(hashtext(t::text)) FROM {table} AS t"


@pytest.fixture
def written(database: Database) -> Database:
    """A house with some history."""
    stock_the_house(database.engine)
    book(database.engine, a_fact("receipt", units=5), a_fact("order", units=2))
    return database


@pytest.fixture
def columns(written: Database) -> dict[str, str]:
    """A column of each table."""
    with written.owner.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT relname, (array_agg(attname ORDER BY attnum))[1] FROM pg_attribute"
                " JOIN pg_class c ON c.oid = attrelid"
                " WHERE attnum > 0 AND attidentity = '' AND attgenerated = ''"
                " AND relnamespace = 'public'::regnamespace AND relname = ANY(:kept) GROUP BY relname"
            ),
            {"kept": list(KEPT)},
        )  # fmt: skip
        return {row[0]: row[1] for row in rows}


def stands(database: Database) -> tuple[object, ...]:
    """A sum over everything that must stay."""
    with database.owner.connect() as connection:
        return tuple(connection.exec_driver_sql(_SUM.format(table=table)).one() for table in KEPT)


def test_the_application_has_no_way_to_change_or_hide_what_is_written(
    written: Database, columns: dict[str, str]
) -> None:
    before = stands(written)
    went_through = []
    said = [a.format(table=table, column=columns[table]) for table in KEPT for a in ATTEMPTS]
    for attempt in [*said, *(each.format(name=written.name) for each in AROUND)]:
        try:
            with written.engine.begin() as connection:
                connection.exec_driver_sql(attempt)
            went_through.append(attempt)
        except DBAPIError as refused:
            if not any(word in str(refused.orig) for word in REFUSED):
                went_through.append(f"{attempt}: {refused.orig}")

    assert went_through == [], went_through
    assert stands(written) == before
    assert verify(written.engine).clean


@pytest.mark.parametrize("who", ["owner", "superuser"])
def test_owner_and_superuser_are_stopped_by_the_tables_themselves(
    written: Database, columns: dict[str, str], who: str
) -> None:
    before = stands(written)
    went_through = []
    for table in KEPT:
        for attempt in ATTEMPTS[:3]:
            if "TRUNCATE" not in attempt and not _rows(written, table):
                continue
            try:
                with getattr(written, who).begin() as connection:
                    connection.exec_driver_sql(attempt.format(table=table, column=columns[table]))
                went_through.append((table, attempt))
            except DBAPIError as refused:
                if not any(word in str(refused.orig) for word in ("append-only", "stays written")):
                    went_through.append((table, str(refused.orig)))

    assert went_through == []
    assert stands(written) == before


def _rows(database: Database, table: str) -> int:
    with database.owner.connect() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())  # noqa: S608 -- ours


def test_a_superuser_who_takes_the_triggers_off_is_found_by_the_proof(written: Database) -> None:
    with written.superuser.begin() as connection:
        connection.exec_driver_sql("SET session_replication_role = replica")
        connection.exec_driver_sql(
            "UPDATE posting SET units = units + 1, from_after = from_after - 1, to_after = to_after + 1"
        )

    proof = verify(written.engine)

    assert not proof.clean
    assert "MUG-RED" in str(proof.as_json()["first_bad"])


def test_workers_and_doors_of_the_local_house_log_in_as_the_lesser_role(
    database: Database,
) -> None:
    """Those of the compose file do too: tests/test_compose.py."""
    assert make_url(database.app_url).username == APP
    with database.engine.connect() as connection:
        row = connection.exec_driver_sql(
            "SELECT current_user, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication,"
            " pg_has_role(current_user, 'lockstep', 'MEMBER') FROM pg_roles WHERE rolname = current_user"
        ).one()
    assert tuple(row) == ("lockstep_app", False, False, False, False, False, False)
