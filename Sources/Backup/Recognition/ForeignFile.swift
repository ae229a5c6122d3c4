import PostgresFormat
import System

/// A file that is no tar and none of the compressed streams that are read: how it is recognised, and
/// what to do about it.
///
/// As `ForeignBackup`, it is a table. Most have a magic number at their start; brotli has none, and
/// is known by the name of its file.
package struct ForeignFile: Equatable, Sendable {
  /// What it is, after "not a tar, but ".
  let name: String
  var code = ErrorCode.unsupportedCompression
  /// The program, with its options, that writes the contents to standard output; empty if there is
  /// none, or it has to be told more than a file.
  var filter: [String] = []
  /// What to do, if there is no filter.
  var hint: String?
  var magics: [[UInt8]] = []
  /// The end of the file's name.
  var ending: String?

  static let table = [
    ForeignFile(
      name: "an lz4 file in the legacy format", filter: ["lz4", "-dc"],
      magics: [[2, 0x21, 0x4C, 0x18]]),
    ForeignFile(
      name: "a dump by pg_dump", code: .pgDump, hint: dumpHint, magics: [Array("PGDMP".utf8)]),
    ForeignFile(
      name: "a dump in SQL", code: .pgDump, hint: dumpHint,
      magics: [
        Array("--\n-- PostgreSQL database dump".utf8),
        Array("--\n-- PostgreSQL database cluster dump".utf8),
      ]),
    ForeignFile(name: "a bzip2 file", filter: ["bzip2", "-dc"], magics: [[0x42, 0x5A, 0x68]]),
    ForeignFile(name: "a file of 'compress'", filter: ["gzip", "-dc"], magics: [[0x1F, 0x9D]]),
    ForeignFile(
      name: "an lzip file", filter: ["lzip", "-dc"], magics: [Array("LZIP".utf8)]),
    ForeignFile(
      name: "an lzop file", filter: ["lzop", "-dc"], magics: [[0x89] + Array("LZO\0".utf8)]),
    ForeignFile(
      name: "an lzma file", filter: ["xz", "--format=lzma", "-dc"], magics: [[0x5D, 0, 0]]),
    ForeignFile(
      name: "a brotli file", filter: ["brotli", "-dc"], ending: ".br"),
    ForeignFile(
      name: "a zip archive", code: .notATar, hint: extractHint, magics: [[0x50, 0x4B, 3, 4]]),
    ForeignFile(
      name: "a 7z archive", code: .notATar, hint: extractHint,
      magics: [[0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C]]),
    ForeignFile(
      name: "a file encrypted by gpg", code: .encryptedBackup, filter: ["gpg", "--decrypt"],
      magics: [
        Array("-----BEGIN PGP MESSAGE-----".utf8),
        // The packet of a session key: for a passphrase, for a public key; in both forms of a
        // header. (RFC 9580, 4.2, 5.1, 5.3)
        [0x8C, 0x0D, 4], [0xC3, 0x0D, 4], [0x84, 0x5E, 3], [0xC1, 0x5E, 3], [0x85, 1, 0x0C, 3],
        [0x85, 2, 0x0C, 3], [0x85, 1, 0x8C, 3], [0xC1, 0xC0, 0x4C, 3], [0xC1, 0xC1, 0x4C, 3],
      ]),
    ForeignFile(
      name: "a file encrypted by age", code: .encryptedBackup,
      hint: "Decrypt it first, with 'age --decrypt'.",
      magics: [
        Array("age-encryption.org/".utf8), Array("-----BEGIN AGE ENCRYPTED FILE-----".utf8),
      ]),
    ForeignFile(
      name: "a file encrypted by openssl", code: .encryptedBackup,
      hint: "Decrypt it first, with 'openssl enc -d'.",
      magics: [Array("Salted__".utf8)]),
  ]

  private static let extractHint = "Extract it, and make a tar of the data directory."

  /// The kind of file that begins with `bytes` and is at `path`, if that is known; nil if it is none
  /// of these, such as a tar, whose first name may be anything.
  static func recognise(_ bytes: RawSpan, path: String?) -> ForeignFile? {
    guard !isTarHeader(bytes) else { return nil }
    return table.first { file in
      file.magics.contains { bytes.starts(with: $0) }
        || file.ending.map { path?.hasSuffix($0) == true } == true
    }
  }

  /// The error of a backup that is such a file.
  func failure(reading subject: String) -> Failure {
    let verb = code == .encryptedBackup ? "Decrypt" : "Decompress"
    return Failure(
      code, "cannot read \(subject): not a tar, but \(name)",
      hint: hint ?? "\(verb) it first."
    ).remedied(by: filter.isEmpty ? nil : Remedy(filter: filter))
  }
}

/// Whether bytes begin with the header of a member of a tar: its checksum is right.
///
/// The checksum is the sum of the 512 bytes, its own eight taken as spaces, in octal digits.
/// (POSIX, `pax`, *ustar Interchange Format*)
func isTarHeader(_ bytes: RawSpan) -> Bool {
  guard bytes.byteCount >= 512 else { return false }
  let field = 148..<156
  var sum = 0
  for offset in 0..<512 {
    sum += field.contains(offset) ? 0x20 : Int(bytes.littleEndian(at: offset, as: UInt8.self))
  }
  var claimed = 0
  var digitCount = 0
  for offset in field {
    let byte: UInt8 = bytes.littleEndian(at: offset)
    if (0x30...0x37).contains(byte) {
      claimed = claimed << 3 | Int(byte - 0x30)
      digitCount += 1
    } else if digitCount > 0 {
      break
    }
  }
  return digitCount > 0 && claimed == sum
}

extension RawSpan {
  /// Whether the bytes begin with these.
  func starts(with prefix: [UInt8]) -> Bool {
    prefix.count <= byteCount
      && prefix.indices.allSatisfy { littleEndian(at: $0, as: UInt8.self) == prefix[$0] }
  }
}
