"""How bodies are wrapped: ``{"data": …}`` for answers, ``{"error": …}`` for refusals."""

from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

T = TypeVar("T")


class Data(Struct, Generic[T]):
    """A successful answer."""

    data: T


class Listing(Struct, Generic[T]):
    """A list, which itself travels inside :class:`Data`: ``{"data": {"object": "list", "data": […]}}``."""

    data: list[T]
    object: str = "list"


class ErrorBody(Struct):
    """Why a request was refused. Codes are an open set: branch on those you know, show the rest.

    ``retry_after_seconds`` says when to come back; ``retryable`` whether it makes sense at all.
    """

    code: str
    message: str = ""
    request_id: str = ""
    retry_after_seconds: float | UnsetType = UNSET
    retryable: bool | UnsetType = UNSET
    details: Any | UnsetType = UNSET


class ErrorEnvelope(Struct):
    """A refusal; its HTTP status is a real one."""

    error: ErrorBody


_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(value: Any) -> bytes:
    """Write ``value`` as JSON with exact decimals as numbers (``1.5``, never ``"1.5"`` or a rounded float)."""
    return _encoder.encode(value)


def decode(raw: bytes | str, type: type[T]) -> T:
    """Read JSON into ``type``. Raises :class:`msgspec.DecodeError` on bad JSON or a bad shape."""
    return msgspec.json.decode(raw, type=type)
