"""The rules: every version that was ever in force."""

from __future__ import annotations

from typing import Final

from console.views.listing import Listing

VERSIONS: Final = Listing(
    "version, author, reason, applied_at", "FROM rule_set", "true", (("version", "bigint"),)
)
