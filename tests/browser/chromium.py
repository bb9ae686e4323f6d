"""Where the machine's Chromium is, and how it is started."""

from __future__ import annotations

import shutil
from typing import Final

#: None where there is none.
FOUND: Final = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
#: The first is needed because whoever runs it may be root; the others keep it from looking outside.
QUIET: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
