"""Login with Amazon: access tokens for a seller (refresh_token) or for the client itself (client_credentials)."""

from __future__ import annotations

import hmac
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from channels.simulators.amazon.errors import LwaError, unauthorized

LIFETIME_S: Final = 3600
NOTIFICATIONS: Final = "sellingpartnerapi::notifications"
MIGRATION: Final = "sellingpartnerapi::migration"
_MOST: Final = 1000
"""Grants kept before old ones are forgotten; a forgotten token is invalid instead of expired."""
_REVOKED: Final = (
    "The request has an invalid grant parameter : refresh_token. "
    "User may have revoked or didn't grant the permission."
)


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token allows; `scope` is None for a seller's token."""

    expires_at: datetime
    scope: str | None


class Lwa:
    """The authorization server's book of tokens; safe to use from several threads."""

    def __init__(
        self, client_id: str, client_secret: str, refresh_token: str, seed: int = 0
    ) -> None:
        self.client_id, self.client_secret = client_id, client_secret
        self.refresh_token = refresh_token
        self._dice = random.Random(f"lwa {seed}")
        self._grants: dict[str, Grant] = {}
        self._lock = threading.Lock()

    def token(self, form: Mapping[str, str], now: datetime) -> dict[str, object]:
        """Answer `POST /auth/o2/token`. Raises LwaError: 401 for the client, 400 for everything else."""
        for name in ("grant_type", "client_id", "client_secret"):
            if not form.get(name):
                text = f"The request is missing a required parameter : {name}"
                raise LwaError(400, "invalid_request", text)
        if not self._knows(form["client_id"], form["client_secret"]):
            raise LwaError(401, "invalid_client", "Client authentication failed")
        match form["grant_type"]:
            case "refresh_token":
                return self._for_seller(form, now)
            case "client_credentials":
                return self._for_client(form, now)
            case _:
                text = "The authorization grant type is not supported by the authorization server"
                raise LwaError(400, "unsupported_grant_type", text)

    def check(self, access_token: str | None, now: datetime, *, grantless: bool) -> None:
        """Raise ApiError 403 unless the token is good for such an operation now."""
        if not access_token:
            raise unauthorized("Access token is missing in the request header.")
        with self._lock:
            grant = self._grants.get(access_token)
        if grant is None:
            raise unauthorized("The access token you provided is revoked, malformed or invalid.")
        if now >= grant.expires_at:
            raise unauthorized("The access token you provided has expired.")
        if (grant.scope == NOTIFICATIONS) is not grantless:
            raise unauthorized()

    def revoke(self) -> int:
        """Forget every access token; returns how many."""
        with self._lock:
            gone = len(self._grants)
            self._grants.clear()
            return gone

    def _knows(self, client_id: str, client_secret: str) -> bool:
        same_client = hmac.compare_digest(client_id.encode(), self.client_id.encode())
        return hmac.compare_digest(client_secret.encode(), self.client_secret.encode()) and (
            same_client
        )

    def _for_seller(self, form: Mapping[str, str], now: datetime) -> dict[str, object]:
        given = form.get("refresh_token", "")
        if not hmac.compare_digest(given.encode(), self.refresh_token.encode()):
            raise LwaError(400, "invalid_grant", _REVOKED)
        return self._issue(None, now) | {"refresh_token": self.refresh_token}

    def _for_client(self, form: Mapping[str, str], now: datetime) -> dict[str, object]:
        if form.get("scope") not in (NOTIFICATIONS, MIGRATION):
            raise LwaError(400, "invalid_scope", "The requested scope is invalid")
        return self._issue(form["scope"], now) | {"scope": form["scope"]}

    def _issue(self, scope: str | None, now: datetime) -> dict[str, object]:
        with self._lock:
            token = f"Atza|{self._dice.getrandbits(256):064x}"
            if len(self._grants) > _MOST:
                yesterday = now - timedelta(days=1)
                self._grants = {t: g for t, g in self._grants.items() if g.expires_at > yesterday}
            self._grants[token] = Grant(now + timedelta(seconds=LIFETIME_S), scope)
        return {"access_token": token, "token_type": "bearer", "expires_in": LIFETIME_S}
