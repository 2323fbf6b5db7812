"""Somewhere for each shipped connector to deliver to: real servers where there are any, strict fakes where not."""

import json
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from connectors.s3.settings import read_connection
from connectors.s3.storage import Learnt, Storage
from tests.fakes.google_drive import DriveFake
from tests.fakes.google_sheets import SheetsFake
from tests.fakes.slack import FakeSlack
from tests.google import robot
from tests.servers import running
from tests.smtp_server import Mailbox, mail_server
from tests.storages import KEY, SECRET, rclone

HOOKS = ("zapier", "make", "n8n", "pipedream", "chat", "my-webhook")
BUCKET = "media"


class Receiver:
    """Takes every POST and says that it did."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.bodies.append(json.loads(body))
        kind = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        await send({"type": "http.response.body", "body": b'{"ok": true}'})


class Destinations:
    """What arrived, and the connections by which it can."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "videos"
        self.folder.mkdir()
        self.receiver, self.slack, self.mailbox = Receiver(), FakeSlack(), Mailbox()
        self.drive, self.sheets = DriveFake(), SheetsFake()
        self.connections: dict[str, dict[str, str]] = {"videos": {"root": str(self.folder)}}

    async def arrived(self, use: str) -> list[Any]:
        """All that came through one connector: bodies, texts, or the bytes of files."""
        match use:
            case "http":
                return self.receiver.bodies
            case "folder":
                return [file.read_bytes() for file in self.folder.rglob("*") if file.is_file()]
            case "slack":
                return self.slack.messages
            case "s3":
                return [(await self._ask("GET", key)).text.encode() for key in await self.keys()]
            case "google_drive":
                return [bytes(content) for content in self.drive.contents.values()]
            case "google_sheets":
                return self.sheets.rows[1:]
            case "email":
                return self.mailbox.mails
            case _:
                raise AssertionError(f"nobody knows where {use} delivers to")

    async def keys(self) -> list[str]:
        """The names of all objects in the bucket."""
        return (await self._ask("GET", **{"list-type": "2"})).all("Key")

    async def make_bucket(self) -> None:
        if "media-bucket" in self.connections:
            answer = await self._ask("PUT")
            assert answer.ok, answer

    async def _ask(self, method: str, key: str = "", **query: str) -> Any:
        async with httpx.AsyncClient(trust_env=False) as client:
            connection = read_connection(self.connections["media-bucket"])
            return await Storage(connection, client, time.time, Learnt()).request(method, key, query=query)


@contextmanager
def destinations(folder: Path, uses: Collection[str]) -> Iterator[Destinations]:
    """Start what the connectors ``uses`` need."""
    there = Destinations(folder)
    with ExitStack() as stack:
        if "http" in uses:
            url = stack.enter_context(running(there.receiver))
            there.connections |= {name: {"url": f"{url}/{name}"} for name in HOOKS}
        if "slack" in uses:
            url = stack.enter_context(running(there.slack))
            bot = {"token": there.slack.token, "channel": "C0RELEASES", "api_url": f"{url}/api"}
            there.connections["team-slack"] = bot
        if "google_drive" in uses:
            there.connections["my-drive"] = robot(stack.enter_context(running(there.drive)), folder="shared_root")
            there.drive.add_folder("shared_root", "Releases", drive="shared_root")
        if "google_sheets" in uses:
            url = stack.enter_context(running(there.sheets))
            there.sheets.rows.append(["Title"])
            there.connections["my-sheet"] = robot(url, spreadsheet="sheet_1")
        if "email" in uses:
            port = stack.enter_context(mail_server(there.mailbox))
            server = {"host": "localhost", "port": str(port), "tls": "none", "sender": "Studio <studio@example.com>"}
            there.connections["mail"] = server
        if "s3" in uses:
            where = {"endpoint": stack.enter_context(rclone()), "bucket": BUCKET}
            there.connections["media-bucket"] = {**where, "access_key_id": KEY, "secret_access_key": SECRET}
        yield there
