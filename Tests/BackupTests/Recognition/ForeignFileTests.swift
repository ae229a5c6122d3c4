import Backup
import Foundation
import System
import TestSupport
import Testing

/// Goal: a file that is no tar is called what it is, and a hint says what to do. Method: files of the
/// real programs; of those that Debian does not install by itself, the first bytes that they write.
@Suite struct ForeignFileTests {
  private static func refusal(_ bytes: [UInt8], as name: String = "backup") throws -> Failure? {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/" + name
    try Data(bytes).write(to: URL(filePath: path))
    do throws(Failure) {
      let reader = try TarReader(path: path)
      while try reader.nextMember() != nil {}
      return nil
    } catch {
      return error
    }
  }

  private static let tar: [UInt8] = {
    var tar = TarBuilder()
    tar.add("a", contents: halfRandomBytes(5000, seed: 1))
    return tar.archive
  }()

  @Test(arguments: [
    ("xz --format=lzma -c", "an lzma file"), ("xz --format=lzma -9 -c", "an lzma file"),
    ("lz4 -lc", "an lz4 file in the legacy format"), ("bzip2 -c", "a bzip2 file"),
    (
      "gpg --homedir \"$(mktemp -d)\" --batch --quiet --passphrase x --pinentry-mode loopback "
        + "--symmetric -o -", "encrypted by gpg"
    ),
    (
      "gpg --homedir \"$(mktemp -d)\" --batch --quiet --passphrase x --pinentry-mode loopback "
        + "--symmetric --armor -o -", "encrypted by gpg"
    ),
    ("openssl enc -aes-256-cbc -pbkdf2 -k x 2> /dev/null", "encrypted by openssl"),
  ])
  func programs(program: String, name: String) throws {
    let words = program.split(separator: " ")
    guard (try? Shell.output("which", String(words[0]))) != nil else { return }
    let error = try Self.refusal(try shell(program, input: Self.tar))
    #expect(error?.exitCode == .damaged)
    #expect(error?.message.contains("not a tar, but a") == true, "\(error?.message ?? "none")")
    #expect(error?.message.hasSuffix(name) == true, "\(error?.message ?? "none")")
    #expect(error?.hint != nil)
  }

  @Test(
    arguments: [
      ("age-encryption.org/v1\n-> X25519 ", "encrypted by age"),
      ("-----BEGIN AGE ENCRYPTED FILE-----\n", "encrypted by age"),
      ("-----BEGIN PGP MESSAGE-----\n\n", "encrypted by gpg"),
      ("PGDMP\u{1}\u{E}", "a dump by pg_dump"),
      ("--\n-- PostgreSQL database dump\n--\n", "a dump in SQL"),
      ("--\n-- PostgreSQL database cluster dump\n--\n", "a dump in SQL"),
      ("7z\u{3C}\u{2F}", nil),
    ] as [(String, String?)])
  func firstBytes(start: String, name: String?) throws {
    let error = try Self.refusal(Array(start.utf8) + halfRandomBytes(3000, seed: 2))
    #expect(error?.message.hasSuffix(name ?? "it is not a tar archive") == true)
  }

  /// A key of RSA, and one of an elliptic curve, as `gpg --encrypt` writes the packets.
  @Test(
    arguments: [
      [0x85, 0x01, 0x0C, 0x03], [0x85, 0x02, 0x0C, 0x03], [0x84, 0x5E, 0x03, 0x12],
      [0xC1, 0xC0, 0x4C, 0x03],
    ] as [[UInt8]])
  func publicKeys(start: [UInt8]) throws {
    let error = try Self.refusal(start + halfRandomBytes(3000, seed: 2))
    #expect(error?.message.hasSuffix("encrypted by gpg") == true, "\(error?.message ?? "none")")
  }

  /// Brotli has no magic number: only its name tells it, and only if nothing else is known of it.
  @Test func brotli() throws {
    let error = try Self.refusal(halfRandomBytes(3000, seed: 5), as: "backup.tar.br")
    #expect(error?.message.hasSuffix("not a tar, but a brotli file") == true)
    #expect(error?.remedy == Remedy(filter: ["brotli", "-dc"]))
    #expect(try Self.refusal(Self.tar, as: "backup.tar.br") == nil)
    #expect(try Self.refusal(try shell("gzip -c", input: Self.tar), as: "backup.tar.br") == nil)
  }

  /// Goal: a tar is a tar, whatever its first name begins with.
  @Test(arguments: ["PGDMP", "BZh91", "Salted__", "PK\u{3}\u{4}", "age-encryption.org/v1"])
  func tarNames(name: String) throws {
    var tar = TarBuilder()
    tar.add(name, contents: [1])
    #expect(try Self.refusal(tar.archive) == nil)
  }
}
