"""Configurations: what is read, and how each mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors import ConfigurationError
from connectors.config import FullReading, load_config
from connectors.registry import list_kinds, load_kind

GOOD = """
name = "licences"
[source]
kind = "sqlite"
file = "licences.db"
table = "licence"
key = ["number"]
watermark = "changed_at"
[sink]
kind = "hub"
url = "http://hub.test"
resource = "xy_xzxk"
client_id = "${A_CLIENT}"
client_secret = "${file:secret}"
[run]
every_s = 60
full_reading = "diff"
key = ["number"]
"""


def write(folder: Path, text: str, *, mode: int = 0o600) -> Path:
    secret = folder / "secret"
    secret.write_text("open-sesame\n", encoding="utf-8")
    secret.chmod(mode)
    path = folder / "connector.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_configuration_reads_secrets_and_starts_paths_at_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_CLIENT", "the-client")
    config = load_config(write(tmp_path, GOOD))
    sink = config.sink.options
    assert sink.client_id == "the-client"  # type: ignore[attr-defined]
    assert sink.client_secret.get_secret_value() == "open-sesame"  # type: ignore[attr-defined]
    assert "open-sesame" not in repr(config)
    assert config.source.options.file == tmp_path / "licences.db"  # type: ignore[attr-defined]
    assert (config.run.full_reading, config.state) == (FullReading.DIFF, tmp_path / "licences.state")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('table = "licence"', "", "source: Value error, name a table"),
        ('key = ["number"]\nwater', "water", "a watermark needs the key"),
        ('table = "licence"', 'tabel = "licence"', "source.tabel"),
        ('kind = "sqlite"', 'kind = "sqlte"', "there is no 'sqlte'; there are"),
        ('kind = "sqlite"', 'kind = "nothing.py:Source"', "nothing.py:Source cannot be loaded"),
        ('kind = "sqlite"', 'kind = "pathlib:Path"', "is no source"),
        ('kind = "sqlite"', "", "source.kind: name the kind"),
        ("every_s = 60", "every_s = -1", "run.every_s"),
        ("${A_CLIENT}", "${NO_SUCH}", "sink.client_id: the variable NO_SUCH is not set"),
        ("${file:secret}", "${file:gone}", "sink.client_secret"),
        ('name = "licences"', 'name = "../x"', "name"),
        ("[run]", "[run", "is no TOML"),
    ],
)
def test_configuration_with_a_mistake_names_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, named: str
) -> None:
    monkeypatch.setenv("A_CLIENT", "the-client")
    assert old in GOOD
    with pytest.raises(ConfigurationError) as wrong:
        load_config(write(tmp_path, GOOD.replace(old, new)))
    assert named in str(wrong.value)
    assert "open-sesame" not in str(wrong.value)


def test_secret_file_that_others_may_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_CLIENT", "the-client")
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_config(write(tmp_path, GOOD, mode=0o644))


@pytest.mark.parametrize("role", ["source", "sink"])
def test_every_kind_that_is_listed_can_be_loaded(role: str, tmp_path: Path) -> None:
    for kind in list_kinds(role):
        assert load_kind(role, kind, base=tmp_path).options_model


def test_source_in_a_file_beside_the_configuration_is_found(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from connectors.sources.sqlite import SqliteSource\nclass Mine(SqliteSource):\n    pass\n",
        encoding="utf-8",
    )
    assert load_kind("source", "mine.py:Mine", base=tmp_path).__name__ == "Mine"
