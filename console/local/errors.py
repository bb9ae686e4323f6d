"""What can go wrong on the way to a running local stack.

LocalError
+- BinaryMissing     no usable server binary on this machine
+- PlaceRefused      the server's user cannot reach any folder for its data
+- AlreadyRunning    another process serves this home
+- NotReady          a process ended or stayed silent before it was ready
"""

from __future__ import annotations


class LocalError(Exception):
    """The local stack cannot do what was asked; the message says what to do next."""


class BinaryMissing(LocalError):
    """No usable server binary was found."""


class PlaceRefused(LocalError):
    """No folder is both ours to use and reachable by the server's user."""


class AlreadyRunning(LocalError):
    """Another process serves this home."""


class NotReady(LocalError):
    """A process ended or stayed silent before it was ready; the message carries the end of its log."""
