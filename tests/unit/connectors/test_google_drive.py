"""The ``google_drive`` connector, against a strict fake on a real socket."""

import os
from collections.abc import Iterator

import httpx
import pytest

from connectors.base import Reject, Retry
from connectors.google_drive import DriveConfig, GoogleDrive
from connectors.google_drive_upload import UNIT, Upload
from tests.bench.drive import measure
from tests.fakes.google_drive import DriveFake
from tests.fakes.google_wire import Fault
from tests.google import Video, deliver, person, robot
from tests.notes import MemoryNotes
from tests.servers import running

pytestmark = pytest.mark.anyio
CONTENT = os.urandom(5 * UNIT + 12_345)


@pytest.fixture
def drive() -> Iterator[tuple[DriveFake, str]]:
    fake = DriveFake()
    fake.add_folder("shared_root", "Releases", drive="shared_root")
    with running(fake) as url:
        yield fake, url


@pytest.fixture
def connector() -> GoogleDrive:
    return GoogleDrive(chunk=2 * UNIT)


async def until_done(connector: GoogleDrive, url: str, notes: MemoryNotes, config: DriveConfig) -> list[str]:
    """Attempts with the same notes, as the relay makes them; gives what the failed ones said."""
    said: list[str] = []
    for _ in range(8):
        try:
            await deliver(connector, config, robot(url, folder="shared_root"), Video(CONTENT), notes)
        except Retry as error:
            said.append(error.reason)
        else:
            return said
    raise AssertionError(said)


class TestUpload:
    async def test_a_file_lands_whole_in_its_folder(self, drive: tuple[DriveFake, str], connector: GoogleDrive) -> None:
        fake, url = drive
        config = DriveConfig(name="Neon.mp4", folder="2026/Straße's", description="d")
        outcome = await deliver(connector, config, robot(url, folder="shared_root"), Video(CONTENT))
        file = fake.videos[0]
        assert fake.contents[file["id"]] == CONTENT
        assert (file["name"], file["description"], file["driveId"]) == ("Neon.mp4", "d", "shared_root")
        assert file["appProperties"] == {"beatrelay": "dlv_1", "beatrelayTask": "task_1"}
        assert fake.folders == ["2026", "Straße's"]
        assert outcome.url == file["webViewLink"]
        assert (outcome.detail["checked"], outcome.detail["already"]) == ("sha256", False)
        assert fake.calls.count("upload.piece") == 3

    async def test_a_repeat_uploads_nothing(self, drive: tuple[DriveFake, str], connector: GoogleDrive) -> None:
        fake, url = drive
        notes = MemoryNotes()
        for _ in range(2):
            await until_done(connector, url, notes, DriveConfig(folder="a/b"))
        assert len(fake.videos) == 1
        assert fake.folders == ["a", "b"]
        assert fake.calls.count("upload.piece") == 3

    @pytest.mark.parametrize(
        ("operation", "fault"),
        [
            ("upload.begin", Fault(503)),
            ("upload.begin", Fault(lost=True)),
            ("upload.begin", Fault(403, "userRateLimitExceeded")),
            ("upload.begin", Fault(429, "rateLimitExceeded")),
            ("upload.piece", Fault(503)),
            ("upload.piece", Fault(429, "rateLimitExceeded")),
            ("upload.piece", Fault(403, "rateLimitExceeded")),
            ("upload.piece", Fault(404, "notFound")),
            ("upload.piece", Fault(410, "gone")),
            ("upload.piece", Fault(cut=UNIT + 1000)),
            ("upload.piece", Fault(cut=1000)),
            ("upload.piece", Fault(keep=UNIT)),
            ("upload.piece", Fault(keep=0)),
            ("upload.piece", Fault(lost=True)),
            ("files.generateIds", Fault(lost=True)),
            ("files.create", Fault(lost=True)),
            ("files.create", Fault(500)),
            ("files.list", Fault(503)),
            ("token", Fault(503)),
        ],
    )
    async def test_exactly_one_file_whatever_goes_wrong(
        self, drive: tuple[DriveFake, str], connector: GoogleDrive, operation: str, fault: Fault
    ) -> None:
        fake, url = drive
        fake.fail(operation, fault)
        await until_done(connector, url, MemoryNotes(), DriveConfig(folder="a"))
        assert [fake.contents[file["id"]] == CONTENT for file in fake.videos] == [True]
        assert fake.folders == ["a"]
        assert not fake.faults[operation]

    async def test_only_what_is_missing_is_sent_again(
        self, drive: tuple[DriveFake, str], connector: GoogleDrive
    ) -> None:
        fake, url = drive
        fake.fail("upload.piece", Fault(keep=UNIT))
        video = Video(CONTENT)
        await deliver(connector, DriveConfig(), robot(url, folder="shared_root"), video)
        assert fake.contents[fake.videos[0]["id"]] == CONTENT
        assert (fake.calls.count("upload.piece"), video.opened) == (4, 1)  # the rest was still in memory

    async def test_a_new_life_goes_on_with_the_session_of_the_old_one(
        self, drive: tuple[DriveFake, str], connector: GoogleDrive
    ) -> None:
        fake, url = drive
        notes = MemoryNotes()
        fake.fail("upload.piece", Fault(), Fault(429, headers={"retry-after": "7"}))
        with pytest.raises(Retry) as caught:
            await deliver(connector, DriveConfig(), robot(url, folder="shared_root"), Video(CONTENT), notes)
        assert caught.value.after == 7.0
        await deliver(
            GoogleDrive(chunk=2 * UNIT), DriveConfig(), robot(url, folder="shared_root"), Video(CONTENT), notes
        )
        assert (len(fake.sessions), len(fake.videos), fake.calls.count("upload.begin")) == (1, 1, 1)

    async def test_a_lost_last_answer_and_a_dead_session_find_the_file_by_its_id(
        self, drive: tuple[DriveFake, str], connector: GoogleDrive
    ) -> None:
        fake, url = drive
        notes = MemoryNotes()
        fake.fail("upload.piece", Fault(), Fault(), Fault(lost=True))
        fake.fail("upload.ask", Fault(503))
        with pytest.raises(Retry):
            await deliver(connector, DriveConfig(), robot(url, folder="shared_root"), Video(CONTENT), notes)
        for session in fake.sessions.values():
            session.expired = True
        outcome = await deliver(connector, DriveConfig(), robot(url, folder="shared_root"), Video(CONTENT), notes)
        assert outcome.detail["already"] is True
        assert len(fake.videos) == 1

    async def test_a_damaged_file_is_deleted_and_sent_again(
        self, drive: tuple[DriveFake, str], connector: GoogleDrive
    ) -> None:
        fake, url = drive
        for checksums, may_delete in ((True, True), (False, True), (True, False)):
            fake.checksums, fake.may_delete = checksums, may_delete
            fake.fail("upload.piece", Fault(), Fault(), Fault(damage=True))
            before = len(fake.videos)
            said = await until_done(connector, url, MemoryNotes(), DriveConfig())
            assert "stored something else" in said[0]
            assert len(fake.videos) == before + 1
            assert fake.contents[fake.videos[-1]["id"]] == CONTENT

    async def test_a_file_that_people_deleted_is_uploaded_again(
        self, drive: tuple[DriveFake, str], connector: GoogleDrive
    ) -> None:
        fake, url = drive
        notes = MemoryNotes()
        await until_done(connector, url, notes, DriveConfig())
        fake.videos[0]["trashed"] = True
        for session in fake.sessions.values():
            session.expired = True
        said = await until_done(connector, url, notes, DriveConfig())
        assert "deleted in Drive" in said[0]
        assert len(fake.videos) == 1

    async def test_an_upload_that_stands_still_ends_its_attempt(
        self, drive: tuple[DriveFake, str], connector: GoogleDrive
    ) -> None:
        drive[0].fail("upload.piece", *[Fault(keep=0)] * 9)
        with pytest.raises(Retry, match="stands still at byte 0"):
            await deliver(connector, DriveConfig(), robot(drive[1], folder="shared_root"), Video(CONTENT))

    async def test_a_torn_source_leaves_nothing(self, drive: tuple[DriveFake, str], connector: GoogleDrive) -> None:
        with pytest.raises(Retry, match="shorter than"):
            await deliver(connector, DriveConfig(), robot(drive[1], folder="shared_root"), Video(CONTENT, torn=True))
        assert drive[0].videos == []

    def test_a_piece_is_a_multiple_of_googles_unit(self) -> None:
        with pytest.raises(ValueError, match="no multiple"):
            Upload(None, MemoryNotes(), Video(b""), {}, chunk=1000)  # pyright: ignore[reportArgumentType]


class TestFolders:
    async def test_a_folder_that_a_person_made_is_used(
        self, drive: tuple[DriveFake, str], connector: GoogleDrive
    ) -> None:
        fake, url = drive
        fake.add_folder("theirs", "Videos", parent="shared_root", drive="shared_root")
        fake.add_folder("younger", "Videos", parent="shared_root", drive="shared_root")
        await until_done(connector, url, MemoryNotes(), DriveConfig(folder="Videos"))
        assert fake.videos[0]["parents"] == ["theirs"]

    async def test_a_search_that_lags_behind_makes_no_second_folder(
        self, drive: tuple[DriveFake, str], connector: GoogleDrive
    ) -> None:
        fake, url = drive
        notes = MemoryNotes()
        fake.fail("upload.begin", Fault(503))
        said = await until_done(connector, url, notes, DriveConfig(folder="new"))
        assert len(said) == 1
        fake.hidden.update(fake.files)
        await until_done(connector, url, MemoryNotes(), DriveConfig(folder="new"))  # remembered
        await until_done(GoogleDrive(), url, notes, DriveConfig(folder="new"))  # noted
        assert fake.folders == ["new"]

    async def test_a_folder_in_the_trash_is_made_anew(
        self, drive: tuple[DriveFake, str], connector: GoogleDrive
    ) -> None:
        fake, url = drive
        await until_done(connector, url, MemoryNotes(), DriveConfig(folder="new"))
        next(file for file in fake.files.values() if file["name"] == "new")["trashed"] = True
        await until_done(connector, url, MemoryNotes(), DriveConfig(folder="new"))
        assert fake.folders == ["new", "new"]

    @pytest.mark.parametrize("path", ["a/../b", "/".join("a" * 21)])
    async def test_a_path_that_leads_elsewhere_is_refused(self, drive: tuple[DriveFake, str], path: str) -> None:
        with pytest.raises(Reject, match="`folder` is"):
            await deliver(GoogleDrive(), DriveConfig(folder=path), robot(drive[1], folder="shared_root"), Video(b"v"))


class TestSharing:
    @pytest.mark.parametrize(
        ("share", "given"),
        [
            ("anyone", {"type": "anyone", "role": "reader", "allowFileDiscovery": False}),
            ("example.com", {"type": "domain", "role": "reader", "domain": "example.com", "allowFileDiscovery": False}),
            ("mia@example.com", {"type": "user", "role": "reader", "emailAddress": "mia@example.com"}),
        ],
    )
    async def test_a_file_is_shared_once(
        self, drive: tuple[DriveFake, str], connector: GoogleDrive, share: str, given: dict[str, object]
    ) -> None:
        fake, url = drive
        notes = MemoryNotes()
        fake.fail("permissions.create", Fault(lost=True))
        await until_done(connector, url, notes, DriveConfig(share=share))
        assert fake.permissions == {fake.videos[0]["id"]: [given]}

    async def test_nonsense_is_refused_before_anything_is_sent(self, drive: tuple[DriveFake, str]) -> None:
        with pytest.raises(Reject, match="must be `anyone`"):
            await deliver(GoogleDrive(), DriveConfig(share="the world"), robot(drive[1]), Video(b"v"))
        assert drive[0].calls == []


class TestForPeople:
    async def test_a_service_account_without_storage_is_told_its_three_ways(self, drive: tuple[DriveFake, str]) -> None:
        with pytest.raises(Reject, match=r"shared drive.*delegation.*consent"):
            await deliver(GoogleDrive(), DriveConfig(), robot(drive[1]), Video(b"v"))

    @pytest.mark.parametrize("reason", ["insufficientFilePermissions", "domainPolicy", "teamDriveFileLimitExceeded"])
    async def test_what_waiting_does_not_help_is_a_dead_letter_with_advice(
        self, drive: tuple[DriveFake, str], reason: str
    ) -> None:
        drive[0].fail("upload.piece", Fault(403, reason))
        with pytest.raises(Reject, match=rf"{reason}.*; \w+"):
            await deliver(GoogleDrive(), DriveConfig(), robot(drive[1], folder="shared_root"), Video(b"v"))

    async def check(self, connection: dict[str, str]) -> str:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await GoogleDrive().check(connection, client)

    async def test_a_connection_is_tried_without_effect(self, drive: tuple[DriveFake, str]) -> None:
        fake, url = drive
        link = "https://drive.google.com/drive/u/0/folders/shared_root?usp=sharing"
        assert "into 'Releases' on a shared drive" in await self.check(robot(url, folder=link))
        fake.robot = False
        assert "into My Drive" in await self.check(person(url))
        assert set(fake.calls) == {"token", "about.get", "files.get"}

    async def test_what_would_fail_later_is_told_at_setup(self, drive: tuple[DriveFake, str]) -> None:
        fake, url = drive
        fake.add_folder("private", "Mine", parent="root")
        fake.add_folder("closed", "Closed", drive="shared_root", capabilities={"canAddChildren": False})
        fake.add_folder("binned", "Old", drive="shared_root", trashed=True)
        fake.quota = {"limit": "10", "usage": "10"}
        for connection, says in (
            (robot(url), "no storage of its own"),
            (robot(url, folder="private"), "'Mine' is not on a shared drive"),
            (robot(url, folder="closed"), "may see the folder 'Closed' but not add"),
            (robot(url, folder="binned"), "in the trash"),
            (robot(url, folder="nowhere"), "share it with relay@project"),
            (robot(url, folder="not an id!"), "must be a folder's id"),
            (person(url), "is full"),
        ):
            with pytest.raises(Reject, match=says):
                await self.check(connection)


def test_a_large_file_takes_little_memory() -> None:
    assert measure(128).extra_mib < 64
