"""`python -m tests.fuzz.guided TARGET [SECONDS]`: let coverage guide the mutations (needs atheris).

`tests.fuzz` changes seeds blindly and repeatably; this follows the branches of `signing` that an input
reaches, and so finds what blind changes do not. It ends at the first input that brings out anything but our
own errors, and leaves that input in a file `crash-…`; turn it into a test of `test_found.py`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["signing"]):
    from signing.errors import ShuzhengError
    from tests.fuzz.targets import TARGETS

MAX_INPUT_BYTES = 1 << 16
UNIT_LIMIT_S = 2


def main(name: str, seconds: int) -> None:
    """Fuzz one target for some seconds, beginning with its seeds."""
    target = TARGETS[name]

    def judge(data: bytes) -> None:
        try:
            target.run(data)
        except ShuzhengError:
            return

    corpus = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", f"-max_len={MAX_INPUT_BYTES}", f"-timeout={UNIT_LIMIT_S}"]
    atheris.Setup([sys.argv[0], str(corpus), *options, "-rss_limit_mb=2048", "-verbosity=0"], judge)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60)
