import System

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

  /// What is said of them in the summary.
  ///
  /// Throws `.damaged` if the cluster has checksums, pages are damaged, and `mode` says that
  /// this counts. A pageserver's own backup is not judged: the pages that a pageserver makes of WAL
  /// records have no checksum, whatever `pg_control` says.
  package func judged(
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
      .damaged,
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
