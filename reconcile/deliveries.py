"""Which SKUs a delivery in the inbox may speak of, without knowing any vendor's document.

A delivery that names one of our items may explain a difference of that item. One that names none of them (a
notification that only carries an order number) may explain any.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Set

#: X12 puts its elements between delimiters; so does everything else that is not JSON, roughly.
_DELIMITERS = re.compile(r"[*~|+:'>^\r\n\t,;]+")


def tail(vendor_id: str) -> str:
    """The bare id: `gid://shopify/InventoryItem/42` is `42` in a webhook."""
    return vendor_id.rsplit("/", 1)[-1]


def values(body: bytes) -> set[str]:
    """Every text and number in a document, as text; JSON by its structure, anything else by its delimiters."""
    try:
        document = json.loads(body)
    except ValueError:
        words = _DELIMITERS.split(body.decode("utf-8", "replace"))
        return {word.strip() for word in words if word.strip()}
    return {tail(value) for value in _scalars(document)}


def _scalars(document: object) -> Iterable[str]:
    stack = [document]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
        elif isinstance(node, str):
            yield node
        elif isinstance(node, int) and not isinstance(node, bool):
            yield str(node)


def may_explain(
    contents: Iterable[Set[str]], names: Mapping[str, str]
) -> tuple[frozenset[str], bool]:
    """The SKUs that these deliveries name, and whether one of them names none.

    contents   `values` of each delivery
    names      SKU per name it has on the channel: the SKU itself, item id, variant id
    returns    (SKUs named, True when some delivery names no item of ours and so may speak of any)
    """
    named: set[str] = set()
    for content in contents:
        found = {names[value] for value in content if value in names}
        if not found:
            return frozenset(), True
        named |= found
    return frozenset(named), False
