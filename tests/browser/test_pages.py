"""Every page: usable by everybody, without an error, in light, dark and on a phone; live; and by the keyboard."""

import html
import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from relay.recipe import RecipeSet
from tests.browser_pages import XSS, Start, invitation
from tests.integration.conftest import Line, wait_for

from .conftest import Visit, Visits

Admin = Callable[[Line], Visit]
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}, "has_touch": True},
}
SCRIPT = '<img src=x onerror="owned=1"><script>owned=1</script>'


def paths_of(visit: Visit) -> list[str]:
    """One path of each kind of page that can be reached by links; ids and queries do not make a new kind."""
    seen: dict[str, str] = {}
    left = ["/"]
    while left:
        path = left.pop(0)
        kind = re.sub(r"\w+_[0-9a-z]{10,}", "ID", path.partition("?")[0])
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
    """Something on every page, all of it hostile; gives a task's id."""
    line.receiver.answers = [400]
    task = line.create(row={"title": SCRIPT, SCRIPT: XSS}, **{"x-beatrelay-batch": "a <b>batch</b>"})
    line.until(task, "delivery.dead")
    return task


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_fit_for_everybody(look: str, start: Start, visits: Visits) -> None:
    line = start()
    lively(line)
    line.relay.shelf.recipes = RecipeSet()  # so that the checklist is there too
    visit = visits(line.url, **LOOKS[look])
    visit.come_in(invitation(line), SCRIPT[:60])
    paths = [*paths_of(visit), "/setup"]
    assert {urlsplit(path).path for path in paths} >= {"/", "/tasks", "/deliveries", "/people"}
    for path in paths:
        page = visit.see(path)
        visit.judge()
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is {wide} px wider than the screen"
        assert page.evaluate("typeof owned") == "undefined", path
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
    page.wait_for_function("document.querySelector('video').readyState > 0")  # it can be watched


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
