"""Uploads that real writers and real clients make: measured, typed by what they are, or refused."""

import io
from typing import Any

import av
import pytest

from relay.sandbox.errors import Refusal
from relay.sandbox.files import store
from relay.sandbox.video import make_video

OWN = "http://127.0.0.1:8788"


def put(content: bytes, name: str = "", declared: str = "", contract: str = "launch") -> Any:
    return store(content, name, declared, id="file_1", base_url=OWN, contract=contract, now=1).file


def silence(container: str, codec: str, seconds: int) -> bytes:
    """Some seconds of nothing, as ``codec`` in ``container``."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=16000, layout="mono")
        for start in range(0, seconds * 16000, 1000):
            frame = av.AudioFrame(format="s16", layout="mono", samples=1000)
            frame.sample_rate, frame.pts = 16000, start
            frame.planes[0].update(bytes(2000))
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("container", "codec", "mime"),
    [("mp3", "libmp3lame", "audio/mpeg"), ("adts", "aac", "audio/aac"), ("ipod", "aac", "audio/mp4")],
)
def test_compressed_audio_is_measured(container: str, codec: str, mime: str) -> None:
    file = put(silence(container, codec, 12))
    assert file.mime_type == mime
    assert file.audio_duration_seconds == pytest.approx(12, abs=0.6)
    with pytest.raises(Refusal, match="10 to 180 s are allowed"):
        put(silence(container, codec, 4))


@pytest.mark.parametrize(("name", "declared"), [("song.m4a", ""), ("", "audio/x-m4a"), ("", "audio/mp4; codecs=aac")])
def test_an_m4a_that_is_not_signed_as_one_is_believed(name: str, declared: str) -> None:
    content = silence("mp4", "aac", 12)
    assert content[8:12] == b"isom"
    assert put(content, name, declared).mime_type == "audio/mp4"
    with pytest.raises(Refusal, match="video/mp4 cannot be used"):
        put(content)


@pytest.mark.parametrize(
    "content",
    [b"%PDF-1.7", b"PK\x03\x04....", b"GIF89a....", b"\x1aE\xdf\xa3....", b"OggS....", b"fLaC....", b"RIFF....AVI "],
)
def test_bytes_that_are_something_else_are_refused_whatever_they_are_called(content: bytes) -> None:
    with pytest.raises(Refusal, match="cannot be used as input"):
        put(content, "cover.png", "image/png")


def test_the_current_contract_takes_longer_audio() -> None:
    song = silence("adts", "aac", 200)
    assert put(song, contract="current").audio_duration_seconds == pytest.approx(200, abs=10)
    with pytest.raises(Refusal):
        put(song)


def test_the_video_is_the_same_for_the_same_words_and_lasts_four_seconds() -> None:
    content = make_video("Neon rooftop", "16:9")
    assert content == make_video("Neon rooftop", "16:9") != make_video("Neon rooftop (cut 2)", "16:9")
    with av.open(io.BytesIO(content)) as video:
        picture, sound = video.streams.video[0], video.streams.audio[0]
        assert (picture.width, picture.height, picture.average_rate) == (640, 360, 24)
        assert video.duration is not None
        assert video.duration / 1_000_000 == pytest.approx(4, abs=0.1)
        assert any(any(bytes(frame.planes[0])) for frame in video.decode(sound))


def test_a_video_without_a_prompt_is_a_video() -> None:
    with av.open(io.BytesIO(make_video("", "9:16", seconds=0.5))) as video:
        assert video.streams.video[0].codec_context.name == "h264"
