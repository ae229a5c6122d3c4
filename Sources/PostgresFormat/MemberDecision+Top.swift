extension MemberDecision {
  /// The decision for a name at the top that is not a directory of Postgres.
  ///
  /// A `standby.signal` by itself means nothing: the control file shows whether the cluster has run
  /// as a standby, and a cluster that has not is complete without the file.
  static func top(_ name: ArraySlice<UInt8>, _ kind: MemberKind) -> Self {
    guard name.allSatisfy({ $0 < 0x80 }) else { return user(below: false, kind) }
    switch String(decoding: name, as: UTF8.self) {
    case "PG_VERSION": return stored(.versionFile(databaseID: nil), kind)
    case "backup_label": return stored(.backupLabel, kind)
    case "tablespace_map": return stored(.tablespaceMap, kind)
    case "neon.signal", "zenith.signal": return stored(.neonSignal, kind)
    case let other where other.utf8.starts(with: "INCREMENTAL.".utf8):
      return .incremental
    case let other:
      guard kind != .directory, let reason = leftOutAtTop[other] else {
        return user(below: false, kind)
      }
      return .leftOut(reason, slot: nil)
    }
  }

  private static let leftOutAtTop: [String: LeftOutReason] = [
    "autoprewarm.blocks": .caches,
    "autoprewarm.blocks.tmp": .caches,
    "backup_label.old": .setAside,
    "backup_manifest": .backupManifest,
    "backup_manifest.tmp": .backupManifest,
    "current_logfiles": .serverProcess,
    "current_logfiles.tmp": .serverProcess,
    "fallback_promote": .serverProcess,
    "logrotate": .serverProcess,
    "pg_hba.conf": .configuration,
    "pg_ident.conf": .configuration,
    "postgresql.auto.conf": .configuration,
    "postgresql.auto.conf.tmp": .configuration,
    "postgresql.conf": .configuration,
    "postmaster.opts": .serverProcess,
    "postmaster.pid": .serverProcess,
    "promote": .serverProcess,
    "recovery.conf": .configuration,
    "recovery.done": .configuration,
    "recovery.signal": .configuration,
    "standby.signal": .configuration,
    "tablespace_map.old": .setAside,
  ]
}
