"""Many listings in one document: a JSON_LISTINGS_FEED, taken in now, worked on for minutes, answered by a report.

createFeedDocument -> PUT to its presigned url -> createFeed -> (IN_QUEUE, IN_PROGRESS) -> DONE, CANCELLED or FATAL ->
getFeedDocument -> GET its presigned url. DONE says that every message was looked at, not that it was accepted.

A message's number is its row's place among the rows that were taken in, from 1: whoever has the feed's id and those
rows in their order can read the answer, also after a crash.

Source: https://developer-docs.amazon.com/sp-api/docs/building-listings-management-workflows-guide,
listings-feed-schema-v2.json and listings-feed-processing-report-schema-v2.json at commit 34dc93f.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError

from channels.amazon import listings
from channels.amazon.api import Missing, SellingPartner
from channels.amazon.wire import Feed, FeedDocument, FeedIssue, FeedReport
from channels.base import Accepted, Confirmed, Level, NotSent, Outcome, Rejected, Unreadable
from channels.http import Json

#: Most rows of one push; Amazon takes 25,000 messages and asks for less than 10 MiB, which is some 40,000 of ours.
ROWS: Final = 10_000
_KIND: Final = "JSON_LISTINGS_FEED"
_CONTENT: Final = "application/json; charset=UTF-8"
#: Amazon did not work on the feed; its rows go out again, and not at once.
_AGAIN_S: Final = 60.0


def push(api: SellingPartner, levels: Sequence[Level]) -> list[Outcome]:
    """Hand these levels in as one feed; one outcome each, in order. Nothing is shown yet.

    raises    ChannelError: Throttled when no feed can be made now, Unavailable when one may be on its way that nobody
              will ask for
    """
    ours = [level for level in levels if not listings.is_fba(level.binding)]
    if not ours:
        return [listings.read_only(level) for level in levels]
    document = api.ask("createFeedDocument", FeedDocument, body={"contentType": _CONTENT})
    api.upload(document.url, _CONTENT, _document(api.seller_id, ours))
    feed = api.ask(
        "createFeed",
        Feed,
        body={
            "feedType": _KIND,
            "marketplaceIds": [api.marketplace_id],
            "inputFeedDocumentId": document.feed_document_id,
        },
    )
    return [
        listings.read_only(level)
        if listings.is_fba(level.binding)
        else Accepted(level, feed.feed_id)
        for level in levels
    ]


def answers(api: SellingPartner, receipt: str, levels: Sequence[Level]) -> list[Outcome] | None:
    """What became of a feed's rows; None while Amazon works on it.

    levels     those that were `Accepted`, in their order
    returns    NotSent for all when Amazon gave the feed up as a whole
    raises     ChannelError, Refused among them for a receipt that Amazon has never given or no longer keeps
    """
    try:
        feed = api.ask("getFeed", Feed, path={"feedId": receipt})
    except Missing:
        return [NotSent(level, 0.0) for level in levels]
    match feed.processing_status:
        case "DONE":
            return _judged(_report(api, feed), levels)
        case "CANCELLED" | "FATAL":
            return [NotSent(level, _AGAIN_S) for level in levels]
        case "IN_QUEUE" | "IN_PROGRESS":
            return None
        case other:
            raise Unreadable(f"Amazon: feed {receipt} has the status {other!r}")


def _document(seller_id: str, levels: Sequence[Level]) -> bytes:
    messages: list[Json] = [
        {"messageId": place, **listings.message(level)}
        for place, level in enumerate(levels, start=1)
    ]
    document = {
        "header": {"sellerId": seller_id, "version": "2.0", "issueLocale": "en_US"},
        "messages": messages,
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _report(api: SellingPartner, feed: Feed) -> FeedReport:
    if not feed.result_feed_document_id:
        raise Unreadable(f"Amazon: feed {feed.feed_id} is DONE and has no report")
    document = api.ask(
        "getFeedDocument", FeedDocument, path={"feedDocumentId": feed.result_feed_document_id}
    )
    content = api.download(document.url, document.compression_algorithm)
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    try:
        return FeedReport.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise Unreadable(
            f"Amazon: the report of feed {feed.feed_id}: {first['loc']}: {first['msg']}"
        ) from None


def _judged(report: FeedReport, levels: Sequence[Level]) -> list[Outcome]:
    """One outcome a row. An issue names its message or at least its SKU; one that names neither is about all.

    DONE is not accepted: where no message was and nothing says why, the rows go out again, one by one.
    """
    by_place: dict[int, FeedIssue] = {}
    by_sku: dict[str, FeedIssue] = {}
    whole: FeedIssue | None = None
    for issue in report.issues:
        if issue.severity != "ERROR":
            continue
        if issue.message_id is not None:
            by_place.setdefault(issue.message_id, issue)
        elif issue.sku:
            by_sku.setdefault(issue.sku, issue)
        else:
            whole = whole or issue
    accepted = report.summary.messages_accepted if report.summary else None
    if accepted:
        # Some were accepted, so that an issue without a row is not about all of them.
        whole = None
    return [
        _outcome(
            level,
            by_place.get(place) or by_sku.get(level.binding.item_id) or whole,
            none_accepted=accepted == 0,
        )
        for place, level in enumerate(levels, start=1)
    ]


def _outcome(level: Level, issue: FeedIssue | None, *, none_accepted: bool) -> Outcome:
    if issue is None:
        return NotSent(level, _AGAIN_S) if none_accepted else Confirmed(level)
    return Rejected(level, issue.code or "INVALID", issue.message or "Amazon does not say why")
