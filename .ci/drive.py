#!/usr/bin/env python3
"""A client of the relay with nothing but the standard library, for .ci/container.

drive.py URL KEY [TASK]      waits until the relay is ready, asks for a video unless TASK is given,
                             waits until it succeeded, and prints the task's id
"""

import http.client
import json
import sys
import time
import urllib.error
import urllib.request
from typing import Any

PATIENCE = 60.0
"""Seconds after which waiting is a failure."""

REQUEST = {
    "audio_url": "https://example.com/song.mp3",
    "images": ["https://example.com/cover.png"],
    "prompt": "A lighthouse in a container",
    "duration": 15,
}


def main(url: str, key: str, task: str = "") -> None:
    deadline = time.monotonic() + PATIENCE
    while problem := trouble(url + "/health") or trouble(url + "/ready"):
        wait(deadline, f"{url} to be healthy and ready; {problem}")
    task = task or ask(f"{url}/v1/music-video/tasks", key, REQUEST)["id"]
    while (seen := ask(f"{url}/v1/tasks/{task}", key))["status"] != "succeeded":
        wait(deadline, f"{task} to succeed; it is {seen['status']}")
    sys.stdout.write(f"{task}\n")


def trouble(url: str) -> str:
    """Why it does not answer with a 2xx; empty if it does."""
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - the URL that .ci/container chose
            return ""
    except urllib.error.HTTPError as error:
        return f"{url} answered {error.code}: {error.read(1000)!r}"
    except (OSError, http.client.HTTPException) as error:
        return f"{url}: {error}"


def ask(url: str, key: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    content = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, content, headers)  # noqa: S310 - the URL that .ci/container chose
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the same
        return json.load(answer)["data"]


def wait(deadline: float, until: str) -> None:
    if time.monotonic() > deadline:
        sys.exit(f"waited {PATIENCE:g} s for {until}")
    time.sleep(0.2)


if __name__ == "__main__":
    main(*sys.argv[1:])
