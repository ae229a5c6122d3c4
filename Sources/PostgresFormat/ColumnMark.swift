/// The option `pg_attver` of a column, which newer servers set on the columns that they make.
///
/// It is an element of the array `attoptions` in `pg_attribute`, `pg_attver=18270136`; the number is
/// the position in the WAL at which the column was made. A server that does not know the option
/// refuses to change the options of such a column, and to restore a dump that it makes itself. Among
/// the releases of Postgres 15, 15.20 sets it and 15.18 does not know it (tried).
public enum ColumnMark {
  private static let mark = Array("pg_attver=".utf8)

  /// The lowest release of a version that is known to set the option; nil if none is known to.
  public static func leastRelease(of version: PostgresVersion) -> String? {
    version == .v15 ? "15.20" : nil
  }

  /// Whether a page that may be one of `pg_attribute` has the option in a row, be it a deleted one.
  ///
  /// The catalog's rows have 24 to 26 columns. Pages of other relations are told apart by their first
  /// row, mostly. (Postgres, `src/include/catalog/pg_attribute.h`, `access/htup_details.h`)
  public static func isSet(on page: RawSpan) -> Bool {
    let lower = Int(page.littleEndian(at: 12, as: UInt16.self))
    let upper = Int(page.littleEndian(at: 14, as: UInt16.self))
    let special = Int(page.littleEndian(at: 16, as: UInt16.self))
    guard special == page.byteCount, lower >= 28, lower <= upper, upper <= special,
      let row = firstRow(of: page, lower: lower),
      (24...26).contains(page.littleEndian(at: row + 18, as: UInt16.self) & 0x7FF)
    else { return false }
    let rows = page.extracting(upper..<special)
    let start: UInt64 = mark.bytes.littleEndian(at: 0)
    let end: UInt16 = mark.bytes.littleEndian(at: 8)
    return (0..<max(0, rows.byteCount - mark.count + 1)).contains { offset in
      rows.littleEndian(at: offset, as: UInt64.self) == start
        && rows.littleEndian(at: offset + 8, as: UInt16.self) == end
    }
  }

  /// Where the first row starts that has a line pointer and a whole header. (See `CatalogRow`)
  private static func firstRow(of page: RawSpan, lower: Int) -> Int? {
    for position in stride(from: 24, to: lower - 3, by: 4) {
      let pointer: UInt32 = page.littleEndian(at: position)
      let start = Int(pointer & 0x7FFF)
      if pointer >> 15 & 3 == 1, start + 23 <= page.byteCount { return start }
    }
    return nil
  }
}
