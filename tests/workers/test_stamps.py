"""Every time in the database is decided upon: a clock ahead that is put right takes it back, or it steers nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from sqlalchemy import Connection, text

from tests.servers import Clock, Database
from workers.flows.set_back import take_up
from workers.flows.stamps import MARKS, TIMES

HOUR: Final = timedelta(hours=1)

#: What a clock ahead leaves as it was, by reason.
LEFT: Final[Mapping[str, str]] = {
    "the book is what was written, when it was written": """
        event.occurred_at event.recorded_at posting.occurred_at posting.recorded_at inbox.received_at
        inbox.settled_at seal.sealed_at audit.at count_mark.counted_at count_variance.counted_at
        """,
    "it is told, and nobody waits for it or compares it": """
        alarm.resolved_at alert_door.shut_since alert_door.told_at amazon_report.data_from case_step.done_at
        certificate.begun_at certificate.finished_at
        deed.at deed_end.at drift.resolved_at drift.window_at edi_document.acked_at edi_document.made_at
        edi_interchange.made_at edi_interchange.sent_at edi_sscc.made_at edi_availability.known_at
        edi_availability.said_at failure.settled_at fba_change.explained_at fba_health.read_at fba_mirror.off_since
        fba_mirror.off_window fba_reading.read_at fba_row.seen_at fba_row.settled_at
        fba_size.read_at fba_standing.stood_at fba_standing.removal_since fba_standing.send_since
        fba_stranded.read_at fba_stranded.since fba_stranded.gone_at forecast_run.began_at forecast_run.ended_at
        forecast_run.moved_at halt.lifted_at halt_hold.ended_at halt_scope.ended_at halt_scope.lifted_at
        hidden.hidden_at hook.created_at hook.removed_at hook.stopped_at hook.told_at hook_event.at hook_post.told_at
        incident.acked_at incident.resolved_at incident.since location.created_at offer_share.at offer_share.seen_at
        operation.created_at operation.ended_at operation.started_at oversold_case.chosen_at oversold_case.closed_at
        oversold_case.covered_at program.ended_at program.made_at pull_forward.since quarantine.released_at
        quarantine.since queue_pause.paused_at receipt.settled_at review.made_at
        rule_set.applied_at push.due_since second_look.window_at shrunk.since sold.since sku.created_at
        snapshot.changed_at suggestion_dismissed.dismissed_at target_history.set_at token.created_at
        token.last_used_at token.revoked_at trail.at mcf_order.seen_at mcf_fact.made_at fba_change.from_at
        fba_change.to_at
        """,
    "a vendor, a partner or a sender says when": """
        edi_order.ordered_at edi_order.revision fba_mirror.opened_at fba_reading.as_of fba_row.at
        fba_stranded.auto_removal_at mcf_order.received_at mcf_order.status_at mcf_order.updated_at
        mcf_shipped.shipped_at
        order_line.revision oversold_case.accepted_at second_look.updated_at supply_line.due_at supply_line.revision
        pull_forward.revision
        """,
    "a person says when, or until when": """
        buy_terms.set_at debt_owner.set_at fba_capacity.set_at halt.until_at halt_scope.until_at ipi_score.set_at
        program.since program.until program_step.at silence.until sku_size.set_at sku_worth.set_at token.expires_at
        """,
    "it is part of a key: taken back, two might be one": "count_order.since login_failure.window_at",
    "its wait is of days, or of an hour at most": """
        count_order.ordered_at count_order.sound_at count_order.withdrawn_at edi_document.due_at
        shrunk.added_up_at sold.added_up_at pull_forward.due_at
        """,
    "its own statement passes over a time of the future": "alert_look.looked_at",
    "it is taken back by itself: windows, seasons, the sweep's own note": """
        run.window_at rule_turn.at clock_mark.newest clock_mark.looked_at clock_mark.put_back_at
        """,
}

_COLUMNS = text("""
    SELECT c.table_name AS name, c.column_name AS column, c.data_type AS type,
           c.is_nullable = 'NO' AND c.column_default IS NULL AND c.is_identity = 'NO' AS needed
    FROM information_schema.columns AS c JOIN information_schema.tables AS t USING (table_schema, table_name)
    WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.is_generated = 'NEVER'
    ORDER BY c.table_name, c.ordinal_position
""")
_CHECKS = text("""
    SELECT conrelid::regclass::text AS name, pg_get_constraintdef(oid) AS says FROM pg_constraint
    WHERE contype = 'c' AND connamespace = 'public'::regnamespace
""")
_A_WORD = re.compile(r"\((\w+) = ANY \(ARRAY\['([\w.]+)'::text")

#: A value of each type.
_VALUES: Final[Mapping[str, object]] = {
    "bigint": 1,
    "integer": 1,
    "smallint": 1,
    "numeric": 1,
    "double precision": 1.0,
    "text": "x",
    "boolean": True,
    "uuid": "00000000-0000-7000-8000-000000000001",
    "jsonb": "{}",
    "ARRAY": "{}",
    "date": "2026-03-02",
    "bytea": b"x",
}


def decided() -> set[str]:
    taken = {f"{table}.{time}" for table, times in TIMES.items() for time in times.all}
    return taken | {f"{table}.{time}" for table, time in MARKS.items()}


#: What no word or number of this kind would do for.
_ODD: Final[Mapping[tuple[str, str], object]] = {
    ("hook", "kinds"): "{test}",
    ("hook", "proof"): bytes(32),
    ("hook", "salt"): bytes(32),
    ("hook", "url"): "https://shop.example",
    ("program", "until"): "2030-01-01T00:00Z",
    ("silence", "until"): "2030-01-01T00:00Z",
}


class Rows:
    """Makes a row of any table, with nothing that it refers to."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self.columns = connection.execute(_COLUMNS).all()
        self._words: dict[tuple[str, str], str] = {}
        for check in connection.execute(_CHECKS):
            for column, word in _A_WORD.findall(check.says):
                self._words.setdefault((check.name, column), word)

    @property
    def times(self) -> set[str]:
        return {
            f"{c.name}.{c.column}" for c in self.columns if c.type == "timestamp with time zone"
        }

    def make(self, table: str) -> None:
        row = {
            c.column: self._value(table, c.column, c.type)
            for c in self.columns
            if c.name == table and c.needed
        }
        listed, given = ", ".join(row), ", ".join(f":{column}" for column in row)
        self.run(f"INSERT INTO {table} ({listed}) VALUES ({given})", **row)  # noqa: S608

    def _value(self, table: str, column: str, type_: str) -> object:
        value = _ODD.get((table, column)) or self._words.get((table, column))
        return value or _VALUES.get(type_, self._now)

    def set(self, table: str, column: str, at: datetime) -> None:
        self.run(f"UPDATE {table} SET {column} = :at", at=at)  # noqa: S608

    def get(self, table: str, column: str) -> datetime:
        found: datetime = self._connection.execute(
            text(f"SELECT {column} FROM {table}")  # noqa: S608
        ).scalar_one()
        return found

    def count(self, table: str) -> int:
        found: int = self._connection.execute(
            text(f"SELECT count(*) FROM {table}")  # noqa: S608
        ).scalar_one()
        return found

    def run(self, statement: str, **values: Any) -> None:
        self._connection.execute(text(statement), values)


@pytest.fixture
def rows(database: Database, clock: Clock) -> Iterator[Rows]:
    with database.superuser.connect() as connection:
        auto = connection.execution_options(isolation_level="AUTOCOMMIT")
        # No trigger fires and no key is looked up: a row of any table stands alone.
        auto.exec_driver_sql("SET session_replication_role = replica")
        yield Rows(auto, clock.now)
        auto.exec_driver_sql("SET session_replication_role = origin")


def test_every_time_is_taken_back_or_steers_nothing(rows: Rows) -> None:
    left = [name for said in LEFT.values() for name in said.split()]

    assert len(left) == len(set(left))
    assert decided().isdisjoint(left)
    assert decided() | set(left) == rows.times


def test_what_a_clock_ahead_wrote_is_taken_back_table_by_table(
    rows: Rows, database: Database, clock: Clock
) -> None:
    late = clock.now + HOUR
    for table in sorted(TIMES.keys() | MARKS.keys()):
        rows.make(table)
    for name in sorted(decided()):
        table, time = name.split(".")
        rows.set(table, time, late)

    ahead = take_up(database.engine, now=clock.now)

    assert ahead == HOUR
    goes = {table for table, times in TIMES.items() if times.goes}
    stays = [c.split(".") for c in sorted(decided()) if c.split(".")[0] not in goes]
    assert [c for c in stays if rows.get(*c) > clock.now] == []
    assert [table for table in sorted(goes) if rows.count(table)] == []


def test_what_waits_is_taken_back_and_is_due_now_at_the_earliest(
    rows: Rows, database: Database, clock: Clock
) -> None:
    awaited = [(table, time) for table, times in TIMES.items() for time in times.awaited]
    rows.make("heartbeat")
    rows.set("heartbeat", "seen_at", clock.now + HOUR)
    for table in sorted({table for table, _ in awaited}):
        rows.make(table)
    for table, time in awaited:
        rows.set(table, time, clock.now + timedelta(minutes=90))

    take_up(database.engine, now=clock.now)

    half = clock.now + timedelta(minutes=30)
    assert [of for of in awaited if rows.get(*of) != half] == []

    rows.set("heartbeat", "seen_at", clock.now + HOUR)
    take_up(database.engine, now=clock.now)

    assert [of for of in awaited if rows.get(*of) != clock.now] == []


def test_each_of_what_is_written_betrays_a_clock_that_was_ahead(
    rows: Rows, database: Database, clock: Clock
) -> None:
    written = [(table, time) for table, times in TIMES.items() for time in times.written]
    written += list(MARKS.items())
    for table in sorted({table for table, _ in written}):
        rows.make(table)
    assert take_up(database.engine, now=clock.now) == timedelta(0)

    unseen = []
    for table, time in written:
        clock.advance(15 * 60)
        rows.set(table, time, clock.now + HOUR)
        if take_up(database.engine, now=clock.now) != HOUR:
            unseen.append((table, time))

    assert unseen == []


def test_tables_that_are_looked_through_by_a_right_clock_stay_as_they_are(
    rows: Rows, database: Database, clock: Clock
) -> None:
    awaited = [(table, time) for table, times in TIMES.items() for time in times.awaited]
    later = clock.now + HOUR
    for table in sorted({table for table, _ in awaited}):
        rows.make(table)
    for table, time in awaited:
        rows.set(table, time, later)

    assert take_up(database.engine, now=clock.now) == timedelta(0)

    assert [of for of in awaited if rows.get(*of) != later] == []
