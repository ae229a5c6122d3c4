import Foundation
import TestSupport

@testable import Operations
@testable import System

extension SmallBackup {
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
    return try importBackup(options, progress: nil)
  }

  /// The error that an import of these bytes ends with; it must leave nothing behind.
  static func refusal(
    of bytes: [UInt8], _ configure: (inout ImportOptions) -> Void = { _ in }
  ) async throws -> Failure? {
    let directory = try TemporaryDirectory()
    do {
      _ = try await importBytes(bytes, in: directory, configure)
      return nil
    } catch let error as Failure {
      let left = try directory.files().keys.filter { $0 != "backup" }
      guard left.isEmpty, !FileManager.default.fileExists(atPath: directory.path + "/out") else {
        return Failure(.bug, "the refusal left files behind: \(left)")
      }
      return error
    }
  }
}
