"""Secrets at rest: sealed with a key that never lies in the journal, and bound to the place they are stored at.

A sealed value is ``version · key id · nonce · AES-256-GCM``. The place ("connections/team-slack") is authenticated
with it, so that one row's secret cannot be moved to another row that sends it elsewhere. Several keys are known
during a rotation: the first one seals, all of them open.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_VERSION = b"\x01"
_ID, _NONCE = 4, 12
_HEAD = len(_VERSION) + _ID
_HOW = "make one with `beatrelay vault key`"
_IF_LOST = "If it is lost, `beatrelay vault lost` says what no key opens, and forgets it when told to"


class VaultError(Exception):
    """A key or a sealed value cannot be used; the message says which and what to do, never the key."""


class Vault:
    """Seals and opens. ``keys`` are as :func:`new_key` makes them, the one that seals first."""

    def __init__(self, keys: Sequence[str], origin: str = "the vault's keys") -> None:
        if not keys:
            raise VaultError(f"{origin} holds no key; {_HOW}")
        self._origin = origin
        self._ciphers = {_id(raw): AESGCM(raw) for raw in (_raw(key, origin) for key in keys)}
        self._current = next(iter(self._ciphers))

    def seal(self, text: str, place: str) -> bytes:
        """``text``, unreadable without the key and only good at ``place``."""
        head, nonce = _VERSION + self._current, os.urandom(_NONCE)
        return head + nonce + self._ciphers[self._current].encrypt(nonce, text.encode(), head + place.encode())

    def open(self, sealed: bytes, place: str) -> str:
        """What was sealed. Raises :class:`VaultError` when no key fits, or when it was changed or moved."""
        if not sealed:
            raise VaultError(f"{place} was sealed with a key that is lost, and was forgotten; give it again")
        head, nonce, rest = sealed[:_HEAD], sealed[_HEAD : _HEAD + _NONCE], sealed[_HEAD + _NONCE :]
        if head[:1] != _VERSION or len(nonce) < _NONCE:
            raise VaultError(f"{place} holds no sealed value; it was written by something else than this relay")
        cipher = self._ciphers.get(head[1:])
        if cipher is None:
            raise VaultError(
                f"{place} was sealed with key {head[1:].hex()}; {self._origin} holds {', '.join(self.key_ids)}."
                f" Give that key too (BEATRELAY_VAULT_KEY or the file named by BEATRELAY_VAULT_FILE). {_IF_LOST}"
            )
        try:
            return cipher.decrypt(nonce, rest, head + place.encode()).decode()
        except InvalidTag:
            raise VaultError(f"{place} was changed or moved since it was sealed; set it anew") from None

    def opens(self, sealed: bytes, place: str) -> bool:
        """Whether one of the keys fits, and nothing was changed or moved."""
        try:
            self.open(sealed, place)
        except VaultError:
            return False
        return True

    def renew(self, sealed: bytes, place: str) -> bytes:
        """The same, sealed with the first key; unchanged if it is already."""
        return sealed if sealed[1:_HEAD] == self._current else self.seal(self.open(sealed, place), place)

    @property
    def key_ids(self) -> list[str]:
        """Names of the keys (hex of a digest), the one that seals first. They tell nothing of the keys."""
        return [name.hex() for name in self._ciphers]


def new_key() -> str:
    """A fresh key: 32 random bytes as URL-safe base64."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


def open_vault(keys: Sequence[str], file: Path, *, make: bool = True) -> Vault:
    """The vault with ``keys`` (from the environment), else with those in ``file``. If that is not there it is made,
    unless ``make`` is false because something is sealed already: then :class:`VaultError` says what to do."""
    if keys:
        return Vault(keys, "BEATRELAY_VAULT_KEY")
    if not file.exists():
        if not make:
            raise VaultError(
                f"the journal holds sealed secrets, and the file of their key, {file}, is not there. Put it back, or"
                f" give the key in BEATRELAY_VAULT_KEY. {_IF_LOST}"
            )
        write_keys(file, [new_key()])
    return Vault(read_keys(file), str(file))


def keys_at_hand(keys: Sequence[str], file: Path) -> Vault:
    """The vault with what keys there are, for looking at what they open; never makes a key that stays."""
    if not keys and not file.exists():
        return Vault([new_key()], str(file))
    return open_vault(keys, file)


def read_keys(file: Path) -> list[str]:
    """The keys of a file, one a line. Raises :class:`VaultError` if it cannot be read, or by others too."""
    try:
        mode, text = file.stat().st_mode, file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise VaultError(f"the vault's keys in {file} cannot be read: {error}") from error
    if mode & 0o077:
        raise VaultError(f"{file} can be read by others (mode {mode & 0o777:o}); run `chmod 600 {file}`")
    return text.split()


def write_keys(file: Path, keys: Sequence[str]) -> None:
    """Replace the keys of a file, whole and on disk, readable by the owner only."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.part")
    number = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(number, "".join(f"{key}\n" for key in keys).encode())
        os.fsync(number)
    finally:
        os.close(number)
    unfinished.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # what is sealed next must never outlive the key that it is sealed with
    finally:
        os.close(folder)


def _raw(key: str, origin: str) -> bytes:
    try:
        raw = base64.b64decode(key.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise VaultError(f"{origin} holds something that is no key of {KEY_BYTES} bytes in base64; {_HOW}")
    return raw


def _id(raw: bytes) -> bytes:
    return hashlib.sha256(b"beatrelay vault key id" + raw).digest()[:_ID]
