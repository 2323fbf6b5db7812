"""What a connector's connections may hold: which keys, which of them are secret, and what is wrong with given ones."""

from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, field, inspect

from connectors.base import ConnectionSettings, Connector
from relay.recipe.errors import suggestion

from .lanes import policy, without

Values = Mapping[str, str]


class ConnectionKey(Struct):
    """One thing that a connection may hold."""

    name: str
    secret: bool
    required: bool
    default: str = ""
    choices: list[str] = field(default_factory=list[str])
    """What it can be, if not any text."""


def is_typed(connector: Connector) -> bool:
    """Whether a connector says what its connections hold. Of one that does not, everything is a secret."""
    return connector.Connection is not ConnectionSettings


def secret_keys(connector: Connector) -> set[str]:
    """The keys of its connections that are marked as secrets."""
    kind: Any = inspect.type_info(connector.Connection)
    return {one.encode_name for one in kind.fields if _is_secret(one.type)}


def keys_of(connector: Connector) -> list[ConnectionKey]:
    """Every key that its connections may have, for a form."""
    kind: Any = inspect.type_info(connector.Connection)
    return [
        ConnectionKey(
            one.encode_name,
            _is_secret(one.type),
            one.required,
            one.default if isinstance(one.default, str) else "",
            [str(value) for value in one.type.values] if isinstance(one.type, inspect.LiteralType) else [],
        )
        for one in kind.fields
    ]


def all_keys(connector: Connector) -> set[str]:
    """Every key that its connections may have."""
    return {one.encode_name for one in msgspec.structs.fields(connector.Connection)}


def problems_of(connector: Connector, values: Values) -> list[str]:
    """Everything that is wrong with a connection for ``connector``, each as a sentence without any value."""
    problems = _lane_problems(values)
    if not is_typed(connector):
        return problems
    values = without(values)
    known = all_keys(connector)
    problems += [
        f"{connector.name} connections have no `{key}`; {suggestion(key, known)}" for key in values if key not in known
    ]
    problems += [
        f"`{one.encode_name}` is missing"
        for one in msgspec.structs.fields(connector.Connection)
        if one.required and one.encode_name not in values
    ]
    if not problems:
        try:
            msgspec.convert(dict(values), connector.Connection, strict=False)
        except msgspec.ValidationError as error:
            problems.append(_without_values(str(error), values))
    return problems


def split(connector: Connector, values: Values) -> tuple[dict[str, str], dict[str, str]]:
    """``(what may be seen, the secrets)``."""
    secret = secret_keys(connector) if is_typed(connector) else set(without(values))
    shown = {key: value for key, value in values.items() if key not in secret}
    return shown, {key: value for key, value in values.items() if key in secret}


def mask(value: str) -> str:
    """A secret as people may see it: of a URL where it leads, of anything else nothing."""
    parts = urlsplit(value) if value.startswith(("https://", "http://")) else None
    return f"{parts.scheme}://{parts.hostname}/…" if parts and parts.hostname else "…"


def guessed_secrets(connectors: Iterable[Connector], values: Values) -> list[str]:
    """The secrets of a connection whose connector nobody named: what any connector calls a secret, and what none
    knows."""
    typed = [connector for connector in connectors if is_typed(connector)]
    secret = {key for connector in typed for key in secret_keys(connector)}
    known = {key for connector in typed for key in all_keys(connector)}
    return [value for key, value in without(values).items() if key in secret or key not in known]


def _lane_problems(values: Values) -> list[str]:
    try:
        policy(values)
    except ValueError as error:
        return [str(error)]
    return []


def _is_secret(kind: Any) -> bool:
    if isinstance(kind, inspect.Metadata):
        extra = cast("dict[str, Any]", cast("Any", kind).extra or {})
        return extra.get("secret") is True or _is_secret(kind.type)
    return isinstance(kind, inspect.UnionType) and any(map(_is_secret, kind.types))


def _without_values(message: str, values: Values) -> str:
    for value in values.values():
        if value:
            message = message.replace(value, "…")
    return message
