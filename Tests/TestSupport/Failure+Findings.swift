import Backup
import System

extension Failure {
  /// What a check of the backup found.
  public var backupFindings: BackupFindings? { findings as? BackupFindings }

  /// The hint, and the options of the command that follows it.
  public var advice: String {
    ([hint ?? ""] + (remedy?.options ?? [])).joined(separator: " ")
  }
}
