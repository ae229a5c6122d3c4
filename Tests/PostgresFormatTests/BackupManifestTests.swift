import Foundation
import TestSupport
import Testing

@testable import PostgresFormat

/// Goal: manifests of Postgres are parsed, and nothing else.
struct BackupManifestTests {
  private struct Contents: Equatable {
    var files: [BackupManifest.File] = []
    var walRanges: [BackupManifest.WALRange] = []
    var systemIdentifier: UInt64?
    var checksum: [UInt8]?
  }

  /// Parses a manifest in pieces of this size.
  private func parse(_ bytes: [UInt8], pieces: Int = 1000) throws(FormatError) -> Contents {
    var parser = BackupManifestParser()
    var contents = Contents()
    for start in stride(from: 0, to: bytes.count, by: pieces) {
      let piece = Array(bytes[start..<min(start + pieces, bytes.count)])
      try piece.withBytes { piece throws(FormatError) in
        try parser.parse(piece) { contents.files.append($0) }
      }
    }
    try parser.finish()
    contents.walRanges = parser.walRanges
    contents.systemIdentifier = parser.systemIdentifier
    contents.checksum = parser.checksum
    return contents
  }

  private static func real() throws -> [UInt8] {
    Array(try Data(contentsOf: URL(filePath: Fixture.path("online-15/backup_manifest"))))
  }

  /// Method: compare a manifest of Postgres 15 with Foundation's decoder.
  @Test func real() throws {
    struct Manifest: Decodable {
      struct File: Decodable {
        var path: String
        var size: UInt64
        var checksum: String
        enum CodingKeys: String, CodingKey {
          case path = "Path"
          case size = "Size"
          case checksum = "Checksum"
        }
      }
      var files: [File]
      enum CodingKeys: String, CodingKey { case files = "Files" }
    }
    let bytes = try Self.real()
    let contents = try parse(bytes)
    let expected = try JSONDecoder().decode(Manifest.self, from: Data(bytes)).files
    #expect(contents.files.count == expected.count && expected.count > 1000)
    for (file, expected) in zip(contents.files, expected) {
      #expect(String(decoding: file.path, as: UTF8.self) == expected.path)
      #expect(file.byteCount == expected.size)
      #expect(file.algorithm == .crc32c)
      #expect(file.checksum == [UInt8](hexadecimalPairs: Array(expected.checksum.utf8)))
    }
    #expect(
      contents.walRanges == [
        BackupManifest.WALRange(timeline: 1, start: lsn(0x300_0028), end: lsn(0x349_82D0))
      ])
    #expect(contents.systemIdentifier == nil)
    #expect(contents.checksum?.first == 0xB0)
  }

  /// Method: the same manifest in pieces of other sizes.
  @Test(arguments: [1, 7, 4096, 1 << 20]) func pieces(size: Int) throws {
    let bytes = try Self.real()
    #expect(try parse(bytes, pieces: size) == parse(bytes))
  }

  private static func text(file: String) -> String {
    """
    {"PostgreSQL-Backup-Manifest-Version": 2, "System-Identifier": 7412345678901234567,
    "Files": [\(file)], "WAL-Ranges": [],
    "Manifest-Checksum": "\(String(repeating: "0a", count: 32))"}

    """
  }

  /// Method: every algorithm, names in hexadecimal, every escape, and the fields of version 2.
  @Test(
    arguments: [
      (#""Path":"a\"\\\/\b\f\n\r\té\u00e9\ud83d\ude00","Size":0"#, "a\"\\/\u{8}\u{C}\n\r\téé😀"),
      (#""Encoded-Path":"62ff","Size":0,"Checksum-Algorithm":"NONE""#, nil),
      (#""Path":"x","Size":1,"Checksum-Algorithm":"crc32c","Checksum":"0A0b0C0d""#, "x"),
      (#""Size":18446744073709551615,"Path":"x""#, "x"),
    ] as [(String, String?)])
  func files(fields: String, path: String?) throws {
    let contents = try parse(Array(Self.text(file: "{\(fields)}").utf8), pieces: 1)
    let file = try #require(contents.files.first)
    #expect(file.path == (path.map { Array($0.utf8) } ?? [0x62, 0xFF]))
    #expect(contents.systemIdentifier == 7_412_345_678_901_234_567)
  }

  @Test(arguments: BackupManifest.ChecksumAlgorithm.allCases)
  func algorithms(algorithm: BackupManifest.ChecksumAlgorithm) throws {
    let digits = String(repeating: "5c", count: algorithm.byteCount)
    let fields = #""Checksum-Algorithm":"\#(algorithm.rawValue)","Checksum":"\#(digits)""#
    let contents = try parse(
      Array(Self.text(file: #"{"Path":"x","Size":1,\#(fields)}"#).utf8))
    #expect(contents.files.first?.algorithm == algorithm)
    #expect(contents.files.first?.checksum.count == algorithm.byteCount)
  }

  /// Method: each kind of nonsense; none may trap, and each has its message.
  @Test(
    arguments: [
      ("", "cut off"), ("[]", "not a backup manifest"), ("{}", "version is missing"),
      (#"{"Files": []}"#, "does not begin with its version"),
      (#"{"PostgreSQL-Backup-Manifest-Version": 3}"#, "unknown manifest version 3"),
      (#"{"PostgreSQL-Backup-Manifest-Version": "1"}"#, "unknown field"),
      (#"{"PostgreSQL-Backup-Manifest-Version": 1}"#, "own checksum is missing"),
      (#"{"PostgreSQL-Backup-Manifest-Version": 1,}"#, "unexpected '}'"),
      (#"{"PostgreSQL-Backup-Manifest-Version": 1"#, "cut off"),
      (#"{"PostgreSQL-Backup-Manifest-Version": -"#, "cut off"),
      (#"{"PostgreSQL-Backup-Manifest-Version": true}"#, "unexpected 't'"),
      (#"{"PostgreSQL-Backup-Manifest-Version": 1, "Manifest-Checksum": "12"}"#, "not a SHA-256"),
      (#"{"PostgreSQL-Backup-Manifest-Version": 1, "Other": 1}"#, "unknown field 'Other'"),
      (text(file: "1"), "not a backup manifest"), (text(file: "{}"), "has no path"),
      (text(file: #"{"Path":"x"}"#), "'x' has no size"),
      (text(file: #"{"Path":"x","Encoded-Path":"00","Size":1}"#), "or two"),
      (text(file: #"{"Encoded-Path":"0","Size":1}"#), "not hexadecimal"),
      (text(file: #"{"Path":"x","Size":1,"Size":1}"#), "appears twice"),
      (text(file: #"{"Path":"x","Size":1,"Colour":1}"#), "unknown field 'Colour'"),
      (text(file: #"{"Path":"x","Size":-1}"#), "field 'Size' is impossible"),
      (text(file: #"{"Path":"x","Size":18446744073709551616}"#), "field 'Size' is impossible"),
      (text(file: #"{"Path":"x","Size":1,"Checksum":"00"}"#), "does not match its algorithm"),
      (text(file: #"{"Path":"x","Size":1,"Checksum-Algorithm":"MD5"}"#), "algorithm 'MD5'"),
      (
        text(file: #"{"Path":"x","Size":1,"Checksum-Algorithm":"CRC32C","Checksum":"0"}"#),
        "does not match its algorithm"
      ),
      (text(file: #"{"Path":"\ud800","Size":1}"#), "half of a surrogate pair"),
      (text(file: #"{"Path":"\ud800x","Size":1}"#), "half of a surrogate pair"),
      (text(file: #"{"Path":"\udc00","Size":1}"#), "half of a surrogate pair"),
      (text(file: #"{"Path":"\u00g0","Size":1}"#), "unexpected"),
      (text(file: #"{"Path":"\x","Size":1}"#), "unexpected 'x'"),
      (text(file: "{\"Path\":\"\n\",\"Size\":1}"), "unexpected"),
      (text(file: "") + "x", "unexpected 'x'"),
      (String(repeating: "[", count: 100), "not a backup manifest"),
    ])
  func refused(text: String, message: String) throws {
    expectRefusal(text, message)
  }

  /// Method: a path that is too long; apart from the others, as it is a long argument.
  @Test func longPath() throws {
    let path = String(repeating: "x", count: 40_000)
    expectRefusal(Self.text(file: #"{"Path":"\#(path)"}"#), "more than 32768")
  }

  private func expectRefusal(_ text: String, _ message: String) {
    #expect {
      try parse(Array(text.utf8), pieces: 1)
    } throws: { error in
      (error as? FormatError)?.message.contains(message) == true
    }
  }

  /// Goal: no bytes make the parser trap. Method: random changes of the start of a real manifest.
  @Test func hostile() throws {
    var generator = SeededGenerator(state: 11)
    let sound = Array(try Self.real().prefix(1500))
    for _ in 0..<500 {
      var bytes = sound
      for _ in 0..<3 {
        bytes[Int(generator.next() % 1500)] = UInt8(truncatingIfNeeded: generator.next())
      }
      #expect(throws: FormatError.self) { try parse(bytes) }
    }
  }

  /// Method: the list of pg_verifybackup, and similar names.
  @Test func ignoredPaths() {
    let ignored = [
      "backup_manifest", "pg_wal", "pg_wal/000000010000000000000001", "postgresql.auto.conf",
      "recovery.signal", "standby.signal",
    ]
    for path in ignored { #expect(BackupManifest.ignores(Array(path.utf8))) }
    for path in ["backup_label", "pg_wal2/x", "base/pg_wal/x", "postgresql.conf"] {
      #expect(!BackupManifest.ignores(Array(path.utf8)))
    }
  }
}
