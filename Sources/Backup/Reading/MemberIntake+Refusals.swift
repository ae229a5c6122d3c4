import PostgresFormat
import System

extension MemberIntake {
  /// Throws the error of a member that cannot be imported; returns if the member is empty
  /// and therefore harmless.
  package mutating func refuse(
    _ decision: MemberDecision, _ member: TarMember, _ path: MemberPath
  ) throws(Failure) {
    switch decision {
    case .backupLabel:
      throw Failure(
        .unsupported, "the backup was taken from a running cluster: it contains 'backup_label'",
        hint: recoveryHint(contents.versions[nil]))
    case .tablespaceMap:
      guard member.byteCount > 0 else { return }
      let map = try reader.decode(member, path, TablespaceMap.decode).locations.sorted {
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

  /// The refusal of a file of an incremental backup, or of a name that belongs nowhere.
  package static func refusal(_ decision: MemberDecision, _ path: MemberPath) -> Failure {
    if case .refused(let error) = decision {
      return Failure(error, in: "member '\(path)'")
    }
    return Failure(
      .unsupported, "the backup is incremental: '\(path)'",
      hint: "Combine it with the earlier backups with pg_combinebackup.")
  }

  private func tablespaceError(_ where: String) -> Failure {
    Failure(
      .unsupported, "the cluster has tablespaces, which Neon does not support: \(`where`)",
      hint: recoveryHint(contents.versions[nil]))
  }
}

/// The first eight of some names, and how many more there are.
package func listing(_ names: [String]) -> String {
  let more = names.count > 8 ? " and \(names.count - 8) more" : ""
  return names.prefix(8).joined(separator: ", ") + more
}
