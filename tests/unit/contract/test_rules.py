"""Validation before money: each rule of the contract, its field, its value, and all violations at once."""

from typing import Any

import pytest

from relay.contract import rules
from relay.flow.inputs import Inputs

URL = "https://media.example.com/a.png"
GOOD: dict[str, Any] = {"images": [URL], "audio_url": "https://media.example.com/a.mp3"}


def fields(found: list[rules.Violation]) -> list[str]:
    return [violation.field for violation in found]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"images": [URL] * 7},
        {"prompt": "x" * 3000, "style": "y" * 200},
        {"quality": "high", "resolution": "1080p", "lip_sync": True},
        {"duration": 10},
        {"duration": 180},
        {"subtitle_color": "#a0B1c2", "srt_url": "https://x.example/a.srt?x=1"},
        {"compose_mode": "manual", "aspect_ratio": "3:4", "language": "zh"},
        {"unknown_field": {"a": 1}},
        {"style": None},
        {"images": ["https://xn--bcher-kva.example/a.png", "https://1.1.1.1/a.png", "https://[2606:4700::1]/a.png"]},
    ],
)
def test_what_the_contract_allows_passes(change: dict[str, Any]) -> None:
    assert rules.music_video({**GOOD, **change}) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"images": None}, "images"),
        ({"images": []}, "images"),
        ({"images": URL}, "images"),
        ({"images": [URL] * 8}, "images"),
        ({"images": [URL, 7]}, "images[1]"),
        ({"audio_url": None}, "audio_url"),
        ({"audio_url": "http://x.example/a.mp3"}, "audio_url"),
        ({"prompt": "x" * 3001}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"style": "x" * 201}, "style"),
        ({"language": "EN"}, "language"),
        ({"quality": "best"}, "quality"),
        ({"resolution": "4k"}, "resolution"),
        ({"aspect_ratio": "2:1"}, "aspect_ratio"),
        ({"compose_mode": "both"}, "compose_mode"),
        ({"lip_sync": "true"}, "lip_sync"),
        ({"add_subtitle": 1}, "add_subtitle"),
        ({"subtitle_color": "#ff"}, "subtitle_color"),
        ({"srt_url": "https://x.example/a.txt"}, "srt_url"),
        ({"lip_ref_url": "https://localhost/a.png"}, "lip_ref_url"),
        ({"duration": 9}, "duration"),
        ({"duration": 181}, "duration"),
        ({"duration": 15.0}, "duration"),
        ({"duration": True}, "duration"),
        ({"resolution": "540p", "quality": "high"}, "quality"),
        ({"resolution": "540p", "lip_sync": True}, "lip_sync"),
    ],
)
def test_each_violation_names_its_field_value_and_rule(change: dict[str, Any], field: str) -> None:
    (violation,) = rules.music_video({**GOOD, **change})
    assert violation.field == field
    assert violation.rule
    assert "[" in field or violation.value == change.get(field)


@pytest.mark.parametrize(
    "url",
    [
        "http://media.example.com/a.png",
        "ftp://media.example.com/a.png",
        "data:image/png;base64,AAAA",
        "https://localhost/a.png",
        "https://LOCALHOST./a.png",
        "https://intranet/a.png",
        "https://printer.local/a.png",
        "https://metadata.google.internal/a.png",
        "https://127.0.0.1/a.png",
        "https://0x7f.1/a.png",
        "https://2130706433/a.png",
        "https://0177.0.0.1/a.png",
        "https://10.1.2.3/a.png",
        "https://192.168.0.1/a.png",
        "https://169.254.169.254/latest",
        "https://[::1]/a.png",
        "https://[fd00::1]/a.png",
        "https://[::ffff:10.0.0.1]/a.png",
        "https://user:pw@media.example.com/a.png",
        "https:///a.png",
        "https://[x/a.png",
        "",
    ],
)
def test_only_public_https_links_pass(url: str) -> None:
    assert fields(rules.music_video({**GOOD, "images": [url]})) == ["images[0]"]


def test_all_violations_are_told_at_once() -> None:
    found = rules.ecommerce_video({"images": ["x", URL, "y"], "duration": 61, "aspect_ratio": "4:3", "language": "fr"})
    assert fields(found) == ["images[0]", "images[2]", "duration", "aspect_ratio", "language"]
    assert fields(rules.ecommerce_video({})) == ["images", "duration"]


def test_operations_have_rules_too() -> None:
    assert rules.shot_edit({"prompt": "Rain", "duration": 5}) == []
    assert fields(rules.shot_edit({"prompt": "  "})) == ["prompt"]
    assert fields(rules.shot_edit({"duration": 0})) == ["prompt", "duration"]
    assert rules.compose({"shot_ids": ["shot_1", "shot_1"]}) == []
    assert fields(rules.compose({"shot_ids": []})) == ["shot_ids"]


def test_of_other_tiers_only_the_links_are_checked() -> None:
    premium = {"mv_tier": "premium", "mv_mode": "sing", "audio_url": "http://x.example/a.mp3", "duration": 300}
    assert fields(rules.music_video(premium)) == ["audio_url"]


class TestWhereLinksLead:
    @staticmethod
    def inputs(**hosts: list[str]) -> Inputs:
        known = {name.replace("_", "."): addresses for name, addresses in hosts.items()}

        async def resolver(host: str, port: int) -> list[str]:
            if host not in known:
                raise OSError("not known")
            return known[host]

        return Inputs("http://127.0.0.1:8788", resolver)

    @pytest.mark.anyio
    async def test_a_public_name_with_a_private_address_is_refused(self) -> None:
        inputs = self.inputs(media_example_com=["93.184.216.34", "10.0.0.1"])
        found = await inputs.check(b'{"images": ["%s"], "duration": 15}' % URL.encode(), rules.ecommerce_video)
        assert [(one.field, "its host does" in one.rule) for one in found.violations] == [("images[0]", True)]

    @pytest.mark.anyio
    async def test_a_name_that_is_not_found_is_only_a_warning(self) -> None:
        found = await self.inputs().check(b'{"images": ["%s"], "duration": 15}' % URL.encode(), rules.ecommerce_video)
        assert found.violations == []
        assert found.warnings == [f"images[0]: the host of {URL} cannot be found from here"]

    @pytest.mark.anyio
    async def test_what_was_uploaded_to_the_provider_may_be_used(self) -> None:
        body = b'{"images": ["http://127.0.0.1:8788/inputs/a.png"], "duration": 15}'
        found = await self.inputs().check(body, rules.ecommerce_video)
        assert (found.violations, found.warnings) == ([], [])

    @pytest.mark.anyio
    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"images": "\xff"}', b"null"])
    async def test_what_is_no_json_object_is_refused(self, body: bytes) -> None:
        found = await self.inputs().check(body, rules.music_video)
        assert fields(found.violations) == ["body"]
