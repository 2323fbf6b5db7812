"""A real SMTP server (aiosmtpd) for as long as a test needs it, with TLS and login if wanted."""

import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.servers import free_port


class Mailbox:
    """Keeps what was handed over, answers what it is told to."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.envelopes: list[Any] = []
        self.rcpt: dict[str, str] = {}
        self.sender = ""
        self.answers: list[str] = []

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802 (the server's own word)
        if self.sender:
            return self.sender
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802 (the server's own word)
        if address in self.rcpt:
            return self.rcpt[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 (the server's own word)
        if self.answers:
            return self.answers.pop(0)
        self.envelopes.append(envelope)
        self.mails.append(BytesParser(EmailMessage, policy=SMTP).parsebytes(envelope.content))
        return "250 taken"


def certificate(folder: Path) -> Path:
    """A certificate for ``localhost`` and its key in one file; it vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "mail.pem"
    form = serialization.Encoding.PEM
    secret = key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(secret + made.public_bytes(form))
    return file


@contextmanager
def mail_server(
    mailbox: Mailbox, *, tls: str = "none", pem: Path | None = None, login: str = "", most: int = 0
) -> Iterator[int]:
    """Serve ``mailbox``; gives the port. ``tls``: none, starttls or tls. ``login``: the only password that is right.
    ``most``: the largest mail, in bytes."""
    options: dict[str, Any] = {"server_hostname": "localhost"}
    if most:
        options["data_size_limit"] = most
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        options |= {"ssl_context": context} if tls == "tls" else {"tls_context": context, "require_starttls": True}
    if login:
        options |= {
            "authenticator": lambda _server, _session, _envelope, _mechanism, data: AuthResult(
                success=data.password == login.encode(), handled=False
            ),
            "auth_required": True,
            "auth_require_tls": tls == "starttls",
        }
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()
