import Foundation
import Testing

@testable import PostgresFormat

/// A small file of a real cluster, from `Tests/Fixtures/postgres-format`.
func fixture(_ name: String) throws -> [UInt8] {
  let directory = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Fixtures/postgres-format")
  return [UInt8](try Data(contentsOf: directory.appending(path: name)))
}

/// The whole control file of a fixture, whose file leaves out the zeros at the end.
func controlFileBytes(_ name: String) throws -> [UInt8] {
  let head = try fixture(name + ".pg_control")
  return head + [UInt8](repeating: 0, count: ControlFile.byteCount - head.count)
}

func controlFile(_ name: String) throws -> ControlFile {
  try decodeControlFile(try controlFileBytes(name))
}

func decodeControlFile(_ bytes: [UInt8]) throws(FormatError) -> ControlFile {
  try bytes.withBytes { bytes throws(FormatError) in try ControlFile(decoding: bytes) }
}

func crc32c(_ bytes: [UInt8]) -> UInt32 { bytes.withBytes { CRC32C.checksum(of: $0) } }

func lsn(_ value: UInt64) -> LogSequenceNumber { LogSequenceNumber(rawValue: value) }

/// The path that a tar's member name stands for; the name must be a good one.
func path(_ name: String) throws -> MemberPath {
  try #require(
    try [UInt8](name.utf8).withBytes { bytes throws(FormatError) in try MemberPath(bytes) })
}

/// Random numbers that are the same on every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
  }
}
