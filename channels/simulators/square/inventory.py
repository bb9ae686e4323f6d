"""The Inventory API: writing changes, reading counts and their history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from channels.simulators.square import bodies, proposals
from channels.simulators.square.calls import Call, listed, microseconds, optional_moment, page
from channels.simulators.square.errors import not_found, refusal
from channels.simulators.square.merchant import DASHBOARD, Act, Merchant
from channels.simulators.square.schema import moves_are_adjustments
from channels.simulators.square.stock import Change, Key, Level

PAGE: Final = 100
"""Rows without a `limit`; at most 1,000 may be asked for."""


def batch_create(call: Call) -> dict[str, Any]:
    """All changes or none. Answers with the counts of everything referenced and the changes made."""
    act = call.writing()
    asked = proposals.read(call)
    keys = list(dict.fromkeys(key for change in asked for key in change.touches()))
    ignore = call.body.get("ignore_unchanged_counts")
    made: list[Change] = []
    pretended: dict[Key, Level] = {}
    for change in asked:
        if ignore is not False and _says_what_is_known(call.merchant, change):
            continue
        made.append(change)
        if call.draw("swallow", call.merchant.objects[change.variation_id].sku):
            _pretend(call.merchant, change, act, pretended)
        else:
            call.merchant.book(act, change)
    _meddle(call, keys)
    levels = [pretended.get(key) or call.merchant.levels.get(key) for key in keys]
    return {
        "counts": [bodies.count(level) for level in levels if level is not None],
        "changes": [bodies.change(change, call.version) for change in made],
    }


def _says_what_is_known(merchant: Merchant, change: Change) -> bool:
    """Whether a count finds what the history says was there. What was never counted is not known."""
    if change.kind != "PHYSICAL_COUNT":
        return False
    level = merchant.level(change.variation_id, change.to_location, change.to_state)
    return level is not None and level.as_of(change.occurred_at) == change.quantity


def _pretend(merchant: Merchant, change: Change, act: Act, pretended: dict[Key, Level]) -> None:
    """Levels as the answer shows them when the write is swallowed."""
    for key in change.touches():
        real = pretended.get(key) or merchant.levels.get(key) or Level(key)
        pretended[key] = Level(key, real.if_added(change), act.at, [*real.changes])


def _meddle(call: Call, keys: Iterable[Key]) -> None:
    """The `external_edit` fault: somebody changes the same stock once our act is over."""
    merchant = call.merchant
    for variation_id, location_id, state in keys:
        fault = call.draw("external_edit", merchant.objects[variation_id].sku)
        if fault is not None and fault.units:
            quantity = Decimal(fault.units)
            here = (location_id, state)

            def edit(
                act: Act, quantity: Decimal = quantity, here: Any = here, id: str = variation_id
            ) -> None:
                merchant.book(act, adjust(merchant, act, id, quantity, here, DASHBOARD))

            call.after.append(edit)


def adjust(
    merchant: Merchant,
    act: Act,
    variation_id: str,
    delta: Decimal,
    here: tuple[str, str],
    source: Mapping[str, str],
    **more: Any,
) -> Change:
    """An adjustment, not yet booked, that raises or lowers one level, from or to NONE."""
    away = (here[0], "NONE")
    before, after = (away, here) if delta > 0 else (here, away)
    return merchant.change(
        act, "ADJUSTMENT", variation_id, abs(delta), before, after, dict(source), **more
    )


# -- reading ----------------------------------------------------------------------------------------------------------


def batch_retrieve_counts(call: Call) -> dict[str, Any]:
    """Newest first. What was never counted or moved has no row."""
    body = call.body
    since = optional_moment(body, "updated_after")
    wanted = _filter(body)
    states = set(body.get("states") or ())
    levels = [
        level
        for level in call.merchant.levels.values()
        if level.calculated_at is not None
        and wanted(level.key[0], (level.key[1],))
        and (not states or level.key[2] in states)
        and (since is None or level.calculated_at > since)
    ]
    return _counts(levels, call, int(body.get("limit") or PAGE), body.get("cursor"), body)


def retrieve_count(call: Call) -> dict[str, Any]:
    """All states of one variation, everywhere or at `location_ids`."""
    variation_id = call.path["catalog_object_id"]
    _known(call, variation_id)
    places = listed(call.query, "location_ids")
    levels = [
        level
        for level in call.merchant.levels.values()
        if level.key[0] == variation_id and (not places or level.key[1] in places)
    ]
    question = {"id": variation_id, **call.query}
    return _counts(levels, call, PAGE, call.query.get("cursor"), question)


def _counts(
    levels: list[Level], call: Call, limit: int, cursor: str | None, question: Mapping[str, Any]
) -> dict[str, Any]:
    def key(level: Level) -> list[Any]:
        assert level.calculated_at is not None
        return [-microseconds(level.calculated_at), *level.key]

    some, following = page(sorted(levels, key=key), key, limit, cursor, question)
    return _with_cursor({"counts": [bodies.count(level) for level in some]}, following)


def batch_retrieve_changes(call: Call) -> dict[str, Any]:
    """The history by arrival, oldest first; moves of the older era are left out, as the vendor says."""
    body = call.body
    if "TRANSFER" in (body.get("types") or ()):
        text = "TRANSFER cannot be filtered for."
        raise refusal("INVALID_ENUM_VALUE", text, "types")
    types = set(body.get("types") or ("PHYSICAL_COUNT", "ADJUSTMENT"))
    since, until = optional_moment(body, "updated_after"), optional_moment(body, "updated_before")
    wanted = _filter(body)
    states = set(body.get("states") or ())
    changes = [
        change
        for change in call.merchant.changes.values()
        if wanted(change.variation_id, (change.from_location, change.to_location))
        and _kind(change, call.version) in types
        and (not states or bool(states & {change.from_state, change.to_state}))
        and (since is None or change.created_at > since)
        and (until is None or change.created_at < until)
    ]
    return _changes(changes, call, int(body.get("limit") or PAGE), body.get("cursor"), body)


def retrieve_changes(call: Call) -> dict[str, Any]:
    """The history of one variation."""
    variation_id = call.path["catalog_object_id"]
    _known(call, variation_id)
    places = set(listed(call.query, "location_ids"))
    changes = [
        change
        for change in call.merchant.changes.values()
        if change.variation_id == variation_id
        and (not places or bool(places & {change.from_location, change.to_location}))
    ]
    question = {"id": variation_id, **call.query}
    return _changes(changes, call, PAGE, call.query.get("cursor"), question)


def _changes(
    changes: list[Change], call: Call, limit: int, cursor: str | None, question: Mapping[str, Any]
) -> dict[str, Any]:
    def key(change: Change) -> list[Any]:
        return [change.seq]

    some, following = page(sorted(changes, key=key), key, limit, cursor, question)
    return _with_cursor({"changes": [bodies.change(x, call.version) for x in some]}, following)


def retrieve_adjustment(call: Call) -> dict[str, Any]:
    found = _one(call, "adjustment_id", "ADJUSTMENT")
    return {"adjustment": bodies.adjustment(found, call.version)}


def retrieve_physical_count(call: Call) -> dict[str, Any]:
    return {"count": bodies.physical_count(_one(call, "physical_count_id", "PHYSICAL_COUNT"))}


def retrieve_transfer(call: Call) -> dict[str, Any]:
    """Retired since moves are adjustments."""
    if moves_are_adjustments(call.version):
        raise refusal("GONE", "RetrieveInventoryTransfer is retired.", None, 410)
    return {"transfer": bodies.transfer(_one(call, "transfer_id", "TRANSFER"))}


def _one(call: Call, name: str, kind: str) -> Change:
    found = call.merchant.changes.get(call.path[name])
    if found is None or _kind(found, call.version) != kind:
        raise not_found(kind.replace("_", " ").capitalize(), call.path[name], name)
    return found


def _kind(change: Change, version: str) -> str:
    old_move = change.moves_places() and not moves_are_adjustments(version)
    return "TRANSFER" if old_move else change.kind


def _known(call: Call, variation_id: str) -> None:
    if variation_id not in call.merchant.objects:
        raise not_found("Catalog object", variation_id, "catalog_object_id")


def _filter(body: Mapping[str, Any]) -> Any:
    """Whether a variation at any of some locations is asked for."""
    objects = set(body.get("catalog_object_ids") or ())
    places = set(body.get("location_ids") or ())

    def wanted(variation_id: str, at: Iterable[str]) -> bool:
        return (not objects or variation_id in objects) and (
            not places or not places.isdisjoint(at)
        )

    return wanted


def _with_cursor(body: dict[str, Any], cursor: str | None) -> dict[str, Any]:
    return body if cursor is None else {**body, "cursor": cursor}
