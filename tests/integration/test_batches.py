"""A row in, a video out, the row updated; and no row is ever charged twice."""

import io
import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest
from click.testing import CliRunner

from relay.cli import main
from relay.recipe import RecipeSet, parse
from tests.integration.conftest import KEY, Line, wait_for
from tests.songs import wav
from tests.unit.sheets.books import comma_separated, ods, xlsx

Start = Callable[..., Line]
HEADER = ["id", "Title", "Audio", "Image 1", "Format"]


def song(number: int, **other: str) -> list[str]:
    cells = {
        "id": str(number),
        "Title": f"Song {number}",
        "Audio": f"https://media.example.com/{number}.mp3",
        "Image 1": f"https://media.example.com/{number}.png",
        "Format": "square",
    }
    return [{**cells, **other}[name] for name in HEADER]


def plan(line: Line, content: bytes, name: str = "songs.xlsx", **query: Any) -> dict[str, Any]:
    answer = line.client.post("/relay/v1/batches", params={"name": name, **query}, content=content)
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


def run(line: Line, content: bytes, name: str = "songs.xlsx", **answers: Any) -> dict[str, Any]:
    """Plan, start, and wait for the end; gives the summary."""
    batch = plan(line, content, name)
    assert line.client.post(f"/relay/v1/batches/{batch['id']}/start", json=answers).status_code == 200

    def completed() -> dict[str, Any] | None:
        summary = line.client.get(f"/relay/v1/batches/{batch['id']}").json()["data"]
        return summary if summary["state"] == "completed" else None

    return wait_for(completed, "the batch's end", 60)


def charges(line: Line) -> int:
    return line.ledger()["creates"]


def test_a_sheet_becomes_videos_and_gets_its_results(start: Start) -> None:
    line = start()
    summary = run(line, xlsx([HEADER, song(1), song(2), song(3, Format="round")]))
    assert (summary["done"], summary["failed"], summary["invalid"]) == (2, 0, 1)
    content = line.client.get(f"/relay/v1/batches/{summary['id']}/result").content
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    cells = {sheet.cell(1, column).value: column for column in range(1, sheet.max_column + 1)}
    assert [sheet.cell(row, cells["Status"]).value for row in (2, 3, 4)] == ["succeeded", "succeeded", "invalid"]
    video = sheet.cell(2, cells["Video URL"]).value
    assert video.startswith(f"{line.url}/media/med_")
    assert httpx.get(video, trust_env=False).content[4:8] == b"ftyp"
    assert "E4 (Format): must be one of" in sheet.cell(4, cells["Error"]).value
    assert sheet.cell(2, cells["Credits"]).value > 0
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", sheet.cell(2, cells["Finished at"]).value)
    assert charges(line) == 2


def test_the_same_rows_are_never_charged_again_whatever_the_file_is_called(start: Start) -> None:
    line = start()
    rows = [[*row[1:]] for row in (HEADER, song(1), song(2))]  # no ids: content is the identity
    run(line, xlsx(rows))
    again = plan(line, comma_separated([rows[0], *reversed(rows[1:])]), "other.csv")
    assert (again["counts"]["known"], again["counts"]["new"]) == (2, 0)
    summary = run(line, comma_separated([*rows, song(3)[1:]]), "third.csv")
    assert (summary["done"], charges(line)) == (3, 3)


def test_a_changed_row_is_shown_and_asked_for_again_only_on_request(start: Start) -> None:
    line = start()
    run(line, xlsx([HEADER, song(1)]))
    changed = xlsx([HEADER, song(1, Format="9:16")])
    assert plan(line, changed)["counts"]["changed"] == 1
    assert run(line, changed)["skipped"] == 1
    assert charges(line) == 1
    assert run(line, changed, changed=True)["done"] == 1
    assert charges(line) == 2
    assert plan(line, changed)["counts"]["known"] == 1


def test_a_second_song_under_the_same_id_is_told_and_never_dropped_in_silence(start: Start) -> None:
    line = start()
    content = xlsx([["id", *HEADER], ["7", *song(1)], ["7", *song(2)], ["7", *song(1)]])
    counts = plan(line, content)["counts"]
    assert (counts["new"], counts["invalid"], counts["twin"]) == (1, 1, 1)
    assert run(line, content)["done"] == charges(line) == 1


def test_the_same_id_in_another_file_or_sheet_is_another_row(start: Start) -> None:
    line = start()
    run(line, xlsx([HEADER, song(1)]), "june.xlsx")
    other = [HEADER, song(1, Audio="https://media.example.com/other.mp3")]
    for content, name in ((xlsx(other), "july.xlsx"), (xlsx(other, title="B-sides"), "june.xlsx")):
        assert plan(line, content, name)["counts"]["new"] == 1
    assert plan(line, xlsx(other), "June.xlsx")["counts"]["changed"] == 1


def test_a_failed_row_is_asked_for_again_only_on_request(start: Start) -> None:
    line = start()
    line.faults(fail_rate=1.0)
    content = xlsx([HEADER, song(1)])
    assert run(line, content)["failed"] == 1
    line.faults(fail_rate=0.0)
    assert plan(line, content)["counts"]["failed"] == 1
    assert run(line, content)["done"] == 0
    assert run(line, content, failed=True)["done"] == 1
    assert plan(line, content)["counts"]["known"] == 1


def test_each_clients_batches_are_its_own(start: Start) -> None:
    line = start()

    def client(*scopes: str) -> httpx.Client:
        made = line.client.post("/relay/v1/keys", json={"name": "tool", "scopes": scopes}).json()["data"]
        return httpx.Client(base_url=line.url, headers={"authorization": f"Bearer {made['key']}"}, trust_env=False)

    sheet = comma_separated([HEADER, song(1)])
    with client("submit", "read") as mine, client("submit", "read") as other, client("operate", "read") as operator:
        batch = mine.post("/relay/v1/batches", params={"name": "x.csv"}, content=sheet).json()["data"]["id"]
        url = f"/relay/v1/batches/{batch}"
        for path in (url, f"{url}/rows", f"{url}/result"):
            assert [who.get(path).status_code for who in (mine, other, operator)] == [200, 404, 200], path
        assert other.post(f"{url}/start", json={}).status_code == 404
    assert charges(line) == 0


def test_starting_twice_changes_nothing(start: Start) -> None:
    line = start()
    batch = plan(line, xlsx([HEADER, song(1)]))
    for _ in range(3):
        assert line.client.post(f"/relay/v1/batches/{batch['id']}/start", json={}).status_code == 200
    wait_for(lambda: charges(line) == 1, "one charge")
    wait_for(
        lambda: line.client.get(f"/relay/v1/batches/{batch['id']}").json()["data"]["state"] == "completed",
        "the end",
        60,
    )
    assert charges(line) == 1


def test_the_plan_says_what_it_costs_against_the_balance(start: Start) -> None:
    line = start(sandbox={"balance": 60})
    quote = plan(line, xlsx([HEADER, song(1), song(2)]), default="duration=15")["quote"]
    assert (quote["least"], quote["balance"], quote["enough"]) == (100, 60, "no")


@pytest.mark.parametrize(
    ("content", "query", "message"),
    [
        (b"", {}, "the file is empty"),
        (b"foo,bar\n1,2\n", {}, "no row names the columns"),
        (b"audio,image\n", {}, "no row below it"),
        (b"audio,image\nx,y\n", {"column": "audio"}, "must be like `column=Title=field`"),
        (b"audio,image\nx,y\n", {"sheet": "one"}, "a CSV has no sheets"),
    ],
)
def test_what_cannot_be_planned_is_said(start: Start, content: bytes, query: dict[str, str], message: str) -> None:
    line = start()
    answer = line.client.post("/relay/v1/batches", params={"name": "x.csv", **query}, content=content)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


def test_the_command_line_runs_a_sheet_to_its_end(start: Start) -> None:
    line = start()
    file = line.data / "my songs.csv"
    before = comma_separated([HEADER, song(1), song(2, Audio="./two.wav"), song(3, Audio="nothing.mp3")])
    file.write_bytes(before)
    (line.data / "two.wav").write_bytes(wav(12.0))
    environ = {"BEATAPI_API_KEY": KEY, "BEATRELAY_PUBLIC_URL": line.url, "COLUMNS": "200"}

    def beatrelay(*arguments: str) -> str:
        result = CliRunner().invoke(main, ["batch", *arguments], env=environ)
        assert result.exit_code == 0, result.output
        return result.output

    told = beatrelay("run", str(file), "--dry-run")
    assert "3  new: will be asked for" in told
    assert charges(line) == 0
    told = beatrelay("run", str(file), "--yes")
    assert "nothing.mp3 is not there; its rows are left out" in told
    assert "1 invalid" in told
    results = (line.data / "my songs.result.csv").read_text().splitlines()
    assert ",succeeded,http" in results[1]
    assert ",invalid,," in results[3]
    assert file.read_bytes() == before
    assert "completed  my songs.csv" in beatrelay("list")
    again = beatrelay("run", str(file), "--yes")
    assert "asked for before" in again


def test_the_command_asks_before_it_spends(start: Start) -> None:
    line = start()
    file = line.data / "songs.csv"
    file.write_bytes(comma_separated([HEADER, song(1)]))
    environ = {"BEATAPI_API_KEY": KEY, "BEATRELAY_PUBLIC_URL": line.url, "COLUMNS": "200"}
    for reply in ("n\n", "\n", ""):
        refused = CliRunner().invoke(main, ["batch", "run", str(file)], env=environ, input=reply)
        assert (refused.exit_code, "Ask for 1 video" in refused.output) == (1, True)
    assert charges(line) == 0
    agreed = CliRunner().invoke(main, ["batch", "run", str(file)], env=environ, input="y\n")
    assert (agreed.exit_code, charges(line)) == (0, 1), agreed.output


def test_the_command_follows_every_option(start: Start) -> None:
    """The second sheet, its own columns, a value for what is empty, results in the file itself; then what changed."""
    line = start()
    book = openpyxl.Workbook()
    book.create_sheet("June").append(["Ref", "Stems", "Art", "Title"])
    book["June"].append(["7", "https://media.example.com/1.mp3", "https://media.example.com/1.png", "Rooftop"])
    file = line.data / "songs.xlsx"
    book.save(file)
    environ = {"BEATAPI_API_KEY": KEY, "BEATRELAY_PUBLIC_URL": line.url, "COLUMNS": "200"}
    columns = [*(f"--map={pair}" for pair in ("Stems=audio_url", "C=images", "ref=id")), "--sheet=june", "--yes"]

    def beatrelay(*more: str) -> dict[str, Any]:
        """The row as it stands in the file afterwards."""
        told = CliRunner().invoke(main, ["batch", "run", str(file), *columns, "--in-place", *more], env=environ)
        assert told.exit_code == 0, told.output
        header, row, *_ = openpyxl.load_workbook(file)["June"].iter_rows(values_only=True)
        return dict(zip(map(str, header), row, strict=True))

    first = beatrelay("--set", "aspect_ratio=1:1", "--tag", "june", "--priority", "3")
    assert (first["Status"], first["Title"], first["Credits"] > 0) == ("succeeded", "Rooftop", True)
    with sqlite3.connect(f"file:{line.data}/data/journal.db?mode=ro", uri=True) as journal:
        (kept,) = journal.execute("SELECT priority, tags, request FROM operations JOIN tasks ON tasks.id = task_id")
    journal.close()
    assert (kept[0], "june" in kept[1], json.loads(kept[2])["aspect_ratio"]) == (3, True, "1:1")
    assert not (line.data / "songs.result.xlsx").exists()
    book = openpyxl.load_workbook(file)
    book["June"].append(["8", "https://media.example.com/2.mp3", "https://media.example.com/2.png", "Slow River"])
    book.save(file)
    changed = ["--set", "aspect_ratio=9:16"]
    left = beatrelay(*changed)
    assert (left["Status"], "changed since" in left["Error"]) == ("skipped", True)
    stays = ("Video URL", "Credits", "Task ID", "Finished at")
    assert [left[name] for name in stays] == [first[name] for name in stays], "an earlier result was lost"
    again = beatrelay(*changed, "--changed")
    assert (again["Task ID"] != first["Task ID"], charges(line)) == (True, 3)


def test_the_results_of_a_sheet_that_cannot_be_written_into_come_as_a_csv(start: Start) -> None:
    line = start()
    file = line.data / "songs.ods"
    file.write_bytes(before := ods([HEADER, song(1)]))
    environ = {"BEATAPI_API_KEY": KEY, "BEATRELAY_PUBLIC_URL": line.url, "COLUMNS": "200"}
    told = CliRunner().invoke(main, ["batch", "run", str(file), "--yes", "--in-place"], env=environ)
    assert (told.exit_code, "songs.ods cannot be written into" in told.output) == (0, True), told.output
    assert b",succeeded,http" in (line.data / "songs.result.csv").read_bytes()
    assert file.read_bytes() == before


CAUGHT = """\
name: {name}
on: [{on}]
match: {{ {match} }}
steps:
  tell: {{ use: http, connection: hook, with: {{ body: {{ by: "{name}", what: "{{{{ {what} }}}}" }} }} }}
"""
DONE = "batch.name ~ ': ' ~ batch.done ~ ' done, ' ~ batch.failed ~ ' failed, ' ~ batch.credits ~ ' credits'"
EVERY = CAUGHT.format(name="Every video", on="task.succeeded", match="", what="row.title")
CHOSEN = CAUGHT.format(name="Press kit", on="task.succeeded", match="tags: [press]", what="row.title")
DIGEST = CAUGHT.format(name="Digest", on="batch.completed", match="tags: [june]", what=DONE)


def caught(line: Line) -> list[tuple[str, str]]:
    bodies = [json.loads(body) for _, body in line.receiver.received]
    return sorted((body["by"], body["what"]) for body in bodies)


def ended(line: Line, batch_id: str) -> None:
    """Wait until the batch is completed and nothing is left to deliver."""
    url = f"/relay/v1/batches/{batch_id}"
    wait_for(lambda: line.client.get(url).json()["data"]["state"] == "completed", "the batch's end", 60)
    with sqlite3.connect(f"file:{line.data}/data/journal.db?mode=ro", uri=True) as journal:
        left = "SELECT 1 FROM deliveries WHERE state IN ('waiting', 'due', 'leased')"
        wait_for(lambda: not journal.execute(left).fetchall(), "the rest")
    journal.close()


def test_a_completed_batch_is_told_with_its_sums_to_whom_its_tags_match(start: Start) -> None:
    line = start(recipe=DIGEST)
    line.faults(fail_rate=1.0)
    batch = line.client.post(
        "/relay/v1/batches",
        params={"name": "june.csv"},
        content=comma_separated([HEADER, song(1), song(2, Format="round")]),
        headers={"x-beatrelay-tags": "june"},
    ).json()["data"]
    line.client.post(f"/relay/v1/batches/{batch['id']}/start", json={})
    ended(line, batch["id"])
    assert caught(line) == [("Digest", "june.csv: 0 done, 1 failed, 0 credits")]
    run(line, comma_separated([HEADER, song(1)]), "july.csv")  # without the tag
    assert len(caught(line)) == 1
    line.faults(fail_rate=0.0)
    spent = [run(line, comma_separated([HEADER, *map(song, numbers)]), "august.csv") for numbers in ([3], [3, 4])]
    assert [one["done"] for one in spent] == [1, 2]
    assert spent[0]["credits"] == spent[1]["credits"] > 0, "what an earlier batch paid for is not paid for again"


def test_a_batch_with_a_recipe_of_its_own_tells_that_one_alone(start: Start) -> None:
    line = start(recipe="")
    line.relay.shelf.recipes = RecipeSet(
        [parse(text, f"{name}.yaml") for name, text in (("every", EVERY), ("press-kit", CHOSEN), ("digest", DIGEST))]
    )
    content = xlsx([HEADER, song(1), song(2)])
    chosen = plan(line, content, recipe=["press kit", "press-kit.yaml"])
    line.client.post(f"/relay/v1/batches/{chosen['id']}/start", json={})
    ended(line, chosen["id"])
    assert caught(line) == [("Press kit", "Song 1"), ("Press kit", "Song 2")]
    both = plan(line, xlsx([HEADER, song(3)]), "both.xlsx", recipe=["Press kit", "Digest"])
    line.client.post(f"/relay/v1/batches/{both['id']}/start", json={})
    ended(line, both["id"])
    assert [by for by, _ in caught(line)] == ["Digest"] + ["Press kit"] * 3
    run(line, xlsx([HEADER, song(4)]), "other.xlsx")
    assert ("Every video", "Song 4") in caught(line)


def test_a_recipe_that_is_not_there_is_told_before_anything_is_planned(start: Start) -> None:
    line = start(recipe=EVERY)
    content = xlsx([HEADER, song(1)])
    for url in ("/relay/v1/batches?name=x.xlsx", "/relay/v1/triggers/songs?x=1"):
        answer = line.client.post(f"{url}&recipe=Evry+video", content=content)
        assert answer.status_code == 400
        assert "no recipe named 'Evry video'; did you mean 'Every video'?" in answer.json()["error"]["message"]
    file = line.data / "songs.xlsx"
    file.write_bytes(content)
    environ = {"BEATAPI_API_KEY": KEY, "BEATRELAY_PUBLIC_URL": line.url}
    result = CliRunner().invoke(main, ["batch", "run", str(file), "--recipe", "video", "--yes"], env=environ)
    assert (result.exit_code, "did you mean 'Every video'?" in result.output) == (1, True)
    result = CliRunner().invoke(main, ["batch", "run", str(file), "--recipe", "every video", "--yes"], env=environ)
    assert result.exit_code == 0, result.output
    wait_for(lambda: caught(line) == [("Every video", "Song 1")], "the delivery")


def test_the_command_shows_each_rows_price_and_counts_what_is_asked_for_again(start: Start) -> None:
    line = start(sandbox={"balance": 100})
    run(line, comma_separated([HEADER, song(1)]), "songs.csv")
    file = line.data / "songs.csv"
    file.write_bytes(comma_separated([HEADER, song(1, Format="9:16"), song(2)]))
    environ = {"BEATAPI_API_KEY": KEY, "BEATRELAY_PUBLIC_URL": line.url, "COLUMNS": "200"}

    def dry(*options: str) -> str:
        command = ["batch", "run", str(file), "--dry-run", "--set", "duration=12", *options]
        result = CliRunner().invoke(main, command, env=environ)
        assert result.exit_code == 0, result.output
        return result.output

    told = dry()
    assert re.search(r"3 .*new .*Song 2 .*12 s .*about 60, 50 to 900", told)
    assert "Price: 50 to 900 credits" in told
    told = dry("--changed")
    assert re.search(r"2 .*changed .*Song 1 .*12 s .*about 60", told)
    assert "Price: 100 to 1800 credits" in told
    assert "not enough" in told


def test_the_plan_tells_which_rows_are_hidden_in_the_sheet(start: Start) -> None:
    book = openpyxl.load_workbook(io.BytesIO(xlsx([HEADER, song(1), song(2), song(3, Format="round")])))
    for number in (3, 4):
        book.active.row_dimensions[number].hidden = True
    packed = io.BytesIO()
    book.save(packed)
    rows = plan(start(), packed.getvalue())["rows"]
    assert [(row["number"], row["state"], row["hidden"]) for row in rows] == [
        (2, "new", False),
        (3, "new", True),
        (4, "invalid", True),
    ]


def test_rows_are_listed_with_what_became_of_them(start: Start) -> None:
    line = start()
    summary = run(line, xlsx([HEADER, song(1), song(2, Format="round"), song(3)]))
    url = f"/relay/v1/batches/{summary['id']}/rows"

    def rows(**query: Any) -> list[dict[str, Any]]:
        return line.client.get(url, params=query).json()["data"]["data"]

    assert [(row["number"], row["state"], row["status"]) for row in rows()] == [
        (2, "new", "succeeded"),
        (3, "invalid", "invalid"),
        (4, "new", "succeeded"),
    ]
    first = rows(limit=1)[0]
    assert first["video_url"].startswith(f"{line.url}/media/")
    assert (first["credits"] > 0, first["row"]["title"]) == (True, "Song 1")
    assert [row["problems"][0]["cell"] for row in rows(state="invalid")] == ["E3"]
    assert [row["number"] for row in rows(status=["succeeded", "failed"], after=2)] == [4]
    assert line.client.get("/relay/v1/batches/bat_none/rows").status_code == 404


def test_the_command_lists_what_failed_with_code_message_and_refund(start: Start) -> None:
    line = start()
    line.faults(fail_rate=1.0)
    file = line.data / "songs.csv"
    file.write_bytes(comma_separated([HEADER, song(1)]))
    environ = {"BEATAPI_API_KEY": KEY, "BEATRELAY_PUBLIC_URL": line.url, "COLUMNS": "200"}
    told = CliRunner().invoke(main, ["batch", "run", str(file), "--yes"], env=environ).output
    assert re.search(r"2 .*Song 1 .*processing_\w+: .*\(refunded \d+\).*task_", told), told
    assert "0 done, 1 failed" in told
    line.faults(fail_rate=0.0)
    again = CliRunner().invoke(main, ["batch", "run", str(file), "--yes"], env=environ).output
    assert "Nothing to ask for." in again
    again = CliRunner().invoke(main, ["batch", "run", str(file), "--yes", "--failed"], env=environ).output
    assert ("1 done, 0 failed" in again, charges(line)) == (True, 2), again


def test_attach_writes_into_a_sheet_only_while_it_is_as_it_was(start: Start) -> None:
    line = start()
    content = comma_separated([HEADER, song(1)])
    summary = run(line, content, "songs.csv")
    file = line.data / "songs.csv"
    environ = {"BEATAPI_API_KEY": KEY, "BEATRELAY_PUBLIC_URL": line.url, "COLUMNS": "200"}

    def attach(path: Path) -> None:
        result = CliRunner().invoke(main, ["batch", "attach", summary["id"], "--output", str(path)], env=environ)
        assert result.exit_code == 0, result.output

    edited = content + b"x,by,hand,,\n"
    file.write_bytes(edited)
    attach(file)
    assert file.read_bytes() == edited, "somebody's work was overwritten"
    beside = line.data / "songs.result.csv"
    assert b"succeeded" in beside.read_bytes()
    attach(beside)  # its own earlier results may be replaced
    file.write_bytes(content)
    attach(file)
    assert b"succeeded" in file.read_bytes()
    attach(line.data / "elsewhere.csv")
    assert b"succeeded" in (line.data / "elsewhere.csv").read_bytes()
