"""What runs beside the house only, and why; every other command also asks an API (`LOCKSTEP_URL`, `LOCKSTEP_TOKEN`)."""

from __future__ import annotations

from typing import Final

_PROCESS: Final = "it is a process of this machine"
_VENDOR: Final = (
    "it speaks with the vendor for as long as that takes, with the secrets of this machine"
)
_WHOLE: Final = "it reads the whole book, or computes over it, for minutes"
_SCHEMA: Final = "it needs the database's administrator"
_THROWN: Final = "it works in a database of its own that is gone afterwards"
_FILES: Final = "it reads files only, and asks no house"

#: Command, or group -> why. The first that fits counts.
LOCAL: Final[dict[str, str]] = {
    "alloc check": _FILES,
    "alloc fit": _WHOLE,
    "alloc simulate": _WHOLE,
    "amazon mcf create": _VENDOR,
    "amazon mirror": _VENDOR,
    "beat": _PROCESS,
    "bench": _THROWN,
    "channel certify": _VENDOR,
    "channel map": _VENDOR,
    "channel subscribe": _VENDOR,
    "channel test": _VENDOR,
    "chaos": _THROWN,
    "completion": _FILES,
    "config": "it tells of the settings of this machine",
    "db": _SCHEMA,
    "demo": _PROCESS,
    "edi exchange": _VENDOR,
    "edi parse": _FILES,
    "edi validate": _FILES,
    "export": "it writes files of this machine",
    "faults": _THROWN,
    "flower": _PROCESS,
    "forecast backtest": _WHOLE,
    "forecast run": _WHOLE,
    "history import": "it books files of millions of rows, and ties them out",
    "ledger verify": _WHOLE,
    "play": _PROCESS,
    "prove": _THROWN,
    "recon bench": _THROWN,
    "recon drill": _THROWN,
    "recon run": _VENDOR,
    "review quarter": _WHOLE,
    "serve": _PROCESS,
    "sim": _PROCESS,
    "up": _PROCESS,
    "worker": _PROCESS,
}


def why_local(command: str) -> str | None:
    """Why a command (`recon run`) runs beside the house only; None: it works from afar."""
    for name, why in LOCAL.items():
        if command == name or command.startswith(f"{name} "):
            return why
    return None
