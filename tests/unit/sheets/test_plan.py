"""A row becomes a request and keeps its identity; what is wrong is said by cell."""

import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.sheets import PlannedRow, SheetError, match, plan_rows, read_table
from relay.sheets.plan import refuse_shared_ids
from tests.unit.sheets.books import AUDIO, COVER, comma_separated, xlsx


def planned(content: bytes, mapping: dict[str, str] | None = None, **defaults: str) -> list[PlannedRow]:
    table = read_table(content)
    return plan_rows(table, match(table, mapping), defaults)


def one(header: list[str], row: list[str], **defaults: str) -> PlannedRow:
    (found,) = planned(comma_separated([header, row]), **defaults)
    return found


def test_a_row_becomes_a_request_and_facts() -> None:
    row = one(
        ["Title", "Song", "Cover image 1", "Cover_Image 2", "Format", "Lip sync", "Length", "Mood"],
        ["Neon", AUDIO, COVER, COVER + "?2", "portrait", "no", "2:05", "dark"],
    )
    assert row.request == {
        "audio_url": AUDIO,
        "images": [COVER, COVER + "?2"],
        "aspect_ratio": "9:16",
        "lip_sync": False,
        "duration": 125,
    }
    assert (row.facts, row.problems) == ({"title": "Neon", "mood": "dark"}, [])


@pytest.mark.parametrize("text", ["2:05", "02:05:00", "0:02:05", "125", "125.0", "125 sec"])
def test_a_length_is_understood_as_a_spreadsheet_program_keeps_it(text: str) -> None:
    assert one(["Audio", "Image", "Length"], [AUDIO, COVER, text]).request["duration"] == 125


def test_numbered_images_are_sent_in_order_of_their_numbers() -> None:
    row = one(["Image 2", "Image 1", "audio"], [COVER + "?2", COVER + "?1", AUDIO])
    assert row.request["images"] == [COVER + "?1", COVER + "?2"]


@pytest.mark.parametrize(
    "text", [f"{COVER}\n{COVER}?2", f"{COVER}, {COVER}?2", f"{COVER}; {COVER}?2", f"{COVER} {COVER}?2"]
)
def test_several_links_may_stand_in_one_cell(text: str) -> None:
    assert one(["Images", "Audio"], [text, AUDIO]).request["images"] == [COVER, COVER + "?2"]


def test_a_comma_within_a_link_is_part_of_it() -> None:
    assert one(["Images", "Audio"], [COVER + "?a=1,2", AUDIO]).request["images"] == [COVER + "?a=1,2"]


def test_the_surer_name_wins_and_the_other_is_a_fact() -> None:
    row = one(["Song", "Audio URL", "Image"], ["Rooftop", AUDIO, COVER])
    assert (row.request["audio_url"], row.facts) == (AUDIO, {"song": "Rooftop"})


def test_a_title_in_any_script_is_carried_as_a_fact() -> None:
    row = one(["Audio", "Image", "标题", "Артист 1", "🎵"], [AUDIO, COVER, "霓虹", "Мия", "x"])
    assert row.facts == {"标题": "霓虹", "артист_1": "Мия", "column_e": "x"}


def test_a_mapping_wins_over_every_guess() -> None:
    content = comma_separated([["Song", "Stems", "Pic"], ["Rooftop", AUDIO, COVER]])
    (row,) = planned(content, {"stems": "audio_url", "C": "images", "Song": "row.name"})
    assert (row.request, row.facts) == ({"audio_url": AUDIO, "images": [COVER]}, {"name": "Rooftop"})
    with pytest.raises(SheetError, match="a column 'nope' that is not there; there is: Song, Stems, Pic"):
        planned(content, {"Nope": "audio_url"})
    with pytest.raises(SheetError, match="it must be one of audio_url"):
        planned(content, {"Song": "audio"})


def test_a_header_may_stand_below_a_title() -> None:
    (row,) = planned(comma_separated([["Campaign 2026"], [], ["Audio", "Image"], [AUDIO, COVER]]))
    assert (row.number, row.problems) == (4, [])


def test_a_sheet_without_known_columns_says_what_is_expected() -> None:
    with pytest.raises(SheetError, match=r"at least an audio column .* the first row has 'foo', 'bar'"):
        planned(b"foo,bar\n1,2\n")


def test_every_problem_of_a_row_is_said_with_its_cell_and_a_fix() -> None:
    row = one(
        ["Audio", "Image 1", "Image 2", "Format", "Length", "Lip sync"],
        [
            "http://x.example/a.mp3",
            "https://docs.google.com/document/d/abc/edit",
            "https://10.0.0.1/a.png",
            "round",
            "9",
            "maybe",
        ],
    )
    said = {problem.cell: problem for problem in row.problems}
    assert list(said) == ["A2", "B2", "C2", "D2", "E2", "F2"]
    assert said["A2"].rule == "must be a link that begins with https://"
    assert "is a Google document" in said["B2"].rule
    assert "private address" in said["C2"].rule
    assert (said["D2"].column, said["D2"].value, said["D2"].fix) == (
        "Format",
        "round",
        "write 16:9, 9:16, 1:1, 4:3 or 3:4",
    )
    assert "from 10 to 180" in said["E2"].rule
    assert said["F2"].rule == "must be yes or no"


def test_a_missing_column_is_said_once_a_row_without_a_cell() -> None:
    row = one(["Image"], [COVER])
    (problem,) = row.problems
    fix = "no column was understood as it: name one `Audio URL`, or say which one it is (`TITLE=audio_url`)"
    assert str(problem) == f"audio_url: is required; {fix}"


def test_a_second_table_below_loses_no_row_of_the_first() -> None:
    first, second = ["Audio", "Image"], ["Audio", "Image", "Prompt", "Format"]
    rows = planned(comma_separated([["Plan"], first, [AUDIO, COVER], [], second, [AUDIO, COVER, "b", "1:1"]]))
    assert [(row.number, bool(row.problems)) for row in rows] == [(3, False), (5, True), (6, False)]


def test_two_columns_of_one_title_are_both_shown() -> None:
    table = read_table(comma_separated([["Song", "Image", "Song"], [AUDIO, COVER, "Rooftop"]]))
    assert match(table).meanings() == {"Song (A)": "audio_url", "Image": "images[0]", "Song (C)": "row.song"}


def test_local_files_are_named_for_upload() -> None:
    row = one(["Audio", "Image 1", "Image 2", "srt"], ["./songs/a.mp3", r"C:\art\a.png", COVER, "lyrics.srt"])
    assert [(upload.field, upload.path, upload.cell) for upload in row.uploads] == [
        ("audio_url", "./songs/a.mp3", "A2"),
        ("images[0]", r"C:\art\a.png", "B2"),
        ("srt_url", "lyrics.srt", "D2"),
    ]
    assert row.problems == []


@pytest.mark.parametrize(
    ("shared", "direct"),
    [
        (
            "https://drive.google.com/file/d/1AbCdEfGhIjKl/view?usp=sharing",
            "https://drive.google.com/uc?export=download&id=1AbCdEfGhIjKl",
        ),
        (
            "https://drive.google.com/open?id=1AbCdEfGhIjKl",
            "https://drive.google.com/uc?export=download&id=1AbCdEfGhIjKl",
        ),
        ("https://www.dropbox.com/scl/fi/x/a.mp3?rlkey=k&dl=0", "https://www.dropbox.com/scl/fi/x/a.mp3?rlkey=k&dl=1"),
        (
            "https://drive.google.com/file/d/1AbCdEfGhIjKl/view?usp=sharing&resourcekey=0-k",
            "https://drive.google.com/uc?export=download&id=1AbCdEfGhIjKl&resourcekey=0-k",
        ),
        ("https://www.google.com/url?q=https%3A%2F%2Fm.example.com%2Fa.mp3&sa=D", "https://m.example.com/a.mp3"),
        ("\u200b\u201chttps://m.example.com/a.mp3\u201d\ufeff", "https://m.example.com/a.mp3"),
        ("<https://m.example.com/a.mp3>", "https://m.example.com/a.mp3"),
    ],
)
def test_share_links_become_direct_ones(shared: str, direct: str) -> None:
    assert one(["Audio", "Image"], [shared, COVER]).request["audio_url"] == direct


@pytest.mark.parametrize("page", ["https://drive.google.com/drive/folders/1abc", "https://www.dropbox.com/sh/x/y?dl=0"])
def test_a_folders_link_is_refused_with_the_reason(page: str) -> None:
    (problem,) = one(["Audio", "Image"], [page, COVER]).problems
    assert "folder" in problem.rule


@pytest.mark.parametrize(
    ("link", "rule"),
    [
        ("https://www.youtube.com/watch?v=1", "is a page of YouTube, not a file"),
        ("https://open.spotify.com/track/1", "is a page of Spotify, not a file"),
        ("https://1drv.ms/u/s!abc", "is a page of OneDrive, not a file"),
        (
            "https://drive.google.com/drive/my-drive",
            "is a Google Drive page without a file; use the file's own share link",
        ),
        ("http://media.example.com/a.mp3", "must be a link that begins with https://"),
        ("Rooftop Season", "must be a link that begins with https://"),
        ("https://[", "is no link that can be followed"),
        ("https://notyoutube.com/a.mp3", None),
    ],
)
def test_what_leads_to_no_file_is_refused_with_the_reason(link: str, rule: str | None) -> None:
    problems = one(["Audio", "Image"], [link, COVER]).problems
    assert [(problem.cell, problem.value, problem.rule) for problem in problems] == (
        [("A2", link, rule)] if rule else []
    )


@pytest.mark.parametrize("title", ["Lied", "Canción", "音频", "So\u200bng", "\ufeffAudio"])
def test_a_song_is_known_in_other_languages_and_with_characters_that_nobody_sees(title: str) -> None:
    assert one([title, "Bild"], [AUDIO, COVER]).problems == []


def test_defaults_fill_what_a_row_leaves_empty() -> None:
    row = one(["Audio", "Image", "Format"], [AUDIO, COVER, ""], aspect_ratio="9:16", resolution="1080")
    assert (row.request["aspect_ratio"], row.request["resolution"]) == ("9:16", "1080p")


def test_blank_rows_and_rows_with_results_only_are_no_requests() -> None:
    rows = [["id", "Audio", "Image", "Status"], ["1", AUDIO, COVER, ""], ["", "", "", ""], ["2", "", "", "done"]]
    assert [row.number for row in planned(comma_separated(rows))] == [2]


def test_an_id_column_is_the_identity_and_content_tells_a_change() -> None:
    before = one(["id", "Audio", "Image"], ["7", AUDIO, COVER])
    after = one(["id", "Audio", "Image"], ["7", AUDIO + "?v2", COVER])
    assert before.key == after.key == "id:7"
    assert before.fingerprint != after.fingerprint


def test_results_of_an_earlier_run_and_facts_do_not_change_a_rows_identity() -> None:
    before = one(["Audio", "Image", "Title"], [AUDIO, COVER, "a"])
    after = one(
        ["Audio", "Image", "Title", "Status", "Video URL"], [AUDIO, COVER, "b", "succeeded", "https://v.example/1"]
    )
    assert before.key == after.key


def test_a_row_that_stands_twice_is_asked_for_once() -> None:
    rows = planned(comma_separated([["Audio", "Image"], [AUDIO, COVER], [AUDIO, COVER]]))
    assert [row.twin_of for row in rows] == [None, 2]


def test_only_rows_that_can_be_asked_for_are_twins() -> None:
    """What cannot be read is no part of a row's content: the others would hide behind it, or it behind them."""
    header = ["Audio", "Image", "Duration"]
    rows = planned(comma_separated([header, *([AUDIO, COVER, length] for length in ("soon", "", "later", "", "soon"))]))
    assert [(row.number, row.twin_of, len(row.problems)) for row in rows] == [
        (2, None, 1),
        (3, None, 0),
        (4, None, 1),
        (5, 3, 0),
        (6, None, 1),
    ]


def test_rows_that_share_an_id_and_ask_for_different_things_are_told_by_cell() -> None:
    sheet = [["id", "Audio", "Image"], ["7", AUDIO, COVER], ["7", AUDIO, COVER], ["7", AUDIO + "?v2", COVER]]
    table = read_table(comma_separated(sheet))
    columns = match(table)
    rows = plan_rows(table, columns)
    refuse_shared_ids(columns, rows)
    assert [row.twin_of for row in rows] == [None, 2, None]
    assert [str(problem) for row in rows for problem in row.problems] == [
        "A4 (id): is also the id of row 2, which asks for something else; give each row an id of its own"
    ]


def test_an_error_of_a_formula_is_a_problem_and_never_an_empty_cell() -> None:
    sheet = [
        ["id", "Audio", "Image 1", "Image 2", "Prompt", "workflow", "Artist"],
        ["#N/A", AUDIO, COVER, "#REF!", "#WERT!", "#¿?", "#N/A"],
        ["2", AUDIO, COVER, "", "#summer! and #N/A", "", ""],
        ["3", "#N/A", "#REF!", "", "", "", "#N/A"],
    ]
    first, second = planned(comma_separated(sheet))
    assert [(problem.cell, problem.rule) for problem in first.problems] == [
        ("A2", "is the error of a formula"),
        ("D2", "is the error of a formula"),
        ("E2", "is the error of a formula"),
        ("F2", "must be one of music-video, ecommerce-video"),
    ]
    assert not second.problems
    assert second.number == 3, "a row of nothing but lookups that found nothing asks for nothing"


FIELD = st.sampled_from(["audio", "Image 1", "Image 2", "prompt", "format", "length", "Title", "Mood"])
VALUES = {
    "audio": st.sampled_from([AUDIO, AUDIO + "?2"]),
    "Image 1": st.just(COVER),
    "Image 2": st.sampled_from(["", COVER + "?2"]),
    "prompt": st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30).map(
        lambda text: text.strip().lstrip("=")
    ),
    "format": st.sampled_from(["", "portrait", "9:16", "16:9"]),
    "length": st.sampled_from(["", "15", "60"]),
    "Title": st.text(st.characters(categories=["L", "N"]), max_size=8),
    "Mood": st.sampled_from(["", "dark", "a, b; c"]),
}
SONGS = st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=6)


def as_typed(text: str) -> int | str:
    """As a person types it: a number where a workbook, which keeps doubles, can hold it."""
    whole = text.isascii() and text.isdigit() and str(int(text)) == text and int(text) <= 2**53
    return int(text) if whole else text


@settings(max_examples=60, deadline=None)
@given(songs=SONGS, seed=st.integers(0, 2**32), delimiter=st.sampled_from(",;\t"))
def test_the_same_content_has_the_same_keys_in_every_form(
    songs: list[dict[str, str]], seed: int, delimiter: str
) -> None:
    names = list(VALUES)
    shuffled = random.Random(seed).sample(names, len(names))
    plain = planned(comma_separated([names, *([song[name] for name in names] for song in songs)]))
    again = [shuffled, *([song[name] for name in shuffled] for song in songs)]
    typed = [names, *([as_typed(song[name]) for name in names] for song in songs)]
    for other in (planned(comma_separated(again, delimiter=delimiter)), planned(xlsx(typed))):
        assert [row.key for row in other] == [row.key for row in plain]


@settings(max_examples=150, deadline=None)
@given(
    content=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode(errors="replace")))
)
def test_no_content_whatever_brings_anything_but_a_table_or_a_sentence(content: bytes) -> None:
    for whole in (content, b"audio,image\n" + content):
        with contextlib.suppress(SheetError):
            planned(whole)
