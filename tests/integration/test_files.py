"""Uploads through the relay: private files become inputs, and nothing that is surely refused ever travels."""

import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.integration.conftest import KEY, REQUEST, Line
from tests.songs import picture, silence, wav

Start = Callable[..., Line]
MEBIBYTE = 1024 * 1024


def upload(line: Line, content: bytes, name: str = "song.mp3", declared: str = "application/octet-stream") -> Any:
    return line.client.post("/v1/files", files={"file": (name, content, declared)}, data={"purpose": "input"})


def violations(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["code"] == "bad_request"
    assert error["request_id"]
    return error["details"]


@pytest.mark.parametrize(
    ("content", "name", "declared", "mime"),
    [
        (picture("png"), "cover.jpg", "image/jpeg", "image/png"),
        (picture("webp"), "cover", "application/octet-stream", "image/webp"),
        (wav(12), "song.wav", "audio/x-wav", "audio/wav"),
        (silence("mp3", "libmp3lame", 12), "song.mp3", "application/octet-stream", "audio/mpeg"),
        (silence("adts", "aac", 12), "song.aac", "audio/aac", "audio/aac"),
        (silence("mp4", "aac", 12), "song.m4a", "application/octet-stream", "audio/mp4"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nNeon\n", "words.srt", "text/plain", "application/x-subrip"),
    ],
)
def test_every_kind_arrives_as_what_it_is(start: Start, content: bytes, name: str, declared: str, mime: str) -> None:
    line = start("")
    answer = upload(line, content, name, declared)
    assert answer.status_code == 201, answer.text
    file = answer.json()["data"]
    assert (file["mime_type"], file["size_bytes"], file["object"]) == (mime, len(content), "file")
    assert httpx.get(file["url"], trust_env=False).content == content


def test_raw_bytes_and_chunks_of_unknown_length_arrive_too(start: Start) -> None:
    line = start("", sandbox={"contract": "current"})
    song = wav(11)

    def chunks() -> Iterator[bytes]:
        yield song[:1000]
        yield song[1000:]

    answer = line.client.post("/v1/files", content=chunks(), headers={"content-type": "audio/wav"})
    assert answer.status_code == 201, "the relay knows the length that the client did not say"
    file = answer.json()["data"]
    assert (file["audio_duration_seconds"], file["size_bytes"]) == (11, len(song))
    task = line.client.post("/v1/music-video/tasks", json={**REQUEST, "audio_url": file["url"]})
    assert task.status_code == 201, task.text


@pytest.mark.parametrize(
    ("content", "name", "rule"),
    [
        (b"%PDF-1.7 and more", "cover.png", "must be one of"),
        (b"PK\x03\x04 and more", "song.mp3", "must be one of"),
        (silence("mp4", "aac", 12), "video.mp4", "must be one of"),
        (b"who knows", "notes.txt", "must be one of"),
        (b"", "song.mp3", "must not be empty"),
        (wav(9), "song.wav", "must play 10 to 180 seconds; it plays 9.0"),
        (wav(181), "song.wav", "must play 10 to 180 seconds"),
        (silence("mp3", "libmp3lame", 4), "song.mp3", "must play 10 to 180 seconds"),
        (silence("adts", "aac", 4), "song.aac", "must play 10 to 180 seconds"),
    ],
)
def test_what_breaks_a_rule_is_told_before_anything_is_sent(start: Start, content: bytes, name: str, rule: str) -> None:
    line = start("")
    line.faults(error_rate=1.0, error_paths=["/v1/files"])
    (violation,) = violations(upload(line, content, name))
    assert violation["field"] == "file"
    assert violation["rule"].startswith(rule)


def test_other_forms_are_told_what_they_lack(start: Start) -> None:
    line = start("")
    song = wav(11)
    assert violations(line.client.post("/v1/files", files={"clip": ("a.wav", song)}))[0]["field"] == "clip"
    assert violations(line.client.post("/v1/files", files={"clip": ("a.wav", b"short")}))[0]["field"] == "file"
    wrong = line.client.post("/v1/files", files={"file": ("a.wav", song)}, data={"purpose": "output"})
    assert violations(wrong)[0]["field"] == "purpose"
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
        cut = line.client.post("/v1/files", content=b"--x\r\nnonsense", headers={"content-type": kind})
        assert violations(cut)[0]["field"] == "body"
    assert httpx.post(f"{line.url}/v1/files", content=song, trust_env=False).status_code == 401


def test_the_current_contract_takes_longer_songs(start: Start) -> None:
    line = start("", sandbox={"contract": "current"})
    assert upload(line, wav(250), "song.wav").status_code == 201
    assert violations(upload(line, wav(301), "song.wav"))[0]["rule"].startswith("must play 10 to 300 seconds")


def test_a_file_never_lies_whole_in_memory(start: Start) -> None:
    line = start("")
    line.faults(error_rate=1.0, error_status="503", error_paths=["/v1/files"])

    def zeros(most: int) -> Iterator[bytes]:
        yield b"\x89PNG\r\n\x1a\n"
        for _ in range(most):
            yield bytes(MEBIBYTE)

    headers = {"authorization": f"Bearer {KEY}", "content-type": "image/png"}
    tracemalloc.start()
    try:
        answer = httpx.post(f"{line.url}/v1/files", content=zeros(49), headers=headers, trust_env=False, timeout=60)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.status_code == 503, answer.text
    assert answer.json()["error"]["code"] == "processing_unavailable"
    assert peak < 20 * MEBIBYTE, f"{peak / MEBIBYTE:.1f} MiB; client, relay and sandbox run in this one process"
    answer = httpx.post(f"{line.url}/v1/files", content=zeros(50), headers=headers, trust_env=False, timeout=60)
    assert violations(answer)[0]["rule"] == f"must have at most {50 * MEBIBYTE} bytes"
    assert list((line.data / "data" / "uploads").iterdir()) == [], "nothing is left behind"
