"""Login with Amazon: access tokens of a seller and of the application itself, made before the old ones expire.

A token lives an hour. One thread of a process makes the next one while the others wait for it; every process makes
its own, which Amazon allows. Neither the client's secret nor any token appears in an error.

Source: https://developer-docs.amazon.com/sp-api/docs/connect-to-the-selling-partner-api
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode, urlsplit

from pydantic import BaseModel, ValidationError

from channels.base import Refused, Unauthorised
from channels.http import CONNECT_S, READ_S, Http, Reply

LWA_URL: Final = "https://api.amazon.com/auth/o2/token"
NOTIFICATIONS: Final = "sellingpartnerapi::notifications"

#: A token is not used in its last minutes: it must outlive the call that carries it, and the clocks may differ.
_EARLY_S: Final = 300.0
_REFUSALS: Final = (400, 401, 403)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What Login with Amazon gives access tokens for; all three are secret."""

    client_id: str
    client_secret: str
    refresh_token: str

    def __repr__(self) -> str:
        return "Credentials(***)"


class _Granted(BaseModel):
    access_token: str
    expires_in: float


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    good_until: datetime


class Tokens:
    """The access tokens of one account in this process; safe to use from several threads.

    now   the clock that expiry is measured with
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        now: Callable[[], datetime],
        lwa_url: str = LWA_URL,
        connect_s: float = CONNECT_S,
        read_s: float = READ_S,
    ) -> None:
        parts = urlsplit(lwa_url)
        self._path = parts.path or "/"
        self._http = Http(
            f"{parts.scheme}://{parts.netloc}",
            headers={"Accept": "application/json"},
            secrets=[
                credentials.client_id,
                credentials.client_secret,
                credentials.refresh_token,
            ],
            connect_s=connect_s,
            read_s=read_s,
        )
        self._now = now
        client = {
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret,
        }
        self._forms: dict[bool, Mapping[str, str]] = {
            False: {
                "grant_type": "refresh_token",
                "refresh_token": credentials.refresh_token,
                **client,
            },
            True: {"grant_type": "client_credentials", "scope": NOTIFICATIONS, **client},
        }
        self._kept: dict[bool, _Token] = {}
        self._locks = {False: threading.Lock(), True: threading.Lock()}

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def get(self, *, grantless: bool = False) -> str:
        """A token that is good now.

        grantless   of the application itself, for the operations that no seller grants
        raises      Unauthorised when Amazon does not accept the credentials; Unavailable, Throttled, Unreadable
        """
        with self._locks[grantless]:
            kept = self._kept.get(grantless)
            if kept is None or self._now() >= kept.good_until:
                kept = self._kept[grantless] = self._made(grantless)
            return kept.text

    def forget(self, token: str) -> None:
        """The API refused this token: the next `get` makes another, unless somebody has already done so."""
        for grantless, lock in self._locks.items():
            with lock:
                kept = self._kept.get(grantless)
                if kept is not None and kept.text == token:
                    del self._kept[grantless]

    def _made(self, grantless: bool) -> _Token:
        asked_at = self._now()
        reply = self._http.call(
            "POST",
            self._path,
            body=urlencode(self._forms[grantless]).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"},
            idempotent_read=True,
            also=_REFUSALS,
        )
        if reply.status in _REFUSALS:
            raise self._refusal(reply)
        try:
            granted = _Granted.model_validate(self._http.json_object(reply))
        except ValidationError:
            # The body may hold a token: it is not shown.
            raise self._http.unreadable("a token answer without a token", b"") from None
        self._http.hide(granted.access_token)
        # Where a token lives shorter than our margin it is used for half its life rather than never.
        lives_s = max(granted.expires_in - _EARLY_S, granted.expires_in / 2)
        return _Token(granted.access_token, asked_at + timedelta(seconds=lives_s))

    def _refusal(self, reply: Reply) -> Unauthorised | Refused:
        answer = self._http.json_object(reply)
        code = str(answer.get("error") or reply.status)[:80]
        said = self._http.shown(str(answer.get("error_description") or ""))
        return Unauthorised(
            f"Login with Amazon: {code}: {said}; check client_id, client_secret and refresh_token of the channel, "
            "and that the seller still authorises the application"
        )
