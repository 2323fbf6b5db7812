"""A dead letter that nobody wants any more is put aside: over the API, the command and the dashboard."""

import re
from collections.abc import Callable

from relay.recipe import RecipeSet, parse
from tests.browser_pages import Browser
from tests.integration.conftest import Line
from tests.integration.test_dashboard import signed_in
from tests.integration.test_replay import TELL, command, dead, listed, post

CHAIN = TELL + "  more: { use: http, connection: hook, after: tell, with: { body: { said: more } } }\n"


def test_it_is_counted_first_then_told_with_who_and_why(start: Callable[..., Line]) -> None:
    line = start(TELL)
    row = dead(line)
    counted = post(line, "deliveries/dismiss", ids=[row["id"]], reason="by hand")
    assert counted == {"count": 1, "behind": 0, "by_connector": {"http": 1}, "done": False}
    assert listed(line, state="dead"), "counting put it aside"
    assert post(line, "deliveries/dismiss", error="answered 500", reason="by hand", confirm=True)["done"]
    assert (listed(line, state="undelivered"), line.relay.journal.alive) == ([], True)
    assert [one["id"] for one in listed(line, state="dismissed")] == [row["id"]]
    (told,) = line.until(row["task_id"], "delivery.dismissed")
    assert (told["reason"], bool(told["by"])) == ("by hand", True)
    assert "beatrelay_dead_deliveries 0" in line.client.get("/metrics").text
    again = post(line, "deliveries/dismiss", ids=[row["id"]], reason="by hand", confirm=True)
    assert again["count"] == 0, "it is no dead letter any more"


def test_the_command_dismisses_by_filter_with_the_steps_behind(start: Callable[..., Line]) -> None:
    line = start(CHAIN)
    line.receiver.answers = [500]
    task = line.create()
    line.until(task, "delivery.dead")
    words = ("dismiss", "--connection", "hook", "--error", "500", "--reason", "they have it")
    assert "2 deliveries would be dismissed; add --yes to do it (2 http), 1 of them behind" in command(line, *words)
    assert "2 deliveries are dismissed" in command(line, *words, "--yes")
    assert listed(line, state="undelivered") == []
    assert "dismissed by" in str(line.story(task)["moments"])


def test_a_dismissed_one_is_still_replayed_and_its_steps_follow(start: Callable[..., Line]) -> None:
    line = start(CHAIN)
    row = dead_first(line)
    post(line, "deliveries/dismiss", ids=[row], reason="perhaps", confirm=True)
    (behind,) = [one["id"] for one in listed(line, state="dismissed") if one["step"] == "more"]
    alone = post(line, "deliveries/replay", ids=[behind], state=["dismissed"], confirm=True)
    skipped = {"it was dismissed with the step before it: replay that one": 1}
    assert (alone["count"], alone["skipped"]) == (0, skipped)
    assert "1 deliveries to be sent (1 http)" in command(line, "replay", row, "--yes")
    line.until(listed(line, recipe="Tell")[0]["task_id"], "delivery.done", 3)
    assert line.receiver.ids == [row, row, behind]


def test_a_dismissed_one_is_sent_as_a_new_one_too(start: Callable[..., Line]) -> None:
    line = start(TELL)
    row = dead(line)
    post(line, "deliveries/dismiss", ids=[row["id"]], reason="perhaps", confirm=True)
    line.relay.shelf.recipes = RecipeSet([parse(TELL.replace("first", "second"), "recipe.yaml")])
    command(line, "replay", "--state", "dismissed", "--recipe", "Tell", "--new", "--yes")
    line.until(row["task_id"], "delivery.done", 2)
    assert listed(line, state="dismissed")[0]["id"] == row["id"]


def test_all_of_them_without_a_word_or_without_a_reason_are_refused(start: Callable[..., Line]) -> None:
    line = start("")
    assert line.client.post("/relay/v1/deliveries/dismiss", json={"reason": "all"}).status_code == 400
    for body in ({"task_id": "task_1"}, {"task_id": "task_1", "reason": "  "}):
        assert line.client.post("/relay/v1/deliveries/dismiss", json=body).status_code == 400


def test_the_dashboard_asks_why_and_shows_them_apart(
    start: Callable[..., Line], browsers: Callable[[Line], Browser]
) -> None:
    line = start(TELL)
    browser = signed_in(line, browsers(line))
    row = dead(line)
    assert "1 dead letter" in re.sub("<[^>]+>", "", browser.see("/"))
    assert 'formaction="/deliveries/dismiss"' in browser.see("/deliveries?show=dead")
    assert 'action="/deliveries/dismiss"' in browser.see(f"/tasks/{row['task_id']}")
    asked = browser.fill("/deliveries/dismiss", id=[row["id"]])
    assert "<strong>1</strong> delivery would be put aside" in asked
    assert "Why?" in browser.fill("/deliveries/dismiss", id=[row["id"]], confirm="true"), "no reason was given"
    assert listed(line, state="dead")
    said = browser.fill("/deliveries/dismiss", id=[row["id"]], confirm="true", reason="they have it")
    assert "1 dismissed. They can still be sent again." in said
    assert "All has arrived" in browser.see("/deliveries")
    assert "Tell / tell" in browser.see("/deliveries?show=dismissed")
    assert "dead letter" not in browser.see("/")
    task = browser.see(f"/tasks/{row['task_id']}")
    assert "they have it" in task
    assert "Send again" in task
    browser.fill("/deliveries/replay", show="dismissed", confirm="true")
    line.until(row["task_id"], "delivery.done", 2)


def test_the_page_dismisses_only_what_is_looked_at(
    start: Callable[..., Line], browsers: Callable[[Line], Browser]
) -> None:
    line = start(TELL)
    browser = signed_in(line, browsers(line))
    dead(line)
    assert "nothing to dismiss" in browser.fill("/deliveries/dismiss", show="dead", error="answered 404")
    assert "<strong>1</strong>" in browser.fill("/deliveries/dismiss", show="dead", error="answered 500")


def dead_first(line: Line) -> str:
    """The first of two steps, which was refused once and for all."""
    line.receiver.answers = [500]
    line.until(line.create(), "delivery.dead")
    (row,) = listed(line, state="dead")
    return row["id"]
