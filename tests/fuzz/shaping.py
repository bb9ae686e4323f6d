"""Bad input from good: real documents with pieces lost, changed, doubled, respelt; all of it from one Random."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any, Final

from tests.doors.examples import leaves

#: What has broken readers before: numbers no column holds, times no calendar ends at, text that is none, formulas,
#: other people's syntax.
WORDS: Final[Sequence[str]] = (
    "", " ", "\x00", "\ud800", "\udfff\ud800", "\ufeff", "\u202e123", "\u200b", "caf\u00e9", "cafe\u0301", "\U0001f375",
    "NaN", "Infinity", "-0", "1e999", "1e-999", "9" * 500, "0x10", "1_000", "\u0661\u0662", "1,000.5", "1.000,5", "+5",
    "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2016-12-31T23:59:60Z", "24:00",
    "2026-03-29T02:30:00", "20260101", "01/02/2026", "2026-W01-1", "gid://shopify/ProductVariant/", "null", "true",
    "' OR 1=1 --", "'; DROP TABLE event; --", "$.**", "%s%n", "{{7*7}}", "${jndi:ldap://x}",
    "<script>alert(1)</script>",
    "=1+1", "@SUM(A1)", "../../etc/passwd", "..\\..\\x", "http://169.254.169.254/", "\r\nX-Injected: 1", "\x1b[31m",
    "A" * 129, "A" * 70_000,
)  # fmt: skip
NUMBERS: Final[Sequence[Any]] = (
    0, -0.0, -1, 1, 0.5, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**40, 10**400, 1e308, float("nan"), float("inf"),
)  # fmt: skip
MARKS: Final[Sequence[bytes]] = (
    b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\r", b"\n", b"\r\n", b'"', b"'", b",", b";", b"\t", b"{",
    b"}",
    b"[", b"]", b":", b"\\", b"\\u0000", b"\\ud800", b"~", b"*", b">", b"=", b"#", b"[[", b"ISA*", b"IEA*", b"GS*",
    b"ST*", b"SE*", b"HL*", b"1e400", b"NaN", b"-", b"9" * 40,
)  # fmt: skip


def strange(random: Random, depth: int = 0) -> Any:
    """A value that nobody meant."""
    match random.randrange(8):
        case 0:
            return None
        case 1:
            return random.random() < 0.5
        case 2 | 3:
            return random.choice(NUMBERS)
        case 4 | 5:
            return random.choice(WORDS)
        case 6:
            return nested(random.choice((1, 3, 60, 300)))
        case _ if depth < 2:
            return [strange(random, depth + 1) for _ in range(random.choice((0, 1, 3, 300)))]
    return {random.choice(WORDS): random.choice(NUMBERS)}


def nested(depth: int) -> Any:
    """A list in a list in a list."""
    inside: Any = 1
    for _ in range(depth):
        inside = [inside]
    return inside


def twisted(random: Random, document: Any) -> bytes:
    """A JSON document with one to five pieces dropped, replaced, renamed or doubled, as bytes; changed in place."""
    for _ in range(random.randint(1, 5)):
        places = leaves(document)
        if not places:
            break
        _twist(random, document, random.choice(places))
    try:
        said = json.dumps(document, ensure_ascii=random.random() < 0.7).encode(
            "utf-8", "surrogatepass"
        )
    except RecursionError:
        said = b"[" * 5_000
    if random.random() < 0.1:
        said = _with_a_twin(random, said)
    return damaged(random, said) if random.random() < 0.15 else said


def _twist(random: Random, document: Any, place: tuple[str | int, ...]) -> None:
    inside = document
    for name in place[:-1]:
        inside = inside[name]
    last: Any = place[-1]
    match random.randrange(6):
        case 0:
            del inside[last]
        case 1:
            inside[last] = [inside[last], inside[last]]
        case 2 if isinstance(inside, dict):
            name = str(last)
            inside[random.choice((name.swapcase(), f"{name} ", random.choice(WORDS)))] = inside.pop(
                last
            )
        case _:
            inside[last] = _near(random, inside[last])


def _near(random: Random, value: Any) -> Any:
    """Something that differs a little from what was meant, or altogether."""
    if random.random() < 0.5:
        return strange(random)
    if isinstance(value, bool) or value is None:
        return random.choice((0, 1, "true", ""))
    if isinstance(value, int | float) and abs(value) < 10**15:
        return random.choice(
            (-value, value + 0.5, str(value), value * 10**12, f"{value}.0", f" {value}")
        )
    if isinstance(value, int | float):
        return -value
    if isinstance(value, str):
        at = random.randint(0, len(value))
        return random.choice(
            (value[:at], value[:at] + random.choice(WORDS) + value[at:], value.upper(), [value])
        )
    return [value] * random.choice((0, 2, 50))


def _with_a_twin(random: Random, said: bytes) -> bytes:
    """An object in which a name stands twice, with two meanings."""
    if not said.startswith(b"{") or said == b"{}":
        return said
    name = random.choice((b'"id"', b'"kind"', b'"units"', b'"line_items"', b'"type"'))
    return said[:-1] + b"," + name + b":" + json.dumps(random.choice(NUMBERS)).encode() + b"}"


def damaged(random: Random, data: bytes) -> bytes:
    """Bytes with one to eight places changed, doubled, cut out, or a mark put in."""
    for _ in range(random.randint(1, 8)):
        at, length = random.randint(0, len(data)), random.choice((0, 1, 2, 8, 30, 400))
        put = random.choice(
            (
                random.choice(MARKS),
                random.randbytes(random.randint(1, 4)),
                data[at : at + 3 * length],
            )
        )
        data = data[:at] + put + data[at + length :]
    return data[:400_000]


def table(
    random: Random, columns: Sequence[str], rows: Sequence[Sequence[str]], mark: str
) -> bytes:
    """A file of rows with some cells, names and lines spoilt."""
    names = list(columns)
    lines = [list(row) for row in rows]
    for _ in range(random.randint(1, 6)):
        row = names if random.random() < 0.05 or not lines else random.choice(lines)
        match random.randrange(6):
            case 0 if row:
                del row[random.randrange(len(row))]
            case 1:
                row.append(random.choice(WORDS))
            case 2:
                lines.append(list(random.choice(lines or [names])))
            case _ if row:
                row[random.randrange(len(row))] = random.choice(
                    (random.choice(WORDS), str(random.choice(NUMBERS)))
                )
    said = random.choice(("\n", "\n", "\r\n", "\r")).join(mark.join(row) for row in [names, *lines])
    data = said.encode(random.choice(("utf-8",) * 6 + ("utf-8-sig", "utf-16", "cp1252")), "replace")
    return damaged(random, data) if random.random() < 0.2 else data
