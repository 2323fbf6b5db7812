"""The ``s3`` connector against genuine servers: Ceph's gateway, and rclone's, which ignores conditions."""

import asyncio
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from connectors.base import Delivery, Outcome, Reject, Retry
from connectors.s3 import S3, S3Config
from connectors.s3.settings import read_connection
from connectors.s3.storage import Learnt, Storage
from relay.net import Egress, guarded_client
from tests.bench.s3 import measure
from tests.integration.kill_harness import MEDIA, Case, Death, killed
from tests.media import Bytes, Endless, a_delivery
from tests.notes import MemoryNotes
from tests.proxies import cutting
from tests.storages import KEY, SECRET, ceph, lacking_for_ceph, rclone

pytestmark = pytest.mark.anyio
VIDEO = Bytes(b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 4000)


class S3OfToday(S3):
    """A genuine server knows what time it is; the harness' clock does not."""

    async def deliver(self, config: S3Config, delivery: Delivery) -> Outcome:
        return await super().deliver(config, dataclasses.replace(delivery, at=int(time.time())))


class S3InParts(S3OfToday):
    """Sends everything in parts."""

    single = 0


@pytest.fixture(scope="module")
def ceph_url() -> Iterator[str]:
    if lacking := lacking_for_ceph():
        pytest.skip(f"needs the Debian packages {lacking}")
    with ceph() as url:
        yield url


@pytest.fixture(scope="module", params=["ceph", "rclone"])
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "ceph":
        yield request.getfixturevalue("ceph_url")
    else:
        with rclone() as url:
            yield url


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> str:
    return "b-" + "".join(character for character in request.node.name.lower() if character.isalnum())[-40:]


def a_connection(url: str, bucket: str, **more: str) -> dict[str, str]:
    known = {"endpoint": url, "bucket": bucket, "access_key_id": KEY, "secret_access_key": SECRET}
    return {**known, **more}


class Bucket:
    """A fresh bucket, and a look into it that does not go through the connector."""

    def __init__(self, url: str, name: str) -> None:
        self.connection = a_connection(url, name)
        self.name = name

    async def ask(self, method: str, key: str = "", **query: str) -> Any:
        async with httpx.AsyncClient(trust_env=False) as client:
            storage = Storage(read_connection(self.connection), client, time.time, Learnt())
            return await storage.request(method, key, query=query)

    async def make(self) -> "Bucket":
        answer = await self.ask("PUT")
        assert answer.ok, answer
        return self

    async def keys(self) -> list[str]:
        return (await self.ask("GET", **{"list-type": "2"})).all("Key")

    async def unfinished(self) -> list[str]:
        return (await self.ask("GET", uploads="")).all("UploadId")

    async def deliver(self, config: S3Config, media: Any = VIDEO, *, url: str = "", kind: type[S3] = S3, **more: Any):
        connection = {**self.connection, **({"endpoint": url} if url else {}), **more.pop("connection", {})}
        async with guarded_client(Egress(["127.0.0.0/8"]), timeout=20) as client:
            delivery = a_delivery(client, connection, media=media, at=int(time.time()), **more)
            return await kind().deliver(config, delivery)


@pytest.fixture
async def shelf(server: str, bucket: str) -> Bucket:
    return await Bucket(server, bucket).make()


@pytest.fixture
async def ceph_shelf(ceph_url: str, bucket: str) -> Bucket:
    return await Bucket(ceph_url, bucket).make()


async def fetched(url: str | None) -> httpx.Response:
    assert url is not None
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(url)


async def test_the_link_gives_the_file_to_anybody(shelf: Bucket) -> None:
    config = S3Config(key="videos/Straße 歌 & +.mp4", disposition="attachment")
    outcome = await shelf.deliver(config)
    answer = await fetched(outcome.url)
    assert (answer.status_code, answer.content) == (200, VIDEO.content)
    assert answer.headers["content-type"] == "video/mp4"
    assert outcome.detail["key"] == config.key
    assert outcome.detail["url_expires_at"] - time.time() == pytest.approx(604_800, abs=60)
    assert outcome.url is not None
    assert SECRET not in outcome.url


async def test_a_browser_is_told_the_name(ceph_shelf: Bucket) -> None:
    outcome = await ceph_shelf.deliver(S3Config(key="a.mp4", filename='Ünï "x".mp4', cache_control="max-age=60"))
    answer = await fetched(outcome.url)
    expected = "inline; filename=\"_n_ _x_.mp4\"; filename*=UTF-8''%C3%9Cn%C3%AF%20%22x%22.mp4"
    assert (answer.headers["content-disposition"], answer.headers["cache-control"]) == (expected, "max-age=60")


async def test_a_repeat_writes_nothing(shelf: Bucket) -> None:
    first = await shelf.deliver(S3Config(key="a.mp4"))
    again = await shelf.deliver(S3Config(key="a.mp4"), key="dlv_2")
    assert (first.detail.get("already"), again.detail["already"]) == (None, True)
    assert await shelf.keys() == ["a.mp4"]


async def test_another_file_is_kept_beside_refused_or_replaced_as_the_step_says(shelf: Bucket) -> None:
    await shelf.deliver(S3Config(key="v/a.mp4"))
    other = Bytes(b"other")
    beside = await shelf.deliver(S3Config(key="v/a.mp4"), other)
    assert beside.detail["key"] == f"v/a-{other.sha256[:8]}.mp4"
    with pytest.raises(Reject, match=r"another file at v/a.mp4"):
        await shelf.deliver(S3Config(key="v/a.mp4", if_exists="reject"), other)
    await shelf.deliver(S3Config(key="v/a.mp4", if_exists="overwrite"), other)
    replaced = await shelf.deliver(S3Config(key="v/a.mp4"), other)
    assert (await fetched(replaced.url)).content == b"other"
    assert sorted(await shelf.keys()) == sorted(["v/a.mp4", str(beside.detail["key"])])


@pytest.mark.parametrize("cut", [b"PUT", b"HEAD"])
async def test_an_answer_that_is_lost_leaves_one_object(shelf: Bucket, cut: bytes) -> None:
    with cutting(urlsplit(shelf.connection["endpoint"]).port or 0) as proxy:
        proxy.swallow = cut
        with pytest.raises(Retry):
            await shelf.deliver(S3Config(key="a.mp4"), url=proxy.url)
        await shelf.deliver(S3Config(key="a.mp4"), url=proxy.url, attempt=2)
    assert await shelf.keys() == ["a.mp4"]


async def test_a_small_file_that_is_cut_leaves_nothing(ceph_shelf: Bucket) -> None:
    with cutting(urlsplit(ceph_shelf.connection["endpoint"]).port or 0) as proxy:
        proxy.cut_after = 500_000
        with pytest.raises(Retry):
            await ceph_shelf.deliver(S3Config(key="a.mp4"), url=proxy.url)
    assert (await ceph_shelf.keys(), await ceph_shelf.unfinished()) == ([], [])


async def test_a_large_file_goes_on_where_it_was_cut(ceph_shelf: Bucket) -> None:
    media, notes = Endless(72), MemoryNotes()
    with cutting(urlsplit(ceph_shelf.connection["endpoint"]).port or 0) as proxy:
        proxy.cut_after = 50 << 20
        with pytest.raises(Retry):
            await ceph_shelf.deliver(S3Config(key="a.mp4"), media, url=proxy.url, notes=notes)
        assert len(await ceph_shelf.unfinished()) == 1
        proxy.sent = 0
        outcome = await ceph_shelf.deliver(S3Config(key="a.mp4"), media, url=proxy.url, notes=notes)
        assert proxy.sent < 26 << 20, "six parts of 8 MiB had arrived"
    assert outcome.detail["bytes"] == media.size
    assert (await ceph_shelf.keys(), await ceph_shelf.unfinished()) == (["a.mp4"], [])
    again = await ceph_shelf.deliver(S3Config(key="a.mp4"), media)
    assert again.detail["already"] is True


@pytest.mark.parametrize("lost", [b"POST", b"PUT"])
async def test_no_part_is_left_over_when_an_answer_is_lost(ceph_shelf: Bucket, lost: bytes) -> None:
    media, notes = Bytes(bytes(6 << 20)), MemoryNotes()
    with cutting(urlsplit(ceph_shelf.connection["endpoint"]).port or 0) as proxy:
        proxy.swallow = lost
        with pytest.raises(Retry):
            await ceph_shelf.deliver(S3Config(key="a.mp4"), media, url=proxy.url, notes=notes, kind=S3InParts)
    await ceph_shelf.deliver(S3Config(key="a.mp4"), media, notes=notes, kind=S3InParts)
    assert (await ceph_shelf.keys(), await ceph_shelf.unfinished()) == (["a.mp4"], [])


async def test_an_upload_that_cannot_go_on_is_removed(ceph_shelf: Bucket) -> None:
    notes = MemoryNotes()
    with cutting(urlsplit(ceph_shelf.connection["endpoint"]).port or 0) as proxy:
        proxy.cut_after = 12 << 20
        with pytest.raises(Retry):
            await ceph_shelf.deliver(S3Config(key="a.mp4"), Endless(72), url=proxy.url, notes=notes)
    assert len(await ceph_shelf.unfinished()) == 1
    await ceph_shelf.deliver(S3Config(key="a.mp4"), key="somebody else")
    with pytest.raises(Reject, match=r"another file at a.mp4"):
        await ceph_shelf.deliver(S3Config(key="a.mp4", if_exists="reject"), Endless(72), notes=notes)
    assert (await ceph_shelf.keys(), await ceph_shelf.unfinished()) == (["a.mp4"], [])


@pytest.mark.parametrize("kind", [S3, S3InParts])
async def test_a_file_that_changed_in_the_store_is_not_delivered(ceph_shelf: Bucket, kind: type[S3]) -> None:
    with pytest.raises(Retry, match="changed while it was read"):
        await ceph_shelf.deliver(S3Config(key="a.mp4"), Bytes(bytes(9 << 20), torn=True), kind=kind)
    assert (await ceph_shelf.keys(), await ceph_shelf.unfinished()) == ([], [])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"secret_access_key": "another-secret"}, "`secret_access_key` is wrong"),
        ({"access_key_id": "NOBODY"}, "does not know the connection's `access_key_id`"),
        ({"bucket": "no-such-bucket"}, "no such bucket"),
    ],
)
async def test_wrong_credentials_say_what_to_do(ceph_shelf: Bucket, wrong: dict[str, str], said: str) -> None:
    with pytest.raises(Reject, match=said) as caught:
        await ceph_shelf.deliver(S3Config(key="a.mp4"), connection=wrong)
    assert "another-secret" not in f"{caught.value} {caught.value.detail}"


@pytest.mark.parametrize(("server", "word"), [("ceph", "work"), ("rclone", "are ignored")], indirect=["server"])
async def test_a_check_tells_what_the_service_can_do_and_leaves_nothing(shelf: Bucket, word: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        said = await S3().check(shelf.connection, client)
    assert f"conditional creates {word}" in said
    assert await shelf.keys() == []


async def test_private_addresses_are_refused(ceph_shelf: Bucket) -> None:
    async with guarded_client(Egress()) as client:
        delivery = a_delivery(client, ceph_shelf.connection, media=VIDEO)
        with pytest.raises(Retry, match="BEATRELAY_ALLOW_PRIVATE"):
            await S3().deliver(S3Config(key="a.mp4"), delivery)


async def test_memory_does_not_grow_with_the_file(ceph_shelf: Bucket) -> None:
    measured = await asyncio.to_thread(measure, ceph_shelf.connection, 200)
    assert measured.extra_mib < 64


@pytest.mark.parametrize("block", range(4))
async def test_one_object_and_no_parts_whatever_the_moment_of_death(
    tmp_path: Path, ceph_shelf: Bucket, block: int
) -> None:
    for seed in range(100)[block::4]:
        death = await kill(tmp_path / str(seed), ceph_shelf, ("S3OfToday", "S3InParts")[seed // 4 % 2], seed)
        assert death.row.state == "done", death
    assert (len(await ceph_shelf.keys()), await ceph_shelf.unfinished()) == (25, [])


@pytest.mark.parametrize("server", ["rclone"], indirect=True)
async def test_one_object_where_conditions_are_ignored(tmp_path: Path, shelf: Bucket) -> None:
    for seed in range(25):
        death = await kill(tmp_path / str(seed), shelf, "S3OfToday", seed)
        assert death.row.state == "done", death
    assert len(await shelf.keys()) == 25


async def kill(folder: Path, shelf: Bucket, kind: str, seed: int) -> Death:
    folder.mkdir()
    case = Case(f"tests.integration.test_s3:{kind}", {"key": f"{seed}.mp4"}, shelf.connection)
    case.media = MEDIA + seed.to_bytes(4, "big")
    return await killed(folder, case, seed)
