/// The `backup_label` in a backup of a running cluster: where the recovery starts.
///
///     START WAL LOCATION: 0/2FA2A50 (file 00000001000000000000002F)
///     …
///     START TIMELINE: 1
///
/// (Postgres, `xlogbackup.c`, `build_backup_content`; before 15 `xlog.c`, `do_pg_start_backup`)
public struct BackupLabel: Equatable, Sendable {
  /// The redo position of the checkpoint that the backup started with.
  public let start: LogSequenceNumber
  /// The Postgres timeline of that position.
  public let timelineID: UInt32

  /// Reads the file; all lines but those above are ignored.
  ///
  /// - Throws: `damaged` if one of them is missing or malformed.
  public static func decode(_ bytes: RawSpan) throws(FormatError) -> BackupLabel {
    let lines = bytes.array.split(separator: UInt8(ascii: "\n"))
      .map { String(decoding: $0, as: UTF8.self) }
    func value(of name: String) throws(FormatError) -> Substring {
      guard let line = lines.first(where: { $0.hasPrefix(name) }) else {
        throw .damaged("the backup label has no line '\(name)'")
      }
      return line.dropFirst(name.count)
    }
    guard
      let start = try LogSequenceNumber(value(of: "START WAL LOCATION: ").prefix { $0 != " " }),
      let timelineID = try UInt32(value(of: "START TIMELINE: ")), timelineID > 0
    else { throw .damaged("the start position or timeline in the backup label is malformed") }
    return BackupLabel(start: start, timelineID: timelineID)
  }
}
