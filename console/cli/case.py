"""Cases: order lines that were accepted and are not there, and what is done about each."""

from __future__ import annotations

from typing import Any

import click
from sqlalchemy import Connection

from allocation.plays import Response
from console.access.types import Unknown
from console.cli.acting import acting
from console.cli.common import Failed, as_json, by, emit, house, reason
from console.cli.elsewhere import as_told, asked, done, elsewhere, trying
from console.verbs import cases as verbs
from console.views import cases as views
from ledger.db import transaction
from workers import casework
from workers.flows.case_steps import AT_CHANNEL, ELSEWHERE
from workers.wiring import Wiring, now

_STEP = ("position", "kind", "state", "tries", "done_at", "result", "error", "todo")
_RATE = (
    "channel", "week", "accepted", "oversold", "percent", "units", "cost", "undecided", "cost_low", "cost_high"
)  # fmt: skip
_LIST = (
    "id", "state", "channel", "order_id", "units", "sku", "location", "cause", "response", "cost", "next"
)  # fmt: skip
_number = click.argument("number", metavar="ID", type=click.IntRange(1))


@click.group()
def case() -> None:
    """Order lines that were accepted and are not there: find, answer, close, count."""


@case.command("list")
@click.option("--channel", default=None, help="Only this channel.")
@click.option("--sku", default=None, help="Only this SKU.")
@click.option("--all", "all_", is_flag=True, help="Those that are closed too.")
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(1, 10_000), help="Rows at most."
)
@as_json
def list_(channel: str | None, sku: str | None, all_: bool, limit: int, as_json: bool) -> None:
    """Cases, the newest first, with what is to be done next. 3: some are open."""
    said = {"channel": channel, "sku": sku, "all": all_}
    if there := elsewhere():
        rows = there.rows("/cases", limit, **said)
    else:
        with house() as wiring, transaction(wiring.engine) as connection:
            rows = as_told(views.listed(connection, said, limit=limit, after=None).rows)
    emit(rows, as_json=as_json, table=_LIST)
    if any(each["state"] != "closed" for each in rows):
        raise SystemExit(3)


@case.command()
@_number
@click.option("--email", is_flag=True, help="Print the draft to the customer: save it as .eml.")
@as_json
def show(number: int, email: bool, as_json: bool) -> None:
    """A case with its steps and everything that happened around it, by id."""

    def here(_: Wiring, connection: Connection) -> Any:
        found = views.case(connection, number)
        if found is None:
            raise Unknown(f"there is no case {number}: see `lockstep case list --all`")
        return found

    found = asked(f"/cases/{number}", here)
    stood, happened = found["steps"], found["timeline"]
    if email:
        _draft(found)
        return
    if as_json:
        emit(found, as_json=True)
        return
    for name, value in found.items():
        if name not in ("steps", "timeline") and value not in (None, "", {}):
            click.echo(f"{name:<12} {value}")
    if stood:
        click.echo()
        emit(stood, as_json=False, table=_STEP)
    click.echo()
    emit(happened, as_json=False)


def _draft(found: dict[str, Any]) -> None:
    drafts = [step["content"] for step in found["steps"] if step["content"]]
    if not drafts:
        response = found["response"] or "not chosen"
        raise Failed(f"case {found['id']} has no draft: its response is {response}")
    click.echo(drafts[-1].replace("\r\n", "\n"), nl=False)


@case.command()
@_number
@click.argument("response", type=click.Choice([each.value for each in Response]))
@trying
@by
@reason
@as_json
def choose(number: int, response: str, dry_run: bool, by: str, reason: str, as_json: bool) -> None:
    """Say what is done about a case; workers begin at once. 5: it is over, or was chosen already."""
    told = done(
        "case.choose",
        f"/cases/{number}/choose",
        {"response": response, "reason": reason},
        lambda wiring: verbs.choose(
            wiring, number, Response(response), by=by, reason=reason, now=now()
        ),
        dry_run=dry_run,
    )
    emit(told["steps"], as_json=as_json, table=("position", "kind", "state", "todo"))


@case.command()
@_number
@trying
@by
@as_json
def run(number: int, dry_run: bool, by: str, as_json: bool) -> None:
    """Carry out now what is due of a case, and try again what failed. 4: some of it did not work.

    Over the API, and in a dry run, it becomes due at once, and workers carry it out within seconds.
    """
    if dry_run or elsewhere():
        told = done(
            "case.run",
            f"/cases/{number}/run",
            {},
            lambda wiring: verbs.again(wiring.engine, number, by=by, now=now()),
            dry_run=dry_run,
        )
        emit(told["steps"], as_json=as_json, table=_STEP)
        return
    with acting("case.run") as wiring:
        verbs.again(wiring.engine, number, by=by, now=now())
        casework.act(wiring, (*AT_CHANNEL, *ELSEWHERE), case_id=number)
        stood = verbs.standing(wiring.engine, number)["steps"]
    emit(stood, as_json=as_json, table=_STEP)
    if any(step["state"] in ("failed", "due") for step in stood):
        raise SystemExit(4)


@case.command("close")
@_number
@click.option("--keep-hold", is_flag=True, help="Leave the order held at the channel.")
@trying
@by
@reason
@as_json
def close_(
    number: int, keep_hold: bool, dry_run: bool, by: str, reason: str, as_json: bool
) -> None:
    """End a case; what was held at the channel is let go within seconds. 5: it is over already."""
    told = done(
        "case.close",
        f"/cases/{number}/close",
        {"keep_hold": keep_hold, "reason": reason},
        lambda wiring: verbs.close(
            wiring.engine, number, keep_hold=keep_hold, by=by, reason=reason, now=now()
        ),
        dry_run=dry_run,
    )
    if as_json:
        emit(told, as_json=True)
        return
    said = "is closed as soon as its order is let go" if told["lets_go"] else "is closed"
    click.echo(f"case {number} {said}")


@case.command("rate")
@click.option(
    "--weeks", default=12, show_default=True, type=click.IntRange(1, 520), help="How many."
)
@click.option("--channel", default=None, help="Only this channel.")
@as_json
def rate(weeks: int, channel: str | None, as_json: bool) -> None:
    """Oversold lines of a hundred accepted, by channel and week of acceptance, and what they cost. 3: above target."""
    told = asked(
        "/cases/rate",
        lambda _, book: views.rate(book, now(), weeks=weeks, channel=channel),
        weeks=weeks,
        channel=channel,
    )
    if as_json:
        emit(told, as_json=True)
    else:
        emit([*told["weeks"], told["total"]], as_json=False, table=_RATE)
        click.echo(f"target: at most {told['target_percent']} percent")
    percent = told["total"]["percent"]
    if percent is not None and percent > told["target_percent"]:
        raise SystemExit(3)
