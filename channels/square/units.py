"""Square's quantities are decimal strings; ours are whole units. Nothing is ever rounded on the way."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

#: As Square writes a quantity: at most 26 characters, never an exponent ("1E+999999" would take minutes to write out).
_QUANTITY: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")


class Fractional(ValueError):
    """A quantity that is no whole number of units: something sold by weight or length."""


def whole_units(text: str) -> int:
    """`"10"` and `"10.00000"` are 10, `"-3"` is -3.

    raises   Fractional for `"2.5"`; ValueError for what is no decimal number
    """
    if _QUANTITY.fullmatch(text) is None:
        raise ValueError(f"{text[:40]!r} is not a decimal number")
    quantity = Decimal(text)
    if quantity != quantity.to_integral_value():
        raise Fractional(
            f"{text} is not a whole number; Lockstep counts whole units, so what is sold by measure stays unmapped"
        )
    return int(quantity)


def decimal_string(units: int) -> str:
    """As Square wants a quantity to be written."""
    return str(units)


def is_by_measure(text: str) -> bool:
    """Whether a quantity is a part of a unit: of something sold by weight or length."""
    try:
        whole_units(text)
    except Fractional:
        return True
    except ValueError:
        return False
    return False
