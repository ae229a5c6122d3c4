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
  private static let isExclusivelyLocked: UInt16 = 0x0040
  private static let lockKinds: UInt16 = 0x0050
  private static let isMultiple: UInt16 = 0x1000

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
    forEachRow(on: page, leastByteCount: leastByteCount) { row, mask, columns in
      let isVisible = isVisible(mask)
      if isVisible != false { body(columns, isVisible != nil) }
    }
  }

  /// Lends the columns of every version of a row, also of one that is visible to nobody, and whether a
  /// transaction has deleted or replaced it: one that is known to be rolled back does not count, nor does
  /// a lock. (`src/include/access/htup_details.h`, `HEAP_XMAX_IS_LOCKED_ONLY`)
  static func forEachVersion(
    on page: RawSpan, leastByteCount: Int, _ body: (_ columns: RawSpan, _ isDeleted: Bool) -> Void
  ) {
    forEachRow(on: page, leastByteCount: leastByteCount) { row, mask, columns in
      let isLock =
        mask & isOnlyLocked != 0 || mask & (isMultiple | lockKinds) == isExclusivelyLocked
      let hasDeleter = row.littleEndian(at: 4, as: UInt32.self) != 0
      body(columns, hasDeleter && mask & isNotDeleted == 0 && !isLock)
    }
  }

  /// Lends the columns of every version of a row, and what it shows of the transactions that made and
  /// deleted it.
  static func forEachWithEnds(
    on page: RawSpan, leastByteCount: Int, _ body: (_ columns: RawSpan, _ ends: RowEnds) -> Void
  ) {
    forEachRow(on: page, leastByteCount: leastByteCount) { row, mask, columns in
      let maker: RowTransaction =
        if mask & isInserted != 0 {
          .committed
        } else if mask & isNotInserted != 0 {
          .rolledBack
        } else {
          .id(row.littleEndian(at: 0, as: UInt32.self))
        }
      let deleterID: UInt32 = row.littleEndian(at: 4)
      let deleter: RowTransaction? =
        if deleterID == 0 || mask & (isOnlyLocked | isMultiple) != 0 {
          nil
        } else if mask & isDeleted != 0 {
          .committed
        } else if mask & isNotDeleted != 0 {
          .rolledBack
        } else {
          .id(deleterID)
        }
      body(columns, RowEnds(maker: maker, deleter: deleter))
    }
  }

  private static func forEachRow(
    on page: RawSpan, leastByteCount: Int,
    _ body: (_ row: RawSpan, _ mask: UInt16, _ columns: RawSpan) -> Void
  ) {
    let end = min(Int(page.littleEndian(at: 12, as: UInt16.self)), page.byteCount)
    for position in stride(from: linePointersStart, to: end - 3, by: 4) {
      let pointer: UInt32 = page.littleEndian(at: position)
      let start = Int(pointer & 0x7FFF)
      let count = Int(pointer >> 17)
      guard pointer >> 15 & 3 == 1, count >= leastHeaderByteCount, start + count <= page.byteCount
      else { continue }
      let row = page.extracting(start..<start + count)
      let columnsStart = Int(row.littleEndian(at: 22, as: UInt8.self))
      guard columnsStart + leastByteCount <= count else { continue }
      body(row, row.littleEndian(at: 20), row.extracting(columnsStart..<count))
    }
  }

  /// A column of type `name` (`NameData`, 64 bytes), escaped.
  static func name(in columns: RawSpan, at offset: Int) -> String {
    escaped(columns.extracting(offset..<offset + nameByteCount).array.prefix { $0 != 0 })
  }

  /// `NAMEDATALEN`. (`src/include/pg_config_manual.h`)
  static let nameByteCount = 64
}

/// What a version of a row shows of a transaction: by its hint bits, or by its number.
/// (Postgres, `src/include/access/htup_details.h`)
public enum RowTransaction: Equatable, Sendable {
  /// It has committed, or the version is frozen.
  case committed
  /// It has rolled back.
  case rolledBack
  /// `pg_xact` says what became of it.
  case id(UInt32)
}

/// The transactions that a version of a row begins and ends with.
public struct RowEnds: Equatable, Sendable {
  /// What has made it.
  public let maker: RowTransaction
  /// What has deleted or replaced it; nil if nothing has, as far as the version shows: several that have
  /// locked it may have deleted it as well.
  public let deleter: RowTransaction?
}
