"""A storyboard decided on by people: at the dashboard, and over a link without signing in."""

import re
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from relay.flow.approvals import DAYS, Approval
from tests.browser_pages import XSS, Browser, signed_in
from tests.integration.conftest import REQUEST, Line, wait_for
from tests.integration.test_dashboard import Later

Start = Callable[..., Line]
Open = Callable[[Line], Browser]
RECIPE = """\
name: Ask
on: [task.requires_action, task.succeeded]
steps:
  tell: { use: http, connection: hook, with: { body: { what: "{{ event.type }}", link: "{{ task.approval_url }}" } } }
"""


@pytest.fixture
def board(start: Start) -> Callable[..., tuple[Line, str, list[str]]]:
    """A line, and a task whose storyboard waits; with the ids of its shots."""

    def waiting(**options: Any) -> tuple[Line, str, list[str]]:
        line = start(RECIPE, **options)
        answer = line.client.post("/v1/music-video/tasks", json={**REQUEST, "compose_mode": "manual"})
        task = answer.json()["data"]["id"]
        wait_for(lambda: line.task(task)["status"] == "storyboard_ready", "the storyboard")
        return line, task, [shot["id"] for shot in line.task(task)["storyboard"]["shots"]]

    return waiting


Board = Callable[..., tuple[Line, str, list[str]]]


def charges(line: Line) -> list[str]:
    return [charge["operation"] for charge in line.ledger()["charges"]]


def nonce_of(page: str) -> str:
    found = re.search(r'class="compose".*?name="nonce" value="([\w-]+)"', page, re.DOTALL)
    assert found, page
    return found.group(1)


def taken(page: str) -> list[str]:
    return re.findall(r'name="shot" value="(\w+)"', page)


def told_link(line: Line) -> str:
    """The link that the recipe sent."""
    body = wait_for(lambda: line.receiver.received, "the recipe to tell")[-1][1]
    found = re.search(rb"(/approve/apv_[\w-]+)", body)
    assert found, body
    return found.group(1).decode()


def test_the_storyboard_shows_shots_with_their_prices_and_their_files(board: Board, browsers: Open) -> None:
    line, task, shots = board()
    browser = signed_in(line, browsers(line))
    assert f'href="/tasks/{task}/storyboard"' in browser.see("/"), "home says that it waits"
    assert f'href="/tasks/{task}/storyboard"' in browser.see(f"/tasks/{task}")
    page = browser.see(f"/tasks/{task}/storyboard")
    assert taken(page) == shots
    assert "Make it anew for 25 credits" in page
    assert "Compose for 1 credit<" in page
    file = browser.get(f"/tasks/{task}/storyboard/{shots[0]}/file", headers={"range": "bytes=0-11"})
    assert (file.status_code, file.headers["content-type"], file.content[4:8]) == (206, "video/mp4", b"ftyp")
    whole = browser.get(f"/tasks/{task}/storyboard/{shots[0]}/file")
    assert whole.headers["content-length"] == str(len(whole.content))
    assert "Not now" in browser.see(f"/tasks/{task}/storyboard/shot_unknown/file", 503)
    assert "There is no task" in browser.see("/tasks/task_unknown/storyboard", 404)
    assert charges(line) == ["create"], "looking costs nothing"


def test_shots_are_moved_left_out_and_composed_once(board: Board, browsers: Open) -> None:
    line, task, shots = board()
    browser = signed_in(line, browsers(line))
    path = f"/tasks/{task}/storyboard"
    page = browser.see(path)
    down = re.search(rf'id="down-{shots[0]}" href="([^"]+)"', page)
    assert down
    page = browser.see(down.group(1))
    assert taken(page) == [shots[1], shots[0], *shots[2:]], "one step, without script"
    drop = re.search(rf'id="drop-{shots[0]}" href="([^"]+)"', page)
    assert drop
    page = browser.see(drop.group(1))
    assert taken(page) == shots[1:]
    assert f'id="take-{shots[0]}"' in page
    assert taken(browser.see(f"{path}?order={shots[1]},nonsense,{shots[1]}")) == [shots[1]]
    assert taken(browser.see(f"{path}?order=")) == []

    wanted = {"nonce": nonce_of(page), "shot": shots[:0:-1]}
    line.faults(slow=0.3)
    answers = [browser.post(f"{path}/compose", data=wanted) for _ in range(3)]
    assert {answer.url.path for answer in answers} == {f"/tasks/{task}"}
    line.faults()
    line.until(task, "task.finished", 2)
    assert charges(line) == ["create", "compose"], "three clicks, one video"
    accepted = line.moments(task, "operation.accepted")
    assert [(one["by"], one["request"]["shot_ids"]) for one in accepted] == [("Ada", shots[:0:-1])]
    assert "compose accepted: Ada decided so" in browser.see(f"/tasks/{task}")


def test_a_shot_is_made_anew_as_long_as_it_was(board: Board, browsers: Open) -> None:
    line, task, shots = board()
    browser = signed_in(line, browsers(line))
    path = f"/tasks/{task}/storyboard/{shots[0]}/edit"
    assert "The prompt must" in browser.fill(path, nonce="0", prompt="x" * 3001)
    assert "There is no shot" in browser.fill(f"/tasks/{task}/storyboard/shot_x/edit", nonce="0", prompt="Rain")
    assert "is made anew" in browser.fill(path, nonce="1", prompt="Rain on glass")
    browser.fill(path, nonce="1", prompt="Rain on glass")
    line.until(task, "task.finished", 2)
    assert "Rain on glass" in wait_for(
        lambda: (page := browser.see(f"/tasks/{task}/storyboard")) and "Rain on glass" in page and page, "the new shot"
    )
    body = line.moments(task, "operation.accepted")[0]["request"]
    assert body == {"prompt": "Rain on glass", "duration": 5}
    assert charges(line) == ["create", "edit"]


def test_the_current_contract_takes_only_the_prompt(board: Board, browsers: Open) -> None:
    line, task, shots = board(sandbox={"contract": "current"})
    browser = signed_in(line, browsers(line))
    assert "Compose for 1.00 usd" in browser.see(f"/tasks/{task}/storyboard")
    browser.fill(f"/tasks/{task}/storyboard/{shots[0]}/edit", nonce="1", prompt="Rain")
    line.until(task, "task.finished", 2)
    assert line.moments(task, "operation.accepted")[0]["request"] == {"prompt": "Rain"}


def test_a_viewer_may_look_only(board: Board, browsers: Open) -> None:
    line, task, shots = board()
    browser = signed_in(line, browsers(line), "viewer", "Vi")
    page = browser.see(f"/tasks/{task}/storyboard")
    assert "Shot 1" in page
    assert "Compose for" not in page
    for what in ("compose", "link", f"{shots[0]}/edit"):
        assert browser.post(f"/tasks/{task}/storyboard/{what}", data={"nonce": "1"}).status_code == 403


def test_what_others_wrote_is_shown_and_never_run(board: Board, browsers: Open) -> None:
    line, task, shots = board()
    browser = signed_in(line, browsers(line), name="<i>Ada</i>")
    browser.fill(f"/tasks/{task}/storyboard/{shots[0]}/edit", nonce="1", prompt=XSS)
    line.until(task, "task.finished", 2)
    wait_for(lambda: line.task(task)["storyboard"]["shots"][0]["prompt"] == XSS, "the edit")
    link = told_link(line)
    for path in (f"/tasks/{task}/storyboard", f"/tasks/{task}", link, f"{link}?order=<script>alert(1)</script>"):
        page = browser.see(path)
        assert "<script>alert" not in page
        assert "<i>" not in page
    assert "{{7*7}}" in browser.see(link)
    assert "There is no shot" in browser.fill(f"{link}/compose", nonce="-", shot=[XSS])


def test_a_link_decides_once_without_signing_in(board: Board, browsers: Open) -> None:
    line, task, shots = board()
    link, phone = told_link(line), browsers(line)
    assert taken(phone.see(link)) == shots
    assert taken(phone.see(f"{link}?order={shots[1]},{shots[0]}")) == [shots[1], shots[0]]
    assert phone.get(f"{link}/{shots[0]}/file").content[4:8] == b"ftyp"
    assert phone.post(f"{link}/compose", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    line.faults(slow=0.3)
    first = phone.fill(f"{link}/compose", nonce="-", shot=[shots[1], shots[0]])
    assert "the video is being composed" in first
    again = phone.post(f"{link}/compose", data={"nonce": "-", "shot": shots})
    assert (again.status_code, "the video was composed since" in again.text) == (410, True)
    assert "one change" in phone.see(link, 410)
    line.faults()
    line.until(task, "task.finished", 2)
    assert phone.get(f"{link}/{shots[0]}/file").status_code == 410
    assert charges(line) == ["create", "compose"]
    assert line.moments(task, "operation.accepted")[0]["by"] == "somebody with a link"
    assert "apv_" not in line.client.get(f"/relay/v1/tasks/{task}").text.replace("apv_…", ""), "no viewer gets it"


def test_a_link_changes_one_shot_and_the_next_finish_brings_the_next(board: Board, browsers: Open) -> None:
    line, task, shots = board()
    first, phone = told_link(line), browsers(line)
    assert "made anew" in phone.fill(f"{first}/{shots[0]}/edit", nonce="-", prompt="Rain")
    line.until(task, "task.finished", 2)
    wait_for(lambda: len(line.receiver.received) == 2, "the second link")
    second = told_link(line)
    assert second != first
    assert "a shot was changed since" in phone.see(first, 410)
    assert "Rain" in phone.see(second)


def test_links_that_were_cut_changed_or_kept_too_long_open_nothing(board: Board, browsers: Open) -> None:
    line, task, _ = board()
    phone, approvals = browsers(line), line.relay.approvals
    good = told_link(line)
    for wrong in (good[:-2], f"{good}A", good.replace("apv_", "apv_A"), "/approve/apv_", "/approve/x", "/approve/é"):
        assert "not one of ours" in phone.see(wrong, 410)
    forged = Approval(task, 1, 1 << 40)
    key, approvals._key = approvals._key, b"somebody else's"  # pyright: ignore[reportPrivateUsage]
    token = approvals.token(forged)
    approvals._key = key  # pyright: ignore[reportPrivateUsage]
    assert "not one of ours" in phone.see(f"/approve/{token}", 410)
    assert "expired" in phone.see(f"/approve/{approvals.token(Approval('task_x', 1, 1 << 40))}", 410)
    real = approvals._clock  # pyright: ignore[reportPrivateUsage]
    approvals._clock = Later(real, DAYS * 86400 + 1.0)  # pyright: ignore[reportPrivateUsage]
    assert "expired" in phone.see(good, 410)


def test_an_operator_sends_it_for_approval(board: Board, browsers: Open) -> None:
    line, task, shots = board()
    browser = signed_in(line, browsers(line), "operator", "Op")
    page = browser.fill(f"/tasks/{task}/storyboard/link")
    found = re.search(r'<code id="link">(http[^<]+)</code>', page)
    assert found
    assert taken(browsers(line).see(found.group(1))) == shots
    browser.fill(f"/tasks/{task}/storyboard/compose", nonce="1", shot=shots)
    line.until(task, "task.finished", 2)
    assert "so there is no link to send" in browser.fill(f"/tasks/{task}/storyboard/link")
    assert "composed since" in browsers(line).see(found.group(1), 410), "whoever decided, the link is over"


def test_the_key_that_signs_lasts(board: Board, browsers: Open) -> None:
    line, _, shots = board()
    link = told_link(line)
    line.relay.approvals._key = b""  # pyright: ignore[reportPrivateUsage]
    assert "not one of ours" in browsers(line).see(link, 410)
    anyio.run(line.relay.approvals.start)
    assert taken(browsers(line).see(link)) == shots
