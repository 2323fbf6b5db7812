"""Setting up from the page: the key, the webhook, and its proof."""

import re
from collections.abc import Callable
from typing import Any

import httpx

from tests.browser_pages import Browser, Open, signed_in
from tests.integration.conftest import KEY, Line

Start = Callable[..., Line]
BARE: dict[str, Any] = {"beatapi_api_key": "", "beatapi_webhook_secret": [], "api_keys": ["brk_for_the_test_alone"]}


def bare(start: Start, **settings: Any) -> Line:
    """A relay that nobody has set up."""
    line = start(hears=False, **{**BARE, **settings})
    line.client.headers["authorization"] = "Bearer brk_for_the_test_alone"
    return line


def endpoints(line: Line) -> list[dict[str, Any]]:
    answer = httpx.get(f"{line.sandbox_url}/v1/webhooks", headers={"authorization": f"Bearer {KEY}"}, trust_env=False)
    return answer.json()["data"]["data"]


def was(page: str) -> str:
    found = re.search(r'name="was" value="(\w*)"', page)
    assert found
    return found.group(1)


def set_up(line: Line, browser: Browser) -> None:
    browser.fill("/setup/key", key=KEY)
    browser.fill("/setup/webhook", was="")


def test_from_nothing_to_a_video_that_a_webhook_told_of(start: Start, browsers: Open) -> None:
    line = bare(start)
    browser = signed_in(line, browsers(line))
    assert "/setup#key" in browser.see("/")
    refused = line.client.post("/v1/music-video/tasks", json={"prompt": "x"})
    assert refused.status_code == 400, "requests are checked as ever"
    assert (
        line.client.get("/v1/usage")
        .json()["error"]["message"]
        .startswith("Beat API could not be asked: there is no Beat API key yet")
    )

    assert "did not take it: Beat API answered 401" in browser.fill("/setup/key", key="pk_of_another_shop")
    assert "printable ASCII without spaces" in browser.fill("/setup/key", key="zwölf Schlüssel")
    assert "Give the relay its Beat API key first" in browser.fill("/setup/webhook", was="")
    assert "The key works: " in browser.fill("/setup/key", key=KEY)
    page = browser.fill("/setup/webhook", was="")
    assert "Beat API knows the webhook now. The test delivery went out to the public address and came back" in page
    assert "webhook.test" in page
    assert KEY not in page

    task = line.create()
    line.delivered(task)
    assert any("webhook" in moment["kind"] for moment in line.story(task)["moments"])


def test_a_double_click_registers_once_and_a_repeat_rotates(start: Start, browsers: Open) -> None:
    line = bare(start)
    browser = signed_in(line, browsers(line))
    browser.fill("/setup/key", key=KEY)
    browser.fill("/setup/webhook", was="")
    browser.fill("/setup/webhook", was="")
    assert [endpoint["url"] for endpoint in endpoints(line)] == [f"{line.url}/webhooks/beatapi"]
    first = endpoints(line)[0]["id"]
    assert was(browser.see("/setup")) == first
    assert "came back in" in browser.fill("/setup/webhook", was=first)
    assert [endpoint["id"] for endpoint in endpoints(line)] != [first]
    assert len(endpoints(line)) == 1


def test_an_older_endpoint_that_cannot_be_removed_is_told(start: Start, browsers: Open) -> None:
    line = bare(start)
    browser = signed_in(line, browsers(line))
    set_up(line, browser)
    first = endpoints(line)[0]["id"]
    line.faults(error_rate=1.0, error_paths=["/v1/webhooks/"])
    page = browser.fill("/setup/webhook", was=first)
    assert f"registered and works, but the older endpoint {first} could not be removed" in page
    line.faults()
    assert "came back in" in browser.fill("/setup/test"), "the new one is in use"
    browser.fill("/setup/webhook", was=was(browser.see("/setup")))
    assert len(endpoints(line)) == 1, "the next registration removes what was left"


def test_it_is_kept_sealed_and_found_again(start: Start, browsers: Open) -> None:
    line = bare(start)
    set_up(line, signed_in(line, browsers(line)))
    secret = line.relay.account._registered.secrets[0]  # pyright: ignore[reportPrivateUsage, reportOptionalMemberAccess]
    for file in line.relay.settings.data.glob("journal.db*"):
        content = file.read_bytes()
        assert KEY.encode() not in content
        assert secret.encode() not in content


def test_what_the_settings_say_is_changed_there_only(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    page = browser.see("/setup")
    assert "changed there" in page
    assert 'action="/setup/key"' not in page
    assert 'action="/setup/webhook"' not in page
    assert "which wins; change it there" in browser.fill("/setup/key", key="sk_other")
    assert "which wins; change it there" in browser.fill("/setup/webhook", was="")
    assert "came back in" in browser.fill("/setup/test")


def test_an_address_that_leads_elsewhere_is_told(start: Start, browsers: Open) -> None:
    def proved(line: Line) -> str:
        browser = browsers(line)
        browser.fill("/sign-in", password=KEY)
        return browser.fill("/setup/test")

    other = start()
    assert "BEATRELAY_PUBLIC_URL" in proved(start(public_url="http://127.0.0.1:9", data=other.data / "second"))
    page = proved(start(public_url=other.url, data=other.data / "third"))
    assert "something else answers at that address" in page


def test_operators_may_look_and_not_set_up(start: Start, browsers: Open) -> None:
    line = bare(start)
    browser = signed_in(line, browsers(line), "operator", "Otto")
    assert "<form" not in browser.see("/setup").split("<main")[1].split("</main")[0]
    for path in ("key", "webhook", "test"):
        assert browser.post(f"/setup/{path}").status_code == 403
