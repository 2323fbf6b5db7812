"""Which addresses the sandbox takes, by their look alone."""

from typing import Any

import pytest

from relay.sandbox import rules
from relay.sandbox.addresses import is_local, is_of, is_public_https
from relay.sandbox.errors import Refusal

OWN = "http://127.0.0.1:8788"
GOOD: dict[str, Any] = {"images": ["https://x.example/a.png"], "audio_url": "https://x.example/a.mp3"}

LOCAL = [
    "https://localhost/a.png",
    "https://localhost./a.png",
    "https://127.0.0.1./a.png",
    "https://10.1.2.3/a.png",
    "https://172.16.0.1/a.png",
    "https://169.254.169.254/latest",
    "https://[::1]/a.png",
    "https://[::ffff:127.0.0.1]/a.png",
    "https://[fd00::1]/a.png",
    "https://224.0.0.1/a.png",
    "https://2130706433/a.png",
    "https://0x7f.1/a.png",
    "https://printer.local/a.png",
    "https://relay/a.png",
]
NO_URL = [
    "",
    "x",
    "https://",
    "https://[::1",
    "https://x.example:port/",
    "https://x.exam\nple/a",
    "data:image/png,A",
    7,
]


@pytest.mark.parametrize("url", ["https://x.example/a.png", "https://8.8.8.8:8443/a?s=1", "https://[2606:4700::1]/"])
def test_public_https_is_public(url: str) -> None:
    assert is_public_https(url)
    assert not is_local(url)


@pytest.mark.parametrize("url", LOCAL)
def test_an_address_of_this_machine_or_network_is_not(url: str) -> None:
    assert not is_public_https(url)
    assert is_local(url)


@pytest.mark.parametrize("url", NO_URL)
def test_what_is_no_url_is_neither_and_breaks_nothing(url: Any) -> None:
    assert not is_public_https(url)
    assert not is_local(url)
    with pytest.raises(Refusal, match="must be a public HTTPS URL"):
        rules.check_music_video({**GOOD, "audio_url": url}, OWN, current=False)


def test_plain_http_is_local_or_nothing() -> None:
    assert is_local("http://127.0.0.1:8787/webhooks/beatapi")
    assert is_local("http://relay:8787/webhooks/beatapi")
    assert not is_local("http://hooks.example.com/x")
    assert not is_public_https("http://hooks.example.com/x")


@pytest.mark.parametrize(("allow_local", "url"), [(True, "http://hooks.example.com/x"), (False, "https://10.0.0.1/x")])
def test_a_webhook_goes_to_public_https_or_where_allowed_to_this_network(allow_local: bool, url: str) -> None:
    rules.check_webhook_url("https://hooks.example.com/x", allow_local=allow_local)
    with pytest.raises(Refusal, match="must be a public HTTPS URL"):
        rules.check_webhook_url(url, allow_local=allow_local)


@pytest.mark.parametrize(
    ("kind", "url", "fits"),
    [
        ("image", "https://x.example/a.PNG?sig=1", True),
        ("image", "https://x.example/signed/7f3a", True),
        ("image", "https://x.example/v1.2/cover", True),
        ("image", "https://x.example/a.gif", False),
        ("image", "https://x.example/a.mp3", False),
        ("audio", "https://x.example/a.m4a#t=3", True),
        ("audio", "https://x.example/a.flac", False),
    ],
)
def test_a_name_that_says_something_else_does_not_fit(kind: str, url: str, fits: bool) -> None:
    assert is_of(kind, url) is fits


@pytest.mark.parametrize(
    ("field", "mime"),
    [("audio_url", "image/png"), ("images[0]", "audio/wav"), ("lip_ref_url", "audio/wav"), ("srt_url", "image/png")],
)
def test_an_upload_is_used_as_what_it_is(field: str, mime: str) -> None:
    upload = f"{OWN}/inputs/file_1.srt"
    change: dict[str, Any] = {"images": [upload]} if field == "images[0]" else {field: upload}
    with pytest.raises(Refusal) as caught:
        rules.check_music_video({**GOOD, **change}, OWN, current=False, uploads={upload: mime})
    assert [problem["field"] for problem in caught.value.body.details] == [field]


def test_a_wrong_value_is_shown_but_not_at_full_length() -> None:
    with pytest.raises(Refusal) as caught:
        rules.check_music_video({**GOOD, "prompt": "x" * 3001, "language": "de"}, OWN, current=False)
    details = caught.value.body.details
    assert [set(problem) for problem in details] == [{"field", "value", "rule"}] * 2
    assert len(details[0]["value"]) < 200
    assert str(caught.value) == "prompt must be text of at most 3000 characters; language must be one of en, zh."
