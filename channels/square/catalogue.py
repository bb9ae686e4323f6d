"""The catalogue: what can be sold where, what Square counts, and how a sale is stopped at one location.

A stop takes the variation out of the location (`absent_at_location_ids`): neither the till nor an online shop offers it
there any more. A count of 0 alone stops the online shop only; a till sells below zero. `sold_out` would say it best,
but "attempts by an application to set this attribute are ignored" (OpenAPI, ItemVariationLocationOverrides).

An update replaces the whole object: it is sent back as it was read, under its version, with its presence changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, cast
from urllib.parse import quote

from pydantic import ValidationError

from channels.base import Binding, Refused, Unavailable, Unreadable
from channels.http import Json
from channels.square import wire
from channels.square.api import Api, Refusal

OBJECT: Final = "/v2/catalog/object"
SEARCH: Final = "/v2/catalog/search"
BATCH: Final = "/v2/catalog/batch-retrieve"
#: Objects of one call (OpenAPI, SearchCatalogObjectsRequest.limit and BatchRetrieveCatalogObjectsRequest).
ROWS: Final = 1000
_TRIES: Final = 3

#: How a variation is present at a location; the words of an undo.
EVERYWHERE: Final = "everywhere"
LISTED: Final = "listed"
ABSENT: Final = "absent"


def bindings(api: Api, channel: str, locations: Mapping[str, str]) -> Iterator[Binding]:
    """Every variation with a SKU, at each of the locations where it is sold and Square counts it."""
    asked: dict[str, Json] = {"object_types": ["ITEM_VARIATION"], "limit": ROWS}
    for page in api.pages(SEARCH, wire.Variations, asked):
        for variation in page.objects:
            data = variation.item_variation_data
            if data is None or not data.sku or variation.is_deleted:
                continue
            for vendor_location, location in locations.items():
                if variation.is_present(vendor_location) and variation.is_tracked(vendor_location):
                    yield Binding(
                        channel=channel,
                        sku=data.sku,
                        location=location,
                        item_id=variation.id,
                        vendor_location_id=vendor_location,
                        variant_id=variation.id,
                        product_id=data.item_id or "",
                    )


def variations(api: Api, ids: Collection[str]) -> dict[str, wire.Variation]:
    """These variations by id, as far as they are there; deleted ones are not."""
    wanted = sorted(set(ids))
    found: dict[str, wire.Variation] = {}
    for start in range(0, len(wanted), ROWS):
        body: dict[str, Json] = {"object_ids": wanted[start : start + ROWS]}
        page = api.ask("POST", BATCH, wire.Variations, body=body, is_read=True)
        found |= {each.id: each for each in page.objects if each.item_variation_data is not None}
    return found


def presence(api: Api, binding: Binding) -> str:
    """How the variation is present at the binding's location. Raises Refused when it is gone."""
    return _presence(_read(api, binding)[1], binding.vendor_location_id)


def stop(api: Api, binding: Binding, key: str) -> None:
    """Take the variation out of the location; harmless when it is out already.

    key   names this stop; what is written under it depends on what was read
    """
    location = binding.vendor_location_id
    _change(api, binding, key, lambda seen: _without(seen, location))


def resume(api: Api, binding: Binding, was: str, key: str) -> None:
    """Put the variation back the way it was present, if it still stands as `stop` left it."""
    location = binding.vendor_location_id
    _change(api, binding, key, lambda seen: _with(seen, location, was))


@dataclass(frozen=True, slots=True)
class _Presence:
    """Where an object is sold: everywhere but, or nowhere but."""

    everywhere: bool
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    def fields(self) -> dict[str, object]:
        """As a request says it: one of the two lists, never both."""
        if self.everywhere:
            return {
                "present_at_all_locations": True,
                "absent_at_location_ids": list(self.absent),
            }
        return {"present_at_all_locations": False, "present_at_location_ids": list(self.present)}


_Wanted: TypeAlias = Callable[[wire.Variation], _Presence | None]


def _without(seen: wire.Variation, location: str) -> _Presence | None:
    if not seen.is_present(location):
        return None
    if seen.is_everywhere:
        return _Presence(True, absent=(*seen.absent_at_location_ids, location))
    return _Presence(False, present=_but(seen.present_at_location_ids, location))


def _with(seen: wire.Variation, location: str, was: str) -> _Presence | None:
    stopped = not seen.is_present(location)
    # A person who made it present everywhere, or nowhere but in a list, has decided for himself meanwhile.
    if not stopped or was == ABSENT or seen.is_everywhere != (was == EVERYWHERE):
        return None
    if seen.is_everywhere:
        return _Presence(True, absent=_but(seen.absent_at_location_ids, location))
    return _Presence(False, present=(*seen.present_at_location_ids, location))


def _but(locations: tuple[str, ...], location: str) -> tuple[str, ...]:
    return tuple(each for each in locations if each != location)


def _presence(seen: wire.Variation, location: str) -> str:
    if not seen.is_present(location):
        return ABSENT
    return EVERYWHERE if seen.is_everywhere else LISTED


def _read(api: Api, binding: Binding) -> tuple[dict[str, object], wire.Variation]:
    path = f"{OBJECT}/{quote(binding.item_id, safe='')}"
    try:
        document = api.document(api.send("GET", path, is_read=True))
    except Refusal as refusal:
        if refusal.status != 404:
            raise
        document = {}
    raw = document.get("object")
    try:
        seen = wire.Variation.model_validate(raw) if isinstance(raw, dict) else None
    except ValidationError:
        raise Unreadable(f"Square: {path}: the object is no catalogue object") from None
    if not isinstance(raw, dict) or seen is None or seen.is_deleted:
        raise Refused(
            f"Square: variation {binding.item_id or '(none)'} of {binding.sku} is not in the catalogue; "
            "read the bindings again with `lockstep channel map`",
            code="NO_VARIANT",
        )
    return raw, seen


def _change(api: Api, binding: Binding, key: str, wanted: _Wanted) -> None:
    for _ in range(_TRIES):
        raw, seen = _read(api, binding)
        presence = wanted(seen)
        if presence is None:
            return
        try:
            _upsert(api, raw, presence, f"{key}-{seen.version}")
        except Refusal as refusal:
            # Somebody else changed the object between our reading and our writing.
            if refusal.status != 409 and not refusal.has("VERSION_MISMATCH"):
                raise
            continue
        return
    raise Unavailable(
        f"Square: {binding.sku} at {binding.location}: its catalogue object changes faster than it can be written; "
        "try again"
    )


def _upsert(api: Api, raw: Mapping[str, object], presence: _Presence, key: str) -> None:
    said = {"present_at_all_locations", "present_at_location_ids", "absent_at_location_ids"}
    read_only = {"updated_at"}
    kept = {name: value for name, value in raw.items() if name not in said | read_only}
    body: dict[str, object] = {"idempotency_key": key, "object": {**kept, **presence.fields()}}
    # What came as JSON goes back as JSON.
    api.send("POST", OBJECT, body=cast(Json, body))
