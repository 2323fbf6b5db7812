"""Signing in, as people do it."""

from collections.abc import Callable

from tests.browser_pages import PASSWORD, Start, invitation
from tests.integration.conftest import Line

from .conftest import Visit, Visits


def test_a_one_time_link_then_a_password_then_the_way_out(start: Start, visits: Visits) -> None:
    line = start()
    link = invitation(line)
    first = visits(line.url)
    first.page.goto(link)
    first.judge()
    page = first.come_in(link)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    first.judge()
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("heading", name="Home").wait_for()
    assert page.evaluate("document.cookie") == "", "no script can read the session"

    late = visits(line.url)
    late.expected = ["410"]
    late.page.goto(link)
    late.page.get_by_text("This link is over").wait_for()
    late.judge()


def test_guessing_locks_out(start: Start, admin: Callable[[Line], Visit], visits: Visits) -> None:
    line = start()
    admin(line)
    thief = visits(line.url)
    thief.expected = ["403"]
    page = thief.see("/")
    for guess in range(5):
        page.get_by_label("Name").fill("Ada")
        page.get_by_label("Password", exact=True).fill(f"guess number {guess}")
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_role("alert").wait_for()
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_text("Too many wrong tries").wait_for()
    thief.judge()
