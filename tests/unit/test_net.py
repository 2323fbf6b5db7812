"""Outbound HTTP: nobody reaches the relay's own network through it, whatever a name pretends."""

import ipaddress
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from relay.net import USER_AGENT, Egress, RefusedAddress, guarded_client, is_public, read_limited
from tests.servers import running

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.10",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "2002:7f00:1::1",
        "2002:c0a8:101::1",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)
def test_these_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_these_are(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("allow", "host", "port", "address", "permitted"),
    [
        ([], "x.example", 443, "93.184.216.34", True),
        ([], "x.example", 443, "10.0.0.1", False),
        (["n8n.local"], "n8n.local", 5678, "10.0.0.1", True),
        (["N8N.local"], "n8n.LOCAL", 5678, "10.0.0.1", True),
        (["n8n.local:5678"], "n8n.local", 5678, "10.0.0.1", True),
        (["n8n.local:5678"], "n8n.local", 5679, "10.0.0.1", False),
        (["n8n.local"], "other.local", 5678, "10.0.0.1", False),
        (["10.0.0.0/8"], "x.example", 443, "10.9.9.9", True),
        (["10.0.0.0/8"], "x.example", 443, "192.168.0.1", False),
        (["[::1]"], "::1", 80, "::1", True),
        (["fd00::/8"], "x.example", 80, "fd12::1", True),
    ],
)
def test_what_is_allowed(allow: list[str], host: str, port: int, address: str, permitted: bool) -> None:
    assert Egress(allow).permits(host, port, ipaddress.ip_address(address)) is permitted


@pytest.mark.parametrize("entry", ["10.0.0.0/99", "a b", "", "10.0.0.1/8"])
def test_a_wrong_entry_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="neither a host, a host:port nor a network"):
        Egress([entry])


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Answers with what it was asked, endlessly if asked for that, or with a redirect."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/away":
        headers = [(b"location", b"http://169.254.169.254/latest")]
        await send({"type": "http.response.start", "status": 302, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/endless":
        for _ in range(10_000):
            await send({"type": "http.response.body", "body": b"x" * 1024, "more_body": True})
    agent = dict(scope["headers"])[b"user-agent"]
    await send({"type": "http.response.body", "body": agent})


@pytest.fixture(scope="module")
def port() -> Any:
    with running(hello) as url:
        yield int(url.rpartition(":")[2])


@pytest.fixture
async def closing() -> AsyncIterator[list[httpx.AsyncClient]]:
    clients: list[httpx.AsyncClient] = []
    yield clients
    for client in clients:
        await client.aclose()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::1]"])
async def test_loopback_is_refused_however_it_is_spelled(
    port: int, host: str, closing: list[httpx.AsyncClient]
) -> None:
    client = guarded_client(Egress())
    closing.append(client)
    with pytest.raises((RefusedAddress, httpx.ConnectError, httpx.InvalidURL)) as caught:
        await client.get(f"http://{host}:{port}/")
    refused = isinstance(caught.value, RefusedAddress | httpx.InvalidURL)
    assert refused or "cannot be resolved" in str(caught.value)


async def test_the_refusal_says_what_to_change(port: int, closing: list[httpx.AsyncClient]) -> None:
    client = guarded_client(Egress())
    closing.append(client)
    with pytest.raises(RefusedAddress, match=rf"add 127.0.0.1:{port} to BEATRELAY_ALLOW_PRIVATE"):
        await client.get(f"http://127.0.0.1:{port}/")


async def test_an_allowed_address_is_reached_with_our_own_name(port: int, closing: list[httpx.AsyncClient]) -> None:
    client = guarded_client(Egress([f"127.0.0.1:{port}"]))
    closing.append(client)
    assert (await client.get(f"http://127.0.0.1:{port}/")).text == USER_AGENT
    assert USER_AGENT.startswith("beatrelay/")


async def test_a_name_that_changes_its_mind_gains_nothing(port: int, closing: list[httpx.AsyncClient]) -> None:
    """The address that was looked at is the one that is connected to: there is no second look-up to poison."""
    answers = iter([["127.0.0.1"], ["93.184.216.34"]])
    asked: list[str] = []

    async def fickle(host: str, _: int) -> list[str]:
        asked.append(host)
        return next(answers)

    client = guarded_client(Egress(), resolver=fickle)
    closing.append(client)
    with pytest.raises(RefusedAddress):
        await client.get(f"http://rebind.example:{port}/")
    assert asked == ["rebind.example"]


async def test_it_connects_to_the_address_that_was_looked_at_not_to_the_name(
    port: int, closing: list[httpx.AsyncClient]
) -> None:
    """Nobody but the resolver knows this name: a second look-up would find nothing."""

    async def known(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    client = guarded_client(Egress(["only-here.invalid"]), resolver=known)
    closing.append(client)
    url = f"http://only-here.invalid:{port}/"
    assert (await client.get(url)).status_code == 200
    answer = await client.exchange("GET", url, {}, None, 100)
    assert answer.status == 200


async def test_one_private_address_among_public_ones_is_enough_to_refuse(closing: list[httpx.AsyncClient]) -> None:
    async def mixed(host: str, port: int) -> list[str]:
        return ["93.184.216.34", "10.0.0.1"]

    client = guarded_client(Egress(), resolver=mixed)
    closing.append(client)
    with pytest.raises(RefusedAddress):
        await client.get("http://mixed.example/")


async def test_redirects_are_not_followed(port: int, closing: list[httpx.AsyncClient]) -> None:
    client = guarded_client(Egress(["127.0.0.1"]))
    closing.append(client)
    assert (await client.get(f"http://127.0.0.1:{port}/away")).status_code == 302


async def test_proxies_of_the_environment_are_ignored(
    port: int, closing: list[httpx.AsyncClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    client = guarded_client(Egress(["127.0.0.1"]))
    closing.append(client)
    assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 200


async def test_an_endless_answer_is_cut(port: int, closing: list[httpx.AsyncClient]) -> None:
    client = guarded_client(Egress(["127.0.0.1"]))
    closing.append(client)
    async with client.stream("GET", f"http://127.0.0.1:{port}/endless") as response:
        body, more = await read_limited(response)
    assert (len(body), more) == (16 * 1024, True)
