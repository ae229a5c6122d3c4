import LayerFormat
import PostgresFormat

/// Pages on their way from the tar to a layer, a fixed number of them at once.
///
/// ```
/// runs      base/5/16384 blocks 0–61 ─┐        base/5/1259 blocks 0–1 ─┐
/// buffer    │hdr│page│hdr│page│ …     │        │hdr│value header│page│ …
///           └ slot ┘                           └ slot ───────────────┘
/// ```
///
/// Each page has a slot: room for the header of its blob, and for itself behind that. The reader
/// puts it there, or, where it lies in one piece in the input's buffer, leaves it there and keeps
/// the buffer. The compressor fills the slots from the front, so that a run's blobs stand back to
/// back, just as in the file. One buffer serves for both.
final class PageBatch: PipelineBatch, @unchecked Sendable {
  // Invariant: a batch belongs to one stage at a time (reader, worker, writer); it changes hands
  // through a channel, whose lock orders the accesses.

  /// Pages of one file that stand in one batch.
  struct Run {
    /// What the pages belong to.
    var file: PageFile
    /// The key of the first page.
    var firstKey: Key
    var pageCount: Int
    /// Whether the file's last page is in this run, or it has none at all.
    var endsFile: Bool
    /// Where the run's slots begin, and, once compressed, its blobs.
    var bufferStart: Int
    /// The bytes of all blobs; 0 until they are made.
    var storedByteCount = 0
    /// The highest LSN that a page bears, and the block that bears it.
    var highestLSN = LogSequenceNumber(rawValue: 0)
    var highestLSNBlock: UInt32 = 0
    /// The CRC-32C of the pages as they came, if anyone wants to know.
    var checksum: CRC32C?

    /// Where the run's blobs stand in the buffer, back to back.
    var blobs: Range<Int> { bufferStart..<bufferStart + storedByteCount }
  }

  /// Where a page is that was left in the input's buffer.
  private struct LentPage {
    var lender: Int
    var offset: Int
  }

  static let pageCapacity = 64
  static let pageByteCount = 8192

  /// How many of the input's buffers a batch may keep: as many as its pages lie in where they
  /// follow each other.
  private static let lenderLimit = 2

  private static let largestSlotByteCount =
    BlobHeader.longByteCount + DeltaValue.imageHeaderByteCount + pageByteCount

  /// The memory that a batch takes, but for a few runs.
  static let byteCount = pageCapacity * largestSlotByteCount

  /// How many runs fit: a batch of many small files ends here, one of empty files too.
  static let runCapacity = 256

  /// The place of the batch in the order of the backup.
  var sequence = 0
  private(set) var runs: [Run] = []
  private(set) var pageCount = 0
  /// The length of each page's blob, its header included, once they are made.
  private(set) var blobByteCounts = [Int](repeating: 0, count: pageCapacity)
  private(set) var stampedPageCount = 0
  /// What the pages' checksums said.
  private(set) var pageCheck: PageCheck
  /// The slots, and, once they are made, the blobs.
  private(set) var buffer = [UInt8](repeating: 0, count: byteCount)
  private var usedByteCount = 0
  /// For each page where it is, if not in its slot.
  private var lentPages = [LentPage?](repeating: nil, count: pageCapacity)
  private var lenders: [LentBuffer] = []

  var isFull: Bool { pageCount == Self.pageCapacity || runs.count == Self.runCapacity }
  var isEmpty: Bool { runs.isEmpty }

  /// An empty batch, which looks at the checksums of its pages where `checksPages` is true.
  init(checksPages: Bool = false) { pageCheck = PageCheck(isEnabled: checksPages) }

  func reset() {
    pageCheck.reset()
    runs.removeAll(keepingCapacity: true)
    pageCount = 0
    stampedPageCount = 0
    usedByteCount = 0
    lenders.removeAll(keepingCapacity: true)
  }

  // MARK: Reader

  /// Begins a run of pages of a file, whose CRC-32C is made where `isSummed` is true; the batch must
  /// not be full.
  func beginRun(of file: PageFile, at block: UInt32, isSummed: Bool = false) {
    precondition(!isFull)
    runs.append(
      Run(
        file: file, firstKey: file.key(block: block), pageCount: 0, endsFile: false,
        bufferStart: usedByteCount, checksum: isSummed ? CRC32C() : nil))
  }

  /// How many pages more fit.
  var freePageCount: Int { Self.pageCapacity - pageCount }

  /// Whether pages of the last run may stay in the input's buffers: those of small relations may
  /// not, for what is compressed of them begins with a header.
  var takesLentPages: Bool {
    runs[runs.count - 1].file.isInImageLayer && lenders.count < Self.lenderLimit
  }

  /// Adds the pages in `range` of a buffer to the last run, and keeps the buffer.
  func appendPages(in range: Range<Int>, of lender: LentBuffer) {
    precondition(takesLentPages && range.count <= freePageCount * Self.pageByteCount)
    if lenders.last !== lender { lenders.append(lender) }
    for offset in stride(from: range.lowerBound, to: range.upperBound, by: Self.pageByteCount) {
      lentPages[pageCount] = LentPage(lender: lenders.count - 1, offset: offset)
      usedByteCount += slotByteCount(of: runs[runs.count - 1])
      runs[runs.count - 1].pageCount += 1
      pageCount += 1
    }
  }

  /// Lends the next page's place in the last run to `fill`.
  func appendPage(
    _ fill: (inout MutableRawSpan) throws(ImportError) -> Void
  ) throws(ImportError) {
    precondition(pageCount < Self.pageCapacity)
    let slot = slotByteCount(of: runs[runs.count - 1])
    let value = usedByteCount + BlobHeader.longByteCount
    usedByteCount += slot
    let end = usedByteCount
    try buffer.withMutableBytes { bytes throws(ImportError) in
      if slot == Self.largestSlotByteCount {
        DeltaValue.storeImageHeader(byteCount: Self.pageByteCount, in: &bytes, at: value)
      }
      var page = bytes._mutatingExtracting(end - Self.pageByteCount..<end)
      try fill(&page)
    }
    lentPages[pageCount] = nil
    runs[runs.count - 1].pageCount += 1
    pageCount += 1
  }

  func endFile() {
    runs[runs.count - 1].endsFile = true
  }

  private func slotByteCount(of run: Run) -> Int {
    run.file.isInImageLayer
      ? Self.largestSlotByteCount - DeltaValue.imageHeaderByteCount : Self.largestSlotByteCount
  }

  // MARK: Worker

  /// Examines every page, gives an LSN to those that lack one, and makes the blobs.
  ///
  /// The input's buffers are let go then.
  func makeBlobs(with compressor: inout PageCompressor) throws(ImportError) {
    try buffer.withMutableBytes { bytes throws(ImportError) in
      try makeBlobs(in: &bytes, with: &compressor)
    }
    lenders.removeAll(keepingCapacity: true)
  }

  private func makeBlobs(
    in bytes: inout MutableRawSpan, with compressor: inout PageCompressor
  ) throws(ImportError) {
    var page = 0
    for index in runs.indices {
      let slotByteCount = slotByteCount(of: runs[index])
      var source = runs[index].bufferStart
      var target = source
      for block in 0..<runs[index].pageCount {
        let slot = source..<source + slotByteCount
        let byteCount: Int
        if let lent = lentPages[page] {
          let range = lent.offset..<lent.offset + Self.pageByteCount
          byteCount = try lenders[lent.lender].withMutableBytes(range) { page throws(ImportError) in
            let (isZero, isStamped) = examinePage(&page, run: &runs[index], block: block)
            let byteCount =
              isZero
              ? try compressor.makeBlobOfZeros(in: &bytes, at: target)
              : try compressor.makeBlob(of: page.bytes, in: &bytes, at: target)
            // Now that the page is in the processor's cache.
            if !isStamped { runs[index].checksum?.update(page.bytes) }
            return byteCount
          }
        } else {
          var page = bytes._mutatingExtracting(
            slot.upperBound - Self.pageByteCount..<slot.upperBound)
          let (_, isStamped) = examinePage(&page, run: &runs[index], block: block)
          if !isStamped { runs[index].checksum?.update(page.bytes) }
          byteCount = try compressor.makeBlob(in: &bytes, slot: slot, target: target)
        }
        blobByteCounts[page] = byteCount
        target += byteCount
        source = slot.upperBound
        page += 1
      }
      runs[index].storedByteCount = target - runs[index].bufferStart
    }
  }

  /// Examines every page as `makeBlobs` does, and lends each to `body` with its file and block.
  func examinePages(
    _ body: (PageFile, _ block: UInt32, RawSpan) throws(ImportError) -> Void
  ) throws(ImportError) {
    var page = 0
    for index in runs.indices {
      let slotByteCount = slotByteCount(of: runs[index])
      for block in 0..<runs[index].pageCount {
        let end = runs[index].bufferStart + (block + 1) * slotByteCount
        try withPage(page, at: end - Self.pageByteCount) { bytes throws(ImportError) in
          examinePage(&bytes, run: &runs[index], block: block)
          try body(
            runs[index].file, runs[index].firstKey.field6 + UInt32(block), bytes.bytes)
        }
        page += 1
      }
    }
  }

  private func withPage(
    _ page: Int, at offset: Int, _ body: (inout MutableRawSpan) throws(ImportError) -> Void
  ) throws(ImportError) {
    if let lent = lentPages[page] {
      try lenders[lent.lender].withMutableBytes(
        lent.offset..<lent.offset + Self.pageByteCount, body)
    } else {
      try buffer.withMutableBytes { bytes throws(ImportError) in
        var page = bytes._mutatingExtracting(offset..<offset + Self.pageByteCount)
        try body(&page)
      }
    }
  }

  /// Looks at a page, and gives it an LSN where it needs one; it is summed up before that then, else
  /// that is left to the caller.
  @discardableResult
  private func examinePage(
    _ page: inout MutableRawSpan, run: inout Run, block: Int
  ) -> (isZero: Bool, isStamped: Bool) {
    guard case .relation(let segment, _) = run.file else { return (false, false) }
    let header = PageHeader(page.bytes)
    let isZero = !header.isInUse && page.bytes.isZero
    pageCheck.examine(page.bytes, header, isZero: isZero, of: run, at: block)
    if header.lsn > run.highestLSN {
      run.highestLSN = header.lsn
      run.highestLSNBlock = run.firstKey.field6 + UInt32(block)
    } else if header.lsn.rawValue == 0, segment.fork == .main, header.isInUse {
      run.checksum?.update(page.bytes)
      // `pd_lsn` is two little-endian halves, the upper one first.
      let lsn = PageHeader.bootstrapLSN.rawValue
      page.storeBigEndian(UInt32(truncatingIfNeeded: lsn >> 32).byteSwapped, at: 0)
      page.storeBigEndian(UInt32(truncatingIfNeeded: lsn).byteSwapped, at: 4)
      stampedPageCount += 1
      return (false, true)
    }
    return (isZero, false)
  }
}

/// A file of the backup that consists of pages.
enum PageFile: Sendable {
  case relation(RelationSegment, isInImageLayer: Bool)
  case slru(SLRUKind, segment: UInt32)

  var isInImageLayer: Bool {
    if case .relation(_, let isInImageLayer) = self { return isInImageLayer }
    return false
  }

  /// The key of a block, counted from the fork's or the SLRU segment's first.
  func key(block: UInt32) -> Key {
    switch self {
    case .relation(let segment, _): Key(segment.relation, block: block)
    case .slru(let kind, let segment): Key(.slruBlock(kind, segment: segment, block: block))
    }
  }
}

extension RelationSegment {
  /// The fork that the segment is a part of.
  var relation: RelationForkID {
    RelationForkID(databaseID: databaseID, relationNumber: relationNumber, fork: fork)
  }
}
