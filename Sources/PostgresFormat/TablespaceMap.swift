/// The `tablespace_map` of a backup: which tablespaces the cluster had, and where they lay.
///
/// One line each: the tablespace's oid, a space, the path of its directory. A backslash stands
/// before a newline, a carriage return or a backslash within the path.
/// (Postgres, `xlog.c`, `do_pg_backup_start`; `xlogrecovery.c`, `read_tablespace_map`)
public struct TablespaceMap: Sendable {
  /// The directories by oid; bytes, as no encoding is known.
  public let locations: [UInt32: [UInt8]]

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
        else { throw .damaged("a line that is no oid and path: '\(escaped(line))'") }
        locations[id] = Array(line[(space + 1)...])
        line = []
      }
    }
    guard line.isEmpty else { throw .damaged("its last line is not whole") }
    return Self(locations: locations)
  }
}
