"""A row of names and values means what the same row of a sheet means."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.sheets import PlannedRow, SheetError, match, plan_rows, read_table
from relay.sheets.flat import fields_of, plan_fields
from tests.unit.sheets.books import AUDIO, COVER, comma_separated


def planned(document: dict[str, Any], **mapping: str) -> PlannedRow:
    return plan_fields(fields_of(document), mapping)[1]


def test_names_are_matched_as_kindly_as_columns() -> None:
    row = planned({"Song": AUDIO, "coverImage1": COVER, "Format": "portrait", "length": "2:05", "Artist": "Mia"})
    assert row.request == {"audio_url": AUDIO, "images": [COVER], "aspect_ratio": "9:16", "duration": 125}
    assert (row.facts, row.problems) == ({"artist": "Mia"}, [])


def test_the_same_row_has_the_same_key_as_in_a_sheet() -> None:
    cells = {"Audio": AUDIO, "Image 1": COVER, "Format": "square", "Title": "Neon"}
    table = read_table(comma_separated([list(cells), list(cells.values())]))
    (sheet,) = plan_rows(table, match(table))
    row = planned({**cells, "ignored when blank": "  ", "so is null": None})
    assert (row.key, row.fingerprint, row.request, row.facts) == (
        sheet.key,
        sheet.fingerprint,
        sheet.request,
        sheet.facts,
    )


@given(st.randoms(use_true_random=False))
def test_the_order_of_fields_is_no_part_of_the_key(chance: Any) -> None:
    fields = [("audio", AUDIO), ("image", COVER), ("prompt", "Neon"), ("lip sync", "yes"), ("mood", "dark")]
    shuffled = chance.sample(fields, len(fields))
    assert plan_fields(shuffled)[1].key == plan_fields(fields)[1].key


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ({"song": {"url": AUDIO}}, [("song url", AUDIO)]),
        ({"images": [COVER, COVER + "?2"]}, [("images", f"{COVER}\n{COVER}?2")]),
        ({"Images": [{"id": "att1", "url": COVER, "size": 3}]}, [("Images", COVER)]),
        ({"row": {"song": "Neon", "by": {"name": "Mia"}}}, [("row.song", "Neon"), ("row.by name", "Mia")]),
        ({"data": {"audio": AUDIO}, "b": 1}, [("audio", AUDIO), ("b", "1")]),
        ({"duration": 15.0, "lip_sync": True, "n": 1.5}, [("duration", "15"), ("lip_sync", "true"), ("n", "1.5")]),
        ({"a": None, "b": "", "c": " ", "d": [], "e": {}, "f": [None, ""]}, []),
    ],
)
def test_what_is_nested_becomes_flat(document: dict[str, Any], fields: list[tuple[str, str]]) -> None:
    assert fields_of(document) == fields


def test_what_stands_in_row_or_sounds_like_a_result_is_a_fact() -> None:
    document = {
        "audio": AUDIO,
        "image": COVER,
        "row": {"song": "Neon"},
        "row.Prompt": "no",
        "status": "x",
        "Error": "y",
    }
    row = planned(document)
    assert row.request == {"audio_url": AUDIO, "images": [COVER]}
    assert row.facts == {"song": "Neon", "prompt": "no", "status": "x", "error": "y"}


def test_a_mapping_may_speak_of_what_a_row_leaves_out() -> None:
    row = planned({"Stems": AUDIO, "Pic": COVER}, stems="audio_url", pic="images", mood="row.m")
    assert row.request == {"audio_url": AUDIO, "images": [COVER]}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "no field with a value"),
        ({"audio": ""}, "no field with a value"),
        ({"id": "7"}, "an id and nothing else"),
        ({"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": 1}}}}}}}}}, "more than 8 levels"),
        ({f"f{number}": "x" for number in range(501)}, "501 fields; at most 500"),
    ],
)
def test_what_is_no_row_is_said(document: dict[str, Any], message: str) -> None:
    with pytest.raises(SheetError, match=message):
        planned(document)
