"""Plots as SVG that stands in a page: no script, no address, readable in light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from markupsafe import Markup

_WIDTH: Final = 720
_ROW: Final = 22
_LABEL: Final = 180
_HEIGHT: Final = 200
_LEFT: Final = 56
_BOTTOM: Final = 22
#: Less is not told apart.
_LEAST: Final = 0.001
_COLOURS: Final = (
    "#2563eb",
    "#d97706",
    "#059669",
    "#dc2626",
    "#7c3aed",
    "#0891b2",
    "#65a30d",
    "#be185d",
)


def bars(title: str, rows: Sequence[tuple[str, float]], unit: str = "") -> Markup:
    """Values beside their names, in the order given; nothing where there is none.

    unit    written behind each value
    """
    if not rows:
        return Markup("")
    most = max((abs(value) for _, value in rows), default=0.0) or 1.0
    room = _WIDTH - _LABEL - 90
    drawn = Markup("").join(
        Markup(
            '<text x="{}" y="{}" class="name">{}</text><rect x="{}" y="{}" width="{:.1f}" height="{}" fill="{}"/>'
            '<text x="{:.1f}" y="{}" class="value">{}</text>'
        ).format(
            _LABEL - 8,
            place * _ROW + 15,
            name[:28],
            _LABEL,
            place * _ROW + 3,
            abs(value) / most * room,
            _ROW - 6,
            _COLOURS[3] if value < 0 else _COLOURS[0],
            _LABEL + abs(value) / most * room + 6,
            place * _ROW + 15,
            f"{_short(value)}{unit}",
        )
        for place, (name, value) in enumerate(rows)
    )
    return _svg(title, len(rows) * _ROW + 4, drawn)


def lines(
    title: str, steps: Sequence[str], series: Mapping[str, Sequence[float | None]], unit: str = ""
) -> Markup:
    """Values over time, a line a name; where one is None the line is broken.

    steps    names of the moments, the same for all
    """
    known = [value for values in series.values() for value in values if value is not None]
    if not known or not steps:
        return Markup("")
    most = max(*known, 0.0) or 1.0
    drawn = _frame(most, steps, unit)
    for place, (name, values) in enumerate(series.items()):
        colour = _COLOURS[place % len(_COLOURS)]
        drawn += _line(values, most, colour) + _key(name, place, colour)
    height = _HEIGHT + _BOTTOM + 18 * ((len(series) + 3) // 4)
    return _svg(title, height, drawn)


def _frame(most: float, steps: Sequence[str], unit: str) -> Markup:
    drawn = Markup("")
    for part in (0.0, 0.5, 1.0):
        y = _y(most * part, most)
        drawn += Markup(
            '<line x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}" class="grid"/><text x="{}" y="{:.1f}" class="name">{}</text>'
        ).format(_LEFT, _WIDTH, y, y, _LEFT - 6, y + 4, f"{_short(most * part)}{unit}")
    every = max(1, len(steps) // 6)
    for place in range(0, len(steps), every):
        drawn += Markup('<text x="{:.1f}" y="{}" class="step">{}</text>').format(
            _x(place, len(steps)), _HEIGHT + 16, steps[place]
        )
    return drawn


def _line(values: Sequence[float | None], most: float, colour: str) -> Markup:
    parts: list[str] = []
    pen = "M"
    for place, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        parts.append(f"{pen}{_x(place, len(values)):.1f} {_y(value, most):.1f}")
        pen = "L"
    dots = Markup("").join(
        Markup('<circle cx="{:.1f}" cy="{:.1f}" r="2" fill="{}"/>').format(
            _x(place, len(values)), _y(value, most), colour
        )
        for place, value in enumerate(values)
        if value is not None
    )
    return (
        Markup('<path d="{}" fill="none" stroke="{}" stroke-width="1.5"/>').format(
            " ".join(parts), colour
        )
        + dots
    )


def _key(name: str, place: int, colour: str) -> Markup:
    x = _LEFT + (place % 4) * 165
    y = _HEIGHT + _BOTTOM + 12 + 18 * (place // 4)
    return Markup(
        '<rect x="{}" y="{}" width="10" height="10" fill="{}"/><text x="{}" y="{}" class="value">{}</text>'
    ).format(x, y - 9, colour, x + 14, y, name[:22])


def _x(place: int, of: int) -> float:
    return _LEFT + 8 + place * (_WIDTH - _LEFT - 24) / max(1, of - 1)


def _y(value: float, most: float) -> float:
    return 8 + (_HEIGHT - 16) * (1 - value / most)


def _svg(title: str, height: int, drawn: Markup) -> Markup:
    return Markup(
        '<figure class="plot" tabindex="0"><figcaption>{}</figcaption>'
        '<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg></figure>'
    ).format(title, _WIDTH, height, title, drawn)


def _short(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", "\u202f")
    if 0 < abs(value) < _LEAST:
        return f"< {_LEAST:g}" if value > 0 else f"> -{_LEAST:g}"
    return f"{value:.3g}"
