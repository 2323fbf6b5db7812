"""The first day: from an empty folder to a delivered video without a terminal, but for starting it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import Page

from relay.sandbox.app import create_app as create_sandbox
from relay.sandbox.settings import SandboxSettings
from tests.integration.conftest import KEY, wait_for
from tests.servers import free_port, running

from .conftest import Visits
from .test_stories import drop

SHEET = """\
Song URL,Cover,Prompt,Format,Title
https://media.example.com/one.mp3,https://media.example.com/one.png,Neon rooftop,1:1,Night Drive
"""


@contextmanager
def serving(folder: Path, port: int, sandbox_url: str) -> Iterator[str]:
    """``beatrelay serve`` as a stranger starts it: without a key. Gives what it printed."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("BEATAPI_", "BEATRELAY_"))}
    environ |= {
        "BEATAPI_BASE_URL": sandbox_url,
        "BEATRELAY_PORT": str(port),
        "BEATRELAY_VOLATILE_JOURNAL": "yes",  # a machine's folder for tests may lie in memory
        "BEATRELAY_POLL_MIN_SECONDS": "0.2",
        "BEATRELAY_POLL_MAX_SECONDS": "0.4",
        "BEATRELAY_RECIPES": str(folder / "recipes"),
    }
    command = [sys.executable, "-m", "relay.cli", "serve"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder, env=environ)
    assert process.stdout is not None
    printed = ""
    try:
        while "journal " not in printed:
            line = process.stdout.readline()
            assert line, f"it ended: {printed}"
            printed += line
        yield printed
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        process.stdout.close()


def step(page: Page, title: str) -> None:
    """Follow a step of the checklist."""
    page.get_by_role("link", name="beatrelay", exact=True).click()
    page.locator("li.todo", has_text=title).get_by_role("link").click()


def test_from_an_empty_folder_to_a_delivered_video(tmp_path: Path, visits: Visits) -> None:
    port, sandbox_port = free_port(), free_port()
    sandbox_url = f"http://127.0.0.1:{sandbox_port}"
    videos = tmp_path / "videos"
    with ExitStack() as stack:
        sandbox = SandboxSettings(url=sandbox_url, speed=60.0, poll_limit=100_000)
        stack.enter_context(running(create_sandbox(sandbox), port=sandbox_port))
        with serving(tmp_path, port, sandbox_url) as printed:
            assert "without a key" in printed
            link = re.search(r"dashboard (http\S+/sign-in/\S+)", printed)
            assert link
            visit = visits(f"http://127.0.0.1:{port}")
            visit.expected = [
                "ERR_CONNECTION_REFUSED",
                "ERR_INCOMPLETE_CHUNKED_ENCODING",
                "htmx:",
            ]  # while it starts anew
            page = visit.come_in(link.group(1))
            visit.judge()
            visit.shoot("checklist")

            step(page, "Beat API key")
            page.get_by_label("Key", exact=True).fill("pk_of_another_shop")
            page.get_by_role("button", name="Try it and keep it").click()
            page.get_by_text("Beat API did not take it").wait_for()
            page.get_by_label("Key", exact=True).fill(KEY)
            page.get_by_role("button", name="Try it and keep it").click()
            page.get_by_text("The key works").wait_for()

            step(page, "when a video is ready")
            page.get_by_role("button", name="Register it at Beat API").click()
            page.get_by_text("The test delivery went out to the public address and came back in").wait_for()
            visit.judge()

            step(page, "Connect a destination")
            page.get_by_role("link", name="Folder A folder").click()
            page.get_by_label("Name").fill("videos")
            page.get_by_label("Folder").first.fill(str(videos))
            page.get_by_role("button", name="Store and test").click()
            page.locator(".said.good").wait_for()

            step(page, "Choose a recipe")
            page.locator("#save-to-folder").get_by_role("button").click()
            page.get_by_text("It is here, and in use.").wait_for()

            step(page, "Make your first video")
            drop(page, "songs.csv", SHEET)
            page.get_by_role("button", name="Start 1 for").click()
            page.get_by_role("heading", name="1 of 1 done").wait_for()
            wait_for(lambda: list(videos.rglob("*.mp4")), "the video in its folder")
            page.get_by_role("link", name="beatrelay", exact=True).click()
            page.get_by_role("link", name="Night Drive").wait_for()
            assert page.locator(".setup").count() == 0, "the checklist is done, and gone"
            page.set_viewport_size({"width": 390, "height": 844})
            visit.shoot("home-on-a-phone")
            page.set_viewport_size({"width": 1280, "height": 800})
            page.get_by_role("link", name="Night Drive").click()
            page.emulate_media(color_scheme="dark")
            wait_for(lambda: page.locator("video").evaluate("(video) => video.readyState > 0"), "the video")
            visit.shoot("task-dark")
        with serving(tmp_path, port, sandbox_url) as printed:
            assert "without a key" not in printed, "it was kept, sealed"
            visit.see("/")
            page.get_by_role("link", name="Night Drive").wait_for()
