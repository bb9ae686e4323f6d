"""What requests may say: bounded, without fields that nobody knows, and never more than the database can keep."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from allocation.plays import Response
from console.access.types import Role
from console.views.listing import MOST
from reconcile.halt_scopes import Scope

_TEXT = r"^[^\x00-\x1f\x7f]*$"
_MOST_ID = 2**63 - 1
_BEGIN, _END = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def _in_reach(moment: datetime) -> datetime:
    if not _BEGIN <= moment < _END:
        raise ValueError("must be from 2000 to 2099")
    return moment


def _said(words: str) -> str:
    if not words.strip():
        raise ValueError("must say something")
    return words.strip()


Name = Annotated[str, Field(min_length=1, max_length=128, pattern=_TEXT)]
PathName = Annotated[str, Path(min_length=1, max_length=128, pattern=_TEXT)]
PathId = Annotated[int, Path(ge=1, le=_MOST_ID)]
Id = Annotated[int, Field(ge=1, le=_MOST_ID)]
Moment = Annotated[AwareDatetime, AfterValidator(_in_reach)]
Why = Annotated[
    str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]*$"), AfterValidator(_said)
]
WhyIfAny = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
Seconds = Annotated[int, Field(ge=60, le=31_536_000)]


class Said(BaseModel):
    """A request's body or query."""

    model_config = ConfigDict(extra="forbid")

    def arguments(self) -> dict[str, Any]:
        """As they are written down."""
        return self.model_dump(exclude={"reason"}, exclude_none=True)


class Reason(Said):
    """Why."""

    reason: Why


class ReasonIfAny(Said):
    """Why, where that is needed only now and then."""

    reason: WhyIfAny = ""


class Paging(Said):
    """Which part of a list: `after` is what the page before said."""

    limit: int = Field(default=100, ge=1, le=MOST)
    after: str | None = Field(default=None, max_length=1000)


class OfChannel(Paging):
    """Of one channel only."""

    channel: Name | None = None


class OfPlace(OfChannel):
    """Of one channel, or one SKU, only."""

    sku: Name | None = None


class Search(Paging):
    """Words to be found anywhere in it."""

    q: Name | None = None


class DriftQuery(OfPlace):
    """all: resolved ones too."""

    all: bool = False
    cause: Name | None = None


class HaltQuery(OfPlace):
    """each: those that only scopes hold too."""

    each: bool = False


class IncidentQuery(OfChannel):
    """all: those that are over too."""

    all: bool = False
    rule: Name | None = None


class AlarmQuery(Paging):
    """Of one rule only."""

    rule: Name | None = None


class CaseQuery(OfPlace):
    """all: those that are closed too."""

    all: bool = False


class DueQuery(OfPlace):
    """parked: true those that wait for a person, false those that wait for their turn."""

    parked: bool | None = None


class InboxQuery(Paging):
    """state: parked and rejected if left out."""

    state: list[Literal["pending", "waiting", "applied", "parked", "rejected"]] = Field(
        default=["parked", "rejected"], max_length=5
    )
    source: Name | None = None


class DebtQuery(OfChannel):
    """days: how far to look back."""

    days: int = Field(default=30, ge=1, le=4000)


class ProgramQuery(Paging):
    """all: ended ones too."""

    partner: Name | None = None
    all: bool = False


class AccuracyQuery(Paging):
    """weeks: how many; rolling: how many the rolling figure spans."""

    location: Name | None = None
    weeks: int = Field(default=13, ge=1, le=104)
    rolling: int = Field(default=13, ge=1, le=104)


class ShrinkageQuery(Paging):
    """quarter: such as 2026Q4."""

    quarter: Annotated[str, Field(pattern=r"^20[0-9]{2}[Qq][1-4]$")]
    location: Name | None = None


class AuditQuery(Paging):
    """trail: what flows wrote of their changes, instead of what was asked at doors."""

    actor: Name | None = None
    object: Annotated[str, Field(min_length=1, max_length=300, pattern=_TEXT)] | None = None
    verb: Name | None = None
    outcome: Literal["done", "refused", "failed", "cut off"] | None = None
    since: Moment | None = None
    trail: bool = False


class CompleteQuery(Said):
    """hours: to look back; of one channel, or of all."""

    channel: Name | None = None
    hours: int = Field(default=24, ge=1, le=8784)


class TokenQuery(Paging):
    """all: those that are revoked or over too."""

    all: bool = False


class SkuQuery(Said):
    """at: as of this moment; known_at: as the book knew then."""

    at: Moment | None = None
    known_at: Moment | None = None


class ExplainQuery(Said):
    """location: where the channel shows several; rows: newest events of each balance."""

    channel: Name
    location: Name | None = None
    at: Moment | None = None
    rows: int = Field(default=5, ge=1, le=100)


class HaltScope(Said):
    """What is meant: a SKU (everywhere, or on a channel), a location, a channel (with `all`), or everything."""

    sku: Name | None = None
    channel: Name | None = None
    location: Name | None = None
    all: bool = False
    everything: bool = False

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        named = [self.sku is not None, self.location is not None, self.all, self.everything]
        if sum(named) != 1:
            raise ValueError("name one of: sku, location, channel with all, everything")
        if self.all and self.channel is None:
            raise ValueError("all is every SKU of a channel: name the channel")
        if self.everything and self.channel is not None:
            raise ValueError("everything on a channel is: channel with all")
        return self

    def scope(self) -> Scope:
        """What they name."""
        return Scope(self.channel, self.location, self.sku)


class HaltWords(Reason, HaltScope):
    """What is meant, and why."""


class HaltSet(HaltWords):
    """for_s: lift it by itself after so long; sure: however much it is."""

    for_s: Seconds | None = None
    sure: bool = False


class PushRetry(ReasonIfAny):
    """Without SKUs: all that are parked on the channel."""

    channel: Name
    skus: list[Name] = Field(default=[], max_length=1000)


class InboxReplay(Said):
    """Ids of parked deliveries."""

    deliveries: list[Id] = Field(min_length=1, max_length=1000)


class Silence(Reason):
    """Tell nothing new of a rule for a while; channel: only of this one."""

    rule: Name
    channel: Annotated[str, Field(max_length=128, pattern=_TEXT)] = ""
    for_s: Seconds


class SilenceEnd(Reason):
    """Let a rule speak again."""

    rule: Name
    channel: Annotated[str, Field(max_length=128, pattern=_TEXT)] = ""


class CaseChoice(Reason):
    """What is done about a case."""

    response: Response


class CaseClose(Reason):
    """keep_hold: leave the order held at the channel."""

    keep_hold: bool = False


class Release(Reason):
    """A SKU that is to leave quarantine; without a location everywhere on the channel."""

    sku: Name
    channel: Name
    location: Name | None = None


class CountSheet(Said):
    """A filled sheet: CSV with sku, location, counted; at: when it was counted, unless its lines say so.

    name    of the sheet, where who sends it has one: the same name is the same count
    """

    name: Annotated[str, Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9-]+$")] | None = (
        None
    )
    sheet: Annotated[str, Field(min_length=1, max_length=900_000, pattern=r"^[^\x00]*$")]
    at: Moment | None = None
    location: Name | None = None
    reason_code: Annotated[str, Field(max_length=40, pattern=r"^[a-z_]*$")] = ""


class RulesApply(Reason):
    """The text of a rule file; expect_version: the one that must be in force until then."""

    source: Annotated[str, Field(min_length=1, max_length=900_000, pattern=r"^[^\x00]*$")]
    expect_version: Annotated[int, Field(ge=0, le=_MOST_ID)] | None = None


class RulesBack(Reason):
    """An older version that is to be in force again."""

    version: Id


class TokenCreate(Said):
    """days: how long it is good; until it is revoked if left out."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\s\x00-\x1f\x7f/]+$")]
    role: Role
    days: int | None = Field(default=None, ge=1, le=3650)
