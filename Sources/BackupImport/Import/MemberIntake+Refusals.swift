import PostgresFormat

extension MemberIntake {
  /// Throws what is wrong with a member that cannot be imported; returns for one that is empty
  /// where that makes it harmless.
  mutating func refuse(
    _ decision: DataDirectoryMember, _ member: TarMember, _ path: MemberPath
  ) throws(ImportError) {
    switch decision {
    case .backupLabel:
      throw ImportError(
        .unsupported, "the cluster was running while it was backed up: 'backup_label' is there",
        hint: recovery.hint(for: contents.versions[nil]))
    case .tablespaceMap:
      guard member.byteCount > 0 else { return }
      let map = try reader.decode(member, path, TablespaceMap.decode).locations.sorted {
        $0.key < $1.key
      }
      throw tablespaceError(
        OnlineBackup.listing(map.map { "\($0.key) ('\(escaped($0.value))')" }))
    case .tablespace(let name):
      throw tablespaceError("'pg_tblspc/\(name)'")
    case .incremental, .refused:
      throw Self.refusal(decision, path)
    default: break
    }
  }

  /// The refusal of a file of an incremental backup, or of a name that belongs nowhere.
  static func refusal(_ decision: DataDirectoryMember, _ path: MemberPath) -> ImportError {
    if case .refused(let error) = decision {
      return ImportError(error, in: "member '\(path)'")
    }
    return ImportError(
      .unsupported, "the backup is incremental: '\(path)'",
      hint: "Combine it with the backups before it with pg_combinebackup.")
  }

  private func tablespaceError(_ where: String) -> ImportError {
    ImportError(
      .unsupported, "the cluster has tablespaces, which the storage does not know: \(`where`)",
      hint: recovery.hint(for: contents.versions[nil]))
  }
}
