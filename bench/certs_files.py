"""Files of certificates, in one thread: what making one takes, and examining one, by us and by ofdrw."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.certs_load import TURN_S
from certs.ofd.font_search import load_fonts
from certs.ofd.qr import build_qr
from certs.ofd.sign import Stamp, sign_opened
from certs.templates import lay_out_certificate, load_template
from certs.verify.document import assess_document
from core.objects import open_object_store
from core.settings import Settings
from signing.sm2 import PrivateKey
from signing.trust import NOTHING_TRUSTED
from tests.unit.certs.template_samples import COMMON, METADATA

PARTS: Final = 100


def measure_parts(folder: Path) -> dict[str, float]:
    """Measure, one after another and in one thread, what one certificate takes: milliseconds of each part."""
    template, fonts, key = load_template("business-licence"), load_fonts(), PrivateKey.generate()
    objects = open_object_store(Settings(home=folder / "parts"))
    payload = "https://hub.example/c/" + "A" * 380
    spent = dict.fromkeys(("QR code", "layout, the rest", "signing and packing", "object store"), 0.0)

    def clock(name: str, act: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        done = act()
        spent[name] += (time.perf_counter() - began) * 1000 / PARTS
        return done

    for number in range(-5, PARTS):
        if number == 0:
            spent = dict.fromkeys(spent, 0.0)  # the first open the fonts and draw the background
        metadata = {**COMMON, **METADATA["business-licence"], "CZZT": f"示例市第{number}商贸有限公司"}
        lay_out = partial(
            lay_out_certificate, template, metadata=metadata, created_on=date(2026, 1, 5), fonts=fonts
        )
        clock("QR code", partial(build_qr, payload, x=0, y=0, side=28))
        unsigned = clock("layout, the rest", partial(lay_out, qr_payload=payload))
        sign = partial(
            sign_opened,
            unsigned,
            seal_der=bytes(20_000),
            stamps=[Stamp(page=0, x=100, y=100, width=40, height=40)],
            sign=lambda digest, _: key.sign(digest),
            signed_at=datetime.now(UTC),
        )
        signed = clock("signing and packing", sign)
        clock("object store", partial(objects.put, f"parts/{number + 5}", signed.data))
    spent["layout, the rest"] -= spent["QR code"]
    return spent


def measure_verify(data: bytes, seconds: float = float(TURN_S)) -> float:
    """Count examinations a second, one thread; nothing is kept between two of them."""
    now, done, began = datetime.now(UTC), 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        report = assess_document(data, trust=NOTHING_TRUSTED, at=now)
        assert report.signatures[0].is_intact
        done += 1
    return done / (time.perf_counter() - began)


def measure_ofdrw(file: Path) -> tuple[float | None, str]:
    """Let ofdrw validate the same file in a warm JVM; None and the reason where it is out of reach."""
    import pytest  # noqa: PLC0415 - the harness skips by pytest's exception

    from tests.interop.harness import java_command  # noqa: PLC0415

    try:
        command = java_command(Path("tests/interop/java-ofdrw-full"), "harness.Documents")
    except pytest.skip.Exception as skipped:
        return None, str(skipped)
    full = [part for part in command if not part.startswith("-XX")]
    done = subprocess.run([*full, "loop", str(file), "8", "6"], capture_output=True, text=True, check=True)
    return float(done.stdout.strip().removeprefix("rate=")), ""
