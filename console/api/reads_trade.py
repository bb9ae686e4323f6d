"""Routes that read: what is to come, counts that are due, wholesale, Amazon, rules tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from allocation import document as rule_file
from channels.edi import report
from console.access.types import Role, Unknown
from console.api.answers import PROBLEMS, told
from console.api.state import Reading, TheHouse, needs
from console.api.words import PathId, PathName
from console.api.words_acts import RulesCheck, RulesPlan
from console.api.words_reads import (
    AmazonQuery,
    ChangesQuery,
    DocumentsQuery,
    FbaQuery,
    ForecastQuery,
    McfQuery,
    OffersQuery,
    PlanQuery,
    RateQuery,
    ReorderQuery,
)
from console.verbs import rules as rule_verbs
from console.views import amazon, cases, counts, pace, planning, programs, rules, supply, trade
from workers.flows.count_terms import terms_of

router = APIRouter(responses=PROBLEMS)
_RULES = "the rules sent"
_Route = TypeVar("_Route", bound=Callable[..., Any])


@router.get("/cases/rate", tags=["cases"])
def rate(house: TheHouse, reading: Reading, query: Annotated[RateQuery, Query()]) -> Response:
    """Oversold lines of a hundred accepted, by channel and week. As `lockstep case rate --json`."""
    return told(cases.rate(reading, house.now(), weeks=query.weeks, channel=query.channel))


@router.get("/counts/plan", tags=["counts"])
def plan(house: TheHouse, query: Annotated[PlanQuery, Query()]) -> Response:
    """What is to be counted, and why, most urgent first. As `lockstep count plan --book --json`."""
    return told(
        counts.due(
            house.engine, terms_of(house.settings), house.now(), location=query.location,
            day=query.day, lines=query.lines,
        )
    )  # fmt: skip


@router.get("/lag", tags=["channels"])
def lag(reading: Reading) -> Response:
    """How far each channel is behind, stage by stage, in seconds. As `lockstep lag --json`."""
    return told(pace.lag(reading))


@router.get("/supply", tags=["supply"])
def expected(house: TheHouse, reading: Reading) -> Response:
    """What has not come, the earliest first. As `lockstep supply list --json`."""
    return told(supply.expected(reading, house.now()))


@router.get("/supply/requests", tags=["supply"])
def requests(house: TheHouse, reading: Reading) -> Response:
    """What is to be made or bought sooner, the most urgent first. As `lockstep supply requests --json`."""
    return told(supply.requests(reading, house.now()))


@router.get("/skus/{sku:path}/forecast", tags=["supply"])
def forecast(
    house: TheHouse, reading: Reading, sku: PathName, query: Annotated[ForecastQuery, Query()]
) -> Response:
    """What will be wanted of a SKU, by location. As `lockstep forecast show --json`."""
    return told(planning.forecast(reading, sku, query.days, query.location, house.now()))


@router.get("/reorder", tags=["supply"])
def reorder(house: TheHouse, reading: Reading, query: Annotated[ReorderQuery, Query()]) -> Response:
    """What to order now, and what is held back because it is not in sync. As `lockstep reorder list --json`."""
    said = query.model_dump()
    every = said.pop("every")
    return told(planning.reorder(reading, house.now(), planning.wished(**said), every=every))


@router.get("/reorder/terms", tags=["supply"])
def terms(reading: Reading) -> Response:
    """What is ordered by: of the house, of suppliers, of SKUs. As `lockstep reorder terms --json`."""
    return told(planning.terms(reading))


@router.get("/forecast/run", tags=["supply"])
def forecast_run(reading: Reading) -> Response:
    """The run of the forecast that is not done, and the newest that is. As `lockstep forecast status --json`."""
    return told(planning.status(reading))


@router.get("/programs/{program}", tags=["programs"])
def program(reading: Reading, program: PathName) -> Response:
    """What was agreed, by whom and why. As `lockstep partner show --json`."""
    return told(programs.in_full(reading, program))


@router.get("/programs/{program}/burn", tags=["programs"])
def burn(house: TheHouse, reading: Reading, program: PathName) -> Response:
    """How a program is used up, and what that does to the other channels. As `lockstep partner burn --json`."""
    return told(programs.burn(reading, program, house.now()))


@router.get("/edi/status", tags=["edi"])
def status(house: TheHouse, reading: Reading) -> Response:
    """How every partner stands, and what needs somebody. As `lockstep edi status --json`."""
    return told(trade.status(reading, house.now()))


@router.get("/edi/documents", tags=["edi"])
def documents(reading: Reading, query: Annotated[DocumentsQuery, Query()]) -> Response:
    """Documents that came and went, newest first. As `lockstep edi documents --json`."""
    return told(
        report.documents(
            reading, partner=query.partner, number=query.order, trouble=query.trouble, most=query.limit
        )
    )  # fmt: skip


@router.get("/edi/documents/{document}", dependencies=[Depends(needs(Role.OPERATOR))], tags=["edi"])
def document(reading: Reading, document: PathId) -> Response:
    """A document as it was exchanged, which may name a buyer: for operators and above."""
    found = trade.document(reading, document)
    if found is None:
        raise Unknown(f"there is no document {document}")
    return told(found)


@router.get("/amazon/fba", tags=["amazon"])
def fba(reading: Reading, query: Annotated[FbaQuery, Query()]) -> Response:
    """What Amazon holds of each SKU, and what the book says of it. As `lockstep amazon fba --json`."""
    return told(amazon.fba(reading, query.channel, query.sku, only_off=query.off))


@router.get("/amazon/changes", tags=["amazon"])
def changes(reading: Reading, query: Annotated[ChangesQuery, Query()]) -> Response:
    """Each change of what can be sold, by cause. As `lockstep amazon changes --json`."""
    return told(
        amazon.changes(reading, query.channel, query.sku, only_rest=query.rest, limit=query.limit)
    )


@router.get("/amazon/mcf", tags=["amazon"])
def mcf(reading: Reading, query: Annotated[McfQuery, Query()]) -> Response:
    """Orders of other shops that Amazon ships. As `lockstep amazon mcf list --json`."""
    return told(amazon.mcf(reading, query.channel, only_problems=query.problems, limit=query.limit))


@router.get("/amazon/offers", tags=["amazon"])
def offers(house: TheHouse, reading: Reading, query: Annotated[OffersQuery, Query()]) -> Response:
    """Our share of the featured offer of each ASIN, by time. As `lockstep amazon offers --json`."""
    return told(amazon.offers(reading, query.channel, query.days, house.now()))


@router.get("/amazon/ipi", tags=["amazon"])
def scores(reading: Reading, query: Annotated[AmazonQuery, Query()]) -> Response:
    """IPI scores, newest first. As `lockstep amazon ipi list --json`."""
    return told(amazon.scores(reading, query.channel))


@dataclass(frozen=True, slots=True)
class _Checked:
    fine: bool
    problems: list[Any]
    notes: list[Any]


def reads(path: str, role: Role, tag: str) -> Callable[[_Route], _Route]:
    """A route that is sent something and changes nothing."""
    return router.post(
        path,
        openapi_extra={"x-reads": True, "x-role": role.value},
        dependencies=[Depends(needs(role))],
        tags=[tag],
    )


@reads("/rules/check", Role.VIEWER, "rules")
def check(house: TheHouse, body: RulesCheck) -> Response:
    """Say what is wrong with a rule file, line by line. As `lockstep alloc check --json`."""
    try:
        read = rule_file.read(body.source, _RULES)
    except rule_file.RuleFileError as error:
        return told(_Checked(fine=False, problems=list(error.problems), notes=[]))
    notes = rule_file.remarks(body.source, read, _RULES, house.now())
    return told(_Checked(fine=True, problems=[], notes=list(notes)))


@reads("/rules/plan", Role.OPERATOR, "rules")
def try_rules(house: TheHouse, body: RulesPlan) -> Response:
    """What a rule file would change at the present stock. As `lockstep alloc plan --json`; for operators and above."""
    read = rule_verbs.read(body.source, _RULES)
    return told(rules.plan(house.engine, read, house.now(), sku=body.sku, limit=body.limit))
