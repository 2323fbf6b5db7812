"""The pages of endpoints: made, tested, paused, replayed, given a new secret, and what was sent to each."""

import html
import json
import re
import time

from tests.browser_pages import XSS, Browser, Open, Start, signed_in
from tests.integration.conftest import Line, wait_for
from tests.receivers import official, standard

EVENTS = ["task.succeeded", "task.failed"]


def hook(line: Line) -> str:
    """A URL of the receiver's."""
    return line.relay.settings.connections["hook"]["url"]


def made(line: Line, browser: Browser, **more: str) -> tuple[str, str]:
    """Path and secret of a new endpoint."""
    nonce = value(browser.see("/endpoints"), "nonce")
    page = browser.fill("/endpoints", **{"url": hook(line), "events": EVENTS, "nonce": nonce, **more})
    return path_of(page), secret_of(page)


def path_of(page: str) -> str:
    found = re.search(r'action="(/endpoints/wh_\w+)/test"', page)
    assert found, page
    return found.group(1)


def secret_of(page: str) -> str:
    found = re.search(r'<code id="secret">(whsec_.*?)</code>', page)
    assert found, page
    return found.group(1)


def value(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, page
    return html.unescape(found.group(1))


def test_an_endpoint_is_made_tested_and_told(start: Start, browsers: Open) -> None:
    line = start(recipe="")
    browser = signed_in(line, browsers(line))
    assert "No endpoint yet" in browser.see("/endpoints")
    path, secret = made(line, browser)
    assert secret not in browser.see(path), "shown once"
    page = browser.fill(f"{path}/test")
    assert "The receiver answered 204" in page
    headers, body = line.receiver.received[0]
    assert json.loads(body)["data"]["id"] == "task_sample"
    assert official(secret, headers, body, time.time())
    assert standard(secret, headers, body)
    first = headers["webhook-id"]
    browser.fill(f"{path}/test")
    assert line.receiver.ids[1] != first, "another test is another event"
    task = line.create()
    wait_for(lambda: len(line.receiver.received) == 3, "the real one")
    page = wait_for(lambda: '"state good">done' in (page := browser.see(path)) and page, "the log")
    assert f'href="/tasks/{task}"' in page
    assert "Answer 204" in page
    line.receiver.answers = [500]
    assert "The test failed: the receiver answered 500" in browser.fill(f"{path}/test")
    assert browser.get("/tasks/find", params={"q": path.rpartition("/")[2]}).url.path == path
    assert f'href="{path}"' in browser.see("/"), "the front page leads there"
    assert '"state good">active' in browser.see("/endpoints"), "a test that fails counts for nothing"


def test_two_clicks_make_one_endpoint_and_show_its_secret_both_times(start: Start, browsers: Open) -> None:
    line = start(recipe="")
    browser = signed_in(line, browsers(line))
    sent = {"url": hook(line), "events": EVENTS, "nonce": value(browser.see("/endpoints"), "nonce")}
    pages = [browser.fill("/endpoints", **sent) for _ in range(2)]
    assert secret_of(pages[0]) == secret_of(pages[1])
    path = path_of(pages[0])
    rotate = {"nonce": value(browser.see(path), "nonce")}
    pages = [browser.fill(f"{path}/rotate", **rotate) for _ in range(2)]
    assert secret_of(pages[0]) == secret_of(pages[1])
    assert len(line.client.get("/v1/webhooks").json()["data"]["data"]) == 1


def test_a_paused_endpoint_is_told_nothing_and_what_it_missed_is_sent_later(start: Start, browsers: Open) -> None:
    line = start(recipe="")
    browser = signed_in(line, browsers(line))
    path, _ = made(line, browser)
    assert "Paused: " in browser.fill(f"{path}/pause")
    line.until(line.create(), "task.finished")
    assert not line.receiver.received
    assert "It is told again" in browser.fill(f"{path}/resume")
    assert "Name the first day" in browser.fill(f"{path}/replay")
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert "1 is sent now" in browser.fill(f"{path}/replay", since=today)
    wait_for(lambda: line.receiver.received, "what it missed")
    page = wait_for(lambda: '"state good">done' in (page := browser.see(path)) and page, "the log")
    browser.fill(f"{path}/replay", event_id=value(page, "event_id"))
    wait_for(lambda: len(line.receiver.received) == 2, "the same once more")
    assert len(set(line.receiver.ids)) == 1


def test_a_new_secret_signs_beside_the_old_one(start: Start, browsers: Open) -> None:
    line = start(recipe="")
    browser = signed_in(line, browsers(line))
    path, old = made(line, browser)
    page = browser.fill(f"{path}/rotate", overlap="an hour")
    new = secret_of(page)
    assert "The one before signs too until" in page
    browser.fill(f"{path}/test")
    headers, body = line.receiver.received[-1]
    assert standard(old, headers, body)
    assert standard(new, headers, body)
    newest = secret_of(browser.fill(f"{path}/rotate", overlap="not at all"))
    browser.fill(f"{path}/test")
    headers, body = line.receiver.received[-1]
    assert standard(newest, headers, body)
    assert not standard(new, headers, body)


def test_what_is_wrong_with_an_endpoint_stands_beside_its_field(start: Start, browsers: Open) -> None:
    line = start(recipe="")
    browser = signed_in(line, browsers(line))
    page = browser.fill("/endpoints", url="http://hooks.example.com/x", description="mine", events=EVENTS)
    assert "must start with https://" in problem(page, "e-url")
    assert 'value="http://hooks.example.com/x"' in page
    assert 'value="mine"' in page
    assert "must not lead to a private address" in problem(
        browser.fill("/endpoints", url="https://127.0.0.1/", events=EVENTS), "e-url"
    )
    assert "must name some of" in problem(browser.fill("/endpoints", url=hook(line)), "events")
    path, _ = made(line, browser)
    assert "must be an https:// URL" in problem(browser.fill(path, url="x", events=EVENTS), "e-url")
    assert "Changed; " in browser.fill(path, url=hook(line), description="theirs", events=["task.failed"])
    assert "theirs" in browser.see("/endpoints")
    assert "Removed; " in browser.fill(f"{path}/remove")
    browser.see(path, 404)


def problem(page: str, name: str) -> str:
    found = re.search(rf'<p class="problem" id="{name}-problem">(.*?)</p>', page)
    assert found, page
    assert f'{name}-problem"' in page.replace(f'id="{name}-problem"', ""), "it is tied to its field"
    return html.unescape(re.sub("<.*?>", "", found.group(1)))


def test_who_may_do_what_with_endpoints(start: Start, browsers: Open) -> None:
    line = start(recipe="")
    path, _ = made(line, signed_in(line, browsers(line)))
    viewer = signed_in(line, browsers(line), "viewer", "Vi")
    operator = signed_in(line, browsers(line), "operator", "Op")
    assert "Send a test" not in viewer.see(path)
    assert "Add an endpoint" not in operator.see("/endpoints")
    for action in ("test", "pause", "resume", "replay"):
        assert viewer.post(f"{path}/{action}").status_code == 403
        assert operator.post(f"{path}/{action}").status_code == 200, action
    for address in ("/endpoints", path, f"{path}/rotate", f"{path}/remove"):
        assert operator.post(address).status_code == 403, address


def test_a_customers_endpoint_is_seen_and_says_whose_it_is(start: Start, browsers: Open) -> None:
    line = start(recipe="")
    browser = signed_in(line, browsers(line))
    key = line.client.post("/relay/v1/keys", json={"name": f"Customer {XSS}", "scopes": ["submit", "read"]}).json()
    headers = {"authorization": f"Bearer {key['data']['key']}"}
    body = {"url": f"{hook(line)}?q=<b>x</b>'", "description": XSS}
    endpoint = line.client.post("/v1/webhooks", json=body, headers=headers).json()["data"]["id"]
    for page in (browser.see("/endpoints"), browser.see(f"/endpoints/{endpoint}")):
        assert "tasks of Customer &lt;script&gt;" in page
        assert "<script>alert" not in page
        assert "<b>x" not in page
        assert "{{7*7}}" in page, "text stays text"
