"""The pages of connections: added by kind, tried, changed, removed; secrets go in and never come out."""

import html
import re
from pathlib import Path

from relay.recipe import load_folder
from relay.web.connection_guide import GUIDES, guide_of
from tests.browser_pages import XSS, Browser, Open, Start, signed_in
from tests.integration.conftest import Line

TOKEN = "a token that nobody sees again"
FILE = """\
name: Two steps
on: task.succeeded
steps:
  one: { use: http, connection: my-tool, with: { body: { id: "{{ event.id }}" } } }
  two: { use: http, connection: my-tool, after: one, with: { body: {} } }
"""


TELL_MINE = """\
name: Tell
on: task.succeeded
steps:
  tell: { use: http, connection: my-tool, with: { body: { id: "{{ event.id }}" } } }
"""

KEEP_MINE = """\
name: Keep
on: task.succeeded
steps:
  keep: { use: folder, connection: my-shelf, with: { path: "{{ task.id }}.mp4" } }
"""


def stored(line: Line, browser: Browser, **more: str) -> str:
    """A connection to the receiver, made by the form; gives the page that follows."""
    url = line.relay.settings.connections["hook"]["url"]
    fields = {"kind": "http", "name": "my-tool", "with.url": url, "with.token": TOKEN, **more}
    return browser.fill("/connections", **fields)


def test_every_kind_has_a_form_with_a_hint_for_each_field(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    listed = browser.see("/connections")
    for kind, guide in GUIDES.items():
        assert f'href="/new-connection/{kind}"' in listed
        page = browser.see(f"/new-connection/{kind}")
        assert f"Connect {guide.title}" in page
        for key in line.relay.connections.forms()[guide.connector]:
            assert f'name="with.{key.name}"' in page
            assert key.name in guide.hints | guide.own, f"{kind} says nothing of {key.name}"
        for one in re.findall(r'aria-describedby="([^"]+)"', page):
            assert all(f'id="{name}"' in page for name in one.split()), f"{kind}: {one} is not there"
    assert set(line.relay.connections.forms()) <= {guide.connector for guide in GUIDES.values()}
    assert guide_of("their-own").hint("some_key").label == "Some key"
    browser.see("/new-connection/nothing", 404)


def test_no_form_sends_people_to_another_tools_pages() -> None:
    for kind in ("zapier", "make", "n8n", "pipedream"):
        links = [hint.link for hint in (GUIDES[kind].hint(key) for key in GUIDES[kind].main) if hint.link]
        assert links
        assert all(kind in link.url for link in links), kind


def test_a_connection_is_stored_tried_and_its_secret_never_shown(start: Start, browsers: Open) -> None:
    line = start(FILE)
    browser = signed_in(line, browsers(line))
    page = stored(line, browser)
    assert "Stored. It works: " in page
    assert "Two steps" in page
    assert "Remove my-tool? 1 recipe uses it; " in page
    for seen in (page, browser.see("/connections"), browser.see("/connections/my-tool")):
        assert TOKEN not in seen
        assert "/caught" not in seen, "a URL that opens a door is a secret"
    task = line.create()
    line.delivered(task)
    assert line.receiver.received[-1][0]["authorization"] == f"Bearer {TOKEN}"
    listed = browser.see("/connections")
    assert listed.count('<span class="state good">ok</span>') == 1
    assert "never" not in listed


def test_an_empty_secret_stays_and_a_new_one_takes_its_place(start: Start, browsers: Open) -> None:
    line = start(FILE)
    browser = signed_in(line, browsers(line))
    stored(line, browser, **{"with.per_minute": "6000", "with.user": ""})
    page = browser.fill("/connections/my-tool", **{"with.token": "", "with.per_minute": ""})
    assert "Changed; " in page
    line.until(line.create(), "delivery.done", 3)
    assert line.receiver.received[-1][0]["authorization"] == f"Bearer {TOKEN}", "it was kept"
    assert line.client.get("/relay/v1/connections/my-tool").json()["data"]["settings"] == {}, "this one was emptied"
    browser.fill("/connections/my-tool", **{"with.token": "another one"})
    line.until(line.create(), "delivery.done", 3)
    assert line.receiver.received[-1][0]["authorization"] == "Bearer another one"
    browser.fill("/connections/my-tool", forget=["token"])
    line.until(line.create(), "delivery.done", 3)
    assert "authorization" not in line.receiver.received[-1][0]


def test_what_is_wrong_stands_beside_its_field_and_typing_is_kept(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    sent = {"kind": "email", "name": "My Mail", "with.host": "mail.example.com", "with.password": TOKEN}
    answer = browser.post("/connections", data={**sent, "with.tls": "sometimes", "with.per_second": "often"})
    page = browser.checked(answer)
    assert answer.status_code == 400
    assert 'value="mail.example.com"' in page
    assert 'value="My Mail"' in page
    assert TOKEN not in page
    told = problems(page)
    assert "cannot name a connection" in told["name"]
    page = browser.fill("/connections", **{**sent, "name": "mail", "with.per_second": "often"})
    told = problems(page)
    assert "is missing" in told["f-sender"]
    assert "must be a number above 0" in told["f-per_second"]
    page = browser.fill("/connections", **{**sent, "name": "mail", "with.sender": "a@b.example", "with.tls": "no"})
    assert "enum" in problems(page)["f-tls"]
    assert "is missing" in problems(browser.fill("/connections", kind="zapier", name="zap"))["f-url"]
    page = browser.fill("/connections", **{"kind": "folder", "name": "hook", "with.root": "/tmp"})
    assert "is taken" in problems(page)["name"], "one of the file's"
    assert 'value="/tmp"' in page
    stored(line, browser)
    assert "is taken" in problems(stored(line, browser))["name"], "nothing is overwritten unseen"
    page = browser.fill("/connections/my-tool", **{"with.per_second": "often"})
    assert "must be a number above 0" in problems(page)["f-per_second"]
    assert 'value="often"' in page


def test_a_test_tells_what_is_wrong_and_changes_nothing(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    page = browser.fill("/connections", **{"kind": "slack", "name": "team", "with.channel": "#releases"})
    assert "Stored. The test failed: the connection needs either a <code>token</code>" in page
    assert "It works: " in browser.fill("/connections/hook/test"), "the recipe says that it is one for http"
    assert [dict(headers).get("webhook-id") for headers, _ in line.receiver.received] == [None], "no delivery"
    browser.see("/connections/nothing", 404)
    assert browser.post("/connections/nothing/test").status_code == 404
    assert "there is no connection" in browser.fill("/connections/nothing/remove")


def test_one_of_the_file_is_shown_and_changed_there_only(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    page = browser.see("/connections/shelf")
    assert "It stands in <code>beatrelay.toml</code> under <code>[connections.shelf]</code>" in page
    assert 'name="with.root"' not in page
    assert "wins" in browser.fill("/connections/shelf/remove")
    assert "wins" in browser.fill("/connections/shelf", **{"with.root": "/tmp"})


def test_a_connection_that_fails_says_so(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    line.receiver.answers = [400]
    line.until(line.create(), "delivery.dead")
    page = browser.see("/connections")
    assert "1 given up" in page
    assert '<a href="/connections/hook">hook</a>' in browser.see("/"), "the front page leads there"
    assert "Keep and tell / tell" in browser.see("/connections/hook")
    browser.fill("/deliveries/pause", lane="hook")
    assert '<span class="state ask">paused</span>' in browser.see("/connections/hook")


def test_a_destination_that_wished_to_be_left_alone_says_so_until_somebody_mends_it(
    start: Start, browsers: Open
) -> None:
    line = start(TELL_MINE)
    browser = signed_in(line, browsers(line))
    stored(line, browser)
    line.receiver.answers, line.receiver.retry_after = [429], 3600
    task = line.create()
    line.until(task, "delivery.failed")
    for path in ("/", "/connections", "/connections/my-tool", "/deliveries"):
        page = browser.see(path)
        assert '<span class="state ask">held</span>' in page, path
    assert "Left alone until" in browser.see("/connections/my-tool")
    assert "my-tool wished to be left alone until then: the receiver answered 429" in browser.see(f"/tasks/{task}")
    line.receiver.retry_after = 0
    browser.fill("/connections/my-tool", **{"with.token": "another"})
    line.until(task, "delivery.done", 2)
    assert ">held<" not in browser.see("/connections/my-tool")


def test_a_destination_that_refused_all_is_not_ok(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    line.receiver.answers = [400]
    line.until(line.create(), "delivery.dead")
    assert '<span class="state bad">refused</span>' in browser.see("/connections/hook")
    line.delivered(line.create())
    assert '<span class="state good">ok</span>' in browser.see("/connections/hook")


def test_only_an_admin_changes_connections(start: Start, browsers: Open) -> None:
    line = start()
    admin = signed_in(line, browsers(line))
    stored(line, admin)
    for role, may_test in (("viewer", 403), ("operator", 200)):
        browser = signed_in(line, browsers(line), role, role)
        assert "Add a connection" not in browser.see("/connections")
        page = browser.see("/connections/my-tool")
        assert 'name="with.' not in page
        assert ("Test connection" in page) == (may_test == 200)
        browser.see("/new-connection/slack", 403)
        for path in ("/connections", "/connections/my-tool", "/connections/my-tool/remove"):
            assert browser.post(path).status_code == 403
        assert browser.post("/connections/my-tool/test").status_code == may_test
    assert "my-tool is removed" in admin.fill("/connections/my-tool/remove")


def test_what_is_typed_into_a_connection_is_never_run(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    refused = stored(line, browser, name=XSS, **{"with.user": XSS, "with.header": XSS, "with.hmac_format": XSS})
    assert html.escape(XSS, quote=False)[:20] in refused
    page = stored(line, browser, **{"with.user": XSS, "with.token": "", "with.hmac_format": XSS})
    browser.fill("/connections", **{"kind": "folder", "name": "f", "with.root": XSS})
    pages = [
        refused,
        page,
        browser.see("/connections"),
        browser.see("/connections/f"),
        browser.see("/connections/my-tool"),
    ]
    for seen in pages:
        assert "<script>alert" not in seen
    assert "{{7*7}}" in pages[-1], "text stays text"


def problems(page: str) -> dict[str, str]:
    """What is wrong, by the id of the field that it is tied to."""
    found = re.findall(r'<p class="problem" id="([\w-]+)-problem">(.*?)</p>', page)
    for name, _ in found:
        assert re.search(rf'id="{name}"[^>]* aria-describedby="[^"]*{name}-problem', page), f"{name} is not tied to it"
    return {name: html.unescape(re.sub("<.*?>", "", text)) for name, text in found}


def test_a_connection_leads_to_the_recipes_that_use_it(start: Start, browsers: Open, tmp_path: Path) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "two.yaml").write_text(FILE)
    line = start("", recipes=folder)
    browser = signed_in(line, browsers(line))
    stored(line, browser)
    line.relay.shelf.recipes = load_folder(folder)
    assert '<a href="/recipes/two.yaml">Two steps</a> / one' in browser.see("/connections/my-tool")
    assert "Two steps" in browser.see("/recipes/two.yaml")


def test_a_test_that_failed_is_told_until_something_arrives_or_the_connection_changes(
    start: Start, browsers: Open, tmp_path: Path
) -> None:
    line = start(KEEP_MINE)
    browser = signed_in(line, browsers(line))
    shelf = tmp_path / "mounted"
    shelf.touch()  # no folder
    browser.fill("/connections", **{"kind": "folder", "name": "my-shelf", "with.root": str(shelf)})
    why = f"nothing can be written to {shelf}"
    listed = html.unescape(browser.see("/connections"))
    assert '<span class="state bad">test failed</span>' in listed
    assert f"The last test failed: {why}" in listed
    assert ">unused<" not in listed.partition("my-shelf")[2].partition("</tr>")[0]
    assert f"failed: {why}" in html.unescape(browser.see("/connections/my-shelf"))
    tested = line.client.get("/relay/v1/connections/my-shelf").json()["data"]["tested"]
    assert (tested["works"], why in tested["message"]) == (False, True)
    shelf.unlink()
    browser.fill("/connections/my-shelf/test")
    assert ">test failed<" not in browser.see("/connections"), "a later test worked"
    shelf.touch()
    browser.fill("/connections/my-shelf/test")
    assert ">test failed<" in browser.see("/connections")
    shelf.unlink()
    line.until(line.create(), "delivery.done", 2)
    assert ">test failed<" not in browser.see("/connections"), "something has arrived since"
    shelf.rename(tmp_path / "moved")
    shelf.touch()
    browser.fill("/connections/my-shelf/test")
    assert ">test failed<" in browser.see("/connections"), "what arrived before says less"
    settings = {"root": str(tmp_path / "moved")}
    line.client.put("/relay/v1/connections/my-shelf", json={"connector": "folder", "settings": settings})
    assert ">test failed<" not in browser.see("/connections"), "the connection is another one now"
