"""A review, put together: questions asked, weeks laid side by side, a few sentences drawn from them; and as a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from sqlalchemy import Connection, Engine, text

from allocation.fit import Fit
from allocation.planning import afterwards, afterwards_store
from console.pages import words
from console.review import plots, store, suggestions
from console.views.plain import dumps
from ledger.db import transaction
from reconcile import count_reports, debt
from reconcile.completeness import completeness
from workers.flows import fit

_WEEK: Final = timedelta(days=7)
#: Debts that are named one by one.
_MOST: Final = 15
#: From which share of read-backs on a channel is called brittle: the objective of drift.
BRITTLE: Final = 0.001


class NoSpan(ValueError):
    """The days asked for are no span; the message says why."""


def quarter_of(day: date) -> tuple[date, date]:
    """The 90 days that end with the day before this one."""
    return day - timedelta(days=90), day


def make(
    engine: Engine,
    since: date,
    until: date,
    *,
    by: str,
    now: Callable[[], datetime],
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Ask everything of [since, until), keep what came of it, and return it.

    raises    NoSpan: it ends before it begins
    """
    if until <= since:
        raise NoSpan(f"{since} to {until} is no span: the first day must come before the last")
    first, end = (datetime.combine(day, time(), UTC) for day in (since, until))
    begun = now()
    found: dict[str, Any] = {"since": since, "until": until, "made_at": begun, "made_by": by}
    with transaction(engine) as connection:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        connection.execute(text("SET LOCAL statement_timeout = '5min'"))
        for name in store.QUESTIONS:
            say(f"{name} ...")
            found[name] = store.asked(connection, name, first, end, begun)
        say("shrinkage, debt, completeness, forecast ...")
        found |= _rest(connection, first, end, begun)
    say("allocation ...")
    looked = fit.look(engine, now=min(end, begun), weeks=max(1, (until - since).days // 7))
    found["fit_version"] = looked.version
    found["fit"] = [_fit(each, looked.flagged) for each in looked.fits]
    plain: dict[str, Any] = json.loads(dumps(found))
    plain["weeks"] = _weeks(plain, since, until)
    plain["sentences"] = list(sentences(plain))
    plain["took_s"] = round((now() - begun).total_seconds(), 1)
    with transaction(engine) as connection:
        store.keep(connection, since, until, plain, by=by, now=now())
    return plain


def _rest(
    connection: Connection, since: datetime, until: datetime, now: datetime
) -> dict[str, Any]:
    debts = debt.debts(connection, now=now, since=since, channel=None, limit=_MOST)
    return {
        "shrinkage": [asdict(row) for row in count_reports.shrunk(connection, since, until, None)],
        "owed": store.owed(connection),
        "suggestions": suggestions.counted(connection, since, until),
        "ignored": suggestions.standing(connection, now, before=until, most=_MOST),
        "debts": [asdict(row) for row in debts],
        "complete": [
            asdict(row) | {"percent": row.percent} for row in completeness(connection, since)
        ],
        "forecast": store.forecast_error(connection),
        "foreseen": _foreseen(connection, since.date(), until.date()),
    }


def _foreseen(connection: Connection, since: date, until: date) -> dict[str, Any]:
    """Forecasts that were made before, against what came in these days."""
    runs = afterwards_store.earlier(connection, since, until)
    kept = (each for run in runs for each in afterwards_store.kept(connection, run))
    rows = afterwards.foreseen(kept, since, until)
    return {"runs": [asdict(run) for run in runs], "rows": [asdict(row) for row in rows]}


def _fit(each: Fit, flagged: Mapping[str, datetime | None]) -> dict[str, Any]:
    return {
        "channel": each.channel,
        "weight": None if each.weight is None else f"{each.weight.normalize():f}",
        "suggested": None if each.suggested is None else f"{each.suggested.normalize():f}",
        "demand_points": each.demand_points,
        "stock_points": each.stock_points,
        "starved_minutes": each.starved_minutes,
        "regret": each.regret,
        "sold": each.sold,
        "flagged": each.channel in flagged,
    }


def _weeks(found: Mapping[str, Any], since: date, until: date) -> dict[str, Any]:
    """Drifts and times to sync of each channel, week by week; a week without drifts has 0, one without pushes none."""
    first = since - timedelta(days=since.weekday())
    steps = [(first + n * _WEEK).isoformat() for n in range(((until - first).days + 6) // 7)]
    named = [row["channel"] for row in found["channels"]]
    drift = _side_by_side(found["drift_weeks"], steps, "drifts")
    sync = _side_by_side(found["sync_weeks"], steps, "p95_s")
    return {
        "steps": steps,
        "drift": {
            name: [value or 0 for value in drift.get(name, [0] * len(steps))] for name in named
        },
        "sync": {name: sync[name] for name in named if name in sync},
    }


def _side_by_side(
    rows: Iterable[Mapping[str, Any]], steps: Sequence[str], of: str
) -> dict[str, list[Any]]:
    places = {step: place for place, step in enumerate(steps)}
    found: dict[str, list[Any]] = {}
    for row in rows:
        if row["week"] in places:
            found.setdefault(row["channel"], [None] * len(steps))[places[row["week"]]] = row[of]
    return found


def sentences(found: Mapping[str, Any]) -> Iterable[str]:
    """What somebody reads first, drawn from the figures below."""
    yield _drifting(found["channels"])
    hours = sum(row["hours"] for row in found["halts"])
    lost = sum(row["lost_money"] or 0 for row in found["halts"])
    if hours:
        yield (
            f"Halts stood for {hours:,.0f} SKU-hours; at today's pace and prices that is {lost:,.0f} not sold."
        )
    shrunk = sum(float(row["cost"] or 0) for row in found["shrinkage"])
    if found["shrinkage"]:
        yield f"Shrinkage came to {shrunk:,.0f} at cost."
    flagged = [row["channel"] for row in found["fit"] if row["flagged"]]
    if flagged:
        yield f"Demand has left the weight of {', '.join(flagged)}: see what is suggested below."
    ignored = [row for row in found.get("suggestions", ()) if row["ignored"]]
    if ignored:
        many = sum(row["ignored"] for row in ignored)
        oldest = min(row["oldest_at"] for row in ignored)[:10]
        were = "suggestion was" if many == 1 else "suggestions were"
        yield f"{many:,} {were} neither followed nor dismissed, the oldest since {oldest}."
    for row in found.get("foreseen", {}).get("rows", ())[:1]:
        yield _how_foreseen(row)
    undone = [row for row in found["owed"] if row["how_many"]]
    if undone:
        yield f"{len(undone)} kinds of work are left undone."


def _how_foreseen(row: Mapping[str, Any]) -> str:
    """Of all forecasts that were held against what came."""
    off, reached = row["units_off"], row["reached"]
    units = (
        "no units came"
        if off is None
        else f"{abs(off):.0%} {'more' if off > 0 else 'fewer'} units came"
    )
    enough = "" if reached is None else f"; what was to be enough in 95 % was in {reached:.0%}"
    return f"Of {row['places']:,} places {units} than were forecast before{enough}."


def _drifting(channels: Sequence[Mapping[str, Any]]) -> str:
    brittle = [row for row in channels if (row["drift_rate"] or 0) > BRITTLE]
    if brittle:
        worst = brittle[0]
        return (
            f"{len(brittle)} of {len(channels)} channels drift in more than 0.1 % of read-backs; the worst is"
            f" {worst['channel']} with {100 * worst['drift_rate']:.2f} %."
        )
    if any(row["read"] for row in channels):
        return "No channel drifts in more than 0.1 % of its read-backs."
    return "No channel was read back in these days."


def plotted(found: Mapping[str, Any]) -> dict[str, Any]:
    """The plots of a review, by name."""
    weeks = found["weeks"]
    steps = [step[5:] for step in weeks["steps"]]
    shrunk: dict[str, float] = {}
    for row in found["shrinkage"]:
        name = f"{row['location']}: {row['reason']}"
        shrunk[name] = shrunk.get(name, 0.0) + float(row["lost"]) - float(row["found"])
    largest = sorted(shrunk.items(), key=lambda item: -abs(item[1]))[:_MOST]
    return {
        "rate": plots.bars(
            "Drift rate by channel, percent of read-backs",
            [(row["channel"], 100 * (row["drift_rate"] or 0)) for row in found["channels"]],
            " %",
        ),
        "drift": plots.lines("Drifts by week", steps, weeks["drift"]),
        "sync": plots.lines("Time to sync by week, p95", steps, weeks["sync"], " s"),
        "shrinkage": plots.bars("Units lost less found, by location and reason", largest),
        "halts": plots.bars(
            "SKU-hours halted",
            [(f"{row['channel']}, {row['by']}", row["hours"]) for row in found["halts"]],
            " h",
        ),
        "fit": plots.bars(
            "Units that were wanted and not shown, by channel (regret, estimated)",
            [(row["channel"], row["regret"] or 0.0) for row in found["fit"]],
        ),
    }


def page(found: Mapping[str, Any], env: str) -> str:
    """A review as one HTML file that needs nothing beside it."""
    templates = Environment(
        loader=PackageLoader("console.pages"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(words.FILTERS)
    templates.globals.update(span=words.span)
    return templates.get_template("review_file.html").render(
        r=found, plots=plotted(found), env_name=env
    )
