"""A real Chromium on the dashboard. What no page may do is checked on all of them, always: an error on the console, a
violation of the content security policy, a question of the browser that nobody expected."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, sync_playwright

from tests.browser_pages import PASSWORD, invitation
from tests.integration.conftest import Line
from tests.integration.conftest import start as start

ROOT = Path(__file__).parents[2]
AXE = (ROOT / "tests/vendor/axe-core/axe.min.js").read_text(encoding="utf-8")
SCREENS = ROOT / "artifacts/screens"
"""Screenshots of the last run; git ignores them."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = os.environ.get("BEATRELAY_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.effectiveDirective} forbids ${event.blockedURI} at ${event.sourceFile}`));
"""
_JUDGE = """async () => (await axe.run()).violations
  .filter((one) => ["serious", "critical"].includes(one.impact))
  .map((one) => `${one.id} (${one.impact}): ${one.nodes.map((node) => node.html).slice(0, 3).join(" | ")}`)"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser there is nothing to test with."""
    if CHROMIUM is None:
        reason = "there is no Chromium here; install Debian's package chromium, or name one in BEATRELAY_CHROMIUM"
        for item in items:
            if item.path.is_relative_to(Path(__file__).parent):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser a module. Its loop runs while it is open, so it is closed before other tests start theirs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


class Visit:
    """Somebody at a browser. ``expected`` are parts of console messages that the test provokes on purpose."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.page: Page = context.new_page()
        self.url = url
        self.wrong: list[str] = []
        self.expected: list[str] = []
        self.asked: list[str] = []
        """What the page asked before it did something; the answer is always yes."""
        self.page.add_init_script(_TELL_VIOLATIONS)
        self.page.on("console", lambda message: message.type == "error" and self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", self._answer)

    def _answer(self, dialog: Dialog) -> None:
        self.asked.append(dialog.message)
        dialog.accept()

    def see(self, path: str) -> Page:
        """Go to a page of the dashboard."""
        self.page.goto(self.url + path)
        return self.page

    def come_in(self, link: str, name: str = "Ada") -> Page:
        """Open a one-time link, and choose a name and a password."""
        self.page.goto(link)
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_role("button").first.click()
        self.page.get_by_role("heading", name="Home").wait_for()
        return self.page

    def judge(self) -> None:
        """The page as it stands is usable by everybody: axe-core finds nothing serious or critical."""
        self.page.evaluate(AXE)  # by the debugger's door: the page's policy lets no script in, and shall not
        assert self.page.evaluate(_JUDGE) == [], self.page.url

    def shoot(self, name: str) -> None:
        """A picture of the whole page, for people."""
        SCREENS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENS / f"{name}.png", full_page=True, animations="disabled")

    def end(self) -> None:
        """Leave; nothing may have gone wrong on the way."""
        self.context.close()
        unexpected = [text for text in self.wrong if not any(part in text for part in self.expected)]
        assert unexpected == []


Visits = Callable[..., Visit]


@pytest.fixture
def visits(chromium: Browser) -> Iterator[Visits]:
    """Browsers of several people, each with cookies of its own. Options are those of Playwright's contexts."""
    opened: list[Visit] = []

    def visit(url: str, **options: object) -> Visit:
        context = chromium.new_context(**options)  # pyright: ignore[reportArgumentType]
        context.set_default_timeout(15_000)
        opened.append(Visit(context, url))
        return opened[-1]

    yield visit
    for one in opened:
        one.end()


@pytest.fixture
def admin(visits: Visits) -> Callable[[Line], Visit]:
    """Somebody who is in, and may do everything."""

    def enter(line: Line) -> Visit:
        visit = visits(line.url)
        visit.come_in(invitation(line))
        return visit

    return enter
