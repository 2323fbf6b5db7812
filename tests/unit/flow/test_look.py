"""The deep check, against a real server of files: right ones pass, wrong ones are told with field and rule."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from relay.contract.files import CURRENT
from relay.contract.pictures import size_of
from relay.flow.inputs import Checked, DeepCheck, Inputs
from relay.flow.look import Look
from relay.net import Egress, guarded_client
from tests.servers import running
from tests.songs import picture, silence, wav

FILES: dict[str, bytes] = {
    "/wide.png": picture("png", (500, 100)),
    "/cover.png": picture("png", (400, 100)),
    "/cover.jpg": picture("jpeg", (100, 400)),
    "/cover.webp": picture("webp", (64, 64)),
    "/song.mp3": silence("mp3", "libmp3lame", 12),
    "/short.mp3": silence("mp3", "libmp3lame", 4),
    "/long.wav": wav(200),
    "/page.mp3": b"<!doctype html><title>Log in first</title>",
    "/words.srt": b"1\n00:00:01,000 --> 00:00:02,000\nNeon\n",
}


class FileServer:
    """Serves :data:`FILES`; counts what it sends, and claims a length for ``/huge.png``."""

    def __init__(self) -> None:
        self.sent = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        content, headers, status = FILES.get(scope["path"]), [], 200
        if scope["path"] == "/huge.png":
            content, headers, status = FILES["/cover.png"], [(b"content-range", b"bytes 0-9/99999999")], 206
        if scope["path"] == "/silent.mp3":
            await receive()
            await receive()  # until the client gives up
            return
        if content is None:
            content, status = b"", 404
        self.sent += len(content)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running(FileServer()) as url:
        yield url


Deep = Callable[..., Inputs]


async def resolver(host: str, port: int) -> list[str]:
    return ["93.184.216.34"] if port == 443 else ["127.0.0.1"]


async def check(
    server: str, folder: Path, request: dict[str, Any], *, refuse: bool = True, allow: bool = True
) -> Checked:
    port = server.rpartition(":")[2]
    egress = Egress([f"files.example.com:{port}"] if allow else [])

    async def file_rules() -> Any:
        return CURRENT

    def linked(value: Any) -> Any:
        if isinstance(value, list):
            return [linked(one) for one in value]
        return f"http://files.example.com:{port}/{value}"

    async with guarded_client(egress, resolver=resolver, timeout=5, connect_timeout=5) as client:
        deep = DeepCheck(Look(client, folder, seconds=1.0), file_rules, refuse=refuse)
        inputs = Inputs("http://own.example.com", resolver, deep)
        body = httpx.Request("POST", server, json={name: linked(value) for name, value in request.items()}).content
        return await inputs.check(body, lambda _: [])


@pytest.mark.anyio
async def test_right_files_pass(server: str, tmp_path: Path) -> None:
    found = await check(
        server,
        tmp_path,
        {"images": ["cover.png", "cover.jpg", "cover.webp"], "audio_url": "song.mp3", "srt_url": "words.srt"},
    )
    assert found == Checked()
    assert (await check(server, tmp_path, {"audio_url": "long.wav"})) == Checked(), "300 s in the current contract"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("request_", "field", "rule"),
    [
        ({"images": ["cover.png", "wide.png"]}, "images[1]", "must have an aspect ratio from 1:4 to 4:1; it is 500 x"),
        ({"images": ["song.mp3"]}, "images[0]", "must lead to image/png or"),
        ({"images": ["huge.png"]}, "images[0]", "must lead to a file of at most 52428800 bytes; it has 99999999"),
        ({"images": ["none.png"]}, "images[0]", "must be reachable; it answers 404"),
        ({"audio_url": "cover.png"}, "audio_url", "must lead to audio/mpeg or"),
        ({"audio_url": "short.mp3"}, "audio_url", "must play 10 to 300 seconds"),
        ({"lip_ref_url": "words.srt"}, "lip_ref_url", "must lead to image/png or"),
        ({"srt_url": "cover.png"}, "srt_url", "must lead to application/x-subrip"),
    ],
)
async def test_wrong_files_are_told(
    server: str, tmp_path: Path, request_: dict[str, Any], field: str, rule: str
) -> None:
    refused = await check(server, tmp_path, request_)
    assert [(one.field, one.rule.startswith(rule)) for one in refused.violations] == [(field, True)]
    warned = await check(server, tmp_path, request_, refuse=False)
    assert warned.violations == []
    assert warned.warnings[0].startswith(f"{field} {rule}")


@pytest.mark.anyio
async def test_what_cannot_be_reached_from_here_is_a_warning_even_then(server: str, tmp_path: Path) -> None:
    slow = await check(server, tmp_path, {"audio_url": "silent.mp3"})
    assert (slow.violations, len(slow.warnings)) == ([], 1)
    private = await check(server, tmp_path, {"audio_url": "song.mp3"}, allow=False)
    assert private.violations == []
    assert "not a public address" in private.warnings[0]


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_a_picture_tells_its_size(kind: str) -> None:
    head = picture(kind, (321, 123))
    assert size_of(head) == (321, 123)
    assert all(size_of(head[:cut]) in (None, (321, 123)) for cut in range(40))
