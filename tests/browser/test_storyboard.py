"""A storyboard at the dashboard and, by a link, on a phone."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser_pages import Start
from tests.integration.conftest import REQUEST, Line, wait_for

from .conftest import Visit, Visits

Admin = Callable[[Line], Visit]
NEWS = "new Promise((heard) => document.body.addEventListener('news', () => heard(true), { once: true }))"


def waiting(line: Line) -> tuple[str, list[str]]:
    """A task whose storyboard waits, and its shots."""
    answer = line.client.post("/v1/music-video/tasks", json={**REQUEST, "compose_mode": "manual"})
    task = answer.json()["data"]["id"]
    wait_for(lambda: line.task(task)["status"] == "storyboard_ready", "the storyboard")
    return task, [shot["id"] for shot in line.task(task)["storyboard"]["shots"]]


def test_what_was_typed_outlives_news_and_moves(start: Start, admin: Admin) -> None:
    line = start()
    task, shots = waiting(line)
    visit = admin(line)
    page = visit.see(f"/tasks/{task}/storyboard")
    page.locator(f"#change-{shots[0]} summary").click()
    field = page.get_by_label("What shot 1 shows")
    field.fill("Rain on glass")
    field.blur()
    heard = page.evaluate_handle(f"() => ({{ news: {NEWS} }})")
    line.create()
    assert page.evaluate("(heard) => heard.news", heard)
    expect(field).to_have_value("Rain on glass")
    page.get_by_role("link", name="Shot 1 later").click()
    expect(page.locator("input[name=shot]").first).to_have_value(shots[1])
    expect(page.locator(f"#down-{shots[0]}")).to_be_focused()
    expect(field).to_have_value("Rain on glass")
    page.get_by_role("button", name="Make it anew for 25 credits").first.click()
    wait_for(lambda: line.task(task)["storyboard"]["shots"][0].get("prompt") == "Rain on glass", "the edit")
    assert visit.asked == ["Make shot 1 anew for 25 credits?"]


def test_a_link_decides_on_a_phone(start: Start, admin: Admin, visits: Visits) -> None:
    line = start()
    task, shots = waiting(line)
    page = admin(line).see(f"/tasks/{task}/storyboard")
    page.get_by_role("button", name="Send for approval").click()
    link = page.locator("#link").inner_text()

    phone = visits(line.url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    seen = phone.see(link.removeprefix(line.url))
    phone.judge()
    phone.shoot("approve-phone")
    assert seen.evaluate("document.documentElement.scrollWidth <= innerWidth")
    seen.get_by_role("link", name="Shot 1 later").tap()
    expect(seen.locator("input[name=shot]").first).to_have_value(shots[1])
    seen.get_by_role("button", name="Compose for 1 credit").tap()
    seen.get_by_role("heading", name="Done").wait_for()
    phone.judge()
    wait_for(lambda: line.task(task)["status"] == "succeeded", "the video")
    phone.expected = ["410 (Gone)"]
    phone.see(link.removeprefix(line.url)).get_by_text("This link was for one change").wait_for()


def test_without_script_everything_works(start: Start, admin: Admin, visits: Visits) -> None:
    line = start()
    task, shots = waiting(line)
    page = admin(line).see(f"/tasks/{task}/storyboard")
    page.get_by_role("button", name="Send for approval").click()
    link = page.locator("#link").inner_text()
    plain = visits(line.url, java_script_enabled=False)
    seen = plain.see(link.removeprefix(line.url))
    seen.get_by_role("link", name="Leave out shot 1").click()
    seen.get_by_role("link", name="Shot 3 earlier").click()
    seen.get_by_role("button", name="Compose").click()
    seen.get_by_role("heading", name="Done").wait_for()
    assert line.moments(task, "operation.accepted")[0]["request"] == {"shot_ids": [shots[2], shots[1]]}
