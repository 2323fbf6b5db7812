"""The ``slack`` connector against a strict fake, which Slack's own client drives too."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from connectors.base import Outcome, Reject, Retry, Wait
from connectors.slack import Slack, SlackConfig
from tests.fakes.slack import FakeSlack
from tests.integration.kill_harness import Case, killed
from tests.media import Bytes, a_delivery
from tests.notes import MemoryNotes
from tests.servers import running

pytestmark = pytest.mark.anyio
VIDEO = Bytes(b"\0\0\0\x18ftypmp42" * 10_000)
AT = 1_800_000_000


@pytest.fixture
def slack() -> Iterator["Workspace"]:
    fake = FakeSlack()
    with running(fake) as url:
        yield Workspace(fake, url)


class Workspace:
    """The fake, and a connector whose notes last."""

    def __init__(self, fake: FakeSlack, url: str) -> None:
        self.fake, self.url = fake, url
        self.connection = {"token": "xoxb-test", "channel": "#releases", "api_url": f"{url}/api"}
        self.notes: dict[str, MemoryNotes] = {}
        self.task_notes = MemoryNotes()

    async def deliver(self, config: SlackConfig, key: str = "dlv_1", media: Any = VIDEO, **connection: str) -> Outcome:
        notes = self.notes.setdefault(key, MemoryNotes())
        more = {"key": key, "media": media, "notes": notes, "task_notes": self.task_notes, "at": AT}
        async with httpx.AsyncClient(trust_env=False) as client:
            delivery = a_delivery(client, connection or self.connection, **more)
            return await Slack().deliver(config, delivery)

    async def until_done(self, config: SlackConfig, key: str = "dlv_1") -> Outcome:
        for _ in range(8):
            try:
                return await self.deliver(config, key)
            except (Retry, Wait):
                continue
        raise AssertionError("it never ended")


async def test_one_message_per_task_from_queued_to_done(slack: Workspace) -> None:
    first = await slack.deliver(SlackConfig(text="queued"), "dlv_1", None)
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*done*"}}]
    last = await slack.deliver(SlackConfig(text="done", blocks=blocks), "dlv_2", None)
    (message,) = slack.fake.messages
    assert (message["text"], message["blocks"]) == ("done", blocks)
    assert first.detail == last.detail == {"channel": "C0RELEASES", "ts": message["ts"]}
    assert first.url == f"https://beat.slack.com/archives/C0RELEASES/p{message['ts'].replace('.', '')}"


async def test_replies_and_further_messages(slack: Workspace) -> None:
    await slack.deliver(SlackConfig(text="queued"), "dlv_1")
    await slack.deliver(SlackConfig(text="reply", message="thread"), "dlv_2")
    await slack.deliver(SlackConfig(text="another", message="new"), "dlv_3")
    first, reply, another = slack.fake.messages
    assert (reply["thread_ts"], "thread_ts" in another) == (first["ts"], False)


@pytest.mark.parametrize("where", ["thread", "channel"])
async def test_the_video_itself_is_shown(slack: Workspace, where: Any) -> None:
    outcome = await slack.deliver(SlackConfig(text="done", file=where))
    (file,) = slack.fake.files.values()
    ts = slack.fake.messages[0]["ts"]
    assert (file.content, file.name) == (VIDEO.content, "v.mp4")
    assert file.shared == [("C0RELEASES", ts if where == "thread" else None)]
    assert outcome.detail["file"] == "F000"


async def test_the_video_is_in_the_one_message(slack: Workspace) -> None:
    await slack.deliver(SlackConfig(text="queued"), "dlv_1", None)
    slack.fake.slow_shares = 1
    outcome = await slack.until_done(SlackConfig(text="done", file="message"), "dlv_2")
    (message,), (file,) = slack.fake.messages, slack.fake.files.values()
    assert (message["text"], file.content, file.shared) == ("done", VIDEO.content, [("C0RELEASES", None)])
    assert (file.message, outcome.detail["shown"]) == (message["ts"], "message")
    await slack.deliver(SlackConfig(text="shared with the label"), "dlv_3", None)
    assert (message["text"], len(file.shared)) == ("shared with the label", 1)


async def test_a_video_that_slack_does_not_show_there_becomes_a_reply(slack: Workspace) -> None:
    slack.fake.shows_updates = False
    outcome = await slack.until_done(SlackConfig(text="done", file="message"))
    (message,), (file,) = slack.fake.messages, slack.fake.files.values()
    assert (file.content, file.shared) == (VIDEO.content, [("C0RELEASES", message["ts"])])
    assert outcome.detail["shown"] == "thread"
    assert "files.delete" in slack.fake.calls, "the first one cannot appear after all"


METHODS = ["chat.postMessage", "chat.update", "files.getUploadURLExternal", "upload", "files.completeUploadExternal"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("fault", [["lost"], ["500"], ["429"], ["500", "lost"], ["lost", "lost"]])
@pytest.mark.parametrize("where", ["thread", "message"])
async def test_no_fault_makes_it_double(slack: Workspace, method: str, fault: list[str], where: Any) -> None:
    slack.fake.faults[method] = list(fault)
    slack.fake.slow_shares = 1
    await slack.until_done(SlackConfig(text="done", file=where))
    assert len(slack.fake.messages) == 1
    shared = [file.shared for file in slack.fake.files.values() if file.shared]
    assert [len(shares) for shares in shared] == [1]


async def test_a_lost_reply_is_found_in_its_thread_among_many(slack: Workspace) -> None:
    await slack.deliver(SlackConfig(text="queued"), "dlv_1")
    for number in range(5):
        await slack.deliver(SlackConfig(text="x", message="thread"), f"other_{number}")
    slack.fake.faults["chat.postMessage"] = ["lost"]
    await slack.until_done(SlackConfig(text="reply", message="thread"), "dlv_2")
    assert [message["text"] for message in slack.fake.messages].count("reply") == 1


async def test_a_message_that_somebody_deleted_is_posted_anew(slack: Workspace) -> None:
    await slack.deliver(SlackConfig(text="queued"), "dlv_1")
    slack.fake.messages.clear()
    await slack.deliver(SlackConfig(text="done"), "dlv_2")
    assert [message["text"] for message in slack.fake.messages] == ["done"]


async def test_slacks_wish_to_wait_is_passed_on(slack: Workspace) -> None:
    slack.fake.faults["chat.postMessage"] = ["429"]
    with pytest.raises(Retry) as caught:
        await slack.deliver(SlackConfig(text="done"))
    assert caught.value.after == 7.0


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (SlackConfig(text="x", channel="#nowhere"), "no such channel"),
        (SlackConfig(text="x", channel="#old"), "archived"),
        (SlackConfig(text="x", channel="#outside"), "/invite"),
        (SlackConfig(text=" "), "`text` is empty"),
        (SlackConfig(text="x" * 40_001), "`truncate`"),
        (SlackConfig(text="x", blocks=[{"type": "divider"}] * 51), "51 blocks"),
        (SlackConfig(text="x", blocks=[{"type": "nonsense"}]), "unsupported type: nonsense"),
    ],
)
async def test_what_is_wrong_is_said_with_what_to_do(slack: Workspace, config: SlackConfig, said: str) -> None:
    with pytest.raises(Reject) as caught:
        await slack.deliver(config)
    assert said in str(caught.value)
    assert slack.fake.messages == []


async def test_a_missing_scope_is_named_and_a_wrong_token_is_not_shown(slack: Workspace) -> None:
    slack.fake.scopes.remove("files:write")
    with pytest.raises(Reject, match="add the scope files:write"):
        await slack.deliver(SlackConfig(text="done", file="thread"))
    slack.fake.scopes.add("files:write")
    await slack.deliver(SlackConfig(text="done", file="thread"))
    assert len(slack.fake.messages) == 1
    with pytest.raises(Reject, match="copy the bot token") as caught:
        await slack.deliver(SlackConfig(text="x"), "dlv_2", **{**slack.connection, "token": "xoxb-secret"})
    assert "xoxb-secret" not in str(caught.value)


async def test_a_webhook_posts_and_says_what_it_cannot(slack: Workspace) -> None:
    webhook = {"webhook_url": f"{slack.url}/services/T/B/X"}
    await slack.deliver(SlackConfig(text="done"), **webhook)
    assert slack.fake.webhooks == [{"text": "done"}]
    with pytest.raises(Reject, match="bot `token`"):
        await slack.deliver(SlackConfig(text="done", file="thread"), **webhook)
    with pytest.raises(Reject, match="not both"):
        await slack.deliver(SlackConfig(text="done"), **webhook, token="xoxb-test")


async def test_a_bot_that_posts_without_being_a_member_joins_to_show_the_video(slack: Workspace) -> None:
    slack.fake.scopes.add("chat:write.public")
    to = {**slack.connection, "channel": "C0OUTSIDE"}
    outcome = await slack.deliver(SlackConfig(text="done", file="thread"), **to)
    assert (outcome.detail["shown"], slack.fake.channels["C0OUTSIDE"]["member"]) == ("thread", True)
    assert [file.shared for file in slack.fake.files.values() if file.shared] == [[("C0OUTSIDE", outcome.detail["ts"])]]
    slack.fake.channels["C0OUTSIDE"]["member"] = False
    slack.fake.scopes.remove("channels:join")
    with pytest.raises(Reject, match="/invite @your-bot"):
        await slack.deliver(SlackConfig(text="done", file="thread"), "dlv_2", **to)


async def check(slack: Workspace, **connection: str) -> str:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await Slack().check({**slack.connection, **connection}, client)


async def test_a_check_names_the_workspace_and_finds_the_channel(slack: Workspace) -> None:
    for channel in ("#releases", "C0RELEASES"):
        assert await check(slack, channel=channel) == f"reaches the workspace Beat as relay; is in {channel}"
    assert await check(slack, channel="") == "reaches the workspace Beat as relay"
    assert slack.fake.messages == []


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ("#nope", "the channel #nope is not among"),
        ("C0NOPE", "there is no such channel"),
        ("#outside", "/invite @your"),
    ],
)
async def test_a_check_says_of_a_channel_that_no_message_would_reach_it(
    slack: Workspace, channel: str, said: str
) -> None:
    with pytest.raises((Reject, Retry), match=said):
        await check(slack, channel=channel)
    slack.fake.scopes.add("chat:write.public")
    if channel == "#outside":
        assert "posts to #outside without being in it" in await check(slack, channel=channel)


async def test_a_check_says_which_scopes_are_missing_and_what_for(slack: Workspace) -> None:
    slack.fake.scopes -= {"files:write", "channels:history"}
    said = await check(slack)
    assert "whether it is in #releases, the first message will tell" in said
    assert "without channels:history or groups:history, a message whose answer was lost cannot be looked up" in said
    assert "without files:write, the video itself cannot be shown" in said
    slack.fake.scopes.remove("chat:write")
    with pytest.raises(Reject, match="add the scope chat:write"):
        await check(slack)


async def test_a_check_of_a_webhook_posts_nothing_and_tells_a_dead_one(slack: Workspace) -> None:
    slack.fake.dead_hooks |= {"services/gone": (404, "no_service"), "services/wrong": (403, "invalid_token")}
    async with httpx.AsyncClient(trust_env=False) as client:
        said = await Slack().check({"webhook_url": f"{slack.url}/services/T/B/X"}, client)
        for path, why in (("gone", "make a new one"), ("wrong", "copy it again")):
            with pytest.raises(Reject, match=why):
                await Slack().check({"webhook_url": f"{slack.url}/services/{path}"}, client)
    assert "the incoming webhook is there" in said
    assert slack.fake.webhooks == []


@pytest.mark.parametrize("block", range(4))
async def test_one_message_and_one_file_whatever_the_moment_of_death(tmp_path: Path, block: int) -> None:
    fake = FakeSlack()
    with running(fake) as url:
        connection = {"token": "xoxb-test", "channel": "#releases", "api_url": f"{url}/api"}
        for seed in range(100)[block::4]:
            where = ("thread", "message")[seed // 4 % 2]
            case = Case("connectors.slack:Slack", {"text": "{{ row.title }}", "file": where}, connection)
            fake.messages.clear()
            fake.files.clear()
            (tmp_path / str(seed)).mkdir()
            death = await killed(tmp_path / str(seed), case, seed)
            assert death.row.state == "done", death
            assert death.at is not None, f"seed {seed} did not kill"
            assert len(fake.messages) == 1, death
            assert [len(file.shared) for file in fake.files.values() if file.shared] == [1], death


async def test_a_webhook_killed_after_its_answer_says_it_twice(tmp_path: Path) -> None:
    fake = FakeSlack()
    with running(fake) as url:
        case = Case("connectors.slack:Slack", {"text": "done"}, {"webhook_url": f"{url}/services/T/B/X"})
        for seed in range(10):
            fake.webhooks.clear()
            (tmp_path / str(seed)).mkdir()
            death = await killed(tmp_path / str(seed), case, seed)
            assert (death.row.state, len(fake.webhooks)) == ("done", 2), death


def test_slacks_own_client_agrees_with_the_fake(slack: Workspace) -> None:
    client = WebClient("xoxb-test", base_url=f"{slack.url}/api/")
    known = client.auth_test()
    assert (known["user"], known.headers["x-oauth-scopes"]) == ("relay", ",".join(sorted(slack.fake.scopes)))
    metadata = {"event_type": "e", "event_payload": {"delivery": "d"}}
    posted = client.chat_postMessage(channel="#releases", text="a", metadata=metadata)
    client.chat_update(channel=posted["channel"], ts=posted["ts"], text="b")
    seen = client.conversations_history(channel=posted["channel"], include_all_metadata=True)["messages"][0]
    assert (seen["text"], seen["metadata"]) == ("b", metadata)
    client.files_upload_v2(content=b"first", filename="v.mp4")
    client.chat_update(channel=posted["channel"], ts=posted["ts"], text="c", file_ids=["F000"])
    assert client.files_info(file="F000")["file"]["shares"]["public"]["C0RELEASES"][0]["ts"] == posted["ts"]
    client.files_delete(file="F000")
    client.files_upload_v2(channel="C0RELEASES", content=b"video", filename="v.mp4", thread_ts=posted["ts"])
    (file,) = slack.fake.files.values()
    assert (file.content, file.shared) == (b"video", [("C0RELEASES", posted["ts"])])
    assert client.files_info(file="F001")["file"]["shares"]["public"]["C0RELEASES"]
    for channel, error in (("C0OUTSIDE", "not_in_channel"), ("nope", "channel_not_found")):
        with pytest.raises(SlackApiError) as caught:
            client.chat_postMessage(channel=channel, text="x")
        assert caught.value.response["error"] == error
