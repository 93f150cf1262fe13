"""A witness over HTTP: it cosigns what continues and refuses a fork."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from core.log.heads import HeadVerifier
from core.log.witness_duty import WitnessDuty
from hub.services import utc_now
from signing.errors import ShuzhengError
from signing.merkle.checkpoint import Sm2Cosigner
from signing.sm2 import PrivateKey
from tests.hubs import RunningHub
from tests.integration.core.log_acts import (
    act,
    settle,
    verifier_of,
)


async def run_round(hub: RunningHub, heads: HeadVerifier, cosigner: Sm2Cosigner, state: Path) -> int:
    """Run the witness's code against the hub: its requests are answered over ASGI, one after another."""
    answers: dict[str, httpx.Response] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        wanted = f"{request.method} {request.url.raw_path.decode()}"
        if wanted not in answers:
            raise LookupError(wanted, request.read())
        return answers[wanted]

    while True:
        duty = WitnessDuty(
            client=httpx.Client(transport=httpx.MockTransport(answer), base_url="http://hub.test"),
            heads=heads,
            cosigner=cosigner,
            state_dir=state.parent / "trial",
        )
        trial = state.parent / "trial"
        trial.mkdir(exist_ok=True)
        last = state / "last-checkpoint"
        if last.exists():
            (trial / "last-checkpoint").write_text(last.read_text())
        try:
            done = duty.run_once()
        except LookupError as missing:
            method, path = str(missing.args[0]).split(" ", 1)
            real = await hub.client.request(method, path, content=missing.args[1])
            answers[missing.args[0]] = httpx.Response(real.status_code, content=real.content)
            continue
        state.mkdir(exist_ok=True)
        last.write_text((trial / "last-checkpoint").read_text())
        return done.tree_size


async def test_witness_cosigns_what_continues_and_refuses_a_fork(hub: RunningHub, tmp_path: Path) -> None:
    heads = await verifier_of(hub)
    cosigner = Sm2Cosigner(name="audit.test/witness", signer=PrivateKey.from_scalar(5), clock=utc_now)
    key = {"verifier_key": cosigner.witness.verifier_key}
    assert (
        await hub.client.post("/v1/log/witnesses", json=key, headers=hub.members["police"].headers)
    ).status_code == 403
    assert (
        await hub.client.post("/v1/log/witnesses", json=key, headers=hub.admin.headers)
    ).status_code == 201
    assert (
        await hub.client.post("/v1/log/witnesses", json=key, headers=hub.admin.headers)
    ).status_code == 409
    bad = {"verifier_key": "nonsense"}
    assert (
        await hub.client.post("/v1/log/witnesses", json=bad, headers=hub.admin.headers)
    ).status_code == 422
    await settle(hub.services)

    async def one_round(state: Path) -> int:
        return await run_round(hub, heads, cosigner, state)

    state = tmp_path / "state"
    first = await one_round(state)
    await act(hub.services, None)
    await settle(hub.services)
    second = await one_round(state)
    assert second > first
    witnessed = await hub.client.get("/v1/log/checkpoint", params={"witnesses": 1})
    assert heads.read(witnessed.text).size == second
    assert "— audit.test/witness " in witnessed.text
    forged = hub.services.log.heads.sign(second + 5, b"f" * 32, utc_now(), previous_size=second)
    (state / "last-checkpoint").write_text(forged.note)
    with pytest.raises(ShuzhengError, match="rolled back or forked"):
        await one_round(state)
    same = hub.services.log.heads.sign(first, b"f" * 32, utc_now(), previous_size=0)
    (state / "last-checkpoint").write_text(same.note)
    with pytest.raises(ShuzhengError):
        await one_round(state)
    retired = await hub.client.delete("/v1/log/witnesses/audit.test%2Fwitness", headers=hub.admin.headers)
    assert retired.status_code == 204, retired.text
    assert (await hub.client.post("/v1/log/cosignatures", content=witnessed.content)).status_code == 400
    strange = witnessed.content.replace(f"\n{second}\n".encode(), f"\n{second + 1}\n".encode())
    assert (await hub.client.post("/v1/log/cosignatures", content=strange)).status_code in {400, 404, 422}
    assert (await hub.client.post("/v1/log/cosignatures", content=b"x")).status_code in {400, 422}
