"""The vendor's refusals: `{"errors": [{"code", "message", "details"}]}`."""

from __future__ import annotations

from typing import Final

DENIED: Final = "Access to requested resource is denied."


class ApiError(Exception):
    """A call the API refuses, with the status and the one error it shows."""

    def __init__(self, status: int, code: str, message: str, details: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.details = status, code, message, details

    def body(self) -> dict[str, object]:
        error = {"code": self.code, "message": self.message, "details": self.details}
        return {"errors": [error]}


def invalid_input(message: str, details: str = "") -> ApiError:
    return ApiError(400, "InvalidInput", message, details)


def not_found(message: str) -> ApiError:
    return ApiError(404, "NotFound", message)


def unauthorized(details: str = "") -> ApiError:
    """403, also for an expired token: the API has no 401 of its own for that."""
    return ApiError(403, "Unauthorized", DENIED, details)


def quota_exceeded() -> ApiError:
    return ApiError(429, "QuotaExceeded", "You exceeded your quota for the requested resource.")


class LwaError(Exception):
    """A token request that Login with Amazon refuses: `{"error", "error_description"}`."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status, self.error, self.description = status, error, description

    def body(self) -> dict[str, object]:
        return {"error_description": self.description, "error": self.error}
