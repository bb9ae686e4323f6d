"""Forms about wholesale partners and Amazon."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import Field as Said
from pydantic import model_validator

from allocation.programs import Ends, Policy
from console.api.state import Act
from console.api.words import Id, Moment, Name, Reason
from console.api.words import Said as Words
from console.api.words_acts import IpiSet, NoticeNew, ProgramNew, ProgramRelease
from console.api.words_amazon import CapacitySet
from console.pages.sheets import WHY, Came, Field, Sheet
from console.verbs import amazon, amazon_room, edi, programs


class Document(Words):
    """A document by its number."""

    document: Id


class Dismissed(Document, Reason):
    """Why nobody needs to see to it."""


class Released(ProgramRelease):
    """A program by its name."""

    program: Name


class Reserved(ProgramNew):
    """since: now if left out."""

    since: Moment | None = None  # type: ignore[assignment]  # a form may leave it out, the API may not
    percent: Annotated[Decimal, Said(gt=0, le=100)] | None = None

    @model_validator(mode="after")
    def _says_how_many(self) -> Reserved:
        if (self.units is None) is (self.percent is None):
            raise ValueError("say units, or percent of what is available")
        return self


def _ship(act: Act, said: NoticeNew) -> Came:
    with act.doing(said.arguments()):
        done = edi.ship(act.engine, said.notice(), now=act.now())
    rows = [{"line": line, "store": store, "units": units} for line, store, units in done["told"]]
    return Came(f"ship notice {done['shipment']} is document {done['document']}", rows)


def _resend(act: Act, said: Document) -> Came:
    with act.doing({"document": said.document}):
        done = edi.resend(act.engine, said.document, now=act.now())
    return Came(
        f"document {done['made']} says again what document {said.document} said, under new control numbers"
    )


def _retry(act: Act, said: Document) -> Came:
    with act.doing({"document": said.document}):
        done = edi.retry(act.house.wiring.house, said.document, now=act.now())
    return Came(f"document {said.document} is {done['came_to']}")


def _dismiss(act: Act, said: Dismissed) -> Came:
    with act.doing({"document": said.document}, said.reason):
        edi.dismiss(act.engine, said.document, by=act.by, reason=said.reason, now=act.now())
    return Came(f"document {said.document} is off the list")


def _reserve(act: Act, said: Reserved) -> Came:
    wish = said.model_copy(update={"since": said.since or act.now()}).wish()
    with act.doing(said.arguments(), said.reason):
        done = programs.reserve(
            act.house.wiring.house, wish, by=act.by, reason=said.reason, now=act.now()
        )
    rows = [
        {name: line[name] for name in ("sku", "location", "agreed", "note")}
        for line in done["lines"]
    ]
    return Came(
        f"program {said.name}: {sum(row['agreed'] for row in rows)} units are reserved", rows
    )


def _release(act: Act, said: Released) -> Came:
    with act.doing({"program": said.program, "units": said.units}, said.reason):
        done = programs.release(
            act.house.wiring.house, said.program, said.units, by=act.by, reason=said.reason,
            now=act.now(),
        )  # fmt: skip
    ended = "; it has ended" if done["ended"] else ""
    return Came(f"{done['units']} units of {said.program} are free{ended}")


def _ipi(act: Act, said: IpiSet) -> Came:
    with act.doing({"name": said.channel, **said.arguments()}):
        done = amazon.set_ipi(
            act.engine, said.channel, said.score, said.threshold, said.scored_on, by=act.by,
            now=act.now(),
        )  # fmt: skip
    return Came(f"{done['channel']}: IPI {done['score']} on {done['scored_on']}")


class SizesText(Words):
    """Sizes as CSV."""

    text: Annotated[str, Said(min_length=1, max_length=900_000)]


class Limit(Words):
    """A limit of storage; what is left out is not limited."""

    storage_type: str
    cubic_feet: Annotated[Decimal, Said(ge=0, le=1_000_000_000, decimal_places=2)] | None = None
    units: Annotated[int, Said(ge=0, le=1_000_000_000)] | None = None
    since: date | None = None
    channel: Name | None = None

    @model_validator(mode="after")
    def _as_the_api_asks(self) -> Limit:
        CapacitySet(**self.model_dump())
        return self


def _sizes(act: Act, said: SizesText) -> Came:
    rows = amazon_room.read_sizes(said.text)
    with act.doing({"file": "form", "rows": len(rows)}):
        done = amazon_room.set_sizes(act.engine, rows, by=act.by, now=act.now())
    return Came(f"the size of {done['skus']} SKUs is known")


def _capacity(act: Act, said: Limit) -> Came:
    limit = amazon_room.limit_of(
        said.storage_type, said.since, said.cubic_feet, said.units, act.now()
    )
    with act.doing({"name": said.channel, "storage_type": said.storage_type, "units": said.units}):
        done = amazon_room.set_capacity(act.engine, said.channel, limit, by=act.by, now=act.now())
    return Came(f"{done['channel']}: {done['storage_type']} is limited from {done['since']} on")


_DOCUMENT: Final = Field("document", "Document", "number", required=True)

SHEETS: Final[tuple[Sheet[Any], ...]] = (
    Sheet("edi.ship", "Send a ship notice (856)", NoticeNew,
          (Field("partner", "Partner", required=True), Field("number", "Purchase order", required=True),
           Field("release", "Release", hint="of a blanket order"),
           Field("cartons", "Packing list", "area", hint="CSV: carton,line,quantity[,store,tracking,pallet]"),
           Field("carrier", "Carrier", hint="SCAC"), Field("bill", "Bill of lading"),
           Field("tracking", "Tracking number"), Field("weight", "Weight in pounds", "number")),
          _ship, "/edi", "Of what the ledger shipped and no notice told; refused where the sums differ.",
          lambda _: True),
    Sheet("edi.resend", "Send a document again", Document, (_DOCUMENT,), _resend, "/edi",
          "Under new control numbers; one that the partner took is refused.", lambda _: True),
    Sheet("edi.retry", "Work a document again", Document, (_DOCUMENT,), _retry, "/edi",
          "For one of a partner that waits for a person."),
    Sheet("edi.dismiss", "Take a document off the list", Dismissed, (_DOCUMENT, WHY), _dismiss, "/edi",
          "Somebody has seen to it elsewhere.", lambda _: True),
    Sheet("partner.reserve", "Make a program", Reserved,
          (Field("name", "Program", required=True, hint="its own name, never used twice"),
           Field("partner", "Partner", required=True, hint="a channel"),
           Field("skus", "SKUs", "list", required=True), Field("location", "Location", required=True),
           Field("units", "Units of each SKU", "number"), Field("percent", "or percent of what is available", "number"),
           Field("since", "From", hint="such as 2026-03-12T00:00Z; now if left out"),
           Field("until", "Before", required=True, hint="such as 2026-06-01T00:00Z"),
           Field("policy", "Beyond it", "choice", choices=tuple(each.value for each in Policy)),
           Field("ends", "What is left ends", "choice", choices=tuple(each.value for each in Ends)),
           Field("partial", "Take what is there when that is less", "flag"), WHY),
          _reserve, "/edi", "", lambda _: True),
    Sheet("partner.release", "Let go of a program", Released,
          (Field("program", "Program", required=True),
           Field("units", "Units", "number", hint="all, and for good, if left out"), WHY),
          _release, "/edi", "", lambda _: True),
    Sheet("amazon.ipi.set", "Write down an IPI score", IpiSet,
          (Field("score", "Score", "number", required=True), Field("threshold", "Threshold", "number"),
           Field("scored_on", "Of", hint="such as 2026-03-12; today if left out"),
           Field("channel", "Channel", hint="where there are several")), _ipi, "/amazon"),
    Sheet("amazon.size.set", "Say how large units are", SizesText,
          (Field("text", "Sizes", "area", required=True, hint=f"CSV: {','.join(amazon_room.COLUMNS)}"),),
          _sizes, "/amazon/aged", "Counts before what Amazon measured; cartons are what is sent in."),
    Sheet("amazon.capacity.set", "Write down a limit of storage", Limit,
          (Field("storage_type", "Type", "choice", required=True, choices=amazon_room.STORAGE_TYPES),
           Field("cubic_feet", "Cubic feet", "number"), Field("units", "or units", "number"),
           Field("since", "From", hint="such as 2026-03-01; today if left out"),
           Field("channel", "Channel", hint="where there are several")), _capacity, "/amazon/send-in"),
)  # fmt: skip
