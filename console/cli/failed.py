"""Failed work: what it is, and doing it again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any, Final, TypeVar

import click

from console.cli import spreadsheet
from console.cli.acting import acting
from console.cli.common import Failed, as_json, by, emit, progress, reason
from console.cli.elsewhere import Elsewhere, as_told, asked, elsewhere, paged
from console.cli.moments import Moment
from console.views import failures as views
from console.views.listing import MOST, Page
from ledger.db import transaction
from workers.failures import operations as stored
from workers.failures import store
from workers.failures.types import (
    CLASSES,
    MANY,
    ORIGINS,
    STATES,
    Filter,
    Operation,
    Refused,
    Row,
    Verb,
)
from workers.flows import operations
from workers.wiring import Wiring, now

#: States in which nothing more will be done.
OVER: Final = ("cancelled", "done")
#: How long bulk work elsewhere is watched; it goes on without anybody.
_WATCHED_S: Final = 600
_TABLE = (
    "id", "state", "kind", "origin", "channel", "sku", "location", "order_id", "count", "last_seen", "assigned_to",
    "error",
)  # fmt: skip
#: Without anything said, what was seen in the last day.
_WINDOW = timedelta(hours=24)

_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.group()
def failed() -> None:
    """Failed work: list, show, retry, discard, assign, export."""


def _filtered(command: _Command) -> _Command:
    """Let a command name failures."""
    for option in (
        click.option(
            "--since",
            default=None,
            type=Moment(),
            help="Seen in the last 30m, 4h, 2d, or since 2026-03-02T14:00 (UTC).",
        ),
        click.option("--task", default=None, help="Of this task, such as workers.tasks.push."),
        click.option("--order", default=None, help="Only of this order."),
        click.option("--sku", default=None, help="Only this SKU."),
        click.option(
            "--origin", default=None, type=click.Choice(ORIGINS), help="Only of what failed there."
        ),
        click.option(
            "--class", "kind", default=None, type=click.Choice(CLASSES), help="Only of this class."
        ),
        click.option("--channel", default=None, help="Only this channel."),
    ):
        command = option(command)
    return command


def _bulk(command: _Command) -> _Command:
    """What every command has that touches many."""
    for option in (
        click.option("--detach", is_flag=True, help="Leave it to the workers, and end at once."),
        click.option(
            "--expect", default=None, type=click.IntRange(0), help="Touch exactly so many, or none."
        ),
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option("--dry-run", is_flag=True, help="Count, and change nothing."),
    ):
        command = option(command)
    return command


def _filter(ids: tuple[int, ...], states: tuple[str, ...], said: dict[str, Any]) -> Filter:
    names = ("channel", "kind", "origin", "sku", "order", "task", "since")
    return Filter(ids=ids, states=states, **{name: said[name] for name in names})


@failed.command("list")
@_filtered
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(STATES),
    help="Default: open and retrying.",
)
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, MOST), help="Rows at most."
)
@click.option("--before", default=None, help="The page after the one that ended with this `next`.")
@as_json
def list_(
    states: tuple[str, ...], limit: int, before: str | None, as_json: bool, **said: Any
) -> None:
    """What failed for good, newest first; of the last 24 hours when --since says nothing else. 3: there is some.

    JSON: {failures: [...], next: CURSOR or null, counts: [{kind, channel, state, rows, oldest}]}
    """  # fmt: skip
    wanted = _filter((), states or ("open", "retrying"), said)
    if wanted.since is None:
        wanted = replace(wanted, since=now() - _WINDOW)
    found = _page(wanted, limit, before)
    counted = asked("/failures/counts", lambda _, book: store.counts(book))
    rows = found.rows
    if as_json:
        emit({"failures": rows, "next": found.after, "counts": counted}, as_json=True)
    else:
        emit([_short(row) for row in rows], as_json=False, table=_TABLE)
        older = sum(each["rows"] for each in counted) - len(rows)
        if found.after is not None:
            click.echo(f"more: --before {found.after}", err=True)
        elif older > 0 and not states:
            click.echo(f"{older} more are open, older or otherwise: --since 30d", err=True)
    if rows:
        raise SystemExit(3)


def _words(wanted: Filter) -> dict[str, Any]:
    """What is meant, as the API is asked for it."""
    said = asdict(wanted) | {"ids": list(wanted.ids), "state": list(wanted.states)}
    return {name: value for name, value in said.items() if value and name != "states"}


def _short(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"error": row["error"].split("\n", 1)[0][:120]}


@failed.command()
@click.argument("number", metavar="ID", type=click.IntRange(1))
@as_json
def show(number: int, as_json: bool) -> None:
    """One failure whole: what was at work, the traceback, and what is kept of its object where that lives."""
    found = asked(f"/failures/{number}", lambda _, book: views.failure(book, number))
    if as_json:
        emit(found, as_json=True)
        return
    for name, value in found.items():
        if name not in ("traceback", "kept") and value not in (None, "", {}, 0):
            click.echo(f"{name:<12} {value}")
    if found["traceback"]:
        click.echo(f"\n{found['traceback']}")
    for each in found["kept"]:
        click.echo()
        for name, value in each.items():
            click.echo(f"{name:<12} {value}")


@failed.command()
@click.argument("ids", metavar="[ID]...", type=click.IntRange(1), nargs=-1)
@_filtered
@_bulk
@by
@click.option("--reason", default="", help="Why; kept with what is done. Default: retry by hand.")
@as_json
def retry(ids: tuple[int, ...], **said: Any) -> None:
    """Do failed work again, each through the door it came by: numbers are computed anew, deliveries go through the
    drain, documents get new control numbers. 4: some failed or must not be done again. 5: refused."""
    said["reason"] = said["reason"] or "retry by hand"
    _do("retry", ids, said)


@failed.command()
@click.argument("ids", metavar="[ID]...", type=click.IntRange(1), nargs=-1)
@_filtered
@_bulk
@by
@reason
@as_json
def discard(ids: tuple[int, ...], **said: Any) -> None:
    """Take failures off the list; what they are about stays as it is. 5: refused."""
    _do("discard", ids, said)


@failed.command()
@click.argument("assignee")
@click.argument("ids", metavar="[ID]...", type=click.IntRange(1), nargs=-1)
@_filtered
@_bulk
@by
@click.option(
    "--reason", default="", help="Why; kept with what is done. Default: assigned by hand."
)
@as_json
def assign(assignee: str, ids: tuple[int, ...], **said: Any) -> None:
    """Say who sees to failures; "" is nobody. 5: refused."""
    said["reason"] = said["reason"] or "assigned by hand"
    _do("assign", ids, said, assignee=assignee)


@failed.command()
@_filtered
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Default: all.")
def export(states: tuple[str, ...], **said: Any) -> None:
    """Write failures as CSV to stdout, newest first, as many as there are."""
    wanted = _filter((), states or STATES, said)
    names = [name for name in Row.__slots__ if name != "payload"]
    after: str | None = None
    is_first = True
    while True:
        found = _page(wanted, MOST, after)
        spreadsheet.write(names, found.rows, head=is_first, end="\r\n")
        after, is_first = found.after, False
        if after is None:
            return


def _page(wanted: Filter, limit: int, after: str | None) -> Page:
    return paged(
        "/failures",
        _words(wanted),
        lambda book: views.failures(book, wanted, limit=limit, after=after),
        limit=limit,
        after=after,
    )


def _do(verb: Verb, ids: tuple[int, ...], said: dict[str, Any], *, assignee: str = "") -> None:
    """Count, ask, write it down, and do it here while somebody looks; workers go on with what is left behind."""
    json_ = bool(said["as_json"])
    wanted = _filter(ids, (), said)
    if there := elsewhere():
        done = _there(there, verb, wanted, said, assignee)
    else:
        done = _here(verb, wanted, said, assignee)
    if done is not None:
        _tell(done, as_json=json_)


def _here(verb: Verb, wanted: Filter, said: dict[str, Any], assignee: str) -> dict[str, Any] | None:
    with acting(f"failed.{verb}", dry_run=said["dry_run"]) as wiring:
        try:
            seen = as_told(operations.preview(wiring.engine, verb, wanted))
            if said["dry_run"] or not seen["total"]:
                _tell_preview(seen, as_json=said["as_json"])
                return None
            expect = _confirmed(verb, seen, said)
            bulk = operations.ask(
                wiring.engine,
                verb,
                wanted,
                by=said["by"],
                reason=said["reason"],
                now=now(),
                expect=expect,
                assignee=assignee,
            )
        except Refused as error:
            raise Failed(str(error), code=5) from None
        assert bulk is not None
        done = bulk if said["detach"] else _worked(wiring, bulk)
    told: dict[str, Any] = as_told(views.of(done))
    return told


def _there(
    there: Elsewhere, verb: Verb, wanted: Filter, said: dict[str, Any], assignee: str
) -> dict[str, Any] | None:
    """The same, over the API: workers there do it, and it is watched from here."""
    words = _words(wanted)
    seen = there.read("/failures/preview", verb=verb, **words)
    if said["dry_run"] or not seen["total"]:
        _tell_preview(seen, as_json=said["as_json"])
        return None
    body = words | {"reason": said["reason"], "expect": _confirmed(verb, seen, said)}
    body |= {"assignee": assignee} if verb == "assign" else {}
    done: dict[str, Any] | None = there.do(f"/failures/{verb}", **body)["operation"]
    if done is None:
        _tell_preview(seen | {"total": 0, "classes": {}, "refused": {}}, as_json=said["as_json"])
        return None
    show = progress(f"{verb} {done['total']}")
    until = time.monotonic() + _WATCHED_S
    while not said["detach"] and done["state"] not in OVER and time.monotonic() < until:
        time.sleep(0.5)
        done = there.read(f"/operations/{done['id']}")
        show(done["done"] + done["failed"] + done["refused"], done["total"])
    return {name: value for name, value in done.items() if name != "failures"}


def _confirmed(verb: Verb, seen: dict[str, Any], said: dict[str, Any]) -> int | None:
    """The number that whoever asks believes in; asked for where nobody said --yes."""
    total = int(seen["total"])
    if said["expect"] is not None:
        return int(said["expect"])
    if total > MANY:
        _tell_preview(seen, as_json=False, err=True)
        if said["yes"]:
            raise Failed(f"more than {MANY}: say --expect {total}", code=5)
        return int(click.prompt(f"Type their number to {verb} them", type=int, err=True))
    if not said["yes"]:
        _tell_preview(seen, as_json=False, err=True)
        if not click.confirm(f"{verb} them?", default=False, err=True):
            raise Failed("nothing was touched: say --yes", code=5)
    return total


def _worked(wiring: Wiring, asked: Operation) -> Operation:
    """Do it here; where a worker was quicker, look how far that is."""
    show = progress(f"{asked.verb} {asked.total}")
    done: Operation | None = asked
    while done is not None and not done.is_over:
        done = operations.work(
            wiring.house, now=now, operation=asked.id, tell=lambda at: show(at.seen, at.total)
        )
    with transaction(wiring.engine) as connection:
        return stored.one(connection, asked.id) or asked


def _tell_preview(seen: dict[str, Any], *, as_json: bool, err: bool = False) -> None:
    if as_json:
        emit(seen, as_json=True)
        return
    by_class = ", ".join(f"{rows} {kind}" for kind, rows in sorted(seen["classes"].items()))
    click.echo(f"{seen['total']} failures are meant{': ' if by_class else ''}{by_class}", err=err)
    for why, rows in sorted(seen["refused"].items()):
        click.echo(f"{rows} of them are refused: {why}", err=err)


def _tell(done: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit(done, as_json=True)
    else:
        click.echo(
            f"operation {done['id']} is {done['state']}: {done['done']} of {done['total']} done,"
            f" {done['failed']} failed, {done['refused']} refused; how they end: lockstep op show {done['id']}"
        )
        for why, rows in sorted(done["why"].items()):
            click.echo(f"{rows} x {why}", err=True)
    if done["failed"] or done["refused"]:
        raise SystemExit(4)
