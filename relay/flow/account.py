"""The relay's own account at the provider, as far as a person sets it up while the relay runs: the key it works with,
and the webhook endpoint by which the provider tells what is finished.

What the settings say wins and is changed there only. The rest is kept sealed in the journal.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import httpx
import msgspec
from msgspec import Struct

from relay.clock import Clock
from relay.contract import Data, ErrorEnvelope, Listing, WebhookEndpoint, WebhookEndpointRequest, decode, encode
from relay.contract.rules import is_public_https
from relay.journal import Journal, place_of
from relay.log import hide
from relay.providers import Provider, Standing
from relay.settings import Settings
from relay.vault import Vault

from .govern import Governor
from .inbox import TEST_EVENT
from .keys import Keys

PATH = "/webhooks/beatapi"
_KEY, _WEBHOOK = "beatapi_api_key", "beatapi_webhook"
_SECONDS = 15.0
"""Longest time of a test delivery."""
Source = Literal["settings", "page", ""]
T = TypeVar("T")


class AccountProblem(Exception):
    """It cannot be done; the message is a sentence for the person, with what to do."""


class Registered(Struct):
    """The webhook endpoint that the relay made for itself at the provider."""

    id: str
    url: str
    secrets: list[str]
    """The one that signs now first; then the former one, which late repeats may still carry."""
    made_at: float


class AccountView(Struct):
    """What is set up. Secrets are never shown again."""

    key: Source
    webhook: Source
    url: str
    """Where the provider shall send webhooks."""
    public: bool
    """Whether that address looks as if it can be reached from the internet."""
    endpoint: str = ""
    """Id of the endpoint at the provider, if the relay made it."""
    made_at: float | None = None
    moved: bool = False
    """The relay's address has changed since."""


class Account:
    """Sets the account up. ``http`` reaches the relay's own public address; ``renewed`` is called when there is a new
    key to work with."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        vault: Vault,
        provider: Provider,
        keys: Keys,
        governor: Governor,
        settings: Settings,
        http: httpx.AsyncClient,
        renewed: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._vault = vault
        self._provider = provider
        self._keys = keys
        self._governor = governor
        self._http = http
        self._renewed = renewed
        self._own_keys = bool(settings.api_keys)
        self._url = settings.url + PATH
        self._key: Source = "settings" if settings.beatapi_api_key else ""
        self._secrets_fixed = bool(settings.beatapi_webhook_secret)
        self._registered: Registered | None = None
        self._one_at_a_time = asyncio.Lock()

    async def start(self) -> None:
        """Use what was given on the page, where the settings say nothing. Raises :class:`relay.vault.VaultError`."""
        if not self._key and (key := await self._kept(_KEY)):
            self._use_key(key)
        if not self._secrets_fixed and (text := await self._kept(_WEBHOOK)):
            self._use_webhook(msgspec.json.decode(text, type=Registered))

    @property
    def ready(self) -> bool:
        """Whether there is a key to work with."""
        return bool(self._key)

    def view(self) -> AccountView:
        """What is set up, and where that stands."""
        made = self._registered
        return AccountView(
            key=self._key,
            webhook="settings" if self._secrets_fixed else "page" if made else "",
            url=self._url,
            public=is_public_https(self._url),
            endpoint=made.id if made else "",
            made_at=made.made_at if made else None,
            moved=made is not None and made.url != self._url,
        )

    async def give_key(self, key: str) -> Standing:
        """Work with ``key`` from now on, once the provider has taken it. Raises :class:`AccountProblem`."""
        key = key.strip()
        if self._key == "settings":
            raise AccountProblem("The key stands in `BEATAPI_API_KEY` or beatrelay.toml, which wins; change it there.")
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise AccountProblem("That is no key: a Beat API key is printable ASCII without spaces, such as `sk_…`.")
        hide([key])
        standing = await self._provider.with_key(key).standing()
        if not isinstance(standing, Standing):
            raise AccountProblem(f"The key was not kept, because Beat API did not take it: {standing.reason}.")
        await self._keep(_KEY, key)
        self._use_key(key)
        await self._governor.renew()
        self._renewed()
        return standing

    async def register(self, was: str) -> None:
        """Make an endpoint of ours at the provider, with a fresh secret, then remove those that stood there with our
        address. ``was``: the endpoint that the person saw; if there is another one by now, nothing is done, so that a
        double click registers once. Raises :class:`AccountProblem`."""
        if self._secrets_fixed:
            raise AccountProblem(
                "The webhook secret stands in `BEATAPI_WEBHOOK_SECRET` or beatrelay.toml, which wins; change it there."
            )
        if not self._key:
            raise AccountProblem("Give the relay its Beat API key first.")
        async with self._one_at_a_time:
            if was != (self._registered.id if self._registered else ""):
                return
            before = (await self._ask(Listing[WebhookEndpoint], "GET", "/v1/webhooks")).data
            wanted = encode(WebhookEndpointRequest(self._url, "beatrelay"))
            made = await self._ask(WebhookEndpoint, "POST", "/v1/webhooks", wanted)
            if not made.secret.startswith("whsec_") or "masked" in made.secret:
                raise AccountProblem(
                    f"Beat API made the endpoint {made.id} but did not show its secret; delete it there, and try again."
                )
            former = self._registered.secrets[:1] if self._registered else []
            registered = Registered(made.id, self._url, [made.secret, *former], self._clock.now())
            hide(registered.secrets)
            await self._keep(_WEBHOOK, encode(registered).decode())
            self._use_webhook(registered)
            for endpoint in before:
                if endpoint.url == self._url:
                    await self._remove(endpoint.id)

    async def _remove(self, endpoint_id: str) -> None:
        try:
            await self._ask(dict[str, Any], "DELETE", f"/v1/webhooks/{endpoint_id}")
        except AccountProblem as error:
            raise AccountProblem(
                f"The webhook is registered and works, but the older endpoint {endpoint_id} could not be removed:"
                f" {error} Delete it at Beat API, or register once more."
            ) from error

    async def prove(self) -> str:
        """Send ourselves a webhook as the provider would, through our public address, and see it arrive; answers with a
        sentence. Raises :class:`AccountProblem` with what to mend."""
        event_id, now = self._clock.new_id("evt"), self._clock.wall()
        data = {"id": event_id, "status": "succeeded"}
        body = encode({"id": event_id, "event": TEST_EVENT, "created_at": int(now), "data": data})
        headers = self._provider.sign(body, now) | {"content-type": "application/json"}
        if "x-beatapi-signature" not in headers:
            raise AccountProblem("There is no webhook secret yet; register the webhook first.")
        try:
            async with asyncio.timeout(_SECONDS):
                response = await self._http.post(self._url, content=body, headers=headers)
        except (httpx.HTTPError, TimeoutError) as error:
            raise AccountProblem(
                f"`{self._url}` could not be reached: {str(error) or type(error).__name__}. Beat API cannot reach it"
                " either; set `BEATRELAY_PUBLIC_URL` to the address at which the internet finds this relay."
            ) from error
        recent = await self._journal.receipts.recent(50)
        if any(receipt.event_id == event_id and receipt.verdict == "accepted" for receipt in recent):
            return "The test delivery went out to the public address and came back in, its signature verified."
        raise AccountProblem(
            f"`{self._url}` answered {response.status_code}, but the test delivery did not arrive here: something else"
            " answers at that address. Look at `BEATRELAY_PUBLIC_URL`, and at the proxy in front of the relay."
        )

    def _use_key(self, key: str) -> None:
        hide([key])
        self._key = "page"
        self._provider.use(api_key=key)
        if not self._own_keys:  # as with a key in the settings
            self._keys.configure([key])

    def _use_webhook(self, registered: Registered) -> None:
        hide(registered.secrets)
        self._registered = registered
        self._provider.use(secrets=registered.secrets)

    async def _ask(self, kind: type[T], method: Literal["GET", "POST", "DELETE"], path: str, body: bytes = b"") -> T:
        answer = await self._provider.pass_on(method, path, body=body)
        try:
            if answer.status < 300:
                return decode(answer.body, Data[kind]).data
            reason = decode(answer.body, ErrorEnvelope).error.message
        except msgspec.MsgspecError as error:
            reason = f"its answer cannot be read: {error}"
        raise AccountProblem(f"Beat API refused ({method} {path}, {answer.status}): {reason}")

    async def _kept(self, name: str) -> str | None:
        sealed = await self._journal.secrets.secret(name)
        return self._vault.open(sealed, place_of("secrets", name)) if sealed else None

    async def _keep(self, name: str, text: str) -> None:
        sealed = self._vault.seal(text, place_of("secrets", name))
        await self._journal.secrets.put_secret(name, sealed, self._clock.now())
