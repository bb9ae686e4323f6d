"""How fast a Shopify export of a whole catalogue is read, and whether memory stays flat while it is.

The file has the form the vendor writes: one object a line, an item and then, somewhere after it, its levels. Read is
what the night's run reads: levels as `Sighting`, from the disk through the same code that takes the download.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

from channels import downloads
from channels.shopify import bulk

GOAL_ROWS_PER_S: Final = 50_000
#: Growth of the process while it reads; a file of 100,000 levels is some 35 MB.
GOAL_MB: Final = 8.0
_BLOCK: Final = 7
_PIECE: Final = 1 << 18
_LOOK_EVERY: Final = 5_000
_MB: Final = 1024 * 1024


def measure(*, rows: int, rounds: int = 3) -> dict[str, Any]:
    """Write an export of `rows` SKUs, one level each, and read it.

    returns    of the best round: rows, lines, file_mb, seconds, rows_per_s, peak_rss_mb (growth, of the worst round),
               the goals, and `passed`
    """
    with tempfile.TemporaryDirectory(prefix="lockstep-bench-") as folder:
        path = Path(folder) / "levels.jsonl"
        with path.open("wb") as file:
            lines = write(file, rows)
        read(path)
        found = [read(path) for _ in range(rounds)]
        file_mb = path.stat().st_size / _MB
    seconds = min(took_s for _, took_s, _ in found)
    grown_mb = max(growth_mb for _, _, growth_mb in found)
    levels = found[0][0]
    rate = levels / seconds
    return {
        "rows": levels,
        "lines": lines,
        "file_mb": round(file_mb, 1),
        "seconds": round(seconds, 3),
        "rows_per_s": round(rate),
        "lines_per_s": round(lines / seconds),
        "peak_rss_mb": round(grown_mb, 1),
        "goal_rows_per_s": GOAL_ROWS_PER_S,
        "goal_rss_mb": GOAL_MB,
        "passed": levels == rows and rate >= GOAL_ROWS_PER_S and grown_mb <= GOAL_MB,
    }


def write(file: IO[bytes], rows: int) -> int:
    """An export of `rows` items with a level each; returns its lines."""
    for first in range(0, rows, _BLOCK):
        block = range(first, min(first + _BLOCK, rows))
        for number in block:
            file.write(_line({"id": _item(number)}))
        for number in block:
            file.write(_line(_level(number)))
    return 2 * rows


def read(path: Path) -> tuple[int, float, float]:
    """(levels, seconds, growth of this process in MB) of reading a file."""
    levels = 0
    before = peak = _resident_mb()
    began = time.perf_counter()
    with path.open("rb") as file:
        for sighting in bulk.sightings(downloads.split(_pieces(file))):
            levels += sighting.units is not None
            if levels % _LOOK_EVERY == 0:
                peak = max(peak, _resident_mb())
    took_s = time.perf_counter() - began
    return levels, took_s, max(peak, _resident_mb()) - before


def table(result: dict[str, Any], say: Callable[[str], object]) -> None:
    """The result for a person."""
    say(f"{result['rows']:,} levels in {result['lines']:,} lines, {result['file_mb']} MB")
    say(f"{result['rows_per_s']:,} levels/s (goal {result['goal_rows_per_s']:,})")
    say(f"memory grew by {result['peak_rss_mb']} MB (goal {result['goal_rss_mb']})")


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _item(number: int) -> str:
    return f"gid://shopify/InventoryItem/{53_204_673_823_026 + number * 32_768}"


def _level(number: int) -> dict[str, object]:
    item, stamp = _item(number), "2026-07-01T10:00:00Z"
    level_id = f"gid://shopify/InventoryLevel/24826418?inventory_item_id={item.rpartition('/')[2]}"
    return {
        "id": level_id,
        "isActive": True,
        "updatedAt": stamp,
        "item": {"id": item, "tracked": True},
        "location": {"id": "gid://shopify/Location/24826418"},
        "quantities": [
            {"name": "available", "quantity": number % 500, "updatedAt": stamp},
            {"name": "committed", "quantity": number % 3, "updatedAt": None},
        ],
        "__parentId": item,
    }


def _line(node: dict[str, object]) -> bytes:
    return json.dumps(node, separators=(",", ":")).encode() + b"\n"


def _resident_mb() -> float:
    """Memory of this process now; where the system does not tell, the most it ever was."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (_MB if sys.platform == "darwin" else 1024)
    return pages * resource.getpagesize() / _MB
