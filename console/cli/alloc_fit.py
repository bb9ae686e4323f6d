"""Whether the weights in force still fit the demand."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import click

from allocation.fit import FLAG_POINTS, FLAG_WEEKS, LOOK_BACK, Fit, Week, snippet
from console.cli.common import Failed, as_json, emit, house
from workers.flows import fit as flow
from workers.wiring import now


@click.command()
@click.option(
    "--weeks",
    type=click.IntRange(min=1, max=520),
    default=LOOK_BACK,
    show_default=True,
    help="Full ISO weeks (UTC) to look back; fewer where there are fewer.",
)
@click.option(
    "--floor",
    "floors",
    multiple=True,
    metavar="CHANNEL=WEIGHT",
    help="Suggest no less than this for a channel.",
)
@click.option(
    "--flag-weeks",
    type=click.IntRange(min=1, max=520),
    default=FLAG_WEEKS,
    show_default=True,
    help="Weeks in a row off to the same side that are flagged.",
)
@click.option(
    "--points",
    type=click.FloatRange(min=0, max=100),
    default=FLAG_POINTS,
    show_default=True,
    help="How far demand and weight may be apart.",
)
@as_json
def fit(weeks: int, floors: tuple[str, ...], flag_weeks: int, points: float, as_json: bool) -> None:
    """Each channel's part of the demand beside its part of the stock, and the weight that its demand asks for.

    Parts are of 100, among channels that divide the same stock. Nothing is applied: put what is suggested into the rule
    file and see `lockstep alloc plan`. Exit 3 when a channel is flagged.
    """
    least = dict(_floor(each) for each in floors)
    with house() as wiring:
        try:
            found = flow.look(
                wiring.engine,
                now=now(),
                weeks=weeks,
                floors=least,
                flag_weeks=flag_weeks,
                points=points,
            )
        except ValueError as error:
            raise Failed(str(error)) from None
    if not found.version:
        raise Failed("no rules are in force: lockstep alloc apply FILE --author ... --reason ...")
    strangers = sorted(
        least.keys() - {each.channel for each in found.fits if each.weight is not None}
    )
    if strangers:
        raise click.BadParameter(
            f"{', '.join(strangers)}: no channel with a percent or weight in the rules in force",
            param_hint="--floor",
        )
    if as_json:
        emit(_inside(found), as_json=True)
    else:
        _tell(found)
    if found.flagged:
        raise SystemExit(3)


def _floor(said: str) -> tuple[str, Decimal]:
    channel, _, weight = said.partition("=")
    try:
        least = Decimal(weight)
    except InvalidOperation:
        least = Decimal(-1)
    if not channel or not least.is_finite() or least < 0:
        raise click.BadParameter(f"{said!r}: write it as in wholesale=20", param_hint="--floor")
    return channel, least


def _tell(found: flow.Look) -> None:
    emit([_row(each, found) for each in found.fits], as_json=False)
    counted = max((len(each.weeks) for each in found.fits), default=0)
    click.echo(
        f"{counted} full weeks until {found.until:%Y-%m-%d}, rules of version {found.version}; regret is estimated",
        err=True,
    )
    lines = snippet(found.fits)
    if lines:
        click.echo(f"\n{lines}", nl=False)
        click.echo(
            "suggested, not applied: put it into your rule file with a `why`, then lockstep alloc plan FILE",
            err=True,
        )


def _row(each: Fit, found: flow.Look) -> dict[str, object]:
    works = each.effectiveness
    flagged: object = None
    if each.channel in found.flagged:
        flagged = found.flagged[each.channel] or "now"
    return {
        "channel": each.channel,
        "weight": _number(each.weight),
        "demand %": _points(each.demand_points),
        "stock %": _points(each.stock_points),
        "effective %": _points(None if works is None else 100 * works),
        "starved min": f"{each.starved_minutes:.0f}",
        "regret units": f"{each.regret:.1f}",
        "suggested": _number(each.suggested),
        "flagged since": flagged,
    }


def _number(weight: Decimal | None) -> str | None:
    return None if weight is None else f"{weight.normalize():f}"


def _points(points: float | None) -> str | None:
    return None if points is None else f"{points:.1f}"


def _inside(found: flow.Look) -> dict[str, object]:
    return {
        "version": found.version,
        "until": found.until,
        "flagged": sorted(found.flagged),
        "channels": [_channel(each, found) for each in found.fits],
        "snippet": snippet(found.fits),
    }


def _channel(each: Fit, found: flow.Look) -> dict[str, object]:
    return {
        "channel": each.channel,
        "weight": _number(each.weight),
        "suggested": _number(each.suggested),
        "weight_points": each.weight_points,
        "demand_points": each.demand_points,
        "stock_points": each.stock_points,
        "sold": each.sold,
        "effectiveness": each.effectiveness,
        "starved_minutes": each.starved_minutes,
        "regret": each.regret,
        "flagged": each.channel in found.flagged,
        "flagged_since": found.flagged.get(each.channel),
        "weeks": [
            _week(week, gap)
            for week, gap in zip(each.weeks, each.gaps or (None,) * len(each.weeks), strict=True)
        ],
    }


def _week(week: Week, gap: float | None) -> dict[str, object]:
    return {
        "week": f"{week.week:%G-W%V}",
        "from": week.week,
        "sold": week.sold,
        "shown": week.shown,
        "starved_minutes": week.starved_minutes,
        "regret": week.regret,
        "off_by_points": gap,
    }
