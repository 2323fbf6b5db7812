"""Realtime sessions: short-lived, and billed by their longest duration. Their times are ISO 8601, unlike a task's."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from .tasks import Credits


class SessionCredits(Struct):
    """What a session costs."""

    reserved: Credits = Credits(0)
    settled: Credits = Credits(0)
    refunded: Credits = Credits(0)


class RealtimeSession(Struct):
    """A session. ``client_secret`` is in the answer to its create alone, and is for the browser."""

    id: str
    status: str
    expires_at: str
    max_duration_seconds: int
    object: str = "realtime.session"
    client_secret: str | UnsetType = UNSET
    allowed_origins: list[str] = field(default_factory=list[str])
    credits: SessionCredits = field(default_factory=SessionCredits)
    request_id: str = ""
    created_at: str = ""
    connected_at: str | None = None
    closed_at: str | None = None


class RealtimeSessionRequest(Struct):
    """``POST /v1/realtime/sessions``."""

    max_duration_seconds: Literal[15, 60, 300]
    allowed_origins: Annotated[list[str], Meta(min_length=1, max_length=10)]
    """1 to 10 origins that the browser's page may have."""
    metadata: Annotated[dict[str, Annotated[str, Meta(max_length=256)]], Meta(max_length=20)] | UnsetType = UNSET
    """At most 20 texts; names of at most 64 characters, values of at most 256."""
