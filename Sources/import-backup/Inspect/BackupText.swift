import Operations
import System

/// The text about the contents of a backup.
enum BackupText {
  static func text(_ backup: BackupDescription) -> String {
    let sections = [
      facts(backup), verdict(backup), SizeText.databases(backup.databases),
      SizeText.relations(backup.relations), leftOut(backup),
    ]
    return sections.filter { !$0.isEmpty }.map { $0.joined(separator: "\n") + "\n" }
      .joined(separator: "\n")
  }

  private static func facts(_ backup: BackupDescription) -> [String] {
    let input =
      ", from \(Quantity.bytes(backup.inputByteCount))" + (backup.isCompressed ? " compressed" : "")
    return ["backup \(backup.backupPath == "-" ? "on standard input" : backup.backupPath.quoted)"]
      + TextTable.facts([
        ("kind", backup.backupKind + (backup.isDirectory ? ", data directory" : "")),
        ("Postgres version", backup.postgresVersion.map { "\($0)" }),
        ("system identifier", backup.systemIdentifier),
        ("state", backup.state),
        ("catalog version", backup.catalogVersion.map { "\($0)" }),
        ("last checkpoint", backup.checkpointLSN),
        ("import LSN", backup.importLSN),
        ("end LSN", backup.endLSN),
        ("previous record LSN", backup.previousRecordLSN),
        ("data checksums", backup.hasDataChecksums.map { $0 ? "on" : "off" }),
        ("WAL segments", backup.walSegmentByteCount.map { Quantity.bytes(UInt64($0)) }),
        ("Postgres timeline", backup.postgresTimeline.map { "\($0)" }),
        (
          "files",
          "\(Quantity.count(backup.fileCount, "file")), \(Quantity.bytes(backup.byteCount))"
            + (backup.isDirectory ? "" : input)
        ),
        ("relations", relations(backup)),
        ("prepared transactions", count(backup.preparedTransactionCount)),
        ("replication origins", count(backup.replicationOriginCount)),
        ("replication slots", count(backup.lostReplicationSlots.count)),
      ])
  }

  private static func relations(_ backup: BackupDescription) -> String {
    let count = Quantity.count(backup.relationCount, "relation")
    return backup.unloggedRelationCount == 0
      ? count : "\(count), \(Quantity.grouped(backup.unloggedRelationCount)) of them unlogged"
  }

  private static func count(_ number: Int) -> String? {
    number == 0 ? nil : Quantity.grouped(number)
  }

  private static func verdict(_ backup: BackupDescription) -> [String] {
    guard let refusal = backup.refusal else {
      return ["can be imported (pages were not checked)"]
    }
    let columns = TextTable.columns
    let verdict = "cannot be imported (exit code \(refusal.exitCode)): \(refusal.error)"
    return HelpText.wrapped(verdict, columns: columns)
      + (refusal.hint.map { HelpText.hint($0, columns: columns) } ?? [])
  }

  private static func leftOut(_ backup: BackupDescription) -> [String] {
    var table = TextTable([
      .left("left out by an import"), .right("files", rank: 1), .right("size", rank: 2),
      .left("names", rank: 3),
    ])
    for leftOut in backup.leftOut {
      let more = leftOut.fileCount > leftOut.names.count ? ", …" : ""
      table.add([
        leftOut.reason, Quantity.grouped(leftOut.fileCount), Quantity.bytes(leftOut.byteCount),
        leftOut.names.joined(separator: ", ") + more,
      ])
    }
    return table.lines
  }
}
