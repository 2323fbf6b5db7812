"""API keys: what is kept of them, what they open, and how much."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from relay.flow.keys import Caller, KeyProblem, Keys, Refusal
from relay.journal import SqliteJournal
from tests.virtual import VirtualClock

pytestmark = pytest.mark.anyio


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    yield journal
    await journal.close()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def keys(journal: SqliteJournal, clock: VirtualClock) -> Keys:
    return Keys(journal, clock, ["sk_configured"])


async def test_only_a_digest_of_a_key_is_on_disk(keys: Keys, journal: SqliteJournal, tmp_path: Path) -> None:
    row, token = await keys.create("shop", ["read", "submit"])
    assert token.startswith("brk_")
    assert len(token) >= 40
    assert (row.hint, row.scopes) == (token[:8], "submit read")
    assert await keys.caller(token) == Caller(row.id, frozenset({"submit", "read"}), minted=True, name="shop")
    on_disk = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert row.digest.encode() in on_disk
    assert token[8:].encode() not in on_disk


async def test_a_key_from_the_settings_may_do_everything(keys: Keys) -> None:
    caller = await keys.caller("sk_configured")
    assert isinstance(caller, Caller)
    assert all(caller.may(scope) for scope in ("submit", "read", "operate", "admin"))
    assert not caller.minted
    assert caller == await keys.caller("sk_configured")


@pytest.mark.parametrize("token", ["", "brk_", "brk_unknown", "sk_unknown", "sk_configured2", "\udcff"])
async def test_whoever_is_unknown_is_refused(keys: Keys, token: str) -> None:
    refusal = await keys.caller(token)
    assert isinstance(refusal, Refusal)
    assert refusal.status == 401


async def test_admin_allows_everything_and_no_other_scope_allows_another(keys: Keys) -> None:
    for held in ("submit", "read", "operate"):
        _, token = await keys.create("one", [held])
        caller = await keys.caller(token)
        assert isinstance(caller, Caller)
        assert [scope for scope in ("submit", "read", "operate", "admin") if caller.may(scope)] == [held]


async def test_a_revoked_key_opens_nothing_and_says_why(keys: Keys) -> None:
    row, token = await keys.create("shop", ["read"])
    await keys.revoke(row.id)
    first = await keys.caller(token)
    again = await keys.revoke(row.id)
    assert isinstance(first, Refusal)
    assert "(shop) was revoked" in first.message
    assert token[8:] not in first.message
    assert again is not None
    assert again.revoked_at is not None
    assert await keys.revoke("key_none") is None


async def test_a_key_expires_by_itself(keys: Keys, clock: VirtualClock) -> None:
    _, token = await keys.create("shop", ["read"], expires_at=clock.now() + 60)
    assert isinstance(await keys.caller(token), Caller)
    clock.advance(60)
    refusal = await keys.caller(token)
    assert isinstance(refusal, Refusal)
    assert "has expired" in refusal.message


async def test_a_limit_lets_so_many_pass_a_minute_and_says_when_to_come_back(keys: Keys, clock: VirtualClock) -> None:
    _, token = await keys.create("shop", ["read"], per_minute=6)
    passed = [isinstance(await keys.caller(token), Caller) for _ in range(8)]
    assert passed == [True] * 6 + [False] * 2
    refusal = await keys.caller(token)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.retry_after) == (429, 10)
    clock.advance(10)
    assert isinstance(await keys.caller(token), Caller)
    assert isinstance(await keys.caller(token), Refusal)


async def test_a_key_without_a_limit_is_never_slowed(keys: Keys) -> None:
    _, token = await keys.create("shop", ["read"])
    assert all([isinstance(await keys.caller(token), Caller) for _ in range(2000)])


async def test_the_last_use_costs_one_write_a_minute(keys: Keys, journal: SqliteJournal, clock: VirtualClock) -> None:
    row, token = await keys.create("shop", ["read"])
    written: list[float] = []
    used = journal.keys.used

    async def counted(key_id: str, at: float) -> None:
        written.append(at)
        await used(key_id, at)

    journal.keys.used = counted  # type: ignore[method-assign]  # counts what reaches the disk
    for _ in range(100):
        await keys.caller(token)
        clock.advance(1)
    assert len(written) == 2
    kept = await journal.keys.get(row.id)
    assert kept is not None
    assert kept.last_used_at == written[-1]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": "  "}, "`name` is '  '; it must be 1 to 100 printable characters"),
        ({"scopes": ["reed"]}, "`scopes` is reed; it must name some of submit, read, operate, admin"),
        ({"scopes": []}, "`scopes` is empty"),
        ({"per_minute": 0}, "`per_minute` is 0"),
        ({"share": 0}, "`share` is 0"),
        ({"expires_at": 1.0}, "`expires_at` is 1; it must be later than now"),
    ],
)
async def test_a_key_that_makes_no_sense_is_refused_in_words(keys: Keys, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(KeyProblem) as caught:
        await keys.create(**{"name": "shop", "scopes": ["read"], **wrong})
    assert words in str(caught.value)
