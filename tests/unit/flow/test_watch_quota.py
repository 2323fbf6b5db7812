"""Google's quotas: what a look at a sheet costs does not depend on its rows, and all sheets of one connection together
stay within what one account may ask for in a minute, whenever that minute begins."""

import asyncio
from collections import Counter

import pytest

from tests.fakes.google_wire import Call
from tests.watched import HEADER, Desk, song

pytestmark = pytest.mark.anyio

GOOGLE_ALLOWS = 60
"""Readings, and as many writings, a minute for one account: https://developers.google.com/workspace/sheets/api/limits."""
MINUTES = 5


@pytest.mark.parametrize("songs", [1, 200])
async def test_a_look_costs_the_same_whatever_it_finds(songs: int) -> None:
    desk = Desk()
    desk.rows += [song(number) for number in range(songs)]
    await desk.turn()
    opened, read, written = "spreadsheets.get", "spreadsheets.values.get", "spreadsheets.values.batchUpdate"
    calls = [call for call in desk.fake.calls if call != "token"]
    assert calls == [opened, read, written, read, written, read]  # ids, then what became of them
    assert len(desk.tasks()) == songs
    for task in desk.tasks():
        desk.finish(task["id"])
    await desk.turn()
    assert desk.fake.calls[-3:] == [read, written, read]
    await desk.turn()
    assert desk.fake.calls[-2:] == [read, read]


class Office(Desk):
    """So many sheets that together they ask for three times what Google allows, each as often as it may."""

    tabs = tuple(f"Tab{number}" for number in range(45))


async def test_many_sheets_together_never_ask_for_more_than_google_allows() -> None:
    office = Office(every=15.0)
    for number, tab in enumerate(office.tabs):
        office.fake.tabs[tab] = [list(HEADER), song(number)]
    asked: dict[bool, list[float]] = {True: [], False: []}

    def note(call: Call) -> None:
        asked[call.method == "GET"].append(office.clock.now())

    office.fake.meddle = note
    end = office.clock.now() + 60 * MINUTES
    loops = [asyncio.create_task(watch.run()) for watch in office.watches.loops]
    while office.clock.now() < end:
        for _ in range(50):
            await asyncio.sleep(0)
        for task in office.tasks():
            if task["status"] == "queued":
                office.finish(task["id"])
        office.clock.advance(office.clock.until_next() or 1.0)
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
    for times in asked.values():
        assert max(_in_a_minute(times)) <= GOOGLE_ALLOWS
    looks = Counter(watch.settings.name for watch in office.watches.loops if watch.last is not None)
    assert len(looks) == len(office.tabs)  # and nobody is left out
    assert len(office.tasks()) == len(office.tabs)


def _in_a_minute(times: list[float]) -> list[int]:
    return [sum(start <= time < start + 60 for time in times) for start in times]
