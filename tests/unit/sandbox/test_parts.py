"""The sandbox's parts: signature, prices, rules, files, chance."""

import io
import wave
from decimal import Decimal
from typing import Any

import pytest

from relay.sandbox import rules
from relay.sandbox.errors import Refusal
from relay.sandbox.faults import Dice, task_faults
from relay.sandbox.files import sniff, store
from relay.sandbox.pricing import compose_price, price, rate
from relay.sandbox.video import size_of
from relay.sandbox.webhooks import sign

OWN = "http://127.0.0.1:8788"
GOOD: dict[str, Any] = {"images": ["https://x.example/a.png"], "audio_url": "https://x.example/a.mp3"}


def test_the_signature_is_the_published_one() -> None:
    body = b'{"event":"task.succeeded","data":{"id":"task_123"}}'
    wanted = "ea8fe65b9f729d48f172f2b7fb4b267e6ae50ace77a9b4672d418378cd50729b"
    assert sign("whsec_test", 1784187600, body) == wanted


@pytest.mark.parametrize(
    ("request_", "credits"),
    [
        ({"resolution": "540p"}, 4),
        ({}, 5),
        ({"resolution": "1080p"}, 6),
        ({"lip_sync": True}, 7),
        ({"quality": "high"}, 16),
        ({"quality": "high", "resolution": "1080p", "lip_sync": True}, 20),
    ],
)
def test_a_music_video_costs_by_the_rate_table(request_: dict[str, Any], credits: int) -> None:
    assert rate("music-video", request_) == credits


def test_prices_in_both_units() -> None:
    assert rate("ecommerce-video", {}) == 15
    assert (price(75, "launch"), price(75, "current")) == (Decimal(75), Decimal("1.50"))
    assert (compose_price("launch"), compose_price("current")) == (Decimal(1), Decimal("1.00"))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"images": []}, "images"),
        ({"images": ["https://x.example/a.png"] * 8}, "images"),
        ({"images": ["http://x.example/a.png"]}, "images[0]"),
        ({"images": ["https://127.0.0.1/a.png"]}, "images[0]"),
        ({"images": ["https://10.0.0.1/a.png"]}, "images[0]"),
        ({"images": ["https://2130706433/a.png"]}, "images[0]"),
        ({"images": ["https://localhost/a.png"]}, "images[0]"),
        ({"images": ["https://[::1]/a.png"]}, "images[0]"),
        ({"images": ["https://169.254.169.254/a.png"]}, "images[0]"),
        ({"images": ["data:image/png;base64,AA=="]}, "images[0]"),
        ({"images": [7]}, "images[0]"),
        ({"audio_url": None}, "audio_url"),
        ({"prompt": "x" * 3001}, "prompt"),
        ({"style": "x" * 201}, "style"),
        ({"language": "de"}, "language"),
        ({"quality": "best"}, "quality"),
        ({"resolution": "4k"}, "resolution"),
        ({"aspect_ratio": "21:9"}, "aspect_ratio"),
        ({"compose_mode": "both"}, "compose_mode"),
        ({"lip_sync": "yes"}, "lip_sync"),
        ({"lip_ref_url": "ftp://x"}, "lip_ref_url"),
        ({"srt_url": "https://x.example/a.txt"}, "srt_url"),
        ({"subtitle_color": "red"}, "subtitle_color"),
        ({"duration": 9}, "duration"),
        ({"duration": 181}, "duration"),
        ({"duration": 15.5}, "duration"),
        ({"resolution": "540p", "quality": "high"}, "quality"),
        ({"resolution": "540p", "lip_sync": True}, "lip_sync"),
    ],
)
def test_each_rule_is_checked_and_its_field_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(Refusal) as caught:
        rules.check_music_video({**GOOD, **change}, OWN, current=False)
    assert (caught.value.status, caught.value.body.code) == (400, "bad_request")
    assert [problem["field"] for problem in caught.value.body.details] == [field]


def test_what_is_right_passes_and_our_own_files_are_fine() -> None:
    rules.check_music_video(GOOD, OWN, current=True)
    rules.check_music_video({**GOOD, "audio_url": f"{OWN}/inputs/file_1.mp3", "unknown": 1}, OWN, current=False)
    rules.check_ecommerce({"images": ["https://x.example/a.png"], "duration": 10}, OWN)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(Refusal) as caught:
        rules.check_ecommerce({"images": [], "duration": 61, "aspect_ratio": "4:3"}, OWN)
    assert [problem["field"] for problem in caught.value.body.details] == ["images", "duration", "aspect_ratio"]


def test_current_is_stricter() -> None:
    with pytest.raises(Refusal):
        rules.check_music_video({**GOOD, "lip_sync": True}, OWN, current=True)
    with pytest.raises(Refusal):
        rules.check_edit({"prompt": "x", "duration": 5}, current=True)
    rules.check_edit({"prompt": "x", "duration": 5}, current=False)


@pytest.mark.parametrize(
    ("head", "mime"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0....", "image/jpeg"),
        (b"RIFF....WEBP", "image/webp"),
        (b"RIFF....WAVE", "audio/wav"),
        (b"ID3....", "audio/mpeg"),
        (b"\xff\xfb\x90....", "audio/mpeg"),
        (b"\xff\xf1\x50....", "audio/aac"),
        (b"....ftypM4A ....", "audio/mp4"),
        (b"....ftypisom....", "video/mp4"),
        (b"%PDF-1.7", "application/pdf"),
        (b"1\n00:00:01,000", None),
    ],
)
def test_uploads_are_typed_by_their_bytes(head: bytes, mime: str | None) -> None:
    assert sniff(head) == mime


def sound(seconds: float) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(1)
        audio.setframerate(1000)
        audio.writeframes(b"\x80" * int(seconds * 1000))
    return buffer.getvalue()


def put(content: bytes, name: str = "", declared: str = "", contract: str = "launch") -> Any:
    return store(content, name, declared, id="file_1", base_url=OWN, contract=contract, now=1).file


def test_audio_is_measured() -> None:
    file = put(sound(12.5), declared="application/octet-stream")
    assert (file.mime_type, file.audio_duration_seconds, file.url) == ("audio/wav", 12.5, f"{OWN}/inputs/file_1.wav")


@pytest.mark.parametrize("seconds", [9.0, 181.0])
def test_audio_of_the_wrong_length_is_refused(seconds: float) -> None:
    with pytest.raises(Refusal, match="10 to 180 s are allowed"):
        put(sound(seconds))


def test_what_bytes_do_not_tell_the_name_does_and_then_the_declared_type() -> None:
    assert put(b"1\n00:00:01,000", "a.srt", "text/plain").mime_type == "application/x-subrip"
    assert put(b"1\n00:00:01,000", "", "application/x-subrip; charset=utf-8").mime_type == "application/x-subrip"


@pytest.mark.parametrize(
    ("content", "name"), [(b"", "a.png"), (b"%PDF-1.7", "a.png"), (b"....ftypisom", "a.mp4"), (b"PK\x03\x04", "a.zip")]
)
def test_what_is_no_input_is_refused(content: bytes, name: str) -> None:
    with pytest.raises(Refusal):
        put(content, name)


@pytest.mark.parametrize("ratio", ["1:1", "16:9", "9:16", "4:3", "3:4"])
def test_the_picture_has_exactly_the_ratio(ratio: str) -> None:
    width, height = size_of(ratio)
    across, down = map(int, ratio.split(":"))
    assert width * down == height * across
    assert width % 2 == height % 2 == 0
    assert 500 <= max(width, height) <= 640


def test_chance_repeats_from_its_seed_and_kinds_do_not_disturb_each_other() -> None:
    first, second = Dice(7), Dice(7)
    second.hits("other", 0.5)
    assert [first.hits("drop", 0.3) for _ in range(50)] == [second.hits("drop", 0.3) for _ in range(50)]
    assert not any(Dice(1).hits("drop", 0.0) for _ in range(50))


def test_faults_of_one_task_are_read_from_its_header() -> None:
    assert task_faults("fail, late-webhook=30") == {"fail": 0.0, "late-webhook": 30.0}
    assert task_faults(None) == {}
