import Foundation
import TestSupport
import Testing

/// Real file systems that cannot be written: full, without inodes, read-only.
@Suite(.enabled(if: FileSystemOfItsOwn.isAllowed, "mounting a tmpfs is not allowed here"))
struct FullDiskTests {
  /// Goal: an import that does not fit, or may not write, says so and leaves nothing. Method: write
  /// to a tmpfs of a few hundred KiB, with few inodes, or read-only.
  @Test(
    arguments: [
      ("size=256k", 74, "No space left on device"), ("size=512k", 74, "No space left on device"),
      ("size=900k", 74, "No space left on device"),
      ("size=64k", 74, "MiB free, and the import needs at least"),
      ("size=64m,nr_inodes=12", 74, "No space left on device"),
      ("ro", 73, "Read-only file system"),
    ])
  func refused(options: String, code: Int32, message: String) async throws {
    let scene = try Scene(SmallBackup.tar.encoded())
    try FileManager.default.createDirectory(atPath: scene.output, withIntermediateDirectories: true)
    let run = try await ProgramRun.run(
      scene.arguments(),
      script: FileSystemOfItsOwn.script(
        """
        mount -t tmpfs -o \(options) tmpfs '\(scene.output)' || exit 99
        "$@"; code=$?
        find '\(scene.output)' -mindepth 1
        exit $code
        """))
    #expect(run.exitCode == code, "\(run.error)")
    #expect(run.error.contains(message), "\(run.error)")
    #expect(run.error.contains("'\(scene.output)/tenants"), "\(run.error)")
    #expect(code == 73 || run.error.contains("\nhint: Free space there"), "\(run.error)")
    #expect(run.output.isEmpty, "files are left: \(run.outputText)")
  }

  /// Goal: an import stops before the disk is full, and leaves nothing. Method: a tmpfs of which so
  /// little is free that the output leaves less than a hundredth.
  @Test func reserve() async throws {
    let scene = try Scene(SmallBackup.tar.encoded())
    try FileManager.default.createDirectory(atPath: scene.output, withIntermediateDirectories: true)
    let run = try await ProgramRun.run(
      scene.arguments(["--compression-level", "0"]),
      script: FileSystemOfItsOwn.script(
        """
        mount -t tmpfs -o size=100m tmpfs '\(scene.output)' || exit 99
        head -c $(((100 << 20) - 2800000)) /dev/zero > '\(scene.output)/full'
        "$@"; code=$?
        find '\(scene.output)' -mindepth 1
        exit $code
        """))
    #expect(run.exitCode == 74, "\(run.error)")
    #expect(run.error.contains("1024 KiB of it are kept free"), "\(run.error)")
    #expect(run.outputText == scene.output + "/full\n")
  }
}

/// A mount namespace: what a test mounts ends with its process.
enum FileSystemOfItsOwn {
  /// Whether the test may create a namespace and mount a tmpfs, as root or in a user namespace.
  static let isAllowed =
    (try? Shell.output("bash", "-c", script("mount -t tmpfs tmpfs /mnt"))) != nil

  /// `body` as a bash script that runs in its own namespace, with the same arguments.
  static func script(_ body: String) -> String {
    let user = getuid() == 0 ? "" : "--map-root-user"
    let quoted = body.replacing("'", with: #"'\''"#)
    return "exec unshare --mount \(user) bash -c '\(quoted)' bash \"$@\""
  }
}
