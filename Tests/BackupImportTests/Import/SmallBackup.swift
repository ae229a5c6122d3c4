import Foundation
import PostgresFormat
import TestSupport

@testable import BackupImport

/// A real cluster's backup, small enough to be imported hundreds of times.
enum SmallBackup {
  /// `clean-15-minimal-promoted` without its big files: what is left is all that an import looks
  /// at, but for most of the relations.
  static let tar: TestTar = {
    do {
      var tar = TestTar(decoding: try Fixture.bytes("clean-15-minimal-promoted.tar"))
      tar.members.removeAll { member in
        guard member.name.hasPrefix("./base/"), member.type == "0" else { return false }
        let isKept =
          member.name.contains("/12") || member.name.hasPrefix("./base/5/26")
          || member.name.hasSuffix("PG_VERSION") || member.name.hasSuffix("pg_filenode.map")
        return !isKept || member.contents.count > 65536
      }
      return tar
    } catch {
      preconditionFailure("the fixture cannot be read: \(error)")
    }
  }()

  /// What the cluster's pg_control says.
  static let end = LogSequenceNumber(rawValue: 0x215_AD68)

  /// Replaces fields of `pg_control` and sets its CRC anew.
  static func withControlFile(_ change: (inout [UInt8]) -> Void) -> TestTar {
    var tar = tar
    var bytes = tar["global/pg_control"].contents
    change(&bytes)
    let checksum = CRC32C.checksum(of: bytes.bytes.extracting(0..<288))
    bytes.replaceSubrange(288..<292, with: bytesOf(checksum))
    tar["global/pg_control"].contents = bytes
    return tar
  }

  static func bytesOf(_ number: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }

  /// Imports bytes from a file in `directory` into a timeline whose ids are always the same.
  static func importBytes(
    _ bytes: [UInt8], in directory: TemporaryDirectory,
    _ configure: (inout ImportOptions) -> Void = { _ in }
  ) async throws -> ImportSummary {
    let path = directory.path + "/backup"
    try Data(bytes).write(to: URL(filePath: path))
    var options = ImportOptions(backup: path, outputDirectory: directory.path + "/out")
    options.tenantID = "11111111111111111111111111111111"
    options.timelineID = "22222222222222222222222222222222"
    configure(&options)
    return try await importBackup(options, progress: nil)
  }

  /// The error that an import of these bytes ends with; it must leave nothing behind.
  static func refusal(
    of bytes: [UInt8], _ configure: (inout ImportOptions) -> Void = { _ in }
  ) async throws -> ImportError? {
    let directory = try TemporaryDirectory()
    do {
      _ = try await importBytes(bytes, in: directory, configure)
      return nil
    } catch let error as ImportError {
      let left = try directory.files().keys.filter { $0 != "backup" }
      guard left.isEmpty, !FileManager.default.fileExists(atPath: directory.path + "/out") else {
        return ImportError(.bug, "the refusal left files behind: \(left)")
      }
      return error
    }
  }
}
