"""A relay that dies while it delivers to Google: exactly one file or row, wherever it died."""

from pathlib import Path

import pytest

from tests.fakes.google_drive import DriveFake
from tests.fakes.google_sheets import SheetsFake
from tests.google import person
from tests.integration.kill_harness import MEDIA, Case, Death, killed
from tests.servers import running

pytestmark = pytest.mark.anyio

SEEDS = range(100)


async def upload(folder: Path, fake: DriveFake, url: str, seed: int) -> Death:
    folder.mkdir()
    case = Case("connectors.google_drive:GoogleDrive", {"folder": f"seed {seed}"}, person(url, folder="shared_root"))
    before = set(fake.contents)
    death = await killed(folder, case, seed)
    assert death.row.state == "done", death
    assert death.at is not None, f"seed {seed} did not kill"
    assert [fake.contents[file] for file in fake.contents.keys() - before] == [MEDIA], death
    assert fake.folders.count(f"seed {seed}") == 1, death
    return death


@pytest.mark.parametrize("block", range(4))
async def test_google_drive_holds_exactly_one_file(tmp_path: Path, block: int) -> None:
    fake = DriveFake()
    fake.add_folder("shared_root", "Releases", drive="shared_root")
    with running(fake) as url:
        for seed in SEEDS[block::4]:
            await upload(tmp_path / str(seed), fake, url, seed)


async def write(folder: Path, fake: SheetsFake, url: str, seed: int) -> None:
    folder.mkdir()
    fake.tabs["Videos"] = [["Title", "Seed"]]
    with_ = {"values": {"Title": "=1+1", "Seed": seed}}
    case = Case("connectors.google_sheets:GoogleSheets", with_, person(url, spreadsheet="sheet_1"))
    death = await killed(folder, case, seed)
    assert death.row.state == "done", death
    assert death.at is not None, f"seed {seed} did not kill"
    assert fake.rows == [["Title", "Seed", "_beatrelay_id"], ["=1+1", seed, "dlv_killed"]], death


@pytest.mark.parametrize("block", range(4))
async def test_google_sheets_holds_exactly_one_row(tmp_path: Path, block: int) -> None:
    fake = SheetsFake()
    with running(fake) as url:
        for seed in SEEDS[block::4]:
            await write(tmp_path / str(seed), fake, url, seed)
