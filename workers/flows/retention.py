"""Rows of daily work that nobody asks for any more are forgotten; the book, its trail and what is open never are.

Each table is walked in pages, a transaction a page, oldest first, and no further than the first page that is young. A
go that ends before that notes where, and the next one goes on there: old rows that stay are not walked again and again.
What a decision of today still looks at stays whatever its age: the last pushes and targets of each place, the newest
window.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Engine, TextClause, text

from ledger.db import transaction

#: Rows of one page, and pages of one go: the next one goes on.
ROWS: Final = 5000
PAGES: Final = 200
#: So many of a place's newest pushes stay: causes are named by them (`reconcile.pages`).
PUSHES: Final = 36

# In this order: what tells of an incident goes before it. `t` is the row; old is when all of these hold.
_OLD: Final = {
    "alarm": "t.resolved_at < :before",
    "incident": """t.resolved_at < :before
        AND NOT EXISTS (SELECT FROM alert_post AS p WHERE p.incident = t.id)
        AND NOT EXISTS (SELECT FROM alarm AS a WHERE a.incident = t.id)""",
    "push": f"""t.sent_at < :before AND t.outcome <> 'sent'
        AND NOT EXISTS (SELECT FROM push_due AS d WHERE d.push_key = t.push_key AND d.channel = t.channel
                        AND d.sku = t.sku AND d.location = t.location)
        AND EXISTS (SELECT FROM push AS n WHERE n.channel = t.channel AND n.sku = t.sku AND n.location = t.location
                    AND n.id > t.id OFFSET {PUSHES - 1})""",  # noqa: S608 -- composed of constants
    "target_history": """t.set_at < :before
        AND EXISTS (SELECT FROM target_history AS n WHERE n.sku = t.sku AND n.channel = t.channel
                    AND n.location = t.location AND n.number > t.number AND n.set_at < :before)""",
}
_AGE: Final = {
    "alarm": "since",
    "incident": "since",
    "push": "sent_at",
    "target_history": "set_at",
}
_POSTS = text("""
    DELETE FROM alert_post AS p USING incident AS i
    WHERE p.incident = i.id AND i.resolved_at < :before AND i.id > :after
      AND NOT EXISTS (SELECT FROM alert_post AS w WHERE w.incident = i.id AND w.told < w.wanted)
      AND i.id <= (SELECT max(id) FROM (SELECT id FROM incident WHERE id > :after ORDER BY id LIMIT :rows) AS page)
""")
_RUNS = text("""
    DELETE FROM run AS t USING (
        SELECT job, channel, window_at FROM run AS r
        WHERE window_at < :before AND state IN ('done', 'missed', 'failed')
          AND EXISTS (SELECT FROM run AS n WHERE n.job = r.job AND n.channel = r.channel AND n.window_at > r.window_at)
        ORDER BY job, channel, window_at LIMIT :rows FOR UPDATE SKIP LOCKED
    ) AS old
    WHERE t.job = old.job AND t.channel = old.channel AND t.window_at = old.window_at
""")
# Forecasts of a run go with it; the newest one that is done holds for as long as it takes to make another.
_FORECASTS = text("""
    DELETE FROM forecast_run AS r
    WHERE ended_at < :before AND EXISTS (SELECT FROM forecast_run AS n WHERE n.stage = 'done' AND n.id > r.id)
      AND r.id <= (SELECT max(id) FROM (SELECT id FROM forecast_run ORDER BY id LIMIT least(:rows, 10)) AS page)
""")
_TRAILS = text("DELETE FROM trail WHERE at < :before")
_RECEIPTS = text("""
    DELETE FROM receipt AS t USING (
        SELECT channel, receipt FROM receipt WHERE sent_at < :before AND state <> 'waiting' AND settled_at < :before
        ORDER BY channel, receipt LIMIT :rows FOR UPDATE SKIP LOCKED
    ) AS old
    WHERE t.channel = old.channel AND t.receipt = old.receipt
""")

# What addresses outside were told: the messages go before what they told.
_TOLD = text("""
    DELETE FROM hook_post AS t USING (
        SELECT p.hook_id, p.event_id FROM hook_event AS e JOIN hook_post AS p ON p.event_id = e.id
        WHERE e.at < :before AND p.state <> 'due'
        ORDER BY e.at LIMIT :rows FOR UPDATE OF p SKIP LOCKED
    ) AS old
    WHERE t.hook_id = old.hook_id AND t.event_id = old.event_id
""")
_TO_TELL = text("""
    DELETE FROM hook_event AS t USING (
        SELECT id FROM hook_event AS e
        WHERE at < :before AND NOT EXISTS (SELECT FROM hook_post AS p WHERE p.event_id = e.id)
        ORDER BY at LIMIT :rows
    ) AS old
    WHERE t.id = old.id
""")

# By functions of the owner: the application may change no delivery and delete none (`0031_old_deliveries`).
_EMPTIED = text("SELECT last, old, gone FROM empty_deliveries(:after, :before, :rows)")
_DELIVERIES = text("SELECT last, old, gone FROM forget_deliveries(:after, :before, :rows)")

_WALKED = text("SELECT coalesce(max(through), 0) FROM retention_walk WHERE walked = :name")
_NOTE = text("""
    INSERT INTO retention_walk (walked, through) VALUES (:name, :through)
    ON CONFLICT (walked) DO UPDATE SET through = excluded.through
""")
# Deeds keep the name of who did them, and point to their token: one that did something stays.
_TOKENS = text("""
    DELETE FROM token AS t USING (
        SELECT id FROM token AS k
        WHERE least(expires_at, revoked_at) < :before
          AND NOT EXISTS (SELECT FROM deed AS d WHERE d.token_id = k.id)
        ORDER BY id LIMIT :rows FOR UPDATE SKIP LOCKED
    ) AS old
    WHERE t.id = old.id
""")


@dataclass
class Forgotten:
    """What a go forgot: table -> rows. `more` is left to the next one."""

    rows: dict[str, int] = field(default_factory=dict)
    more: bool = False


def forget(engine: Engine, *, before: datetime, rows: int = ROWS, pages: int = PAGES) -> Forgotten:
    """Forget what was over before this moment."""
    done = Forgotten()
    for name, statement in (
        ("run", _RUNS), ("forecast_run", _FORECASTS), ("receipt", _RECEIPTS), ("token", _TOKENS),
        ("hook_post", _TOLD), ("hook_event", _TO_TELL),
    ):  # fmt: skip
        done.rows[name] = 0
        for _ in range(pages):
            with transaction(engine) as connection:
                gone = connection.execute(statement, {"before": before, "rows": rows}).rowcount
            done.rows[name] += gone
            if gone < rows:
                break
        else:
            done.more = True
    done.rows["alert_post"] = 0
    for name in _OLD:
        done.rows[name] = _walk(engine, name, _page_of(name), before, rows, pages, done)
    done.rows["inbox"] = _walk(engine, "inbox", _DELIVERIES, before, rows, pages, done)
    return done


def empty(engine: Engine, *, before: datetime, rows: int = ROWS, pages: int = PAGES) -> Forgotten:
    """Forget what was said in deliveries that were over before this moment; that they came is kept."""
    done = Forgotten()
    done.rows["bodies"] = _walk(engine, "bodies", _EMPTIED, before, rows, pages, done)
    return done


def forget_trails(engine: Engine, *, before: datetime) -> int:
    """Forget spans whose work nobody took up since; returns how many."""
    with transaction(engine) as connection:
        return connection.execute(_TRAILS, {"before": before}).rowcount


def _page_of(name: str) -> TextClause:
    return text(f"""
        WITH page AS MATERIALIZED (
            SELECT id, {_AGE[name]} AS at FROM {name} WHERE id > :after ORDER BY id LIMIT :rows
        ), gone AS (
            DELETE FROM {name} AS t USING page WHERE t.id = page.id AND {_OLD[name]} RETURNING t.id
        )
        SELECT max(page.id) AS last, coalesce(min(page.at) < :before, false) AS old,
               (SELECT count(*) FROM gone) AS gone
        FROM page
    """)  # noqa: S608 -- composed of constants


def _walk(
    engine: Engine,
    name: str,
    page: TextClause,
    before: datetime,
    rows: int,
    pages: int,
    done: Forgotten,
) -> int:
    """Page by page from where the last go ended, or from the oldest row on."""
    with transaction(engine) as connection:
        after = connection.execute(_WALKED, {"name": name}).scalar_one()
    total = 0
    for _ in range(pages):
        values: dict[str, Any] = {"after": after, "before": before, "rows": rows}
        with transaction(engine) as connection:
            if name == "incident":
                done.rows["alert_post"] += connection.execute(_POSTS, values).rowcount
            row = connection.execute(page, values).one()
            connection.execute(_NOTE, {"name": name, "through": row.last if row.old else 0})
        total += int(row.gone)
        if not row.old:
            return total
        after = row.last
    done.more = True
    return total
