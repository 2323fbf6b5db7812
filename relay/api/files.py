"""``POST /v1/files``: a local or private file becomes a public URL that can be an input."""

from typing import Any

import msgspec
from litestar import Request, Response, post

from relay.contract import Data, UploadedFile
from relay.contract.files import ending_of
from relay.flow.uploads import Unfit, receive, spool

from .answers import BAD_REQUEST, UNAUTHORIZED, UNAVAILABLE
from .errors import ApiError
from .parts import TheProvider, TheSpool
from .passing import passed_on


@post(
    "/v1/files",
    operation_id="uploadFile",
    summary="Upload an input file",
    tags=["Files"],
    status_code=201,
    responses={400: BAD_REQUEST, 401: UNAUTHORIZED, 503: UNAVAILABLE},
    request_max_body_size=None,  # counted while it is read, so that a file too large is told in the contract's words
)
async def upload_file(
    request: Request[Any, Any, Any], provider: TheProvider, spool_folder: TheSpool
) -> Response[Data[UploadedFile]]:
    """Send a form with the file in `file`, or the bare bytes with their Content-Type. Its type is told by its bytes;
    nothing that breaks a rule is sent on."""
    rules = await provider.file_rules()
    with spool(spool_folder) as path:
        try:
            file = await receive(request.stream(), request.content_type, path, rules)
        except Unfit as unfit:
            details = [msgspec.structs.asdict(violation) for violation in unfit.violations]
            raise ApiError(400, f"{unfit}.", details=details) from unfit
        name = file.name or f"upload{ending_of(file.mime)}"
        return passed_on(await provider.upload(path, name, file.mime))
