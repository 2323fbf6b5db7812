"""The form of a connection: its fields with what was typed, secrets left out, and what is wrong beside each."""

from collections.abc import Iterable
from typing import Any

from litestar import Request
from msgspec import Struct, field

from relay.flow.connection_kinds import ConnectionKey
from relay.flow.connections import ConnectionView
from relay.flow.lanes import KEYS as PACE_KEYS

from .connection_guide import PACE, Guide
from .fields import Field
from .forms import typed


class Sent(Struct):
    """What somebody typed into the form of a connection."""

    values: dict[str, str]
    name: str = ""
    kind: str = ""
    forget: list[str] = field(default_factory=list[str])
    """Stored secrets that shall go."""


async def read(request: Request[Any, Any, Any]) -> Sent:
    """The form as it was sent; what is empty is left out."""
    sent = await typed(request)
    values = {name[5:]: text[-1].strip() for name, text in sent.items() if name.startswith("with.")}
    one = {name: text[-1].strip() for name, text in sent.items()}
    values = {key: value for key, value in values.items() if value}
    return Sent(values, one.get("name", ""), one.get("kind", ""), sent.get("forget", []))


def fields(guide: Guide, keys: Iterable[ConnectionKey], view: ConnectionView | None, sent: Sent | None) -> list[Field]:
    """Those of a connector, the usual ones first; then those that every connection has. Typed values are kept, but for
    secrets."""
    known = {
        key.name: key for key in [*keys, *(ConnectionKey(name, secret=False, required=False) for name in PACE_KEYS)]
    }
    order = [*guide.main, *(name for name in known if name not in guide.main)]
    shown = sent.values if sent else view.settings if view else {}
    masks = view.secrets if view else {}
    return [
        Field(
            name,
            PACE.get(name) or guide.hint(name),
            known[name].secret,
            known[name].required or name in guide.needed,
            known[name].choices,
            value="" if known[name].secret else shown.get(name, ""),
            stored=masks.get(name, ""),
            default=known[name].default,
        )
        for name in order
    ]
