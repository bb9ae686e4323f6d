"""Alerts: what is told, to whom, and how to make it quiet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import click

from console.cli.acting import said_by
from console.cli.common import as_json, by, emit, house, reason, tell
from console.cli.elsewhere import as_told, asked, done, elsewhere, listed, trying
from console.verbs import alerts as verbs
from console.views import alerts as views
from console.views.alerts import ALARMS, INCIDENTS
from ledger.db import transaction
from workers.alerts import keeping
from workers.wiring import now

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@click.group()
def alert() -> None:
    """What is told: list, doors, test, silence, ack."""


@alert.command("list")
@click.option("--all", "all_", is_flag=True, help="Those that are over too.")
@click.option("--alarms", "each", is_flag=True, help="Every alarm, not the incidents they form.")
@click.option("--rule", default=None, help="Only this rule.")
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(1, 10_000), help="Rows at most."
)
@as_json
def list_(all_: bool, each: bool, rule: str | None, limit: int, as_json: bool) -> None:
    """Incidents as they are told, newest first. 3: some are open."""
    if each:
        list_alarms(rule, as_json=as_json)
        return
    said = {"all": all_, "rule": rule, "channel": None}
    found = listed(INCIDENTS, "/incidents", said, limit=limit)
    if as_json:
        emit([row["content"] for row in found], as_json=True)
    else:
        emit(
            [
                {**row, "id": f"inc-{row['id']}", **_told(row["content"]), "by": row["acked_by"]}
                for row in found
            ],
            as_json=False,
            table=("id", "severity", "rule", "channel", "status", "since", "alarms", "by", "worst"),
        )
    if any(row["resolved_at"] is None for row in found):
        raise SystemExit(3)


def _told(content: dict[str, object]) -> dict[str, object]:
    lines = content.get("lines")
    return {
        "status": content.get("status"),
        "alarms": content.get("count"),
        "worst": lines[0] if isinstance(lines, list) and lines else "",
    }


def list_alarms(rule: str | None, *, as_json: bool) -> None:
    """Print every alarm that is on, oldest first; exit code 3 when there are some."""
    found = listed(ALARMS, "/alarms", {"rule": rule})
    if as_json:
        emit(found, as_json=True)
    else:
        emit(
            [each | {"detail": _said(each["detail"])} for each in found],
            as_json=False,
            table=("rule", "object", "since", "last_at", "detail"),
        )
    if found:
        raise SystemExit(3)


def _said(detail: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in detail.items())


@alert.command()
@as_json
def doors(as_json: bool) -> None:
    """Where alerts are told, what waits for each door, and why one is shut. 4: one is shut."""
    rows = asked(
        "/alerts/doors",
        lambda wiring, book: views.doors(book, {door.name for door in wiring.doors}),
    )
    emit(rows, as_json=as_json)
    if any(row["set_up"] and row["why"] for row in rows):
        raise SystemExit(4)


@alert.command()
@as_json
@said_by
def test(as_json: bool) -> None:
    """Tell every door something harmless, and that it is over; say what came back. 4: a door did not take it."""
    rows = done(
        "alert.test",
        "/alerts/test",
        {},
        lambda wiring: verbs.try_doors(
            wiring.engine, wiring.doors, env=wiring.settings.env, now=now
        ),
    )
    emit(rows, as_json=as_json)
    if not all(row["took_it"] for row in rows):
        raise SystemExit(4)


@alert.command()
@click.argument("rule")
@click.option("--channel", default="", help="Only incidents of this channel.")
@click.option("--for", "span", metavar="2h", help="How long: 30m, 2h or 1d.")
@click.option("--end", is_flag=True, help="Let it speak again.")
@trying
@by
@reason
@as_json
def silence(
    rule: str,
    channel: str,
    span: str | None,
    end: bool,
    dry_run: bool,
    by: str,
    reason: str,
    as_json: bool,
) -> None:
    """Tell nothing new of a rule for a while; what is told already goes on, what is still so then is told then."""
    if end == (span is not None):
        raise click.UsageError("say how long (--for 2h), or --end")
    said = {"rule": rule, "channel": channel, "reason": reason}
    who: dict[str, Any] = {"by": by, "reason": reason, "now": now()}
    if end:
        told = done(
            "alert.silence",
            "/silences/end",
            said,
            lambda wiring: verbs.end_silence(wiring.engine, rule, channel, **who),
            dry_run=dry_run,
        )
        tell(told, f"{told['ended']} silences ended", as_json=as_json)
        return
    for_s = round(_seconds(span or ""))
    told = done(
        "alert.silence",
        "/silences",
        said | {"for_s": for_s},
        lambda wiring: verbs.silence(wiring.engine, rule, channel, for_s, **who),
        dry_run=dry_run,
    )
    tell(told, f"{rule} is silent until {told['until']:%Y-%m-%d %H:%M} UTC", as_json=as_json)


@alert.command()
@as_json
def silences(as_json: bool) -> None:
    """Rules that are silent, with who said so and why."""
    if there := elsewhere():
        found = there.rows("/silences")
    else:
        with house() as wiring, transaction(wiring.engine) as connection:
            found = as_told(list(keeping.silences(connection, now())))
    emit(found, as_json=as_json)


@alert.command()
@click.argument("incident")
@trying
@by
@as_json
def ack(incident: str, dry_run: bool, by: str, as_json: bool) -> None:
    """Say that you work on an incident; every door that knows of it is told."""
    number = incident.removeprefix("inc-")
    if not number.isdigit():
        raise click.BadParameter(
            f"{incident!r} is no incident; write inc-12", param_hint="INCIDENT"
        )
    told = done(
        "alert.ack",
        f"/incidents/{number}/ack",
        {},
        lambda wiring: verbs.ack(wiring.engine, int(number), by=by, now=now()),
        dry_run=dry_run,
    )
    tell(told, f"inc-{number} is {told['acked_by']}'s", as_json=as_json)


def _seconds(span: str) -> float:
    match = re.fullmatch(r"([1-9]\d{0,3})([mhd])", span)
    if match is None:
        raise click.BadParameter(f"{span!r} is no time; write 30m, 2h or 1d", param_hint="--for")
    return timedelta(**{_UNITS[match[2]]: int(match[1])}).total_seconds()
