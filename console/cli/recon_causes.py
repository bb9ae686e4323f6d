"""Why things drift: causes, what keeps drifting, places that are left alone, and the drill."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import click

from console.cli import spreadsheet
from console.cli.common import as_json, aside, by, emit, house, reason, tell
from console.cli.elsewhere import as_told, asked, done, elsewhere, trying
from console.verbs import work
from console.views import recon as views
from ledger.db import transaction
from reconcile import aftermath, debt
from workers.flows.reconcile_terms import Terms
from workers.wiring import Wiring, now

_DAYS = click.option(
    "--days",
    default=30,
    show_default=True,
    type=click.IntRange(1, 4000),
    help="How far to look back.",
)
_CHANNEL = click.option("--channel", default=None, help="Only this channel.")


@click.command()
@_DAYS
@_CHANNEL
@as_json
def causes(days: int, channel: str | None, as_json: bool) -> None:
    """Drifts by cause, and the share without one. Exit code 3: more than 5 % are unknown."""
    said = {"days": days, "channel": channel}
    told = asked("/causes", lambda _, book: views.causes(book, now(), days, channel), **said)
    rows, share = told["causes"], told["unknown_share"]
    if as_json:
        emit(told, as_json=True)
    else:
        emit(
            rows, as_json=False, table=("channel", "cause", "drifts", "open", "oldest_at", "units")
        )
        click.echo(
            "unknown: " + ("-" if share is None else f"{100 * share:.1f} % (goal under 5 %)")
        )
    if share is not None and share >= 0.05:
        raise SystemExit(3)


@click.command("debt")
@_DAYS
@_CHANNEL
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Rows at most."
)
@as_json
def debt_(days: int, channel: str | None, limit: int, as_json: bool) -> None:
    """What keeps drifting or comes back, the costliest first, with its owner. Exit code 3: there is some."""
    at = now()
    if there := elsewhere():
        found = there.rows("/debt", limit, days=days, channel=channel)
    else:
        with house() as wiring, transaction(wiring.engine) as connection:
            found = as_told(views.debts(connection, at, days, channel, limit))
    if as_json:
        emit(found, as_json=True)
    else:
        emit([_line(each, at) for each in found], as_json=False)
    if found:
        raise SystemExit(3)


def _line(each: dict[str, Any], at: datetime) -> dict[str, object]:
    names = ("channel", "sku", "location", "cause", "age", "drifts", "windows", "units", "money")
    row = each | {"age": str(timedelta(seconds=int((at - each["first_at"]).total_seconds())))}
    return {name: row[name] for name in names} | {
        "open": "open" if each["open"] else "",
        "owner": each["owner"] or "nobody",
        "quarantine": "yes" if each["quarantined"] else "",
    }


@click.command()
@click.argument("name")
@click.option("--channel", default="", help="Of this channel; without it of any.")
@click.option("--cause", default="", help="Of this cause; without it of any.")
@trying
@by
@as_json
def owner(name: str, channel: str, cause: str, dry_run: bool, by: str, as_json: bool) -> None:
    """Say who mends what keeps drifting: NAME is a person or a team."""
    told = done(
        "recon.owner",
        "/debt/owner",
        {"owner": name, "channel": channel, "cause": cause},
        lambda wiring: work.own(wiring.engine, name, channel, cause, by=by, now=now()),
        dry_run=dry_run,
    )
    words = f"{cause or 'every cause'} on {channel or 'every channel'} is {name}'s"
    tell(told, words, as_json=as_json)


@click.command()
@click.option("--quarter", required=True, help="Such as 2026Q4.")
@click.option("--csv", "as_csv", is_flag=True, help="A row per channel and cause.")
@as_json
def report(quarter: str, as_csv: bool, as_json: bool) -> None:
    """The brittle integrations of a quarter: drifts by channel and cause, halts, repair, the costliest debts."""
    if as_csv and as_json:
        raise click.UsageError("give one of --csv and --json")
    try:
        begin, end = debt.quarter(quarter)
    except debt.NoQuarter as error:
        raise click.UsageError(str(error)) from None
    found = asked(
        "/debt/report",
        lambda _, book: debt.report(book, begin, end, now()),
        quarter=quarter,
    )
    if as_json:
        emit(found, as_json=True)
        return
    if as_csv:
        _csv(found["causes"])
        return
    share = found["unknown_share"]
    click.echo(f"{begin:%Y-%m-%d} to {end:%Y-%m-%d}")
    emit(found["channels"], as_json=False)
    click.echo()
    emit(found["causes"], as_json=False)
    click.echo("unknown: " + ("-" if share is None else f"{100 * share:.1f} % (goal under 5 %)"))


def _csv(rows: list[dict[str, Any]]) -> None:
    if rows:
        spreadsheet.write(list(rows[0]), rows)


@click.command()
@_CHANNEL
@as_json
def quarantine(channel: str | None, as_json: bool) -> None:
    """Places that pushing again did not cure; nothing is repaired there. Exit code 3: there are some."""
    if there := elsewhere():
        found = there.rows("/quarantine", channel=channel)
    else:
        with house() as wiring, transaction(wiring.engine) as connection:
            found = as_told(aftermath.quarantined(connection, channel))
    emit(
        found,
        as_json=as_json,
        table=("channel", "sku", "location", "cause", "since", "reason"),
    )
    if found:
        raise SystemExit(3)


@click.command()
@click.argument("sku")
@click.option("--channel", required=True, help="On this channel.")
@click.option("--location", default=None, help="Only there; without it everywhere.")
@trying
@by
@reason
@as_json
def release(
    sku: str,
    channel: str,
    location: str | None,
    dry_run: bool,
    by: str,
    reason: str,
    as_json: bool,
) -> None:
    """Let a SKU out of quarantine: its numbers are pushed again, computed anew."""

    def here(wiring: Wiring) -> Any:
        places = work.release(
            wiring.engine, sku, channel, location, by=by, reason=reason, now=now()
        )
        return {"sku": sku, "channel": channel, "locations": places}

    body = {"sku": sku, "channel": channel, "location": location, "reason": reason}
    told = done("recon.release", "/quarantine/release", body, here, dry_run=dry_run)
    words = f"released: {', '.join(f'{sku} at {place}' for place in told['locations'])}"
    tell(told, words, as_json=as_json)


@click.command()
@click.option("--seed", default=0, show_default=True, help="Everything follows from it.")
@click.option(
    "--each",
    default=20,
    show_default=True,
    type=click.IntRange(1, 200),
    help="Drifts of each cause.",
)
@as_json
def drill(seed: int, each: int, as_json: bool) -> None:
    """Make every cause happen in a simulated shop, and see what each is called, by cause and this house's terms.

    Exit code 3: fewer than 95 % of a cause are named right, or a SKU that only sold drifted or was halted.
    """
    from console.cli.measured import tell
    from console.drill import run

    with house(throw_away=True) as wiring:
        result = run.measure(
            wiring.house,
            seed=seed,
            each=each,
            terms=Terms.of(wiring.settings),
            say=aside,
        )
    tell(result, run.table, as_json)


COMMANDS = (causes, debt_, owner, report, quarantine, release, drill)
