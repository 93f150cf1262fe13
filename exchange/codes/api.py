"""Routes of code lists."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from exchange.codes.service import CodeListService
from exchange.codes.wire import CodeListIn, NamedCodeListIn


def build_router(*, codes: CodeListService, authentication: Authentication) -> APIRouter:
    """Build the routes over `codes`."""
    router = APIRouter(prefix="/v1", tags=["codes"])
    provider = Annotated[Caller, Depends(authentication.requires(Scope.CATALOGUE_WRITE))]
    known = Annotated[Caller, Depends(authentication.requires())]

    @router.get("/code-lists")
    async def list_code_lists(_caller: known) -> dict[str, dict[str, str]]:
        """List the code lists that items may name, with what each code means, retired codes included."""
        return {held.name: {each.code: each.title for each in held.codes} for held in await codes.load_all()}

    @router.post("/code-lists", status_code=201)
    async def register_code_list(body: NamedCodeListIn, caller: provider) -> dict[str, Any]:
        """Register a code list of the caller's organisation, which items of any resource may then name."""
        return asdict(await codes.register(body.build(body.name), caller=caller))

    @router.get("/code-lists/{list_name}")
    async def read_code_list(list_name: str, _caller: known) -> dict[str, Any]:
        """Read a code list, and the codes of the resources that name it."""
        held, used_by = await codes.load(list_name)
        return asdict(held) | {"used_by": used_by}

    @router.put("/code-lists/{list_name}")
    async def change_code_list(list_name: str, body: CodeListIn, caller: provider) -> dict[str, Any]:
        """Send a new version of a code list of the caller's organisation.

        A code that items of resources take is retired, not left out: its rows are still understood, and new
        ones that come with it are flagged.
        """
        return asdict(await codes.change(body.build(list_name), caller=caller))

    @router.get("/code-lists/{list_name}/versions")
    async def list_code_list_versions(list_name: str, _caller: known) -> list[dict[str, Any]]:
        """Tell what each version of a registered code list changed, the newest first."""
        return [asdict(each) for each in await codes.load_versions(list_name)]

    return router
