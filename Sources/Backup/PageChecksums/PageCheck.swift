import PostgresFormat
import System

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

/// What the checksums of all pages of a backup say: gathered batch by batch, judged at the end.
///
/// Memory: 2 MiB at most. A cluster without checksums fills that with pages that are nothing to
/// worry about, as does one whose checksums were switched off later; then all is dropped.
package struct PageCheckResult: Sendable {
  /// How many damaged pages are kept by name; the rest is counted.
  package static let limit = 65_536

  /// How many pages of relations were looked at.
  package private(set) var pageCount: UInt64 = 0
  /// How many of them have a wrong checksum; may be more than are kept.
  package private(set) var damagedPageCount: UInt64 = 0
  private var damagedPages: [PageCheck.DamagedPage] = []

  /// Nothing has been checked yet.
  package init() {}

  var keptPageCount: Int { damagedPages.count }

  /// Adds a batch's pages; batches come in the order of the backup.
  package mutating func add(_ check: PageCheck) {
    pageCount += check.pageCount
    damagedPageCount += UInt64(check.damagedPages.count)
    damagedPages += check.damagedPages.prefix(Self.limit - damagedPages.count)
  }

  /// Adds what other pages said.
  package mutating func add(_ other: PageCheckResult) {
    pageCount += other.pageCount
    damagedPageCount += other.damagedPageCount
    damagedPages += other.damagedPages.prefix(Self.limit - damagedPages.count)
  }

  /// Forgets damaged pages that do not count; those that are not kept by name do.
  package mutating func removeDamaged(
    where isReplaced: (PageCheck.DamagedPage) throws(Failure) -> Bool
  ) throws(Failure) {
    let count = damagedPages.count
    var left: [PageCheck.DamagedPage] = []
    for page in damagedPages where try !isReplaced(page) { left.append(page) }
    damagedPages = left
    damagedPageCount -= UInt64(count - damagedPages.count)
  }

  /// What is said of them in the summary.
  ///
  /// Throws `.damaged` if the cluster has checksums, pages are damaged, and `mode` says that
  /// this counts. A pageserver's own backup is not judged: the pages that a pageserver makes of WAL
  /// records have no checksum, whatever `pg_control` says.
  package func checked(
    _ mode: PageChecksumMode, in cluster: ClusterAssessment
  ) throws(Failure) -> PageChecksumSummary {
    guard mode != .skip else { return PageChecksumSummary(result: .skipped) }
    guard cluster.kind == .cleanShutdown, cluster.controlFile.dataChecksumVersion != 0 else {
      return PageChecksumSummary(result: .none)
    }
    var summary = PageChecksumSummary(
      result: damagedPageCount == 0 ? .verified : .damaged, pageCount: pageCount,
      damagedPageCount: damagedPageCount)
    guard damagedPageCount > 0 else { return summary }
    summary.damagedPages = damagedPages.map(DamagedPage.init)
    if mode == .warn { return summary }
    throw Failure(
      .pageChecksum,
      damagedPageCount == 1
        ? "a page is damaged: its checksum does not match its contents"
        : "\(damagedPageCount) pages are damaged: their checksums do not match their contents",
      hint:
        "The cluster itself may be damaged: check it with 'pg_checksums --check', and take a new "
        + "backup. To import the pages as they are, use '--page-checksums warn'.",
      findings: BackupFindings(pageChecksums: summary))
  }
}

extension DamagedPage {
  /// The page as the summary shows it: with a path, and nil for a checksum that was not computed.
  package init(_ page: PageCheck.DamagedPage) {
    self.init(
      file: page.segment.path, block: page.block, found: page.found,
      expected: page.expected == 0 ? nil : page.expected)
  }
}
