"""What a step and a connection of ``s3`` say, checked before anything is sent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

import msgspec

from connectors.base import SECRET, ConnectionSettings, ConnectorConfig, Reject

WEEK = 604_800
"""Seconds: no service accepts a presigned link for longer."""
HOUR = 3600
KEY_LIMIT = 1024
"""Bytes of a key, everywhere."""


class S3Config(ConnectorConfig):
    """``with:`` of a step that uses ``s3``."""

    key: str
    """The object's name, such as ``videos/2026/07/song.mp4``."""
    content_type: str | None = None
    """Default: the file's own, ``video/mp4``."""
    disposition: Literal["inline", "attachment"] = "inline"
    """What a browser does with the link: play it, or save it."""
    filename: str | None = None
    """The name under which a browser saves it; default: the last part of ``key``."""
    cache_control: str | None = None
    if_exists: Literal["rename", "reject", "overwrite"] = "rename"
    """When *another* file has this key already: put ours beside it, make a dead letter, or replace it."""
    link: Literal["auto", "presigned", "public", "none"] = "auto"
    """``auto``: the public address if the connection has a ``public_url``, else a presigned one."""
    link_seconds: int = WEEK
    """How long a presigned link lives; a week at most."""


class S3Connection(ConnectionSettings):
    """A bucket, and who we are there."""

    bucket: str
    access_key_id: str
    secret_access_key: Annotated[str, SECRET]
    session_token: Annotated[str, SECRET] = ""
    session_expires: str = ""
    """When temporary credentials end, ISO 8601: no link outlives them. Unknown: links live an hour."""
    region: str = "us-east-1"
    """``auto`` for Cloudflare R2."""
    endpoint: str = ""
    """``https://…`` of the service; default: AWS in ``region``."""
    path_style: str = ""
    """``true``: bucket in the path; ``false``: in the host name. Default: path, but host name at AWS."""
    public_url: str = ""
    """Where the bucket can be read by everybody, such as ``https://cdn.example.com``; the key is added."""


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket's address."""

    scheme: str
    host: str
    """With a port unless it is the scheme's own: what the ``host`` header says, and what is signed."""
    path: str
    """What stands before ``/key``: empty, or the bucket."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}"


def read_connection(values: Mapping[str, str]) -> S3Connection:
    """Raises :class:`Reject` naming the field that is missing or unknown."""
    try:
        connection = msgspec.convert(dict(values), S3Connection)
    except msgspec.ValidationError as error:
        raise Reject(f"the connection does not fit s3: {error}") from error
    for name in ("bucket", "access_key_id", "secret_access_key"):
        if not getattr(connection, name):
            raise Reject(f"the connection's `{name}` is empty")
    return connection


def place_of(connection: S3Connection) -> Place:
    bucket, endpoint = connection.bucket, connection.endpoint.rstrip("/")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]", bucket) or ".." in bucket:
        raise Reject(
            f"the connection's `bucket` {bucket!r} is no bucket's name: 3 to 63 letters, digits, dots, hyphens"
        )
    if not re.fullmatch(r"[A-Za-z0-9-]+", connection.region):
        raise Reject(f"the connection's `region` {connection.region!r} is no region's name, such as eu-central-1")
    parts = urlsplit(endpoint or f"https://s3.{connection.region}.amazonaws.com")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query or parts.username:
        raise Reject(f"the connection's `endpoint` {endpoint!r} must be https:// and a host, without a path")
    if connection.path_style.lower() not in ("", "true", "false"):
        raise Reject(f"the connection's `path_style` is {connection.path_style!r}; it can be true or false")
    in_path = connection.path_style.lower() == "true" or (not connection.path_style and bool(endpoint))
    host = parts.netloc.lower().removesuffix(":443" if parts.scheme == "https" else ":80")
    return Place(parts.scheme, host if in_path else f"{bucket}.{host}", f"/{bucket}" if in_path else "")


def checked_key(key: str) -> str:
    """``key`` if every service and every tool can live with it; raises :class:`Reject` with the rule it breaks."""
    parts = key.split("/")
    if not key or key.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise Reject(f"the key {key!r} must be parts with / between, none of them empty, `.` or `..`")
    if any(ord(character) < 32 or ord(character) == 127 for character in key):
        raise Reject(f"the key {key!r} has a control character")
    if len(key.encode()) > KEY_LIMIT:
        raise Reject(f"the key {key[:80]!r}… is longer than {KEY_LIMIT} bytes; use the `truncate` filter")
    return key


def quoted(key: str) -> str:
    """The key as it stands in a URL."""
    return quote(key, safe="/-_.~")


def disposition(config: S3Config) -> str:
    """``content-disposition``, the name in every browser's way."""
    name = config.filename or config.key.rsplit("/", 1)[-1]
    plain = re.sub(r"[^ !#$&+.0-9A-Z^_`a-z|~()-]", "_", name)
    return f"{config.disposition}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def link_lifetime(config: S3Config, connection: S3Connection, now: float) -> int:
    """Seconds that a presigned link may live: never longer than a week, nor than the credentials that sign it."""
    if not 1 <= config.link_seconds <= WEEK:
        raise Reject(f"`link_seconds` is {config.link_seconds}; a presigned link lives 1 to {WEEK} seconds (a week)")
    if connection.session_expires:
        try:
            ends = datetime.fromisoformat(connection.session_expires)
        except ValueError as error:
            raise Reject("the connection's `session_expires` must be a date such as 2026-07-16T12:00:00Z") from error
        if ends.tzinfo is None:
            raise Reject("the connection's `session_expires` must say its time zone: 2026-07-16T12:00:00Z")
        if ends.timestamp() <= now:
            raise Reject(f"the connection's credentials ended at {connection.session_expires}; renew them")
        return min(config.link_seconds, max(1, int(ends.timestamp() - now)))
    return min(config.link_seconds, HOUR) if connection.session_token else config.link_seconds
