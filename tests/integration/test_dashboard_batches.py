"""The pages of batches: a sheet is planned, priced, started once, watched, and taken back with its results."""

import csv
import html
import io
import re
import time

import openpyxl

from tests.browser_pages import XSS, Browser, Open, Start, signed_in
from tests.integration.conftest import Line, wait_for
from tests.songs import wav

HEADER = "Title,Song URL,Cover,Aspect ratio,Prompt\n"
SONG = "https://media.example.com/{name}.mp3,https://media.example.com/{name}.png,{ratio},Neon rooftop"


def rows(*names: str, ratio: str = "1:1") -> str:
    return "".join(f"{name},{SONG.format(name=name, ratio=ratio)}\n" for name in names)


def give(browser: Browser, text: str, name: str = "songs.csv", **fields: str) -> str:
    """Give a sheet; the path of its plan."""
    answer = browser.post("/batches", files={"file": (name, text.encode(), "text/csv")}, data=fields)
    assert answer.status_code == 200, answer.text
    browser.checked(answer)
    return answer.url.path


def completed(browser: Browser, path: str) -> str:
    wait_for(lambda: '"state good">completed' in browser.see(path), "its end")
    return browser.see(path)


def test_a_sheet_is_planned_started_once_watched_and_taken_back(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    assert "No batch yet" in browser.see("/batches")
    path = give(browser, HEADER + rows("dawn", "dusk") + rows("noon", ratio="5:5"))
    page = browser.see(path)
    assert problems(page) == ["D4 Aspect ratio: must be one of 1:1, 16:9, 9:16, 4:3, 3:4 (it is 5:5)"]
    button = re.search(r"<button class=\"first\">(Start .*?)</button>", page)
    assert button
    assert re.fullmatch(r"Start 2 for [\d,]+ to [\d,]+ credits", button.group(1))
    assert '<span class="state good">enough</span>' in page
    every = browser.see(f"{path}?show=all")
    assert re.findall(r"<th scope=\"row\">(\w+)", every) == ["dawn", "dusk", "noon"]
    assert line.client.get("/relay/v1/batches").json()["data"]["data"][0]["state"] == "planned"
    assert tasks(line) == [], "nothing is asked for yet"

    answers = [browser.post(f"{path}/start") for _ in range(2)]
    assert "Started. " in answers[0].text
    assert "nothing is asked for twice" in answers[1].text
    page = completed(browser, path)
    assert "2 of 2 done" in page
    assert page.count('<span class="state good">succeeded</span>') == 2
    assert '<progress max="2" value="2"' in page
    assert len(tasks(line)) == 2
    assert len(re.findall(r'<a href="[^"]*/media/', page)) == 2
    answer = browser.get(f"{path}/result")
    assert "filename*=UTF-8''songs.result.csv" in answer.headers["content-disposition"]
    written = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["Status"] for row in written] == ["succeeded", "succeeded", "invalid"]

    again = browser.see(give(browser, HEADER + rows("dawn", "dusk")))
    assert "There is nothing to ask for." in again
    assert "<b>2</b> asked before" in again
    assert "songs.csv" in browser.see("/batches")


def test_a_sheet_that_the_command_has_run_is_known_on_the_page(start: Start, browsers: Open) -> None:
    line = start()
    text = HEADER + rows("dawn")
    planned = line.client.post("/relay/v1/batches?name=songs.csv", content=text).json()["data"]["id"]
    line.client.post(f"/relay/v1/batches/{planned}/start", json={})
    wait_for(lambda: tasks(line), "its task")
    for name in ("Ada", "Bob"):
        browser = signed_in(line, browsers(line), name=name)
        assert "There is nothing to ask for." in browser.see(give(browser, text)), "whoever gives it"


def test_hidden_rows_are_told_beside_the_price(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    book = openpyxl.Workbook()
    for text in csv.reader((HEADER + rows("dawn", "dusk", "noon")).splitlines()):
        book.active.append(text)
    for number in (3, 4):
        book.active.row_dimensions[number].hidden = True
    packed = io.BytesIO()
    book.save(packed)
    answer = browser.post("/batches", files={"file": ("songs.xlsx", packed.getvalue(), "application/octet-stream")})
    browser.checked(answer)
    assert '<span class="state ask">2 of them</span>' in answer.text
    every = browser.see(f"{answer.url.path}?show=all")
    assert every.count('<p class="quiet">hidden in the sheet</p>') == 2


def test_what_changed_or_failed_is_asked_for_again_only_if_ticked(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    header = "ID,Song URL,Cover,Aspect ratio,Prompt\n"
    path = give(browser, header + rows("7"))
    browser.fill(f"{path}/start")
    completed(browser, path)
    path = give(browser, header + rows("7", ratio="16:9"))
    page = browser.see(path)
    assert "<b>1</b> changed" in page
    assert "There is nothing to ask for." in page
    page = browser.see(f"{path}?changed=true")
    assert "Start 1 for " in page
    assert '<input type="hidden" name="changed" value="true">' in page
    browser.fill(f"{path}/start", changed="true")
    completed(browser, path)
    assert len(tasks(line)) == 2


def test_a_sheet_that_cannot_be_read_says_why_and_keeps_what_was_typed(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    for content, told in (("", "is empty"), ("a,b\n", "cannot be planned"), ("%PDF-1.7", "is a PDF")):
        answer = browser.post(
            "/batches", files={"file": ("x.csv", content.encode())}, data={"defaults": "quality=high"}
        )
        assert answer.status_code == 400
        assert told in browser.checked(answer)
        assert ">quality=high</textarea>" in answer.text
    answer = browser.post("/batches", data={"sheet": "One"}, files={"nothing": ("", b"")})
    assert "Choose a file first" in answer.text
    answer = browser.post("/batches", files={"file": ("x.csv", rows("a").encode())}, data={"columns": "no pair"})
    assert "it must be like" in html.unescape(answer.text)
    plain = "Track,Art\nhttps://media.example.com/a.mp3,https://media.example.com/a.png\n"
    path = give(browser, plain, columns="Track=audio_url\nArt=images", defaults="aspect_ratio=9:16\nprompt=Rain")
    assert "Start 1 for " in browser.see(path)
    browser.see("/batches/bat_none", 404)


def test_files_that_rows_name_are_handed_over_on_the_page(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    local = "b,songs/B.wav,https://media.example.com/b.png,1:1,Rain\nc,c/c.wav,d/c.wav,1:1,Rain\n"
    path = give(browser, HEADER + rows("a") + local)
    page = browser.see(path)
    assert "2 rows name files on a computer, and are left out until they are here" in page
    assert "<code>songs/B.wav</code>" in page
    assert "Start 1 for " in page
    assert "names a file on a computer: songs/B.wav" in browser.see(f"{path}?show=all")

    def hand(*files: tuple[str, bytes]) -> str:
        return browser.checked(browser.post(f"{path}/files", files=[("file", file) for file in files]))

    said = hand(("b.wav", wav(2)), ("x.wav", wav(12)), ("c.wav", wav(12)), ("<b>.wav", b"nothing"))
    assert "0 files are at Beat API now. b.wav: " in said
    assert "must play 10 to 180 seconds" in said
    assert "x.wav: no row names it. c.wav: the sheet names one in several folders." in said
    assert "<b>.wav" not in said
    said = hand(("b.wav", wav(12)))
    assert "1 file is at Beat API now." in said
    assert "Start 2 for " in said
    assert "1 row names a file on a computer" in said
    browser.fill(f"{path}/start")
    page = completed(browser, path)
    assert "2 of 2 done" in page
    assert "is a file that was not uploaded" in browser.see(f"{path}?show=problems")
    for task in tasks(line):
        assert "songs/B.wav" not in browser.see(f"/tasks/{task}"), "a link stands in its place"


def test_ten_thousand_rows_are_paged_and_quick(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    names = [f"song-{number}" for number in range(10_000)]
    path = give(browser, HEADER + rows(*names[:9_990]) + rows(*names[9_990:], ratio="5:5"))
    began = time.perf_counter()
    page = browser.see(path)
    took = time.perf_counter() - began
    assert len(problems(page)) == 10, "the problems come first"
    assert "<b>9990</b> new" in page
    page, seen = browser.see(f"{path}?show=all"), 0
    for _ in range(3):
        shown = [int(number) for number in re.findall(r"<td>(\d+)</td>", page)]
        assert len(shown) == 50
        assert min(shown) > seen
        seen = max(shown)
        following = re.search(r'href="([^"]+)" rel="next"', page)
        assert following
        page = browser.see(html.unescape(following.group(1)))
    assert took < 5, f"{took:.1f} s, on whatever machine this is"


def test_only_an_operator_spends(start: Start, browsers: Open) -> None:
    line = start()
    path = give(signed_in(line, browsers(line)), HEADER + rows("a"))
    viewer = signed_in(line, browsers(line), "viewer", "Vi")
    assert "data-drop" not in viewer.see("/batches")
    assert "Start 1" not in viewer.see(path)
    assert viewer.post(f"{path}/start").status_code == 403
    assert viewer.post("/batches", files={"file": ("x.csv", b"a")}).status_code == 403
    assert viewer.post(f"{path}/files", files={"file": ("x.wav", b"a")}).status_code == 403
    operator = signed_in(line, browsers(line), "operator", "Op")
    assert "Started. " in operator.fill(f"{path}/start")


def test_cells_and_file_names_are_shown_and_never_run(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    cell = f'"{XSS.replace(chr(34), chr(34) * 2)}"'
    header = HEADER.replace("Title", f"Title,{cell}").replace("Aspect ratio", '"Aspect ratio"')
    sheet = f"{header}{cell},{cell},{cell},{cell},{cell},{cell}\n{cell},{cell},{SONG.format(name='a', ratio='1:1')}\n"
    path = give(browser, sheet, f"{XSS}.<b>", defaults="aspect_ratio=1:1")
    browser.fill(f"{path}/start")
    pages = [browser.see(one) for one in (path, f"{path}?show=problems", "/batches", f"{path}?show={XSS}")]
    pages.append(browser.post("/batches", files={"file": (f"{XSS}.pdf", b"%PDF")}, data={"sheet": XSS}).text)
    for page in pages:
        assert "<script>alert" not in page
        assert ".<b>" not in page
    assert "{{7*7}}" in pages[0], "text stays text"
    answer = browser.get(f"{path}/result")
    assert answer.status_code == 200
    assert "<" not in answer.headers["content-disposition"]


def tasks(line: Line) -> list[str]:
    """Every task that was asked for."""
    return [one["task_id"] for one in line.client.get("/relay/v1/submissions").json()["data"]["data"]]


def problems(page: str) -> list[str]:
    """What is wrong with cells, as a person reads it."""
    found = re.findall(r'<p class="problem">(.*?)</p>', page)
    return [html.unescape(re.sub("<span.*?</span>|<.*?>", "", text)).strip() for text in found]


def test_a_chosen_recipe_alone_hears_of_the_sheet(start: Start, browsers: Open) -> None:
    line = start()
    browser = signed_in(line, browsers(line))
    assert "<option>Keep and tell</option>" in browser.see("/batches")
    answer = browser.post("/batches", files={"file": ("a.csv", HEADER + rows("dawn"))}, data={"recipe": "Keep and tel"})
    assert answer.status_code == 400
    assert "Keep and tell" in answer.text
    path = give(browser, HEADER + rows("dawn"), recipe="Keep and tell")
    browser.post(f"{path}/start")
    completed(browser, path)
    wait_for(lambda: line.receiver.received, "the recipe's delivery")
