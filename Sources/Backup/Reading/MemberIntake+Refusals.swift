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
      throw Failure(
        .runningCluster, "the backup was taken from a running cluster: it contains 'backup_label'",
        hint: recoveryHint(contents.versions[nil]))
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
    case .incremental, .unexpected, .refused:
      throw Self.refusal(decision, path)
    default: break
    }
  }

  /// The refusal of an unexpected file, a file of the wrong kind, or one of an incremental backup.
  package static func refusal(_ decision: MemberDecision, _ path: MemberPath) -> Failure {
    switch decision {
    case .refused(let error):
      Failure(error, in: "member '\(path)'", damage: .wrongFileType)
    case .unexpected:
      Failure(
        .unexpectedFile, "unexpected file '\(path)'",
        hint: "If it does not belong to Postgres, move it away, or exclude it from the tar with "
          + "--exclude.")
    default:
      Failure(
        .incrementalBackup, "the backup is incremental: '\(path)'",
        hint: "Combine it with the earlier backups with pg_combinebackup.")
    }
  }

  private func tablespaceError(_ where: String) -> Failure {
    Failure(
      .tablespacesUnsupported,
      "the cluster has tablespaces, which Neon does not support: \(`where`)",
      hint: recoveryHint(contents.versions[nil]))
  }
}

/// The first eight of some names, and how many more there are.
package func listing(_ names: [String]) -> String {
  let more = names.count > 8 ? " and \(names.count - 8) more" : ""
  return names.prefix(8).joined(separator: ", ") + more
}
