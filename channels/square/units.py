"""Square's quantities are decimal strings; ours are whole units. Nothing is ever rounded on the way."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation


class Fractional(ValueError):
    """A quantity that is no whole number of units: something sold by weight or length."""


def whole_units(text: str) -> int:
    """`"10"` and `"10.00000"` are 10, `"-3"` is -3.

    raises   Fractional for `"2.5"`; ValueError for what is no decimal number
    """
    try:
        quantity = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text[:40]!r} is not a decimal number") from None
    if not quantity.is_finite():
        raise ValueError(f"{text[:40]!r} is not a decimal number")
    if quantity != quantity.to_integral_value():
        raise Fractional(
            f"{text} is not a whole number; Lockstep counts whole units, so what is sold by measure stays unmapped"
        )
    return int(quantity)


def decimal_string(units: int) -> str:
    """As Square wants a quantity to be written."""
    return str(units)
