"""The dashboard over HTTP, as a browser asks for it: signing in, roles, where a change comes from, and every page."""

import html
import re

from relay.clock import SystemClock
from relay.recipe import RecipeSet
from tests.browser_pages import PASSWORD, XSS, Open, Start, invitation, signed_in
from tests.integration.conftest import KEY, wait_for


def test_a_link_lets_one_person_in_once(start: Start, browsers: Open) -> None:
    line = start()
    browser = browsers(line)
    assert "Nobody has an account yet" in browser.see("/")
    link = invitation(line)
    assert "Welcome" in browser.see(link)
    assert "12 characters" in browser.fill(link, name="Ada", password="short")
    home = browser.fill(link, name="Ada", password=PASSWORD)
    assert "Set up" in home
    cookie = next(cookie for cookie in browser.cookies.jar if cookie.name == "beatrelay")
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert "This link is over" in browsers(line).see(link, 410)

    other = browsers(line)
    assert "name or the password is wrong" in other.fill("/sign-in", name="ada", password="wrong horse")
    assert ">Home<" in other.fill("/sign-in", name="ADA", password=PASSWORD, next="/")
    other.fill("/sign-out")
    assert "<h1>Sign in</h1>" in other.see("/tasks")
    assert ">Home<" in browser.see("/"), "the first browser stays in"


def test_an_api_key_opens_the_dashboard_until_it_is_revoked(start: Start, browsers: Open) -> None:
    line = start()
    made = line.client.post("/relay/v1/keys", json={"name": "ops", "scopes": ["operate"]}).json()["data"]
    reader = line.client.post("/relay/v1/keys", json={"name": "app", "scopes": ["read"]}).json()["data"]
    browser = browsers(line)
    assert "scope operate or admin" in browser.fill("/sign-in", password=reader["key"])
    assert ">Home<" in browser.fill("/sign-in", password=made["key"])
    assert "Invite somebody" not in browser.see("/people"), "an operator is no admin"
    line.client.delete(f"/relay/v1/keys/{made['id']}")
    assert "<h1>Sign in</h1>" in browser.see("/")


def test_a_disk_that_fails_is_said_on_the_front_page_and_by_pages_that_cannot_be(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    line.relay.store.failed("the disk is full; make room on it", line.relay.clock.now())
    assert "finished files cannot be stored: the disk is full; make room on it" in browser.see("/")
    assert not line.client.get("/ready").json()["ready"]
    line.relay.store.worked()
    assert "cannot be stored" not in browser.see("/")
    assert line.relay.journal._writer is not None
    connection = line.relay.journal._writer._connection
    connection.execute("PRAGMA query_only = ON")
    assert "The journal cannot be written" in browser.fill("/people/invite", role="operator")
    connection.execute("PRAGMA query_only = OFF")


def test_guessing_gets_slow(start: Start, browsers: Open) -> None:
    line = start()
    signed_in(line, browsers(line))
    browser = browsers(line)
    for _ in range(5):
        assert "wrong" in browser.fill("/sign-in", name="Ada", password="a guess of mine")
    assert "Too many wrong tries. Wait 60 s" in browser.fill("/sign-in", name="Ada", password=PASSWORD)


def test_a_change_from_elsewhere_is_refused(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    task = line.create()
    for headers in (
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {"sec-fetch-site": "same-site", "origin": line.url},
        {"sec-fetch-site": "none"},
    ):
        answer = browser.post(f"/tasks/{task}/again", data={"nonce": "n"}, headers=headers)
        assert answer.status_code == 403
        assert "did not come from" in answer.text
    del browser.headers["sec-fetch-site"]
    assert browser.post(f"/tasks/{task}/poll", headers={"origin": "https://evil.example"}).status_code == 403
    assert browser.post(f"/tasks/{task}/poll", headers={"origin": line.url}).status_code == 200


def test_a_viewer_looks_and_changes_nothing(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line), "viewer", "Vi")
    task = line.create()
    assert "Ask Beat API now" not in browser.see(f"/tasks/{task}")
    for path in (f"/tasks/{task}/poll", f"/tasks/{task}/cancel", "/deliveries/replay", "/people/invite"):
        answer = browser.post(path)
        assert answer.status_code == 403, path
        assert "signed in as viewer" in answer.text


def test_a_tasks_page_tells_everything_and_makes_it_again_once(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    task = line.create(row={"title": "Night Drive"})
    line.delivered(task)
    page = browser.see(f"/tasks/{task}")
    for part in (
        "Night Drive",
        "<video",
        "Keep and tell / tell",
        "webhook task.succeeded came",
        "curl ",
        "at Beat API",
    ):
        assert part in page, part
    assert KEY not in page
    assert line.client.get(f"/relay/v1/tasks/{task}").json() == browser.get(f"/tasks/{task}/record.json").json()
    nonce = re.search(r'name="nonce" value="(again_\w+)"', page)
    assert nonce
    again = [browser.post(f"/tasks/{task}/again", data={"nonce": nonce.group(1)}).url.path for _ in range(2)]
    assert again[0] == again[1] != f"/tasks/{task}", "two clicks, one video"
    assert browser.get("/tasks/find", params={"q": line.story(task)["provider_id"]}).url.path == f"/tasks/{task}"


def test_what_people_type_is_shown_and_never_run(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line), name="<b>Ada</b>")
    task = line.create(row={"title": XSS, XSS: XSS}, **{"x-beatrelay-batch": "<b>batch</b>"})
    for path in (
        "/",
        "/tasks",
        f"/tasks/{task}",
        "/deliveries?show=all&error=%3Cscript%3E",
        "/people",
        "/tasks/find?q=<b>",
    ):
        page = browser.see(path)
        assert "<script>alert" not in page
        assert "<b>" not in page.replace("<b>0</b>", "").replace("<b>1</b>", "").replace("<b>?</b>", "") or path == "/"
    assert "{{7*7}}" in browser.see(f"/tasks/{task}"), "text stays text"


def test_every_link_leads_somewhere(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    task = line.create(**{"x-beatrelay-batch": "a batch"})
    line.delivered(task)
    seen: set[str] = set()
    line.relay.shelf.recipes = RecipeSet()  # so that the checklist is there too
    left = ["/", f"/tasks/{task}"]
    while left:
        path = left.pop()
        seen.add(path)
        answer = browser.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        if "text/html" in answer.headers["content-type"] and not path.startswith("/docs"):
            links = {
                html.unescape(link).partition("#")[0] for link in re.findall(r'(?:href|src)="(/[^"]*)"', answer.text)
            }
            left += [link for link in links if link and link not in seen and link not in left]
    expected = "/tasks /batches /deliveries /connections /new-connection/slack /endpoints /keys /people /settings /docs"
    assert set(expected.split()) <= seen
    assert "Choose a recipe" in browser.see("/")


def test_a_dead_letter_is_counted_and_sent_again(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    line.receiver.answers = [400]
    task = line.create()
    line.until(task, "delivery.dead")
    page = browser.see("/deliveries")
    assert "Dead letters by cause" in page
    found = re.search(r'name="id" value="(dlv_\w+)"', page)
    assert found
    counted = browser.fill("/deliveries/replay", id=[found.group(1)])
    assert "<strong>1</strong> delivery would go out. Nothing was sent yet." in counted
    assert len(line.receiver.received) == 1
    browser.fill("/deliveries/replay", id=[found.group(1)], confirm="true")
    line.until(task, "delivery.replayed")
    wait_for(lambda: "All has arrived" in browser.see("/deliveries"), "the page to be empty")
    assert len(set(line.receiver.ids)) == 1, "the same delivery"


def test_destinations_are_paused_and_resumed(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    assert "hook is paused" in browser.fill("/deliveries/pause", lane="hook")
    task = line.create()
    wait_for(lambda: "Keep and tell / tell" in browser.see("/deliveries?show=parked"), "it to be parked")
    assert "hook goes on; 1 are due now" in browser.fill("/deliveries/resume", lane="hook")
    line.delivered(task)


def test_people_are_invited_given_roles_and_removed(start: Start, browsers: Open) -> None:
    line = start()
    admin, other = signed_in(line, browsers(line)), browsers(line)
    page = admin.fill("/people/invite", role="operator")
    link = re.search(r'<code id="link">(.*?)</code>', page)
    assert link
    assert ">Home<" in other.fill(link.group(1), name="Bob", password=PASSWORD)
    users = dict(re.findall(r'name="role"|/people/(user_\w+)/role.*?Role of (\w+)', admin.see("/people")))
    ids = {name: user for user, name in users.items() if name}
    assert "only admin" in admin.fill(f"/people/{ids['Ada']}/remove")
    assert "Changed to viewer" in admin.fill(f"/people/{ids['Bob']}/role", role="viewer")
    assert other.post("/people/invite").status_code == 403
    admin.fill(f"/people/{ids['Bob']}/remove")
    assert "<h1>Sign in</h1>" in other.see("/")
    assert "changed" in admin.fill("/password", old=PASSWORD, password="another long password")


def test_the_stream_tells_when_there_is_news_and_ends_with_the_server(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    with browser.stream("GET", "/live", headers={"accept": "text/event-stream"}) as stream:
        lines = stream.iter_lines()
        assert "listening" in next(lines)
        line.create()
        assert next(one for one in lines if one.startswith("event:")) == "event: news"
        line.relay.live.closing = True
        assert not [one for one in lines if "error" in one], "it ends by itself"
    assert browsers(line).get("/live", headers={"accept": "text/event-stream"}).url.path == "/sign-in"


def test_a_sessions_secret_is_replaced_in_time(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    before = browser.cookies["beatrelay"]
    assert browser.see("/")
    assert browser.cookies["beatrelay"] == before
    real = SystemClock()
    line.relay.people._clock = Later(real, 3700.0)  # pyright: ignore[reportPrivateUsage]
    assert ">Home<" in browser.see("/")
    after = browser.cookies["beatrelay"]
    assert after != before
    old = browsers(line)
    old.cookies.set("beatrelay", before)
    assert ">Home<" in old.see("/"), "requests under way still carry the former one"
    line.relay.people._clock = Later(real, 3800.0)  # pyright: ignore[reportPrivateUsage]
    late = browsers(line)
    late.cookies.set("beatrelay", before)
    assert "<h1>Sign in</h1>" in late.see("/")
    line.relay.people._clock = Later(real, 31 * 86400.0)  # pyright: ignore[reportPrivateUsage]
    assert "<h1>Sign in</h1>" in browser.see("/"), "and nobody stays for ever"


class Later(SystemClock):
    """The same clock, so many seconds on."""

    def __init__(self, clock: SystemClock, by: float) -> None:
        super().__init__()
        self._clock, self._by = clock, by

    def now(self) -> float:
        return self._clock.now() + self._by
