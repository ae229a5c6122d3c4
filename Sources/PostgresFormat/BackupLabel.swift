/// The `backup_label` in a backup of a running cluster: where the recovery starts.
///
///     START WAL LOCATION: 0/2FA2A50 (file 00000001000000000000002F)
///     …
///     START TIMELINE: 1
///
/// The file's name begins with the timeline as well, and counts where the last line is missing, as
/// `pg_rewind` writes none. (Postgres, `pg_rewind.c`, `createBackupLabel`; `xlogrecovery.c`,
/// `read_backup_label`)
///
/// (Postgres, `xlogbackup.c`, `build_backup_content`; before 15 `xlog.c`, `do_pg_start_backup`)
public struct BackupLabel: Equatable, Sendable {
  /// The redo position of the checkpoint that the backup started with.
  public let start: LogSequenceNumber
  /// The Postgres timeline of that position.
  public let timelineID: UInt32

  /// Reads the file; all lines but those above are ignored.
  ///
  /// - Throws: `damaged` if the position is missing, or anything is malformed.
  public static func decode(_ bytes: RawSpan) throws(FormatError) -> BackupLabel {
    let lines = bytes.array.split(separator: UInt8(ascii: "\n"))
      .map { String(decoding: $0, as: UTF8.self) }
    func value(of name: String) -> Substring? {
      lines.first { $0.hasPrefix(name) }?.dropFirst(name.count)
    }
    guard let location = value(of: "START WAL LOCATION: ") else {
      throw .damaged("the backup label has no line 'START WAL LOCATION: '")
    }
    let words = location.split(separator: " ")
    let file = words.count == 3 && words[1] == "(file" && words[2].count == 25 ? words[2] : ""
    let number =
      if let line = value(of: "START TIMELINE: ") {
        UInt32(line)
      } else {
        UInt32(hexadecimal: Array(file.prefix(8).utf8))
      }
    guard let start = LogSequenceNumber(words.first ?? ""), let timelineID = number, timelineID > 0
    else { throw .damaged("the start position or timeline in the backup label is malformed") }
    return BackupLabel(start: start, timelineID: timelineID)
  }
}

/// The `tablespace_map` of a backup: the tablespaces of the cluster, and their directories.
///
/// One line for each: the oid of the tablespace, a space, the path of its directory. Newlines,
/// carriage returns and backslashes in the path are escaped with a backslash.
/// (Postgres, `xlog.c`, `do_pg_backup_start`; `xlogrecovery.c`, `read_tablespace_map`)
public struct TablespaceMap: Sendable {
  /// The directories by oid, as bytes, since their encoding is unknown.
  public let locations: [UInt32: [UInt8]]

  /// Reads the file.
  ///
  /// - Throws: `damaged` for a line without an oid or a path.
  public static func decode(_ bytes: RawSpan) throws(FormatError) -> Self {
    var locations: [UInt32: [UInt8]] = [:]
    var line: [UInt8] = []
    var isEscaped = false
    for byte in bytes.array + [UInt8(ascii: "\n")] {
      if isEscaped {
        line.append(byte)
        isEscaped = false
      } else if byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else if byte != UInt8(ascii: "\n") && byte != UInt8(ascii: "\r") {
        line.append(byte)
      } else if !line.isEmpty {
        guard let space = line.firstIndex(of: UInt8(ascii: " ")),
          let id = line[..<space].positiveDecimal, space + 1 < line.endIndex
        else { throw .damaged("a line is not an oid and a path: '\(escaped(line))'") }
        locations[id] = Array(line[(space + 1)...])
        line = []
      }
    }
    guard line.isEmpty else { throw .damaged("the last line is incomplete") }
    return Self(locations: locations)
  }
}
