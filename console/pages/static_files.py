"""Static files: asked for under a hash of what they hold, so that a browser may keep each of them for good."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

PREFIX: Final = "/static/"
_FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Served:
    """A file as it goes over the wire."""

    kind: str
    plain: bytes
    packed: bytes
    mark: str


@cache
def served() -> dict[str, Served]:
    """Every file that may be asked for, by its name under the folder."""
    found = sorted(path for path in _FOLDER.rglob("*") if path.suffix in _TYPES)
    return {path.relative_to(_FOLDER).as_posix(): _read(path) for path in found}


def _read(path: Path) -> Served:
    plain = path.read_bytes()
    mark = hashlib.sha256(plain).hexdigest()[:16]
    return Served(_TYPES[path.suffix], plain, gzip.compress(plain, mtime=0), mark)


def address(name: str) -> str:
    """Where a page finds a file. Raises KeyError for one that there is not."""
    return f"{PREFIX}{name}?v={served()[name].mark}"


def answer(request: Request) -> Response:
    """A file; the browser keeps it for a year when it asked for just what the file holds."""
    found = served().get(request.url.path.removeprefix(PREFIX))
    if found is None:
        return Response("there is no such file\n", status_code=404, media_type="text/plain")
    is_meant = request.query_params.get("v") == found.mark
    headers = {
        "cache-control": "public, max-age=31536000, immutable" if is_meant else "no-cache",
        "vary": "accept-encoding",
        "content-type": found.kind,
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.packed, headers=headers | {"content-encoding": "gzip"})
    return Response(found.plain, headers=headers)
