"""The ``email`` connector, against a real mail server."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Delivery, Outcome, Reject, Retry
from connectors.email import Email, EmailConfig
from relay.net import Egress, RefusedAddress, guarded_client
from tests.notes import MemoryNotes
from tests.smtp_server import Mailbox, certificate, mail_server
from tests.unit.connectors.test_http_requests import VIDEO, File

pytestmark = pytest.mark.anyio
LINK = "https://relay.example.com/media/med_1/task_1.mp4"


def config(**more: Any) -> EmailConfig:
    return EmailConfig(**{"to": "mia@example.com", "subject": "Ready: Straße", "text": "Look: " + LINK, **more})


def connection(port: int, **more: str) -> dict[str, str]:
    sender = "Studio <studio@example.com>"
    return {"host": "localhost", "port": str(port), "sender": sender, "tls": "none", **more}


async def deliver(
    config: EmailConfig, connection: Mapping[str, str], *, allow: str = "localhost", **more: Any
) -> Outcome:
    async with guarded_client(Egress([allow])) as client:
        known: dict[str, Any] = {"key": "dlv_1", "attempt": 1, "at": 1_784_188_800}
        known |= {"event": {"id": "evt_1", "media": [{"url": LINK}]}, "connection": connection, "http": client}
        known |= {"notes": MemoryNotes(), "task_notes": MemoryNotes()}
        return await Email().deliver(config, Delivery(**{**known, **more}))


async def refused(box: Mailbox, words: str, **more: Any) -> str:
    """What is told of a delivery that the server refuses; its own ``words`` are in it, whole."""
    with mail_server(box) as port, pytest.raises((Reject, Retry)) as caught:
        await deliver(config(**more), connection(port))
    assert words in str(caught.value)
    return str(caught.value)


class TestMail:
    async def test_text_and_html_arrive_under_a_name_of_their_own(self) -> None:
        box = Mailbox()
        with mail_server(box) as port:
            outcome = await deliver(config(html="<b>Straße</b>", reply_to="desk@example.com"), connection(port))
        (mail,) = box.mails
        assert mail["subject"] == "Ready: Straße"
        assert mail["from"] == "Studio <studio@example.com>"
        assert mail["reply-to"] == "desk@example.com"
        assert mail["message-id"] == "<dlv_1@example.com>" == outcome.detail["message_id"]
        assert mail["date"].startswith("Thu, 16 Jul 2026 08:00:00")
        assert LINK in mail.get_body(("plain",)).get_content()
        assert "<b>Straße</b>" in mail.get_body(("html",)).get_content()

    async def test_copies_and_who_sees_them(self) -> None:
        box = Mailbox()
        with mail_server(box) as port:
            many = config(to=["mia@example.com", "Lee <lee@example.com>"], cc="cc@example.com", bcc="boss@example.com")
            outcome = await deliver(many, connection(port))
        assert outcome.detail["recipients"] == 4
        assert box.envelopes[0].rcpt_tos == ["mia@example.com", "lee@example.com", "cc@example.com", "boss@example.com"]
        assert "boss" not in box.mails[0].as_string()

    async def test_a_small_file_is_attached_and_a_large_one_linked(self) -> None:
        box = Mailbox()
        with mail_server(box) as port:
            await deliver(config(text="Hi", attach=True), connection(port), media=File(name="neon.mp4"))
            await deliver(config(text="Hi", attach=True, attach_limit_mb=0.1), connection(port), media=File())
        small, large = box.mails
        (video,) = small.iter_attachments()
        assert (video.get_filename(), video.get_content_type(), video.get_content()) == ("neon.mp4", "video/mp4", VIDEO)
        assert list(large.iter_attachments()) == []
        assert LINK in large.get_body(("plain",)).get_content()

    async def test_what_was_sent_is_not_sent_again(self) -> None:
        box, notes = Mailbox(), MemoryNotes()
        with mail_server(box) as port:
            first = await deliver(config(), connection(port), notes=notes)
            again = await deliver(config(), connection(port), notes=notes)
        assert len(box.mails) == 1
        assert again.detail == {**first.detail, "already": True}


class TestRefusals:
    @pytest.mark.parametrize(
        "more",
        [
            {"subject": "Hi\r\nBcc: thief@example.com"},
            {"subject": "Hi\nX: y"},
            {"to": "mia@example.com\r\nBcc: thief@example.com"},
            {"reply_to": "a@example.com\nBcc: thief@example.com"},
            {"to": ""},
            {"to": "nobody"},
            {"to": ["mia@example.com", "not an address"]},
            {"cc": "<>"},
        ],
    )
    async def test_what_would_be_another_mail_is_refused(self, more: dict[str, Any]) -> None:
        box = Mailbox()
        with mail_server(box) as port, pytest.raises(Reject):
            await deliver(config(**more), connection(port))
        assert box.mails == []

    @pytest.mark.parametrize(
        ("answer", "error"),
        [("451 try later", Retry), ("452 full", Retry), ("550 spam", Reject), ("552 too large", Reject)],
    )
    async def test_the_servers_own_word_decides(self, answer: str, error: type[Exception]) -> None:
        box = Mailbox()
        box.answers = [answer]
        with mail_server(box) as port, pytest.raises(error, match=answer):
            await deliver(config(), connection(port))

    async def test_one_of_two_recipients_refused_is_told_and_the_other_gets_it(self) -> None:
        box = Mailbox()
        box.rcpt = {"gone@example.com": "550 no such user"}
        with mail_server(box) as port:
            outcome = await deliver(config(to=["mia@example.com", "gone@example.com"]), connection(port))
        assert outcome.detail["refused"] == {"gone@example.com": "550 no such user"}
        assert len(box.mails) == 1

    @pytest.mark.parametrize(("answer", "error"), [("550 no such user", Reject), ("450 greylisted", Retry)])
    async def test_all_recipients_refused(self, answer: str, error: type[Exception]) -> None:
        box = Mailbox()
        box.rcpt = {"mia@example.com": answer}
        with mail_server(box) as port, pytest.raises(error, match=r"for mia@example\.com"):
            await deliver(config(), connection(port))

    @pytest.mark.parametrize(
        ("answer", "todo"),
        [
            ("421 too many connections", "let less through at once: the connection's `per_minute`"),
            ("451 greylisted", "it is tried again, and as a rule that is enough"),
            ("452 4.3.1 no space", "it is tried again, and as a rule that is enough"),
            ("550 5.7.1 looks like spam", "see that the SPF and DKIM records of the sender's domain"),
            ("552 5.3.4 message too big", "lower the step's `attach_limit_mb`"),
        ],
    )
    async def test_beside_its_words_on_the_mail_stands_what_to_do(self, answer: str, todo: str) -> None:
        box = Mailbox()
        box.answers = [answer]
        assert todo in await refused(box, answer)

    @pytest.mark.parametrize(
        ("answer", "todo"),
        [
            ("450 4.2.0 greylisted", "it is tried again, and as a rule that is enough"),
            ("550 5.1.1 no such user", "look at the address in the step's `to`, `cc` and `bcc`"),
            ("553 not a valid mailbox", "look at the address in the step's `to`, `cc` and `bcc`"),
            ("550 5.7.1 relaying denied", "give the connection a `user` and a `password`"),
            ("554 5.7.1 blocked by policy", "SPF and DKIM"),
            ("552 5.2.2 mailbox full", "they have to make room"),
        ],
    )
    async def test_beside_its_words_on_a_recipient_stands_what_to_do(self, answer: str, todo: str) -> None:
        box = Mailbox()
        box.rcpt = {"mia@relay.example.com": answer}
        assert todo in await refused(box, answer.partition(" ")[2], to="mia@relay.example.com")

    @pytest.mark.parametrize(
        ("answer", "todo"),
        [
            ("530 5.7.0 Must issue a STARTTLS command first", "set the connection's `tls` to `starttls` (port 587)"),
            ("530 5.7.0 Authentication required", "give the connection a `user` and a `password`"),
            ("550 5.7.60 client has no right to send as this sender", "the connection's `sender`"),
            ("553 5.7.1 sender address rejected: not owned by user", "the connection's `sender`"),
            ("421 4.7.0 try again later", "it is tried again"),
        ],
    )
    async def test_beside_its_words_on_the_sender_stands_what_to_do(self, answer: str, todo: str) -> None:
        box = Mailbox()
        box.sender = answer
        assert todo in await refused(box, answer)

    async def test_a_server_that_says_its_limit_is_not_sent_more(self) -> None:
        with mail_server(Mailbox(), most=1000) as port, pytest.raises(Reject) as caught:
            await deliver(config(text="x" * 2000), connection(port))
        assert "552 " in str(caught.value)
        assert "lower the step's `attach_limit_mb`" in str(caught.value)

    async def test_a_server_that_wants_tls_or_a_login_first_says_how_to_get_in(self, tmp_path: Path) -> None:
        with mail_server(Mailbox(), tls="starttls", pem=certificate(tmp_path)) as port, pytest.raises(Reject) as plain:
            await deliver(config(), connection(port))
        assert "530 " in str(plain.value)
        assert "set the connection's `tls` to `starttls`" in str(plain.value)
        with mail_server(Mailbox(), login="hunter22") as port, pytest.raises(Reject) as unknown:
            await deliver(config(), connection(port))
        assert "give the connection a `user` and a `password`" in str(unknown.value)

    async def test_words_that_no_rule_knows_stand_alone(self) -> None:
        box = Mailbox()
        box.answers = ["571 go away"]
        assert (await refused(box, "571 go away")).endswith("571 go away")

    async def test_a_private_address_is_refused_like_everywhere(self) -> None:
        box = Mailbox()
        with mail_server(box) as port, pytest.raises(RefusedAddress, match="not a public address"):
            await deliver(config(), connection(port), allow="other.example")
        assert box.mails == []

    async def test_nobody_there_is_waited_for(self) -> None:
        with pytest.raises(Retry, match="cannot be reached"):
            await deliver(config(), connection(1))

    @pytest.mark.parametrize(
        "sender", ["Studio", "", "a@example.com, b@example.com", "a@example.com\r\nBcc: x@example.com"]
    )
    async def test_a_wrong_sender_is_called_as_the_connection_calls_it(self, sender: str) -> None:
        async with guarded_client(Egress(["localhost"])) as client:
            with pytest.raises(Reject, match="`sender`"):
                await Email().check({**connection(25), "sender": sender}, client)

    @pytest.mark.parametrize("wrong", [{"port": "mail"}, {"user": "mia", "password": "hunter22"}, {"sender": "x"}])
    async def test_a_connection_that_cannot_be(self, wrong: dict[str, str]) -> None:
        with pytest.raises(Reject) as caught:
            await deliver(config(), {**connection(25), **wrong})
        assert "hunter22" not in str(caught.value)


class TestTls:
    @pytest.mark.parametrize("tls", ["starttls", "tls"])
    async def test_encrypted_with_login(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: str) -> None:
        pem, box = certificate(tmp_path), Mailbox()
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        with mail_server(box, tls=tls, pem=pem, login="hunter22") as port:
            known = connection(port, tls=tls, user="mia", password="hunter22")
            await deliver(config(), known)
            async with guarded_client(Egress(["localhost"])) as client:
                said = await Email().check(known, client)
            with pytest.raises(Retry, match=r"does not accept the user and password: 535 .*app password") as caught:
                await deliver(config(), {**known, "password": "wrong-one"})
        assert "TLSv1" in said
        assert "wrong-one" not in str(caught.value)
        assert len(box.mails) == 1

    @pytest.mark.parametrize("tls", ["starttls", "tls"])
    async def test_a_certificate_that_nobody_vouches_for_is_refused(self, tmp_path: Path, tls: str) -> None:
        box = Mailbox()
        with (
            mail_server(box, tls=tls, pem=certificate(tmp_path)) as port,
            pytest.raises(Retry, match="cannot be trusted"),
        ):
            await deliver(config(), connection(port, tls=tls))
        assert box.mails == []

    async def test_a_server_without_starttls_gets_nothing(self) -> None:
        box = Mailbox()
        with mail_server(box) as port, pytest.raises(Reject, match="cannot do what the connection asks"):
            await deliver(config(), connection(port, tls="starttls"))
        assert box.mails == []
