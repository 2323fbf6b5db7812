"""A mail by SMTP, with a link or with the file itself."""

import asyncio
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import formatdate
from typing import Annotated, Any, ClassVar

import httpx
import msgspec
from msgspec import Meta

from .base import SECRET, ConnectionSettings, Connector, ConnectorConfig, Delivery, Guarded, Outcome, Reject
from .smtp import PORTS, Server, Tls, greet, send

MEBIBYTE = 1024 * 1024
_SENT = "sent"


class EmailConfig(ConnectorConfig):
    """``with:`` of a step that uses ``email``."""

    to: list[str] | str
    subject: str
    text: str
    """The mail as plain text; everybody can read it."""
    html: str | None = None
    """The same for those who see HTML. Text from a row must be escaped there: ``{{ row.title | e }}``."""
    cc: list[str] | str = ""
    bcc: list[str] | str = ""
    reply_to: str = ""
    attach: bool = False
    """Attach the file if it is small enough; a larger one is linked below the text."""
    attach_limit_mb: Annotated[float, Meta(gt=0, le=50)] = 15.0
    """MiB. Many servers refuse mails of more than 25 MiB, and an attachment grows by a third on its way."""


class EmailConnection(ConnectionSettings):
    """What an ``email`` connection holds."""

    host: str
    sender: str
    """``Studio <studio@example.com>`` or the address alone."""
    port: str = ""
    """Default: 587 for starttls, 465 for tls, 25 for none."""
    tls: Tls = "starttls"
    user: str = ""
    password: Annotated[str, SECRET] = ""


class Email(Connector):
    """Once, but for one gap: a relay that dies between the server's *accepted* and its own note of it sends the mail
    again, with the same ``Message-ID``."""

    name: ClassVar[str] = "email"
    Config = EmailConfig
    Connection = EmailConnection

    async def deliver(self, config: EmailConfig, delivery: Delivery) -> Outcome:
        known = await delivery.notes.get(_SENT)
        if known is not None:
            return Outcome(detail={**msgspec.json.decode(known), "already": True})
        connection = msgspec.convert(dict(delivery.connection), EmailConnection)
        message, recipients = await _message(config, connection, delivery)
        server = await _server(connection, delivery.http)
        refused = await asyncio.to_thread(send, server, message, recipients)
        detail: dict[str, Any] = {
            "message_id": str(message["message-id"]),
            "recipients": len(recipients) - len(refused),
        }
        if refused:
            detail["refused"] = refused
        await delivery.notes.put(_SENT, msgspec.json.encode(detail).decode())
        return Outcome(detail=detail)

    async def check(self, connection: Mapping[str, str], http: httpx.AsyncClient) -> str:
        known = msgspec.convert(dict(connection), EmailConnection)
        return await asyncio.to_thread(greet, await _server(known, http))


async def _server(connection: EmailConnection, http: httpx.AsyncClient) -> Server:
    if connection.user and connection.tls == "none":
        raise Reject("the connection has a `user` and `tls: none`: the password would travel in the open")
    if not isinstance(http, Guarded):
        raise Reject("mail needs the relay's guarded client, and this is another one")
    port = connection.port or str(PORTS[connection.tls])
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise Reject(f"the connection's `port` is {port!r}; it must be a number from 1 to 65535")
    sender = _from(EmailMessage(), connection)
    return Server(
        host=connection.host,
        port=int(port),
        tls=connection.tls,
        user=connection.user,
        password=connection.password,
        addresses=await http.addresses(connection.host, int(port)),
        as_host=sender.partition("@")[2],
    )


async def _message(
    config: EmailConfig, connection: EmailConnection, delivery: Delivery
) -> tuple[EmailMessage, list[str]]:
    message = EmailMessage()
    sender = _from(message, connection)
    to = _set(message, "to", config.to)
    cc = _set(message, "cc", config.cc)
    bcc = _set(EmailMessage(), "bcc", config.bcc)  # who gets a copy unseen stands on no envelope but the server's
    _set(message, "reply-to", config.reply_to, "reply_to")
    if not to:
        raise Reject("the step says no recipient: `to:` is empty")
    _plain(message, "subject", config.subject)
    message["date"] = formatdate(delivery.at)
    message["message-id"] = f"<{delivery.key}@{sender.partition('@')[2]}>"
    message["auto-submitted"] = "auto-generated"
    text, attach = config.text, _fits(config, delivery)
    if config.attach and delivery.media is not None and not attach:
        text += f"\n\n{_link(delivery)}\n"
    message.set_content(text)
    if config.html is not None:
        message.add_alternative(config.html, subtype="html")
    if attach:
        await _attach(message, delivery)
    return message, list(dict.fromkeys([*to, *cc, *bcc]))


def _fits(config: EmailConfig, delivery: Delivery) -> bool:
    media = delivery.media
    return config.attach and media is not None and media.size <= config.attach_limit_mb * MEBIBYTE


async def _attach(message: EmailMessage, delivery: Delivery) -> None:
    assert delivery.media is not None, "only a file that is there fits"
    content = bytearray()
    async with delivery.media.open() as chunks:
        async for chunk in chunks:
            content += chunk
    kind, _, subkind = delivery.media.mime_type.partition("/")
    message.add_attachment(bytes(content), maintype=kind, subtype=subkind, filename=delivery.media.name)


def _link(delivery: Delivery) -> str:
    files: list[Mapping[str, Any]] = delivery.event.get("media") or []
    return "\n".join(str(file["url"]) for file in files)


def _from(message: EmailMessage, connection: EmailConnection) -> str:
    """The sender as a header; gives the address bare."""
    given = _set(message, "from", connection.sender, "sender")
    if len(given) != 1:
        raise Reject(f"the connection's `sender` is {connection.sender[:200]!r}; it must hold one mail address")
    return given[0]


def _plain(message: EmailMessage, name: str, value: str, field: str = "") -> None:
    """A header; one with a line break in it would be two, the second of somebody else's making."""
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise Reject(
            f"`{field or name}` holds a line break or another control character; use a filter such as `| trim`"
        )
    if value:
        message[name] = value


def _set(message: EmailMessage, name: str, value: list[str] | str, field: str = "") -> list[str]:
    """Addresses as a header; gives them bare. Raises :class:`Reject` for what is no address, by the name of its
    ``field`` in the step or connection."""
    listed = [value] if isinstance(value, str) else value
    _plain(message, name, ", ".join(one for one in listed if one.strip()), field)
    if message[name] is None:
        return []
    header = message[name]
    wrong = [str(address) for address in header.addresses if not address.username or "." not in address.domain]
    if header.defects or wrong or not header.addresses:
        raise Reject(f"`{field or name}` is {str(header)[:200]!r}; it must hold mail addresses such as mia@example.com")
    return [address.addr_spec for address in header.addresses]
