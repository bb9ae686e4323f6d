"""Channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from channels import listings
from channels.base import ChannelError
from console.cli.acting import acting, said_by
from console.cli.certify import certificate, certify
from console.cli.common import Failed, as_json, by, emit, house, reason, reason_if_any, tell
from console.cli.elsewhere import asked, done, listed, quoted, trying
from console.verbs import work
from console.views import channels
from console.views.work import CHANNELS
from ledger.separated import NotText, decoded
from workers.flows import mapping
from workers.wiring import NotSetUp, Wiring, now

#: Vendors tell whole seconds, and an answer takes its time.
_CLOCK_OFF_S = 30.0


_COMPLETE = (
    "channel", "told", "booked", "percent", "polled", "gaps", "oldest_gap_at", "complete_to", "behind_s",
)  # fmt: skip


@click.group()
def channel() -> None:
    """Channels: list, test, map, subscribe, pause, resume."""


@channel.command("list")
@as_json
def list_(as_json: bool) -> None:
    """Every channel and what waits on it."""
    emit(listed(CHANNELS, "/channels", {}), as_json=as_json)


@channel.command("complete")
@click.option("--channel", "name", default=None, help="Only this one.")
@click.option(
    "--hours", default=24, show_default=True, type=click.IntRange(1, 8784), help="To look back."
)
@as_json
def complete_(name: str | None, hours: int, as_json: bool) -> None:
    """Orders that each channel told, by notification or by its order API, against those in the book.

    Gaps are orders that are not booked, whenever they came; stderr says why (JSON: `reasons`). Exit code 3 when there
    are any, or when an order API was not read for an hour: then nobody knows what is missing.
    """
    rows = asked(
        "/channels/complete",
        lambda _, connection: channels.complete(connection, now(), hours, name),
        channel=name,
        hours=hours,
    )
    emit(rows, as_json=as_json, table=_COMPLETE)
    for row in rows if not as_json else ():
        for line in _missing(row):
            click.echo(line, err=True)
    if any(row["gaps"] or row["late"] for row in rows):
        raise SystemExit(3)


def _missing(row: Mapping[str, Any]) -> Iterator[str]:
    """What keeps the orders of a channel out of the book, and what to do."""
    name = row["channel"]
    if row["late"]:
        yield (
            f"{name}: its orders were last asked for at {row['complete_to']}; later ones may be missing: see"
            f" lockstep channel test {name}, lockstep recon status"
        )
    for gap in row["reasons"]:
        why = f": {gap['why']}" if gap["why"] else ""
        next_ = (
            "the queue is behind: see lockstep queue list"
            if gap["state"] == "pending"
            else f"see lockstep inbox list --source {name} --state {gap['state']}"
        )
        yield f"{name}: {gap['orders']} {gap['state']} since {gap['oldest_at']}{why}; {next_}"


@channel.command()
@click.argument("name")
@as_json
def test(name: str, as_json: bool) -> None:
    """Credentials, scopes, the clock and one read, changing nothing. Exit code 4 when the clocks disagree."""
    with house() as wiring:
        try:
            found = mapping.look(wiring.engine, wiring.client(name), channel=name, now=now)
        except (ChannelError, NotSetUp, mapping.NoPlaces) as error:
            raise Failed(f"{name}: {type(error).__name__}: {error}") from None
    off_s = found.clock_off_s
    clock = "it tells no time" if off_s is None else f"{off_s:+.0f} s against ours"
    words = (
        f"{name} answers: {found.listed} listings at {found.locations} locations,"
        f" {found.orders} orders of the last minutes, {found.subscriptions} subscriptions\n"
        f"its clock: {clock}"
    )
    tell(found, words, as_json=as_json)
    if off_s is not None and abs(off_s) > _CLOCK_OFF_S:
        raise Failed(
            f"{name}: the clocks are {abs(off_s):.0f} s apart, so that orders and readings cannot be"
            " put in order: set this machine's clock (NTP)",
            code=4,
        )


@channel.command("map")
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Show what would be bound, write nothing.")
@click.option("--add-skus", is_flag=True, help="Add SKUs that the catalogue does not have.")
@click.option(
    "--file",
    "assortment",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV of packs and bundles: listing,sku,units,uom",
)
@as_json
@said_by
def map_(name: str, dry_run: bool, add_skus: bool, assortment: Path | None, as_json: bool) -> None:
    """Bind listings to our SKUs by their SKU text; duplicates are refused. Exit code 4 when some are left out.

    Deliveries that were parked for want of a name are replayed.
    """
    read = listings.read(_text(assortment)) if assortment else None
    with acting("channel.map", dry_run=dry_run) as wiring:
        try:
            mapped = mapping.map_channel(
                wiring.engine,
                wiring.client(name),
                channel=name,
                now=now(),
                dry_run=dry_run,
                add_skus=add_skus,
                assortment=read,
            )
        except (ChannelError, NotSetUp, mapping.NoPlaces) as error:
            raise Failed(f"{name}: {type(error).__name__}: {error}") from None
    if as_json:
        emit(mapped, as_json=True)
    else:
        kinds = f", {mapped.packs} packs, {mapped.bundles} bundles" if assortment else ""
        again = f"; {mapped.replayed} parked deliveries replayed" if mapped.replayed else ""
        aside = " (dry run: nothing was written)" if dry_run else ""
        click.echo(f"{mapped.bound} bound{kinds}{again}{aside}")
        for problem in mapped.problems:
            click.echo(f"  left out: {problem}")
    if mapped.problems:
        raise SystemExit(4)


def _text(file: Path) -> str:
    try:
        return decoded(file.read_bytes())
    except (OSError, NotText) as error:
        raise Failed(f"{file} cannot be read: {error}") from None


@channel.command()
@click.argument("name")
@as_json
def unmapped(name: str, as_json: bool) -> None:
    """Deliveries that wait for a name of ours: sales of what nobody has mapped yet."""

    def here(_: Wiring, connection: Connection) -> Any:
        work.known_channel(connection, name)
        return mapping.unmapped(connection, name)

    emit(asked(f"/channels/{quoted(name)}/unmapped", here), as_json=as_json)


@channel.command()
@click.argument("name")
@click.option(
    "--uri",
    required=True,
    help="Where this channel shall call us, such as https://hooks.example.com/hooks/shopify",
)
@as_json
@said_by
def subscribe(name: str, uri: str, as_json: bool) -> None:
    """Make sure that the channel notifies us of everything that moves stock."""
    with acting("channel.subscribe") as wiring:
        try:
            made = mapping.subscribe(wiring.engine, wiring.client(name), channel=name, uri=uri)
        except (ChannelError, NotSetUp, mapping.NoPlaces) as error:
            raise Failed(f"{name}: {type(error).__name__}: {error}") from None
    words = (
        f"{len(made)} subscriptions created: {', '.join(s.topic for s in made) or 'all were there'}"
    )
    tell({"channel": name, "created": list(made)}, words, as_json=as_json)


@channel.command()
@click.argument("name")
@trying
@by
@reason
@as_json
def pause(name: str, dry_run: bool, by: str, reason: str, as_json: bool) -> None:
    """Stop all pushes to a channel until somebody resumes it."""

    def here(wiring: Wiring) -> Any:
        fresh = work.pause(wiring.engine, name, by=by, reason=reason, now=now())
        return {"channel": name, "paused": True, "fresh": fresh}

    path = f"/channels/{quoted(name)}/pause"
    told = done("channel.pause", path, {"reason": reason}, here, dry_run=dry_run)
    tell(told, "paused" if told["fresh"] else "was paused already", as_json=as_json)


@channel.command()
@click.argument("name")
@trying
@by
@reason_if_any
@as_json
def resume(name: str, dry_run: bool, by: str, reason: str, as_json: bool) -> None:
    """Let a paused channel work again."""

    def here(wiring: Wiring) -> Any:
        fresh = work.resume(wiring.engine, name, by=by, reason=reason, now=now())
        return {"channel": name, "paused": False, "fresh": fresh}

    path = f"/channels/{quoted(name)}/resume"
    told = done("channel.resume", path, {"reason": reason}, here, dry_run=dry_run)
    tell(told, "resumed" if told["fresh"] else "was not paused", as_json=as_json)


channel.add_command(certify)
channel.add_command(certificate)
