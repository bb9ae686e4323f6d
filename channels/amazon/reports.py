"""Reports over the network: ask for one, see whether it is ready, fetch it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from channels.amazon.api import Missing, SellingPartner


class _Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")


class _Created(_Camel):
    report_id: str


class _Report(_Camel):
    processing_status: str
    report_document_id: str | None = None


class _Document(_Camel):
    url: str
    compression_algorithm: str | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """Where a report stands.

    state      waiting; ready, with its content; failed, with Amazon's word for it
    """

    state: Literal["waiting", "ready", "failed"]
    content: bytes = b""
    why: str = ""


def ask_for(
    api: SellingPartner,
    kind: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    options: Mapping[str, str] | None = None,
) -> str:
    """Ask for a report over the time from `since` to `until` (now); returns its id. It takes minutes to hours."""
    body: dict[str, object] = {"reportType": kind, "marketplaceIds": [api.marketplace_id]}
    for name, at in (("dataStartTime", since), ("dataEndTime", until)):
        if at is not None:
            body[name] = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if options:
        body["reportOptions"] = dict(options)
    return api.ask("createReport", _Created, body=body).report_id  # type: ignore[arg-type]  # a dict of JSON values


def fetch(api: SellingPartner, report_id: str) -> Fetched:
    """The report, if it is ready. A cancelled one had no data, or was cancelled by somebody."""
    try:
        report = api.ask("getReport", _Report, path={"reportId": report_id})
    except Missing:
        return Fetched("failed", why="Amazon has no such report any more")
    status = report.processing_status
    if status in ("IN_QUEUE", "IN_PROGRESS"):
        return Fetched("waiting")
    if status != "DONE" or report.report_document_id is None:
        return Fetched("failed", why=f"Amazon: {status or 'no status'}")
    document = api.ask(
        "getReportDocument", _Document, path={"reportDocumentId": report.report_document_id}
    )
    return Fetched("ready", api.download(document.url, document.compression_algorithm or ""))
