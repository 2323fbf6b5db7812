"""What belongs to the account rather than to one task: workflows, usage, uploaded files."""

from msgspec import UNSET, Struct, UnsetType, field

from .tasks import Credits


class Workflow(Struct):
    """A kind of video that can be asked for."""

    id: str
    name: str
    description: str
    object: str = "workflow"


class Concurrency(Struct):
    """How many tasks may use processing resources at once, and how many do."""

    limit: int
    active: int


class WorkflowUsage(Struct):
    """Totals of one workflow."""

    workflow: str
    tasks: int
    credits_settled: Credits


class RealtimeUsage(Struct):
    """Totals of realtime sessions."""

    sessions: int
    credits: Credits
    active: int


class Account(Struct):
    """``GET /v1/usage``: totals of the account. The balance may be negative.

    ``period`` exists in the current contract only, so it tells the two contracts apart.
    """

    credit_balance: Credits
    total_tasks: int
    credits_settled: Credits
    credits_refunded: Credits
    concurrency: Concurrency
    by_workflow: list[WorkflowUsage] = field(default_factory=list[WorkflowUsage])
    object: str = "usage"
    period: str | UnsetType = UNSET
    realtime: RealtimeUsage | UnsetType = UNSET


class UploadedFile(Struct):
    """``POST /v1/files``: a local asset turned into an HTTPS URL."""

    id: str
    url: str
    key: str
    mime_type: str
    size_bytes: int
    created_at: int
    object: str = "file"
    purpose: str = "input"
    audio_duration_seconds: float | UnsetType = UNSET
    audio_duration_source: str | UnsetType = UNSET
