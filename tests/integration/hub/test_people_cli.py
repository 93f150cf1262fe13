"""`shuzheng init` separates duties, and `shuzheng person` takes a person from registration to a session."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from core.settings import Settings
from hub.cli.administration import ADMIN_FILE, AUDITOR_FILE
from hub.cli.main import app
from tests.hubs import organisation_code
from tests.processes import hub_process

PASSWORD = "Zheng-Quan-2026-mi"


def test_person_is_registered_and_signs_in_by_command(
    hub_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SHUZHENG_HOME", str(hub_settings.home))
    assert hub_settings.database_url is not None
    monkeypatch.setenv("SHUZHENG_DATABASE_URL", hub_settings.database_url.get_secret_value())
    runner, code = CliRunner(), organisation_code(1)
    made = runner.invoke(app, ["init", "--organisation", code, "--name", "示例局", "--division", "990000"])
    assert made.exit_code == 0, made.output
    files = [hub_settings.home / name for name in (ADMIN_FILE, AUDITOR_FILE)]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    admin, auditor = (json.loads(file.read_text()) for file in files)
    assert admin["client_id"] != auditor["client_id"]
    monkeypatch.setenv("SHUZHENG_CLIENT_ID", admin["client_id"])
    monkeypatch.setenv("SHUZHENG_CLIENT_SECRET", admin["client_secret"])
    with hub_process(hub_settings) as url:

        def run(*words: str, typed: str = "") -> str:
            done = runner.invoke(app, ["person", *words, "--hub", url], input=typed, catch_exceptions=False)
            assert done.exit_code == 0, done.output
            return done.output

        options = ("--organisation", code, "--name", "张三", "--role", "approver")
        initial = run("add", "zhang.san", *options).split()[-1]
        run("password", "zhang.san", typed=f"{initial}\n{PASSWORD}\n{PASSWORD}\n\n")
        token = tmp_path / "session"
        assert "张三 (approver)" in run("sign-in", "zhang.san", "--out", str(token), typed=f"{PASSWORD}\n\n")
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        headers = {"Authorization": f"Bearer {token.read_text()}"}
        assert httpx.get(f"{url}/v1/whoami", headers=headers).json()["scopes"] == ["access:decide"]
        run("roles", "zhang.san", "--role", "auditor")
        assert "auditor" in run("list")
        run("suspend", "zhang.san")
        assert httpx.get(f"{url}/v1/whoami", headers=headers).status_code == 401
