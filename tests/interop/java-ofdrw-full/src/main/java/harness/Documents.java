package harness;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.ofdrw.core.signatures.SigType;
import org.ofdrw.gm.cert.PEMLoader;
import org.ofdrw.gm.ses.parse.SESVersion;
import org.ofdrw.gm.ses.parse.VersionParser;
import org.ofdrw.reader.ContentExtractor;
import org.ofdrw.reader.OFDReader;
import org.ofdrw.sign.ExtendSignatureContainer;
import org.ofdrw.sign.OFDSigner;
import org.ofdrw.sign.SignMode;
import org.ofdrw.sign.StandFormatAtomicSignID;
import org.ofdrw.sign.signContainer.GBT35275DSContainer;
import org.ofdrw.sign.signContainer.GBT35275PKCS9DSContainer;
import org.ofdrw.sign.signContainer.SESV1Container;
import org.ofdrw.sign.signContainer.SESV4Container;
import org.ofdrw.sign.stamppos.NormalStampPos;
import org.ofdrw.sign.stamppos.RidingStampPos;
import org.ofdrw.sign.verify.OFDValidator;
import org.ofdrw.sign.verify.SignedDataValidateContainer;
import org.ofdrw.sign.verify.container.GBT35275ValidateContainer;
import org.ofdrw.sign.verify.container.SESV1ValidateContainer;
import org.ofdrw.sign.verify.container.SESV4ValidateContainer;

/**
 * Lets ofdrw read, validate and sign whole OFD documents.
 *
 * <p>{@code validate FILE…}: one line a file, {@code valid} or the class of what was thrown.
 * {@code read FILE}: pages, their sizes and texts. {@code sign KIND MODE IN OUT KEY CERTIFICATE [SEAL]}
 * with KIND v1, v4, cms, cms9 and MODE continue, lock or ride. {@code loop FILE WARM MEASURED}: seconds to
 * warm up and to measure; prints validations a second, one thread.
 */
public final class Documents {
  private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

  private Documents() {}

  public static void main(String[] arguments) throws Exception {
    Security.addProvider(new BouncyCastleProvider());
    String[] rest = Arrays.copyOfRange(arguments, 1, arguments.length);
    switch (arguments[0]) {
      case "validate":
        for (String file : rest) {
          OUT.println(tryValidate(Path.of(file)));
        }
        break;
      case "read":
        read(Path.of(rest[0]));
        break;
      case "sign":
        sign(rest);
        break;
      default:
        loop(Path.of(rest[0]), Double.parseDouble(rest[1]), Double.parseDouble(rest[2]));
    }
  }

  private static String tryValidate(Path file) {
    try {
      validate(file);
      return "valid";
    } catch (Exception error) {
      return error.getClass().getSimpleName() + ": " + error.getMessage();
    }
  }

  private static void validate(Path file) throws Exception {
    try (OFDReader reader = new OFDReader(file);
        OFDValidator validator = new OFDValidator(reader)) {
      validator.setValidator(Documents::dispatch);
      validator.exeValidate();
    }
  }

  private static void dispatch(SigType type, String algorithm, byte[] content, byte[] value)
      throws java.io.IOException, java.security.GeneralSecurityException {
    SignedDataValidateContainer container;
    if (type == SigType.Sign) {
      container = new GBT35275ValidateContainer();
    } else if (VersionParser.parseSES_SignatureVersion(value).getVersion() == SESVersion.v1) {
      container = new SESV1ValidateContainer();
    } else {
      container = new SESV4ValidateContainer();
    }
    container.validate(type, algorithm, content, value);
  }

  private static void read(Path file) throws Exception {
    try (OFDReader reader = new OFDReader(file)) {
      OUT.println("pages=" + reader.getNumberOfPages());
      OUT.println("attachments=" + reader.getAttachmentList().size());
      ContentExtractor extractor = new ContentExtractor(reader);
      for (int page = 1; page <= reader.getNumberOfPages(); page++) {
        OUT.println("box=" + reader.getPageInfo(page).getSize());
        OUT.println("text=" + String.join("|", extractor.getPageContent(page)));
      }
    }
  }

  private static void sign(String[] given) throws Exception {
    PrivateKey key =
        KeyFactory.getInstance("EC", "BC")
            .generatePrivate(new PKCS8EncodedKeySpec(Files.readAllBytes(Path.of(given[4]))));
    Certificate certificate = PEMLoader.loadCert(Path.of(given[5]));
    try (OFDReader reader = new OFDReader(Path.of(given[2]));
        OFDSigner signer =
            new OFDSigner(reader, Path.of(given[3]), new StandFormatAtomicSignID())) {
      signer.setSignMode(given[1].equals("continue") ? SignMode.ContinueSign : SignMode.WholeProtected);
      byte[] seal = given.length > 6 ? Files.readAllBytes(Path.of(given[6])) : null;
      signer.setSignContainer(container(given[0], key, certificate, seal));
      if (given[1].equals("ride")) {
        signer.addApPos(new RidingStampPos(40, 40));
      } else if (seal != null) {
        signer.addApPos(new NormalStampPos(1, 100, 100, 40, 40));
      }
      signer.exeSign();
    }
    OUT.println("signed");
  }

  private static ExtendSignatureContainer container(
      String kind, PrivateKey key, Certificate certificate, byte[] seal) throws Exception {
    switch (kind) {
      case "v1":
        return new SESV1Container(key, org.ofdrw.gm.ses.v1.SESeal.getInstance(seal), certificate);
      case "v4":
        return new SESV4Container(key, org.ofdrw.gm.ses.v4.SESeal.getInstance(seal), certificate);
      case "cms":
        return new GBT35275DSContainer(certificate, key);
      default:
        return new GBT35275PKCS9DSContainer(certificate, key);
    }
  }

  private static void loop(Path file, double warm, double measured) throws Exception {
    validate(file);
    run(file, warm);
    OUT.println("rate=" + run(file, measured));
  }

  private static double run(Path file, double seconds) throws Exception {
    long began = System.nanoTime();
    long ends = began + (long) (seconds * 1e9);
    long count = 0;
    while (System.nanoTime() < ends) {
      validate(file);
      count++;
    }
    return count / ((System.nanoTime() - began) / 1e9);
  }
}
