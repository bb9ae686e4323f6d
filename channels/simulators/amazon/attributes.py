"""Listing attributes: what the four patch operations do to them, and which values Amazon finds invalid.

Every attribute is a list of instances told apart by selectors: the marketplace, and for fulfillment_availability the
channel code. `add` and `replace` put the given instance in the place of the one with the same selectors, whole: fields
that were not sent are gone. Other instances stay, so replacing with another channel code makes a second offer
(selling-partner-api-models issues 2061, 4406). `merge` lays the given fields over the instance, `delete` removes it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from channels.simulators.amazon.errors import invalid_input
from channels.simulators.amazon.models import UNREADABLE

Attributes = dict[str, Any]
Issue = dict[str, Any]

AVAILABILITY: Final = "fulfillment_availability"
OPERATIONS: Final = ("add", "replace", "merge", "delete")
KNOWN: Final = frozenset(
    {
        AVAILABILITY,
        "brand",
        "bullet_point",
        "condition_type",
        "country_of_origin",
        "externally_assigned_product_identifier",
        "item_name",
        "list_price",
        "manufacturer",
        "merchant_shipping_group",
        "merchant_suggested_asin",
        "product_description",
        "purchasable_offer",
        "supplier_declared_dg_hz_regulation",
    }
)
_SELECTORS: Final = {
    AVAILABILITY: ("marketplace_id", "fulfillment_channel_code"),
    "purchasable_offer": ("marketplace_id", "audience", "currency"),
}
_TEXT_SELECTORS: Final = ("marketplace_id", "language_tag")
_CHANNEL: Final = re.compile(r"DEFAULT|AMAZON_(NA|EU|FE|JP|AU|IN|BR|MX)|[0-9a-f-]{36}")
"""`DEFAULT`, an Amazon network, or a supply source's id."""


def patched(
    attributes: Attributes, patches: Sequence[Mapping[str, Any]], marketplace: str
) -> Attributes:
    """A copy of the attributes after the patches, in their order. Raises ApiError 400 for an unusable patch."""
    after = copy.deepcopy(attributes)
    for number, patch in enumerate(patches):
        name = _attribute(patch["path"])
        if patch["op"] not in OPERATIONS:
            raise invalid_input(UNREADABLE)
        if patch.get("value") is None and patch["op"] != "delete":
            raise invalid_input(f"Value is missing for patch at index of {number}.")
        given = [{"marketplace_id": marketplace, **one} for one in patch.get("value") or ()]
        instances = _after(name, after.get(name, []), patch["op"], given)
        if instances:
            after[name] = instances
        else:
            after.pop(name, None)
    return after


def written(attributes: Mapping[str, Any], marketplace: str) -> Attributes:
    """Attributes as a put or an update gives them. Raises ApiError 400 when one is no list of objects."""
    for instances in attributes.values():
        if not isinstance(instances, list) or not all(isinstance(one, dict) for one in instances):
            raise invalid_input(UNREADABLE)
    return {
        name: [{"marketplace_id": marketplace, **copy.deepcopy(one)} for one in instances]
        for name, instances in attributes.items()
    }


def issues_of(attributes: Attributes, names: Sequence[str]) -> list[Issue]:
    """What is wrong with the named attributes; an ERROR makes the submission INVALID."""
    found: list[Issue] = []
    for name in names:
        if name not in KNOWN:
            found.append(_issue("90000900", "The attributes are invalid.", [name], []))
    if AVAILABILITY in names:
        for entry in attributes.get(AVAILABILITY, ()):
            found += _availability_issues(entry)
    return found


def names_in(patches: Sequence[Mapping[str, Any]]) -> list[str]:
    """The attributes the patches touch, each once."""
    return list(dict.fromkeys(_attribute(patch["path"]) for patch in patches))


def missing(name: str) -> Issue:
    text = f"'{name}' is required but not supplied."
    return _issue("90220", text, [name], ["MISSING_ATTRIBUTE"])


def _attribute(path: str) -> str:
    found = re.fullmatch(r"/attributes/([^/]+)", path)
    if found is None:
        raise invalid_input(UNREADABLE, "only top-level attributes can be patched")
    return found[1]


def _after(
    name: str, instances: list[dict[str, Any]], op: str, given: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    if op == "delete" and not given:
        return []
    selectors = _SELECTORS.get(name, _TEXT_SELECTORS)
    after = {_select(one, selectors): one for one in instances}
    for one in given:
        key = _select(one, selectors)
        if op == "delete":
            after.pop(key, None)
        elif op == "merge":
            after[key] = {**after.get(key, {}), **one}
        else:
            after[key] = one
    return list(after.values())


def _select(instance: Mapping[str, Any], selectors: Sequence[str]) -> tuple[object, ...]:
    return tuple(str(instance.get(name)) for name in selectors)


def _availability_issues(entry: Mapping[str, Any]) -> list[Issue]:
    code = entry.get("fulfillment_channel_code")
    if code is None:
        text = (
            "The field 'fulfillment_channel_code' for the attribute 'fulfillment_availability' does not have "
            "enough values. The required minimum is '1' value(s)."
        )
        return [_issue("99022", text, [AVAILABILITY], ["MISSING_ATTRIBUTE"])]
    units = entry.get("quantity")
    wrong_units = units is not None and (
        not isinstance(units, int) or isinstance(units, bool) or units < 0
    )
    if not _CHANNEL.fullmatch(str(code)) or wrong_units:
        text = "The attributes are invalid."
        return [_issue("90000900", text, [AVAILABILITY], ["INVALID_ATTRIBUTE"])]
    return []


def _issue(code: str, message: str, names: Sequence[str], categories: Sequence[str]) -> Issue:
    return {
        "code": code,
        "message": message,
        "severity": "ERROR",
        "attributeNames": list(names),
        "categories": list(categories),
    }
