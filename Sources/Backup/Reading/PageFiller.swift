import Pipeline
import PostgresFormat
import System

/// Puts the pages of a backup's members into batches.
package struct PageFiller {
  private let source: any BackupSource
  private let feed: BatchFeed<PageBatch>

  /// Fills the batches of `feed` with pages of the current member of `source`.
  package init(_ source: any BackupSource, into feed: BatchFeed<PageBatch>) {
    self.source = source
    self.feed = feed
  }

  /// Takes all pages of the current member; `check` gets its bytes.
  ///
  /// A file without pages still makes a run, for it exists. The CRC-32C of a relation's pages is
  /// left to those who compress them, for whom the page is in the processor's cache; not that of a file
  /// that ends within a page, of which `check` alone gets what is behind the last whole one.
  package func fill(
    _ pages: MemberIntake.Pages, of member: BackupMember, _ check: ManifestCheck?
  ) throws(Failure) {
    let pageCount = UInt32(member.byteCount / UInt64(PageRuns.pageByteCount))
    var contentsCheck = check
    var isSummed = false
    if let check, case .relation = pages.file, member.endsAtPage, check.leaveSegment() {
      contentsCheck = nil
      isSummed = true
    }
    var done: UInt32 = 0
    repeat {
      let batch = try feed.open()
      batch.pages.beginRun(
        of: pages.file, at: pages.firstBlock + done, isSummed: isSummed,
        mayHoldColumns: pages.mayHoldColumns)
      while done < pageCount && !batch.isFull {
        if let contents = pages.contents {
          try Self.appendPage(done, of: contents, to: batch, contentsCheck)
          done += 1
        } else {
          done += try readPages(into: batch, contentsCheck)
        }
      }
      if done == pageCount { batch.pages.endFile() }
    } while done < pageCount
    if let contentsCheck {
      try readRest(of: member, contentsCheck)
      try contentsCheck.end()
    }
  }

  /// Shows what is behind the last whole page to `check`.
  private func readRest(of member: BackupMember, _ check: ManifestCheck) throws(Failure) {
    guard !member.endsAtPage else { return }
    var bytes = [UInt8](repeating: 0, count: Int(member.byteCount - member.wholePagesByteCount))
    let count = try bytes.withMutableBytes { bytes throws(Failure) in
      try source.read(into: &bytes)
    }
    precondition(count == bytes.count, "a source ends a member at its size")
    check.update(bytes.bytes)
  }

  private static func appendPage(
    _ index: UInt32, of contents: [UInt8], to batch: PageBatch, _ check: ManifestCheck?
  ) throws(Failure) {
    let start = Int(index) * PageRuns.pageByteCount
    let bytes = contents.bytes.extracting(start..<start + PageRuns.pageByteCount)
    try batch.pages.append { page in page.copy(bytes, to: 0) }
    check?.update(bytes)
  }

  /// Adds the next page of the current member to the batch, or as many as are in one piece where
  /// they were read; returns how many.
  private func readPages(
    into batch: PageBatch, _ check: ManifestCheck?
  ) throws(Failure) -> UInt32 {
    let pageByteCount = PageRuns.pageByteCount
    if batch.pages.takesLentPages,
      let (buffer, range) = try source.borrow(
        unitsOf: pageByteCount, limit: batch.pages.freePageCount)
    {
      if let check { buffer.withMutableBytes(range) { check.update($0.bytes) } }
      batch.pages.append(range, of: buffer)
      return UInt32(range.count / pageByteCount)
    }
    try batch.pages.append { page throws(Failure) in
      let count = try source.read(into: &page)
      precondition(count == page.byteCount, "a source ends a member at its size")
      check?.update(page.bytes)
    }
    return 1
  }
}
