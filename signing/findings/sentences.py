"""What each code means: the step of the examination that gives it, and a sentence in two languages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from signing.findings.codes import FindingCode


@dataclass(frozen=True, slots=True)
class Sentence:
    """The step and the two sentences of one code."""

    step: str
    zh: str
    en: str


SENTENCES: Final[dict[FindingCode, Sentence]] = {
    FindingCode.CONTAINER_INVALID: Sentence(
        "A1", "文件不是可读取的 OFD 包（ZIP）", "The file is not a readable OFD package (ZIP)"
    ),
    FindingCode.CONTAINER_LIMIT: Sentence(
        "A1",
        "包的大小、压缩比或条目数超出限制",
        "The package exceeds the limits on size, compression ratio or number of entries",
    ),
    FindingCode.ENTRY_DUPLICATE: Sentence(
        "A2", "包内有重名条目", "Two entries of the package have the same name"
    ),
    FindingCode.ENTRY_UNSAFE: Sentence(
        "A2",
        "包内条目不安全：路径越界、已加密，或本地头与中央目录不一致",
        "An entry of the package is unsafe: a path that climbs out, encryption, or two headers that disagree",
    ),
    FindingCode.OFD_XML_MISSING: Sentence("A3", "包内缺少 OFD.xml", "The package has no OFD.xml"),
    FindingCode.XML_INVALID: Sentence(
        "A3",
        "XML 无法解析，或含有 DTD/实体",
        "An XML file is not well formed, or carries a DTD or entities",
    ),
    FindingCode.DOCROOT_MISSING: Sentence(
        "A4", "DocRoot 指向的文件不存在", "The file that DocRoot points to does not exist"
    ),
    FindingCode.SIGNATURES_MISSING: Sentence(
        "A4", "签名列表文件不存在", "The list of signatures that OFD.xml points to does not exist"
    ),
    FindingCode.SIGNATURES_INVALID: Sentence("B1", "签名列表文件无效", "The list of signatures is not valid"),
    FindingCode.SIGNATURE_ID_DUPLICATE: Sentence(
        "B1", "签名或签章外观的标识重复", "Two signatures or stamps have the same ID"
    ),
    FindingCode.SIGNATURE_FILE_MISSING: Sentence(
        "B1", "签名描述文件不存在", "The description file of the signature does not exist"
    ),
    FindingCode.SIGNATURE_XML_INVALID: Sentence(
        "B2", "签名描述文件无效", "The description file of the signature is not valid"
    ),
    FindingCode.DIGEST_METHOD_WEAK_OR_UNKNOWN: Sentence(
        "B3",
        "摘要算法缺失、过弱或不认识；只接受 SM3",
        "The digest method is absent, weak or unknown; only SM3 is accepted",
    ),
    FindingCode.SIGNATURE_METHOD_MISMATCH: Sentence(
        "B4",
        "签名描述文件与签名值中的签名算法不一致",
        "The signature method of the description and that of the signature value differ",
    ),
    FindingCode.REFERENCE_INVALID: Sentence(
        "C1",
        "受保护文件的引用无效：重复、越界，或引用了签名自身",
        "A reference to a protected file is not valid: repeated, outside the package, or to itself",
    ),
    FindingCode.REFERENCE_MISSING: Sentence(
        "C1", "受保护的文件不存在", "A protected file is missing from the package"
    ),
    FindingCode.REFERENCE_DIGEST_MISMATCH: Sentence(
        "C2", "受保护的文件在签名后被改动", "A protected file was changed after it was signed"
    ),
    FindingCode.COVERAGE_PARTIAL: Sentence(
        "C3",
        "有影响内容的文件未受签名保护",
        "Files that bear on the content are not protected by the signature",
    ),
    FindingCode.COVERAGE_PARTIAL_STRICT: Sentence(
        "C3",
        "有影响内容的文件未受签名保护，而策略要求全部保护",
        "Files that bear on the content are not protected, and the policy asks that all are",
    ),
    FindingCode.SIGNED_VALUE_MISSING: Sentence(
        "D1", "签名值文件不存在", "The file with the signature value is missing"
    ),
    FindingCode.SIGNED_VALUE_INVALID: Sentence(
        "D1", "签名值无法解析", "The signature value is not a well-formed seal signature"
    ),
    FindingCode.VERSION_INCONSISTENT: Sentence(
        "D2",
        "签章与印章的版本或头标识不一致",
        "The versions or header marks of the signature and its seal do not agree",
    ),
    FindingCode.ALGORITHM_UNSUPPORTED: Sentence(
        "D3",
        "签名算法不受支持，或与证书公钥不符",
        "The signature algorithm is not supported or does not fit the key of the certificate",
    ),
    FindingCode.SIGNATURE_INVALID: Sentence(
        "D4", "签章的签名验证不通过", "The signature does not verify with the signer's certificate"
    ),
    FindingCode.DATA_HASH_MISMATCH: Sentence(
        "D5",
        "签章中的原文杂凑值与待验证的原文不符",
        "The digest in the signature is not that of the data it is said to protect",
    ),
    FindingCode.PROPERTY_INFO_MISMATCH: Sentence(
        "D6",
        "签章中的原文属性与签名描述文件的路径不符",
        "The propertyInfo in the signature is not the path of its description file",
    ),
    FindingCode.SIGNATURE_RAW: Sentence(
        "D4",
        "签名值为 64 字节裸 r‖s，已转换为 DER 后验证",
        "The signature value is a bare 64-octet r‖s; it was verified after conversion to DER",
    ),
    FindingCode.SIGNATURE_RAW_STRICT: Sentence(
        "D4",
        "签名值为 64 字节裸 r‖s，策略不接受",
        "The signature value is a bare 64-octet r‖s, which the policy does not accept",
    ),
    FindingCode.CRITICAL_EXTENSION_UNKNOWN: Sentence(
        "F1",
        "含有不认识的关键扩展",
        "There is an extension marked critical that is not known here",
    ),
    FindingCode.CRITICAL_EXTENSION_UNKNOWN_STRICT: Sentence(
        "F1",
        "含有不认识的关键扩展，策略要求拒绝",
        "There is an extension marked critical that is not known here, and the policy refuses it",
    ),
    FindingCode.SIGNER_CERT_INVALID: Sentence(
        "E1", "签章者证书无法解析", "The signer's certificate cannot be read"
    ),
    FindingCode.SIGNER_CHAIN: Sentence(
        "E2",
        "签章者证书不能追溯到受信任的根证书",
        "The signer's certificate does not lead to a trusted root",
    ),
    FindingCode.SIGNER_KEY_USAGE: Sentence(
        "E1",
        "签章者证书的密钥用途不允许签名",
        "The key usage of the signer's certificate does not allow signing",
    ),
    FindingCode.SIGNING_TIME_OUTSIDE_CERT: Sentence(
        "E3",
        "签章时间不在签章者证书有效期内",
        "The signing time lies outside the validity of the signer's certificate",
    ),
    FindingCode.SIGNER_REVOKED: Sentence(
        "E4", "签章者证书在签章前已被撤销", "The signer's certificate was revoked before the signing time"
    ),
    FindingCode.REVOKED_LATER: Sentence(
        "E4",
        "证书在所判断的时间之后被撤销",
        "The certificate was revoked after the time it is judged at",
    ),
    FindingCode.REVOCATION_UNKNOWN: Sentence(
        "E4",
        "没有可用的撤销信息（CRL/OCSP），撤销状态未知",
        "There is no usable revocation information (CRL or OCSP), so the revocation status is not known",
    ),
    FindingCode.TIME_CLAIMED: Sentence(
        "E3",
        "签章时间为签章者自称，没有时间戳证明",
        "The signing time is the signer's own claim; no time stamp proves it",
    ),
    FindingCode.SEAL_INVALID: Sentence("F1", "电子印章无法解析", "The electronic seal is not well formed"),
    FindingCode.SEAL_SIGNATURE_INVALID: Sentence(
        "F2",
        "电子印章的制章者签名验证不通过",
        "The signature on the seal does not verify with the maker's certificate",
    ),
    FindingCode.MAKER_CHAIN: Sentence(
        "F3",
        "制章者证书不能追溯到受信任的根证书",
        "The seal maker's certificate does not lead to a trusted root",
    ),
    FindingCode.MAKER_KEY_USAGE: Sentence(
        "F3",
        "制章者证书的密钥用途不允许签名",
        "The key usage of the seal maker's certificate does not allow signing",
    ),
    FindingCode.MAKER_NOT_VALID_AT_CREATION: Sentence(
        "F3",
        "制章者证书在制章时不在有效期内",
        "The seal maker's certificate was not within its validity when the seal was made",
    ),
    FindingCode.MAKER_NOT_VALID_LATER: Sentence(
        "F3",
        "制章者证书在制章时有效，其后已过期",
        "The seal maker's certificate was valid when the seal was made and has expired since",
    ),
    FindingCode.MAKER_REVOKED: Sentence(
        "F3", "制章者证书已被撤销", "The seal maker's certificate is revoked"
    ),
    FindingCode.SEAL_NOT_VALID_AT_SIGNING: Sentence(
        "F4",
        "所判断的时间不在印章有效期内",
        "The time judged lies outside the validity of the seal",
    ),
    FindingCode.SIGNER_NOT_AUTHORISED: Sentence(
        "F5",
        "签章者证书不在印章的签章者列表中",
        "The signer's certificate is not in the list of signers of the seal",
    ),
    FindingCode.SEAL_FILE_MISMATCH: Sentence(
        "F6",
        "印章文件与签章内嵌的印章不一致",
        "The seal file differs from the seal inside the signature",
    ),
    FindingCode.SEAL_PICTURE: Sentence("F7", "印章图像有问题", "The picture of the seal is not in order"),
    FindingCode.TIMESTAMP_INVALID: Sentence(
        "G1", "签章时间戳验证不通过", "The time stamp of the signature does not verify"
    ),
    FindingCode.TIMESTAMP_IMPRINT: Sentence(
        "G1",
        "时间戳不是对本签名值加盖的",
        "The time stamp was not made over this signature value",
    ),
    FindingCode.TSA_CERT: Sentence(
        "G2",
        "时间戳机构证书不可信或不合用途",
        "The certificate of the time-stamp authority is not trusted or not meant for this use",
    ),
    FindingCode.TIMESTAMP_ORDER: Sentence(
        "G3",
        "时间戳早于自称的签章时间，超出允许偏差",
        "The time stamp is earlier than the claimed signing time by more than the allowed skew",
    ),
    FindingCode.SEAL_TIMESTAMP_INVALID: Sentence(
        "G4", "印章自带的时间戳验证不通过", "The time stamp of the seal does not verify"
    ),
    FindingCode.SEAL_CREATED_AFTER_TIMESTAMP: Sentence(
        "G4",
        "印章的制作日期晚于印章时间戳",
        "The seal says it was made later than its own time stamp",
    ),
    FindingCode.BASE_SIGNATURE: Sentence(
        "H1",
        "所依赖的基础签名不存在或无效",
        "The base signature that this one depends on is missing or not valid",
    ),
    FindingCode.STAMP_PAGE: Sentence(
        "H2", "签章外观所指的页面不存在", "The page that the stamp refers to does not exist"
    ),
    FindingCode.STAMP_BOX: Sentence(
        "H2",
        "签章外观的位置或尺寸与印章图像不符",
        "The place or size of the stamp does not agree with the picture of the seal",
    ),
    FindingCode.SIGNED_AFTER_LOCK: Sentence(
        "H3",
        "文档在锁定签名之后又被签名",
        "The document was signed again after a signature had locked it",
    ),
}

_STEPS: Final = {str(code): sentence.step for code, sentence in SENTENCES.items()}


def step_of(code: str) -> str:
    """Give the step of the examination that a code belongs to, such as `D4`; empty for a foreign code."""
    return _STEPS.get(code, "")
