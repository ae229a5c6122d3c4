/// A row of `pg_class`, as far as its page shows (`VisibleRow`).
///
///     OFFSET SIZE MEANING                              all little-endian
///          0    4 oid
///          4   64 relname
///         88    4 relfilenode: the relation file number; 0 if it is mapped or has no file
///         96    4 relpages: how many pages it had when it was last vacuumed or analyzed
///        113    1 relisshared
///        114    1 relpersistence: p, u or t
///        115    1 relkind
///
/// The same in versions 14 to 17. (Postgres, `src/include/catalog/pg_class.h`)
public struct RelationRow: Equatable, Sendable {
  /// Whether the row certainly is visible to every transaction; false if it may be.
  public let isCertain: Bool
  /// The relation's oid.
  public let oid: UInt32
  /// Its name, escaped; the schema is not part of it.
  public private(set) var name = ""
  /// What kind of relation it is.
  public let kind: RelationKind
  /// The relation file number; 0 if the relation map has it, by the oid.
  public let relationNumber: UInt32
  /// Whether all databases share it.
  public let isShared: Bool
  /// Whether it is neither unlogged nor temporary.
  public let isPermanent: Bool
  /// The length in pages as of its last vacuum, for the planner.
  public let estimatedPageCount: UInt32

  private static let leastByteCount = 116

  /// The rows of a page of `pg_class` that are or may be visible and have files; for other pages,
  /// anything.
  ///
  /// - Parameter isWanted: looks at a row without its name, which takes the most time to decode;
  ///   what it does not want is left out.
  public static func possible(
    on page: RawSpan, where isWanted: (RelationRow) -> Bool = { _ in true }
  ) -> [RelationRow] {
    var rows: [RelationRow] = []
    VisibleRow.forEach(on: page, leastByteCount: leastByteCount) { columns, isCertain in
      guard var row = Self(columns: columns, isCertain: isCertain), isWanted(row) else { return }
      row.name = VisibleRow.name(in: columns, at: 4)
      rows.append(row)
    }
    return rows
  }

  /// Every version of the rows of a page of `pg_class` that have files, also those that are visible to
  /// nobody, without their names; for other pages, anything.
  public static func versions(on page: RawSpan) -> [(row: RelationRow, ends: RowEnds)] {
    var found: [(RelationRow, RowEnds)] = []
    VisibleRow.forEachWithEnds(on: page, leastByteCount: leastByteCount) { columns, ends in
      guard let row = Self(columns: columns, isCertain: false) else { return }
      found.append((row, ends))
    }
    return found
  }

  /// Whether a page looks like one of `pg_class`: it has rows, and all of them could be its.
  ///
  /// Tells the catalog from other tables as long as the relation map has not been read.
  public static func looksLikeCatalog(_ page: RawSpan) -> Bool {
    var count = 0
    var isPlausible = true
    VisibleRow.forEach(on: page, leastByteCount: 0) { columns, _ in
      count += 1
      isPlausible = isPlausible && columns.byteCount >= leastByteCount && mayBeRow(columns)
    }
    return isPlausible && count > 1
  }

  private static func mayBeRow(_ columns: RawSpan) -> Bool {
    let name = columns.extracting(4..<4 + VisibleRow.nameByteCount)
    return columns.littleEndian(at: 0, as: UInt32.self) != 0
      && name.littleEndian(at: 0, as: UInt8.self) != 0
      && name.littleEndian(at: VisibleRow.nameByteCount - 1, as: UInt8.self) == 0
      && columns.littleEndian(at: 113, as: UInt8.self) <= 1
      && [UInt8]("put".utf8).contains(columns.littleEndian(at: 114))
      && [UInt8]("riStvmcfpI".utf8).contains(columns.littleEndian(at: 115))
  }

  /// All but the name; nil for a relation without a file, such as a view.
  private init?(columns: RawSpan, isCertain: Bool) {
    guard let kind = RelationKind(rawValue: columns.littleEndian(at: 115)) else { return nil }
    self.kind = kind
    self.isCertain = isCertain
    oid = columns.littleEndian(at: 0)
    relationNumber = columns.littleEndian(at: 88)
    estimatedPageCount = columns.littleEndian(at: 96)
    isShared = columns.littleEndian(at: 113, as: UInt8.self) == 1
    isPermanent = columns.littleEndian(at: 114) == UInt8(ascii: "p")
  }
}

/// The kinds of relations that have files: `relkind`. (Postgres, `src/include/catalog/pg_class.h`,
/// `RELKIND_HAS_STORAGE`)
public enum RelationKind: UInt8, CaseIterable, Sendable {
  /// `r`
  case table = 0x72
  /// `i`
  case index = 0x69
  /// `S`
  case sequence = 0x53
  /// `t`
  case toastTable = 0x74
  /// `m`
  case materializedView = 0x6D

  /// The kind in Postgres's words: `table`, `TOAST table`.
  public var words: String {
    switch self {
    case .table: "table"
    case .index: "index"
    case .sequence: "sequence"
    case .toastTable: "TOAST table"
    case .materializedView: "materialized view"
    }
  }
}
