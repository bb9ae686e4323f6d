"""How often a process that lives long looks for garbage."""

from __future__ import annotations

import gc

#: New objects between two looks at the young ones, and young looks between two at the middle and old ones.
SELDOM = (20_000, 50, 100)


def collect_seldom() -> None:
    """Call once a process, when all is imported: what lives until the end is never looked at again.

    A batch of a thousand SKUs is many small objects and no cycles: by default every few hundred of them the collector
    looks at all there are, which takes a quarter of the time of computing targets.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SELDOM)
