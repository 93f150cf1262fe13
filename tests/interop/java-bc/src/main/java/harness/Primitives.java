package harness;

import static harness.Main.read;
import static harness.Main.require;
import static harness.Main.write;

import java.math.BigInteger;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.List;
import javax.crypto.Cipher;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.bouncycastle.asn1.ASN1Integer;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.ASN1Sequence;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.DERNull;
import org.bouncycastle.asn1.DERSequence;
import org.bouncycastle.asn1.ASN1Encodable;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.gm.GMObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.EncryptedPrivateKeyInfo;
import org.bouncycastle.asn1.pkcs.EncryptionScheme;
import org.bouncycastle.asn1.pkcs.KeyDerivationFunc;
import org.bouncycastle.asn1.pkcs.PBES2Parameters;
import org.bouncycastle.asn1.pkcs.PBKDF2Params;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.crypto.digests.SM3Digest;
import org.bouncycastle.crypto.engines.SM2Engine;
import org.bouncycastle.crypto.params.ECPublicKeyParameters;
import org.bouncycastle.crypto.params.ParametersWithRandom;
import org.bouncycastle.jcajce.provider.asymmetric.util.ECUtil;
import org.bouncycastle.jcajce.spec.PBKDF2KeySpec;
import org.bouncycastle.util.BigIntegers;

/** SM2, SM3, SM4 and encrypted PKCS#8. */
final class Primitives {
  private static final int FIELD_BYTES = 32;
  private static final int SALT_BYTES = 16;

  private Primitives() {}

  static PrivateKey privateKey(byte[] pkcs8) throws Exception {
    return KeyFactory.getInstance("EC", "BC").generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
  }

  /** CERTIFICATE MESSAGE SIGNATURE: verify SM2 with SM3 under the default identifier. */
  static String verify(List<String> arguments) throws Exception {
    Signature verifier = Signature.getInstance("SM3withSM2", "BC");
    verifier.initVerify(Pki.certificate(arguments.get(0)).getPublicKey());
    verifier.update(read(arguments.get(1)));
    require(verifier.verify(read(arguments.get(2))), "the signature is wrong");
    return "";
  }

  static byte[] sign(PrivateKey key, byte[] message) throws Exception {
    Signature signer = Signature.getInstance("SM3withSM2", "BC");
    signer.initSign(key);
    signer.update(message);
    return signer.sign();
  }

  /** KEY CIPHERTEXT PLAINTEXT: decrypt C1C3C2 in DER and compare. */
  static String decrypt(List<String> arguments) throws Exception {
    ASN1Sequence parts = ASN1Sequence.getInstance(read(arguments.get(1)));
    require(parts.size() == 4, "not four parts");
    byte[] point = new byte[] {4};
    for (int i = 0; i < 2; i++) {
      BigInteger coordinate = ASN1Integer.getInstance(parts.getObjectAt(i)).getPositiveValue();
      point = join(point, BigIntegers.asUnsignedByteArray(FIELD_BYTES, coordinate));
    }
    byte[] hash = ASN1OctetString.getInstance(parts.getObjectAt(2)).getOctets();
    byte[] body = ASN1OctetString.getInstance(parts.getObjectAt(3)).getOctets();
    var engine = new SM2Engine(new SM3Digest(), SM2Engine.Mode.C1C3C2);
    engine.init(false, ECUtil.generatePrivateKeyParameter(privateKey(read(arguments.get(0)))));
    byte[] raw = join(join(point, hash), body);
    byte[] opened = engine.processBlock(raw, 0, raw.length);
    require(Arrays.equals(opened, read(arguments.get(2))), "another plaintext");
    return "";
  }

  static byte[] encrypt(PublicKey key, byte[] plaintext) throws Exception {
    var engine = new SM2Engine(new SM3Digest(), SM2Engine.Mode.C1C3C2);
    var parameters = (ECPublicKeyParameters) ECUtil.generatePublicKeyParameter(key);
    engine.init(true, new ParametersWithRandom(parameters, new SecureRandom()));
    byte[] raw = engine.processBlock(plaintext, 0, plaintext.length);
    int hash = 1 + 2 * FIELD_BYTES;
    int body = hash + FIELD_BYTES;
    return new DERSequence(
            new ASN1Encodable[] {
              new ASN1Integer(new BigInteger(1, Arrays.copyOfRange(raw, 1, 1 + FIELD_BYTES))),
              new ASN1Integer(new BigInteger(1, Arrays.copyOfRange(raw, 1 + FIELD_BYTES, hash))),
              new DEROctetString(Arrays.copyOfRange(raw, hash, body)),
              new DEROctetString(Arrays.copyOfRange(raw, body, raw.length))
            })
        .getEncoded("DER");
  }

  /** PKCS8 PASSWORD CERTIFICATE: open an encrypted key; it must be the certificate's. */
  static String key(List<String> arguments) throws Exception {
    var info = EncryptedPrivateKeyInfo.getInstance(read(arguments.get(0)));
    require(info.getEncryptionAlgorithm().getAlgorithm().equals(PKCSObjectIdentifiers.id_PBES2), "not PBES2");
    var parameters = PBES2Parameters.getInstance(info.getEncryptionAlgorithm().getParameters());
    EncryptionScheme scheme = parameters.getEncryptionScheme();
    require(scheme.getAlgorithm().equals(GMObjectIdentifiers.sms4_cbc), "not SM4-CBC");
    var kdf = PBKDF2Params.getInstance(parameters.getKeyDerivationFunc().getParameters());
    byte[] iv = ASN1OctetString.getInstance(scheme.getParameters()).getOctets();
    Cipher cipher = locker(Cipher.DECRYPT_MODE, kdf, arguments.get(1), iv);
    byte[] opened = cipher.doFinal(info.getEncryptedData());
    PrivateKey key = privateKey(PrivateKeyInfo.getInstance(opened).getEncoded());
    PublicKey wanted = Pki.certificate(arguments.get(2)).getPublicKey();
    Signature verifier = Signature.getInstance("SM3withSM2", "BC");
    verifier.initVerify(wanted);
    require(verifier.verify(sign(key, new byte[0])), "another key");
    return "";
  }

  /** Encrypts a key with PBES2, SM4-CBC and the named pseudo-random function. */
  static byte[] lock(PrivateKey key, String password, ASN1ObjectIdentifier function) throws Exception {
    byte[] salt = new byte[SALT_BYTES];
    byte[] iv = new byte[SALT_BYTES];
    var random = new SecureRandom();
    random.nextBytes(salt);
    random.nextBytes(iv);
    var prf = new AlgorithmIdentifier(function, DERNull.INSTANCE);
    var kdf = new PBKDF2Params(salt, 2000, 16, prf);
    byte[] locked = locker(Cipher.ENCRYPT_MODE, kdf, password, iv).doFinal(key.getEncoded());
    var parameters =
        new PBES2Parameters(
            new KeyDerivationFunc(PKCSObjectIdentifiers.id_PBKDF2, kdf),
            new EncryptionScheme(GMObjectIdentifiers.sms4_cbc, new DEROctetString(iv)));
    var algorithm = new AlgorithmIdentifier(PKCSObjectIdentifiers.id_PBES2, parameters);
    return new EncryptedPrivateKeyInfo(algorithm, locked).getEncoded("DER");
  }

  /**
   * Bouncy Castle's own PKCS#8 classes find no cipher under the identifier of SM4-CBC; the key is derived
   * by its PBKDF2, which decides what pseudo-random functions it knows, and the cipher taken by name.
   */
  private static Cipher locker(int mode, PBKDF2Params kdf, String password, byte[] iv) throws Exception {
    var specification =
        new PBKDF2KeySpec(
            password.toCharArray(), kdf.getSalt(), kdf.getIterationCount().intValue(), 128, kdf.getPrf());
    byte[] key = SecretKeyFactory.getInstance("PBKDF2", "BC").generateSecret(specification).getEncoded();
    Cipher cipher = Cipher.getInstance("SM4/CBC/PKCS7Padding", "BC");
    cipher.init(mode, new SecretKeySpec(key, "SM4"), new IvParameterSpec(iv));
    return cipher;
  }

  /** IN OUT: the SM3 digest. */
  static String sm3(List<String> arguments) throws Exception {
    write(arguments.get(1), MessageDigest.getInstance("SM3", "BC").digest(read(arguments.get(0))));
    return "";
  }

  /** KEY IV IN OUT: SM4 in CBC mode with PKCS#7 padding. */
  static String sm4Cbc(List<String> arguments) throws Exception {
    Cipher cipher = Cipher.getInstance("SM4/CBC/PKCS7Padding", "BC");
    var key = new SecretKeySpec(read(arguments.get(0)), "SM4");
    cipher.init(Cipher.ENCRYPT_MODE, key, new IvParameterSpec(read(arguments.get(1))));
    write(arguments.get(3), cipher.doFinal(read(arguments.get(2))));
    return "";
  }

  /** KEY NONCE IN OUT: SM4 in GCM mode, the key's file being the associated data too. */
  static String sm4Gcm(List<String> arguments) throws Exception {
    Cipher cipher = Cipher.getInstance("SM4/GCM/NoPadding", "BC");
    byte[] key = read(arguments.get(0));
    var parameters = new GCMParameterSpec(128, read(arguments.get(1)));
    cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "SM4"), parameters);
    cipher.updateAAD(key);
    write(arguments.get(3), cipher.doFinal(read(arguments.get(2))));
    return "";
  }

  private static byte[] join(byte[] first, byte[] second) {
    byte[] both = Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, both, first.length, second.length);
    return both;
  }
}
