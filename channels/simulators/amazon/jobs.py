"""What feeds and reports have in common: their stages, how they are shown, listed and ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from channels.simulators.amazon import notices
from channels.simulators.amazon.account import Account, Act
from channels.simulators.amazon.errors import invalid_input, not_found
from channels.simulators.amazon.notices import stamp
from channels.simulators.amazon.service import Call, Service
from channels.simulators.amazon.state import Document, Job

_DAY_S: Final = 86_400


def find(jobs: Mapping[str, Job], job_id: str, word: str) -> Job:
    """Raises ApiError: 400 for what is no id, 404 for an id that is not there."""
    if not job_id.isdigit():
        raise invalid_input("Invalid Input")
    if job_id not in jobs:
        raise not_found(f"{word} {job_id} does not exist.")
    return jobs[job_id]


def shown(job: Job, word: str) -> dict[str, Any]:
    """A feed or report in the API's form; `word` names its fields."""
    result = "resultFeedDocumentId" if word == "feed" else "reportDocumentId"
    body: dict[str, Any] = {
        f"{word}Id": job.job_id,
        f"{word}Type": job.kind,
        "marketplaceIds": job.marketplaces,
        "createdTime": stamp(job.created_at),
        "processingStatus": job.status,
    }
    for name in ("dataStartTime", "dataEndTime"):
        if name in job.options:
            body[name] = stamp(job.options[name])
    if job.started_at:
        body["processingStartTime"] = stamp(job.started_at)
    if job.ended_at:
        body["processingEndTime"] = stamp(job.ended_at)
    if job.result_id:
        body[result] = job.result_id
    return body


def listed(service: Service, call: Call, word: str, jobs: Mapping[str, Job]) -> dict[str, Any]:
    """One page, newest first. Either types or a token is required; the token goes alone."""
    query = dict(call.query)
    start = 0
    if "nextToken" in query:
        if set(call.given) - {"nextToken"}:
            raise invalid_input("nextToken must be the only parameter.")
        query, start = service.pages.read(query["nextToken"], call.at)
    elif f"{word}Types" not in query:
        raise invalid_input(f"Either {word}Types or nextToken is required.")
    found = sorted(
        (job for job in jobs.values() if _matches(job, query, word)),
        key=lambda job: (job.created_at, job.job_id),
        reverse=True,
    )
    size = query["pageSize"]
    page = {f"{word}s": [shown(job, word) for job in found[start : start + size]]}
    if start + size < len(found):
        token = service.pages.issue((query, start + size), call.at, _DAY_S)
        return {**page, "nextToken": token}
    return dict(page)


def end(account: Account, act: Act, kind: str, job: Job, status: str) -> None:
    """DONE, FATAL or CANCELLED, and told."""
    job.status, job.ended_at = status, act.at
    notices.job_finished(account, act, kind, job)


def shown_document(
    service: Service, document: Document, id_name: str, now: datetime
) -> dict[str, str]:
    """A document with a fresh url to fetch it from."""
    body = {
        id_name: document.document_id,
        "url": service.files.url(document, "GET", now),
    }
    return body | ({"compressionAlgorithm": "GZIP"} if document.gzipped else {})


def _matches(job: Job, query: Mapping[str, Any], word: str) -> bool:
    return (
        job.kind in query[f"{word}Types"]
        and job.status in query.get("processingStatuses", (job.status,))
        and bool(set(job.marketplaces) & set(query.get("marketplaceIds", job.marketplaces)))
        and query.get("createdSince", job.created_at) <= job.created_at
        and job.created_at <= query.get("createdUntil", job.created_at)
    )
