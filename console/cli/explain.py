"""`lockstep sku explain`: a number from the rows of the ledger to what the channel shows.

With `--json` one object, whose fields stay (moments in ISO 8601, units signed where they add up):

    sku, channel, location, at    `at` is null for now;  told   true where the channel holds the stock and tells us
    ledger      of each balance behind the number: sku, location, units and version as the target was computed from,
                events, kinds [{kind, units, events}] that sum to the units, newest [event], and since {units, events,
                kinds, newest}: what moved it after that version.
                An event: event_id, kind, source, source_id, occurred_at, recorded_at, units, after, version, reference,
                reason
    terms       [{name, units, sum, id, why}]; the units sum to the target's, `sum` is how far one has come
    target      id (of the history), number, units, set_at, pool, share, takes, remark, and rules {version, author,
                reason, applied_at}; due_since where the SKU waits to be computed again. Where no arithmetic was kept
                id, pool, share, takes and rules are null
    push        the last one: id, number, units, expected, sent_at, answered_at, outcome, detail; or null
    shown       what was confirmed last: units, number, confirmed_at (push_id for a moment before); or null
    reading     what was read back last: units (null is unknown), read_at, why; for now verify_at and missing
    waits       why the number is not out yet: why, priority, since, run_at, attempts, parked, on_its_way, error,
                next_call_at; or null
    halts       [{id, state, reason, set_by, set_at}]; hidden_at: since when the listing is off sale, or null
    held_by     what a rise of it waits for now, in words; empty where nothing is held
    lag         hear_s, show_s, assumed; or null
    adds_up     true; false is a mistake of ours, named in `faults`; null where no arithmetic was kept
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import click
from sqlalchemy import Connection

from console.access.types import Unknown
from console.cli.common import Failed, as_json, emit
from console.cli.elsewhere import asked, quoted
from console.views.explained import in_full
from workers.flows.explain import ROWS, NothingToExplain
from workers.flows.explain import explain as explain_number
from workers.wiring import Wiring, now

#: A part of what is printed with --json.
Told: TypeAlias = Mapping[str, Any]

_WHEN = click.DateTime(
    ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M:%S"]
)


@click.command("explain")
@click.argument("sku")
@click.option("--channel", required=True, help="Only this channel.")
@click.option("--location", help="Where there is more than one.")
@click.option("--at", "at", type=_WHEN, help="As it was at this moment (UTC).")
@click.option(
    "--rows",
    default=ROWS,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="Newest events to name.",
)
@as_json
def explain(
    sku: str, channel: str, location: str | None, at: datetime | None, rows: int, as_json: bool
) -> None:
    """Why CHANNEL should show that number of SKU: ledger, rules, target, push, read-back."""
    at = at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC) if at else None
    if at is not None and at > now():
        raise click.UsageError("--at is in the future; lockstep alloc plan tells what would change")

    def here(wiring: Wiring, _: Connection) -> Any:
        try:
            return in_full(explain_number(wiring.engine, sku, channel, location, at, rows))
        except NothingToExplain as error:
            raise Unknown(str(error)) from None

    asked_for = {"channel": channel, "location": location, "at": at, "rows": rows}
    found = asked(f"/skus/{quoted(sku)}/explain", here, **asked_for)
    if as_json:
        emit(found, as_json=True)
    else:
        click.echo("\n".join(_lines(found)))
    if found["faults"]:
        raise Failed(
            f"the sums behind {found['sku']} on {found['channel']} at {found['location']} do not agree:"
            f" {'; '.join(found['faults'])}. That is a mistake in Lockstep: run lockstep ledger verify, and report this"
            " with the output of --json"
        )


def _lines(found: Told) -> Iterator[str]:
    then = f" at {_time(found['at'])}" if found["at"] else ""
    yield f"{found['sku']} on {found['channel']} at {found['location']}{then}: {found['target']['units']}"
    for account in found["ledger"]:
        yield ""
        yield from _account(account, found)
    yield ""
    yield from _terms(found)
    yield ""
    yield from _became(found)
    yield f"check     {_check(found)}"


def _account(account: Told, found: Told) -> Iterator[str]:
    told = "held by the channel, as it tells" if found["told"] else "available"
    yield (
        f"ledger    {account['sku']} at {account['location']}: {account['units']} {told},"
        f" version {account['version']}"
    )
    yield from _kinds(account["kinds"])
    yield f"  {'=' + str(account['units']):>9}  after {_count(account['events'])}"
    yield from _entries("newest", account["newest"])
    since = account["since"]
    if since["kinds"]:
        yield f"  since     {since['units']:+d} in {_count(since['events'])}: {_since(found)}"
        yield from _entries("", since["newest"])


def _since(found: Told) -> str:
    if found["at"] is not None:
        return "not in the number of then"
    if (due := found["target"]["due_since"]) is not None:
        return f"not in the number yet, the SKU is due since {_time(due)}"
    return "computed again, and the number stayed the same"


def _kinds(kinds: Sequence[Told]) -> Iterator[str]:
    width = max((len(moved["kind"]) for moved in kinds), default=0)
    for moved in kinds:
        yield f"  {moved['units']:>+9d}  {moved['kind']:<{width}}  {_count(moved['events'])}"


def _entries(title: str, entries: Sequence[Told]) -> Iterator[str]:
    for entry in entries:
        named = f"{entry['kind']} {entry['source']}/{entry['source_id']}"
        moved = f"{entry['units']:>+6d}  {_time(entry['occurred_at'])}"
        yield f"  {title:<8}  {moved}  {named}  {entry['event_id']}"
        title = ""


def _terms(found: Told) -> Iterator[str]:
    target = found["target"]
    if target["pool"] is None:
        yield f"terms     not kept: {target['remark']}"
        return
    remark = f"; {target['remark']}" if target["remark"] else ""
    yield f"terms     computed {_time(target['set_at'])}{remark}"
    width = max(len(term["id"]) for term in found["terms"])
    subtotals = {"pool": target["pool"], "share": target["share"]}
    for term in found["terms"]:
        for name in _passed(term["name"], subtotals):
            yield _subtotal(name, subtotals.pop(name), found)
        moved = f"{term['units']:>+9d} {term['sum']:>7d}"
        yield f"  {moved}  {term['name']:<9}  {term['id']:<{width}}  {term['why']}".rstrip()
    for name, units in subtotals.items():
        yield _subtotal(name, units, found)
    yield f"  {'':>9} {target['units']:>7d}  = target"


def _passed(name: str, subtotals: Mapping[str, int]) -> list[str]:
    """The sums that come before a term."""
    before_pool = ("available", "safety", "owed")
    reached = {
        "pool": name not in before_pool,
        "share": name not in (*before_pool, "others", "protected"),
    }
    return [subtotal for subtotal in subtotals if reached[subtotal]]


def _subtotal(name: str, units: int, found: Told) -> str:
    takes = f": {found['target']['takes']}" if name == "share" else ""
    return f"  {'':>9} {units:>7d}  = {name}{takes}"


def _became(found: Told) -> Iterator[str]:
    target, rules = found["target"], found["target"]["rules"]
    by = f", rules {rules['version']} by {rules['author']} ({rules['reason']})" if rules else ""
    row = f", history {target['id']}" if target["id"] is not None else ""
    yield f"target    {target['units']}, number {target['number']}, set {_time(target['set_at'])}{by}{row}"
    if found["lag"] is not None:
        yield f"lag       {_lag(found['lag'])}"
    yield f"push      {_push(found)}"
    yield f"shown     {_shown(found['shown'], found['push'])}"
    yield f"read back {_reading(found['reading'])}"
    if (waits := found["waits"]) is not None:
        error = f"; {waits['error']}" if waits["error"] else ""
        yield f"waits     {waits['why']}, since {_time(waits['since'])}, next {_time(waits['run_at'])}{error}"
    if found["held_by"]:
        yield f"held      a rise is {found['held_by']}"
    for halt in found["halts"]:
        yield f"halt      {halt['id']}: {halt['reason']} ({halt['set_by']}, {_time(halt['set_at'])})"
    if found["hidden_at"] is not None:
        yield f"off sale  since {_time(found['hidden_at'])}: nothing is left"


def _push(found: Told) -> str:
    push = found["push"]
    if found["told"]:
        return "none: the channel holds the stock itself and tells us"
    if push is None:
        return "none"
    answered = f" at {_time(push['answered_at'])}" if push["answered_at"] else ""
    detail = f" ({push['detail']})" if push["detail"] else ""
    sent = f"{push['id']}: {push['units']}, number {push['number']}, sent {_time(push['sent_at'])}"
    return f"{sent}; {push['outcome']}{answered}{detail}"


def _shown(shown: Mapping[str, Any] | None, push: Mapping[str, Any] | None) -> str:
    if shown is None:
        return "nothing was confirmed"
    same = push is not None and push["number"] == shown["number"]
    if same and push is not None and push["units"] != shown["units"]:
        return f"{shown['units']}, number {shown['number']}: {push['units']} less what the channel sold since"
    when = _time(shown["confirmed_at"]) if shown["confirmed_at"] else "never by a push"
    return f"{shown['units']}, number {shown['number']}, confirmed {when}"


def _reading(reading: Mapping[str, Any]) -> str:
    due = reading.get("verify_at")
    next_one = f"; due {_time(due)}" if due else ""
    missing = f"; {reading['missing']} gone that no order told of" if reading.get("missing") else ""
    if reading["read_at"] is None:
        return f"{reading['why']}{next_one}{missing}"
    units = "no number" if reading["units"] is None else reading["units"]
    return f"{units} at {_time(reading['read_at'])}: {reading['why']}{next_one}{missing}"


def _lag(lag: Mapping[str, Any]) -> str:
    assumed = f"; assumed: {', '.join(lag['assumed'])}" if lag["assumed"] else ""
    if lag["show_s"] is None:
        return f"never measured{assumed}"
    return f"a sale is heard in {lag['hear_s']:.1f} s, a number shown in {lag['show_s']:.1f} s{assumed}"


def _check(found: Told) -> str:
    if found["adds_up"] is None:
        return "nothing to add up"
    if found["faults"]:
        return f"THE SUMS DO NOT AGREE: {'; '.join(found['faults'])}"
    events = sum(account["events"] for account in found["ledger"])
    terms = len(found["terms"])
    return f"the sums agree: {_count(events)}, {terms} term{'s' if terms != 1 else ''}, one number"


def _count(events: int) -> str:
    return "1 event" if events == 1 else f"{events} events"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
