"""Access to Google: tokens are fetched once, renewed when refused, and their errors tell people what to do."""

import json
from collections.abc import Iterator

import httpx
import pytest
from google.auth import jwt

from connectors.base import Reject, Retry
from connectors.google_auth import Accounts, GoogleConnection, signed_claims
from connectors.google_drive import DriveConfig, GoogleDrive
from tests.fakes.google_drive import DriveFake
from tests.fakes.google_wire import KEY_FILE, PUBLIC, ROBOT, Fault
from tests.google import Video, deliver, person, robot
from tests.servers import running

pytestmark = pytest.mark.anyio


@pytest.fixture
def drive() -> Iterator[tuple[DriveFake, str]]:
    fake = DriveFake()
    fake.robot = False
    with running(fake) as url:
        yield fake, url


async def upload(connection: dict[str, str], connector: GoogleDrive | None = None) -> None:
    await deliver(connector or GoogleDrive(), DriveConfig(), connection, Video(b"video"))


def test_googles_own_library_accepts_what_we_sign() -> None:
    import time

    at = int(time.time())
    token = signed_claims(json.loads(KEY_FILE), {"scope": "s", "aud": "https://t.example", "sub": "mia@x.example"}, at)
    claims = jwt.decode(token, certs={"k1": PUBLIC}, audience="https://t.example")
    assert claims == {
        "iss": ROBOT, "scope": "s", "aud": "https://t.example", "sub": "mia@x.example", "iat": at, "exp": at + 3600,
    }  # fmt: skip
    assert jwt.decode_header(token) == {"typ": "JWT", "alg": "RS256", "kid": "k1"}


async def test_a_service_account_may_act_as_a_person(drive: tuple[DriveFake, str]) -> None:
    await upload(robot(drive[1], subject="mia@example.com", scope="https://www.googleapis.com/auth/drive.file"))
    claims = drive[0].grants[0]["claims"]
    assert (claims["iss"], claims["sub"]) == (ROBOT, "mia@example.com")
    assert claims["scope"] == "https://www.googleapis.com/auth/drive.file"


async def test_one_token_serves_until_it_is_old(drive: tuple[DriveFake, str]) -> None:
    now = [1_800_000_000.0]
    connector = GoogleDrive(lambda: now[0])
    for seconds in (0, 3000, 600):
        now[0] += seconds
        await upload(person(drive[1]), connector)
    assert len(drive[0].grants) == 2


async def test_a_refused_token_is_renewed_once(drive: tuple[DriveFake, str]) -> None:
    fake, url = drive
    connector = GoogleDrive()
    await upload(person(url), connector)
    fake.tokens.clear()
    await upload(person(url), connector)
    assert (len(fake.grants), len(fake.videos)) == (2, 2)
    fake.fail("files.generateIds", Fault(401, "authError"), Fault(401, "authError"))
    with pytest.raises(Retry, match="although the token is new"):
        await upload(person(url), connector)


async def test_a_dead_refresh_token_says_reconnect_and_why(drive: tuple[DriveFake, str]) -> None:
    drive[0].refresh_token = "1//another"
    with pytest.raises(Reject, match=r"connect the account again.*Testing.*7 days") as caught:
        await upload(person(drive[1]))
    assert "1//refresh" not in str(caught.value)
    assert "client-secret" not in f"{caught.value}{caught.value.detail}"


@pytest.mark.parametrize(
    ("connection", "says"),
    [
        ({}, "has no client_id"),
        ({"client_id": "c", "client_secret": "s"}, "has no refresh_token"),
        ({"service_account": KEY_FILE, "client_id": "c"}, "keep one of the two"),
        ({"service_account": "{}"}, "not the JSON key file"),
        ({"service_account": "not json"}, "not the JSON key file"),
        ({"service_account": json.dumps({"client_email": "a", "private_key": "PEM"})}, "no RSA key"),
        ({"client_id": "client", "client_secret": "wrong", "refresh_token": "r"}, "401 invalid_client"),
    ],
)
async def test_what_is_wrong_with_a_connection_is_said(
    drive: tuple[DriveFake, str], connection: dict[str, str], says: str
) -> None:
    with pytest.raises(Reject, match=says):
        await upload({**connection, "api_url": drive[1], "token_url": f"{drive[1]}/token"})


async def test_a_token_endpoint_in_trouble_is_tried_later(drive: tuple[DriveFake, str]) -> None:
    drive[0].fail("token", Fault(429, headers={"retry-after": "9"}), Fault(lost=True))
    with pytest.raises(Retry) as caught:
        await upload(person(drive[1]))
    assert caught.value.after == 9.0
    with pytest.raises(Retry, match="connection failed"):
        await upload(person(drive[1]))


async def test_a_key_that_google_does_not_know_says_what_to_look_at(drive: tuple[DriveFake, str]) -> None:
    drive[0].fail("token", Fault(400))
    async with httpx.AsyncClient(trust_env=False) as client:
        account = Accounts("scope", lambda: 0.0).of(
            GoogleConnection(service_account=KEY_FILE, token_url=f"{drive[1]}/token")
        )
        with pytest.raises(Reject, match="gives no token"):
            await account.token(client)
        with pytest.raises(Reject, match="this machine's clock must be right"):  # a claim of 1970 is long over
            await account.token(client)
