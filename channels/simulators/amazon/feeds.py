"""Feeds 2021-06-30: a document uploaded to a presigned url, a feed made of it, its stages, its gzipped report."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from channels.simulators.amazon import jobs, listings, notices
from channels.simulators.amazon.attributes import Issue, issues_of, names_in, written
from channels.simulators.amazon.errors import ApiError, invalid_input
from channels.simulators.amazon.service import Call, Handler, Service
from channels.simulators.amazon.state import Document, Job

LISTINGS_FEED: Final = "JSON_LISTINGS_FEED"
LONGEST: Final = 25_000
"""Messages in one feed (listings-feed-schema-v2)."""

_NEEDS: Final = {
    "UPDATE": ("productType", "attributes"),
    "PARTIAL_UPDATE": ("productType", "attributes"),
    "PATCH": ("productType", "patches"),
    "DELETE": (),
}
_JSON: Final = "application/json; charset=UTF-8"


def handlers() -> dict[str, Handler]:
    return {
        "feeds_2021-06-30.createFeedDocument": create_document,
        "feeds_2021-06-30.getFeedDocument": get_document,
        "feeds_2021-06-30.createFeed": create_feed,
        "feeds_2021-06-30.getFeed": get_feed,
        "feeds_2021-06-30.getFeeds": get_feeds,
        "feeds_2021-06-30.cancelFeed": cancel_feed,
    }


def create_document(service: Service, call: Call) -> object:
    document = service.files.add(call.body["contentType"])
    url = service.files.url(document, "PUT", call.at)
    return {"feedDocumentId": document.document_id, "url": url}


def get_document(service: Service, call: Call) -> object:
    document = service.account.documents.get(call.path["feedDocumentId"])
    if document is None:
        raise invalid_input("Invalid Input", "there is no such feed document")
    return jobs.shown_document(service, document, "feedDocumentId", call.at)


def create_feed(service: Service, call: Call) -> object:
    kind = call.body["feedType"]
    if kind != LISTINGS_FEED:
        raise invalid_input("Invalid Input", f"feed type {kind} is not supported")
    if service.account.marketplace_id not in call.body["marketplaceIds"]:
        raise invalid_input("Invalid Input", "marketplaceIds")
    document = service.account.documents.get(call.body["inputFeedDocumentId"])
    if document is None or not document.upload:
        raise invalid_input("Invalid Input", "inputFeedDocumentId")
    job = Job(service.account.new_digits(12), kind, call.body["marketplaceIds"], call.at)
    job.input_id = document.document_id
    service.account.feeds[job.job_id] = job
    wait_s = service.account.pace.queue_s
    service.account.later(call.at, wait_s, lambda due: _start(service, job, due))
    return {"feedId": job.job_id}


def get_feed(service: Service, call: Call) -> object:
    return jobs.shown(_feed(service, call), "feed")


def get_feeds(service: Service, call: Call) -> object:
    return jobs.listed(service, call, "feed", service.account.feeds)


def cancel_feed(service: Service, call: Call) -> object:
    job = _feed(service, call)
    if job.status != "IN_QUEUE":
        raise invalid_input(f"Feed {job.job_id} is {job.status} and cannot be cancelled.")
    with service.account.act() as act:
        jobs.end(service.account, act, notices.FEED_DONE, job, "CANCELLED")
    return {}


def _feed(service: Service, call: Call) -> Job:
    return jobs.find(service.account.feeds, call.path["feedId"], "Feed")


# -- processing ---------------------------------------------------------------------------------------------------


def _start(service: Service, job: Job, at: datetime) -> None:
    if job.status != "IN_QUEUE":
        return
    job.status, job.started_at = "IN_PROGRESS", at
    if service.strikes("stuck_feed", at):
        return
    wait_s = service.account.pace.work_s
    service.account.later(at, wait_s, lambda due: _finish(service, job, due))


def _finish(service: Service, job: Job, at: datetime) -> None:
    account = service.account
    feed = _readable(service, account.documents[job.input_id or ""])
    with account.happening(at) as act:
        if feed is None or service.strikes("fatal_feed", at):
            jobs.end(account, act, notices.FEED_DONE, job, "FATAL")
            return
        report = json.dumps(process(service, feed, job.job_id, at)).encode()
        job.result_id = service.files.add(_JSON, report).document_id
        jobs.end(account, act, notices.FEED_DONE, job, "DONE")


def _readable(service: Service, document: Document) -> dict[str, Any] | None:
    """The feed, or None when it cannot be processed at all."""
    try:
        raw = document.content or b""
        feed = json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
        header, messages = feed["header"], feed["messages"]
        fits = (
            header["sellerId"] == service.account.seller_id
            and header["version"] == "2.0"
            and 0 < len(messages) <= LONGEST
        )
    except (ValueError, KeyError, TypeError, OSError):
        return None
    return feed if fits else None


def process(
    service: Service, feed: Mapping[str, Any], feed_id: str, at: datetime
) -> dict[str, Any]:
    """Take every message or say what is wrong with it; the processing report."""
    seen: set[int] = set()
    issues: list[dict[str, Any]] = []
    invalid = 0
    for given in feed["messages"]:
        message = given if isinstance(given, dict) else {}
        number = message.get("messageId")
        if not isinstance(number, int) or number < 1 or number in seen:
            found = [_bad("messageId is missing, not a positive number or used before.")]
        else:
            seen.add(number)
            found = _take(service, message, at)
        invalid += any(issue["severity"] == "ERROR" for issue in found)
        issues += [_reported(issue, message) for issue in found]
    errors = sum(issue["severity"] == "ERROR" for issue in issues)
    count = len(feed["messages"])
    return {
        "header": {"sellerId": service.account.seller_id, "version": "2.0", "feedId": feed_id},
        "issues": issues,
        "summary": {
            "errors": errors,
            "warnings": len(issues) - errors,
            "messagesProcessed": count,
            "messagesAccepted": count - invalid,
            "messagesInvalid": invalid,
        },
    }


def _take(service: Service, message: Mapping[str, Any], at: datetime) -> list[Issue]:
    """Submit one message; the issues that speak against it."""
    kind, sku = message.get("operationType"), message.get("sku")
    if kind not in _NEEDS or not isinstance(sku, str) or not sku:
        return [_bad("Invalid parameters provided.")]
    if any(name not in message for name in _NEEDS[kind]):
        return [_bad("Invalid parameters provided.")]
    try:
        issues, change = _change(service, message, kind, sku)
    except (ApiError, AttributeError, KeyError, TypeError):
        return [_bad("Invalid parameters provided.")]
    issues = [*issues, *listings.spoiled(service, sku, at)]
    if not any(issue["severity"] == "ERROR" for issue in issues):
        new = message["productType"] if kind == "UPDATE" else None
        listings.submit(service, sku, change, at, new)
    return issues


def _change(
    service: Service, message: Mapping[str, Any], kind: str, sku: str
) -> tuple[list[Issue], listings.Change]:
    account = service.account
    match kind:
        case "PATCH":
            if not names_in(message["patches"]):
                raise invalid_input("patches")
            return listings.patching(account, sku, message["patches"])
        case "UPDATE":
            attributes = written(message["attributes"], account.marketplace_id)
            return listings.replacing(attributes, message.get("requirements", "LISTING"))
        case "PARTIAL_UPDATE":
            given = written(message["attributes"], account.marketplace_id)
            return issues_of(given, list(given)), lambda now: {**now, **given}
        case _:
            return [], lambda _: None


def _bad(text: str) -> Issue:
    return {"code": "BAD_REQUEST", "severity": "ERROR", "message": text}


def _reported(issue: Issue, message: Mapping[str, Any]) -> dict[str, Any]:
    shown = {
        "messageId": message.get("messageId"),
        "sku": message.get("sku"),
        "code": issue["code"],
        "severity": issue["severity"],
        "message": issue["message"],
        "attributeName": next(iter(issue.get("attributeNames", ())), None),
    }
    if not isinstance(shown["messageId"], int) or shown["messageId"] < 1:
        del shown["messageId"]
    if not isinstance(shown["sku"], str):
        del shown["sku"]
    return {name: value for name, value in shown.items() if value not in (None, "")}
