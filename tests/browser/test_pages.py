"""Every page: usable by everybody, without an error, in light, dark and on a phone; live; and by the keyboard."""

import hashlib
import hmac
import html
import json
import re
import time
from collections.abc import Callable
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import expect

from relay.recipe import RecipeSet
from relay.sandbox.life import WHY_FAILED
from tests.browser_pages import XSS, Start, invitation
from tests.integration.conftest import REQUEST, SECRET, Line, wait_for

from .conftest import Visit, Visits

Admin = Callable[[Line], Visit]
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}, "has_touch": True},
}
SCRIPT = '<img src=x onerror="owned=1"><script>owned=1</script>'


def paths_of(visit: Visit) -> list[str]:
    """One path of each kind of page that can be reached by links; ids, names and queries do not make a new kind."""
    seen: dict[str, str] = {}
    left = ["/"]
    while left:
        path = left.pop(0)
        kind = re.sub(r"\w+_[0-9a-z]{10,}", "ID", path.partition("?")[0])
        kind = re.sub(r"^(/new-connection|/connections)/[^/]+", r"\1/NAME", kind)
        if kind in seen or kind.startswith(("/docs", "/openapi")):
            continue
        seen[kind] = path
        answer = visit.context.request.get(visit.url + path)
        if "text/html" in answer.headers.get("content-type", ""):
            links = (html.unescape(link) for link in re.findall(r'href="(/[^"#]*)', answer.text()))
            left += [link for link in links if not link.startswith("/assets")]
        else:
            del seen[kind]
    return list(seen.values())


def lively(line: Line) -> str:
    """A dead letter; gives its task's id. Whatever people may type is hostile."""
    line.receiver.answers = [400]
    task = line.create(row={"title": SCRIPT, SCRIPT: XSS}, **{"x-beatrelay-batch": "a <b>batch</b>"})
    line.until(task, "delivery.dead")
    return task


def hostile(line: Line, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Everything else that somebody out there decides: errors, webhooks, files, names. Gives paths that tell of it."""
    for code in WHY_FAILED:
        monkeypatch.setitem(WHY_FAILED, code, SCRIPT)
    line.faults(fail_rate=1.0)
    failed = line.create(row={"title": "It failed"})
    wait_for(lambda: line.task(failed)["status"] == "failed", "the failure")
    line.faults()
    board = line.client.post("/v1/music-video/tasks", json={**REQUEST, "prompt": SCRIPT, "compose_mode": "manual"})
    waiting = board.json()["data"]["id"]
    wait_for(lambda: line.task(waiting)["status"] == "storyboard_ready", "the storyboard")
    stamp = str(int(time.time()))
    event = {"id": SCRIPT, "event": SCRIPT, "data": {"id": line.story(failed)["provider_id"], "status": SCRIPT}}
    body = json.dumps(event).encode()
    signature = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"x-beatapi-event": SCRIPT, "x-beatapi-timestamp": stamp, "x-beatapi-signature": signature}
    assert line.client.post("/webhooks/beatapi", content=body, headers=headers).status_code == 200
    sheet = f"Song URL,{SCRIPT},Title\n{SCRIPT},{SCRIPT},{SCRIPT}\n"
    batch = line.client.post("/relay/v1/batches", params={"name": f"{SCRIPT}.csv"}, content=sheet)
    assert batch.status_code == 201, batch.text
    key = line.client.post("/relay/v1/keys", json={"name": SCRIPT, "scopes": ["read"]})
    assert key.status_code == 201, key.text
    endpoint = {"url": f"https://hooks.example.com/?q={quote(SCRIPT)}", "description": SCRIPT}
    assert line.client.post("/v1/webhooks", json=endpoint).status_code == 201
    return [
        "/setup",
        f"/tasks/{failed}",
        f"/tasks/{waiting}/storyboard",
        f"/batches/{batch.json()['data']['id']}",
        f"/deliveries?show=all&error={quote(SCRIPT)}",
        f"/tasks/find?q={quote(SCRIPT)}",
    ]


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_fit_for_everybody(
    look: str, start: Start, visits: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = start()
    lively(line)
    told = hostile(line, monkeypatch)
    line.relay.shelf.recipes = RecipeSet()  # so that the checklist is there too
    visit = visits(line.url, **LOOKS[look])
    visit.come_in(invitation(line), SCRIPT[:60])
    paths = list(dict.fromkeys([*paths_of(visit), *told]))
    assert {urlsplit(path).path for path in paths} >= {"/", "/tasks", "/deliveries", "/people"}
    for path in paths:
        page = visit.see(path)
        visit.judge()
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is {wide} px wider than the screen"
        assert page.evaluate("typeof owned") == "undefined", path
        assert page.locator("main img[src=x], main script").count() == 0, f"{path} took text for a tag"
        name = re.sub(r"\w+_[0-9a-z]{10,}", "one", urlsplit(path).path).strip("/").replace("/", "-") or "home"
        visit.shoot(f"{name}-{look}")


def test_a_page_stays_true_by_itself(start: Start, admin: Admin) -> None:
    line = start()
    visit = admin(line)
    page = visit.see("/tasks")
    task = line.create(row={"title": "Night Drive"})
    page.get_by_role("link", name="Night Drive").wait_for()
    line.delivered(task)
    expect(page.locator("tbody .state", has_text="succeeded")).to_be_visible()
    page.get_by_role("link", name="Night Drive").click()
    page.get_by_role("heading", name="Night Drive").wait_for()
    wait_for(
        lambda: page.locator("video").evaluate("(video) => video.readyState > 0"), "the video"
    )  # it can be watched


def test_the_keyboard_is_enough(start: Start, admin: Admin) -> None:
    line = start()
    for title in ("One", "Two"):
        line.delivered(line.create(row={"title": title}))
    visit = admin(line)
    page = visit.see("/")
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.get_by_role("heading", name="Tasks").wait_for()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="One").wait_for()
    page.keyboard.press("?")
    page.get_by_role("heading", name="Keyboard").wait_for()
    visit.judge()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("task_nobody")
    page.keyboard.press("Enter")
    page.get_by_text("Nothing here has the id 'task_nobody'").wait_for()
    visit.judge()


def test_a_dead_letter_is_sent_again(start: Start, admin: Admin) -> None:
    line = start()
    task = lively(line)
    visit = admin(line)
    page = visit.see("/deliveries")
    page.locator('tbody input[type="checkbox"]').first.check()
    page.get_by_role("button", name="Count the ticked ones").click()
    page.get_by_text("Nothing was sent yet").wait_for()
    visit.judge()
    assert len(line.receiver.received) == 1
    page.get_by_role("button", name=re.compile("^send", re.IGNORECASE)).click()
    line.until(task, "delivery.replayed")
    wait_for(lambda: len(line.receiver.received) == 2, "the repeat")


def test_reading_needs_no_script(start: Start, visits: Visits) -> None:
    line = start()
    lively(line)
    visit = visits(line.url, java_script_enabled=False)
    visit.come_in(invitation(line))
    for path in paths_of(visit):
        page = visit.see(path)
        assert page.locator("h1").inner_text()
        assert page.locator("nav a").first.is_visible(), path
