"""docs/verification.md, held against the code."""

from __future__ import annotations

import re
from pathlib import Path

from certs.ofd.limits import DEFAULT_LIMITS
from certs.verify.checks import TITLES
from certs.verify.register import RegisterCode
from certs.verify.signature_files import MAX_SIGNATURES
from certs.verify.upload import MAX_FILES
from signing.findings import SENTENCES

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "verification.md").read_text(encoding="utf-8")


def test_every_code_is_documented_with_its_step_and_its_sentences_in_both_languages() -> None:
    for code, sentence in SENTENCES.items():
        assert f"| {code} | {sentence.step} | {sentence.zh} | {sentence.en} |" in TEXT
    documented = re.findall(r"^\| ([EWI]\d{3}) \|", TEXT, re.MULTILINE)
    assert sorted(documented) == sorted([*map(str, SENTENCES), *map(str, RegisterCode)])


def test_every_step_is_documented_with_its_title_in_both_languages() -> None:
    documented = re.findall(r"^\| ([A-H]\d) \|", TEXT, re.MULTILINE)
    assert documented == ["A1", "A2", "A3", "A4", *TITLES]
    for step, (zh, en) in TITLES.items():
        assert f"| {step} | {zh} | {en} |" in TEXT


def test_limits_are_those_of_the_code() -> None:
    mib = 1024 * 1024
    assert f"{DEFAULT_LIMITS.max_package_bytes // mib} MiB a package" in TEXT
    assert f"{DEFAULT_LIMITS.max_entries:,} entries" in TEXT
    assert f"{DEFAULT_LIMITS.max_entry_bytes // mib} MiB an entry" in TEXT
    assert f"{DEFAULT_LIMITS.max_total_bytes // mib} MiB all together" in TEXT
    assert f"{DEFAULT_LIMITS.max_ratio} : 1" in TEXT
    assert f"{DEFAULT_LIMITS.max_xml_bytes // mib} MiB an XML file" in TEXT
    assert f"{MAX_SIGNATURES} signatures" in TEXT
    assert f"{MAX_FILES:,}" in TEXT
