"""Paths: found over same-named issuers, judged at a moment under a policy, refused with reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from signing import der, oids
from signing.errors import EvidenceRefused
from signing.x509 import extensions as ext
from signing.x509.certificate import Certificate
from signing.x509.crl import RevocationReason, RevokedEntry
from signing.x509.extensions import SIGNING_USAGE, Extension, KeyUsage
from signing.x509.path import (
    MAX_SIGNATURE_CHECKS,
    SIGNER_POLICY,
    TSA_POLICY,
    PathPolicy,
    PathReason,
    PathReport,
    RevocationMode,
    assess_path,
    verify_path,
)
from signing.x509.profiles import Profile
from tests.unit.signing.hierarchy import END, NOW, START, hierarchy, issue, key, name
from tests.unit.signing.x509.world import Draft, authority_extensions, draft

WORLD = hierarchy()
UNCHECKED = PathPolicy(key_usage=SIGNING_USAGE, revocation=RevocationMode.IGNORE)
SIGNING_KEY = ext.key_usage({KeyUsage.DIGITAL_SIGNATURE})


@dataclass(frozen=True, kw_only=True)
class Chain:
    """A root, intermediates below each other, and an end certificate, each over the key of its place."""

    root: Certificate
    intermediates: tuple[Certificate, ...]
    end: Certificate

    def assess(self, *, at: datetime = NOW, policy: PathPolicy = UNCHECKED) -> PathReport:
        return assess_path(
            self.end, roots=[self.root], intermediates=self.intermediates, at=at, policy=policy
        )


def root_draft(path_length: int | None = None) -> Draft:
    return draft(200, issuer=name("草稿 200"), extensions=authority_extensions(200, path_length))


def make_chain(
    *intermediates: Draft, root: Draft | None = None, end: Draft | None = None, end_key: int | None = None
) -> Chain:
    """Sign a chain from the top: the key numbers are 200 for the root, 201… below, the end's by its draft."""
    top = (root or root_draft()).sign(key(200))
    signer, made = key(200), []
    for number, each in enumerate(intermediates, 201):
        made.append(each.sign(signer))
        signer = key(number)
    last = end or draft(250, issuer=name(f"草稿 {200 + len(made)}"), extensions=[SIGNING_KEY])
    return Chain(root=top, intermediates=tuple(made), end=last.sign(key(end_key) if end_key else signer))


def intermediate(number: int, *, extensions: Sequence[Extension] | None = None, **changes: object) -> Draft:
    wanted = authority_extensions(number) if extensions is None else extensions
    return draft(number, issuer=name(f"草稿 {number - 1}"), extensions=wanted).change(**changes)


def test_path_of_three_levels_is_trusted_and_reported_from_the_end_to_the_anchor() -> None:
    report = make_chain(intermediate(201), intermediate(202)).assess()
    assert report.trusted, report.problems
    assert len(report.chain) == 4
    assert report.anchor == report.chain[-1]


@pytest.mark.parametrize("profile", [profile for profile in Profile if profile is not Profile.ISSUING_CA])
def test_path_of_every_profile_is_trusted_with_lists(profile: Profile) -> None:
    report = verify_path(
        WORLD[profile].certificate,
        roots=WORLD.roots,
        intermediates=WORLD.intermediates,
        at=NOW,
        crls=WORLD.crls(),
    )
    assert report.trusted
    assert len(report.revocation) == 2


def faults() -> dict[PathReason, Chain]:
    """Give one chain for each reason, wrong in that alone."""
    no_sign = [each for each in authority_extensions(201) if each.oid != oids.EXT_KEY_USAGE]
    rsa = der.sequence(der.sequence(der.oid("1.2.840.113549.1.1.1"), der.null()), der.bit_string(b"\x00"))
    end = draft(250, issuer=name("草稿 200"), extensions=[SIGNING_KEY])
    stranger = ext.authority_key_identifier(b"another key of it")
    unknown = Extension("2.5.29.30", True, der.sequence())
    return {
        PathReason.SIGNATURE_INVALID: make_chain(end_key=299),
        PathReason.NOT_YET_VALID: make_chain(end=end.change(not_before=NOW + timedelta(seconds=1))),
        PathReason.EXPIRED: make_chain(end=end.change(not_after=NOW - timedelta(seconds=1))),
        PathReason.NOT_A_CA: make_chain(intermediate(201, extensions=authority_extensions(201)[:2])),
        PathReason.MAY_NOT_SIGN_CERTIFICATES: make_chain(
            intermediate(201, extensions=[*no_sign, ext.key_usage({KeyUsage.CRL_SIGN})])
        ),
        PathReason.PATH_LENGTH_EXCEEDED: make_chain(intermediate(201), root=root_draft(0)),
        PathReason.KEY_IDENTIFIER_MISMATCH: make_chain(
            end=draft(250, issuer=name("草稿 200"), extensions=[SIGNING_KEY, stranger])
        ),
        PathReason.UNKNOWN_CRITICAL_EXTENSION: make_chain(
            end=draft(250, issuer=name("草稿 200"), extensions=[SIGNING_KEY, unknown])
        ),
        PathReason.KEY_NOT_SM2: make_chain(end=end.change(public_key_info=rsa)),
        PathReason.KEY_USAGE: make_chain(
            end=draft(250, issuer=name("草稿 200"), extensions=[ext.key_usage({KeyUsage.KEY_ENCIPHERMENT})])
        ),
        PathReason.NO_ISSUER: make_chain(end=draft(250, issuer=name("无人"), extensions=[SIGNING_KEY])),
        PathReason.UNTRUSTED_ROOT: Chain(
            root=root_draft().sign(key(200)),
            intermediates=(),
            end=draft(251, issuer=name("草稿 251"), extensions=[SIGNING_KEY]).sign(key(251)),
        ),
        PathReason.TOO_LONG: make_chain(*(intermediate(number) for number in range(201, 209))),
    }


@pytest.mark.parametrize("reason", faults())
def test_path_with_one_fault_is_refused_for_that_reason_alone(reason: PathReason) -> None:
    report = faults()[reason].assess()
    assert report.reasons == {reason}
    assert not report.trusted
    assert all(str(problem) for problem in report.problems)


def test_path_reasons_are_all_produced_by_a_test() -> None:
    elsewhere = {
        PathReason.ENCIPHERMENT_KEY,
        PathReason.EXTENDED_KEY_USAGE,
        PathReason.REVOKED,
        PathReason.REVOCATION_UNKNOWN,
    }
    assert set(faults()) | elsewhere == set(PathReason)


def test_path_without_roots_is_never_trusted() -> None:
    chain = make_chain()
    report = assess_path(chain.end, roots=[], intermediates=[chain.root], at=NOW, policy=UNCHECKED)
    assert report.reasons == {PathReason.UNTRUSTED_ROOT}
    with pytest.raises(EvidenceRefused):
        verify_path(chain.end, roots=[], intermediates=[chain.root], at=NOW, policy=UNCHECKED)


def test_root_of_the_same_name_and_another_key_is_no_anchor() -> None:
    chain = make_chain()
    impostor = draft(298, issuer=name("草稿 200"), extensions=authority_extensions(298)).change(
        subject=name("草稿 200")
    )
    report = assess_path(chain.end, roots=[impostor.sign(key(298))], at=NOW, policy=UNCHECKED)
    assert report.reasons == {PathReason.SIGNATURE_INVALID}


def test_right_issuer_is_found_among_others_of_its_name() -> None:
    chain = make_chain(intermediate(201))
    decoys = [
        draft(number, issuer=name("草稿 200"), extensions=authority_extensions(number))
        .change(subject=name("草稿 201"))
        .sign(key(200))
        for number in range(210, 220)
    ]
    report = assess_path(
        chain.end,
        roots=[chain.root],
        intermediates=[*decoys, *chain.intermediates],
        at=NOW,
        policy=UNCHECKED,
    )
    assert report.trusted, report.problems


def test_renewed_issuer_is_preferred_to_the_expired_one_with_the_same_key() -> None:
    expired = intermediate(201, not_after=NOW - timedelta(days=1)).sign(key(200))
    chain = make_chain(intermediate(201))
    for order in ((expired, *chain.intermediates), (*chain.intermediates, expired)):
        report = assess_path(chain.end, roots=[chain.root], intermediates=order, at=NOW, policy=UNCHECKED)
        assert report.trusted, report.problems


def test_certificates_that_sign_each_other_do_not_hold_the_search_up() -> None:
    """A full mesh of authorities, none of them trusted: the signatures checked stay bounded."""
    mesh = [
        draft(number, issuer=name(f"网 {other}"), extensions=authority_extensions(number))
        .change(subject=name(f"网 {number}"))
        .sign(key(other))
        for number in range(220, 230)
        for other in range(220, 230)
    ]
    end = draft(250, issuer=name("网 220"), extensions=[SIGNING_KEY]).sign(key(220))
    report = assess_path(end, roots=WORLD.roots, intermediates=mesh, at=NOW, policy=UNCHECKED)
    assert not report.trusted
    assert report.reasons & {PathReason.TOO_LONG, PathReason.UNTRUSTED_ROOT, PathReason.NO_ISSUER}
    assert MAX_SIGNATURE_CHECKS <= 100


def test_end_certificate_that_is_a_root_itself_is_its_own_anchor() -> None:
    root = WORLD.root.certificate
    report = assess_path(root, roots=[root], at=NOW, policy=PathPolicy(revocation=RevocationMode.REQUIRE))
    assert report.trusted
    assert report.chain == (root,)


def test_encipherment_bits_are_refused_only_where_the_policy_says_so() -> None:
    both = ext.key_usage({KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_ENCIPHERMENT})
    chain = make_chain(end=draft(250, issuer=name("草稿 200"), extensions=[both]))
    assert chain.assess().trusted
    strict = PathPolicy(key_usage=SIGNING_USAGE, refuse_encipherment=True, revocation=RevocationMode.IGNORE)
    assert chain.assess(policy=strict).reasons == {PathReason.ENCIPHERMENT_KEY}


@pytest.mark.parametrize(
    ("purposes", "critical", "good"),
    [
        ((oids.EKU_TIME_STAMPING,), True, True),
        ((oids.EKU_TIME_STAMPING,), False, False),
        ((oids.EKU_TIME_STAMPING, oids.EKU_CLIENT_AUTH), True, False),
        ((oids.EKU_CLIENT_AUTH,), True, False),
        ((), True, False),
    ],
)
def test_time_stamping_must_be_the_sole_and_critical_purpose(
    purposes: tuple[str, ...], critical: bool, good: bool
) -> None:
    extensions = [SIGNING_KEY]
    if purposes:
        extensions.append(ext.extended_key_usage(purposes, critical=critical))
    chain = make_chain(end=draft(250, issuer=name("草稿 200"), extensions=extensions))
    policy = PathPolicy(
        key_usage=TSA_POLICY.key_usage,
        extended_key_usage=TSA_POLICY.extended_key_usage,
        sole_critical_purpose=TSA_POLICY.sole_critical_purpose,
        revocation=RevocationMode.IGNORE,
    )
    report = chain.assess(policy=policy)
    assert report.trusted is good
    assert good or report.reasons == {PathReason.EXTENDED_KEY_USAGE}


def test_certificate_without_key_usage_is_not_restricted() -> None:
    assert make_chain(end=draft(250, issuer=name("草稿 200"))).assess().trusted


# ----------------------------------------------------------------------------------- revocation


def judge(*entries: RevokedEntry, at: datetime = NOW, policy: PathPolicy = SIGNER_POLICY) -> PathReport:
    return assess_path(
        WORLD[Profile.SEAL_SIGNER].certificate,
        roots=WORLD.roots,
        intermediates=WORLD.intermediates,
        at=at,
        crls=WORLD.crls(*entries, at=NOW),
        policy=policy,
    )


def test_revocation_before_the_moment_refuses_and_after_it_does_not() -> None:
    serial = WORLD[Profile.SEAL_SIGNER].certificate.serial
    before = RevokedEntry(serial=serial, revoked_at=NOW, reason=RevocationReason.KEY_COMPROMISE)
    after = RevokedEntry(serial=serial, revoked_at=NOW + timedelta(seconds=1))
    assert judge(before).reasons == {PathReason.REVOKED}
    assert judge(before).revoked
    assert judge(after).trusted
    assert judge(after).revocation[0].revoked_at == after.revoked_at


def test_invalidity_before_the_revocation_counts_from_its_own_date() -> None:
    serial = WORLD[Profile.SEAL_SIGNER].certificate.serial
    late = RevokedEntry(
        serial=serial, revoked_at=NOW + timedelta(days=1), invalid_since_at=NOW - timedelta(days=1)
    )
    assert judge(late).reasons == {PathReason.REVOKED}


def test_revocation_unknown_refuses_only_where_it_is_required() -> None:
    def of(mode: RevocationMode) -> PathReport:
        return assess_path(
            WORLD[Profile.SEAL_SIGNER].certificate,
            roots=WORLD.roots,
            intermediates=WORLD.intermediates,
            at=NOW,
            policy=PathPolicy(revocation=mode),
        )

    assert of(RevocationMode.REQUIRE).reasons == {PathReason.REVOCATION_UNKNOWN}
    assert of(RevocationMode.IF_KNOWN).trusted
    assert of(RevocationMode.IGNORE).revocation == ()


def test_revoked_intermediate_refuses_everything_below_it() -> None:
    period = {"this_update": NOW, "next_update": NOW + timedelta(days=1)}
    entry = RevokedEntry(serial=WORLD.issuing.certificate.serial, revoked_at=START)
    lists = (WORLD.root.issue_crl(entries=[entry], number=2, **period), WORLD.crls()[1])
    report = assess_path(
        WORLD[Profile.SEAL_SIGNER].certificate,
        roots=WORLD.roots,
        intermediates=WORLD.intermediates,
        at=NOW,
        crls=lists,
    )
    assert report.reasons == {PathReason.REVOKED}
    assert report.problems[0].certificate == WORLD.issuing.certificate


def test_ocsp_nocheck_exempts_responders_and_nobody_else() -> None:
    """A signer that bears ocsp-nocheck must not escape the list that revokes it."""
    signer = issue(WORLD.issuing, 260, Profile.SEAL_SIGNER, extra_extensions=[ext.ocsp_no_check()])
    entry = RevokedEntry(serial=signer.certificate.serial, revoked_at=START)
    report = assess_path(
        signer.certificate,
        roots=WORLD.roots,
        intermediates=WORLD.intermediates,
        at=NOW,
        crls=WORLD.crls(entry),
    )
    assert report.reasons == {PathReason.REVOKED}


def test_evidence_that_cannot_be_read_is_counted_and_passed_over() -> None:
    report = assess_path(
        WORLD[Profile.SEAL_SIGNER].certificate,
        roots=WORLD.roots,
        intermediates=WORLD.intermediates,
        at=NOW,
        crls=[b"", *WORLD.crls()],
        ocsp_responses=[b"\x30\x00"],
    )
    assert report.trusted
    assert report.unreadable_evidence == 2


def test_moments_at_both_ends_of_the_validity_count_as_within() -> None:
    chain = make_chain(end=draft(250, issuer=name("草稿 200"), extensions=[SIGNING_KEY]))
    assert chain.assess(at=START).trusted
    assert chain.assess(at=END).trusted
    assert chain.assess(at=END + timedelta(seconds=1)).reasons == {PathReason.EXPIRED}
