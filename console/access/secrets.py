"""What a token looks like: 256 random bits behind a word that scanners for leaked secrets can be told."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

PREFIX: Final = "lockstep_"
BYTES: Final = 32
_FORM: Final = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


def token_of(random: bytes) -> str:
    """The token that these 32 random bytes are."""
    if len(random) != BYTES:
        raise ValueError(f"a token takes {BYTES} random bytes, not {len(random)}")
    return PREFIX + base64.urlsafe_b64encode(random).rstrip(b"=").decode()


def is_token(said: str) -> bool:
    """Whether it has a token's form; anything else need not be looked for."""
    return _FORM.fullmatch(said) is not None


def hash_of(token: str) -> bytes:
    """What is kept of a token: of 256 random bits, a plain SHA-256 tells nothing and needs no salt."""
    return hashlib.sha256(token.encode()).digest()
