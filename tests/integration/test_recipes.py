"""Recipes tried before they run, over HTTP and beside a running relay: checked, filled in, and no secret shown."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import HOOK_SECRET, KEY, RECIPE, Line, wait_for
from tests.servers import running

Start = Callable[..., Line]
SEALED, REFERRED = "s3aled-and-never-shown", "r3ferred-and-never-shown"
CARELESS = f"""\
name: Careless
on: [task.succeeded, task.failed]
steps:
  tell:
    use: http
    connection: late
    with:
      headers:
        x-api-key: written in the recipe
        authorization: Basic dXNlcjpwYXNz
        x-title: "{{{{ row.title }}}}"
      body: {{ id: "{{{{ event.id }}}}", oops: "{SEALED}", again: "{REFERRED}", token: "another" }}
on_failure:
  - use: http
    connection: hook
    with: {{ body: {{ text: "{{{{ delivery.step }}}} of {{{{ delivery.recipe }}}} failed for {{{{ task.id }}}}" }} }}
"""


def post(line: Line, what: str, **body: Any) -> Any:
    answer = line.client.post(f"/relay/v1/recipes/{what}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def refused(line: Line, **body: Any) -> tuple[int, str]:
    answer = line.client.post("/relay/v1/recipes/preview", json=body)
    return answer.status_code, answer.json()["error"]["message"]


def store(line: Line, name: str = "late") -> None:
    settings = {"url": "https://hooks.example.com/x", "header": "x-key", "value": SEALED}
    body = {"connector": "http", "settings": settings}
    assert line.client.put(f"/relay/v1/connections/{name}", json=body).status_code == 200


class TestOverHttp:
    def test_the_list_says_what_is_in_use_and_what_would_fail(self, start: Start) -> None:
        line = start(RECIPE.replace("connection: hook", "connection: late"))
        (listed,) = line.client.get("/relay/v1/recipes").json()["data"]["data"]
        assert (listed["name"], listed["on"], listed["steps"], listed["enabled"]) == (
            "Keep and tell",
            ["task.succeeded"],
            ["keep", "tell"],
            True,
        )
        assert len(listed["hash"]) == 64
        (problem,) = listed["problems"]
        assert (problem["file"], problem["line"], problem["column"]) == ("recipe.yaml", 10, 17)
        assert problem["message"] == "there is no connection 'late'"
        store(line)
        (listed,) = line.client.get("/relay/v1/recipes").json()["data"]["data"]
        assert listed["problems"] == []

    def test_a_file_that_cannot_be_read_is_listed_while_the_old_recipes_go_on(
        self, start: Start, tmp_path: Path
    ) -> None:
        folder = tmp_path / "recipes"
        folder.mkdir()
        (folder / "good.yaml").write_text(RECIPE)
        line = start(recipes=folder)

        def listing() -> Any:
            return line.client.get("/relay/v1/recipes").json()["data"]

        (folder / "bad.yaml").write_text("name: Bad\non: task.succeded\nsteps: { a: { use: http } }\n")
        problems = wait_for(lambda: listing()["problems"], "the bad file to be seen")
        assert [(Path(one["file"]).name, one["line"], one["hint"]) for one in problems] == [
            ("bad.yaml", 2, "did you mean 'task.succeeded'?")
        ]
        assert [one["name"] for one in listing()["data"]] == ["Keep and tell"]
        (folder / "bad.yaml").unlink()
        wait_for(lambda: not listing()["problems"], "the bad file to be gone")

    def test_a_text_is_checked_by_line_and_column(self, start: Start) -> None:
        line = start()
        assert post(line, "check", text=RECIPE) == {"ok": True, "name": "Keep and tell", "problems": []}
        wrong = RECIPE.replace("use: http", "use: htp").replace("event.id", "event.nid")
        told = post(line, "check", text=wrong, file="mine.yaml")
        assert (told["ok"], told["name"]) == (False, "Keep and tell")
        assert [(one["line"], one["message"], one["hint"]) for one in told["problems"]] == [
            (9, "there is no connector 'htp'", "did you mean 'http'?"),
            (12, "`event.nid` is not there", "did you mean 'id'?"),
        ]
        assert {one["file"] for one in told["problems"]} == {"mine.yaml"}
        told = post(line, "check", text="name: [")
        assert (told["ok"], told["name"], told["problems"][0]["line"]) == (False, None, 1)

    def test_a_connection_of_another_kind_is_told(self, start: Start) -> None:
        line = start()
        store(line)
        told = post(line, "check", text=RECIPE.replace("connection: shelf", "connection: late"))
        (problem,) = told["problems"]
        assert problem["message"] == "the connection 'late' is one for http, but the step uses folder"

    def test_a_recipe_is_filled_in_with_a_sample(self, start: Start) -> None:
        line = start()
        (shown,) = post(line, "preview", recipe="Keep and tell")["data"]
        assert (shown["event"], shown["sample"], shown["matches"]) == ("task.succeeded", True, True)
        assert [(call["step"], call["use"], call["error"]) for call in shown["calls"]] == [
            ("keep", "folder", None),
            ("tell", "http", None),
        ]
        assert shown["calls"][0]["with"] == {"path": "Rooftop Season.mp4"}

    def test_a_text_is_filled_in_with_a_real_task_and_shows_no_secret(self, start: Start) -> None:
        line = start(RECIPE.replace("with: { body", "with: { headers: { x-api-key: in the recipe }, body"))
        store(line)
        task_id = line.create(row={"title": "Neon"})
        line.delivered(task_id)
        (shown,) = post(line, "preview", text=CARELESS, task_id=task_id)["data"]
        assert (shown["task_id"], shown["sample"], shown["matches"]) == (task_id, False, True)
        (call,) = shown["calls"]
        assert call["with"]["headers"] == {"x-api-key": "…", "authorization": "…", "x-title": "Neon"}
        assert (call["with"]["body"]["oops"], call["with"]["body"]["token"]) == ("…", "…")
        (said,) = [one["request"] for one in line.moments(task_id, "delivery.done") if one["step"] == "tell"]
        assert said["headers"] == {"x-api-key": "…"}, "nor does the history of what was sent"
        (told,) = shown["on_failure"]
        assert told["step"] == "on_failure[0]"
        assert told["with"]["body"]["text"] == f"tell of Careless failed for {task_id}"
        assert SEALED not in json.dumps(shown)

    def test_steps_see_what_earlier_steps_really_brought(self, start: Start) -> None:
        line = start()
        task_id = line.create(row={"title": "Neon"})
        line.delivered(task_id)
        (shown,) = post(line, "preview", recipe="Keep and tell", task_id=task_id)["data"]
        file: str = shown["calls"][1]["with"]["body"]["file"]
        assert file.startswith("file:///")
        assert file.endswith("/shelf/Neon.mp4")

    def test_what_would_fail_is_told_beside_its_call(self, start: Start) -> None:
        line = start()
        text = RECIPE.replace("{{ row.title | default(task.id) | filename }}", "{{ row.titel }}")
        (shown,) = post(line, "preview", text=text)["data"]
        keep, tell = shown["calls"]
        assert "'titel' is not there; did you mean 'title'?" in keep["error"]
        assert (keep["with"], tell["error"]) == (None, None)
        text = RECIPE.replace("body: { id:", "timeuot: 1, body: { id:")
        (shown,) = post(line, "preview", text=text)["data"]
        assert "does not fit http: Object contains unknown field `timeuot`" in shown["calls"][1]["error"]

    def test_it_says_why_a_recipe_does_not_want_an_event(self, start: Start) -> None:
        line = start()
        task_id = line.create()
        line.delivered(task_id)

        def why(text: str, task: str | None = task_id) -> tuple[bool, str]:
            (shown,) = post(line, "preview", text=text, task_id=task)["data"]
            return shown["matches"], shown["reason"]

        assert why(RECIPE.replace("task.succeeded", "task.failed")) == (
            False,
            "the recipe is on task.failed; this is task.succeeded",
        )
        assert why(RECIPE + 'when: "{{ row.title == 1 }}"\n', None)[1].startswith("`when:` does not hold")
        assert "'titel' is not there" in why(RECIPE + 'when: "{{ row.titel }}"\n', None)[1]
        assert "the task carries none of the tags" in why(RECIPE + "match: { tags: release }\n")[1]
        assert why(RECIPE + "enabled: false\n") == (True, "it would, but it is not enabled: `enabled: false`")

    def test_what_cannot_be_previewed_is_refused(self, start: Start) -> None:
        line = start(sandbox={"speed": 0.001})
        assert refused(line, recipe="Keep and tel")[0] == 404
        assert "did you mean 'Keep and tell'?" in refused(line, recipe="Keep and tel")[1]
        assert refused(line, text=RECIPE, task_id="task_x") == (404, "there is no task task_x")
        assert refused(line)[0] == refused(line, text="x", recipe="y")[0] == 400
        assert "has not finished yet" in refused(line, text=RECIPE, task_id=line.create())[1]
        answer = line.client.post("/relay/v1/recipes/preview", json={"text": "name: x\non: y\n"})
        assert (answer.status_code, answer.json()["error"]["details"][0]["line"]) == (400, 1)
        answer = line.client.post("/relay/v1/recipes/check", json={"text": "x" * 300_000})
        assert answer.status_code == 413

    def test_other_events_of_a_real_task(self, start: Start) -> None:
        line = start()
        line.receiver.answers = [400]
        task_id = line.create(row={"title": "Neon"})
        line.until(task_id, "delivery.dead")
        text = """\
name: All else
on: [task.updated, delivery.dead, batch.completed]
steps: { tell: { use: http, connection: hook, with: { body: "{{ (delivery | default({})).step | default('-') }}" } } }
"""
        shown = post(line, "preview", text=text, task_id=task_id)["data"]
        calls = {one["event"]: one["calls"][0]["with"]["body"] for one in shown if one["matches"]}
        assert calls == {"task.updated": "-", "delivery.dead": "tell", "batch.completed": "-"}
        assert {one["event"] for one in shown if one["sample"]} == {"batch.completed"}


class Moody:
    """Answers 200 each time, and says only in its body whether it meant it."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await receive()
        self.calls += 1
        body = (
            b'{"ok": true, "id": "m1"}'
            if self.calls > 1
            else b'{"ok": false, "error": "not now, %s"}' % SEALED.encode()
        )
        kind = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        await send({"type": "http.response.body", "body": body})


def test_an_answer_counts_as_done_when_the_recipe_says_so(start: Start) -> None:
    with running(Moody()) as url:
        recipe = f"""\
name: Ask twice
on: task.succeeded
vars: {{ word: ok }}
steps:
  tell:
    use: http
    retry: {{ schedule: [0.1] }}
    with: {{ url: "{url}", success_when: "{{{{ answer.status == 200 and answer.json[vars.word] }}}}" }}
"""
        line = start(recipe, allow_private=[url.removeprefix("http://")])
        store(line)
        task_id = line.create()
        done = line.until(task_id, "delivery.done", 2)[-1]
        (failed,) = line.moments(task_id, "delivery.failed")
    assert done["detail"]["json"]["id"] == "m1"
    assert failed["error"] == (
        'the receiver answered 200, and said: {"ok": false, "error": "not now, …"};'
        " `success_when` does not hold: {{ answer.status == 200 and answer.json[vars.word] }}"
    )


class TestRemoval:
    @pytest.fixture
    def line(self, start: Start, tmp_path: Path) -> Line:
        folder = tmp_path / "recipes"
        folder.mkdir()
        (folder / "keep.yaml").write_text(RECIPE)
        line = start("", recipes=folder)
        wait_for(lambda: line.relay.shelf._seen is not None, "the shelf")  # pyright: ignore[reportPrivateUsage]
        line.relay.shelf._seen = None  # pyright: ignore[reportPrivateUsage]  # it was begun without its folder
        wait_for(lambda: len(line.relay.recipes) == 1, "the recipe")
        return line

    def test_it_is_looked_at_and_then_removed(self, line: Line, tmp_path: Path) -> None:
        shown = line.client.get("/relay/v1/recipes/keep.yaml/removal").json()["data"]
        assert (shown["recipe"], shown["under_way"], shown["dead"], shown["done"]) == ("Keep and tell", 0, 0, False)
        assert shown["asked_for"] == 0
        assert (tmp_path / "recipes/keep.yaml").exists()
        removed = line.client.delete("/relay/v1/recipes/keep.yaml").json()["data"]
        assert (removed["done"], removed["still_used"], len(line.relay.recipes)) == (True, False, 0)
        assert not (tmp_path / "recipes/keep.yaml").exists()
        assert line.client.delete("/relay/v1/recipes/keep.yaml").status_code == 404
        assert line.client.get("/relay/v1/recipes/..%2Fkeep.yaml/removal").status_code == 404

    def test_only_an_admin_removes(self, line: Line, tmp_path: Path) -> None:
        made = line.client.post("/relay/v1/keys", json={"name": "op", "scopes": ["operate"]}).json()["data"]
        answer = line.client.delete("/relay/v1/recipes/keep.yaml", headers={"authorization": f"Bearer {made['key']}"})
        assert (answer.status_code, (tmp_path / "recipes/keep.yaml").exists()) == (403, True)

    def test_the_command_says_what_it_means_and_asks(self, line: Line, tmp_path: Path) -> None:
        environ = {**os.environ, "BEATAPI_API_KEY": KEY, "BEATRELAY_API_KEYS": KEY}
        command = [sys.executable, "-m", "relay.cli", "recipes", "remove", "keep.yaml", "--url", line.url]

        def run(answer: str, *more: str) -> "subprocess.CompletedProcess[str]":
            return subprocess.run(
                [*command, *more], env=environ, input=answer, capture_output=True, text=True, cwd=tmp_path, check=False
            )

        asked = run("n\n")
        assert "Deliveries not over: 0. They go on with the text they were planned with." in asked.stdout
        assert "Songs not finished that were asked for with it: 0." in asked.stdout
        assert "Remove keep.yaml (Keep and tell)?" in asked.stdout
        assert (asked.returncode, (tmp_path / "recipes/keep.yaml").exists()) == (1, True)
        assert run("", "--yes").stdout.endswith("keep.yaml is removed\n")
        assert not (tmp_path / "recipes/keep.yaml").exists()
        assert "There is no recipe file `keep.yaml`" in run("", "--yes").stderr


class TestBesideARunningRelay:
    @pytest.fixture
    def line(self, start: Start) -> Line:
        line = start()
        store(line)
        (line.data / "beatrelay.toml").write_text(
            '[connections.hook]\nurl = "env:HOOK_URL"\ntoken = "env:HOOK_TOKEN"\n'
        )
        return line

    def run(self, line: Line, *words: str, text: str = CARELESS) -> "subprocess.CompletedProcess[str]":
        """In a process of its own, which has to learn the secrets by itself."""
        file = line.data / "mine.yaml"
        file.write_text(text)
        environ = {
            **os.environ,
            "BEATAPI_API_KEY": KEY,
            "BEATRELAY_DATA": str(line.data / "data"),
            "HOOK_URL": "https://hooks.example.com/y",
            "HOOK_TOKEN": REFERRED,
        }
        config = ["--config", str(line.data / "beatrelay.toml")]
        command = [sys.executable, "-m", "relay.cli", "recipes", words[0], str(file), *words[1:], *config]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    def test_a_real_task_is_filled_in_and_no_secret_is_shown(self, line: Line) -> None:
        task_id = line.create(row={"title": "Neon"})
        line.delivered(task_id)
        shown = self.run(line, "preview", "--task", task_id)
        assert shown.returncode == 0, shown.stderr
        assert '"x-title": "Neon"' in shown.stdout
        assert f"tell of Careless failed for {task_id}" in shown.stdout
        for secret in (SEALED, REFERRED, HOOK_SECRET, "written in the recipe", "dXNlcjpwYXNz", "another"):
            assert secret not in shown.stdout + shown.stderr

    def test_stored_connections_are_known_to_the_check(self, line: Line) -> None:
        assert "1 recipe is fine" in self.run(line, "check").stdout
        told = self.run(line, "check", text=CARELESS.replace("connection: late", "connection: lat"))
        assert told.returncode == 1
        assert "there is no connection 'lat'" in told.stderr
        assert "did you mean 'late'?" in told.stderr

    def test_without_the_vaults_key_nothing_is_shown(self, line: Line) -> None:
        (line.data / "data" / "vault.key").rename(line.data / "elsewhere")
        shown = self.run(line, "preview")
        assert shown.returncode == 1
        assert "the stored secrets cannot be read, and so not be blanked" in shown.stderr
        assert not (line.data / "data" / "vault.key").exists(), "no key is made in passing"
