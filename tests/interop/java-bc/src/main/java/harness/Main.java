package harness;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.Security;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

/**
 * Lets Bouncy Castle judge what this project makes, and make what this project must judge.
 *
 * <p>Each line on standard input is one command, its arguments separated by tabs; files are named
 * relative to the working directory. Each is answered by one line: {@code ok} and {@code key=value}
 * fields, or {@code refused} and the reason, separated by tabs.
 */
public final class Main {
  private Main() {}

  interface Command {
    String run(List<String> arguments) throws Exception;
  }

  private static final Map<String, Command> COMMANDS =
      Map.ofEntries(
          Map.entry("chain", Pki::chain),
          Map.entry("crl", Pki::crl),
          Map.entry("csr", Pki::csr),
          Map.entry("ocsp", Pki::ocsp),
          Map.entry("ocsp-request", Pki::ocspRequest),
          Map.entry("make-ocsp-request", Pki::makeOcspRequest),
          Map.entry("cms", Messages::cms),
          Map.entry("token", Messages::token),
          Map.entry("make-query", Messages::makeQuery),
          Map.entry("reply", Messages::reply),
          Map.entry("verify", Primitives::verify),
          Map.entry("decrypt", Primitives::decrypt),
          Map.entry("key", Primitives::key),
          Map.entry("sm3", Primitives::sm3),
          Map.entry("sm4-cbc", Primitives::sm4Cbc),
          Map.entry("sm4-gcm", Primitives::sm4Gcm),
          Map.entry("make", World::make));

  public static void main(String[] arguments) throws Exception {
    Security.addProvider(new BouncyCastleProvider());
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      out.println(answer(Arrays.asList(line.split("\t", -1))));
    }
  }

  private static String answer(List<String> words) {
    Command command = COMMANDS.get(words.get(0));
    if (command == null) {
      throw new IllegalArgumentException("no command " + words.get(0));
    }
    try {
      return "ok" + command.run(words.subList(1, words.size()));
    } catch (Exception refusal) {
      String reason = refusal.getClass().getSimpleName() + ": " + refusal.getMessage();
      return "refused\t" + reason.replaceAll("\\s+", " ");
    }
  }

  static byte[] read(String name) throws Exception {
    return java.nio.file.Files.readAllBytes(Path.of(name));
  }

  static void write(String name, byte[] octets) throws Exception {
    java.nio.file.Files.write(Path.of(name), octets);
  }

  static String field(String name, Object value) {
    return "\t" + name + "=" + value;
  }

  static void require(boolean holds, String otherwise) {
    if (!holds) {
      throw new IllegalStateException(otherwise);
    }
  }
}
