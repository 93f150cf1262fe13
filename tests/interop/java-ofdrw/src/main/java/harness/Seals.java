package harness;

import java.io.ByteArrayInputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Security;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.HexFormat;
import org.bouncycastle.asn1.ASN1BitString;
import org.bouncycastle.asn1.ASN1Encodable;
import org.bouncycastle.asn1.ASN1EncodableVector;
import org.bouncycastle.asn1.ASN1GeneralizedTime;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.ASN1Sequence;
import org.bouncycastle.asn1.ASN1TaggedObject;
import org.bouncycastle.asn1.ASN1UTCTime;
import org.bouncycastle.asn1.DERSequence;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.crypto.digests.SM3Digest;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.tsp.TimeStampToken;
import org.ofdrw.gm.ses.parse.SESVersion;
import org.ofdrw.gm.ses.parse.SESVersionHolder;
import org.ofdrw.gm.ses.parse.VersionParser;

/**
 * Reads seals and seal signatures with ofdrw's classes and verifies them with Bouncy Castle.
 *
 * <p>Arguments: pairs of {@code seal|signature|seal5|token} and a file. One line per argument pair:
 * {@code key=value} fields with tabs between them, or {@code error=…}. The octets that are verified are the
 * library's re-encoding, not the file's, so that a seal which re-encoding would change is found out.
 */
public final class Seals {
  private Seals() {}

  public static void main(String[] arguments) throws Exception {
    Security.addProvider(new BouncyCastleProvider());
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    for (int i = 0; i + 1 < arguments.length; i += 2) {
      byte[] der = Files.readAllBytes(Path.of(arguments[i + 1]));
      try {
        out.println(read(arguments[i], der));
      } catch (Exception error) {
        out.println("error=" + error.getClass().getSimpleName());
      }
    }
  }

  private static String read(String kind, byte[] der) throws Exception {
    switch (kind) {
      case "seal":
        return readSeal(der);
      case "signature":
        return readSignature(der);
      case "token":
        return readToken(der);
      default:
        return readStampedSeal(der);
    }
  }

  private static String readSeal(byte[] der) throws Exception {
    SESVersionHolder holder = VersionParser.parseSES_SealVersion(der);
    return holder.getVersion() == SESVersion.v1
        ? describe(org.ofdrw.gm.ses.v1.SESeal.getInstance(holder.getObjSeq()))
        : describe(org.ofdrw.gm.ses.v4.SESeal.getInstance(holder.getObjSeq()));
  }

  private static String describe(org.ofdrw.gm.ses.v1.SESeal seal) throws Exception {
    var info = seal.getEsealInfo();
    var sign = seal.getSignInfo();
    byte[] message = sequence(info, sign.getCert(), sign.getSignatureAlgorithm());
    return line("v1", info.getEsID().getString(), info.getProperty().getName().getString())
        + field("signers", info.getProperty().getCertList().size())
        + field("until", info.getProperty().getValidEnd().getAdjustedDate().getTime() / 1000)
        + picture(info.getPicture())
        + field("header", info.getHeader().getVersion())
        + field("verified", verify(sign.getCert(), sign.getSignData(), message));
  }

  private static String describe(org.ofdrw.gm.ses.v4.SESeal seal) throws Exception {
    var info = seal.geteSealInfo();
    var property = info.getProperty();
    var list = (ASN1Sequence) property.getCertList().get().toASN1Primitive();
    int extensions =
        info.getExtDatas() == null ? 0 : ((ASN1Sequence) info.getExtDatas().toASN1Primitive()).size();
    return line("v4", info.getEsID().getString(), property.getName().getString())
        + field("signers", list.size())
        + field("until", property.getValidEnd().getDate().getTime() / 1000)
        + picture(info.getPicture())
        + field("header", info.getHeader().getVersion())
        + field("extensions", extensions)
        + field("verified", verify(seal.getCert(), seal.getSignedValue(), info.getEncoded("DER")));
  }

  private static String readSignature(byte[] der) throws Exception {
    SESVersionHolder holder = VersionParser.parseSES_SignatureVersion(der);
    if (holder.getVersion() == SESVersion.v1) {
      var signature = org.ofdrw.gm.ses.v1.SES_Signature.getInstance(holder.getObjSeq());
      var tbs = signature.getToSign();
      byte[] time = tbs.getTimeInfo().getBytes();
      return "tbs=" + tbs.getVersion()
          + field("hash", HexFormat.of().formatHex(tbs.getDataHash().getBytes()))
          + field("property", tbs.getPropertyInfo().getString())
          + field("at", ((ASN1UTCTime) ASN1UTCTime.fromByteArray(time)).getAdjustedDate().getTime() / 1000)
          + field("verified", verify(tbs.getCert(), signature.getSignature(), tbs.getEncoded("DER")))
          + "\t" + describe(tbs.getEseal()).replace("verified=", "seal_verified=");
    }
    var signature = org.ofdrw.gm.ses.v4.SES_Signature.getInstance(holder.getObjSeq());
    var tbs = signature.getToSign();
    return "tbs=" + tbs.getVersion()
        + field("hash", HexFormat.of().formatHex(tbs.getDataHash().getBytes()))
        + field("property", tbs.getPropertyInfo().getString())
        + field("at", tbs.getTimeInfo().getDate().getTime() / 1000)
        + field("stamped", stampFits(signature.getTimeStamp(), signature.getSignature()))
        + field("verified", verify(signature.getCert(), signature.getSignature(), tbs.getEncoded("DER")))
        + "\t" + describe(tbs.getEseal()).replace("verified=", "seal_verified=");
  }

  /** Reads a V5 seal of five elements, which this ofdrw does not know, with Bouncy Castle alone. */
  private static String readStampedSeal(byte[] der) throws Exception {
    ASN1Sequence seal = ASN1Sequence.getInstance(der);
    ASN1Sequence info = ASN1Sequence.getInstance(seal.getObjectAt(0));
    ASN1Sequence header = ASN1Sequence.getInstance(info.getObjectAt(0));
    ASN1Sequence property = ASN1Sequence.getInstance(info.getObjectAt(2));
    ASN1OctetString certificate = ASN1OctetString.getInstance(seal.getObjectAt(1));
    ASN1BitString value = ASN1BitString.getInstance(seal.getObjectAt(3));
    ASN1TaggedObject tagged = ASN1TaggedObject.getInstance(seal.getObjectAt(4));
    ASN1BitString token = ASN1BitString.getInstance(tagged, true);
    return "version=v5"
        + field("header", header.getObjectAt(1))
        + field("until", ASN1GeneralizedTime.getInstance(property.getObjectAt(6)).getDate().getTime() / 1000)
        + field("stamped", stampFits(token, value))
        + field("verified", verify(certificate, value, info.getEncoded("DER")));
  }

  /** Lets Bouncy Castle validate a time-stamp token with the certificate inside it. */
  private static String readToken(byte[] der) throws Exception {
    TimeStampToken token = new TimeStampToken(new CMSSignedData(der));
    var holder = (X509CertificateHolder) token.getCertificates().getMatches(null).iterator().next();
    token.validate(new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(holder));
    var info = token.getTimeStampInfo();
    return "verified=true"
        + field("at", info.getGenTime().getTime() / 1000)
        + field("imprint", HexFormat.of().formatHex(info.getMessageImprintDigest()));
  }

  private static String line(String version, String id, String name) {
    return "version=" + version + field("id", id) + field("name", name);
  }

  private static String picture(org.ofdrw.gm.ses.v1.SES_ESPictrueInfo picture) {
    return field("picture", picture.getType().getString())
        + field("size", picture.getWidth() + "x" + picture.getHeight())
        + field("octets", picture.getData().getOctets().length);
  }

  private static String field(String name, Object value) {
    return "\t" + name + "=" + value;
  }

  private static byte[] sequence(ASN1Encodable... parts) throws Exception {
    ASN1EncodableVector all = new ASN1EncodableVector();
    for (ASN1Encodable part : parts) {
      all.add(part);
    }
    return new DERSequence(all).getEncoded("DER");
  }

  /** Whether the token's TSTInfo holds the SM3 of the signature value; null where there is no token. */
  private static Boolean stampFits(ASN1BitString token, ASN1BitString value) {
    if (token == null) {
      return null;
    }
    byte[] imprint = new byte[32];
    SM3Digest digest = new SM3Digest();
    digest.update(value.getBytes(), 0, value.getBytes().length);
    digest.doFinal(imprint, 0);
    String hex = HexFormat.of().formatHex(token.getBytes());
    return hex.contains(HexFormat.of().formatHex(imprint));
  }

  private static boolean verify(ASN1OctetString certificate, ASN1BitString value, byte[] message)
      throws Exception {
    var factory = CertificateFactory.getInstance("X.509", "BC");
    var parsed =
        (X509Certificate) factory.generateCertificate(new ByteArrayInputStream(certificate.getOctets()));
    Signature verifier = Signature.getInstance("SM3withSM2", "BC");
    verifier.initVerify(parsed.getPublicKey());
    verifier.update(message);
    return verifier.verify(value.getBytes());
  }
}
