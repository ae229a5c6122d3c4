import Backup
import System

extension Failure {
  /// What a check of the backup found.
  var backupFindings: BackupFindings? { findings as? BackupFindings }
}
