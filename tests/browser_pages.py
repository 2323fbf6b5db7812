"""A browser without a screen: asks for the dashboard's pages as browsers do, and checks each on its way."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from tests.integration.conftest import Line

Start = Callable[..., "Line"]
PASSWORD = "correct horse battery"
XSS = "<script>alert(1)</script>\"'{{7*7}}"


class Browser(httpx.Client):
    """Keeps cookies and says where it comes from, as browsers do; no script."""

    def __init__(self, url: str) -> None:
        headers = {"accept": "text/html", "sec-fetch-site": "same-origin", "origin": url}
        super().__init__(base_url=url, headers=headers, trust_env=False, follow_redirects=True, timeout=20)

    def see(self, path: str, status: int = 200) -> str:
        """A page; its headers are checked on the way."""
        answer = self.get(path)
        assert answer.status_code == status, answer.text
        return self.checked(answer)

    def fill(self, path: str, **fields: str | list[str]) -> str:
        """A form, and the page that follows."""
        return self.checked(self.post(path, data=fields))

    def checked(self, answer: httpx.Response) -> str:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"\son\w+=|style=|<script>|javascript:", answer.text), "nothing inline"
        return answer.text


Open = Callable[["Line"], Browser]


def invitation(line: "Line", role: str = "admin") -> str:
    answer = line.client.post("/relay/v1/invitations", json={"role": role})
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]["url"]


def signed_in(line: "Line", browser: Browser, role: str = "admin", name: str = "Ada") -> Browser:
    page = browser.fill(invitation(line, role), name=name, password=PASSWORD)
    assert ">Home<" in page
    return browser
