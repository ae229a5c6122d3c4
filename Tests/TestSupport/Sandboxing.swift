/// Whether this machine lets the program run Postgres in a sandbox.
///
/// A container often does not. Tests of what a recovery does then run it without one; the tests of
/// the sandbox itself are skipped, visibly.
public enum Sandboxing {
  /// Whether bwrap(1) is installed and can make namespaces.
  public static let works =
    (try? Shell.output(
      "sh", "-c",
      """
      user=--unshare-user; [ "$(id -u)" != 0 ] || user=
      bwrap $user --unshare-pid --unshare-net --ro-bind / / --proc /proc --dev /dev /usr/bin/true
      """)) != nil

  /// The options of an import with recovery that make it possible here.
  public static var options: [String] { works ? [] : ["--trust-backup"] }
}
