"""Alerts: what is told, to whom, and how to make it quiet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

import click
from sqlalchemy import text

from console.cli.acting import acting, said_by
from console.cli.common import Failed, as_json, by, emit, house, reason
from console.cli.elsewhere import elsewhere, listed
from console.views.alerts import ALARMS, INCIDENTS
from ledger.db import transaction
from workers.alerts import keeping, outbox
from workers.alerts.rules import RULES
from workers.alerts.types import Answer, Told
from workers.flows import alerts
from workers.wiring import now

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

_WAITING = text("""
    SELECT door, count(*) AS waiting, min(run_at) AS since FROM alert_post WHERE told < wanted GROUP BY door
""")


@click.group()
def alert() -> None:
    """What is told: list, doors, test, silence, ack."""


@alert.command("list")
@click.option("--all", "all_", is_flag=True, help="Those that are over too.")
@click.option("--alarms", "each", is_flag=True, help="Every alarm, not the incidents they form.")
@click.option("--rule", default=None, help="Only this rule.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
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
    with house() as wiring, transaction(wiring.engine) as connection:
        configured = {door.name for door in wiring.doors}
        known = {row["door"]: row for row in outbox.doors(connection)}
        waiting = {row.door: row.waiting for row in connection.execute(_WAITING)}
    rows = [
        {
            "door": name,
            "set_up": name in configured,
            "waiting": waiting.get(name, 0),
            "told_at": known.get(name, {}).get("told_at"),
            "shut_since": known.get(name, {}).get("shut_since"),
            "why": known.get(name, {}).get("shut_why", ""),
        }
        for name in sorted(configured | set(known))
    ]
    emit(rows, as_json=as_json)
    if any(row["set_up"] and row["why"] for row in rows):
        raise SystemExit(4)


@alert.command()
@as_json
@said_by
def test(as_json: bool) -> None:
    """Tell every door something harmless, and that it is over; say what came back. 4: a door did not take it."""
    with acting("alert.test") as wiring:
        if not wiring.doors:
            raise Failed(
                "no door is set up: set LOCKSTEP_ALERT_SLACK_TOKEN and LOCKSTEP_ALERT_SLACK_CHANNEL,"
                " LOCKSTEP_ALERT_PAGERDUTY_KEY or LOCKSTEP_ALERT_WEBHOOK_URL"
            )
        came = alerts.test_doors(wiring.engine, wiring.doors, env=wiring.settings.env, now=now)
    rows = [
        {"door": door, "step": step, "took_it": isinstance(each, Told), "answer": _words(each)}
        for door, answers in came.items()
        for step, each in zip(("told", "over"), answers, strict=False)
    ]
    emit(rows, as_json=as_json)
    if not all(row["took_it"] for row in rows):
        raise SystemExit(4)


def _words(answer: Answer) -> str:
    if isinstance(answer, Told):
        return answer.place
    after_s = getattr(answer, "after_s", None)
    if after_s is not None:
        return f"asks to be left alone for {after_s:.0f} s"
    return str(getattr(answer, "why", "what should be edited is gone"))


@alert.command()
@click.argument("rule")
@click.option("--channel", default="", help="Only incidents of this channel.")
@click.option("--for", "span", metavar="2h", help="How long: 30m, 2h or 1d.")
@click.option("--end", is_flag=True, help="Let it speak again.")
@by
@reason
def silence(rule: str, channel: str, span: str | None, end: bool, by: str, reason: str) -> None:
    """Tell nothing new of a rule for a while; what is told already goes on, what is still so then is told then."""
    if end == (span is not None):
        raise click.UsageError("say how long (--for 2h), or --end")
    seconds = _seconds(span) if span is not None else 0.0
    if there := elsewhere():
        said = {"rule": rule, "channel": channel, "reason": reason}
        if end:
            click.echo(f"{there.do('/silences/end', **said)['ended']} silences ended")
        else:
            told = there.do("/silences", for_s=round(seconds), **said)
            click.echo(f"{rule} is silent until {told['until']}")
        return
    with acting("alert.silence") as wiring:
        if rule not in RULES:
            raise Failed(f"no rule {rule!r}: {', '.join(sorted(RULES))}")
        if end:
            count = alerts.end_silence(
                wiring.engine, rule, channel, by=by, reason=reason, now=now()
            )
            click.echo(f"{count} silences ended")
            return
        until = alerts.silence(
            wiring.engine, rule, channel, for_s=seconds, by=by, reason=reason, now=now()
        )
    click.echo(f"{rule} is silent until {until:%Y-%m-%d %H:%M} UTC")


@alert.command()
@as_json
def silences(as_json: bool) -> None:
    """Rules that are silent, with who said so and why."""
    with house() as wiring, transaction(wiring.engine) as connection:
        emit(keeping.silences(connection, now()), as_json=as_json)


@alert.command()
@click.argument("incident")
@by
def ack(incident: str, by: str) -> None:
    """Say that you work on an incident; every door that knows of it is told."""
    number = incident.removeprefix("inc-")
    if not number.isdigit():
        raise click.BadParameter(
            f"{incident!r} is no incident; write inc-12", param_hint="INCIDENT"
        )
    if there := elsewhere():
        by = there.do(f"/incidents/{number}/ack")["acked_by"]
        click.echo(f"inc-{number} is {by}'s")
        return
    with acting("alert.ack") as wiring:
        if not alerts.acknowledge(wiring.engine, int(number), by=by, now=now()):
            raise Failed(
                f"inc-{number} is not open, or somebody works on it: see `lockstep alert list`"
            )
    click.echo(f"inc-{number} is {by}'s")


def _seconds(span: str) -> float:
    match = re.fullmatch(r"([1-9]\d{0,3})([mhd])", span)
    if match is None:
        raise click.BadParameter(f"{span!r} is no time; write 30m, 2h or 1d", param_hint="--for")
    return timedelta(**{_UNITS[match[2]]: int(match[1])}).total_seconds()
