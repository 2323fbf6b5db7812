"""One conversation with a mail server, over an address that the relay has vetted."""

import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Literal

from .base import Reject, Retry
from .smtp_advice import Stage, with_next_step

Tls = Literal["starttls", "tls", "none"]
PORTS: dict[Tls, int] = {"starttls": 587, "tls": 465, "none": 25}
SECONDS = 20.0
"""Longest time for one answer of the server."""


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server and who we are there."""

    host: str
    port: int
    tls: Tls
    user: str
    password: str
    addresses: Sequence[str]
    """Where ``host`` really is; the certificate must still be the host's."""
    as_host: str
    """How we introduce ourselves: looking up this machine's own name may take seconds, or say ``localhost``."""


def send(server: Server, message: EmailMessage, recipients: Sequence[str]) -> dict[str, str]:
    """Hand ``message`` over; returns the recipients that were refused, with the server's words, while others were
    not. Raises :class:`Retry` or :class:`Reject`."""
    with _session(server) as session:
        try:
            refused = session.send_message(message, to_addrs=list(recipients))
        except smtplib.SMTPRecipientsRefused as error:
            raise _all_refused(error.recipients) from error
        except smtplib.SMTPResponseException as error:
            stage: Stage = "sender" if isinstance(error, smtplib.SMTPSenderRefused) else "mail"
            raise _refusal(stage, error.smtp_code, _words(error.smtp_error)) from error
        except smtplib.SMTPNotSupportedError as error:
            raise Reject(f"{server.host} cannot take this mail: {error}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise Retry(f"{server.host} broke off: {_said(error)}") from error
    return {recipient: f"{code} {_words(words)}" for recipient, (code, words) in refused.items()}


def greet(server: Server) -> str:
    """Come as far as one can without sending anything; says how."""
    with _session(server) as session:
        version = session.sock.version() if isinstance(session.sock, ssl.SSLSocket) else "no encryption"
    return f"{server.host}:{server.port} takes mail{f' from {server.user}' if server.user else ''} ({version})"


class _Session(smtplib.SMTP):
    """smtplib's own, connected to a vetted address instead of a name."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._context = ssl.create_default_context()
        super().__init__(server.host, server.port, local_hostname=server.as_host, timeout=SECONDS)

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        plain = _connected(self._server.addresses, port, timeout)
        if self._server.tls == "tls":
            return self._context.wrap_socket(plain, server_hostname=host)
        return plain

    def begin(self) -> None:
        """TLS and login, as the connection says."""
        try:
            if self._server.tls == "starttls":
                self.starttls(context=self._context)
            if self._server.user:
                self.login(self._server.user, self._server.password)
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            self.quit()
        except (smtplib.SMTPException, OSError):  # the mail is handed over or refused already; a goodbye is manners
            self.close()


def _session(server: Server) -> _Session:
    try:
        session = _Session(server)
        session.begin()
    except ssl.SSLCertVerificationError as error:
        raise Retry(f"the certificate of {server.host} cannot be trusted: {error.verify_message}") from error
    except smtplib.SMTPAuthenticationError as error:
        told = with_next_step("login", error.smtp_code, _words(error.smtp_error))
        raise Retry(f"{server.host} does not accept the user and password: {error.smtp_code} {told}") from error
    except smtplib.SMTPNotSupportedError as error:
        raise Reject(f"{server.host} cannot do what the connection asks: {error}") from error
    except smtplib.SMTPResponseException as error:
        told = with_next_step("login", error.smtp_code, _words(error.smtp_error))
        raise Retry(f"{server.host} answered {error.smtp_code} {told}") from error
    except (smtplib.SMTPException, OSError) as error:
        raise Retry(f"{server.host}:{server.port} cannot be reached: {_said(error)}") from error
    return session


def _connected(addresses: Sequence[str], port: int, timeout: float) -> socket.socket:
    failure: OSError = OSError("it has no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout)
        except OSError as error:
            failure = error
    raise failure


def _all_refused(recipients: dict[str, tuple[int, bytes]]) -> Retry | Reject:
    """5xx for everybody is final; one 4xx among them may pass."""
    worst = min(recipients.values(), key=lambda answer: answer[0])
    who = ", ".join(recipients)
    return _refusal("recipient", worst[0], _words(worst[1]), f"for {who}: ")


def _refusal(stage: Stage, code: int, words: str, whom: str = "") -> Retry | Reject:
    said = f"the mail server answered {code} {whom}{with_next_step(stage, code, words)}"
    return Reject(said) if code >= 500 else Retry(said)


def _words(text: bytes | str) -> str:
    return (text.decode("utf-8", "replace") if isinstance(text, bytes) else text)[:300].replace("\n", " ")


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
