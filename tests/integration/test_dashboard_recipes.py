"""Recipes at the dashboard: the list, the gallery, the editor with its check and preview, the history of each file."""

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser_pages import XSS, Browser, signed_in
from tests.integration.conftest import RECIPE, Line, wait_for

Start = Callable[..., Line]
Open = Callable[[Line], Browser]
TELL = """\
# tells the hook
name: Tell the hook
on: task.succeeded
steps:
  tell: { use: http, connection: hook, with: { body: { title: "{{ row.title }}", file: "{{ media[0].name }}" } } }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "recipes"
    made.mkdir()
    (made / "tell.yaml").write_text(TELL, encoding="utf-8")
    return made


@pytest.fixture
def line(start: Start, folder: Path) -> Line:
    running = start("", recipes=folder)
    wait_for(lambda: running.relay.shelf._seen is not None, "the shelf")  # pyright: ignore[reportPrivateUsage]
    running.relay.shelf._seen = None  # pyright: ignore[reportPrivateUsage]  # the relay was begun without its folder
    wait_for(lambda: len(running.relay.recipes) == 1, "the recipe")
    return running


def base(page: str) -> str:
    found = re.search(r'name="base" value="(\w*)"', page)
    assert found, page
    return found.group(1)


def save(browser: Browser, file: str, text: str, **more: str) -> str:
    """Open the file and save it with another text."""
    known = browser.get(f"/recipes/{file}")
    began = base(known.text) if known.status_code == 200 else ""
    return browser.fill("/recipes/save", **{"file": file, "text": text, "base": began, **more})


def names(line: Line) -> list[str]:
    return sorted(recipe.name for recipe in line.relay.recipes)


def test_the_list_says_what_each_does_and_what_is_wrong(line: Line, folder: Path, browsers: Open) -> None:
    browser = signed_in(line, browsers(line))
    page = browser.see("/recipes")
    for part in ("Tell the hook", "tell.yaml", "task.succeeded", "none yet", "Switch off"):
        assert part in page, part
    task = line.create(row={"title": "Night Drive"})
    line.until(task, "delivery.done", 2)
    assert "recipe=Tell+the+hook" in browser.see("/recipes")
    (folder / "broken.yaml").write_text("name: Broken\non: task.sucess\n", encoding="utf-8")
    wait_for(lambda: line.relay.shelf.problems, "the shelf to see it")
    page = browser.see("/recipes")
    assert "the recipes from before go on" in page
    assert "is missing" in page
    assert "because of broken.yaml" in browser.see("/recipes/tell.yaml")


def test_a_recipe_is_changed_whole_or_not_at_all(line: Line, folder: Path, browsers: Open) -> None:
    browser = signed_in(line, browsers(line))
    page = save(browser, "tell.yaml", TELL.replace("{{ row.title }}", "{{ task.titel }}"))
    assert "Nothing was saved" in page
    assert "Line 5" in page
    assert (folder / "tell.yaml").read_text() == TELL
    assert html.escape("{{ task.titel }}") in page, "what was written is still there"
    assert "cannot be read" in save(browser, "tell.yaml", "name: [")
    assert "in use" in save(browser, "tell.yaml", TELL.replace("the hook", "everybody").replace("\n", "\r\n"))
    assert (folder / "tell.yaml").read_text() == TELL.replace("the hook", "everybody"), "as files end lines"
    assert names(line) == ["Tell everybody"], "it counts at once"
    assert sorted(path.name for path in folder.iterdir()) == ["tell.yaml"], "nothing is left beside it"


def test_doubts_can_be_saved_knowingly(line: Line, browsers: Open) -> None:
    browser = signed_in(line, browsers(line))
    text = TELL.replace("connection: hook", "connection: nowhere").replace("Tell the hook", "Elsewhere")
    page = save(browser, "else.yaml", text)
    assert "Save it all the same" in page
    assert names(line) == ["Tell the hook"]
    assert "in use" in save(browser, "else.yaml", text, anyway="true")
    assert names(line) == ["Elsewhere", "Tell the hook"]
    assert "has the same name" in save(browser, "twin.yaml", TELL, anyway="true")


def test_a_file_that_changed_meanwhile_is_a_conflict_and_nothing_is_lost(
    line: Line, folder: Path, browsers: Open
) -> None:
    browser = signed_in(line, browsers(line))
    began = base(browser.see("/recipes/tell.yaml"))
    theirs, mine = TELL.replace("the hook", "them"), TELL.replace("the hook", "me")
    (folder / "tell.yaml").write_text(theirs, encoding="utf-8")
    answer = browser.post("/recipes/save", data={"file": "tell.yaml", "text": mine, "base": began})
    assert answer.status_code == 409
    page = browser.checked(answer)
    assert "Tell them" in page
    assert "Tell me" in page
    assert (folder / "tell.yaml").read_text() == theirs
    browser.fill("/recipes/save", file="tell.yaml", text=mine, base=base(page))
    assert (folder / "tell.yaml").read_text() == mine
    history = browser.see("/recipes/tell.yaml/history")
    assert "Tell them" in history, "what was changed in the folder is history too"
    assert "found in the folder" in history


def test_every_save_is_kept_with_who_made_it_and_can_be_restored(line: Line, folder: Path, browsers: Open) -> None:
    browser = signed_in(line, browsers(line))
    save(browser, "tell.yaml", TELL.replace("the hook", "one"))
    save(browser, "tell.yaml", TELL.replace("the hook", "two"))
    page = browser.see("/recipes/tell.yaml/history")
    assert page.count("saved</strong> by Ada") == 2
    assert re.search(r'class="cut">-name: Tell one<', page)
    assert re.search(r'class="add">\+name: Tell two<', page)
    versions = re.findall(r'name="version" value="(ver_\w+)"', page)
    assert len(versions) == 2
    assert "Restored" in browser.fill("/recipes/tell.yaml/restore", version=versions[-1])
    assert (folder / "tell.yaml").read_text() == TELL
    assert names(line) == ["Tell the hook"]
    assert "no such version" in browser.fill("/recipes/tell.yaml/restore", version="ver_x")


def parked(line: Line) -> str:
    """A song whose delivery waits, because its destination is paused; gives the task."""
    line.client.post("/relay/v1/lanes/pause", json={"lane": "hook", "reason": "a test"}).raise_for_status()
    task = line.create(row={"title": "Neon"})
    wait_for(lambda: of(line, "Tell the hook", "parked"), "the parked delivery")
    return task


def of(line: Line, recipe: str, state: str) -> list[Any]:
    asked = {"recipe": recipe, "state": state}
    return line.client.get("/relay/v1/deliveries", params=asked).json()["data"]["data"]


def test_a_removed_recipe_ends_its_deliveries_as_they_were_planned(line: Line, folder: Path, browsers: Open) -> None:
    browser = signed_in(line, browsers(line))
    task = parked(line)
    page = browser.see("/recipes/tell.yaml/remove")
    assert "<strong>1</strong>" in page
    assert "what was planned goes on with the text that it was planned with" in page
    assert (folder / "tell.yaml").exists(), "only asked yet"
    told = browser.fill("/recipes/tell.yaml/remove", base=base(page))
    assert "is removed, and can be restored from here" in told
    assert "removed</strong> by Ada" in told
    assert (list(folder.iterdir()), names(line)) == ([], [])
    assert 'href="/recipes/tell.yaml/history"' in browser.see("/recipes")
    line.client.post("/relay/v1/lanes/resume", json={"lane": "hook"}).raise_for_status()
    wait_for(lambda: line.receiver.received, "the delivery of the recipe that is gone")
    assert b'"title":"Neon"' in line.receiver.received[0][1].replace(b": ", b":")
    wait_for(lambda: of(line, "Tell the hook", "done"), "its end")
    assert task in {one["task_id"] for one in of(line, "Tell the hook", "done")}
    version = re.findall(r'name="version" value="(ver_\w+)"', browser.see("/recipes/tell.yaml/history"))[0]
    assert "Restored" in browser.fill("/recipes/tell.yaml/restore", version=version)
    assert ((folder / "tell.yaml").read_text(), names(line)) == (TELL, ["Tell the hook"])
    assert "1 removed" not in browser.see("/recipes")


def test_a_file_that_changed_since_it_was_looked_at_is_not_removed(line: Line, folder: Path, browsers: Open) -> None:
    browser = signed_in(line, browsers(line))
    seen = base(browser.see("/recipes/tell.yaml/remove"))
    (folder / "tell.yaml").write_text(TELL + "# newer\n")
    assert "Nothing was removed" in browser.fill("/recipes/tell.yaml/remove", base=seen)
    assert (folder / "tell.yaml").read_text().endswith("# newer\n")


def test_a_file_that_cannot_be_read_is_removed_and_the_folder_is_fine_again(
    line: Line, folder: Path, browsers: Open
) -> None:
    browser = signed_in(line, browsers(line))
    (folder / "broken.yaml").write_text("name: [")
    removed = browser.fill("/recipes/tell.yaml/remove", base=base(browser.see("/recipes/tell.yaml/remove")))
    assert "in use until every file of the folder can be read" in removed
    assert names(line) == ["Tell the hook"], "all of the folder counts, or none of it"
    page = browser.see("/recipes/broken.yaml/remove")
    assert "None of the recipes in use is of this file" in page
    browser.fill("/recipes/broken.yaml/remove", base=base(page))
    assert names(line) == []


def test_it_is_switched_off_and_on_with_every_other_line_kept(line: Line, folder: Path, browsers: Open) -> None:
    browser = signed_in(line, browsers(line), "operator", "Op")
    assert "is switched off" in browser.fill("/recipes/tell.yaml/off").replace("<code>", "").replace("</code>", "")
    assert (folder / "tell.yaml").read_text() == TELL.replace("the hook\n", "the hook\nenabled: false\n", 2).replace(
        "# tells the hook\nenabled: false\n", "# tells the hook\n"
    )
    assert not any(recipe.enabled for recipe in line.relay.recipes)
    assert "switched off</strong> by Op" in browser.see("/recipes/tell.yaml/history")
    browser.fill("/recipes/tell.yaml/on")
    assert all(recipe.enabled for recipe in line.relay.recipes)
    assert browser.post("/recipes/tell.yaml/up").status_code == 404


def test_the_gallery_is_read_and_taken_from(line: Line, folder: Path, browsers: Open) -> None:
    browser = signed_in(line, browsers(line))
    page = browser.see("/recipes/gallery")
    assert "Post to a webhook" in page
    assert "Everything stands at the top level" in page, "the comment of its author"
    page = browser.fill("/recipes/gallery/save-to-folder/use")
    assert "switched off" in page, "it needs a connection that is not there"
    copy = (folder / "save-to-folder.yaml").read_text()
    assert "enabled: false" in copy
    assert "yaml-language-server" not in copy
    assert "already" in browser.fill("/recipes/gallery/save-to-folder/use")
    assert browser.post("/recipes/gallery/nonsense/use").status_code == 404


def test_what_is_typed_is_checked_and_previewed_without_being_kept(line: Line, folder: Path, browsers: Open) -> None:
    browser = signed_in(line, browsers(line), "operator", "Op")
    task = line.create(row={"title": "Night Drive"})
    line.until(task, "delivery.done", 2)
    sent: dict[str, Any] = {"file": "tell.yaml", "base": "", "text": TELL}
    page = browser.fill("/recipes/try", **sent)
    assert "Nothing is wrong" in page
    assert "a sample" in page
    page = browser.fill("/recipes/try", **{**sent, "task": task})
    assert '"title": "Night Drive"' in html.unescape(page)
    assert f"{task}.mp4" in page
    page = browser.fill("/recipes/try", **{**sent, "text": TELL.replace("media[0]", "medai[0]")})
    assert '<li data-line="5">' in page
    assert "not in reach" in page
    assert "there is no task" in browser.fill("/recipes/try", **{**sent, "task": "task_x"})
    assert (folder / "tell.yaml").read_text() == TELL
    assert line.receiver.received[1:] == []


def test_who_may_do_what(line: Line, folder: Path, browsers: Open) -> None:
    viewer = signed_in(line, browsers(line), "viewer", "Vi")
    page = viewer.see("/recipes/tell.yaml")
    assert "readonly" in page
    assert ">Save<" not in page
    operator = signed_in(line, browsers(line), "operator", "Op")
    assert ">Save<" not in operator.see("/recipes/tell.yaml")
    assert "/remove" not in operator.see("/recipes/tell.yaml")
    assert operator.get("/recipes/tell.yaml/remove").status_code == 403
    for path in (
        "/recipes/save",
        "/recipes/tell.yaml/restore",
        "/recipes/tell.yaml/remove",
        "/recipes/gallery/make/use",
    ):
        assert operator.post(path, data={"file": "x.yaml"}).status_code == 403
    for path in ("/recipes/try", "/recipes/tell.yaml/off", "/recipes/save"):
        assert viewer.post(path).status_code == 403
    assert sorted(path.name for path in folder.iterdir()) == ["tell.yaml"]


@pytest.mark.parametrize(
    "name", ["../evil.yaml", "a/b.yaml", ".hidden.yaml", "UPPER.yaml", "x.txt", "x.yaml\n", "", "é.yaml", "a" * 80]
)
def test_only_files_of_the_folder_with_safe_names(line: Line, folder: Path, browsers: Open, name: str) -> None:
    browser = signed_in(line, browsers(line))
    text = TELL.replace("Tell the hook", "Another")
    answer = browser.post("/recipes/save", data={"file": name, "text": text, "base": ""})
    assert answer.status_code == 400
    assert "cannot name a recipe file" in answer.text
    assert [path.name for path in folder.rglob("*")] == ["tell.yaml"]
    assert not (folder.parent / "evil.yaml").exists()
    assert browser.get("/recipes/..%2F..%2Fetc%2Fpasswd").status_code == 404


def test_a_link_to_elsewhere_is_left_alone(line: Line, folder: Path, browsers: Open, tmp_path: Path) -> None:
    browser = signed_in(line, browsers(line))
    (tmp_path / "real.yaml").write_text(TELL.replace("Tell the hook", "Real"))
    (folder / "link.yaml").symlink_to(tmp_path / "real.yaml")
    assert "change it there" in save(browser, "link.yaml", TELL.replace("Tell the hook", "Mine"))
    assert "change it there" in browser.fill(
        "/recipes/link.yaml/remove", base=base(browser.see("/recipes/link.yaml/remove"))
    )
    assert (folder / "link.yaml").is_symlink()


def test_what_people_write_is_shown_and_never_run(line: Line, folder: Path, browsers: Open) -> None:
    browser = signed_in(line, browsers(line), name="<b>Ada</b>")
    evil = RECIPE.replace("Keep and tell", f"Evil {XSS.replace(chr(34), '')}").replace("name:", f"# {XSS}\nname:")
    page = save(browser, "evil.yaml", evil)
    (folder / "<img src=x>.yaml").write_text(f"name: '<script>alert(1)</script>'\non: '{XSS[:25]}'\n")
    wait_for(lambda: line.relay.shelf.problems, "the shelf to see it")
    pages = [
        page,
        browser.see("/recipes"),
        browser.see("/recipes/evil.yaml"),
        browser.see("/recipes/evil.yaml/history"),
    ]
    pages.append(browser.fill("/recipes/try", file=XSS, base=XSS, text=f"name: {XSS}\n{XSS}: 1", task=XSS))
    for one in pages:
        assert "<script>alert" not in one
        assert "<img src=x" not in one
        assert "<b>Ada" not in one
    assert any("{{7*7}}" in one for one in pages), "text stays text"


def test_a_test_run_shows_first_and_then_sends_one_marked_delivery(line: Line, folder: Path, browsers: Open) -> None:
    (folder / "both.yaml").write_text(RECIPE.replace("Keep and tell", "Both"), encoding="utf-8")
    wait_for(lambda: "Both" in names(line), "the recipe")
    task = line.create(row={"title": "Night Drive"})
    line.until(task, "delivery.done", 4)
    browser = signed_in(line, browsers(line), "operator", "Op")
    assert "Test run" in browser.see("/recipes/both.yaml")
    sent = len(line.receiver.received)
    page = browser.fill("/recipes/both.yaml/test", step="tell", task=task)
    assert "Nothing was sent yet" in page
    assert "Night%20Drive.mp4" in page
    assert len(line.receiver.received) == sent
    nonce = re.search(r'name="nonce" value="(\w+)"', page)
    assert nonce
    for _ in range(3):
        answer = browser.post(
            "/recipes/both.yaml/test", data={"step": "tell", "task": task, "nonce": nonce.group(1), "confirm": "true"}
        )
        assert answer.url.path == f"/tasks/{task}"
    line.until(task, "delivery.done", 5)
    assert len(line.receiver.received) == sent + 1, "three clicks, one delivery"
    assert b"Night%20Drive.mp4" in line.receiver.received[-1][1], "what the earlier step brought is there"
    page = browser.see(f"/tasks/{task}")
    assert "Both (test) / tell" in page
    assert "Op asked for a test run" in page
    assert "There is nothing to send" in browser.fill("/recipes/both.yaml/test", step="none", task=task)
    assert "finished task" in browser.fill("/recipes/both.yaml/test", step="tell", task="task_x")
    assert browser.post("/recipes/none.yaml/test", data={"step": "tell", "task": task}).url.path == "/recipes"


def test_a_test_run_says_to_receivers_that_it_is_one(line: Line, folder: Path, browsers: Open) -> None:
    (folder / "bare.yaml").write_text(
        "name: Bare\non: task.succeeded\nsteps:\n  tell: { use: http, connection: hook }\n", encoding="utf-8"
    )
    wait_for(lambda: "Bare" in names(line), "the recipe")
    task = line.create(row={"title": "x"})
    line.until(task, "delivery.done", 3)
    browser = signed_in(line, browsers(line))
    page = browser.fill("/recipes/bare.yaml/test", step="tell", task=task)
    nonce = re.search(r'name="nonce" value="(\w+)"', page)
    assert nonce
    browser.fill("/recipes/bare.yaml/test", step="tell", task=task, nonce=nonce.group(1), confirm="true")
    line.until(task, "delivery.done", 4)
    bodies = [body for _, body in line.receiver.received]
    assert [b'"test":true' in body.replace(b" ", b"") for body in bodies] == [False] * (len(bodies) - 1) + [True]
