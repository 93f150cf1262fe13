package harness;

import static harness.Main.field;
import static harness.Main.read;
import static harness.Main.require;
import static harness.Main.write;

import java.math.BigInteger;
import java.util.HexFormat;
import java.util.List;
import org.bouncycastle.asn1.gm.GMObjectIdentifiers;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.SignerInformationVerifier;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.tsp.TimeStampRequest;
import org.bouncycastle.tsp.TimeStampRequestGenerator;
import org.bouncycastle.tsp.TimeStampResponse;
import org.bouncycastle.tsp.TimeStampToken;

/** CMS signed data and time stamps. */
final class Messages {
  private Messages() {}

  static SignerInformationVerifier verifier(X509CertificateHolder holder) throws Exception {
    return new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(holder);
  }

  /** MESSAGE CONTENT: verify signed data with the certificates inside; "-" where the content is inside. */
  static String cms(List<String> arguments) throws Exception {
    byte[] der = read(arguments.get(0));
    boolean detached = !arguments.get(1).equals("-");
    CMSSignedData message =
        detached
            ? new CMSSignedData(new CMSProcessableByteArray(read(arguments.get(1))), der)
            : new CMSSignedData(der);
    int signers = 0;
    boolean attributes = false;
    for (SignerInformation signer : message.getSignerInfos()) {
      var found = message.getCertificates().getMatches(signer.getSID());
      require(found.size() == 1, "not one certificate of the signer");
      var holder = (X509CertificateHolder) found.iterator().next();
      require(signer.verify(verifier(holder)), "the signature is wrong");
      signers++;
      attributes = signer.getSignedAttributes() != null;
    }
    return field("signers", signers) + field("attributes", attributes);
  }

  /** TOKEN: validate a time-stamp token with the certificate inside. */
  static String token(List<String> arguments) throws Exception {
    return describe(new TimeStampToken(new CMSSignedData(read(arguments.get(0)))));
  }

  /** IMPRINT NONCE OUT: ask for a time stamp over an SM3 digest, given in hexadecimal. */
  static String makeQuery(List<String> arguments) throws Exception {
    var generator = new TimeStampRequestGenerator();
    generator.setCertReq(true);
    byte[] imprint = HexFormat.of().parseHex(arguments.get(0));
    var nonce = new BigInteger(arguments.get(1));
    write(arguments.get(2), generator.generate(GMObjectIdentifiers.sm3, imprint, nonce).getEncoded());
    return "";
  }

  /** QUERY REPLY: judge a reply against the query it answers. */
  static String reply(List<String> arguments) throws Exception {
    var response = new TimeStampResponse(read(arguments.get(1)));
    response.validate(new TimeStampRequest(read(arguments.get(0))));
    return field("status", response.getStatus()) + describe(response.getTimeStampToken());
  }

  private static String describe(TimeStampToken token) throws Exception {
    var found = token.getCertificates().getMatches(token.getSID());
    require(found.size() == 1, "not one certificate of the authority");
    token.validate(verifier((X509CertificateHolder) found.iterator().next()));
    var info = token.getTimeStampInfo();
    return field("at", info.getGenTime().getTime() / 1000)
        + field("policy", info.getPolicy())
        + field("imprint", HexFormat.of().formatHex(info.getMessageImprintDigest()));
  }
}
