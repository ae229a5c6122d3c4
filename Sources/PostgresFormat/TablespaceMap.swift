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
