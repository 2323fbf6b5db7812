"""The page of API keys: made, shown once, limited, revoked."""

import html
import re
import time

from tests.browser_pages import XSS, Open, Start, signed_in
from tests.integration.conftest import REQUEST, Line


def key_of(page: str) -> str:
    found = re.search(r'<code id="token">(brk_.*?)</code>', page)
    assert found, page
    return found.group(1)


def status(line: Line, key: str) -> int:
    headers = {"authorization": f"Bearer {key}"}
    return line.client.post("/v1/music-video/tasks", json=REQUEST, headers=headers).status_code


def test_a_key_is_made_shown_once_and_revoked(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    assert "No key yet" in browser.see("/keys")
    sent = {"name": "Zapier", "scopes": ["submit", "read"], "per_minute": "2", "share": "1", "expires_at": "2199-01-31"}
    page = browser.fill("/keys", **sent)
    key = key_of(page)
    seen = browser.see("/keys")
    assert key not in seen
    assert "2 requests a minute; 1 at once" in seen
    assert [status(line, key) for _ in range(3)] == [201, 201, 429]
    (row,) = line.client.get("/relay/v1/keys").json()["data"]["data"]
    assert time.gmtime(row["expires_at"])[:3] == (2199, 2, 1), "the end of that day"
    assert "Zapier is revoked" in browser.fill(f"/keys/{row['id']}/revoke")
    assert '"state bad">revoked' in browser.see("/keys")
    assert status(line, key) == 401
    assert browser.post("/keys/key_none/revoke").status_code == 404


def test_two_clicks_make_one_key(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    nonce = re.search(r'name="nonce" value="(\w+)"', browser.see("/keys"))
    assert nonce
    pages = [browser.fill("/keys", name="app", scopes=["read"], nonce=nonce.group(1)) for _ in range(2)]
    assert key_of(pages[0]) == key_of(pages[1])
    assert len(line.client.get("/relay/v1/keys").json()["data"]["data"]) == 1


def test_what_is_wrong_with_a_key_stands_beside_its_field(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    for field, given, told in (
        ("name", " ", "must be 1 to 100 printable characters"),
        ("per_minute", "many", "must be a whole number"),
        ("share", "0", "must be from 1 to 1000000"),
        ("expires_at", "2001-01-01", "must be later than now"),
        ("expires_at", "soon", "must be a day such as"),
        ("scopes", list[str](), "must name some of"),
    ):
        wanted = {"name": "My app", "scopes": ["read"], "per_minute": "", field: given}
        page = browser.fill("/keys", **wanted)
        found = re.search(rf'<p class="problem" id="{field}-problem">(.*?)</p>', page)
        assert found, f"{field}={given}"
        assert told in html.unescape(found.group(1))
        assert field == "name" or 'value="My app"' in page, "what was typed is kept"
        assert field == "scopes" or re.search(r'value="read" checked', page)
    assert "No key yet" in browser.see("/keys")


def test_only_an_admin_makes_keys_and_names_are_never_run(start: Start, browsers: Open) -> None:
    line = start()
    admin = signed_in(line, browsers(line))
    page = admin.fill("/keys", name=XSS, scopes=["read"])
    assert "<script>alert" not in page
    assert "{{7*7}}" in page, "text stays text"
    refused = admin.fill("/keys", name=f"{XSS}\n", scopes=[XSS], per_minute=XSS)
    assert "<script>alert" not in refused
    (row,) = line.client.get("/relay/v1/keys").json()["data"]["data"]
    for role in ("viewer", "operator"):
        browser = signed_in(line, browsers(line), role, role)
        seen = browser.see("/keys")
        assert "Make a key" not in seen
        assert "Revoke" not in seen
        assert browser.post("/keys").status_code == 403
        assert browser.post(f"/keys/{row['id']}/revoke").status_code == 403
