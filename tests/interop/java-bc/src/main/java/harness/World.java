package harness;

import static harness.Main.read;
import static harness.Main.write;

import java.math.BigInteger;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PublicKey;
import java.security.spec.ECGenParameterSpec;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.gm.GMObjectIdentifiers;
import org.bouncycastle.asn1.ocsp.OCSPObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.CRLNumber;
import org.bouncycastle.asn1.x509.CRLReason;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.Extensions;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.X509v2CRLBuilder;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.cert.ocsp.BasicOCSPRespBuilder;
import org.bouncycastle.cert.ocsp.CertificateID;
import org.bouncycastle.cert.ocsp.CertificateStatus;
import org.bouncycastle.cert.ocsp.OCSPRespBuilder;
import org.bouncycastle.cert.ocsp.RespID;
import org.bouncycastle.cert.ocsp.RevokedStatus;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.SignerInfoGenerator;
import org.bouncycastle.cms.jcajce.JcaSignerInfoGeneratorBuilder;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;
import org.bouncycastle.tsp.TimeStampRequest;
import org.bouncycastle.tsp.TimeStampResponseGenerator;
import org.bouncycastle.tsp.TimeStampTokenGenerator;
import org.bouncycastle.util.CollectionStore;

/** A whole public-key infrastructure made by Bouncy Castle, written to the working directory. */
final class World {
  private static final AlgorithmIdentifier SM3 = new AlgorithmIdentifier(GMObjectIdentifiers.sm3);
  private static final Date START = Date.from(Instant.parse("2026-01-01T00:00:00Z"));
  private static final Date END = Date.from(Instant.parse("2036-01-01T00:00:00Z"));
  private static final Date NOW = Date.from(Instant.parse("2026-06-01T12:00:00Z"));
  private static final Date LATER = Date.from(Instant.parse("2026-07-01T12:00:00Z"));

  private World() {}

  private record Holder(KeyPair pair, X509CertificateHolder certificate) {}

  /** CONTENT QUERY: reads both files and makes one file of each kind. */
  static String make(List<String> arguments) throws Exception {
    byte[] content = read(arguments.get(0));
    Holder root = issue(null, "外部根", 1, KeyUsage.keyCertSign | KeyUsage.cRLSign, null);
    Holder issuing = issue(root, "外部签发机构", 2, KeyUsage.keyCertSign | KeyUsage.cRLSign, null);
    Holder signer = issue(issuing, "外部签章者", 3, KeyUsage.digitalSignature, null);
    int signing = KeyUsage.digitalSignature;
    Holder responder = issue(issuing, "外部应答者", 4, signing, KeyPurposeId.id_kp_OCSPSigning);
    Holder authority = issue(issuing, "外部时间戳", 5, signing, KeyPurposeId.id_kp_timeStamping);
    write("bc-root", root.certificate.getEncoded());
    write("bc-issuing", issuing.certificate.getEncoded());
    write("bc-signer", signer.certificate.getEncoded());
    write("bc-key", signer.pair.getPrivate().getEncoded());
    write("bc-csr", request(signer.pair));
    write("bc-root-crl", list(root, 0));
    write("bc-crl", list(issuing, 0));
    write("bc-crl-revoked", list(issuing, 3));
    for (AlgorithmIdentifier hash : List.of(SM3, CertificateID.HASH_SHA1)) {
      String name = hash.equals(SM3) ? "sm3" : "sha1";
      write("bc-ocsp-good-" + name, answer(issuing, responder, hash, CertificateStatus.GOOD));
      var revoked = new RevokedStatus(NOW, CRLReason.keyCompromise);
      write("bc-ocsp-revoked-" + name, answer(issuing, responder, hash, revoked));
    }
    write("bc-cms-attributes", message(signer, issuing, content, false, true));
    write("bc-cms-bare", message(signer, issuing, content, true, true));
    write("bc-cms-detached", message(signer, issuing, content, false, false));
    write("bc-reply", stamp(authority, issuing, new TimeStampRequest(read(arguments.get(1)))));
    write("bc-signature", Primitives.sign(signer.pair.getPrivate(), content));
    write("bc-ciphertext", Primitives.encrypt(signer.pair.getPublic(), content));
    write("bc-locked-hmac_sm3_keyed", lock(signer, GMObjectIdentifiers.hmac_sm3));
    write("bc-locked-hmac_sha256", lock(signer, PKCSObjectIdentifiers.id_hmacWithSHA256));
    return "";
  }

  private static byte[] lock(Holder holder, ASN1ObjectIdentifier function) throws Exception {
    return Primitives.lock(holder.pair.getPrivate(), "correct horse", function);
  }

  private static ContentSigner signer(KeyPair pair) throws Exception {
    return new JcaContentSignerBuilder("SM3withSM2").setProvider("BC").build(pair.getPrivate());
  }

  private static X500Name name(String commonName) {
    return new X500Name("C=CN,O=外部机构,CN=" + commonName);
  }

  private static Holder issue(Holder issuer, String name, int serial, int usage, KeyPurposeId purpose)
      throws Exception {
    var generator = KeyPairGenerator.getInstance("EC", "BC");
    generator.initialize(new ECGenParameterSpec("sm2p256v1"));
    KeyPair pair = generator.generateKeyPair();
    KeyPair by = issuer == null ? pair : issuer.pair;
    X500Name from = issuer == null ? name(name) : issuer.certificate.getSubject();
    PublicKey key = pair.getPublic();
    var utilities = new JcaX509ExtensionUtils();
    var builder =
        new JcaX509v3CertificateBuilder(from, BigInteger.valueOf(serial), START, END, name(name), key);
    var identifier = utilities.createAuthorityKeyIdentifier(by.getPublic());
    builder.addExtension(Extension.authorityKeyIdentifier, false, identifier);
    builder.addExtension(Extension.subjectKeyIdentifier, false, utilities.createSubjectKeyIdentifier(key));
    builder.addExtension(Extension.keyUsage, true, new KeyUsage(usage));
    boolean authority = (usage & KeyUsage.keyCertSign) != 0;
    builder.addExtension(Extension.basicConstraints, authority, new BasicConstraints(authority));
    if (purpose != null) {
      builder.addExtension(Extension.extendedKeyUsage, true, new ExtendedKeyUsage(purpose));
    }
    return new Holder(pair, builder.build(signer(by)));
  }

  private static byte[] request(KeyPair pair) throws Exception {
    var builder = new JcaPKCS10CertificationRequestBuilder(name("外部申请者"), pair.getPublic());
    return builder.build(signer(pair)).getEncoded();
  }

  private static byte[] list(Holder issuer, int revoked) throws Exception {
    var builder = new X509v2CRLBuilder(issuer.certificate.getSubject(), NOW);
    builder.setNextUpdate(LATER);
    var identifier = new JcaX509ExtensionUtils().createAuthorityKeyIdentifier(issuer.pair.getPublic());
    builder.addExtension(Extension.authorityKeyIdentifier, false, identifier);
    builder.addExtension(Extension.cRLNumber, false, new CRLNumber(BigInteger.valueOf(9)));
    if (revoked != 0) {
      builder.addCRLEntry(BigInteger.valueOf(revoked), NOW, CRLReason.keyCompromise);
    }
    return builder.build(signer(issuer.pair)).getEncoded();
  }

  private static byte[] answer(
      Holder issuer, Holder responder, AlgorithmIdentifier hash, CertificateStatus status) throws Exception {
    var builder = new BasicOCSPRespBuilder(new RespID(responder.certificate.getSubject()));
    var digest = Pki.digests().get(hash);
    var id = new CertificateID(digest, issuer.certificate, BigInteger.valueOf(3));
    builder.addResponse(id, status, NOW, LATER);
    var value = new DEROctetString(new DEROctetString(new byte[] {9, 9, 9, 9}).getEncoded());
    var nonce = new Extension(OCSPObjectIdentifiers.id_pkix_ocsp_nonce, false, value);
    builder.setResponseExtensions(new Extensions(nonce));
    var chain = new X509CertificateHolder[] {responder.certificate};
    var basic = builder.build(signer(responder.pair), chain, NOW);
    return new OCSPRespBuilder().build(OCSPRespBuilder.SUCCESSFUL, basic).getEncoded();
  }

  private static SignerInfoGenerator signerInfo(Holder holder, boolean bare) throws Exception {
    var builder = new JcaSignerInfoGeneratorBuilder(Pki.digests());
    builder.setDirectSignature(bare);
    return builder.build(signer(holder.pair), holder.certificate);
  }

  private static byte[] message(Holder holder, Holder issuer, byte[] content, boolean bare, boolean inside)
      throws Exception {
    var generator = new CMSSignedDataGenerator();
    generator.addSignerInfoGenerator(signerInfo(holder, bare));
    generator.addCertificates(certificates(holder, issuer));
    return generator.generate(new CMSProcessableByteArray(content), inside).getEncoded("DER");
  }

  private static CollectionStore<X509CertificateHolder> certificates(Holder... holders) {
    var found = new java.util.ArrayList<X509CertificateHolder>();
    for (Holder holder : holders) {
      found.add(holder.certificate);
    }
    return new CollectionStore<>(found);
  }

  private static byte[] stamp(Holder authority, Holder issuer, TimeStampRequest query) throws Exception {
    var policy = new ASN1ObjectIdentifier("2.999.1.1");
    var tokens = new TimeStampTokenGenerator(signerInfo(authority, false), Pki.digests().get(SM3), policy);
    tokens.addCertificates(certificates(authority, issuer));
    var responses = new TimeStampResponseGenerator(tokens, java.util.Set.of(GMObjectIdentifiers.sm3));
    return responses.generate(query, BigInteger.valueOf(77), NOW).getEncoded();
  }
}
