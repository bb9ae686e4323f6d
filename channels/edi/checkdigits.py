"""Check digits of GS1 numbers: UPC, EAN, GTIN, GLN and SSCC all use the same sum.

Source: GS1 General Specifications, "Check digit calculations": from the right, weights 3, 1, 3, ...
"""

from __future__ import annotations


def check_digit(body: str) -> str:
    """The digit to put behind `body`.

    body      digits without their check digit, at least one
    raises    ValueError when it holds anything else
    """
    if not (body.isascii() and body.isdigit()):
        raise ValueError(f"digits only, not {body!r}")
    weighed = (int(digit) * (3, 1)[place % 2] for place, digit in enumerate(reversed(body)))
    return str(-sum(weighed) % 10)


def is_valid(number: str, lengths: tuple[int, ...]) -> bool:
    """Whether `number` has one of these lengths, digits only, and the right last digit."""
    if len(number) not in lengths or not (number.isascii() and number.isdigit()):
        return False
    return check_digit(number[:-1]) == number[-1]


def sscc(extension: str, prefix_and_serial: str) -> str:
    """An SSCC-18 without application identifier.

    extension            one digit
    prefix_and_serial    16 digits: company prefix and serial reference
    raises               ValueError for other lengths
    """
    body = extension + prefix_and_serial
    if len(body) != 17:
        raise ValueError(f"an SSCC has 17 digits before its check digit, not {len(body)}")
    return body + check_digit(body)


def sscc_of_mark(mark: str) -> str:
    """The 18 digits of a MAN02: with or without the application identifier 00, and with the AI in brackets."""
    plain = mark.replace("(", "").replace(")", "").replace(" ", "")
    return plain[2:] if len(plain) == 20 and plain.startswith("00") else plain
