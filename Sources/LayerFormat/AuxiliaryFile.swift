import PostgresFormat

/// The value of a small file and its path: only the cumulative statistics are stored this way.
///
/// ```
/// u8 1, u32 length of the path, the path, u32 length of the contents, the contents
/// ```
///
/// Big-endian. (Neon, `pageserver/src/aux_file.rs`; Docs/format.md, Values)
public enum AuxiliaryFile {
  /// The path of the cumulative statistics in a data directory, from Postgres 15 on.
  public static let statisticsPath = "pg_stat/pgstat.stat"

  private static let version: UInt8 = 1

  /// The value for a statistics file with these contents.
  public static func encodeStatistics(_ contents: [UInt8]) -> [UInt8] {
    var bytes = [version]
    bytes.appendBigEndian(UInt32(statisticsPath.utf8.count))
    bytes += statisticsPath.utf8
    bytes.appendBigEndian(UInt32(contents.count))
    bytes += contents
    return bytes
  }

  /// The contents of the statistics file; throws if the value is anything else.
  public static func decodeStatistics(_ value: RawSpan) throws(FormatError) -> [UInt8] {
    let header = encodeStatistics([])
    guard value.byteCount >= header.count,
      value.extracting(0..<header.count - 4).array == Array(header.dropLast(4)),
      Int(value.bigEndian(at: header.count - 4, as: UInt32.self)) == value.byteCount - header.count
    else { throw .damaged("the value of the statistics file is malformed") }
    return value.extracting(header.count..<value.byteCount).array
  }
}
