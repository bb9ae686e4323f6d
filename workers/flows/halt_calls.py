"""What halts ask of a vendor: zeros for many at once, what a stop will change, and whether it has stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import uuid4

from channels.base import Binding, Channel, Level, NotSent, Reading, Throttled
from reconcile.compare import newest


def show_zeros(client: Channel, bindings: Sequence[Binding]) -> dict[tuple[str, str], int]:
    """Show zero at all of these places, in as few calls as the vendor takes and answers at once.

    What did not take (sold meanwhile, refused) is left to the stop of each.
    returns    (SKU, location) -> units shown before, where any were
    raises     ChannelError
    """
    before: dict[tuple[str, str], int] = {}
    rows = max(1, client.direct_rows)
    for start in range(0, len(bindings), rows):
        chunk = bindings[start : start + rows]
        read = newest(client.snapshot(chunk))
        levels = [
            Level(reading.binding, 0, 0, reading.units)
            for reading in read.values()
            if reading.units is not None and reading.units > 0
        ]
        if not levels:
            continue
        before |= {place: read[place].units or 0 for place in read}
        outcomes = client.push(levels, key=str(uuid4()))
        waits = [outcome.retry_after_s for outcome in outcomes if isinstance(outcome, NotSent)]
        if waits:
            raise Throttled(f"{len(waits)} zeros of halts are not sent", retry_after_s=max(waits))
    return before


def before_a_stop(client: Channel, binding: Binding, units: int | None) -> Mapping[str, str]:
    """What a stop will change, as its undo says it.

    units    shown before zeros were shown to many at once; None: the vendor still shows what it did
    """
    state = client.sale_state(binding)
    if units is None or "units" not in state:
        return state
    return {**state, "units": str(units // binding.pack)}


def still_shown(bindings: Sequence[Binding], read: Mapping[tuple[str, str], Reading]) -> str:
    """Which locations are not proven to show nothing, in words; absent or untracked proves nothing."""
    words = []
    for binding in bindings:
        reading = read.get((binding.sku, binding.location))
        if reading is None or reading.units is None:
            words.append(f"{binding.location} is unknown")
        elif reading.units > 0:
            words.append(f"{binding.location} shows {reading.units}")
    return ", ".join(words)
