import PostgresFormat

/// The pages of the small relations in `global`: `pg_database` and `pg_tablespace` are among them.
///
/// Which files these two are is known only when the relation map has been read, which may come
/// after them. Memory: 8 MiB at most; what does not fit is not looked at.
struct SharedCatalogs: Sendable {
  private var files: [UInt32: [UInt8]] = [:]
  private var byteCount = 0

  /// The largest file that is kept: some 6,000 databases.
  private static let fileLimit: UInt64 = 2 << 20
  private static let limit = 8 << 20

  /// Whether a file of this length is one that may have to be looked at.
  static func mayInclude(_ segment: RelationSegment, byteCount: UInt64) -> Bool {
    segment.databaseID == 0 && segment.fork == .main && segment.segmentNumber == 0
      && byteCount <= fileLimit
  }

  /// Keeps the bytes of a relation's file, unless they exceed what is left of the 8 MiB.
  package mutating func add(_ relationNumber: UInt32, _ bytes: [UInt8]) {
    guard byteCount + bytes.count <= Self.limit else { return }
    byteCount += bytes.count
    files[relationNumber] = bytes
  }

  /// The rows of one of the two catalogs that certainly are visible, by oid; none if its file was
  /// not kept.
  package func rows(in relationNumber: UInt32, version: PostgresVersion) -> [CatalogRow] {
    guard let bytes = files[relationNumber] else { return [] }
    let pageByteCount = PageHeader.pageByteCount
    var rows: [CatalogRow] = []
    for start in stride(from: 0, to: bytes.count, by: pageByteCount) {
      rows += CatalogRow.visible(
        on: bytes.bytes.extracting(start..<start + pageByteCount), version: version)
    }
    return rows.sorted { $0.oid < $1.oid }
  }
}
