"""What is over for long is forgotten in pages; what is open, or still looked at, stays whatever its age."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.reconcile.house import furnish, rows
from tests.servers import FIRST_NOW, Clock, Database
from workers.flows.retention import PUSHES, Forgotten, forget, forget_trails

BEFORE = FIRST_NOW - timedelta(days=400)
OLD, YOUNG = BEFORE - timedelta(days=1), BEFORE + timedelta(days=1)


def put(database: Database, statement: str, **values: object) -> None:
    with database.superuser.begin() as connection:
        connection.execute(text(statement), {"old": OLD, "young": YOUNG} | values)


def go(database: Database, rows: int = 5000) -> Forgotten:
    return forget(database.engine, before=BEFORE, rows=rows)


@pytest.mark.parametrize("page", [2, 5000])
def test_windows_that_ended_go_but_not_the_newest_nor_one_that_is_open(
    database: Database, page: int
) -> None:
    put(
        database,
        "INSERT INTO run (job, channel, window_at, state) SELECT 'reconcile', 'web',"
        " CAST(:old AS timestamptz) - make_interval(mins => 15 * n),"
        " CASE n WHEN 3 THEN 'failed' WHEN 4 THEN 'missed' WHEN 5 THEN 'due' ELSE 'done' END"
        " FROM generate_series(0, 9) n",
    )
    put(
        database,
        "INSERT INTO run (job, channel, window_at, state) VALUES ('truth', 'web', :old, 'done')",
    )

    done = go(database, page)

    assert done.rows["run"] == 8
    left = rows(database.engine, "SELECT job, state FROM run ORDER BY job, window_at")
    assert left == [("reconcile", "due"), ("reconcile", "done"), ("truth", "done")]


def test_alarms_and_incidents_go_with_their_posts_when_they_are_over_and_told(
    database: Database,
) -> None:
    for rule, resolved, told in (("a", OLD, 1), ("b", YOUNG, 1), ("c", None, 1), ("d", OLD, 0)):
        put(
            database,
            "INSERT INTO incident (rule, channel, severity, since, resolved_at)"
            " VALUES (:rule, 'web', 'error', :old, :resolved)",
            rule=rule,
            resolved=resolved,
        )
        put(
            database,
            "INSERT INTO alarm (rule, object, since, last_at, resolved_at, incident)"
            " SELECT rule, 'channel:web', since, since, resolved_at, id FROM incident WHERE rule = :rule",
            rule=rule,
        )
        put(
            database,
            "INSERT INTO alert_post (incident, door, part, wanted, told, run_at)"
            " SELECT id, 'slack', 'root', 1, :told, since FROM incident WHERE rule = :rule",
            rule=rule,
            told=told,
        )

    done = go(database)

    assert (done.rows["alarm"], done.rows["incident"], done.rows["alert_post"]) == (2, 1, 1)
    assert rows(database.engine, "SELECT rule FROM incident ORDER BY 1") == [("b",), ("c",), ("d",)]
    assert rows(database.engine, "SELECT rule FROM alarm ORDER BY 1") == [("b",), ("c",)]


def test_the_last_pushes_and_targets_of_a_place_stay(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"BUSY": 5, "QUIET": 5}, clock=clock)
    for sku, count in (("QUIET", 3), ("BUSY", PUSHES + 10)):
        put(
            database,
            "INSERT INTO push (push_key, channel, sku, location, units, number, sent_at, answered_at, outcome)"
            " SELECT 'k' || n, 'shopify', :sku, 'OSLO', 1, n, :old, :old,"
            "        CASE n WHEN 2 THEN 'sent' ELSE 'confirmed' END FROM generate_series(1, :count) n",
            sku=sku,
            count=count,
        )
        put(
            database,
            "INSERT INTO target_history (channel, sku, location, number, units, rule_version, set_at, terms)"
            " SELECT 'shopify', :sku, 'OSLO', n, 1, 1, CAST(:old AS timestamptz) + make_interval(hours => n), '{}'"
            " FROM generate_series(1, :count) n",
            sku=sku,
            count=count,
        )

    done = go(database, 7)

    # One of the ten was never answered.
    assert done.rows["push"] == 9
    left = "SELECT sku, count(*), min(number) FROM {} GROUP BY sku ORDER BY sku"
    assert rows(database.engine, left.format("push")) == [("BUSY", PUSHES + 1, 2), ("QUIET", 3, 1)]
    # Who asks what was shown at a moment after the line finds it.
    assert rows(database.engine, left.format("target_history")) == [
        ("BUSY", PUSHES + 10 - 22, 23),
        ("QUIET", 1, 3),
    ]


def test_calls_that_were_answered_go_and_those_that_wait_stay(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA": 5}, clock=clock)
    put(
        database,
        "INSERT INTO receipt (channel, receipt, push_key, rows, sent_at, check_at, deadline_at, state, settled_at)"
        " SELECT 'shopify', state || at, 'k', '[]', at, at, at, state, CASE WHEN state <> 'waiting' THEN at END"
        " FROM unnest(ARRAY['waiting', 'answered', 'stuck']) AS state,"
        "      unnest(ARRAY[CAST(:old AS timestamptz), CAST(:young AS timestamptz)]) AS at",
    )

    assert go(database).rows["receipt"] == 2
    left = rows(database.engine, "SELECT state, count(*) FROM receipt GROUP BY 1 ORDER BY 1")
    assert left == [("answered", 1), ("stuck", 1), ("waiting", 2)]


def test_a_second_go_finds_nothing_and_the_book_was_never_touched(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA": 5}, clock=clock)
    for statement in (
        "DELETE FROM event",
        "DELETE FROM posting",
        "DELETE FROM audit",
        "DELETE FROM drift",
    ):
        with (
            pytest.raises(Exception, match="permission denied"),
            database.engine.begin() as connection,
        ):
            connection.execute(text(statement))

    assert set(go(database).rows.values()) == {0}


def test_spans_that_nobody_went_on_from_go_after_a_day(database: Database, clock: Clock) -> None:
    with database.engine.begin() as connection:
        for sku, age in (("OLD", timedelta(days=2)), ("NEW", timedelta(hours=2))):
            connection.execute(
                text(
                    "INSERT INTO trail (step, sku, traceparent, at) VALUES ('allocate', :sku, '', :at)"
                ),
                {"sku": sku, "at": clock.now - age},
            )

    gone = forget_trails(database.engine, before=clock.now - timedelta(days=1))

    with database.engine.connect() as connection:
        left = connection.execute(text("SELECT sku FROM trail")).scalars().all()
    assert (gone, left) == (1, ["NEW"])


def test_a_go_that_ends_early_is_gone_on_with_though_nothing_could_be_forgotten(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"KEPT": 5, "BUSY": 5}, clock=clock)
    for sku, count in (("KEPT", PUSHES), ("BUSY", PUSHES + 4)):
        put(
            database,
            "INSERT INTO push (push_key, channel, sku, location, units, number, sent_at, answered_at, outcome)"
            " SELECT 'k' || n, 'shopify', :sku, 'OSLO', 1, n, :old, :old, 'confirmed'"
            " FROM generate_series(1, :count) n",
            sku=sku,
            count=count,
        )

    def a_page() -> Forgotten:
        return forget(database.engine, before=BEFORE, rows=PUSHES, pages=1)

    goes = [a_page() for _ in range(5)]

    assert [each.rows["push"] for each in goes] == [0, 4, 0, 0, 0], "the first page stays"
    assert [each.more for each in goes] == [True, True, True, False, True], (
        "then from the oldest on again"
    )


def test_tokens_that_ended_long_ago_go_unless_a_deed_names_them(database: Database) -> None:
    for name, expires, revoked in (
        ("over", OLD, None), ("ended", None, OLD), ("did", OLD, None), ("young", YOUNG, None), ("good", None, None)
    ):  # fmt: skip
        put(
            database,
            "INSERT INTO token (name, role, hash, created_at, created_by, expires_at, revoked_at, revoked_by)"
            " VALUES (:name, 'admin', sha256(convert_to(:name, 'UTF8')), CAST(:old AS timestamptz) - interval '1 day',"
            " 'ann', :expires, :revoked, CASE WHEN CAST(:revoked AS timestamptz) IS NULL THEN '' ELSE 'ann' END)",
            name=name,
            expires=expires,
            revoked=revoked,
        )
    put(
        database,
        "INSERT INTO deed (at, actor, role, door, token_id, verb, object)"
        " SELECT now(), 'did', 'admin', 'api', id, 'halt.set', 'halt:*' FROM token WHERE name = 'did'",
    )

    done = go(database, 1)

    assert done.rows["token"] == 2
    left = rows(database.engine, "SELECT name FROM token ORDER BY name")
    assert left == [("did",), ("good",), ("young",)]
