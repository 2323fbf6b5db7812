"""What to type into the form of a connection, and where each value is found."""

from dataclasses import dataclass, field

from .connection_links import (
    AWS_KEYS,
    AWS_S3,
    DRIVE,
    GOOGLE_ACCOUNTS,
    GOOGLE_CLIENTS,
    GOOGLE_DELEGATION,
    GOOGLE_PLAYGROUND,
    MAKE_HOOKS,
    MAKE_KEYS,
    N8N,
    N8N_KEYS,
    PIPEDREAM,
    SHEETS,
    SLACK_APPS,
    SLACK_HOOKS,
    STANDARD_WEBHOOKS,
    ZAPIER,
)
from .fields import Hint, Link


@dataclass(frozen=True, slots=True)
class Guide:
    """The form of one kind of destination."""

    title: str
    connector: str
    text: str
    """What it does, for somebody who chooses."""
    example: str
    """A name to begin with."""
    main: tuple[str, ...]
    """The keys that most people need; the others are folded away."""
    hints: dict[str, Hint]
    needed: tuple[str, ...] = ()
    """Keys of ``main`` without which this kind cannot work, though the connector has other uses without them."""
    own: dict[str, Hint] = field(default_factory=dict[str, Hint])
    """What is said otherwise here than for its connector in general."""

    def hint(self, key: str) -> Hint:
        """For a key that nobody has written about, its name."""
        return self.own.get(key) or self.hints.get(key) or Hint(key.replace("_", " ").capitalize())


PACE = {
    "max_concurrency": Hint("At once", "Most deliveries under way at the same time; 8 if empty."),
    "per_second": Hint("Per second", "Most deliveries that begin in a second; no limit if empty."),
    "per_minute": Hint("Per minute", "The same for a minute, for services that count so."),
}
"""What any connection can say about its pace."""

_SLACK = {
    "token": Hint(
        "Bot token",
        "Starts with `xoxb-`. The app needs `chat:write`, `channels:history` and `channels:read`; `files:write` and"
        " `files:read` to show the video itself.",
        SLACK_APPS,
    ),
    "channel": Hint(
        "Channel",
        "`C0123456789` (at the end of *View channel details* in Slack) or `#name`. Write `/invite @your-bot` there.",
    ),
    "signing_secret": Hint(
        "Signing secret",
        "For buttons in Slack. Under *Basic Information*; set the app's *Interactivity* URL to"
        " `/relay/v1/slack/interactions` on this relay.",
        SLACK_APPS,
    ),
    "approvers": Hint("Approvers", "Whose clicks count: `U0123…`, with spaces between. Empty: everybody's."),
    "webhook_url": Hint(
        "Incoming webhook",
        "Instead of a bot: posts new messages in one channel, and can post one twice when an answer is lost.",
        SLACK_HOOKS,
    ),
    "api_url": Hint("Address of Slack's API", "Another one for GovSlack."),
}
_GOOGLE = {
    "service_account": Hint(
        "Key file of a service account",
        "Open the downloaded JSON file and paste all of it. Either this, or the three fields of a person's consent.",
        GOOGLE_ACCOUNTS,
        long=True,
    ),
    "client_id": Hint("Client id", "Of an OAuth client of the type *Desktop app*.", GOOGLE_CLIENTS),
    "client_secret": Hint("Client secret", "Stands beside the client id.", GOOGLE_CLIENTS),
    "refresh_token": Hint(
        "Refresh token",
        "Set the app's publishing status to *In production* first: while it says *Testing*, Google ends the token after"
        " 7 days.",
        GOOGLE_PLAYGROUND,
    ),
    "subject": Hint(
        "Act as",
        "A person of your Workspace whom the service account acts for; an admin allows that.",
        GOOGLE_DELEGATION,
    ),
    "scope": Hint("Scope", "What the service account asks for, if an admin allowed it less than all."),
    "api_url": Hint("Address of Google's API", "For tests; leave it empty."),
    "token_url": Hint("Address of Google's tokens", "For tests; leave it empty."),
}
_S3 = {
    "bucket": Hint("Bucket", "Its name. Private is fine: links are signed.", AWS_S3),
    "access_key_id": Hint("Access key id", "Of a key that may use this bucket only.", AWS_KEYS),
    "secret_access_key": Hint("Secret access key", "Shown once, when the key is made.", AWS_KEYS),
    "region": Hint("Region", "Such as `eu-central-1`; `auto` for Cloudflare R2."),
    "endpoint": Hint(
        "Endpoint",
        "`https://` and the service's host, such as `https://ACCOUNT.r2.cloudflarestorage.com`; empty for AWS.",
    ),
    "public_url": Hint("Public address", "If everybody can read the bucket: `https://cdn.example.com`."),
    "path_style": Hint("Bucket in the path", "`true` or `false`; empty finds out by the endpoint."),
    "session_token": Hint("Session token", "Of temporary credentials."),
    "session_expires": Hint("Session ends", "When temporary credentials end: `2026-07-16T12:00:00Z`."),
}
_HTTP = {
    "url": Hint("URL", "Where deliveries go. Whoever knows such a URL can post to it, so it is kept as a secret."),
    "token": Hint("Bearer token", "Sent as `Authorization: Bearer …`."),
    "user": Hint("User", "For `Authorization: Basic …`, with the password."),
    "password": Hint("Password", "Goes with the user."),
    "header": Hint("Header", "The name of a header that carries a key, such as `x-api-key`."),
    "value": Hint("Value of the header", "Goes with the header."),
    "secret": Hint(
        "Signing secret",
        "`whsec_…`: signs each delivery. To rotate without a gap, give both, the new one first.",
        STANDARD_WEBHOOKS,
    ),
    "hmac_secret": Hint("Secret of your own signature", "For receivers that check an HMAC in a header of their own."),
    "hmac_header": Hint("Header of your own signature"),
    "hmac_format": Hint("What that header holds", "`{hex}` or `{base64}`, and `{timestamp}` if wanted."),
    "hmac_over": Hint("What is signed", "`{body}`, and `{timestamp}` and `{id}` if wanted."),
    "hmac_hash": Hint("Hash", "`sha256`, `sha512` or `sha1`."),
}
_EMAIL = {
    "host": Hint("Mail server", "The *outgoing* or *SMTP* server in your mail provider's help, `smtp.example.com`."),
    "sender": Hint("Sender", "`Studio <studio@example.com>` or the address alone."),
    "user": Hint("User", "Often the whole address."),
    "password": Hint("Password", "With two-step sign-in, an *app password* from your mail account's security page."),
    "tls": Hint("Encryption", "`starttls` unless your provider says otherwise. Certificates are checked."),
    "port": Hint("Port", "587 for starttls, 465 for tls, 25 for none, if empty."),
}
_FOLDER = {
    "root": Hint("Folder", "A whole path on the relay's machine, `/srv/videos`. Nothing is written outside of it.")
}


def _tool(title: str, slug: str, text: str, where: str, link: Link, keys: Link | None = None) -> Guide:
    """A no-code tool, called by HTTP at a URL that it gives. ``keys``: where it asks for a header of one's own."""
    own = {"url": Hint("URL of the hook", where, link)} | ({"value": Hint("Key", "", keys)} if keys else {})
    main = ("url", "header", "value") if keys else ("url",)
    return Guide(title, "http", text, slug, main, _HTTP, ("url",), own)


GUIDES: dict[str, Guide] = {
    "slack": Guide(
        "Slack",
        "slack",
        "A message that is updated from queued to done, and the video itself.",
        "team-slack",
        ("token", "channel", "webhook_url"),
        _SLACK,
    ),
    "google_drive": Guide(
        "Google Drive",
        "google_drive",
        "Uploads each video into a folder.",
        "my-drive",
        ("folder", "service_account", "client_id", "client_secret", "refresh_token"),
        _GOOGLE | {"folder": Hint("Folder", "Its address in the browser, or its id. Empty: My Drive.", DRIVE)},
    ),
    "google_sheets": Guide(
        "Google Sheets",
        "google_sheets",
        "Adds or updates a row for each video.",
        "my-sheet",
        ("spreadsheet", "service_account", "client_id", "client_secret", "refresh_token"),
        _GOOGLE | {"spreadsheet": Hint("Spreadsheet", "Its address in the browser, or its id.", SHEETS)},
    ),
    "s3": Guide(
        "S3",
        "s3",
        "A bucket at AWS, Cloudflare R2, Backblaze B2, Ceph, Garage and the like.",
        "media-bucket",
        ("bucket", "access_key_id", "secret_access_key", "region", "endpoint"),
        _S3,
    ),
    "zapier": _tool(
        "Zapier",
        "zapier",
        "Starts a Zap for each video.",
        "In the Zap choose *Webhooks by Zapier*, *Catch Hook*, and copy its URL.",
        ZAPIER,
    ),
    "make": _tool(
        "Make",
        "make",
        "Starts a scenario for each video.",
        "In the scenario add *Webhooks*, *Custom webhook*, and copy its address. Guard it with a key: header"
        " `x-make-apikey`.",
        MAKE_HOOKS,
        MAKE_KEYS,
    ),
    "n8n": _tool(
        "n8n",
        "n8n",
        "Starts a workflow for each video.",
        "The *Production URL* of a Webhook node that is set to POST, in an active workflow.",
        N8N,
        N8N_KEYS,
    ),
    "pipedream": _tool(
        "Pipedream",
        "pipedream",
        "Starts a workflow for each video.",
        "The URL of the workflow's HTTP trigger.",
        PIPEDREAM,
    ),
    "http": Guide(
        "HTTP", "http", "Any URL, signed as you like.", "my-tool", ("url", "secret", "token"), _HTTP, ("url",)
    ),
    "email": Guide(
        "Email",
        "email",
        "A mail with a link, or with the video in it.",
        "mail",
        ("host", "sender", "user", "password"),
        _EMAIL,
    ),
    "folder": Guide("Folder", "folder", "A folder on the relay's machine.", "shelf", ("root",), _FOLDER),
}
"""By what people look for; several may be forms of one connector."""


def guide_of(connector: str) -> Guide:
    """How a stored connection of ``connector`` is changed."""
    return GUIDES.get(connector) or Guide(connector, connector, "", f"my-{connector}".replace("_", "-"), (), {})
