"""Screenshots made small: the same picture with a palette, when it has few colours, and packed tightly.

A PNG is a signature and chunks (length, type, data, CRC); the pixels are lines, each led by the number of its filter,
in one zlib stream over all IDAT chunks (PNG specification, third edition, 5.3, 7 and 9).
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE = 256


def smaller(png: bytes) -> bytes:
    """A screenshot (8 bits a channel, RGB or RGBA without transparency) in at most 256 colours.

    The colours that are seen most stay as they are; each other one becomes the nearest of them.
    """
    width, height, channels, lines = _pixels(png)
    colours = Counter(
        line[at : at + 3] for line in lines for at in range(0, width * channels, channels)
    )
    kept = [colour for colour, _ in colours.most_common(_PALETTE)]
    index = {colour: number for number, colour in enumerate(kept)}
    for colour in colours:
        if colour not in index:
            index[colour] = _nearest(colour, kept)
    packed = bytearray()
    for line in lines:
        packed.append(0)
        packed += bytes(index[line[at : at + 3]] for at in range(0, width * channels, channels))
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return _SIGNATURE + b"".join(
        (
            _chunk(b"IHDR", head),
            _chunk(b"PLTE", b"".join(kept)),
            _chunk(b"IDAT", zlib.compress(bytes(packed), 9)),
            _chunk(b"IEND", b""),
        )
    )


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height in pixels."""
    width, height = struct.unpack(">II", png[16:24])
    return int(width), int(height)


def _nearest(colour: bytes, kept: list[bytes]) -> int:
    def distance(number: int) -> int:
        return sum((a - b) ** 2 for a, b in zip(colour, kept[number], strict=True))

    return min(range(len(kept)), key=distance)


def _chunk(kind: bytes, said: bytes) -> bytes:
    return struct.pack(">I", len(said)) + kind + said + struct.pack(">I", zlib.crc32(kind + said))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


def _pixels(png: bytes) -> tuple[int, int, int, list[bytes]]:
    """Width, height, channels, and the lines without their filters."""
    said = list(_chunks(png))
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", said[0][1])
    if depth != 8 or colour not in (2, 6) or interlaced:
        raise ValueError(f"not a screenshot: {depth} bits, colour type {colour}")
    channels = 3 if colour == 2 else 4
    raw = zlib.decompress(b"".join(data for kind, data in said if kind == b"IDAT"))
    length = width * channels
    lines: list[bytes] = []
    above = bytes(length)
    for number in range(height):
        start = number * (length + 1)
        line = _unfiltered(raw[start], raw[start + 1 : start + 1 + length], above, channels)
        lines.append(line)
        above = line
    return width, height, channels, lines


def _unfiltered(how: int, line: bytes, above: bytes, step: int) -> bytes:
    """A line as it was before filter 0 none, 1 left, 2 above, 3 mean of both, 4 Paeth."""
    if how == 0:
        return line
    if how == 2:
        return bytes((a + b) & 255 for a, b in zip(line, above, strict=True))
    found = bytearray(line)
    for at in range(len(found)):
        left = found[at - step] if at >= step else 0
        if how == 1:
            guess = left
        elif how == 3:
            guess = (left + above[at]) // 2
        else:
            guess = _paeth(left, above[at], above[at - step] if at >= step else 0)
        found[at] = (found[at] + guess) & 255
    return bytes(found)


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    by_left, by_above, by_corner = abs(guess - left), abs(guess - above), abs(guess - corner)
    if by_left <= by_above and by_left <= by_corner:
        return left
    return above if by_above <= by_corner else corner
