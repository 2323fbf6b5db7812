"""What has not arrived is found with one query and sent again: over the API and the command, on real sockets."""

import re
from collections.abc import Callable
from typing import Any

from click.testing import CliRunner

from relay.cli import main
from relay.recipe import RecipeSet, parse
from tests.integration.conftest import KEY, Line, wait_for

TELL = """\
name: Tell
on: task.succeeded
steps:
  tell: { use: http, connection: hook, retry: { attempts: 1 }, with: { body: { said: "first" } } }
"""


def command(line: Line, *words: str) -> str:
    result = CliRunner().invoke(
        main, ["deliveries", "--url", line.url, *words], env={"BEATAPI_API_KEY": KEY}, catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def listed(line: Line, **query: Any) -> list[dict[str, Any]]:
    return line.client.get("/relay/v1/deliveries", params=query).json()["data"]["data"]


def post(line: Line, path: str, **body: Any) -> dict[str, Any]:
    answer = line.client.post(f"/relay/v1/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def dead(line: Line) -> dict[str, Any]:
    """A delivery that was refused once and for all."""
    line.receiver.answers = [500]
    task = line.create()
    line.until(task, "delivery.dead")
    (row,) = listed(line, state="undelivered")
    assert (row["state"], row["task_id"], row["error"]) == ("dead", task, "the receiver answered 500")
    return row


def test_a_dead_letter_is_replayed_as_the_same_delivery(start: Callable[..., Line]) -> None:
    line = start(TELL)
    row = dead(line)
    line.relay.shelf.recipes = RecipeSet([parse(TELL.replace("first", "second"), "recipe.yaml")])
    counted = post(line, "deliveries/replay", ids=[row["id"]])
    assert (counted["count"], counted["by_connector"], counted["done"]) == (1, {"http": 1}, False)
    assert len(line.receiver.received) == 1, "counting sent something"
    assert "1 deliveries to be sent (1 http)" in command(line, "replay", row["id"], "--yes")
    line.until(row["task_id"], "delivery.done", 2)
    assert line.receiver.ids == [row["id"], row["id"]]
    assert b"first" in line.receiver.received[1][1], "the recipe was not as it was"
    assert listed(line, state="undelivered") == []
    assert line.kinds(row["task_id"]).count("delivery.replayed") == 1


def test_a_dead_letter_is_replayed_as_a_new_one_by_todays_recipe(start: Callable[..., Line]) -> None:
    line = start(TELL)
    row = dead(line)
    today = parse(TELL.replace("first", "second"), "recipe.yaml")
    line.relay.shelf.recipes = RecipeSet([today])
    options = (
        "replay",
        "--recipe",
        "Tell",
        "--error",
        "answered 500",
        "--connection",
        "hook",
        "--since",
        "1h",
        "--new",
    )
    assert "1 deliveries would be sent; add --yes" in command(line, *options)
    command(line, *options, "--yes")
    line.until(row["task_id"], "delivery.done", 2)
    assert len(set(line.receiver.ids)) == 2
    assert b"second" in line.receiver.received[1][1]
    states = {one["id"]: (one["state"], one["recipe_hash"]) for one in listed(line, recipe="Tell")}
    assert states[line.receiver.ids[1]] == ("done", today.hash)
    assert states[row["id"]][0] == "dead", "the dead letter is not kept"


def test_a_time_window_is_replayed_and_nothing_before_or_after_it(start: Callable[..., Line]) -> None:
    line = start(TELL)
    line.receiver.answers = [500] * 3
    for _ in range(3):
        line.until(line.create(), "delivery.dead")
    _, middle, _ = sorted(listed(line, state="dead"), key=lambda row: row["created_at"])
    window = {"since": middle["created_at"], "until": middle["created_at"]}
    assert post(line, "deliveries/replay", **window)["count"] == 1
    assert post(line, "deliveries/replay", confirm=True, **window)["count"] == 1
    line.until(middle["task_id"], "delivery.done", 2)
    assert line.receiver.ids[3:] == [middle["id"]]
    assert len(listed(line, state="dead")) == 2


def test_a_recipe_added_later_runs_over_past_finishes_once(start: Callable[..., Line]) -> None:
    line = start("")
    tasks = [line.create(), line.create()]
    for task in tasks:
        line.until(task, "delivery.done")
    assert [row["state"] for row in listed(line, state="undelivered")] == ["unrouted", "unrouted"]
    line.relay.shelf.recipes = RecipeSet([parse(TELL, "recipe.yaml")])
    assert "2 deliveries would be sent" in command(line, "backfill", "Tell")
    assert line.receiver.received == []
    assert "2 deliveries to be sent (2 http)" in command(line, "backfill", "Tell", "--yes")
    wait_for(lambda: len(line.receiver.received) == 2, "both deliveries")
    wait_for(lambda: listed(line, state="undelivered") == [], "nothing left")
    again = post(line, "deliveries/backfill", recipe="Tell", confirm=True)
    assert (again["count"], again["skipped"]) == (0, {"it had this recipe already: replay its deliveries": 2})
    assert line.client.post("/relay/v1/deliveries/backfill", json={"recipe": "Tel"}).status_code == 404


def test_a_recipe_runs_over_those_past_finishes_that_it_wants(start: Callable[..., Line]) -> None:
    line = start("")
    for tag, title in (("release", "A"), ("release", "B"), ("draft", "A")):
        task = line.create(row={"title": title}, **{"x-beatrelay-tags": tag})
        line.until(task, "delivery.done")
    wanted = TELL.replace("steps:", "match: { tags: release }\nwhen: \"{{ row.title == 'A' }}\"\nsteps:", 1)
    line.relay.shelf.recipes = RecipeSet([parse(wanted, "recipe.yaml")])
    effects = post(line, "deliveries/backfill", recipe="Tell")
    left = {"its `match` does not fit, or it was asked for with other recipes": 1, "its `when` does not hold": 1}
    assert (effects["count"], effects["skipped"]) == (1, left)


def test_a_destination_that_wishes_to_be_left_alone_is_listed_so(start: Callable[..., Line]) -> None:
    line = start(TELL.replace("attempts: 1", "attempts: 3"))
    line.receiver.answers, line.receiver.retry_after = [429], 3600
    task = line.create()
    line.until(task, "delivery.failed")
    said = command(line, "lanes")
    assert re.search(r"hook .* left alone until 20\d\d-.*, as it wished: the receiver answered 429", said)
    assert "1 deliveries are due" in command(line, "resume", "hook")
    line.until(task, "delivery.done", 2)
    assert re.search(r"hook .* ok$", command(line, "lanes"), re.MULTILINE)


def test_a_paused_connection_parks_and_resume_drains(start: Callable[..., Line]) -> None:
    line = start(TELL)
    assert "hook is paused" in command(line, "pause", "hook", "--reason", "they move house")
    task = line.create()
    parked = wait_for(lambda: listed(line, state="parked"), "a parked delivery")
    assert "parked 1  paused: they move house" in command(line, "lanes")
    assert parked[0]["id"] in command(line, "list", "--undelivered")
    assert "is parked" in str(line.story(task)["next"])
    again = post(line, "deliveries/replay", ids=[parked[0]["id"]], state=["parked"], confirm=True)
    assert (again["count"], again["skipped"]) == (0, {"it is parked": 1}), "what is under way cannot be sent again"
    assert line.receiver.received == []
    assert "1 deliveries are due" in command(line, "resume", "hook")
    line.until(task, "delivery.done", 2)
    assert line.receiver.ids == [parked[0]["id"]]
    assert re.search(r"state +done", command(line, "show", parked[0]["id"]))


def test_a_list_is_paged_by_key(start: Callable[..., Line]) -> None:
    line = start(TELL)
    task = line.create()
    line.until(task, "delivery.done", 2)
    first = listed(line, limit=1)
    second = listed(line, limit=1, before=first[0]["id"])
    assert first[0]["id"] > second[0]["id"]
    assert listed(line, limit=1, before=second[0]["id"]) == []
    assert line.client.get("/relay/v1/deliveries/dlv_none").status_code == 404


def test_a_replay_of_everything_is_refused(start: Callable[..., Line]) -> None:
    answer = start(TELL).client.post("/relay/v1/deliveries/replay", json={"confirm": True})
    assert answer.status_code == 400
    assert "Say which deliveries" in answer.json()["error"]["message"]
