"""Reconciliation by hand."""

from __future__ import annotations

import click

from channels.base import ChannelError
from console.cli import recon_causes
from console.cli.acting import acting, said_by
from console.cli.common import Failed, as_json, aside, durable, emit, house
from console.cli.elsewhere import asked, listed
from console.views import recon as views
from console.views.recon import DRIFT, EARLY, RUNS
from reconcile.runs import window_of
from workers.flows import reconcile, seen
from workers.wiring import NotSetUp, Wiring, now


@click.group()
def recon() -> None:
    """Compare what channels show with what they should."""


for _command in recon_causes.COMMANDS:
    recon.add_command(_command)


@recon.command()
@click.argument("channel")
@click.option("--dry-run", is_flag=True, help="Read and judge only; write nothing.")
@click.option(
    "--shows",
    multiple=True,
    metavar="SKU[@LOCATION]=UNITS",
    help="What you see there: judged instead of what the channel answers.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 3 when there are differences.")
@as_json
@said_by
def run(
    channel: str, dry_run: bool, shows: tuple[str, ...], exit_code: bool, as_json: bool
) -> None:
    """Read back a channel now and judge every difference."""
    said = dict(_seen(one) for one in shows)
    with acting("recon.run", dry_run=dry_run) as wiring:
        at = now()
        terms = reconcile.Terms.of(wiring.settings)
        try:
            if said:
                report = seen.judge_seen(
                    wiring.engine,
                    wiring.client(channel),
                    channel=channel,
                    seen=said,
                    now=at,
                    terms=terms,
                    dry_run=dry_run,
                )
            else:
                report = _read(wiring, channel, dry_run=dry_run)
        except (ChannelError, NotSetUp, reconcile.UnknownChannel, seen.NotListed) as error:
            raise Failed(str(error)) from None
    emit(report, as_json=as_json, table=("channel", "window_at", "state", "counts", "error"))
    if exit_code and report.findings:
        raise SystemExit(3)


def _read(wiring: Wiring, channel: str, *, dry_run: bool) -> reconcile.RunReport:
    """The window of now, read back."""
    at, terms = now(), reconcile.Terms.of(wiring.settings)
    if not dry_run:
        reconcile.open_windows(wiring.engine, now=at, window_s=terms.window_s)
    return reconcile.reconcile(
        wiring.engine,
        wiring.client(channel),
        channel=channel,
        window_at=window_of(at, terms.window_s),
        now=now,
        terms=terms,
        dry_run=dry_run,
    )


def _seen(said: str) -> tuple[tuple[str, str | None], int]:
    """`SKU=UNITS` or `SKU@LOCATION=UNITS`; a SKU may hold either sign itself."""
    place, _, units = said.rpartition("=")
    sku, at, location = place.rpartition("@")
    if not place or not units.isascii() or not units.isdigit():
        raise click.UsageError(f"{said!r} is no SKU=UNITS or SKU@LOCATION=UNITS, such as MUG=12")
    return ((sku, location) if at and sku else (place, None)), int(units)


@recon.command()
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="Rows at most."
)
@as_json
def status(limit: int, as_json: bool) -> None:
    """The last runs, newest first: coverage, found, fixed, halted, how long; missed and late ones are marked."""
    emit(listed(RUNS, "/runs", {"channel": None}, limit=limit), as_json=as_json)
    share = _unknown_share()
    if share is not None and not as_json:
        click.echo(f"drifts of 30 days without a cause: {100 * share:.1f} % (goal under 5 %)")


def _unknown_share() -> float | None:
    share: float | None = asked("/causes", lambda _, book: views.causes(book, now(), 30, None))[
        "unknown_share"
    ]
    return share


@recon.command()
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Rows at most."
)
@as_json
def early(limit: int, as_json: bool) -> None:
    """SKUs that are read before their window, those that sell out soonest first."""
    rows = listed(EARLY, "/early", {"channel": None}, limit=limit)
    emit(rows, as_json=as_json)


@recon.command()
@click.option("--all", "all_", is_flag=True, help="Resolved ones too.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Rows at most."
)
@as_json
def drift(all_: bool, limit: int, as_json: bool) -> None:
    """Differences found, with cause, action and result."""
    said = {"all": all_, "channel": None, "sku": None, "cause": None}
    emit(listed(DRIFT, "/drift", said, limit=limit), as_json=as_json)


@recon.command()
@click.option(
    "--rows",
    default=1_000_000,
    show_default=True,
    type=click.IntRange(1000, 10_000_000),
    help="Places compared.",
)
@click.option(
    "--one-in",
    default=1000,
    show_default=True,
    type=click.IntRange(10, 1_000_000),
    help="One place in so many differs.",
)
@click.option(
    "--rounds",
    default=5,
    show_default=True,
    type=click.IntRange(1, 20),
    help="How often; the best counts.",
)
@click.option(
    "--vendor-rows",
    default=100_000,
    show_default=True,
    type=click.IntRange(0, 1_000_000),
    help="Variations of the simulated account that is read back; 0 leaves it out.",
)
@durable
@as_json
def bench(
    rows: int, one_in: int, rounds: int, vendor_rows: int, durable: bool, as_json: bool
) -> None:
    """Compare a snapshot against the bare SQL join, and read a simulated account back. Exit code 3: goals missed."""
    from console.bench import recon as measuring
    from console.cli.measured import tell

    with house(throw_away=True, durable=durable) as wiring:
        result = measuring.measure(
            wiring.settings.database_url,
            wiring.settings.database_admin_url,
            rows=rows,
            one_in=one_in,
            rounds=rounds,
            vendor_rows=vendor_rows,
            say=aside,
        )
    tell(result, measuring.table, as_json)
