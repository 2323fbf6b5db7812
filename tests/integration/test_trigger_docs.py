"""The bodies that the docs give to no-code tools, sent as those tools send them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.conftest import Line

PAGE = Path("docs/how-to/trigger-from-zapier-make-n8n.md").read_text()
ITEM = {
    "id": 7,
    "audio": "https://media.example.com/neon.mp3",
    "covers": [{"url": "https://media.example.com/1.png"}, {"url": "https://media.example.com/2.png"}],
    "prompt": 'She said: "Neon"\nand left',
    "format": "square",
    "artist": "Ada",
}
"""What runs through somebody's n8n."""


def section(title: str, language: str) -> str:
    """The one code block of a language below a heading."""
    (text,) = re.findall(rf"^## {title}\n(.*?)(?=^## )", PAGE, re.DOTALL | re.MULTILINE)
    (block,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return block.strip()


def post(line: Line, content: bytes, kind: str) -> dict[str, Any]:
    answer = line.client.post("/relay/v1/triggers/songs", content=content, headers={"content-type": kind})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_what_zapier_sends(start: Callable[..., Line]) -> None:
    body = section("Zapier", "json")
    assert all(isinstance(value, str) for value in json.loads(body).values()), "Zapier sends texts"
    told = post(start(), body.encode(), "application/json; charset=utf-8")
    assert told["request"] == {
        "audio_url": "https://media.example.com/rooftop-season.mp3",
        "images": ["https://media.example.com/cover.png"],
        "prompt": "A singer on a rain-wet rooftop",
        "aspect_ratio": "9:16",
        "duration": 15,
        "lip_sync": False,
    }
    assert told["row"] == {"id": "recAb12Cd34Ef56Gh", "artist": "Mia", "release_date": "2026-12-01"}


def test_what_make_sends(start: Callable[..., Line]) -> None:
    told = post(start(), section("Make", "text").encode(), "application/x-www-form-urlencoded")
    assert told["request"] == {
        "audio_url": "https://media.example.com/neon.mp3",
        "images": ["https://media.example.com/neon.png"],
        "prompt": '"Neon" by night',
        "aspect_ratio": "1:1",
    }
    assert told["row"] == {"id": "1042", "artist": "Ada"}


def test_what_n8n_sends(start: Callable[..., Line]) -> None:
    (node,) = json.loads(section("n8n", "json"))["nodes"]
    sent = node["parameters"]
    assert (sent["method"], sent["contentType"], sent["sendBody"]) == ("POST", "json", True)
    pairs = {
        one["name"]: re.fullmatch(r"=\{\{ \$json\.(\w+) \}\}", one["value"])
        for one in sent["bodyParameters"]["parameters"]
    }
    body = {name: ITEM[found[1]] for name, found in pairs.items() if found}
    assert len(body) == len(pairs), "an expression that n8n would not fill in from the item"
    line = start()
    told = post(line, json.dumps(body).encode(), "application/json")
    assert told["request"] == {
        "audio_url": ITEM["audio"],
        "images": ["https://media.example.com/1.png", "https://media.example.com/2.png"],
        "prompt": ITEM["prompt"],
        "aspect_ratio": "1:1",
    }
    whole = {**ITEM, "Audio": ITEM["audio"], "cover image": ITEM["covers"]}
    again = line.client.post("/relay/v1/triggers/songs", json={name: whole[name] for name in whole if name != "covers"})
    assert (again.status_code, again.json()["task_id"]) == (200, told["task_id"]), "the whole item is the same row"


def test_the_page_tells_every_field_of_the_answer(start: Callable[..., Line]) -> None:
    told = post(start(), section("Zapier", "json").encode(), "application/json")
    (table,) = re.findall(r"^## What comes back\n(.*?)^## ", PAGE, re.DOTALL | re.MULTILINE)
    named = set(
        re.findall(r"`(\w+)`", "\n".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `")))
    )
    assert named <= told.keys()
