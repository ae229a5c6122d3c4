import Backup
import System

extension Failure {
  /// What a check of the backup found.
  public var backupFindings: BackupFindings? { findings as? BackupFindings }
}
