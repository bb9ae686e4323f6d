"""Cases: order lines that were accepted and are not there, and what is done about each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from allocation.plays import Response
from console.cli.acting import acting
from console.cli.common import Failed, as_json, by, emit, house, reason
from console.views import cases as views
from ledger.db import transaction
from reconcile.oversold import rates, steps, store
from workers import casework
from workers.flows import cases
from workers.flows.case_steps import AT_CHANNEL, ELSEWHERE
from workers.wiring import now

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
@click.option("--channel", default=None)
@click.option("--sku", default=None)
@click.option("--all", "all_", is_flag=True, help="Those that are closed too.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@as_json
def list_(channel: str | None, sku: str | None, all_: bool, limit: int, as_json: bool) -> None:
    """Cases, open ones first, with what is to be done next. 3: some are open."""
    with house() as wiring, transaction(wiring.engine) as connection:
        found = store.cases(connection, all_=all_, channel=channel, sku=sku, limit=limit)
        stood = steps.of(connection, [each.id for each in found])
    rows = [
        store.row_of(each)
        | {"next": cases.todo_of(each, [s for s in stood if s.case_id == each.id])}
        for each in found
    ]
    emit(rows, as_json=as_json, table=_LIST)
    if any(each.state != "closed" for each in found):
        raise SystemExit(3)


@case.command()
@_number
@click.option("--email", is_flag=True, help="Print the draft to the customer: save it as .eml.")
@as_json
def show(number: int, email: bool, as_json: bool) -> None:
    """A case with its steps and everything that happened around it, by id."""
    with house() as wiring, transaction(wiring.engine) as connection:
        found = views.case(connection, number)
    if found is None:
        raise Failed(f"there is no case {number}: see `lockstep case list --all`")
    stood, happened = found["steps"], found["timeline"]
    if email:
        drafts = [step.content for step in stood if step.content]
        if not drafts:
            raise Failed(
                f"case {number} has no draft: its response is {found['response'] or 'not chosen'}"
            )
        click.echo(drafts[-1].replace("\r\n", "\n"), nl=False)
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


@case.command()
@_number
@click.argument("response", type=click.Choice([each.value for each in Response]))
@by
@reason
@as_json
def choose(number: int, response: str, by: str, reason: str, as_json: bool) -> None:
    """Say what is done about a case; workers begin at once. 5: it is over, or was chosen already."""
    with acting("case.choose") as wiring:
        means = casework.means_of(wiring)
        try:
            cases.choose(
                wiring.engine, means, number, Response(response), by=by, reason=reason, now=now()
            )
        except cases.NotPossible as error:
            raise Failed(str(error), code=5) from None
        with transaction(wiring.engine) as connection:
            stood = [s for s in steps.of(connection, [number]) if s.state != "dropped"]
    emit(stood, as_json=as_json, table=("position", "kind", "state", "todo"))


@case.command()
@_number
@by
@as_json
def run(number: int, by: str, as_json: bool) -> None:
    """Carry out now what is due of a case, and try again what failed. 4: some of it did not work."""
    with acting("case.run") as wiring:
        try:
            cases.again(wiring.engine, number, by=by, now=now())
        except cases.NotPossible as error:
            raise Failed(str(error), code=5) from None
        casework.act(wiring, (*AT_CHANNEL, *ELSEWHERE), case_id=number)
        with transaction(wiring.engine) as connection:
            stood = [s for s in steps.of(connection, [number]) if s.state != "dropped"]
    emit(stood, as_json=as_json, table=_STEP)
    if any(step.state in ("failed", "due") for step in stood):
        raise SystemExit(4)


@case.command("close")
@_number
@click.option("--keep-hold", is_flag=True, help="Leave the order held at the channel.")
@by
@reason
def close_(number: int, keep_hold: bool, by: str, reason: str) -> None:
    """End a case; what was held at the channel is let go within seconds. 5: it is over already."""
    with acting("case.close") as wiring:
        try:
            lets_go = cases.close(
                wiring.engine, number, by=by, reason=reason, keep_hold=keep_hold, now=now()
            )
        except cases.NotPossible as error:
            raise Failed(str(error), code=5) from None
    said = "is closed as soon as its order is let go" if lets_go else "is closed"
    click.echo(f"case {number} {said}")


@case.command("rate")
@click.option("--weeks", default=12, show_default=True, type=click.IntRange(1, 520))
@click.option("--channel", default=None)
@as_json
def rate(weeks: int, channel: str | None, as_json: bool) -> None:
    """Oversold lines of a hundred accepted, by channel and week of acceptance, and what they cost. 3: above target."""
    with house() as wiring, transaction(wiring.engine) as connection:
        since = now() - timedelta(weeks=weeks - 1)
        found, total = rates.rates(connection, since=since, channel=channel)
    if as_json:
        document: dict[str, Any] = {"target_percent": rates.TARGET_PERCENT}
        emit(
            document | {"total": _numbers(total), "weeks": [_numbers(each) for each in found]},
            as_json=True,
        )
    else:
        emit([*found, total], as_json=False, table=_RATE)
        click.echo(f"target: at most {rates.TARGET_PERCENT} percent")
    if total.percent is not None and total.percent > rates.TARGET_PERCENT:
        raise SystemExit(3)


def _numbers(each: rates.Rate) -> dict[str, Any]:
    row = {name: getattr(each, name) for name in rates.Rate.__slots__}
    return row | {name: float(row[name]) for name in ("cost", "cost_low", "cost_high")}
