/// Finds the rows of a page that are visible to every transaction, as far as the page itself shows.
///
///     OFFSET SIZE MEANING                              all little-endian
///          0    4 xmin: the transaction that inserted it
///          4    4 xmax: the transaction that deleted or locked it
///         20    2 hint bits for both (`HEAP_…`)
///         22    1 offset of the columns
///
/// (Postgres, `src/include/access/htup_details.h`.) Whether a transaction has committed is recorded
/// in `pg_xact`; the hint bits of the row show it once any query has read the row. A row without
/// them is not certain: it may be of a transaction that was rolled back, or have been deleted.
enum VisibleRow {
  private static let linePointersStart = 24
  private static let leastHeaderByteCount = 23
  private static let isInserted: UInt16 = 0x0100
  private static let isNotInserted: UInt16 = 0x0200
  private static let isDeleted: UInt16 = 0x0400
  private static let isNotDeleted: UInt16 = 0x0800
  private static let isOnlyLocked: UInt16 = 0x0080

  /// Whether the hint bits show that a row is visible; nil if they do not say.
  private static func isVisible(_ mask: UInt16) -> Bool? {
    // Both bits together: frozen.
    if mask & (isInserted | isNotInserted) == isNotInserted { return false }
    if mask & isDeleted != 0 && mask & isOnlyLocked == 0 { return false }
    return mask & isInserted != 0 && mask & (isNotDeleted | isOnlyLocked) != 0 ? true : nil
  }

  /// Lends the columns of each row that is visible, or of which that is not known, to `body`, if
  /// they have at least `leastByteCount` bytes.
  ///
  /// A line pointer contains, from its lowest bit on, an offset (15 bits), a state (2 bits, 1 is a
  /// row), and a length (15 bits). (`src/include/storage/itemid.h`, `bufpage.h`) Any bytes may be
  /// given; those that are no page of rows have none, or rows that mean nothing.
  static func forEach(
    on page: RawSpan, leastByteCount: Int, _ body: (_ columns: RawSpan, _ isCertain: Bool) -> Void
  ) {
    let end = min(Int(page.littleEndian(at: 12, as: UInt16.self)), page.byteCount)
    for position in stride(from: linePointersStart, to: end - 3, by: 4) {
      let pointer: UInt32 = page.littleEndian(at: position)
      let start = Int(pointer & 0x7FFF)
      let count = Int(pointer >> 17)
      guard pointer >> 15 & 3 == 1, count >= leastHeaderByteCount, start + count <= page.byteCount
      else { continue }
      let tuple = page.extracting(start..<start + count)
      let mask: UInt16 = tuple.littleEndian(at: 20)
      let columnsStart = Int(tuple.littleEndian(at: 22, as: UInt8.self))
      let isVisible = isVisible(mask)
      guard isVisible != false, columnsStart + leastByteCount <= count else { continue }
      body(tuple.extracting(columnsStart..<count), isVisible != nil)
    }
  }

  /// A column of type `name` (`NameData`, 64 bytes), escaped.
  static func name(in columns: RawSpan, at offset: Int) -> String {
    escaped(columns.extracting(offset..<offset + nameByteCount).array.prefix { $0 != 0 })
  }

  /// `NAMEDATALEN`. (`src/include/pg_config_manual.h`)
  static let nameByteCount = 64
}
