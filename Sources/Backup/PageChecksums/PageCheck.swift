import PostgresFormat

/// Compares the stored checksum of each page with its contents, before anything is changed.
///
/// Whether the cluster has checksums is known at the backup's end only, when `pg_control` is. So
/// every page is looked at, and `PageCheckResult` judges. A page that has the checksum 0, which
/// no contents have, costs next to nothing: in a cluster that never had checksums, all do.
package struct PageCheck: Sendable {
  /// A page that a server of a cluster with checksums would not read.
  package struct DamagedPage: Sendable {
    /// The file that holds the page.
    package var segment: RelationSegment
    /// Counted from the beginning of the fork.
    package var block: UInt32
    /// The stored checksum.
    package var found: UInt16
    /// The checksum of its contents; 0 if it was not computed.
    package var expected: UInt16
  }

  /// Whether pages are looked at at all.
  let isEnabled: Bool
  /// How many pages were looked at since the last reset.
  package private(set) var pageCount: UInt64 = 0
  private(set) var damagedPages: [DamagedPage] = []

  /// A check of no pages yet; with `isEnabled` false it looks at none.
  package init(isEnabled: Bool) { self.isEnabled = isEnabled }

  /// Forgets all pages, and keeps the memory for the next batch.
  package mutating func reset() {
    pageCount = 0
    damagedPages.removeAll(keepingCapacity: true)
  }

  /// Looks at a page of a relation; the pages of SLRUs have no checksums.
  ///
  /// A page that is not in use is sound if it is all zeros, in whatever cluster it is.
  /// (Postgres, `src/backend/storage/page/bufpage.c`, `PageIsVerifiedExtended`.)
  package mutating func examine(
    _ page: RawSpan, _ header: PageHeader, isZero: Bool, of segment: RelationSegment,
    block: UInt32
  ) {
    guard isEnabled else { return }
    pageCount += 1
    var expected: UInt16 = 0
    if !header.isInUse {
      if isZero { return }
    } else if header.checksum != 0 {
      expected = PageChecksum.checksum(of: page, block: block)
      if expected == header.checksum { return }
    }
    damagedPages.append(
      DamagedPage(segment: segment, block: block, found: header.checksum, expected: expected))
  }
}
