"""Rule files in pieces, so that a test writes only what it is about."""

from __future__ import annotations

import pytest

from allocation.document import RuleFileError, read

WHY = 'why = "because"\n'

PLACES = "[locations.WH]\n[locations.ST]\n"


def channel(name: str, fields: str = "", *, at: str = "WH", why: bool = True) -> str:
    """A channel at one location."""
    return (
        f'[channels.{name}]\nkind = "shopify"\nbase_url = "https://{name}.example"\nlocations = ["{at}"]\n'
        f'vendor_locations = {{ "1" = "{at}" }}\n{fields}{WHY if why else ""}'
    )


def override(fields: str) -> str:
    """A departure."""
    return f"[[overrides]]\n{fields}\n{WHY}"


def safety(fields: str) -> str:
    """A safety stock."""
    return f"[[safety_stock]]\n{fields}\n{WHY}"


def protection(fields: str) -> str:
    """A protection."""
    return f"[[protection]]\n{fields}\n{WHY}"


#: Two channels at the warehouse, one at the store.
HOUSE = PLACES + channel("shop") + channel("market") + channel("till", at="ST")
LINES = HOUSE.count("\n")


def problems(source: str) -> list[str]:
    """What is wrong with a file: `line: where: message`."""
    with pytest.raises(RuleFileError) as caught:
        read(source, "f")
    return [str(problem).removeprefix("f:") for problem in caught.value.problems]
