"""Answers with exact decimals as plain numbers, as the contract has them: ``75.5``, never ``"75.5"``."""

from typing import Any, TypeVar

from litestar import Response
from litestar.enums import MediaType

from relay.contract import encode

T = TypeVar("T")


class ExactResponse(Response[T]):
    """What every handler's struct becomes."""

    def render(self, content: Any, media_type: str, enc_hook: Any = None) -> bytes:
        if media_type.startswith(MediaType.JSON) and not isinstance(content, bytes | str):
            return encode(content)
        return super().render(content, media_type, enc_hook)
