"""Sessions of browsers: a signed cookie that names a token, never the token itself, and a word against forged forms.

Nothing is kept on the server: the token's row says at each request whether it is still good, and what it may do.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from itsdangerous import BadSignature, Signer, URLSafeSerializer

COOKIE: Final = "lockstep_session"
#: Where a form, or a script, sends the word.
CSRF_HEADER: Final = "x-csrf-token"
CSRF_FIELD: Final = "csrf"


@dataclass(frozen=True, slots=True)
class Session:
    """Who a browser is.

    csrf    the word that its forms must send
    """

    token_id: int
    until: datetime
    csrf: str


class Sessions:
    """Cookies of this house."""

    def __init__(self, key: bytes) -> None:
        self._cookies = URLSafeSerializer(key, salt="lockstep.session")
        self._words = Signer(key, salt="lockstep.csrf")

    def open(self, token_id: int, until: datetime, nonce: str) -> str:
        """The cookie of a new session.

        nonce    random, so that no two sessions share their word
        """
        return self._cookies.dumps([token_id, int(until.timestamp()), nonce])

    def read(self, cookie: str, now: datetime) -> Session | None:
        """The session of a cookie; None: it is not ours, or over."""
        try:
            said = self._cookies.loads(cookie)
        except BadSignature:
            return None
        token_id, until_s, _nonce = said
        until = datetime.fromtimestamp(until_s, UTC)
        return None if now >= until else Session(token_id, until, self.word(cookie))

    def word(self, cookie: str) -> str:
        """What forms of this session must send."""
        return self._words.get_signature(cookie).decode()


def is_word(session: Session, said: str) -> bool:
    """Whether a form knows the session's word."""
    return hmac.compare_digest(session.csrf.encode(), said.encode())
