"""Rules and lags tried on past or made events."""

from __future__ import annotations

import dataclasses
import gc
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import click

import console
from allocation import store
from allocation.simulate import made, recorded
from allocation.simulate.replay import BEST
from allocation.simulate.replay import simulate as replay
from allocation.simulate.score import Score
from allocation.simulate.types import Delays, History, Unusable
from allocation.types import Rules
from console.cli import rule_files
from console.cli.common import Failed, as_json, emit, house, progress, sentences
from console.local.errors import LocalError
from console.local.stack import attached
from ledger.db import transaction
from workers.flows import simulate as flow
from workers.flows.history import UnusableFile
from workers.settings import settings
from workers.wiring import now

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_SCENARIOS = ("black-friday", "may-2011", "may-2011-tight")
_SHIPPED = Path(console.__file__).parent / "scenarios"
_LEAST = "each location begins with the least with which all of the file could happen"
_UNITS_S = {"d": 86_400, "h": 3_600, "m": 60}


@click.command()
@click.option("--scenario", type=click.Choice(_SCENARIOS), help="Events that come with Lockstep.")
@click.option(
    "--orders", type=_FILE, help="Events in the columns of `history import` (.csv, .csv.gz)."
)
@click.option(
    "--opening", type=_FILE, help="Balances to begin with, for --orders; else the least possible."
)
@click.option(
    "--last",
    metavar="30d",
    help="What the ledger has of the last days (d), hours (h), minutes (m).",
)
@click.option("--rules", "rule_file", type=_FILE, help="Rules to try; else those in force.")
@click.option(
    "--lag",
    "lags",
    multiple=True,
    metavar="CHANNEL=SECONDS",
    help="Until a channel shows a new number, 99th percentile.",
)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="The same seed gives the same answer."
)
@as_json
def simulate(
    scenario: str | None,
    orders: Path | None,
    opening: Path | None,
    last: str | None,
    rule_file: Path | None,
    lags: tuple[str, ...],
    seed: int,
    as_json: bool,
) -> None:
    """Play events under rules and lags: what would have been sold, oversold, lost and left lying.

    Beside these rules: those in force (`today`), and houses that set their channels every quarter of an hour, by
    point-to-point connections, or by a weekly sheet. Nothing is written.
    """
    given = [name for name in (scenario, orders, last) if name is not None]
    if len(given) != 1 or (opening is not None and orders is None):
        raise click.UsageError(
            "give one of --scenario, --orders (with or without --opening), --last"
        )
    span = timedelta(0) if last is None else _span(last)
    rules = _rules(scenario, rule_file)
    first = next(iter(rules.values()))
    with _sentences():
        if scenario is not None:
            history = _scenario(scenario, first, seed)
        elif orders is not None:
            if opening is None:
                click.echo(f"note: no --opening: {_LEAST}", err=True)
            history = flow.from_files(orders, opening, first, seed)
        else:
            history = _of_ledger(span, first, seed)
        # Tens of thousands of events stay to the end; looking through them again and again costs a sixth of the time.
        gc.freeze()
        begun = now()
        shown = progress("simulating")
        scores = replay(history, rules, _delays(lags, first), seed, shown)
    if scenario == "black-friday":
        # Who knows all is no choice that anybody has; how far each is from it stands in every row.
        del scores[BEST]
    _tell(scores, history, (now() - begun).total_seconds(), as_json=as_json)


def _rules(scenario: str | None, file: Path | None) -> dict[str, Rules]:
    """The rules to follow by name, those to try first."""
    if scenario is not None:
        shipped = _SHIPPED / f"{scenario.removesuffix('-tight')}.toml"
        return {"lockstep": rule_files.read(file or shipped).document.rules()}
    today = _in_force(must_be_there=file is None)
    if file is None:
        return {"lockstep": today}
    tried = rule_files.read(file).document.rules()
    return {"lockstep": tried} | ({"today": today} if today.channels else {})


def _in_force(*, must_be_there: bool) -> Rules:
    """The rules in force in the running house; none where none is running."""
    if not must_be_there and not _is_running():
        return Rules()
    with house() as wiring, transaction(wiring.engine) as connection:
        version, rules = store.current_rules(connection)
    if version == 0 and must_be_there:
        raise Failed(
            "no rules are in force: give --rules FILE, or put some in force with lockstep alloc apply"
        )
    return rules


def _is_running() -> bool:
    with sentences():
        wished = settings()
    try:
        return bool(wished.database_url or attached(wished))
    except LocalError:
        return False


def _scenario(name: str, rules: Rules, seed: int) -> History:
    if name == "black-friday":
        return made.black_friday(rules, seed)
    may = _SHIPPED / "may-2011"
    history = flow.from_files(
        may.with_suffix(".events.csv.gz"), may.with_suffix(".balances.csv.gz"), rules, seed
    )
    return recorded.scarcer(history, skus=50, percent=15) if name.endswith("-tight") else history


def _span(last: str) -> timedelta:
    said = re.fullmatch(r"([1-9]\d{0,4})([dhm])", last)
    if said is None:
        raise click.BadParameter(f"{last!r} is no time; write 30d, 12h or 90m", param_hint="--last")
    return timedelta(seconds=int(said[1]) * _UNITS_S[said[2]])


def _of_ledger(span: timedelta, rules: Rules, seed: int) -> History:
    until = now()
    with house() as wiring:
        return flow.from_ledger(wiring.engine, until - span, until, rules, seed)


def _delays(said: tuple[str, ...], rules: Rules) -> Delays:
    delays = Delays()
    known = sorted(channel.name for channel in rules.channels)
    for each in said:
        channel, _, seconds = each.partition("=")
        if channel not in known:
            raise click.BadParameter(
                f"{channel!r} is no channel of the rules; known: {', '.join(known)}",
                param_hint="--lag",
            )
        if not re.fullmatch(r"\d{1,6}(\.\d{1,3})?", seconds):
            raise click.BadParameter(
                f"{each!r}: write seconds from 0 to 999999, as in {channel}=2.5", param_hint="--lag"
            )
        delays = delays.with_p99(channel, float(seconds))
    return delays


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except (Unusable, UnusableFile) as error:
        raise Failed(str(error)) from None


def _tell(scores: Mapping[str, Score], history: History, seconds: float, *, as_json: bool) -> None:
    if as_json:
        emit({name: _inside(score) for name, score in scores.items()}, as_json=True)
    else:
        emit([_row(score) for score in scores.values()], as_json=False)
    days = history.ends / 86_400
    click.echo(
        f"{history.events} events of {len(history.streams)} SKUs, {days:.1f} days from {history.start:%Y-%m-%d %H:%M},"
        f" {len(scores)} strategies in {seconds:.1f} s",
        err=True,
    )


def _inside(score: Score) -> dict[str, object]:
    fields = dataclasses.asdict(score)
    del fields["strategy"]
    return fields


def _row(score: Score) -> dict[str, object]:
    return {
        "strategy": score.strategy,
        "sold": score.sold_units,
        "oversold": score.oversold_units,
        "lines": score.oversold_lines,
        "of accepted": f"{100 * score.oversold_rate:.3f} %",
        "lost": score.lost_units,
        "stranded": score.stranded_units,
        "starved h": f"{score.starvation_minutes / 60:,.0f}",
        "revenue": "-" if score.revenue is None else f"{score.revenue:,.2f}",
        "short of best": f"{100 * score.short_of_best:.2f} %",
    }
