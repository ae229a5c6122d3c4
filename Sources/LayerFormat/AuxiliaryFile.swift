import PostgresFormat

/// The value that holds a small file by its path: here the cumulative statistics alone.
///
/// ```
/// u8 1, u32 length of the path, the path, u32 length of the contents, the contents
/// ```
///
/// Big-endian. (Neon, `pageserver/src/aux_file.rs`; Docs/format.md, Values)
public enum AuxiliaryFile {
  /// Where the cumulative statistics lie in a data directory, from Postgres 15 on.
  public static let statisticsPath = "pg_stat/pgstat.stat"

  private static let version: UInt8 = 1

  /// The value for a statistics file of these contents.
  public static func encodeStatistics(_ contents: [UInt8]) -> [UInt8] {
    var bytes = [version]
    bytes.appendBigEndian(UInt32(statisticsPath.utf8.count))
    bytes += statisticsPath.utf8
    bytes.appendBigEndian(UInt32(contents.count))
    bytes += contents
    return bytes
  }

  /// The contents of the statistics file; throws when the value holds anything else.
  public static func decodeStatistics(_ value: RawSpan) throws(FormatError) -> [UInt8] {
    let header = encodeStatistics([])
    guard value.byteCount >= header.count,
      value.extracting(0..<header.count - 4).array == Array(header.dropLast(4)),
      Int(value.bigEndian(at: header.count - 4, as: UInt32.self)) == value.byteCount - header.count
    else { throw .damaged("the statistics' value is not of the shape that is expected") }
    return value.extracting(header.count..<value.byteCount).array
  }
}
