"""Where people find what a connection needs."""

from .fields import Link

SLACK_APPS = Link("Your Slack apps: OAuth & Permissions", "https://api.slack.com/apps")
SLACK_HOOKS = Link("Your Slack apps: Incoming Webhooks", "https://api.slack.com/apps")
GOOGLE_ACCOUNTS = Link(
    "Google Cloud: Service accounts, Keys, Add key, JSON", "https://console.cloud.google.com/iam-admin/serviceaccounts"
)
GOOGLE_CLIENTS = Link("Google Cloud: Credentials", "https://console.cloud.google.com/apis/credentials")
GOOGLE_PLAYGROUND = Link(
    "Google's OAuth Playground, with your own client", "https://developers.google.com/oauthplayground/"
)
GOOGLE_DELEGATION = Link("Google Admin: Domain-wide delegation", "https://admin.google.com/ac/owl/domainwidedelegation")
DRIVE = Link("Google Drive", "https://drive.google.com/")
SHEETS = Link("Google Sheets", "https://docs.google.com/spreadsheets/")
AWS_S3 = Link("AWS: Buckets", "https://console.aws.amazon.com/s3/buckets")
AWS_KEYS = Link("AWS: Users, Security credentials", "https://console.aws.amazon.com/iam/home#/users")
ZAPIER = Link("Your Zaps", "https://zapier.com/app/zaps")
MAKE_HOOKS = Link("Make: Webhooks", "https://help.make.com/webhooks")
MAKE_KEYS = Link("Make: Webhooks, API key authentication", "https://help.make.com/webhooks")
N8N = Link("n8n: Webhook node", "https://docs.n8n.io/integrations/builtin/core-nodes/n8n-nodes-base.webhook/")
N8N_KEYS = Link(
    "n8n: Webhook credentials, Header Auth", "https://docs.n8n.io/integrations/builtin/credentials/webhook/"
)
PIPEDREAM = Link("Your Pipedream workflows", "https://pipedream.com/workflows")
STANDARD_WEBHOOKS = Link("Standard Webhooks", "https://www.standardwebhooks.com/")
