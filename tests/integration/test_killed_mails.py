"""A relay that dies around a mail: one mail, but for the one gap that the docs name, and there under the same name."""

from pathlib import Path

import pytest

from tests.integration.kill_harness import Case, Death, killed
from tests.smtp_server import Mailbox, mail_server

pytestmark = pytest.mark.anyio
WITH = {"to": "mia@example.com", "subject": "{{ row.title }}", "text": "{{ media[0].url }}"}
GAP = "note sent"
"""The server has the mail, and the relay has not yet noted it."""


async def mailed(folder: Path, port: int, seed: int) -> Death:
    folder.mkdir(exist_ok=True)
    there = {"host": "127.0.0.1", "port": str(port), "tls": "none", "sender": "studio@example.com"}
    return await killed(folder, Case("connectors.email:Email", dict(WITH), there), seed)


def check(death: Death, box: Mailbox) -> None:
    assert death.row.state == "done", death
    assert len(box.mails) == (2 if death.at == GAP else 1), death
    assert {mail["message-id"] for mail in box.mails} == {"<dlv_killed@example.com>"}, death


@pytest.mark.parametrize("block", range(4))
async def test_one_mail_but_for_the_gap(tmp_path: Path, block: int) -> None:
    box, deaths = Mailbox(), set[str | None]()
    with mail_server(box) as port:
        for seed in range(block, 100, 4):
            box.mails.clear()
            death = await mailed(tmp_path / str(seed), port, seed)
            deaths.add(death.at)
            check(death, box)
    assert {"settle", GAP} <= deaths, "both sides of the gap were tried"
