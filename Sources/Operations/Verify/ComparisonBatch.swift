import Backup
import LayerFormat
import Pipeline
import PostgresFormat
import System
import Timeline

/// Pages of the backup beside what the timeline has stored for them.
final class ComparisonBatch: PipelineBatch, @unchecked Sendable {
  // Invariant: a batch belongs to one stage at a time (locator, worker, collector); it changes
  // hands through a channel, whose lock orders the accesses.

  /// What is stored for a page.
  struct Stored {
    /// The run of the first `PlacementTable` that has the page; nil if it is in another one.
    var run: Int?
    var range: Range<Int>
    var isCompressed: Bool
    var isWrapped: Bool
  }

  /// The pages; they go back to the reader of the backup when all is compared.
  private(set) var backup: PageBatch?
  var sequence = 0
  /// One for each page; nil if the timeline has none.
  private(set) var stored: [Stored?] = []
  private(set) var differences: [VerifySummary.Finding] = []
  private var buffer: [UInt8] = []
  /// Whether pages that differ are kept, rather than reported.
  private let keepsPages: Bool
  private var kept: [(segment: RelationSegment, block: UInt32)] = []
  private var keptPages: [UInt8] = []

  /// An empty batch. With `keepsPages`, pages of relations that differ are kept for `forEachKeptPage`, and
  /// are no findings.
  init(keepsPages: Bool = false) {
    self.keepsPages = keepsPages
    buffer.reserveCapacity(PageRuns.byteCount)
    stored.reserveCapacity(PageRuns.pageCapacity)
  }

  /// One batch of the backup fills it.
  var isFull: Bool { backup != nil }

  func reset() {
    backup = nil
    stored.removeAll(keepingCapacity: true)
    differences = []
    buffer.removeAll(keepingCapacity: true)
    kept.removeAll(keepingCapacity: true)
    keptPages.removeAll(keepingCapacity: true)
  }

  /// Takes the pages of the backup; what is stored for each must follow.
  func take(_ pages: PageBatch) { backup = pages }

  func appendMissing() { stored.append(nil) }

  /// Adds what is stored for the next page, without the blob's header.
  func append(_ bytes: RawSpan, run: Int?, isCompressed: Bool, isWrapped: Bool) {
    let start = buffer.count
    buffer.append(bytes)
    stored.append(
      Stored(
        run: run, range: start..<buffer.count, isCompressed: isCompressed, isWrapped: isWrapped))
  }

  /// Compares every page, as it would be stored, with what is.
  func compare(with decoder: inout BlobDecoder) throws(Failure) {
    let buffer = buffer
    let stored = stored
    var page = 0
    var differences: [VerifySummary.Finding] = []
    var kept: [(segment: RelationSegment, block: UInt32)] = []
    var keptPages = exchange(&self.keptPages, with: [])
    func add(_ finding: VerifySummary.Finding, _ file: PageFile, _ block: UInt32, _ page: RawSpan) {
      guard keepsPages, case .relation(let segment, _) = file else {
        differences.append(finding)
        return
      }
      kept.append((segment, block))
      keptPages.append(page)
    }
    try backup?.pages.examinePages { file, block, bytes throws(Failure) in
      defer { page += 1 }
      guard let key = file.key(block: block).meaning else { return }
      guard let stored = stored[page] else {
        add(
          Self.finding(
            .pageNotInTimeline, key, "\(key.words) is not in the timeline", bytes, nil),
          file, block, bytes)
        return
      }
      do throws(FormatError) {
        let value = try decoder.decode(
          buffer.bytes.extracting(stored.range), isCompressed: stored.isCompressed,
          isWrapped: stored.isWrapped,
          limit: PageHeader.pageByteCount + DeltaValue.imageHeaderByteCount)
        guard !value.bytes.holdsSameBytes(as: bytes) else { return }
        add(
          Self.finding(
            .pageDiffers, key, "\(key.words) differs from the backup", bytes, value.bytes),
          file, block, bytes)
      } catch {
        add(
          Self.finding(.valueDamaged, key, "\(key.words): \(error.message)", bytes, nil), file,
          block, bytes)
      }
    }
    self.differences = differences
    self.kept = kept
    self.keptPages = keptPages
  }

  /// Lends every page that was kept.
  func forEachKeptPage(
    _ body: (RelationSegment, _ block: UInt32, RawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    let pages = keptPages
    for (index, (segment, block)) in kept.enumerated() {
      let start = index * PageHeader.pageByteCount
      try body(segment, block, pages.bytes.extracting(start..<start + PageHeader.pageByteCount))
    }
  }

  private static func finding(
    _ code: FindingCode, _ meaning: KeyMeaning, _ message: String, _ page: RawSpan,
    _ stored: RawSpan?
  ) -> VerifySummary.Finding {
    var finding = VerifySummary.Finding(
      code: code, message: message, file: meaning.file.path, block: meaning.file.block)
    // Pages of an SLRU have no LSN.
    guard case .relationBlock = meaning else { return finding }
    let backupLSN = PageHeader(page).lsn.description
    finding.backupLSN = backupLSN
    guard let stored, stored.byteCount == PageHeader.pageByteCount else {
      finding.message += " (LSN \(backupLSN) in the backup)"
      return finding
    }
    let timelineLSN = PageHeader(stored).lsn.description
    finding.timelineLSN = timelineLSN
    finding.message +=
      timelineLSN == backupLSN
      ? " (same LSN, different bytes)"
      : " (LSN \(backupLSN) in the backup, \(timelineLSN) in the timeline)"
    return finding
  }
}
