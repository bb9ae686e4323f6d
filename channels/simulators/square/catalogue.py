"""The Catalog API for items and variations: upsert, retrieve, list, search, delete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from channels.simulators.square import bodies
from channels.simulators.square.calls import Call, listed, optional_moment, page
from channels.simulators.square.errors import ApiError, not_found, not_simulated, refusal
from channels.simulators.square.merchant import Act, Merchant
from channels.simulators.square.state import CatalogObject, stamp

PAGE: Final = 100
MAX_PAGE: Final = 1000
_DATA: Final = {"ITEM": "item_data", "ITEM_VARIATION": "item_variation_data"}


# -- writing ----------------------------------------------------------------------------------------------------------


def upsert(call: Call) -> dict[str, Any]:
    """One object, with its variations when it is an item. An id that starts with # is replaced."""
    with _writing(call) as writer:
        found = writer.put(call.body["object"], "object")
    return {
        "catalog_object": render(call.merchant, found),
        "id_mappings": writer.mappings(),
    }


def batch_upsert(call: Call) -> dict[str, Any]:
    """Many objects, all or none."""
    with _writing(call) as writer:
        found = [
            writer.put(one, f"batches[{at}].objects[{index}]")
            for at, batch in enumerate(call.body["batches"])
            for index, one in enumerate(batch["objects"])
        ]
    return {
        "objects": [render(call.merchant, one) for one in found],
        "updated_at": stamp(call.now),
        "id_mappings": writer.mappings(),
    }


def delete(call: Call) -> dict[str, Any]:
    """An object and, for an item, its variations."""
    found = _live(call.merchant, call.path["object_id"], "object_id")
    gone = [found, *variations(call.merchant, found)]
    for one in gone:
        one.deleted = True
        _touch(one, call.writing())
    return {
        "deleted_object_ids": [one.id for one in gone],
        "deleted_at": stamp(call.now),
    }


@contextmanager
def _writing(call: Call) -> Iterator[Writer]:
    """A writer whose work is undone when an object is refused."""
    writer = Writer(call.merchant, call.writing())
    try:
        yield writer
    except ApiError:
        writer.undo()
        raise


class Writer:
    """Puts objects of one request; temporary ids hold within it."""

    def __init__(self, merchant: Merchant, act: Act) -> None:
        self._merchant = merchant
        self._act = act
        self._named: dict[str, str] = {}
        self._before: dict[str, CatalogObject] = {}

    def undo(self) -> None:
        """Objects made go, objects changed are as they were."""
        for id in self._named.values():
            self._merchant.drop_object(id)
        for id, before in self._before.items():
            found = self._merchant.objects[id]
            for name in (
                "data",
                "version",
                "updated_at",
                "everywhere",
                "present",
                "absent",
                "deleted",
            ):
                setattr(found, name, getattr(before, name))

    def mappings(self) -> list[dict[str, str]]:
        return [{"client_object_id": given, "object_id": id} for given, id in self._named.items()]

    def put(self, given: Mapping[str, Any], path: str) -> CatalogObject:
        """Create or replace one object. Raises ApiError."""
        kind = given["type"]
        if kind not in _DATA:
            raise not_simulated(f"catalog objects of type {kind}")
        self._check(given, path)
        data = _without_sold_out(given.get(_DATA[kind]) or {})
        inside = data.pop("variations", None)
        if kind == "ITEM_VARIATION":
            item_id = str(data.get("item_id") or "")
            data["item_id"] = self._named.get(item_id, item_id)
            _live(self._merchant, data["item_id"], f"{path}.item_variation_data.item_id")
            self._check_presence(given, self._merchant.objects[data["item_id"]], path)
        found = self._stored(given, kind, data)
        if inside is not None:
            self._put_variations(found, inside, f"{path}.item_data.variations")
        return found

    def _check(self, given: Mapping[str, Any], path: str) -> None:
        id = given["id"]
        if id.startswith("#"):
            return
        stored = _live(self._merchant, id, f"{path}.id")
        if given.get("version") != stored.version:
            text = (
                f"The object's version is {stored.version}; the request has {given.get('version')}."
            )
            raise refusal("CONFLICT", text, f"{path}.version", 409)
        if stored.type != given["type"]:
            raise refusal("INVALID_VALUE", f"{id} is an {stored.type}.", f"{path}.type")

    def _check_presence(self, given: Mapping[str, Any], item: CatalogObject, path: str) -> None:
        """A variation is nowhere where its item is not (developer.squareup.com/forums/t/24786)."""
        wanted = CatalogObject(str(given["id"]), "ITEM_VARIATION", 0, self._act.at, {})
        _place(wanted, given)
        if wanted.everywhere and not item.everywhere:
            where = "enabled at all future locations"
        else:
            strange = [x for x in self._merchant.locations if wanted.sold_at(x)]
            strange = [x for x in strange if not item.sold_at(x)]
            if not strange:
                return
            where = f"enabled at location {strange[0]}"
        text = (
            f"Object '{wanted.id}' of type ITEM_VARIATION is {where}, "
            f"but the referenced object with token '{item.id}' of type ITEM is not."
        )
        raise refusal("INVALID_VALUE", text, f"{path}.item_variation_data.item_id")

    def _stored(self, given: Mapping[str, Any], kind: str, data: dict[str, Any]) -> CatalogObject:
        id = given["id"]
        if id.startswith("#"):
            found = CatalogObject(self._merchant.ids.upper(), kind, 0, self._act.at, data)
            self._merchant.add_object(found)
            self._named[id] = found.id
        else:
            found = self._remembered(self._merchant.objects[id])
            found.data = data
        _place(found, given)
        _touch(found, self._act)
        return found

    def _remembered(self, found: CatalogObject) -> CatalogObject:
        if found.id not in self._named.values():
            self._before.setdefault(found.id, replace(found))
        return found

    def _put_variations(
        self, item: CatalogObject, inside: Sequence[Mapping[str, Any]], path: str
    ) -> None:
        """An item's variations are replaced as a whole: one that is left out is deleted."""
        kept = set()
        for index, one in enumerate(inside):
            data = {**(one.get("item_variation_data") or {}), "item_id": item.id}
            kept.add(self.put({**one, "item_variation_data": data}, f"{path}[{index}]").id)
        for gone in variations(self._merchant, item):
            if gone.id not in kept:
                self._remembered(gone).deleted = True
                _touch(gone, self._act)


def _place(found: CatalogObject, given: Mapping[str, Any]) -> None:
    """Where an object is present, as a request says it."""
    found.everywhere = given.get("present_at_all_locations") is not False
    found.present = list(given.get("present_at_location_ids") or ())
    found.absent = list(given.get("absent_at_location_ids") or ())


def _without_sold_out(given: Mapping[str, Any]) -> dict[str, Any]:
    """What an application may say. "Attempts by an application to set this attribute are ignored" (OpenAPI)."""
    data = dict(given)
    if data.get("location_overrides"):
        ignored = {"sold_out", "sold_out_valid_until"}
        data["location_overrides"] = [
            {name: value for name, value in one.items() if name not in ignored}
            for one in data["location_overrides"]
        ]
    return data


def _touch(found: CatalogObject, act: Act) -> None:
    """A new version: the moment in milliseconds, or one more when that is taken."""
    milliseconds = int(act.at.timestamp() * 1000)
    found.version = max(milliseconds, found.version + 1)
    found.updated_at = act.at


# -- reading ----------------------------------------------------------------------------------------------------------


def retrieve(call: Call) -> dict[str, Any]:
    """A deleted object is found too, marked as deleted."""
    id = call.path["object_id"]
    found = call.merchant.objects.get(id)
    if found is None:
        raise not_found("Catalog object", id, "object_id")
    body: dict[str, Any] = {"object": render(call.merchant, found)}
    if call.query.get("include_related_objects") == "true" and found.type == "ITEM_VARIATION":
        item = call.merchant.objects[str(found.data["item_id"])]
        body["related_objects"] = [render(call.merchant, item)]
    return body


def batch_retrieve(call: Call) -> dict[str, Any]:
    """Those that exist; the others are left out."""
    wanted = call.body["object_ids"]
    if len(wanted) > MAX_PAGE:
        raise refusal("ARRAY_LENGTH_TOO_LONG", f"At most {MAX_PAGE} ids.", "object_ids")
    deleted = bool(call.body.get("include_deleted_objects"))
    found = [call.merchant.objects[id] for id in wanted if id in call.merchant.objects]
    return {"objects": [render(call.merchant, x) for x in found if deleted or not x.deleted]}


def list_objects(call: Call) -> dict[str, Any]:
    """Live objects of the wanted types, in the order of their creation."""
    types = [one.upper() for one in listed(call.query, "types")]
    rows = [x for x in call.merchant.objects.values() if not x.deleted]
    return _page(call, rows, types, PAGE, call.query.get("cursor"), call.query)


def search(call: Call) -> dict[str, Any]:
    """By type, change time and one of exact_query, set_query, prefix_query and text_query."""
    body = call.body
    since = optional_moment(body, "begin_time")
    query = body.get("query") or {}
    deleted = bool(body.get("include_deleted_objects"))
    rows = [
        one
        for one in call.merchant.objects.values()
        if (deleted or not one.deleted)
        and (since is None or one.updated_at > since)
        and all(_matches(one, kind, asked) for kind, asked in query.items() if asked)
    ]
    limit = int(body.get("limit") or PAGE)
    if not 1 <= limit <= MAX_PAGE:
        raise refusal("INVALID_VALUE", f"limit must be between 1 and {MAX_PAGE}.", "limit")
    answer = _page(call, rows, body.get("object_types") or [], limit, body.get("cursor"), body)
    latest = max((one.updated_at for one in call.merchant.objects.values()), default=call.now)
    answer["latest_time"] = stamp(latest)
    return answer


def _matches(found: CatalogObject, kind: str, asked: Mapping[str, Any]) -> bool:
    if kind == "text_query":
        text = f"{found.data.get('name', '')} {found.sku}".lower()
        return all(word.lower() in text for word in asked["keywords"])
    if kind not in ("exact_query", "set_query", "prefix_query"):
        raise not_simulated(f"catalog search by {kind}")
    value = str(found.data.get(asked["attribute_name"]) or "").lower()
    if kind == "exact_query":
        return value == str(asked["attribute_value"]).lower()
    if kind == "prefix_query":
        return bool(value) and value.startswith(str(asked["attribute_prefix"]).lower())
    return value in {str(one).lower() for one in asked["attribute_values"]}


def _page(
    call: Call,
    rows: Iterable[CatalogObject],
    types: Sequence[str],
    limit: int,
    cursor: str | None,
    question: Mapping[str, Any],
) -> dict[str, Any]:
    wanted = types or ["ITEM"]
    order = {id: at for at, id in enumerate(call.merchant.objects)}
    chosen = [one for one in rows if one.type in wanted]
    some, following = page(chosen, lambda one: [order[one.id]], limit, cursor, question)
    body: dict[str, Any] = {"objects": [render(call.merchant, one) for one in some]}
    return body if following is None else {**body, "cursor": following}


def render(merchant: Merchant, found: CatalogObject) -> dict[str, Any]:
    """A CatalogObject with its live variations and what is sold out."""
    inside = variations(merchant, found)
    empty = {one.id: set(_empty_at(merchant, one)) for one in [found, *inside]}
    return bodies.catalog_object(found, inside, empty)


def variations(merchant: Merchant, item: CatalogObject) -> list[CatalogObject]:
    """The live variations of an item."""
    inside = merchant.by_item.get(item.id, ()) if item.type == "ITEM" else ()
    return [one for one in inside if not one.deleted]


def _empty_at(merchant: Merchant, found: CatalogObject) -> Iterator[str]:
    """Locations where tracked stock is used up."""
    for place in merchant.locations:
        level = merchant.level(found.id, place)
        if level is not None and level.quantity <= 0 and found.tracked_at(place):
            yield place


def _live(merchant: Merchant, id: str, field: str) -> CatalogObject:
    found = merchant.objects.get(id)
    if found is None or found.deleted:
        raise not_found("Catalog object", id, field)
    return found
