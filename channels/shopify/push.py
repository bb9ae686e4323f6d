"""Writing levels: one call for up to 250 rows, and the way out when some of them are bad.

The call is all or nothing. Rows that the vendor names are taken out and the rest is sent again; an error without
a row splits the batch in halves, so that one bad row never keeps the others from being shown. Every part has a key
of its own, made from the batch's key and its rows: a repeat of the whole push repeats the very same calls and is
harmless.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from channels.base import (
    Confirmed,
    Level,
    Outcome,
    Refused,
    Rejected,
    Stale,
    Throttled,
    Unavailable,
)
from channels.http import Json
from channels.shopify import answers, documents
from channels.shopify.graphql import CONCURRENT_RETRY_S, GraphQL
from channels.shopify.verdict import Verdict, judge

ROWS = 250


@dataclass(frozen=True, slots=True)
class Batch:
    """Levels on their way, by their place in the push.

    key   names these levels in this push;  uri   shows in the shop's stock history
    """

    levels: Mapping[int, Level]
    key: str
    uri: str

    def part(self, places: Sequence[int]) -> Batch:
        """Some of the levels, under a key that follows from the batch's key and these places."""
        named = ",".join(str(place) for place in places)
        return Batch(
            {place: self.levels[place] for place in places},
            derived(self.key, named),
            self.uri,
        )

    def again(self) -> Batch:
        """The same levels under a fresh key, after the vendor has declared the first one failed."""
        return Batch(self.levels, derived(self.key, "again"), self.uri)


def derived(key: str, word: str) -> str:
    """A key that follows from another: the same for the same words, at every try and in every process."""
    return hashlib.sha256(f"{key}|{word}".encode()).hexdigest()


def set_levels(
    graphql: GraphQL, batch: Batch, *, is_second_try: bool = False
) -> dict[int, Outcome]:
    """Show the batch's levels; one outcome for each place.

    raises   ChannelError for what concerns the whole call
    """
    if not batch.levels:
        return {}
    places = list(batch.levels)
    answer = graphql.ask(documents.SET_AVAILABLE, _variables(batch), answers.SetAnswer)
    verdict = judge(answer.payload.errors, len(places))
    if verdict.is_success:
        return {place: Confirmed(level) for place, level in batch.levels.items()}
    if verdict.whole is not None:
        return _whole(graphql, batch, verdict.whole, is_second_try)
    outcomes = _named(batch, places, verdict)
    rest = [place for place in places if place not in outcomes]
    if outcomes:
        return outcomes | set_levels(graphql, batch.part(rest))
    return _halved(graphql, batch, rest, verdict)


def _named(batch: Batch, places: Sequence[int], verdict: Verdict) -> dict[int, Outcome]:
    outcomes: dict[int, Outcome] = {
        places[row]: Stale(batch.levels[places[row]]) for row in verdict.stale
    }
    for row, error in verdict.rejected.items():
        level = batch.levels[places[row]]
        outcomes[places[row]] = Rejected(level, error.code or "UNNAMED", error.message)
    return outcomes


def _halved(
    graphql: GraphQL, batch: Batch, places: Sequence[int], verdict: Verdict
) -> dict[int, Outcome]:
    error = verdict.unplaced
    assert error is not None, "an unsuccessful verdict names an error"
    if len(places) == 1:
        level = batch.levels[places[0]]
        return {places[0]: Rejected(level, error.code or "UNNAMED", error.message)}
    middle = len(places) // 2
    return set_levels(graphql, batch.part(places[:middle])) | set_levels(
        graphql, batch.part(places[middle:])
    )


def _whole(
    graphql: GraphQL, batch: Batch, error: answers.UserError, is_second_try: bool
) -> dict[int, Outcome]:
    what = f"Shopify: {error.code}: {error.message}"
    match error.code:
        case "IDEMPOTENCY_CONCURRENT_REQUEST":
            raise Throttled(what, retry_after_s=CONCURRENT_RETRY_S)
        case "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED" | "SERVICE_UNAVAILABLE" if not is_second_try:
            return set_levels(graphql, batch.again(), is_second_try=True)
        case "SERVICE_UNAVAILABLE":
            raise Unavailable(what)
        case _:
            raise Refused(what, code=error.code or "UNNAMED")


def _variables(batch: Batch) -> dict[str, Json]:
    return {
        "key": batch.key,
        "input": {
            "name": "available",
            "reason": "correction",
            "referenceDocumentUri": batch.uri,
            "quantities": [
                {
                    "inventoryItemId": level.binding.item_id,
                    "locationId": level.binding.vendor_location_id,
                    # Our ledger may be below zero; what is shown never is.
                    "quantity": max(0, level.units),
                    # Always there, null when nothing is checked: without it the vendor refuses the call.
                    "changeFromQuantity": level.expected,
                }
                for level in batch.levels.values()
            ],
        },
    }
