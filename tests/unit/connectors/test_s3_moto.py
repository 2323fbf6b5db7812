"""The ``s3`` connector against moto's S3 server, on every machine and in seconds.

moto keeps objects, parts and conditions as AWS documents them, but it checks neither signatures nor permissions: any
credentials do, and it takes a link that has ended. What is signed is held by ``test_s3.py`` beside this; Ceph's gateway
and rclone judge the whole in ``tests/integration/test_s3.py``.
"""

import base64
import hashlib
import logging
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from connectors.base import Outcome, Reject, Retry
from connectors.s3 import S3, S3Config
from tests.media import Bytes, a_delivery
from tests.notes import MemoryNotes

pytestmark = pytest.mark.anyio
VIDEO = Bytes(b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 64)
LARGE = Bytes(bytes(range(256)) * (9 << 12))
"""9 MiB: two parts."""


class InParts(S3):
    """Sends everything in parts."""

    single = 0


class Broken(Bytes):
    """A file whose disk goes away in its second part."""

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[bytes]]:
        async def chunks() -> AsyncIterator[bytes]:
            yield self.content[: 8 << 20]
            yield b"x"
            raise Retry("the disk is away")

        yield chunks()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class Bucket:
    """A bucket of its own, looked into by AWS' own client."""

    def __init__(self, url: str) -> None:
        self.name = f"b-{uuid.uuid4().hex[:12]}"
        self.connection = {"endpoint": url, "bucket": self.name, "access_key_id": "AK", "secret_access_key": "SK"}
        self.aws = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="AK", aws_secret_access_key="SK"
        )
        self.aws.create_bucket(Bucket=self.name)
        self.sent: list[httpx.Request] = []
        """What the connector asked, in order."""

    def head(self, key: str) -> dict[str, Any]:
        return self.aws.head_object(Bucket=self.name, Key=key)

    def keys(self) -> list[str]:
        return [one["Key"] for one in self.aws.list_objects_v2(Bucket=self.name).get("Contents", [])]

    def unfinished(self) -> list[str]:
        return [one["Key"] for one in self.aws.list_multipart_uploads(Bucket=self.name).get("Uploads", [])]

    async def deliver(self, config: S3Config, media: Any = VIDEO, kind: type[S3] = S3, **more: Any) -> Outcome:
        async def note(request: httpx.Request) -> None:
            self.sent.append(request)

        async with httpx.AsyncClient(trust_env=False, event_hooks={"request": [note]}) as client:
            return await kind().deliver(config, a_delivery(client, self.connection, media=media, **more))


@pytest.fixture
def bucket(url: str) -> Bucket:
    return Bucket(url)


async def test_an_object_says_what_it_is(bucket: Bucket) -> None:
    config = S3Config(key="v/Straße & +.mp4", disposition="attachment", filename="a.mp4", cache_control="max-age=60")
    outcome = await bucket.deliver(config)
    kept = bucket.head("v/Straße & +.mp4")
    assert (kept["ContentType"], kept["CacheControl"], kept["ContentLength"]) == ("video/mp4", "max-age=60", VIDEO.size)
    assert kept["ContentDisposition"] == "attachment; filename=\"a.mp4\"; filename*=UTF-8''a.mp4"
    assert kept["Metadata"] == {
        "sha256": VIDEO.sha256,
        "beatrelay-delivery": "dlv_1",
        "beatrelay-task": "task_1",
    }
    assert outcome.detail["etag"] == hashlib.md5(VIDEO.content).hexdigest()


async def test_the_hash_goes_along_so_that_a_service_refuses_other_bytes(bucket: Bucket) -> None:
    """AWS and Ceph compare it; moto only lets it pass."""
    await bucket.deliver(S3Config(key="a.mp4"))
    (put,) = [request for request in bucket.sent if request.method == "PUT"]
    assert put.headers["x-amz-checksum-sha256"] == base64.b64encode(bytes.fromhex(VIDEO.sha256)).decode()


async def test_the_link_gives_the_file(bucket: Bucket) -> None:
    outcome = await bucket.deliver(S3Config(key="a b/ü.mp4"))
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(outcome.url or "")
    assert (answer.status_code, answer.content) == (200, VIDEO.content)


@pytest.mark.parametrize("kind", [S3, InParts])
async def test_a_repeat_writes_nothing(bucket: Bucket, kind: type[S3]) -> None:
    first = await bucket.deliver(S3Config(key="a.mp4"), kind=kind)
    written = bucket.head("a.mp4")["LastModified"]
    again = await bucket.deliver(S3Config(key="a.mp4"), kind=kind, key="dlv_2")
    assert (first.detail.get("already"), again.detail["already"]) == (None, True)
    assert (bucket.keys(), bucket.head("a.mp4")["LastModified"]) == (["a.mp4"], written)
    assert bucket.head("a.mp4")["Metadata"]["beatrelay-delivery"] == "dlv_1"


@pytest.mark.parametrize("kind", [S3, InParts])
async def test_another_file_is_kept_beside_refused_or_replaced_as_the_step_says(bucket: Bucket, kind: type[S3]) -> None:
    other = Bytes(b"other")
    await bucket.deliver(S3Config(key="a.mp4"), other)
    beside = await bucket.deliver(S3Config(key="a.mp4"), kind=kind)
    assert beside.detail["key"] == f"a-{VIDEO.sha256[:8]}.mp4"
    with pytest.raises(Reject, match=r"another file at a\.mp4"):
        await bucket.deliver(S3Config(key="a.mp4", if_exists="reject"), kind=kind)
    assert bucket.head("a.mp4")["ContentLength"] == other.size
    await bucket.deliver(S3Config(key="a.mp4", if_exists="overwrite"), kind=kind)
    assert bucket.head("a.mp4")["ContentLength"] == VIDEO.size
    assert (sorted(bucket.keys()), bucket.unfinished()) == ([f"a-{VIDEO.sha256[:8]}.mp4", "a.mp4"], [])


class Sudden(Bytes):
    """A file during whose reading somebody else puts another at its place."""

    bucket: Bucket

    def open(self) -> Any:
        self.bucket.aws.put_object(Bucket=self.bucket.name, Key="a.mp4", Body=b"faster")
        return super().open()


@pytest.mark.parametrize("kind", [S3, InParts])
async def test_whoever_was_faster_is_not_overwritten(bucket: Bucket, kind: type[S3]) -> None:
    """The look before found nothing, so only the condition on the write itself can hold this."""
    media = Sudden(VIDEO.content)
    media.bucket = bucket
    with pytest.raises(Reject, match=r"another file at a\.mp4"):
        await bucket.deliver(S3Config(key="a.mp4", if_exists="reject"), media, kind=kind)
    assert (bucket.head("a.mp4")["ContentLength"], bucket.unfinished()) == (len(b"faster"), [])


async def test_parts_become_one_object(bucket: Bucket) -> None:
    outcome = await bucket.deliver(S3Config(key="a.mp4"), LARGE, kind=InParts)
    kept = bucket.head("a.mp4")
    assert (kept["ContentLength"], kept["ContentType"], kept["ETag"][-3:]) == (LARGE.size, "video/mp4", '-2"')
    assert outcome.detail["sha256"] == LARGE.sha256
    assert (bucket.keys(), bucket.unfinished()) == (["a.mp4"], [])


async def test_an_upload_goes_on_with_the_parts_that_arrived(bucket: Bucket) -> None:
    notes = MemoryNotes()
    with pytest.raises(Retry, match="the disk is away"):
        await bucket.deliver(S3Config(key="a.mp4"), Broken(LARGE.content), InParts, notes=notes)
    assert bucket.unfinished() == ["a.mp4"]
    bucket.sent.clear()
    await bucket.deliver(S3Config(key="a.mp4"), LARGE, InParts, notes=notes)
    parts = [request.url.params["partNumber"] for request in bucket.sent if request.method == "PUT"]
    assert (parts, bucket.head("a.mp4")["ContentLength"], bucket.unfinished()) == (["2"], LARGE.size, [])


async def test_an_upload_that_cannot_go_on_is_removed(bucket: Bucket) -> None:
    notes = MemoryNotes()
    with pytest.raises(Retry, match="the disk is away"):
        await bucket.deliver(S3Config(key="a.mp4"), Broken(LARGE.content), InParts, notes=notes)
    await bucket.deliver(S3Config(key="a.mp4"), key="somebody else")
    with pytest.raises(Reject, match=r"another file at a\.mp4"):
        await bucket.deliver(S3Config(key="a.mp4", if_exists="reject"), LARGE, InParts, notes=notes)
    assert (bucket.keys(), bucket.unfinished()) == (["a.mp4"], [])


@pytest.mark.parametrize("kind", [S3, InParts])
async def test_a_file_that_changed_in_the_store_leaves_nothing(bucket: Bucket, kind: type[S3]) -> None:
    with pytest.raises(Retry, match="changed while it was read"):
        await bucket.deliver(S3Config(key="a.mp4"), Bytes(LARGE.content, torn=True), kind=kind)
    assert (bucket.keys(), bucket.unfinished()) == ([], [])


async def test_a_bucket_that_is_not_there_is_said(bucket: Bucket) -> None:
    bucket.connection["bucket"] = "no-such-bucket"
    with pytest.raises(Reject, match="no such bucket"):
        await bucket.deliver(S3Config(key="a.mp4"))


async def test_a_check_tells_what_works_and_leaves_nothing(bucket: Bucket) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        said = await S3().check(bucket.connection, client)
    assert "conditional creates work; SHA-256 checksums are accepted" in said
    assert bucket.keys() == []
