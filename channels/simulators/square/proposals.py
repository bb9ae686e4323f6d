"""What a caller of batch-create may change: every rule of the vendor, and the change it makes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from channels.simulators.square.calls import Call, moment
from channels.simulators.square.errors import ApiError, Problem, refusal
from channels.simulators.square.merchant import Merchant
from channels.simulators.square.schema import moves_are_adjustments
from channels.simulators.square.stock import Change, Kind, source

MAX_CHANGES: Final = 100
OLDEST: Final = timedelta(hours=24)
COUNTED: Final = frozenset({"IN_STOCK", "WASTE"})
"""States a caller may count; all others are read-only or have no count (InventoryState in the OpenAPI)."""
WRITABLE: Final = COUNTED | {"NONE", "SOLD", "UNLINKED_RETURN"}
_NAMES: Final = {
    "PHYSICAL_COUNT": "physical_count",
    "ADJUSTMENT": "adjustment",
    "TRANSFER": "transfer",
}


def read(call: Call) -> list[Change]:
    """The changes a request asks for, none booked yet. Raises ApiError with every problem found."""
    given = call.body.get("changes") or []
    if not given:
        raise refusal("MISSING_REQUIRED_PARAMETER", "At least one change is needed.", "changes")
    if len(given) > MAX_CHANGES:
        detail = f"The array has {len(given)} elements; at most {MAX_CHANGES} are allowed."
        raise refusal("ARRAY_LENGTH_TOO_LONG", detail, "changes")
    changes: list[Change] = []
    problems: list[Problem] = []
    for index, one in enumerate(given):
        try:
            changes.append(_Reader(call, one, f"changes[{index}]").change())
        except ApiError as wrong:
            problems.extend(wrong.problems)
    if problems:
        raise ApiError(404 if problems[0].code == "NOT_FOUND" else 400, problems)
    return changes


class _Reader:
    """One element of `changes`."""

    def __init__(self, call: Call, given: Mapping[str, Any], path: str) -> None:
        self._call = call
        self._merchant: Merchant = call.merchant
        self._kind = str(self._wanted(given, "type", path))
        name = _NAMES[self._kind]
        self._path = f"{path}.{name}"
        body = self._wanted(given, name, path)
        self._body: Mapping[str, Any] = body

    def change(self) -> Change:
        kind: Kind = "PHYSICAL_COUNT" if self._kind == "PHYSICAL_COUNT" else "ADJUSTMENT"
        before, after = self._sides()
        return self._merchant.change(
            self._call.writing(),
            kind,
            self._variation(),
            self._quantity(),
            before,
            after,
            source("EXTERNAL_API", "Simulated Application", self._merchant.application_id),
            occurred_at=self._occurred_at(),
            reference_id=self._body.get("reference_id"),
            reason_id=self._body.get("reason_id"),
            team_member_id=self._body.get("team_member_id"),
        )

    def _sides(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """(location, state) before and after."""
        if self._kind == "PHYSICAL_COUNT":
            place = (self._place("location_id"), self._state("state", COUNTED))
            return place, place
        if self._kind == "TRANSFER":
            state = self._state("state", frozenset({"IN_STOCK"}))
            return (self._place("from_location_id"), state), (self._place("to_location_id"), state)
        states = self._state("from_state", WRITABLE), self._state("to_state", WRITABLE)
        places = self._places()
        sides = (places[0], states[0]), (places[1], states[1])
        if sides[0] == sides[1]:
            raise self._wrong("INVALID_VALUE", "from and to are the same.", "to_state")
        if places[0] != places[1] and states != ("IN_STOCK", "IN_STOCK"):
            text = "Only IN_STOCK quantities move between locations."
            raise self._wrong("INVALID_VALUE", text, "to_state")
        return sides

    def _places(self) -> tuple[str, str]:
        """An adjustment's locations. Since moves are adjustments, a side left out is that of the other."""
        if not moves_are_adjustments(self._call.version):
            here = self._place("location_id")
            return here, here
        before, after = self._body.get("from_location_id"), self._body.get("to_location_id")
        if not before and not after:
            raise self._missing("to_location_id")
        before_place = self._place("from_location_id") if before else ""
        after_place = self._place("to_location_id") if after else ""
        return before_place or after_place, after_place or before_place

    def _variation(self) -> str:
        ref = str(self._needed("catalog_object_id"))
        found = self._merchant.objects.get(ref)
        if found is None or found.deleted:
            text = f"The catalog object {ref!r} was not found."
            raise self._wrong("NOT_FOUND", text, "catalog_object_id", 404)
        if found.type != "ITEM_VARIATION":
            text = f"{ref!r} is an {found.type}; only an ITEM_VARIATION has stock."
            raise self._wrong("INVALID_VALUE", text, "catalog_object_id")
        return ref

    def _place(self, name: str) -> str:
        ref = str(self._needed(name))
        if ref not in self._merchant.locations:
            raise self._wrong("NOT_FOUND", f"The location {ref!r} was not found.", name, 404)
        return ref

    def _state(self, name: str, allowed: frozenset[str]) -> str:
        state = str(self._needed(name))
        if state not in allowed:
            text = f"{state} cannot be set here; allowed: {', '.join(sorted(allowed))}."
            raise self._wrong("INVALID_VALUE", text, name)
        return state

    def _quantity(self) -> Decimal:
        text = str(self._needed("quantity"))
        try:
            quantity = Decimal(text)
        except InvalidOperation:
            quantity = Decimal("NaN")
        exponent = quantity.as_tuple().exponent
        if not isinstance(exponent, int) or "E" in text.upper():
            raise self._wrong("INVALID_VALUE", f"{text!r} is not a decimal number.", "quantity")
        if exponent < -5:
            raise self._wrong("INVALID_VALUE", "At most 5 decimals are allowed.", "quantity")
        if self._kind != "PHYSICAL_COUNT" and quantity <= 0:
            raise self._wrong("INVALID_VALUE", "The quantity must be above zero.", "quantity")
        return quantity

    def _occurred_at(self) -> datetime:
        at = moment(self._needed("occurred_at"), f"{self._path}.occurred_at")
        if at > self._call.now:
            raise self._wrong("INVALID_TIME", "occurred_at is in the future.", "occurred_at")
        if at < self._call.now - OLDEST:
            text = "occurred_at is more than 24 hours ago."
            raise self._wrong("INVALID_TIME", text, "occurred_at")
        return at

    def _needed(self, name: str) -> object:
        if self._body.get(name) in (None, ""):
            raise self._missing(name)
        return self._body[name]

    def _missing(self, name: str) -> ApiError:
        return self._wrong("MISSING_REQUIRED_PARAMETER", f"{name} is required.", name)

    def _wanted(self, given: Mapping[str, Any], name: str, path: str) -> Any:
        if given.get(name) is None:
            raise refusal("MISSING_REQUIRED_PARAMETER", f"{name} is required.", f"{path}.{name}")
        return given[name]

    def _wrong(self, code: str, detail: str, name: str, status: int = 400) -> ApiError:
        return refusal(code, detail, f"{self._path}.{name}", status)
