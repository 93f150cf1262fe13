"""How fast the trust layer signs: `python -m bench.signing` (or `make bench-signing`), under a minute.

The yardstick is the plainest loop that can be written over libcrypto with ctypes: one key, one thread, a
fresh pair of contexts per call, no checks. Against it stand our keys (one thread, two threads, in
batches), `gmssl` as it comes from PyPI and as its users call it (`sign_with_sm3`, which digests the
message and draws its own number, and `verify_with_sm3`), and receipts from a batch signer.

Every comparison is made in short turns (ours, theirs, ours, …), each with the same work, and the best
turn of each counts: another program on the machine then disturbs both alike. Two threads can gain no
more than two processors have to give at that moment, so two *processes* running the yardstick are
measured beside them; that ceiling is reported and promises nothing. Another ceiling is libcrypto's
constant-time multiple of the base point alone, the one step of a signature on which nothing can be saved,
against `gmssl`'s whole signature. The last line is JSON: `ratios` as measured, `expect` the least that is
promised, `ceiling` as above, `ok` whether all promises hold.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from gmssl.sm2 import CryptSM2

from signing import pkcs8, sm2
from signing.engine import engine_report, load_engine
from signing.engines.libcrypto import LibcryptoEngine
from signing.merkle.receipts import BatchSigner

MESSAGE = b"a message of two hundred octets " * 6 + b"........"
TURNS = 9
TURN_S = 0.3
BATCH = 100
RECEIPTS = 20_000

EXPECT = {
    "sign_to_raw": 0.9,
    "verify_to_raw": 0.9,
    "sign_many_to_raw": 0.9,
    "verify_many_to_raw": 0.9,
    "sign_two_threads": 1.8,
    "verify_two_threads": 1.8,
    "sign_to_gmssl": 20.0,
    "verify_to_gmssl": 20.0,
    "receipts_to_50000": 1.0,
}


class RawLoop:
    """The yardstick: libcrypto through plain ctypes, one call after the other."""

    def __init__(self, path: str, key: int) -> None:
        self.lib = ctypes.CDLL(path)
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        for name, result, arguments in (
            ("EVP_sm3", pointer, ()),
            ("EVP_MD_CTX_new", pointer, ()),
            ("EVP_MD_CTX_free", None, (pointer,)),
            ("EVP_PKEY_CTX_new", pointer, (pointer, pointer)),
            ("EVP_PKEY_CTX_free", None, (pointer,)),
            ("EVP_PKEY_CTX_set1_id", ctypes.c_int, (pointer, ctypes.c_char_p, ctypes.c_int)),
            ("EVP_MD_CTX_set_pkey_ctx", None, (pointer, pointer)),
            ("EVP_DigestSignInit", ctypes.c_int, (pointer,) * 5),
            ("EVP_DigestVerifyInit", ctypes.c_int, (pointer,) * 5),
            ("EVP_DigestSign", ctypes.c_int, (pointer, pointer, pointer, ctypes.c_char_p, size)),
            ("EVP_DigestVerify", ctypes.c_int, (pointer, ctypes.c_char_p, size, ctypes.c_char_p, size)),
        ):
            function = getattr(self.lib, name)
            function.restype, function.argtypes = result, arguments
        self.key = key
        self.sm3 = self.lib.EVP_sm3()
        self.buffer = ctypes.create_string_buffer(80)
        self.size = ctypes.c_size_t()

    def sign(self) -> bytes:
        lib = self.lib
        digest, context = lib.EVP_MD_CTX_new(), lib.EVP_PKEY_CTX_new(self.key, None)
        lib.EVP_PKEY_CTX_set1_id(context, sm2.DEFAULT_ID, 16)
        lib.EVP_MD_CTX_set_pkey_ctx(digest, context)
        lib.EVP_DigestSignInit(digest, None, self.sm3, None, self.key)
        self.size.value = 80
        done = lib.EVP_DigestSign(digest, self.buffer, ctypes.byref(self.size), MESSAGE, len(MESSAGE))
        lib.EVP_MD_CTX_free(digest)
        lib.EVP_PKEY_CTX_free(context)
        assert done == 1
        return self.buffer.raw[: self.size.value]

    def verify(self, signature: bytes) -> None:
        lib = self.lib
        digest, context = lib.EVP_MD_CTX_new(), lib.EVP_PKEY_CTX_new(self.key, None)
        lib.EVP_PKEY_CTX_set1_id(context, sm2.DEFAULT_ID, 16)
        lib.EVP_MD_CTX_set_pkey_ctx(digest, context)
        lib.EVP_DigestVerifyInit(digest, None, self.sm3, None, self.key)
        done = lib.EVP_DigestVerify(digest, signature, len(signature), MESSAGE, len(MESSAGE))
        lib.EVP_MD_CTX_free(digest)
        lib.EVP_PKEY_CTX_free(context)
        assert done == 1


def rate(work: Callable[[], object], per_call: int = 1, turn_s: float = TURN_S) -> float:
    """Repeat `work` for a turn and return how many operations a second it did."""
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < turn_s:
        work()
        count += per_call
    return count / elapsed


def best_of(contenders: dict[str, Callable[[], float]], turns: int = TURNS) -> dict[str, float]:
    """Let the contenders take turns and keep each one's best."""
    best = dict.fromkeys(contenders, 0.0)
    for _ in range(turns):
        for name, turn in contenders.items():
            best[name] = max(best[name], turn())
    return best


def rate_of_two(work: Callable[[], object]) -> float:
    """Let two threads do the same work at the same time; return their sum."""
    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(lambda _: rate(work), range(2)))


def rate_of_two_processes(work: Callable[[], object]) -> float:
    """Let two forked processes do the same work at the same time; return their sum."""
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    workers = [context.Process(target=lambda: answers.put(rate(work))) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    total: float = sum(answers.get() for _ in workers)
    return total


def measure() -> dict[str, float]:
    """Return operations a second by name."""
    engine = load_engine("libcrypto")
    assert isinstance(engine, LibcryptoEngine)
    key = sm2.PrivateKey.generate()
    scalar = pkcs8.parse_private_key(key.to_pkcs8())[0].to_bytes(32, "big")
    raw_key = engine.load_private(scalar, key.public_key.point)
    raw = RawLoop(engine.path, raw_key._key.address)
    public, signature = key.public_key, key.sign(MESSAGE)
    messages, pairs = [MESSAGE] * BATCH, [(signature, MESSAGE)] * BATCH

    theirs = CryptSM2(private_key=scalar.hex(), public_key="")
    theirs.public_key = public.point[1:].hex()  # its constructor eats leading digits 0 and 4
    their_signature = theirs.sign_with_sm3(MESSAGE)
    assert theirs.verify_with_sm3(their_signature, MESSAGE)

    signing = best_of(
        {
            "raw sign": lambda: rate(raw.sign),
            "sign": lambda: rate(lambda: key.sign(MESSAGE)),
            "sign_many": lambda: rate(lambda: key.sign_many(messages), BATCH),
            "sign, two threads": lambda: rate_of_two(lambda: key.sign(MESSAGE)),
            "raw sign, two processes": lambda: rate_of_two_processes(raw.sign),
            "gmssl sign": lambda: rate(lambda: theirs.sign_with_sm3(MESSAGE)),
            "multiple of the base point": lambda: rate(lambda: engine.derive_point(scalar)),
        }
    )
    verifying = best_of(
        {
            "raw verify": lambda: rate(lambda: raw.verify(signature)),
            "verify": lambda: rate(lambda: public.verify(signature, MESSAGE)),
            "verify_many": lambda: rate(lambda: public.verify_many(pairs), BATCH),
            "verify, two threads": lambda: rate_of_two(lambda: public.verify(signature, MESSAGE)),
            "raw verify, two processes": lambda: rate_of_two_processes(lambda: raw.verify(signature)),
            "gmssl verify": lambda: rate(lambda: theirs.verify_with_sm3(their_signature, MESSAGE)),
        }
    )
    return signing | verifying | measure_receipts(key)


def measure_receipts(key: sm2.PrivateKey) -> dict[str, float]:
    """Sign a batch and write every receipt of it; count receipts a second, all costs included."""
    payloads = [number.to_bytes(8, "big") * 16 for number in range(RECEIPTS)]
    signer = BatchSigner(signer=key, issuer="bench.example", clock=lambda: datetime.now(UTC))

    def work() -> None:
        assert sum(map(bool, signer.sign(payloads))) == RECEIPTS

    return best_of({"batch receipts": lambda: rate(work, RECEIPTS)}, turns=5)


def build_ratios(rates: dict[str, float]) -> dict[str, float]:
    """Divide what is promised by what it is promised against."""
    ratios = {
        "sign_to_raw": rates["sign"] / rates["raw sign"],
        "verify_to_raw": rates["verify"] / rates["raw verify"],
        "sign_many_to_raw": rates["sign_many"] / rates["raw sign"],
        "verify_many_to_raw": rates["verify_many"] / rates["raw verify"],
        "sign_two_threads": rates["sign, two threads"] / rates["raw sign"],
        "verify_two_threads": rates["verify, two threads"] / rates["raw verify"],
        "sign_to_gmssl": rates["sign"] / rates["gmssl sign"],
        "verify_to_gmssl": rates["verify"] / rates["gmssl verify"],
        "receipts_to_50000": rates["batch receipts"] / 50_000,
    }
    return {name: round(ratio, 3) for name, ratio in ratios.items()}


def build_ceiling(rates: dict[str, float]) -> dict[str, float]:
    """Say what two processes gained over one here, now, and how far a signature could get from `gmssl`."""
    gained = {
        f"{what}_two_processes": rates[f"raw {what}, two processes"] / rates[f"raw {what}"]
        for what in ("sign", "verify")
    }
    alone = rates["multiple of the base point"] / rates["gmssl sign"]
    return {name: round(value, 3) for name, value in (gained | {"sign_to_gmssl": alone}).items()}


def main() -> int:
    """Measure, print a table and the verdict; 1 when a promise is broken."""
    report = engine_report()
    print(f"{report.version} · Python {sys.version.split()[0]} · {os.cpu_count()} processors")
    rates = measure()
    print(f"\n{'what':28}{'operations/s':>16}{'each, µs':>12}")
    for name, value in rates.items():
        print(f"{name:28}{value:16,.0f}{1e6 / value:12.1f}")
    ratios, ceiling = build_ratios(rates), build_ceiling(rates)
    print(f"\n{'ratio':28}{'measured':>16}{'expected':>12}")
    for name, ratio in ratios.items():
        print(f"{name:28}{ratio:16.2f}{EXPECT[name]:12.2f}{'' if ratio >= EXPECT[name] else '  below'}")
    for name, ratio in ceiling.items():
        print(f"{name:28}{ratio:16.2f}{'ceiling':>12}")
    ok = all(ratio >= EXPECT[name] for name, ratio in ratios.items())
    verdict = {"bench": "signing", "ratios": ratios, "expect": EXPECT, "ceiling": ceiling, "ok": ok}
    print(json.dumps(verdict))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
