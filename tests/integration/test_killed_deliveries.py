"""A relay that dies between "the destination accepted it" and "we wrote it down": each connector keeps its promise."""

import hashlib
from pathlib import Path

import pytest

from tests.integration.conftest import HOOK_SECRET, Receiver
from tests.integration.kill_harness import MEDIA, Case, Death, killed
from tests.servers import running

pytestmark = pytest.mark.anyio

SEEDS = range(100)


async def post(folder: Path, url: str, seed: int) -> Death:
    folder.mkdir(exist_ok=True)
    case = Case("connectors.http:Http", {}, {"url": f"{url}/caught", "secret": HOOK_SECRET})
    return await killed(folder, case, seed)


def check_post(death: Death, receiver: Receiver) -> None:
    """At least once, and the receiver can tell a repeat: it has the same id and the same body."""
    assert death.row.state == "done", death
    assert len(receiver.received) == (2 if death.at else 1), death
    assert set(receiver.ids) == {"dlv_killed"}, death
    assert len({body for _, body in receiver.received}) == 1, death


@pytest.mark.parametrize("block", range(4))
async def test_http_repeats_under_the_same_id(tmp_path: Path, block: int) -> None:
    receiver = Receiver()
    with running(receiver) as url:
        for seed in SEEDS[block::4]:
            receiver.received.clear()
            death = await post(tmp_path / str(seed), url, seed)
            assert death.at is not None, f"seed {seed} did not kill"
            check_post(death, receiver)


def check_folder(death: Death, shelf: Path) -> None:
    assert death.row.state == "done", death
    (file,) = [path for path in shelf.rglob("*") if path.is_file()]
    assert file.name == "Neon rooftop.mp4", death
    assert hashlib.sha256(file.read_bytes()).digest() == hashlib.sha256(MEDIA).digest(), death


async def keep(folder: Path, seed: int) -> Death:
    case = Case("connectors.folder:Folder", {"path": "{{ row.title }}.mp4"}, {"root": str(folder / "shelf")})
    return await killed(folder, case, seed)


@pytest.mark.parametrize("block", range(4))
async def test_folder_has_exactly_one_file(tmp_path: Path, block: int) -> None:
    for seed in SEEDS[block::4]:
        (tmp_path / str(seed)).mkdir()
        death = await keep(tmp_path / str(seed), seed)
        assert death.at == "settle"
        check_folder(death, tmp_path / str(seed) / "shelf")
