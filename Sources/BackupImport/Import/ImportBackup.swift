/// Imports the backup that `options` names.
///
/// Runs where its caller runs: it blocks while it reads.
public nonisolated(nonsending) func importBackup(
  _ options: ImportOptions, progress: (any ProgressReporting)?
) async throws(ImportError) -> ImportSummary {
  throw ImportError(.bug, "nothing can be imported yet")
}

/// Where an import tells how far it has come.
public protocol ProgressReporting: Sendable {
  func report(_ progress: ImportProgress)
}

/// How far an import has come.
public struct ImportProgress: Sendable {
  public var inputBytesRead: UInt64
  public var inputByteCount: UInt64?
  public var outputBytesWritten: UInt64
  public var member: String

  public init(
    inputBytesRead: UInt64, inputByteCount: UInt64?, outputBytesWritten: UInt64, member: String
  ) {
    self.inputBytesRead = inputBytesRead
    self.inputByteCount = inputByteCount
    self.outputBytesWritten = outputBytesWritten
    self.member = member
  }
}

/// Signals that end an import.
public enum Interruption {
  public static func install() {}
}
