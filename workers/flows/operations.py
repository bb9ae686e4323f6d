"""Bulk work on failures: counted, asked for with a reason, written down, done in batches by whoever comes, cancelled by
a word. A worker that dies leaves a lease to run out; what its last batch did is counted with it, once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Engine

from ledger.db import transaction
from reconcile.trail import record
from workers.failures import operations, store
from workers.failures.types import MANY, Filter, Operation, Preview, Refused, Verb
from workers.flows import failed
from workers.flows.failed import Outcome
from workers.flows.ingest import House

#: Failures of one batch, and batches of one go: the rest is left to the next worker.
BATCH: Final = 200
_BATCHES: Final = 25

_STATES: Final[Mapping[str, tuple[str, ...]]] = {
    "retry": ("open",),
    "discard": ("open",),
    "assign": ("open", "retrying"),
}


def meant(verb: Verb, wanted: Filter) -> Filter:
    """The filter with the states that a verb is about, where it names none.

    raises    Refused when it names nothing but a time and a state
    """
    if not wanted.names_something:
        raise Refused(
            "name the failures: by id, --channel, --class, --origin, --sku, --order or --task;"
            " `lockstep failed list` shows them"
        )
    if wanted.states:
        return wanted
    return Filter(**{**_fields(wanted), "states": _STATES[verb]})


def preview(engine: Engine, verb: Verb, wanted: Filter) -> Preview:
    """What bulk work would do; nothing is changed. Raises Refused."""
    with transaction(engine) as connection:
        return failed.preview(connection, meant(verb, wanted), judged=verb == "retry")[0]


def ask(
    engine: Engine,
    verb: Verb,
    wanted: Filter,
    *,
    by: str,
    reason: str,
    now: datetime,
    expect: int | None = None,
    assignee: str = "",
) -> Operation | None:
    """Write bulk work down; workers begin within seconds. None when no failure is meant.

    expect     how many are meant, as whoever asks believes; needed above `MANY`
    raises     Refused: it names nothing, no reason was given, or the number is another one
    """
    wanted = meant(verb, wanted)
    if not reason.strip():
        raise Refused("say why: the reason is kept with what is done")
    with transaction(engine) as connection:
        counted, newest = failed.preview(connection, wanted, judged=verb == "retry")
        if not counted.total:
            return None
        _guard(counted.total, expect)
        made = operations.add(
            connection,
            verb,
            filter_document(wanted),
            assignee=assignee,
            actor=by,
            reason=reason,
            total=counted.total,
            upto=newest,
            now=now,
        )
        record(
            connection,
            actor=by,
            action=f"failed.{verb}",
            what=f"operation:{made.id}",
            at=now,
            reason=reason,
            detail={"filter": made.filter, "total": counted.total, "assignee": assignee},
        )
    return made


def _guard(total: int, expect: int | None) -> None:
    if expect is not None and expect != total:
        raise Refused(
            f"{total} failures are meant now, not {expect}: look again, then say the number"
        )
    if total > MANY and expect is None:
        raise Refused(
            f"{total} failures are meant: type their number, or say --expect {total} to touch so many"
        )


def work(
    house: House,
    *,
    now: Callable[[], datetime],
    operation: UUID | None = None,
    batches: int = _BATCHES,
    batch: int = BATCH,
    tell: Callable[[Operation], None] | None = None,
) -> Operation | None:
    """Do bulk work that nobody is at, the oldest first, or this; returns it as it stands then, None: there is none.

    batches    most of one go;  batch  most failures of one
    tell       called after each batch
    """
    with transaction(house.engine) as connection:
        held = operations.claim(connection, now(), operation)
    if held is None:
        return None
    for _ in range(batches):
        moved = _batch(house, held, now, batch)
        if moved is None:
            break
        if tell is not None:
            tell(moved)
    else:
        with transaction(house.engine) as connection:
            operations.let_go(connection, held)
    with transaction(house.engine) as connection:
        return operations.one(connection, held.id)


def _batch(
    house: House, held: Operation, now: Callable[[], datetime], batch: int
) -> Operation | None:
    """Do one batch; None when there was no more to do, or somebody else does it."""
    with transaction(house.engine) as connection:
        at = operations.hold(connection, held)
        if at is None:
            return None
        wanted = filter_of(at.filter)
        rows = store.in_order(connection, wanted, after=at.through, upto=at.upto, most=batch)
        if at.state == "cancelling" or not rows:
            operations.end(connection, held, now())
            return None
    outcome = Outcome()
    if at.verb == "retry":
        outcome = failed.retry_alone(house, rows, by=at.actor, now=now())
        failed.mark_alone(house, outcome, now=now(), operation=at.id)
    with transaction(house.engine) as connection:
        at = operations.hold(connection, held)
        if at is None:
            return None
        match at.verb:
            case "retry":
                failed.retry_together(connection, rows, outcome, now=now(), operation=at.id)
            case "discard":
                outcome = failed.discard(
                    connection, rows, by=at.actor, reason=at.reason, now=now(), operation=at.id
                )
            case "assign":
                outcome = failed.assign(connection, rows, at.assignee, at.id)
        why = {name: at.why.get(name, 0) + outcome.why[name] for name in {*at.why, *outcome.why}}
        return operations.advance(
            connection,
            at,
            through=rows[-1].id,
            done=len(outcome.touched),
            failed=outcome.failed,
            refused=outcome.refused,
            why=why,
            now=now(),
        )


def cancel(engine: Engine, operation: UUID, *, by: str, reason: str, now: datetime) -> str:
    """End bulk work after the batch that is being done; its state then. Raises Refused when it is over."""
    with transaction(engine) as connection:
        state = operations.cancel(connection, operation, now)
        if state is None:
            known = operations.one(connection, operation)
            raise Refused(
                f"there is no operation {operation}" if known is None else f"it is {known.state}"
            )
        record(
            connection,
            actor=by,
            action="operation.cancel",
            what=f"operation:{operation}",
            at=now,
            reason=reason,
        )
    return state


def _fields(wanted: Filter) -> dict[str, Any]:
    return {name: getattr(wanted, name) for name in Filter.__slots__}


def filter_document(wanted: Filter) -> dict[str, Any]:
    """A filter as it is kept: what it says, nothing else."""
    said = {name: value for name, value in _fields(wanted).items() if value not in (None, ())}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in said.items()
    }


def filter_of(document: Mapping[str, Any]) -> Filter:
    """A filter that was kept."""
    said = dict(document)
    if "since" in said:
        said["since"] = datetime.fromisoformat(said["since"])
    for name in ("ids", "states"):
        if name in said:
            said[name] = tuple(said[name])
    return Filter(**said)
