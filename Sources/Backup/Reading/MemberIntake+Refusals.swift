import PostgresFormat
import System

extension MemberIntake {
  /// Throws the error of a member that cannot be imported; returns if the member is empty
  /// and therefore harmless.
  package mutating func refuse(
    _ decision: MemberDecision, _ member: BackupMember, _ path: MemberPath
  ) throws(Failure) {
    switch decision {
    case .backupLabel:
      throw recoveryRefusal(
        .runningCluster, "the backup was taken from a running cluster: it contains 'backup_label'",
        contents.versions[nil])
    case .tablespaceMap:
      guard member.byteCount > 0 else { return }
      let map = try reader.decode(
        member, path, damage: .tablespaceMapDamaged, TablespaceMap.decode
      ).locations.sorted {
        $0.key < $1.key
      }
      throw tablespaceError(
        listing(map.map { "\($0.key) ('\(escaped($0.value))')" }))
    case .tablespace(let name):
      throw tablespaceError("'pg_tblspc/\(name)'")
    case .incremental, .refused:
      throw Self.refusal(decision, path)
    default: break
    }
  }

  /// Whether the backup will be refused at its end, so that its pages need not be read.
  package var isRefused: Bool { !contents.unexpectedFiles.isEmpty }

  /// Throws if there are files in Postgres's directories that Postgres does not write there; called
  /// after the last member, so that the error names them all.
  package func requireNoUnexpectedFiles() throws(Failure) {
    if let failure = contents.unexpectedFiles.failure { throw failure }
  }

  /// The refusal of a file of the wrong kind, or of one of an incremental backup.
  package static func refusal(_ decision: MemberDecision, _ path: MemberPath) -> Failure {
    switch decision {
    case .refused(let error):
      Failure(error, in: "member '\(path)'", damage: .wrongFileType)
    default:
      Failure(
        .incrementalBackup, "the backup is incremental: '\(path)'",
        hint: "Combine it with the earlier backups with pg_combinebackup.")
    }
  }

  /// The refusal of a file of pages that ends within one.
  package static func endsWithinPage(_ path: String, byteCount: UInt64) -> Failure {
    Failure(
      .fileTruncated,
      "file '\(path)' has \(byteWords(byteCount)), not a multiple of \(PageHeader.pageByteCount)",
      hint: "The file is incomplete. Take a new backup.")
  }

  private func tablespaceError(_ where: String) -> Failure {
    recoveryRefusal(
      .tablespacesUnsupported,
      "the cluster has tablespaces, which Neon does not support: \(`where`)", contents.versions[nil]
    )
  }
}

/// The error of a backup that Postgres has to recover first: the code, the message, and the cluster's version
/// if it has been seen.
package typealias RecoveryRefusal = @Sendable (ErrorCode, String, PostgresVersion?) -> Failure
