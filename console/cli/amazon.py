"""Amazon: its own stock beside the book, MCF orders, featured offers, planning figures, IPI."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from channels.base import ChannelError
from console.cli.acting import acting, said_by
from console.cli.amazon_health import COMMANDS
from console.cli.common import Failed, as_json, by, emit, tell
from console.cli.elsewhere import asked, done, trying
from console.verbs import amazon as amazon_verbs
from console.views import amazon as views
from ledger.db import transaction
from reconcile.runs import window_of
from reconcile.trail import record
from workers import amazon as chores
from workers.flows import mcf, mirror
from workers.wiring import Wiring, now

on = click.option("--channel", "name", default=None, help="Which one, where there are several.")


@click.group()
def amazon() -> None:
    """Amazon's own stock, MCF orders, featured offers, IPI."""


@amazon.command()
@on
@click.option("--sku", default=None, help="Ours or Amazon's.")
@click.option("--off", "only_off", is_flag=True, help="Only what differs from the book.")
@click.option("--exit-code", is_flag=True, help="Exit with 3 when anything differs.")
@as_json
def fba(name: str | None, sku: str | None, only_off: bool, exit_code: bool, as_json: bool) -> None:
    """What Amazon holds of each SKU, as of its own time, and what the book says of it (`available`).

    `off`: units of ours that nothing explains, Amazon's number less the book's, and in how many windows it was seen.
    """
    rows = asked(
        "/amazon/fba",
        lambda _, book: views.fba(book, name, sku, only_off=only_off),
        channel=name,
        sku=sku,
        off=only_off,
    )
    emit(
        rows,
        as_json=as_json,
        table=(
            *("seller_sku", "sku", "as_of", "fulfillable", "pending_orders", "held", "inbound"),
            *("unfulfillable", "available", "off", "windows"),
        ),
    )
    if exit_code and any(row["off"] for row in rows):
        raise SystemExit(3)


@amazon.command()
@on
@click.option("--sku", default=None, help="Amazon's SKU.")
@click.option("--rest", "only_rest", is_flag=True, help="Only what is not explained.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Rows at most."
)
@as_json
def changes(name: str | None, sku: str | None, only_rest: bool, limit: int, as_json: bool) -> None:
    """Each change of what can be sold, by cause; `rest` is what nothing explains (yet)."""
    rows = asked(
        "/amazon/changes",
        lambda _, book: views.changes(book, name, sku, only_rest=only_rest, limit=limit),
        channel=name,
        sku=sku,
        rest=only_rest,
        limit=limit,
    )
    emit(rows, as_json=as_json)


@amazon.command("mirror")
@on
@as_json
@said_by
def mirror_(name: str | None, as_json: bool) -> None:
    """Read what Amazon says now and tell the book, as every window does. Exit code 4 when a step failed."""
    with acting("amazon.mirror") as wiring:
        channel, at = _one(wiring, name), now()
        terms = mirror.Terms.of(wiring.settings)
        chores.open_mirror(wiring)
        report = mirror.mirror(
            wiring.engine,
            chores.api_of(wiring, channel),
            channel=channel,
            window_at=window_of(at, terms.window_s),
            now=now,
            terms=terms,
        )
    emit(
        report,
        as_json=as_json,
        table=("channel", "state", "followed", "readings", "rows", "facts", "off", "drifts"),
    )
    for problem in report.problems:
        click.echo(problem, err=True)
    if report.problems:
        raise SystemExit(4)


# -- Multi-Channel Fulfillment ----------------------------------------------------------------------------------------


@amazon.group("mcf")
def mcf_() -> None:
    """Orders of other shops that Amazon ships: list, create."""


@mcf_.command("list")
@on
@click.option("--problems", is_flag=True, help="Only those that cannot be booked.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Rows at most."
)
@as_json
def list_mcf(name: str | None, problems: bool, limit: int, as_json: bool) -> None:
    """MCF orders, newest first. matched: an order in the book holds the units; foreign: booked by itself."""
    rows = asked(
        "/amazon/mcf",
        lambda _, book: views.mcf(book, name, only_problems=problems, limit=limit),
        channel=name,
        problems=problems,
        limit=limit,
    )
    emit(
        rows,
        as_json=as_json,
        table=(
            *("id", "status", "role", "of_channel", "of_order", "ours", "units", "shipped"),
            *("received_at", "problem"),
        ),
    )


@mcf_.command("create")
@click.argument("of_channel")
@click.argument("order")
@click.option(
    "--address",
    "address_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help='JSON in Amazon\'s names ({"name": ..., "addressLine1": ..., "postalCode": ..., "countryCode": "US"}); - reads'
    " stdin. It is sent to Amazon and kept nowhere.",
)
@click.option(
    "--speed",
    type=click.Choice(["Standard", "Expedited", "Priority"]),
    default="Standard",
    show_default=True,
    help="What Amazon calls it.",
)
@click.option("--hold", is_flag=True, help="Take the units, ship when told to in Seller Central.")
@on
@by
@as_json
def create_mcf(
    of_channel: str,
    order: str,
    address_file: Path,
    speed: str,
    hold: bool,
    name: str | None,
    by: str,
    as_json: bool,
) -> None:
    """Let Amazon ship what ORDER of OF_CHANNEL has open at Amazon's location. Asking twice asks once."""
    said = sys.stdin.read() if str(address_file) == "-" else address_file.read_text()
    with acting("amazon.mcf.create") as wiring:
        channel = _one(wiring, name)
        try:
            detail = mcf.create(
                wiring.engine,
                chores.api_of(wiring, channel),
                channel=channel,
                of=(of_channel, order),
                address=mcf.parse_address(said),
                now=now,
                speed=speed,
                hold=hold,
            )
        except (mcf.CannotShip, ChannelError) as error:
            raise Failed(str(error)) from None
        with transaction(wiring.engine) as connection:
            record(
                connection,
                actor=by,
                action="mcf.create",
                what=f"order:{of_channel}/{order}",
                at=now(),
                reason=detail.order.seller_id,
            )
    emit(detail.order, as_json=as_json)


# -- health -----------------------------------------------------------------------------------------------------------


@amazon.group("ipi")
def ipi_() -> None:
    """The Inventory Performance Index, which no API tells: set, list."""


@ipi_.command("set")
@click.argument("score", type=click.IntRange(0, 1000))
@click.option("--threshold", type=click.IntRange(0, 1000), help="The one in force then.")
@click.option(
    "--date",
    "scored_on",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Of the score, as Seller Central shows it; today when left out.",
)
@on
@trying
@by
@as_json
def set_ipi(
    score: int,
    threshold: int | None,
    scored_on: datetime | None,
    name: str | None,
    dry_run: bool,
    by: str,
    as_json: bool,
) -> None:
    """Write down the score as Seller Central shows it. A second one of the same day replaces the first in lists."""
    day = scored_on.date() if scored_on else None
    told = done(
        "amazon.ipi.set",
        "/amazon/ipi",
        {"channel": name, "score": score, "threshold": threshold, "scored_on": day},
        lambda wiring: amazon_verbs.set_ipi(
            wiring.engine, name, score, threshold, day, by=by, now=now()
        ),
        dry_run=dry_run,
    )
    tell(told, f"{told['channel']}: IPI {score} on {told['scored_on']}", as_json=as_json)


@ipi_.command("list")
@on
@as_json
def list_ipi(name: str | None, as_json: bool) -> None:
    """Scores, newest first; `above` is below 0 where storage may be limited."""
    rows = asked("/amazon/ipi", lambda _, book: views.scores(book, name), channel=name)
    emit(rows, as_json=as_json)


@amazon.command()
@on
@click.option(
    "--days",
    default=7,
    show_default=True,
    type=click.IntRange(1, 366),
    help="How far to look back.",
)
@as_json
def offers(name: str | None, days: int, as_json: bool) -> None:
    """Our share of the featured offer ("Buy Box") of each ASIN, by time, beside stock-outs and price.

    `out_hours`: in which Amazon had none of it to sell, by the mirror's readings.
    """
    found = asked(
        "/amazon/offers",
        lambda _, book: views.offers(book, name, days, now()),
        channel=name,
        days=days,
    )
    emit(
        found,
        as_json=as_json,
        table=(
            *(
                "asin",
                "condition",
                "share",
                "out_hours",
                "fulfillable",
                "ours_now",
                "featured_price",
            ),
            *("our_price", "currency", "last_at"),
        ),
    )


for _command in COMMANDS:
    amazon.add_command(_command)


def _one(wiring: Wiring, name: str | None) -> str:
    with transaction(wiring.engine) as connection:
        return views.channel_of(connection, name)
