"""Whole pieces of work, from the first click to what comes of it."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import Workbook
from playwright.sync_api import FilePayload, Page, expect

from tests.browser_pages import Start
from tests.integration.conftest import REQUEST, Line, wait_for

from .conftest import Visit

Admin = Callable[[Line], Visit]
SHEET = """\
Song URL,Cover,Prompt,Format,Title
https://media.example.com/one.mp3,https://media.example.com/one.png,Neon rooftop,1:1,One
https://media.example.com/two.mp3,https://media.example.com/two.png,Rain on glass,9:16,Two
not a link,https://media.example.com/three.png,Snow,1:1,Three
"""

MISSPELT = """\
name: Tell
on: task.succeeded
steps:
  tell:
    use: http
    connection: hook
    with: { body: { what: "{{ task.idd }}" } }
"""


def drop(page: Page, name: str, text: str) -> None:
    """Drop a file on the page, as if it came from a folder."""
    make = "([name, text]) => { const all = new DataTransfer(); all.items.add(new File([text], name)); return all; }"
    files = page.evaluate_handle(make, [name, text])
    page.dispatch_event("h1", "dragover", {"dataTransfer": files})
    page.dispatch_event("h1", "drop", {"dataTransfer": files})


def test_a_sheet_is_dropped_planned_started_and_comes_back_with_its_videos(start: Start, admin: Admin) -> None:
    line = start()
    visit = admin(line)
    page = visit.see("/batches")
    drop(page, "songs.csv", SHEET)
    page.get_by_role("heading", name="songs.csv").wait_for()
    assert page.get_by_role("link", name="2 new").is_visible()
    assert page.locator("p.problem", has_text="A4").is_visible(), "the cell that has to be mended is named"
    visit.judge()
    visit.shoot("batch-plan")
    assert not line.ledger()["charges"], "nothing is asked for before the price was seen"
    page.get_by_role("button", name="Start 2 for").click()
    page.get_by_role("heading", name="2 of 2 done").wait_for()
    visit.judge()
    visit.shoot("batch-done")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the sheet with its results").click()
    text = download.value.path().read_text(encoding="utf-8-sig")
    assert text.count("succeeded") == 2
    assert text.count(".mp4") >= 2
    assert len(line.ledger()["charges"]) == 2


def workbook() -> FilePayload:
    """Two sheets, and the songs are on the second."""
    book = Workbook()
    book.active.title = "Read me"  # type: ignore[union-attr]  (a new book has a sheet)
    book.active.append(["Hello"])  # type: ignore[union-attr]
    songs = book.create_sheet("Songs")
    for line in SHEET.splitlines()[:2]:
        songs.append(line.split(","))
    packed = io.BytesIO()
    book.save(packed)
    return {"name": "songs.xlsx", "mimeType": "application/octet-stream", "buffer": packed.getvalue()}


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
def test_the_wrong_sheet_leads_to_where_another_is_chosen(start: Start, admin: Admin, script: bool) -> None:
    line = start()
    visit = admin(line)
    visit.expected = ["400 (Bad Request)"]
    if not script:
        visit.page.route(re.compile(r"/assets/.*\.js"), lambda route: route.abort())
        visit.expected.append("net::ERR_FAILED")
    page = visit.see("/batches")
    sheet = page.get_by_label("Sheet of the workbook")
    expect(sheet).to_be_hidden()
    page.locator("#file").set_input_files(workbook())
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_text("choose one of the others: Songs")).to_be_visible()
    expect(sheet).to_be_visible()
    if script:
        visit.judge()
    page.get_by_text("How to read it", exact=True).click()
    expect(sheet).to_be_hidden()
    page.get_by_role("link", name="Say how to read it").click()
    expect(sheet).to_be_visible()
    sheet.fill("Songs")
    page.locator("#file").set_input_files(workbook())
    page.get_by_role("button", name="Show the plan").click()
    page.get_by_role("link", name="1 new").wait_for()
    page.get_by_text("How the columns were understood").click()
    page.get_by_role("link", name="Read it another way").click()
    expect(sheet).to_be_visible()


def test_a_storyboard_is_put_in_order_by_dragging_and_composed(start: Start, admin: Admin) -> None:
    line = start()
    answer = line.client.post("/v1/music-video/tasks", json={**REQUEST, "compose_mode": "manual"})
    task = answer.json()["data"]["id"]
    wait_for(lambda: line.task(task)["status"] == "storyboard_ready", "the storyboard")
    shots = [shot["id"] for shot in line.task(task)["storyboard"]["shots"]]
    visit = admin(line)
    page = visit.see("/")
    page.get_by_role("link", name="1 storyboard waits").click()
    page.locator("tbody th a").click()
    page.get_by_role("link", name="storyboard").first.click()
    page.get_by_role("heading", name="Storyboard").wait_for()
    visit.judge()
    visit.shoot("storyboard")

    def order() -> list[str]:
        return page.locator("#shots > [data-shot]").evaluate_all("(all) => all.map((one) => one.dataset.shot)")

    assert order() == shots
    page.set_viewport_size({"width": 1280, "height": 1600})  # all of it in sight
    page.locator(f"#{shots[-1]} .grip").drag_to(page.locator(f"#{shots[0]}"), target_position={"x": 5, "y": 5})
    expect(page.locator("input[name=shot]").first).to_have_value(shots[-1])
    page.get_by_role("link", name="Leave out shot 1").click()
    expect(page.get_by_role("heading", name="Left out")).to_be_visible()
    taken = [shots[-1], *shots[1:-1]]
    assert order() == taken
    page.get_by_role("button", name="Compose").click()
    wait_for(lambda: line.task(task)["status"] == "succeeded", "the composed video")
    assert "Compose the video of 2 shots" in visit.asked[0]
    assert [charge["operation"] for charge in line.ledger()["charges"]].count("compose") == 1


def test_a_connection_is_added_and_tested(start: Start, admin: Admin) -> None:
    line = start()
    visit = admin(line)
    page = visit.see("/connections")
    page.get_by_role("link", name="Folder A folder").click()
    page.get_by_label("Name").fill("archive")
    page.get_by_label("Folder").first.fill(str(line.data / "archive"))
    page.get_by_role("button", name="Store and test").click()
    page.get_by_role("heading", name="archive").wait_for()
    assert page.locator(".said.good").is_visible(), page.locator(".said").inner_text()
    visit.judge()
    visit.shoot("connection")


def test_a_recipe_is_removed_by_keyboard_alone(start: Start, admin: Admin, tmp_path: Path) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    line = start("", recipes=folder)
    visit = admin(line)
    page = visit.see("/recipes/new")
    page.get_by_label("Name of the file").fill("tell")
    page.get_by_label("Recipe (YAML)").fill(MISSPELT.replace("idd", "id"))
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved, and in use").wait_for()
    line.client.post("/relay/v1/lanes/pause", json={"lane": "hook", "reason": "a test"}).raise_for_status()
    task = line.create()
    wait_for(lambda: line.relay.recipes and "parked" in str(line.story(task)), "a delivery that is not over")
    page.get_by_role("link", name="Remove").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Remove tell.yaml?").wait_for()
    page.get_by_text("delivery is not over").wait_for()
    visit.judge()
    visit.shoot("recipe-remove")
    page.get_by_role("button", name="Remove it").focus()
    page.keyboard.press("Enter")
    page.get_by_text("is removed, and can be restored from here").wait_for()
    visit.judge()
    assert not list(folder.iterdir())


def test_a_recipe_with_an_error_is_mended(start: Start, admin: Admin, tmp_path: Path) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    line = start("", recipes=folder)
    visit = admin(line)
    visit.expected = ["400 (Bad Request)"]
    page = visit.see("/recipes/new")
    page.get_by_label("Name of the file").fill("tell")
    page.get_by_label("Recipe (YAML)").fill(MISSPELT)
    page.get_by_text("`task.idd` is not there").or_(page.locator("li", has_text="task.idd")).first.wait_for()
    assert page.locator(".hl-line.wrong").inner_text().strip().startswith("with:"), "the line is marked"
    visit.judge()
    page.get_by_role("button", name="Save").click()
    assert not list(folder.iterdir()), "what is wrong does not come into use"
    page.get_by_label("Recipe (YAML)").fill(MISSPELT.replace("idd", "id"))
    expect(page.locator("#verdict")).to_have_text("Nothing is wrong.")
    assert '"what": "task_' in page.locator("pre[tabindex]").first.inner_text(), "and what it would send is shown"
    visit.shoot("recipe-editor")
    page.get_by_role("button", name="Save").click()
    wait_for(lambda: list(folder.iterdir()), "the file")
    visit.judge()
    task = line.create()
    wait_for(lambda: line.receiver.received, "the delivery")
    assert task in line.receiver.received[0][1].decode()
