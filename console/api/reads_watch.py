"""Routes that read: what went wrong, what is done about it, and who did what."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from console.access.types import Role, Unknown
from console.api.answers import PAGE, PROBLEMS, listed, paged, sliced, told
from console.api.state import Reading, TheHouse, needs
from console.api.words import (
    AccuracyQuery,
    AlarmQuery,
    AuditQuery,
    CaseQuery,
    DebtQuery,
    DriftQuery,
    HaltQuery,
    IncidentQuery,
    OfChannel,
    OfPlace,
    Paging,
    PathId,
    ProgramQuery,
    ShrinkageQuery,
    TokenQuery,
)
from console.views import access, alerts, cases, counts, halts, programs, recon, rules
from reconcile import aftermath, count_orders, halt_scopes
from workers.alerts import keeping

router = APIRouter(responses=PROBLEMS)


@router.get("/drift", responses=PAGE, tags=["reconciliation"])
def drift(reading: Reading, query: Annotated[DriftQuery, Query()]) -> Response:
    """Differences found, newest first, with cause, action and result. As `lockstep recon drift --json`."""
    return listed(
        reading, recon.DRIFT, query, _place(query) | {"all": query.all, "cause": query.cause}
    )


@router.get("/runs", responses=PAGE, tags=["reconciliation"])
def runs(reading: Reading, query: Annotated[OfChannel, Query()]) -> Response:
    """Runs of reconciliation, newest first; missed and late ones are marked. As `lockstep recon status --json`."""
    return listed(reading, recon.RUNS, query, {"channel": query.channel})


@router.get("/early", responses=PAGE, tags=["reconciliation"])
def early(reading: Reading, query: Annotated[OfChannel, Query()]) -> Response:
    """SKUs that are read before their window. As `lockstep recon early --json`."""
    return listed(reading, recon.EARLY, query, {"channel": query.channel})


@router.get("/debt", responses=PAGE, tags=["reconciliation"])
def debts(house: TheHouse, reading: Reading, query: Annotated[DebtQuery, Query()]) -> Response:
    """What keeps drifting, the costliest first, with its owner. As `lockstep recon debt --json`."""
    found = recon.debts(reading, house.now(), query.days, query.channel, 10_000)
    key = ("channel", "sku", "location", "cause")
    return sliced(found, query, lambda row: "\x1f".join(row[name] for name in key))


@router.get("/causes", tags=["reconciliation"])
def causes(house: TheHouse, reading: Reading, query: Annotated[DebtQuery, Query()]) -> Response:
    """Drifts by cause, and the share without one. As `lockstep recon causes --json`."""
    return told(recon.causes(reading, house.now(), query.days, query.channel))


@router.get("/quarantine", responses=PAGE, tags=["reconciliation"])
def quarantine(reading: Reading, query: Annotated[OfChannel, Query()]) -> Response:
    """Places that pushing again did not cure. As `lockstep recon quarantine --json`."""
    found = aftermath.quarantined(reading, query.channel)
    return sliced(
        found, query, lambda row: f"{row['channel']}\x1f{row['sku']}\x1f{row['location']}"
    )


@router.get("/halts", responses=PAGE, tags=["halts"])
def halted(reading: Reading, query: Annotated[HaltQuery, Query()]) -> Response:
    """Halts that are not lifted, oldest first; those that only scopes hold with `each=true`."""
    return listed(reading, halts.HALTS, query, _place(query) | {"each": query.each})


@router.get("/halts/scopes", responses=PAGE, tags=["halts"])
def scopes(reading: Reading, query: Annotated[OfChannel, Query()]) -> Response:
    """Scopes that are not lifted, with their halts by state."""
    found = [halts.of_scope(each) for each in halt_scopes.open_scopes(reading, query.channel)]
    return sliced(found, query, lambda row: str(row["scope_id"]))


@router.get("/incidents", responses=PAGE, tags=["alerts"])
def incidents(reading: Reading, query: Annotated[IncidentQuery, Query()]) -> Response:
    """Incidents as they are told, newest first."""
    said = {"all": query.all, "rule": query.rule, "channel": query.channel}
    return listed(reading, alerts.INCIDENTS, query, said)


@router.get("/alarms", responses=PAGE, tags=["alerts"])
def alarms(reading: Reading, query: Annotated[AlarmQuery, Query()]) -> Response:
    """Alarms that are on, oldest first. As `lockstep alarm list --json`."""
    return listed(reading, alerts.ALARMS, query, {"rule": query.rule})


@router.get("/silences", responses=PAGE, tags=["alerts"])
def silences(house: TheHouse, reading: Reading, query: Annotated[Paging, Query()]) -> Response:
    """Rules that are silent, with who said so and why. As `lockstep alert silences --json`."""
    found = list(keeping.silences(reading, house.now()))
    return sliced(found, query, lambda row: str(tuple(dict(row).values())[:4]))


@router.get("/cases", responses=PAGE, tags=["cases"])
def oversold(reading: Reading, query: Annotated[CaseQuery, Query()]) -> Response:
    """Order lines that are not there, newest first, with what is to be done next."""
    said = _place(query) | {"all": query.all}
    return paged(cases.listed(reading, said, limit=query.limit, after=query.after))


@router.get("/cases/{number}", tags=["cases"])
def case(reading: Reading, number: PathId) -> Response:
    """A case with its steps and what happened around it. As `lockstep case show --json`."""
    found = cases.case(reading, number)
    if found is None:
        raise Unknown(f"there is no case {number}")
    return told(found)


@router.get("/counts/orders", responses=PAGE, tags=["counts"])
def recounts(reading: Reading, query: Annotated[Paging, Query()]) -> Response:
    """Recounts that are ordered and not made yet. As `lockstep count orders --json`."""
    found = list(count_orders.open_orders(reading))
    return sliced(
        found, query, lambda row: f"{row.location}\x1f{row.sku}\x1f{row.rule}\x1f{row.what}"
    )


@router.get("/counts/accuracy", responses=PAGE, tags=["counts"])
def accuracy(
    house: TheHouse, reading: Reading, query: Annotated[AccuracyQuery, Query()]
) -> Response:
    """Records within tolerance of those counted, week by week. As `lockstep count accuracy --json`."""
    found = counts.accuracy(
        reading, now=house.now(), location=query.location, weeks=query.weeks, rolling=query.rolling
    )
    return sliced(found, query, lambda row: f"{row['week']}\x1f{row['location']}\x1f{row['tier']}")


@router.get("/counts/shrinkage", responses=PAGE, tags=["counts"])
def shrinkage(reading: Reading, query: Annotated[ShrinkageQuery, Query()]) -> Response:
    """What was lost less what was found in a quarter. As `lockstep count shrinkage --json`."""
    found = counts.shrinkage(reading, query.quarter, query.location)
    return sliced(found, query, lambda row: f"{row['location']}\x1f{row['reason']}")


@router.get("/programs", responses=PAGE, tags=["programs"])
def burning(house: TheHouse, reading: Reading, query: Annotated[ProgramQuery, Query()]) -> Response:
    """Programs and how they are used up. As `lockstep partner list --json`."""
    found = programs.burning(reading, query.partner, house.now(), also_ended=query.all)
    return sliced(
        found, query, lambda row: f"{row['program']}\x1f{row['sku']}\x1f{row['location']}"
    )


@router.get("/rules", responses=PAGE, tags=["rules"])
def versions(reading: Reading, query: Annotated[Paging, Query()]) -> Response:
    """Every version of the rules, newest first: the first is in force. As `lockstep alloc history --json`."""
    return listed(reading, rules.VERSIONS, query, {})


@router.get("/rules/newest", tags=["rules"])
def newest(reading: Reading) -> Response:
    """The version in force, as it was applied. As `lockstep alloc show --json`."""
    return told(rules.version(reading, None))


@router.get("/rules/{version}", tags=["rules"])
def version(reading: Reading, version: PathId) -> Response:
    """A version as it was applied. As `lockstep alloc show --version --json`."""
    return told(rules.version(reading, version))


@router.get("/audit", responses=PAGE, tags=["access"])
def audit(reading: Reading, query: Annotated[AuditQuery, Query()]) -> Response:
    """Who did what, at which door, and how it ended. As `lockstep audit list --json`."""
    names = ("actor", "object", "verb", "outcome", "since")
    said = {name: getattr(query, name) for name in names}
    return listed(reading, access.TRAIL if query.trail else access.DEEDS, query, said)


@router.get("/tokens", responses=PAGE, dependencies=[Depends(needs(Role.ADMIN))], tags=["access"])
def tokens(house: TheHouse, reading: Reading, query: Annotated[TokenQuery, Query()]) -> Response:
    """Tokens, newest first, without their secrets: for admins."""
    return listed(reading, access.TOKENS, query, {"all": query.all, "now": house.now()})


def _place(query: OfPlace) -> dict[str, Any]:
    return {"channel": query.channel, "sku": query.sku}
