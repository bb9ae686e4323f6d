"""Routes about failed work: what failed, doing it again, one or many, and queues that stand still."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import Response

from console.access.types import Role
from console.api.acts import does
from console.api.answers import PAGE, PROBLEMS, paged, sliced, told
from console.api.state import Act, Reading, TheAct, TheHouse, needs
from console.api.words import Id, Moment, Name, Paging, PathId, PathName, Reason, ReasonIfAny, Said
from console.verbs import queues
from console.verbs.queues import refusals
from console.views import failures as views
from workers.failures import pauses, store
from workers.failures.types import Filter, Verb
from workers.flows import operations

router = APIRouter(responses=PROBLEMS)

_Class = Literal["validation", "mapping", "rejected", "throttled_out", "unavailable", "bug"]
_Origin = Literal["inbox", "push", "job", "task", "edi", "case", "alert", "hook"]
_State = Literal["open", "retrying", "resolved", "discarded"]


class FailureFields(Said):
    """By what failures are told apart."""

    channel: Name | None = None
    kind: _Class | None = None
    origin: _Origin | None = None
    sku: Name | None = None
    order: Name | None = None
    task: Name | None = None
    since: Moment | None = None


class FailureQuery(Paging, FailureFields):
    """state: open and retrying if left out."""

    state: list[_State] = Field(default=["open", "retrying"], max_length=4)


class FailureWords(Reason, FailureFields):
    """Which failures are meant; expect: how many they are, needed where they are more than a thousand."""

    ids: list[Id] = Field(default=[], max_length=1000)
    expect: Annotated[int, Field(ge=0, le=10_000_000)] | None = None

    def filter(self) -> Filter:
        """What they mean."""
        return Filter(
            tuple(self.ids), self.channel, self.kind, self.origin, self.sku, self.order, self.task, self.since
        )  # fmt: skip


class FailureAssign(FailureWords):
    """assignee: who sees to them; "" is nobody."""

    assignee: Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""


class FailurePreview(FailureFields):
    """What a verb would do to these failures."""

    verb: Literal["retry", "discard", "assign"]
    ids: list[Id] = Field(default=[], max_length=1000)


@router.get("/failures", responses=PAGE, tags=["failures"])
def failures(reading: Reading, query: Annotated[FailureQuery, Query()]) -> Response:
    """What failed for good, newest first. As the rows of `lockstep failed list --json`."""
    wanted = _filter(query, tuple(query.state))
    return paged(views.failures(reading, wanted, limit=query.limit, after=query.after))


@router.get("/failures/counts", tags=["failures"])
def counts(reading: Reading) -> Response:
    """Open and retrying failures by class, channel and state."""
    return told(store.counts(reading))


@router.get("/failures/preview", tags=["failures"])
def preview(house: TheHouse, query: Annotated[FailurePreview, Query()]) -> Response:
    """How many failures are meant, and how many of them would be refused; nothing is changed."""
    with refusals():
        return told(operations.preview(house.engine, query.verb, _filter(query)))


@router.get("/failures/{number}", dependencies=[Depends(needs(Role.OPERATOR))], tags=["failures"])
def failure(reading: Reading, number: PathId) -> Response:
    """One failure whole, with what is kept of its object, which may name a buyer: for operators and above."""
    return told(views.failure(reading, number))


@does("failed.retry", "/failures/retry", "failures", router)
def retry(act: TheAct, body: FailureWords) -> Response:
    """Do failed work again, each through the door it came by; workers do it, as an operation with progress."""
    return _ask(act, "retry", body)


@does("failed.discard", "/failures/discard", "failures", router)
def discard(act: TheAct, body: FailureWords) -> Response:
    """Take failures off the list; what they are about stays as it is."""
    return _ask(act, "discard", body)


@does("failed.assign", "/failures/assign", "failures", router)
def assign(act: TheAct, body: FailureAssign) -> Response:
    """Say who sees to failures."""
    return _ask(act, "assign", body, body.assignee)


@router.get("/operations", responses=PAGE, tags=["operations"])
def bulk(reading: Reading, query: Annotated[Paging, Query()]) -> Response:
    """Bulk work, newest first. As `lockstep op list --json`."""
    return paged(views.bulk(reading, limit=query.limit, after=query.after))


@router.get("/operations/{number}", tags=["operations"])
def operation(reading: Reading, number: UUID) -> Response:
    """One of them, with how its failures stand now. As `lockstep op show --json`."""
    return told(views.operation(reading, number))


@does("op.cancel", "/operations/{number}/cancel", "operations", router)
def cancel(act: TheAct, number: UUID, body: ReasonIfAny) -> Response:
    """End bulk work after the batch that is being done; what is done stays done."""
    with act.doing({"number": str(number)}, body.reason):
        done = queues.cancel(act.engine, number, by=act.by, reason=body.reason, now=act.now())
    return told(done)


@router.get("/queues", responses=PAGE, tags=["queues"])
def standing(reading: Reading, query: Annotated[Paging, Query()]) -> Response:
    """Every queue that was ever seen, and what is paused. As `lockstep queue list --json`."""
    found = list(pauses.queues(reading))
    return sliced(found, query, lambda row: str(row["queue"]))


@does("queue.pause", "/queues/{name}/pause", "queues", router)
def pause(act: TheAct, name: PathName, body: Reason) -> Response:
    """Let a queue's tasks do nothing until it is resumed, over every restart; what waits stays."""
    with act.doing({"name": name}, body.reason):
        done = queues.pause(act.engine, name, by=act.by, reason=body.reason, now=act.now())
    return told(done)


@does("queue.resume", "/queues/{name}/resume", "queues", router)
def resume(act: TheAct, name: PathName, body: ReasonIfAny) -> Response:
    """Let a paused queue work again."""
    with act.doing({"name": name}, body.reason):
        done = queues.resume(act.engine, name, by=act.by, reason=body.reason, now=act.now())
    return told(done)


def _ask(act: Act, verb: Verb, body: FailureWords, assignee: str = "") -> Response:
    with act.doing(body.arguments(), body.reason), refusals():
        asked = operations.ask(
            act.engine,
            verb,
            body.filter(),
            by=act.by,
            reason=body.reason,
            now=act.now(),
            expect=body.expect,
            assignee=assignee,
        )
    return told({"operation": None if asked is None else views.of(asked)})


def _filter(said: FailureQuery | FailurePreview, states: tuple[str, ...] = ()) -> Filter:
    names = ("channel", "kind", "origin", "sku", "order", "task", "since")
    ids = tuple(getattr(said, "ids", ()))
    return Filter(ids=ids, states=states, **{name: getattr(said, name) for name in names})
