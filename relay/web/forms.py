"""A form as a struct: what a person typed, read once and checked by its type."""

from typing import Any, TypeVar

import msgspec
from litestar import Request

from relay.api.errors import ApiError

S = TypeVar("S", bound=msgspec.Struct)


async def form(request: Request[Any, Any, Any], struct: type[S]) -> S:
    """The form that was sent. Fields of a list type may come many times; unknown ones are left out.
    Raises :class:`ApiError` 400 naming the field and the rule."""
    sent = await request.form()
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        given = [value for value in sent.getall(field.encode_name, []) if isinstance(value, str)]
        if getattr(field.type, "__origin__", None) is list:
            values[field.encode_name] = given
        elif given and (given[-1] != "" or field.type is str):
            values[field.encode_name] = given[-1]
    try:
        return msgspec.convert(values, struct, strict=False)
    except msgspec.ValidationError as error:
        raise ApiError(400, f"The form cannot be read: {error}.") from error


async def typed(request: Request[Any, Any, Any]) -> dict[str, list[str]]:
    """Every text field that was sent, by its name: for forms whose fields are not known beforehand."""
    sent = await request.form()
    return {name: [value for value in sent.getall(name) if isinstance(value, str)] for name in sent}
