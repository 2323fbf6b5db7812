"""A form's answer is made once, and given again to a second click."""

import asyncio

import pytest

from relay.web.once import Once

pytestmark = pytest.mark.anyio


async def test_a_second_click_gets_the_first_ones_answer_even_while_it_is_made() -> None:
    once, made, free = Once(), list[int](), asyncio.Event()

    async def make() -> int:
        await free.wait()
        made.append(len(made))
        return made[-1]

    clicks = [asyncio.create_task(once.make("ada", "form", make)) for _ in range(2)]
    free.set()
    assert await asyncio.gather(*clicks) == [0, 0]
    assert await once.make("ada", "form", make) == 0
    assert await once.make("ada", "another form", make) == 1
    assert await once.make("bob", "form", make) == 2, "nobody gets what somebody else made"
    assert [await once.make("ada", "", make) for _ in range(2)] == [3, 4], "a form without a number is made each time"


async def test_a_refusal_is_given_again_and_a_browser_that_leaves_stops_nothing() -> None:
    once, free = Once(), asyncio.Event()

    async def refuse() -> int:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            await once.make("ada", "form", refuse)

    async def make() -> int:
        await free.wait()
        return 7

    left = asyncio.create_task(once.make("ada", "slow", make))
    await asyncio.sleep(0)
    left.cancel()
    free.set()
    assert await once.make("ada", "slow", make) == 7
