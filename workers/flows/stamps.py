"""Every time that somebody waits for, or compares with others: what a clock that was ahead may have written wrong.

A time that is not here is only told (of an event, a drift that is over, a decision), is a vendor's or a sender's, is
what a person asked for ("until Friday"), or its wait is of days, to which an hour is nothing.
`tests/workers/test_stamps.py` names each of those: a new column is decided upon there or here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import TextClause, text


@dataclass(frozen=True, slots=True)
class Times:
    """The times of one table.

    written   when the house did something, by its clock: one of the future was written by a clock ahead
    dated     the same, but of no evidence: others' clocks have a part in it, or there are many and others tell
    awaited   when something is to be done
    ends      a time of the future, and the written one that it is counted from
    only      which rows count, as SQL; "" all
    goes      whether a row that such a clock wrote goes, for it is worth nothing without its moment to the second
    """

    written: tuple[str, ...] = ()
    dated: tuple[str, ...] = ()
    awaited: tuple[str, ...] = ()
    ends: tuple[tuple[str, str], ...] = ()
    only: str = ""
    goes: bool = False

    @property
    def all(self) -> tuple[str, ...]:
        """Every column."""
        return (*self.written, *self.dated, *self.awaited, *(end for end, _ in self.ends))


#: Table -> its times. Columns that are part of a key are not among them: taken back, two might be one.
TIMES: Final[Mapping[str, Times]] = {
    "alarm": Times(written=("since", "last_at", "calm_since"), only="resolved_at IS NULL"),
    "alert_door": Times(awaited=("next_at",)),
    "alert_post": Times(written=("told_at", "doubtful_since"), awaited=("run_at", "leased_until")),
    "amazon_report": Times(written=("asked_at", "finished_at")),
    "bulk_read": Times(written=("begun_at",)),
    "case_step": Times(written=("begun_at",), awaited=("run_at", "leased_until")),
    "channel": Times(
        written=("away_since", "back_at"),
        awaited=("next_call_at", "orders_asked_at", "orders_asked_last"),
    ),
    "clock_off": Times(written=("seen_at",)),
    "count_look": Times(written=("looked_at", "tiers_at")),
    "count_tier": Times(dated=("since", "lower_since")),
    "drift": Times(
        written=("seen_at", "last_at"), awaited=("look_again_at",), only="resolved_at IS NULL"
    ),
    "due": Times(written=("since",)),
    "early_plan": Times(written=("planned_at",), awaited=("not_before",)),
    "early_read": Times(written=("read_at",), awaited=("due_at", "leased_until")),
    "edi_mailbox": Times(written=("seen_at",), awaited=("next_at", "leased_until")),
    "exposure": Times(written=("since",), awaited=("look_at",)),
    "failure": Times(
        written=("first_seen", "last_seen", "retried_at"), only="state IN ('open', 'retrying')"
    ),
    "fit_look": Times(written=("looked_at",)),
    "halt": Times(written=("set_at", "confirmed_at"), awaited=("run_at", "call_at")),
    "halt_scope": Times(written=("set_at", "filled_at")),
    "heartbeat": Times(written=("seen_at",)),
    "hook": Times(awaited=("next_at",)),
    "hook_post": Times(awaited=("run_at", "leased_until")),
    "lag": Times(written=("measured_at",)),
    "operation": Times(awaited=("leased_until",)),
    "oversold_case": Times(written=("found_at", "looked_at"), only="state <> 'closed'"),
    # Sales are dated by vendors.
    "pace": Times(dated=("at", "since")),
    "program": Times(written=("looked_at",)),
    # There are many calls; only the newest can be of such a clock.
    "push": Times(
        written=("sent_at", "answered_at", "seen_at"),
        only="id > (SELECT max(id) - 50000 FROM push)",
    ),
    "push_due": Times(written=("since",), awaited=("run_at", "leased_until")),
    "receipt": Times(
        written=("sent_at",), awaited=("check_at",), ends=(("deadline_at", "sent_at"),)
    ),
    "reorder_level": Times(dated=("low_since",), awaited=("look_at",)),
    "run": Times(written=("started_at", "finished_at"), awaited=("leased_until",)),
    # Taken back it could be later than a call that came after it: how far the clock was ahead is known at least only.
    "second_look": Times(
        written=("observed_at",),
        awaited=("due_at",),
        ends=(("until_at", "observed_at"),),
        goes=True,
    ),
    "shown": Times(written=("confirmed_at", "read_at", "missing_at"), awaited=("verify_at",)),
    "silence": Times(written=("since",)),
    "tally_mark": Times(written=("through",)),
    "target": Times(written=("set_at",)),
    "trial": Times(written=("begun_at",)),
    "velocity_tier": Times(dated=("since", "lower_since")),
}

#: Table -> a time up to which something was read: it is read again from a while before.
MARKS: Final[Mapping[str, str]] = {
    "amazon_mark": "at",
    "case_look": "looked_at",
    "channel": "orders_mark",
}

#: What such a clock writes first, each found by an index or among a few rows. Windows of the future are of it, too.
NEWEST: Final = text("""
    SELECT greatest(
        (SELECT max(answered_at) FROM (SELECT answered_at FROM push ORDER BY id DESC LIMIT 50) AS calls),
        (SELECT max(set_at) FROM (SELECT set_at FROM halt ORDER BY id DESC LIMIT 50) AS halts),
        (SELECT max(waiting.since) FROM channel AS c CROSS JOIN LATERAL (
            SELECT since FROM push_due WHERE channel = c.channel AND NOT parked ORDER BY since DESC LIMIT 1
         ) AS waiting),
        (SELECT max(since) FROM due),
        (SELECT max(window_at) FROM run WHERE job = 'reconcile'),
        (SELECT greatest(max(orders_mark), max(away_since), max(back_at)) FROM channel),
        (SELECT max(planned_at) FROM early_plan),
        (SELECT max(measured_at) FROM lag),
        (SELECT max(seen_at) FROM heartbeat)) AS newest
""")


def newest_of_all() -> TextClause:
    """The latest of all that was written, table by table: it reads every one of them."""
    each = [
        f"SELECT {_latest(times.written)} AS at FROM {table}{_where(times.only)}"  # noqa: S608 -- constants
        for table, times in TIMES.items()
        if times.written
    ]
    each += [f"SELECT max({time}) FROM {table}" for table, time in MARKS.items()]  # noqa: S608 -- constants
    return text(f"SELECT max(at) FROM ({' UNION ALL '.join(each)}) AS latest")  # noqa: S608


def put_back() -> Iterator[TextClause]:
    """Take every such time back by `ahead`, a table a statement: what was done lies before `now`, what waits not.

    So each has the distance from the others that it had; what is dated by others becomes `now`.

    Values: now, from (what is later is of the future), ahead
    """
    for table, times in TIMES.items():
        if times.goes:
            written = " OR ".join(f"{time} > :from" for time in times.written)
            yield text(f"DELETE FROM {table} WHERE {written}")  # noqa: S608 -- constants
        put = [
            _put(time, f"least({time} - CAST(:ahead AS interval), {_NOW})")
            for time in times.written
        ]
        put += [
            _put(time, f"greatest({time} - CAST(:ahead AS interval), {_NOW})")
            for time in times.awaited
        ]
        put += [
            f"{end} = CASE WHEN {begun} > :from THEN {end} - CAST(:ahead AS interval) ELSE {end} END"
            for end, begun in times.ends
        ]
        put += [f"{time} = least({time}, {_NOW})" for time in times.dated]
        late = " OR ".join(
            f"{time} > :from" for time in (*times.written, *times.dated, *times.awaited)
        )
        only = f"({late})" + (f" AND {times.only}" if times.only else "")
        yield text(f"UPDATE {table} SET {', '.join(put)}{_where(only)}")  # noqa: S608 -- constants


def put_marks_back() -> Iterator[TextClause]:
    """Read again what was read up to a time of the future, and a while before. Values: those of `put_back`, again."""
    for table, time in MARKS.items():
        back = f"least({time} - CAST(:ahead AS interval), {_NOW}) - CAST(:again AS interval)"
        yield text(f"UPDATE {table} SET {time} = {back} WHERE {time} > :from")  # noqa: S608 -- constants


_NOW: Final = "CAST(:now AS timestamptz)"


def _put(time: str, back: str) -> str:
    return f"{time} = CASE WHEN {time} > :from THEN {back} ELSE {time} END"


def _latest(times: tuple[str, ...]) -> str:
    return f"greatest({', '.join(f'max({time})' for time in times)})"


def _where(only: str) -> str:
    return f" WHERE {only}" if only else ""
