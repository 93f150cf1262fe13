package harness;

import static harness.Main.field;
import static harness.Main.read;
import static harness.Main.require;
import static harness.Main.write;

import java.io.ByteArrayInputStream;
import java.security.PublicKey;
import java.security.cert.CertPathValidator;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.util.Date;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import org.bouncycastle.asn1.ASN1Integer;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.ocsp.OCSPObjectIdentifiers;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.CRLReason;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.Extensions;
import org.bouncycastle.cert.X509CRLHolder;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateHolder;
import org.bouncycastle.cert.ocsp.BasicOCSPResp;
import org.bouncycastle.cert.ocsp.CertificateID;
import org.bouncycastle.cert.ocsp.OCSPReq;
import org.bouncycastle.cert.ocsp.OCSPReqBuilder;
import org.bouncycastle.cert.ocsp.OCSPResp;
import org.bouncycastle.cert.ocsp.RevokedStatus;
import org.bouncycastle.cert.ocsp.SingleResp;
import org.bouncycastle.operator.ContentVerifierProvider;
import org.bouncycastle.operator.DigestCalculatorProvider;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequest;

/** Certificates, revocation lists, requests and OCSP. */
final class Pki {
  private Pki() {}

  static X509Certificate certificate(String name) throws Exception {
    var factory = CertificateFactory.getInstance("X.509", "BC");
    byte[] der = read(name);
    var in = new ByteArrayInputStream(der);
    var parsed = (X509Certificate) factory.generateCertificate(in);
    require(in.available() == 0, "octets follow the certificate");
    return parsed;
  }

  static ContentVerifierProvider verifier(PublicKey key) throws Exception {
    return new JcaContentVerifierProviderBuilder().setProvider("BC").build(key);
  }

  static DigestCalculatorProvider digests() throws Exception {
    return new JcaDigestCalculatorProviderBuilder().setProvider("BC").build();
  }

  /** ROOT ISSUING LEAF SECONDS [CRL...]: validate a path; with lists, revocation is judged too. */
  static String chain(List<String> arguments) throws Exception {
    var factory = CertificateFactory.getInstance("X.509", "BC");
    X509Certificate leaf = certificate(arguments.get(2));
    var path = factory.generateCertPath(List.of(leaf, certificate(arguments.get(1))));
    var parameters = new PKIXParameters(Set.of(new TrustAnchor(certificate(arguments.get(0)), null)));
    parameters.setDate(new Date(Long.parseLong(arguments.get(3)) * 1000));
    var lists = new java.util.ArrayList<X509CRL>();
    for (String name : arguments.subList(4, arguments.size())) {
      lists.add((X509CRL) factory.generateCRL(new ByteArrayInputStream(read(name))));
    }
    parameters.setRevocationEnabled(!lists.isEmpty());
    var store = new CollectionCertStoreParameters(lists);
    parameters.addCertStore(CertStore.getInstance("Collection", store, "BC"));
    CertPathValidator.getInstance("PKIX", "BC").validate(path, parameters);
    var holder = new JcaX509CertificateHolder(leaf);
    return field("serial", leaf.getSerialNumber().toString(16))
        + field("subject", holder.getSubject())
        + field("critical", new java.util.TreeSet<>(leaf.getCriticalExtensionOIDs()));
  }

  /** LIST ISSUER: verify a revocation list. */
  static String crl(List<String> arguments) throws Exception {
    var list = new X509CRLHolder(read(arguments.get(0)));
    X509Certificate issuer = certificate(arguments.get(1));
    require(list.isSignatureValid(verifier(issuer.getPublicKey())), "the signature is wrong");
    var number = ASN1Integer.getInstance(list.getExtension(Extension.cRLNumber).getParsedValue());
    var entries = new StringBuilder();
    for (Object each : list.getRevokedCertificates()) {
      var entry = (org.bouncycastle.cert.X509CRLEntryHolder) each;
      var reason = entry.getExtension(Extension.reasonCode);
      entries.append(entry.getSerialNumber().toString(16)).append(':');
      entries.append(reason == null ? "none" : CRLReason.getInstance(reason.getParsedValue()).getValue());
      entries.append(' ');
    }
    return field("number", number.getValue()) + field("entries", entries.toString().strip());
  }

  /** REQUEST: verify a certificate request. */
  static String csr(List<String> arguments) throws Exception {
    var request = new JcaPKCS10CertificationRequest(read(arguments.get(0))).setProvider("BC");
    require(request.isSignatureValid(verifier(request.getPublicKey())), "the signature is wrong");
    return field("subject", request.getSubject());
  }

  /** REQUEST ISSUER: read an OCSP request and compare the issuer's digests. */
  static String ocspRequest(List<String> arguments) throws Exception {
    var request = new OCSPReq(read(arguments.get(0)));
    var issuer = new JcaX509CertificateHolder(certificate(arguments.get(1)));
    var serials = new StringBuilder();
    for (var each : request.getRequestList()) {
      require(each.getCertID().matchesIssuer(issuer, digests()), "another issuer");
      serials.append(each.getCertID().getSerialNumber().toString(16)).append(' ');
    }
    var nonce = request.getExtension(OCSPObjectIdentifiers.id_pkix_ocsp_nonce);
    return field("serials", serials.toString().strip()) + field("nonce", nonce(nonce));
  }

  /** ISSUER LEAF HASH OUT: ask about a certificate, with a nonce. */
  static String makeOcspRequest(List<String> arguments) throws Exception {
    var hash = new AlgorithmIdentifier(new ASN1ObjectIdentifier(arguments.get(2)));
    var issuer = new JcaX509CertificateHolder(certificate(arguments.get(0)));
    var serial = certificate(arguments.get(1)).getSerialNumber();
    var builder = new OCSPReqBuilder();
    builder.addRequest(new CertificateID(digests().get(hash), issuer, serial));
    var value = new DEROctetString(new DEROctetString(new byte[] {0, 1, 2, 3, 4, 5, 6, 7}).getEncoded());
    var nonce = new Extension(OCSPObjectIdentifiers.id_pkix_ocsp_nonce, false, value);
    builder.setRequestExtensions(new Extensions(nonce));
    write(arguments.get(3), builder.build().getEncoded());
    return "";
  }

  /** RESPONSE ISSUER: verify an OCSP response by a responder that the issuer delegated. */
  static String ocsp(List<String> arguments) throws Exception {
    var response = new OCSPResp(read(arguments.get(0)));
    require(response.getStatus() == OCSPResp.SUCCESSFUL, "status " + response.getStatus());
    var basic = (BasicOCSPResp) response.getResponseObject();
    X509Certificate issuer = certificate(arguments.get(1));
    X509CertificateHolder responder = basic.getCerts()[0];
    require(responder.isSignatureValid(verifier(issuer.getPublicKey())), "a stranger's certificate");
    var provider = new JcaContentVerifierProviderBuilder().setProvider("BC").build(responder);
    require(basic.isSignatureValid(provider), "the signature is wrong");
    var answers = new StringBuilder();
    for (SingleResp single : basic.getResponses()) {
      var id = single.getCertID();
      require(id.matchesIssuer(new JcaX509CertificateHolder(issuer), digests()), "another issuer");
      answers.append(id.getSerialNumber().toString(16)).append(':').append(status(single)).append(' ');
    }
    var nonce = basic.getExtension(OCSPObjectIdentifiers.id_pkix_ocsp_nonce);
    return field("answers", answers.toString().strip())
        + field("produced", basic.getProducedAt().getTime() / 1000)
        + field("nonce", nonce(nonce));
  }

  private static String status(SingleResp single) {
    var status = single.getCertStatus();
    if (status instanceof RevokedStatus revoked) {
      return "revoked-" + (revoked.hasRevocationReason() ? revoked.getRevocationReason() : "none");
    }
    return status == org.bouncycastle.cert.ocsp.CertificateStatus.GOOD ? "good" : "unknown";
  }

  private static String nonce(Extension extension) throws Exception {
    if (extension == null) {
      return "none";
    }
    var octets = DEROctetString.getInstance(extension.getParsedValue()).getOctets();
    return HexFormat.of().formatHex(octets);
  }
}
