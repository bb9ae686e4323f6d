"""A partner's mailbox on an SFTP server. Wants the extra `sftp`.

Nobody is let in on first sight: the server's key is pinned, and compared before any secret of ours is sent.
SFTP's plain rename does not replace a file (draft-ietf-secsh-filexfer-02, 6.5), which is what the mailbox needs.
"""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import posixpath
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Final

import paramiko

from channels.base import ChannelError, Unauthorised, Unavailable
from channels.edi.mailbox import INBOUND, MAX_BYTES, QUIET_S, Entry, Mailbox

CONNECT_S: Final = 10.0
ANSWER_S: Final = 30.0
_KEYS: Final = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
# An RSA key is shown under one name and signs under others.
_SIGNED_AS: Final = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
# Its threads write tracebacks of every broken connection; we raise an error for it anyway.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class SftpExchange(Mailbox):
    """A mailbox on a server; connected with the first call, and again after a broken connection.

    path       of the mailbox; relative to the user's home without a leading `/`
    host_key   the pinned key: `ssh-ed25519 AAAA...` (a line of `ssh-keyscan` will do) or `SHA256:...`
    key        a private key's text, OpenSSH or PEM; `key_password` opens it
    raises     Unauthorised when nothing is pinned, or with neither a password nor a key
    """

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        path: str,
        *,
        host_key: str,
        password: str = "",
        key: str = "",
        key_password: str = "",
        quiet_s: float = QUIET_S,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        where = f"sftp://{host}:{port}/{path.lstrip('/')}"
        if not host_key.strip():
            raise Unauthorised(
                f"{where}: no host_key is pinned; put the line of `ssh-keyscan` there"
            )
        if not user or not (password or key):
            raise Unauthorised(f"{where}: the secrets lack the user, or both password and key")
        line = _Line(host, port, user, where, host_key.strip(), password, key, key_password)
        self._line = line
        super().__init__(_SftpDisk(line, path), where, quiet_s=quiet_s, max_bytes=max_bytes)

    def close(self) -> None:
        """Give the connection back; the next call makes another."""
        self._line.close()


class _Line:
    """The connection, one call at a time."""

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        where: str,
        host_key: str,
        password: str,
        key: str,
        key_password: str,
    ) -> None:
        self._host, self._port, self._user, self.where = host, port, user, where
        self._host_key, self._password = host_key, password
        self._key, self._key_password = key, key_password
        self._lock = threading.RLock()
        self._transport: paramiko.Transport | None = None
        self._client: paramiko.SFTPClient | None = None

    def close(self) -> None:
        with self._lock:
            if self._transport is not None:
                self._transport.close()
            self._transport = self._client = None

    @contextmanager
    def client(self, path: str) -> Iterator[paramiko.SFTPClient]:
        """An open client; its errors become ours, and a broken connection is not used again."""
        with self._lock:
            try:
                yield self._client or self._connected()
            except (ChannelError, FileNotFoundError, FileExistsError):
                raise
            except PermissionError as error:
                raise Unauthorised(
                    f"{self.where}: {path}: not permitted; ask the partner to let us read and write"
                ) from error
            except paramiko.AuthenticationException as error:
                self.close()
                raise Unauthorised(
                    f"{self.where}: the server does not accept user {self._user!r} with our secret"
                ) from error
            except (OSError, EOFError, paramiko.SSHException) as error:
                self.close()
                said = str(error) or type(error).__name__
                raise Unavailable(f"{self.where}: {path}: {said}") from error

    def _connected(self) -> paramiko.SFTPClient:
        transport = paramiko.Transport(
            socket.create_connection((self._host, self._port), timeout=CONNECT_S)
        )
        self._transport = transport
        transport.banner_timeout = transport.auth_timeout = ANSWER_S
        self._ask_for_pinned(transport)
        transport.start_client(timeout=ANSWER_S)
        self._check(transport.get_remote_server_key())
        if self._key:
            transport.auth_publickey(self._user, _private_key(self._key, self._key_password))
        else:
            transport.auth_password(self._user, self._password)
        client = paramiko.SFTPClient.from_transport(transport)
        channel = client.get_channel() if client is not None else None
        if client is None or channel is None:
            raise Unavailable(f"{self.where}: the server opens no SFTP session")
        channel.settimeout(ANSWER_S)
        self._client = client
        return client

    def _ask_for_pinned(self, transport: paramiko.Transport) -> None:
        """A server has several keys and shows the one of the kind we ask for."""
        kind = _pinned(self._host_key)[0]
        if kind:
            transport.get_security_options().key_types = _SIGNED_AS.get(kind, (kind,))

    def _check(self, shown: paramiko.PKey) -> None:
        kind, text = _pinned(self._host_key)
        print_of = base64.b64encode(hashlib.sha256(shown.asbytes()).digest()).decode().rstrip("=")
        same = text == (shown.get_base64() if kind else print_of)
        if not same:
            raise Unauthorised(
                f"{self.where}: the server shows another key (SHA256:{print_of}) than the pinned one;"
                " ask the partner whether it changed before you pin it"
            )


def _pinned(host_key: str) -> tuple[str, str]:
    """Kind and base64 text of a key; an empty kind and the text of a fingerprint."""
    if host_key.startswith("SHA256:"):
        return "", host_key.removeprefix("SHA256:").rstrip("=")
    words = host_key.split()
    for kind, text in pairwise(words):
        if kind.startswith(("ssh-", "ecdsa-")):
            return kind, text
    raise Unauthorised("the pinned host_key is neither `ssh-... AAAA...` nor `SHA256:...`")


def _private_key(text: str, password: str) -> paramiko.PKey:
    for kind in _KEYS:
        try:
            return kind.from_private_key(io.StringIO(text), password or None)
        except (paramiko.SSHException, ValueError):
            continue
    raise Unauthorised("the private key cannot be read: wrong password, or of no known kind")


class _SftpDisk:
    """A folder of the server as a `Disk`."""

    def __init__(self, line: _Line, root: str) -> None:
        self._line = line
        self._root = root or "."

    def entries(self, folder: str) -> list[Entry]:
        path = posixpath.join(self._root, folder)
        with self._line.client(path) as client:
            try:
                found = client.listdir_attr(path)
            except FileNotFoundError:
                raise Unavailable(f"{self._line.where}: there is no {folder}/") from None
        return [entry for one in found if (entry := _entry(one.filename, one)) is not None]

    def find(self, path: str) -> Entry | None:
        with self._file(path) as (client, full), suppress(FileNotFoundError):
            return _entry(posixpath.basename(path), client.lstat(full))
        return None

    def read(self, path: str, most: int) -> bytes | None:
        seen = self.find(path)
        if seen is None:
            return None
        with (
            self._file(path) as (client, full),
            suppress(FileNotFoundError),
            client.open(full, "rb") as file,
        ):
            file.prefetch(min(seen.size, most))
            return file.read(most)
        return None

    def write(self, path: str, body: bytes) -> None:
        with self._file(path) as (client, full):
            try:
                with client.open(full, "wx") as file:
                    file.set_pipelined(True)
                    file.write(body)
            except FileNotFoundError:
                raise Unavailable(
                    f"{self._line.where}: there is no {posixpath.dirname(path)}/"
                ) from None
            kept = client.lstat(full).st_size
            if kept != len(body):
                raise Unavailable(
                    f"{self._line.where}: {path} has {kept} bytes instead of {len(body)}"
                )

    def move(self, source: str, target: str) -> None:
        with self._file(source) as (client, old):
            new = posixpath.join(self._root, target)
            # Some servers do replace, so we look first; the others close the gap between looking and renaming.
            if _there(client, new):
                raise FileExistsError(target)
            try:
                client.rename(old, new)
            except FileNotFoundError:
                raise
            except OSError:
                if _there(client, new):
                    raise FileExistsError(target) from None
                raise

    def settle(self, source: str, target: str) -> bool:
        return self.find(source) is None

    def remove(self, path: str) -> None:
        with self._file(path) as (client, full), suppress(FileNotFoundError):
            client.remove(full)

    def make_folder(self, path: str) -> None:
        with self._file(path) as (client, _):
            full = self._root
            if not _there(client, posixpath.join(full, INBOUND)):
                raise Unavailable(f"{self._line.where}: there is no {INBOUND}/")
            for part in path.split("/"):
                full = posixpath.join(full, part)
                if not _there(client, full):
                    try:
                        client.mkdir(full)
                    except OSError:
                        if not _there(client, full):
                            raise

    @contextmanager
    def _file(self, path: str) -> Iterator[tuple[paramiko.SFTPClient, str]]:
        with self._line.client(path) as client:
            yield client, posixpath.join(self._root, path)


def _entry(name: str, seen: paramiko.SFTPAttributes) -> Entry | None:
    if not stat.S_ISREG(seen.st_mode or 0):
        return None
    return Entry(name, seen.st_size or 0, float(seen.st_mtime or 0))


def _there(client: paramiko.SFTPClient, path: str) -> bool:
    with suppress(FileNotFoundError):
        client.lstat(path)
        return True
    return False
