"""Routes of the transparency log: heads, leaves, proofs, tiles, witnesses.

Heads, hashes and proofs go to anyone: they tell nothing of what was done. Leaves go to auditors, to whose act
it was and to whose data; whole entry bundles to auditors alone.
"""

import base64
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from core.caller import Caller, Scope
from core.errors import BadInput, NotFound
from core.http.authentication import Authentication
from core.log.leaf_body import describe_leaf
from core.log.proofs import InclusionProof
from core.log.services import LogServices
from signing.errors import DecodeError
from signing.merkle.tiles import parse_bundle_path, parse_tile_path

TEXT = "text/plain; charset=utf-8"
OCTETS = "application/octet-stream"
FOREVER = "public, max-age=31536000, immutable"
FRESH = "no-cache"
PRIVATE = "private, max-age=31536000, immutable"
MAX_COSIGNED_BYTES = 65_536


class WitnessIn(BaseModel):
    """A witness to register."""

    model_config = ConfigDict(extra="forbid")

    verifier_key: str = Field(max_length=1000, description="<name>+<key id>+<base64> (C2SP signed-note)")


def build_router(*, log: LogServices, authentication: Authentication) -> APIRouter:
    """Build the routes over `log`."""
    router = APIRouter(prefix="/v1/log", tags=["log"])
    _add_head_routes(router, log=log)
    _add_leaf_routes(router, log=log, authentication=authentication)
    _add_tile_routes(router, log=log, authentication=authentication)
    _add_witness_routes(router, log=log, authentication=authentication)
    return router


def _add_head_routes(router: APIRouter, *, log: LogServices) -> None:
    @router.get("/checkpoint", response_class=Response)
    async def checkpoint(witnesses: Annotated[int, Query(ge=0, le=100)] = 0) -> Response:
        """The newest signed head (C2SP tlog-checkpoint, signed with SM2), to anyone."""
        latest = await log.proofs.load_checkpoint(witnesses=witnesses)
        return Response(latest.note, media_type=TEXT, headers={"Cache-Control": FRESH})

    @router.get("/checkpoints/{tree_size}", response_class=Response)
    async def checkpoint_of_size(tree_size: int) -> Response:
        """The signed head of one size, with the cosignatures it has so far."""
        found = await log.proofs.load_checkpoint(tree_size=tree_size)
        return Response(found.note, media_type=TEXT, headers={"Cache-Control": FRESH})

    @router.get("/keys")
    async def keys() -> dict[str, Any]:
        """The log's origin, hash and keys, with the certificates that lead to the hub's root."""
        return await log.describe_keys()

    @router.get("/inclusion")
    async def inclusion(
        index: Annotated[int, Query(ge=0)], tree_size: Annotated[int | None, Query(ge=1)] = None
    ) -> dict[str, Any]:
        """The proof that the entry at an index stands in a signed tree (RFC 9162 2.1.3), by its hash."""
        return render_proof(await log.proofs.prove_index(index, tree_size=tree_size))

    @router.get("/consistency")
    async def consistency(
        old_size: Annotated[int, Query(ge=0)], new_size: Annotated[int | None, Query(ge=0)] = None
    ) -> dict[str, Any]:
        """The proof that one tree continues another (RFC 9162 2.1.4)."""
        found = await log.proofs.prove_consistency(old_size=old_size, new_size=new_size)
        return {
            "old_size": found.old_size,
            "new_size": found.new_size,
            "proof": [base64.b64encode(node).decode() for node in found.proof],
        }


def _add_leaf_routes(router: APIRouter, *, log: LogServices, authentication: Authentication) -> None:
    anyone = Annotated[Caller, Depends(authentication.requires())]
    auditor = Annotated[Caller, Depends(authentication.requires(Scope.AUDIT))]

    @router.get("/leaves")
    async def leaves(
        caller: anyone,
        first: Annotated[int, Query(ge=0, le=2**62)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> dict[str, Any]:
        """Entries in the order of the tree: all for auditors, else those of own acts and own data."""
        found = await log.proofs.load_leaves(first=first, limit=limit, caller=caller)
        return {
            "leaves": [
                {
                    "index": each.leaf_index,
                    "leaf_hash": each.leaf_hash.hex(),
                    "entry": None if each.entry is None else each.entry.decode(),
                }
                for each in found
            ]
        }

    @router.get("/leaves/{leaf_id}")
    async def prove(leaf_id: UUID, caller: anyone) -> dict[str, Any]:
        """A leaf, its entry, and the proof that it stands in the newest signed tree (RFC 9162 2.1.3)."""
        return render_proof(await log.proofs.prove_leaf(leaf_id, caller=caller))

    @router.get("/checks")
    async def checks(_caller: auditor) -> dict[str, Any]:
        """The outcomes of the log's self-checks, newest first, to auditors."""
        return {"checks": await log.check.load_checks()}


def _add_tile_routes(router: APIRouter, *, log: LogServices, authentication: Authentication) -> None:
    auditor = Annotated[Caller, Depends(authentication.requires(Scope.AUDIT))]

    @router.get("/tile/entries/{path:path}", response_class=Response)
    async def entry_bundle(path: str, caller: auditor) -> Response:
        """An entry bundle (C2SP tlog-tiles), to auditors."""
        try:
            bundle = parse_bundle_path(f"tile/entries/{path}")
        except DecodeError as wrong:
            raise NotFound(wrong.detail) from wrong
        data = await log.proofs.load_bundle(bundle, caller=caller)
        return Response(data, media_type=OCTETS, headers={"Cache-Control": PRIVATE, "Vary": "Authorization"})

    @router.get("/tile/{path:path}", response_class=Response)
    async def tile(path: str) -> Response:
        """A tile of hashes (C2SP tlog-tiles), to anyone; it never changes."""
        try:
            wanted = parse_tile_path(f"tile/{path}")
        except DecodeError as wrong:
            raise NotFound(wrong.detail) from wrong
        data = await log.proofs.load_tile(wanted)
        return Response(data, media_type=OCTETS, headers={"Cache-Control": FOREVER})


def _add_witness_routes(router: APIRouter, *, log: LogServices, authentication: Authentication) -> None:
    administrator = Annotated[Caller, Depends(authentication.requires(Scope.ADMIN))]

    @router.get("/witnesses")
    async def witnesses() -> list[dict[str, Any]]:
        """The witnesses of this log, to anyone who wants to check their cosignatures."""
        found = await log.witnesses.list_witnesses()
        return [
            {"name": each.name, "verifier_key": each.verifier_key, "is_retired": each.is_retired}
            for each in found
        ]

    @router.post("/witnesses", status_code=201)
    async def register_witness(body: WitnessIn, caller: administrator) -> dict[str, str]:
        """Register a witness by its public key."""
        made = await log.witnesses.register(body.verifier_key, caller=caller)
        return {"name": made.name, "verifier_key": made.verifier_key}

    @router.delete("/witnesses/{name:path}", status_code=204)
    async def retire_witness(name: str, caller: administrator) -> None:
        """Take no more cosignatures of a witness."""
        await log.witnesses.retire(name, caller=caller)

    @router.post("/cosignatures", status_code=201)
    async def take_cosignature(request: Request) -> dict[str, list[str]]:
        """Take a head that a registered witness has cosigned; the signature is the credential."""
        data = await request.body()
        if len(data) > MAX_COSIGNED_BYTES:
            msg = f"a cosigned head has at most {MAX_COSIGNED_BYTES} bytes"
            raise BadInput(msg)
        return {"witnesses": await log.witnesses.take(data)}


def render_proof(found: InclusionProof) -> dict[str, Any]:
    """Render an inclusion proof; without the leaf where the caller asked by index alone."""
    rendered: dict[str, Any] = {
        "index": found.leaf_index,
        "leaf_hash": found.leaf_hash.hex(),
        "tree_size": found.checkpoint.tree_size,
        "proof": [base64.b64encode(node).decode() for node in found.proof],
        "checkpoint": found.checkpoint.note,
    }
    if found.leaf is not None:
        rendered["leaf"] = describe_leaf(found.leaf)
    if found.entry is not None:
        rendered["entry"] = found.entry.decode()
    return rendered
