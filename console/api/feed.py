"""Routes about what is given outside: addresses that are told, reviews."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import Response

from channels.outbound import host_of
from console.access.types import Role, Unknown
from console.api.acts import does
from console.api.answers import PAGE, PROBLEMS, sliced, told
from console.api.state import Reading, TheAct, TheFirmAct, TheHouse, needs
from console.api.words import Paging, PathName, Reason, Said
from console.review import store as reviews
from console.review import suggestions
from console.verbs import hooks as verbs
from console.verbs import suggestions as suggestion_verbs
from workers.feed import hook_store

router = APIRouter(responses=PROBLEMS)

HookKind = Literal["halt.set", "halt.lifted", "reorder.needed", "stockout.forecast"]


class HookAdd(Said):
    """An address that is to be told; kinds: what of."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\s\x00-\x1f\x7f/]+$")]
    url: Annotated[str, Field(min_length=8, max_length=2000, pattern=r"^https?://[!-~]+$")]
    kinds: list[HookKind] = Field(min_length=1, max_length=10)

    def arguments(self) -> dict[str, Any]:
        """As they are written down: what is behind the host may be a secret of theirs."""
        return {"name": self.name, "host": host_of(self.url), "kinds": list(self.kinds)}


Suggested = Literal["reorder", "weight", "take-out", "send-in", "unpark"]


class SuggestionsQuery(Said):
    """kind: only these;  every: what was dismissed, too."""

    kind: Suggested | None = None
    every: bool = False
    limit: Annotated[int, Field(ge=1, le=10_000)] = 50


class Dismissal(Reason):
    """What is suggested and not wanted; name: as the list names it."""

    kind: Suggested
    name: Annotated[str, Field(min_length=1, max_length=500)]


@router.get("/hooks", responses=PAGE, dependencies=[Depends(needs(Role.ADMIN))], tags=["hooks"])
def listed(reading: Reading, query: Annotated[Paging, Query()]) -> Response:
    """Addresses that are told, by name, and how each stands; never a secret. For admins."""
    return sliced(hook_store.listed(reading), query, lambda row: str(row["name"]))


@router.get("/reviews/newest", tags=["reviews"])
def review(reading: Reading) -> Response:
    """The newest review of a span of days, as `lockstep review quarter --json` made it."""
    found = reviews.one(reading)
    if found is None:
        raise Unknown("no review was made yet: lockstep review quarter")
    return told(found)


@router.get("/suggestions", tags=["reviews"])
def suggested(
    house: TheHouse, reading: Reading, query: Annotated[SuggestionsQuery, Query()]
) -> Response:
    """What the house suggests and nobody followed or dismissed. As `lockstep review suggestions --json`."""
    found = suggestions.standing(
        reading, house.now(), kind=query.kind, every=query.every, most=query.limit
    )
    return told(found)


@does("review.dismiss", "/suggestions/dismiss", "reviews", router)
def dismiss(act: TheAct, body: Dismissal) -> Response:
    """Say that a suggestion is not wanted; it holds until it has gone and comes anew."""
    with act.doing({"kind": body.kind, "name": body.name}, reason=body.reason):
        done = suggestion_verbs.dismiss(
            act.engine, body.kind, body.name, reason=body.reason, by=act.by, now=act.now()
        )
    return told(done)


@does("hook.add", "/hooks", "hooks", router)
def add(act: TheFirmAct, body: HookAdd) -> Response:
    """Tell an address from now on; the answer is the only place where its secret can be read."""
    with act.doing(body.arguments()):
        done = verbs.add(act.house.wiring, body.name, body.url, list(body.kinds), by=act.by)
    return told(done)


@does("hook.remove", "/hooks/{name}/remove", "hooks", router)
def remove(act: TheAct, name: PathName) -> Response:
    """Tell an address nothing more; what waits for it is dropped."""
    with act.doing({"name": name}):
        done = verbs.remove(act.engine, name, by=act.by, now=act.now())
    return told(done)


@does("hook.test", "/hooks/{name}/test", "hooks", router)
def test(act: TheFirmAct, name: PathName) -> Response:
    """Tell an address something harmless at once; one that was stopped is told again when it takes it."""
    with act.doing({"name": name}):
        done = verbs.test(act.house.wiring, name, by=act.by)
    return told(done)
