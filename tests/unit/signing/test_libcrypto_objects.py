"""What libcrypto lends is given back, whatever fails; and it works while other threads run."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from signing import sm2
from signing.engine import load_engine
from signing.engines.libcrypto import LibcryptoEngine
from signing.engines.libcrypto_api import _LONG, _SHORT, Libcrypto
from signing.errors import DecryptionFailed, ShuzhengError

MAKERS = {
    "EVP_PKEY_CTX_new_from_name": "EVP_PKEY_CTX_free",
    "EVP_PKEY_CTX_new": "EVP_PKEY_CTX_free",
    "EVP_MD_CTX_new": "EVP_MD_CTX_free",
    "EC_POINT_new": "EC_POINT_free",
    "BN_bin2bn": "BN_clear_free",
    "BN_new": "BN_clear_free",
    "BN_CTX_new": "BN_CTX_free",
    "EVP_PKEY_fromdata": "EVP_PKEY_free",
}
FREERS = set(MAKERS.values())
# These fail with 0 or a null pointer, and each is reached by one of the operations below.
FALLIBLE = [
    *(name for name in MAKERS),
    "EVP_PKEY_CTX_set1_id",
    "EVP_PKEY_fromdata_init",
    "EVP_PKEY_encrypt_init",
    "EVP_PKEY_decrypt_init",
    "BN_add_word",
    "BN_mod_exp_mont_consttime",
    "BN_priv_rand_range",
    "BN_mod_add",
    "BN_mod_mul",
    "BN_mod_sub",
    "BN_bn2binpad",
    "EC_POINT_get_affine_coordinates",
    "EVP_DigestVerifyInit",
    "EC_POINT_point2oct",
    *_LONG,
]
SCALAR = (0xACE).to_bytes(32, "big")


def libcrypto() -> LibcryptoEngine:
    engine = load_engine("libcrypto")
    assert isinstance(engine, LibcryptoEngine)
    return engine


POINT = libcrypto().derive_point(SCALAR)
SIGNATURE = sm2.PrivateKey(0xACE).sign(b"message")
CIPHERTEXT = sm2.PublicKey(POINT).encrypt(b"key of sixteen b")


class Ledger(Libcrypto):
    """A libcrypto that notes what it lends and gets back, and whose functions fail when told to."""

    def __init__(self, path: str) -> None:
        self.lent: Counter[tuple[str, int]] = Counter()
        self.failing: str | None = None
        self.called: set[str] = set()
        super().__init__(path)

    def _bind(self, library: ctypes.CDLL, table: Any) -> None:
        super()._bind(library, table)
        for name in table:
            setattr(self, name, self._watch(name, getattr(self, name)))

    def _watch(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.called.add(name)
            if name == self.failing:
                return 0
            result = function(*arguments)
            if name in FREERS and arguments[0]:
                self.lent[name, arguments[0]] -= 1
            elif name == "EVP_PKEY_fromdata" and result == 1:
                self.lent[MAKERS[name], arguments[1]._obj.value] += 1
            elif name in MAKERS and name != "EVP_PKEY_fromdata" and result and arguments[-1:] != (result,):
                self.lent[MAKERS[name], result] += 1
            return result

        return call

    def outstanding(self) -> dict[tuple[str, int], int]:
        return {thing: number for thing, number in self.lent.items() if number}


def derive(engine: LibcryptoEngine) -> object:
    return engine.derive_point(SCALAR)


def sign(engine: LibcryptoEngine) -> object:
    return engine.load_private(SCALAR, POINT).sign(b"message", sm2.DEFAULT_ID)


def sign_many(engine: LibcryptoEngine) -> object:
    return engine.load_private(SCALAR, POINT).sign_many([b"1", b"2"], sm2.DEFAULT_ID)


def verify(engine: LibcryptoEngine) -> object:
    return engine.load_public(POINT).verify(SIGNATURE, b"message", sm2.DEFAULT_ID)


def verify_garbage(engine: LibcryptoEngine) -> object:
    pairs = [(b"", b"message"), (b"\x30\x00", b"message"), (SIGNATURE, b"other")]
    return engine.load_public(POINT).verify_many(pairs, sm2.DEFAULT_ID)


def encrypt(engine: LibcryptoEngine) -> object:
    return engine.load_public(POINT).encrypt(b"text")


def decrypt(engine: LibcryptoEngine) -> object:
    return engine.load_private(SCALAR, POINT).decrypt(CIPHERTEXT)


def decrypt_altered(engine: LibcryptoEngine) -> object:
    with pytest.raises(DecryptionFailed):
        engine.load_private(SCALAR, POINT).decrypt(CIPHERTEXT[:-1] + bytes((CIPHERTEXT[-1] ^ 1,)))
    return None


def load_bad_point(engine: LibcryptoEngine) -> object:
    with pytest.raises(ShuzhengError):
        engine.load_public(b"\x04" + bytes(64))
    return None


OPERATIONS = [
    derive,
    sign,
    sign_many,
    verify,
    verify_garbage,
    encrypt,
    decrypt,
    decrypt_altered,
    load_bad_point,
]


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return Ledger(libcrypto().path)


@pytest.fixture
def peek(ledger: Ledger) -> Iterator[Callable[[], int]]:
    function = ctypes.PyDLL(ledger.path).ERR_peek_error
    function.restype, function.argtypes = ctypes.c_ulong, ()
    yield function
    ledger.failing = None


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation_gives_everything_back(
    ledger: Ledger, operation: Callable[[LibcryptoEngine], object], peek: Callable[[], int]
) -> None:
    engine = LibcryptoEngine(ledger)
    operation(engine)
    assert ledger.outstanding() == {}
    assert peek() == 0


@pytest.mark.parametrize("failing", FALLIBLE)
def test_operations_give_everything_back_when_a_function_of_libcrypto_fails(
    ledger: Ledger, failing: str, peek: Callable[[], int]
) -> None:
    """A failure is our own error or, of a verification, a refusal: never a success, never a leak."""
    engine = LibcryptoEngine(ledger)
    hit = False
    for operation in (derive, sign, sign_many, verify, encrypt, decrypt):
        ledger.called.clear()
        ledger.failing = failing
        try:
            outcome = operation(engine)
        except ShuzhengError:
            outcome = None
        ledger.failing = None
        if failing in ledger.called:
            hit = True
            assert not outcome
        assert ledger.outstanding() == {}
        assert peek() == 0
    assert hit, f"no operation calls {failing}"


def test_every_function_that_is_bound_is_used(ledger: Ledger) -> None:
    once = {"OpenSSL_version_num", "OpenSSL_version", "EVP_sm3", "EC_GROUP_new_by_curve_name"}
    ledger.called.clear()
    engine = LibcryptoEngine(ledger)
    for operation in OPERATIONS:
        operation(engine)
    del engine
    assert {*_SHORT, *_LONG} - ledger.called - once == set()


def measure_growth() -> int:
    """Return how many pages 1,200 operations keep, after as many that warm up."""
    engine = libcrypto()
    before = 0
    for round_ in range(8):
        if round_ == 4:
            before = resident_pages()
        for _ in range(50):
            for operation in (sign, verify_garbage, encrypt, decrypt_altered, derive, load_bad_point):
                operation(engine)
    return resident_pages() - before


def resident_pages() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1])


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell resident pages")
def test_resident_memory_does_not_grow_with_the_number_of_operations() -> None:
    """In a process of its own, where no other test and no thread of one keeps or gives back anything."""
    measure = f"from {__name__} import measure_growth; print(measure_growth())"
    ran = subprocess.run([sys.executable, "-c", measure], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 256, "more than a mebibyte was kept by 1,200 operations"


ENGINE = libcrypto()
PRIVATE, PUBLIC = ENGINE.load_private(SCALAR, POINT), ENGINE.load_public(POINT)


@pytest.mark.parametrize(
    "work",
    [
        lambda: PRIVATE.sign(b"message", sm2.DEFAULT_ID),
        lambda: PUBLIC.verify(SIGNATURE, b"message", sm2.DEFAULT_ID),
        lambda: PUBLIC.encrypt(b"text"),
        lambda: PRIVATE.decrypt(CIPHERTEXT),
        lambda: ENGINE.derive_point(SCALAR),
    ],
    ids=["sign", "verify", "encrypt", "decrypt", "derive"],
)
def test_other_threads_run_while_libcrypto_works(work: Callable[[], object]) -> None:
    """With turns of an hour nobody is made to let go: the other thread moves only if the call does."""
    done = 0
    started = threading.Event()

    def repeat() -> None:
        nonlocal done
        started.set()
        for _ in range(100):
            work()
            done += 1

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=repeat)
    sys.setswitchinterval(3600)
    try:
        thread.start()
        started.wait()
        seen = done  # reached as soon as the worker lets go for the first time
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert done == 100
    assert seen < 100
