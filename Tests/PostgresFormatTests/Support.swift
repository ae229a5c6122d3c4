import Foundation
import Testing

@testable import PostgresFormat

/// A small file of a real cluster, from `Tests/Fixtures/postgres-format`.
func fixture(_ name: String) throws -> [UInt8] {
  let directory = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Fixtures/postgres-format")
  return [UInt8](try Data(contentsOf: directory.appending(path: name)))
}

/// The whole control file of a fixture; the stored file omits the zeros at the end.
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

/// The path for the name of a member of a tar; an invalid name fails the test.
func path(_ name: String) throws -> MemberPath {
  try #require(
    try [UInt8](name.utf8).withBytes { bytes throws(FormatError) in try MemberPath(bytes) })
}
