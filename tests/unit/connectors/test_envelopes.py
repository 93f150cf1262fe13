"""Signatures of older gateways. The expected values were computed by OpenSSL's command line, as
`printf 'S1R12026' | openssl dgst -sha256 -hmac 'top-secret' -binary | base64`."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter, ValidationError

from connectors import TerminalError, TransientError
from connectors.auth import Proof, build_auth
from connectors.envelopes import national, tif, zhejiang
from connectors.envelopes.tif import TifEnvelope, TifOptions
from tests.http_service import Answer, Asked, running_service

NOW_S = 1_700_000_000.0


def make(values: dict[str, Any], now: Any = lambda: NOW_S) -> httpx.Auth:
    made = build_auth(TypeAdapter(Proof).validate_python(values), now)
    assert made is not None
    return made


def test_signatures_are_those_that_openssl_computes() -> None:
    assert (
        national.build_sign(sid="S1", rid="R1", rtime="2026", secret="top-secret")
        == "p1CgpjmPYUVvEsShtPRp3NI0uUhkhQbJoJbc/HveljE="
    )
    assert (
        zhejiang.build_sign(app_key="K1", secret="s3cret", request_time="1700000000000")
        == "427cc08e309710e634789549dc4ec533"
    )
    assert (
        tif.build_signature(timestamp="1700000000", token="token", nonce="nonce")
        == "ba864fe8ccab46b8d039e89c91916b5c1701c7a4fdf5bdab69da607e34568e9f"
    )


@pytest.mark.parametrize(
    ("mode", "key", "encrypted"),
    [
        ("ecb", "0123456789abcdef", "qTsJsSOhf0CqK3FQmQtsLw=="),
        ("cbc", "0123456789abcdef0123456789abcdef", "AAECAwQFBgcICQoLDA0OD1bPswAOPo3GD7sEHlvkg9s="),
    ],
)
def test_secret_that_openssl_encrypted_is_fetched_decrypted_and_used_until_it_runs_out(
    mode: str, key: str, encrypted: str
) -> None:
    came: list[Asked] = []

    def answer(asked: Asked) -> Answer:
        came.append(asked)
        body = {"data": {"secret": encrypted, "end": (NOW_S + 1800) * 1000}}
        return Answer(body=json.dumps(body).encode())

    moment = [NOW_S]
    with running_service(answer) as url:
        service = {
            "url": f"{url}/secret",
            "secret_path": "data.secret",
            "until_path": "data.end",
            "aes_mode": mode,
            "key_encoding": "text",
        }
        given = {"kind": "national", "requester_id": "requester-1", "service_id": "service-1"}
        auth = make(given | {"application_key": key, "secret_service": service}, lambda: moment[0])
        with httpx.Client(auth=auth) as client:
            client.get(f"{url}/data")
            client.get(f"{url}/data")
            moment[0] += 1750
            client.get(f"{url}/data")
    assert [asked.path for asked in came] == ["/secret", "/data", "/data", "/secret", "/data"]
    signed = {name: came[1].headers[f"gjgxjhpt_{name}"] for name in ("rid", "sid", "rtime", "sign")}
    assert signed == {
        "rid": "requester-1",
        "sid": "service-1",
        "rtime": "1700000000000",
        "sign": "KQx2xp23fKiWO/9sGJBRPsgW8MtRj0AA/ZlZs/+DrJo=",
    }
    if mode == "ecb":
        assert came[0].headers["gjgxjhpt_sign"] == "Y5ydwcGGkpRsH8wP3hfLnZESyJ7qnWdZKQG77jTT1Yc="


def test_wrong_application_key_is_told_without_it() -> None:
    service = national.SecretService.model_validate(
        {"url": "http://x", "secret_path": "s", "aes_mode": "ecb", "key_encoding": "text"}
    )
    for key in ("fedcba9876543210", "short"):
        with pytest.raises(TerminalError, match="cannot be decrypted") as wrong:
            national.decrypt_secret("qTsJsSOhf0CqK3FQmQtsLw==", key, service)
        assert key not in str(wrong.value)


def test_national_values_go_into_parameters_where_that_is_asked() -> None:
    given = {"requester_id": "R1", "service_id": "S1", "secret": "x", "place": "parameters"}
    auth = make({"kind": "national"} | given)
    request = next(auth.sync_auth_flow(httpx.Request("GET", "http://x/y?a=1")))
    assert sorted(request.url.params) == [
        "a",
        "gjgxjhpt_rid",
        "gjgxjhpt_rtime",
        "gjgxjhpt_sid",
        "gjgxjhpt_sign",
    ]
    assert "gjgxjhpt_sign" not in request.headers


def test_zhejiang_secrets_are_kept_fresh_each_by_the_one_above() -> None:
    came: list[Asked] = []

    def answer(asked: Asked) -> Answer:
        came.append(asked)
        body = {"refresh": "r3fresh", "r_end": (moment[0] + 172_800) * 1000, "request": "s3cret"}
        return Answer(body=json.dumps(body).encode())

    moment = [NOW_S]
    with running_service(answer) as url:
        service = {
            "first_url": f"{url}/first",
            "again_url": f"{url}/again",
            "refresh": {"secret_path": "refresh", "until_path": "r_end"},
            "request": {"secret_path": "request", "valid_s": 900},
        }
        given = {"kind": "zhejiang", "app_key": "K1", "app_secret": "top", "refresh_service": service}
        with httpx.Client(auth=make(given, lambda: moment[0])) as client:
            for later_s in (0, 1, 900, 400_000):
                moment[0] = NOW_S + later_s
                client.get(f"{url}/data")
    assert [asked.path for asked in came] == [
        "/first", "/data", "/data", "/again", "/data", "/first", "/data"
    ]  # fmt: skip
    assert came[1].query == {
        "appKey": "K1",
        "requestTime": "1700000000000",
        "sign": "427cc08e309710e634789549dc4ec533",
    }


def test_tif_headers_hold_seconds_and_a_nonce_of_their_own() -> None:
    options = TifOptions.model_validate(
        {"kind": "tif", "paas_id": "app", "token": "token", "digest_case": "upper"}
    )
    auth = TifEnvelope(options, lambda: NOW_S, lambda: "nonce")
    request = next(auth.sync_auth_flow(httpx.Request("GET", "http://x")))
    assert {name: value for name, value in request.headers.items() if name.startswith("x-tif")} == {
        "x-tif-paasid": "app",
        "x-tif-timestamp": "1700000000",
        "x-tif-nonce": "nonce",
        "x-tif-signature": "BA864FE8CCAB46B8D039E89C91916B5C1701C7A4FDF5BDAB69DA607E34568E9F",
    }
    fresh = TifEnvelope(options)
    nonces = {
        next(fresh.sync_auth_flow(httpx.Request("GET", "http://x"))).headers["x-tif-nonce"] for _ in range(9)
    }
    assert len(nonces) == 9


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(status=503), TransientError),
        (Answer(status=403, body=b'{"access_token": "hidden"}'), TerminalError),
        (Answer(body=b"hidden"), TerminalError),
        (Answer(body=b'{"other": "hidden"}'), TerminalError),
    ],
)
def test_answer_without_a_secret_is_told_without_its_content(answer: Answer, kind: type[Exception]) -> None:
    with running_service(lambda _: answer) as url:
        auth = make({"kind": "oauth2", "token_url": url, "client_id": "c", "client_secret": "hidden"})
        with httpx.Client(auth=auth) as client, pytest.raises(kind) as told:
            client.get(url)
    assert "hidden" not in str(told.value)


def test_oauth_token_is_fetched_once_and_again_when_it_has_run_out() -> None:
    came: list[Asked] = []

    def answer(asked: Asked) -> Answer:
        came.append(asked)
        return Answer(body=json.dumps({"access_token": f"t{len(came)}", "expires_in": 600}).encode())

    moment = [NOW_S]
    with running_service(answer) as url:
        given = {"kind": "oauth2", "token_url": f"{url}/token", "client_id": "c", "client_secret": "s"}
        with httpx.Client(auth=make(given, lambda: moment[0])) as client:
            for later_s in (0, 500, 600):
                moment[0] = NOW_S + later_s
                client.get(f"{url}/data")
    assert came[0].body == b"grant_type=client_credentials&client_id=c&client_secret=s"
    assert [asked.headers.get("authorization") for asked in came] == [
        None, "Bearer t1", "Bearer t1", None, "Bearer t4"
    ]  # fmt: skip


def test_envelope_without_any_secret_is_refused_at_once() -> None:
    with pytest.raises((TerminalError, ValidationError)):
        make({"kind": "national", "requester_id": "R", "service_id": "S"})
    with pytest.raises((TerminalError, ValidationError)):
        make({"kind": "zhejiang", "app_key": "K"})
