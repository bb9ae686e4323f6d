"""How values are written on pages: units, spans, moments. Nothing here asks a clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from markupsafe import Markup, escape

NONE: Final = "\u2013"
_STEPS: Final = ((86_400, "d"), (3600, "h"), (60, "min"))


def units(value: Any) -> str:
    """A count with its thousands apart; a dash where nothing is known."""
    return NONE if value is None else f"{value:,}".replace(",", "\u202f")


def signed(value: Any) -> str:
    """A difference with its sign."""
    return NONE if value is None else f"{value:+,}".replace(",", "\u202f")


def percent(value: Any, digits: int = 1) -> str:
    """A percentage that never rounds up to whole."""
    if value is None:
        return NONE
    step = 10.0**digits
    value = float(value)
    cut = int(value * step) / step if 99 < value < 100 else round(value, digits)
    return f"{cut:.{digits}f}\u202f%"


def span(seconds: Any) -> str:
    """How long something takes, in its largest sensible measure."""
    if seconds is None:
        return NONE
    if isinstance(seconds, timedelta):
        seconds = seconds.total_seconds()
    seconds = float(seconds)
    for length, name in _STEPS:
        if abs(seconds) >= length * 1.5:
            return f"{seconds / length:.0f}\u202f{name}"
    if 0 < abs(seconds) < 10 and seconds != int(seconds):
        return f"{seconds:.1f}\u202fs"
    return f"{seconds:.0f}\u202fs"


def ago(at: Any, now: datetime) -> Markup:
    """A moment as it lies from now, with the moment itself on hover."""
    if at is None:
        return Markup(NONE)
    away = (now - at).total_seconds()
    said = f"in {span(-away)}" if away < -1 else f"{span(max(0.0, away))} ago"
    return _time(at, said, "rel")


def clock(at: Any) -> Markup:
    """The time of day, with the day on hover."""
    return Markup(NONE) if at is None else _time(at, f"{at.astimezone(UTC):%H:%M:%S}", "abs")


def moment(at: Any) -> Markup:
    """Day and time."""
    return Markup(NONE) if at is None else _time(at, f"{at.astimezone(UTC):%m-%d %H:%M:%S}", "abs")


def _time(at: datetime, said: str, kind: str) -> Markup:
    at = at.astimezone(UTC)
    full = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}" title="{}" class="{}">{}</time>').format(
        at.isoformat(), full, kind, said
    )


def code(name: Any) -> Markup:
    """A name that is to be copied as it is."""
    return Markup("<code>{}</code>").format(escape(str(name)))


def said(told: Any) -> Markup:
    """A sentence of the house's own, with what stands in backticks as something to be copied."""
    pieces = str(told).split("`")
    if len(pieces) % 2 == 0:
        return escape(str(told))
    return Markup("").join(code(each) if n % 2 else escape(each) for n, each in enumerate(pieces))


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "said": said,
    "units": units,
    "signed": signed,
    "percent": percent,
    "span": span,
    "clock": clock,
    "moment": moment,
    "code": code,
}
