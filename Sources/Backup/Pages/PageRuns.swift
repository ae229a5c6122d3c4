import LayerFormat
import Pipeline
import PostgresFormat
import System

/// The pages of a batch, in runs, as they came and as blobs.
///
/// ```
/// runs      base/5/16384 blocks 0–61 ─┐        base/5/1259 blocks 0–1 ─┐
/// buffer    │hdr│page│hdr│page│ …     │        │hdr│value header│page│ …
///           └ slot ┘                           └ slot ───────────────┘
/// ```
///
/// Each page has a slot: room for the header of its blob, and for itself after that. The reader
/// puts it there, or, if it is in one piece in the input's buffer, leaves it there and keeps
/// the buffer. The compressor fills the slots from the front, so that a run's blobs are back to
/// back, just as in the file. One buffer serves for both.
package struct PageRuns {
  /// Where a page is that was left in the input's buffer.
  private struct LentPage {
    var lender: Int
    var offset: Int
  }

  /// How many pages fit: 1 MiB of them.
  package static let pageCapacity = 128
  /// The length of a page in bytes, 8192.
  package static let pageByteCount = PageHeader.pageByteCount

  /// How many of the input's buffers a batch may keep: as many as its pages lie in where they
  /// follow each other. (`ImportPlan.inputBufferCount`)
  private static let lenderLimit = 2

  /// The bytes of the slot of a small relation's page.
  static let largestSlotByteCount =
    BlobHeader.longByteCount + DeltaValue.imageHeaderByteCount + pageByteCount

  /// The memory that a batch takes, but for a few runs.
  package static let byteCount = pageCapacity * largestSlotByteCount

  /// How many runs fit: a batch of many small files ends here, one of empty files too.
  package static let runCapacity = 256

  /// The runs in the order of the backup.
  package private(set) var runs: [Run] = []
  /// How many pages all runs have together.
  package private(set) var pageCount = 0
  /// The length of each page's blob, its header included, once they are made.
  package private(set) var blobByteCounts = [Int](repeating: 0, count: pageCapacity)
  /// Pages in use that had no LSN and were given one.
  package private(set) var stampedPageCount = 0
  /// What the pages' checksums said.
  package private(set) var pageCheck: PageCheck
  /// The slots, and, once they are made, the blobs.
  package private(set) var buffer = [UInt8](repeating: 0, count: byteCount)
  private var usedByteCount = 0
  /// For each page where it is, if not in its slot.
  private var lentPages = [LentPage?](repeating: nil, count: pageCapacity)
  private var lenders: [LentBuffer] = []

  /// An empty batch; with `checksPages` it looks at the checksums of its pages.
  package init(checksPages: Bool) { pageCheck = PageCheck(isEnabled: checksPages) }

  /// Whether no more pages or no more runs fit.
  package var isFull: Bool { pageCount == Self.pageCapacity || runs.count == Self.runCapacity }

  /// Drops all runs and releases the input's buffers; the slots' memory is kept.
  package mutating func reset() {
    pageCheck.reset()
    runs.removeAll(keepingCapacity: true)
    pageCount = 0
    stampedPageCount = 0
    usedByteCount = 0
    lenders.removeAll(keepingCapacity: true)
  }

  // MARK: Reader

  /// Begins a run of pages of a file, whose CRC-32C is made where `isSummed` is true; there must be
  /// room.
  ///
  /// - Parameter mayHoldColumns: whether to look for columns that are marked.
  package mutating func beginRun(
    of file: PageFile, at block: UInt32, isSummed: Bool = false, mayHoldColumns: Bool = false
  ) {
    precondition(!isFull)
    runs.append(
      Run(
        file: file, firstKey: file.key(block: block), pageCount: 0, endsFile: false,
        bufferStart: usedByteCount, checksum: isSummed ? CRC32C() : nil,
        mayHoldColumns: mayHoldColumns))
  }

  /// How many pages more fit.
  var freePageCount: Int { Self.pageCapacity - pageCount }

  /// Whether pages of the last run may stay in the input's buffers: those of small relations may
  /// not, for what is compressed of them begins with a header.
  var takesLentPages: Bool {
    runs[runs.count - 1].file.isInImageLayer && lenders.count < Self.lenderLimit
  }

  /// Adds the pages in `range` of a buffer to the last run, and keeps the buffer.
  package mutating func append(_ range: Range<Int>, of lender: LentBuffer) {
    precondition(takesLentPages && range.count <= freePageCount * Self.pageByteCount)
    if lenders.last !== lender { lenders.append(lender) }
    var page = pageCount
    for offset in stride(from: range.lowerBound, to: range.upperBound, by: Self.pageByteCount) {
      lentPages[page] = LentPage(lender: lenders.count - 1, offset: offset)
      page += 1
    }
    addPages(page - pageCount)
  }

  /// Lends the next page's place in the last run to `fill`.
  package mutating func append(
    _ fill: (inout MutableRawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    precondition(pageCount < Self.pageCapacity)
    let slot = usedByteCount..<usedByteCount + runs[runs.count - 1].slotByteCount
    try buffer.withMutableBytes { bytes throws(Failure) in
      if slot.count == Self.largestSlotByteCount {
        DeltaValue.storeImageHeader(
          byteCount: Self.pageByteCount, in: &bytes,
          at: slot.lowerBound + BlobHeader.longByteCount)
      }
      var page = bytes._mutatingExtracting(
        slot.upperBound - Self.pageByteCount..<slot.upperBound)
      try fill(&page)
    }
    lentPages[pageCount] = nil
    addPages(1)
  }

  private mutating func addPages(_ count: Int) {
    let run = runs.count - 1
    usedByteCount += count * runs[run].slotByteCount
    runs[run].pageCount += count
    pageCount += count
  }

  mutating func endFile() {
    runs[runs.count - 1].endsFile = true
  }

  // MARK: Worker

  /// Examines every page, gives an LSN to those that lack one, and makes the blobs of those that are in
  /// the `shards`; the others have none.
  ///
  /// The input's buffers are released then: the reader may wait for them.
  package mutating func makeBlobs(
    with compressor: inout some PageBlobMaker & ~Copyable,
    of shards: ShardSelection = ShardSelection(all: .unsharded)
  ) throws(Failure) {
    // Taken out, so that its bytes can be lent while the rest changes.
    var buffer = exchange(&self.buffer, with: [])
    defer { self.buffer = buffer }
    try buffer.withMutableBytes { bytes throws(Failure) in
      var page = 0
      for index in runs.indices {
        var run = runs[index]
        try makeBlobs(
          of: &run, firstPage: page, in: &bytes, with: &compressor,
          shards.isPartial ? shards : nil)
        page += run.pageCount
        runs[index] = run
      }
    }
    lenders.removeAll(keepingCapacity: true)
  }

  private mutating func makeBlobs(
    of run: inout Run, firstPage: Int, in bytes: inout MutableRawSpan,
    with compressor: inout some PageBlobMaker & ~Copyable, _ shards: ShardSelection?
  ) throws(Failure) {
    var slot = run.bufferStart..<run.bufferStart + run.slotByteCount
    var target = run.bufferStart
    for index in 0..<run.pageCount {
      let byteCount: Int
      let isWanted = shards.map { run.isWanted(index, in: $0) } ?? true
      if let lent = lentPages[firstPage + index] {
        let range = lent.offset..<lent.offset + Self.pageByteCount
        byteCount = try lenders[lent.lender].withMutableBytes(range) { page throws(Failure) in
          let (isZero, isStamped) = examine(&page, of: &run, at: index)
          let byteCount =
            !isWanted
            ? 0
            : isZero
              ? try compressor.makeBlobOfZeros(in: &bytes, at: target)
              : try compressor.makeBlob(of: page.bytes, in: &bytes, at: target)
          // Now that the page is in the processor's cache.
          if !isStamped { run.checksum?.update(page.bytes) }
          return byteCount
        }
      } else {
        var page = bytes._mutatingExtracting(
          slot.upperBound - Self.pageByteCount..<slot.upperBound)
        let (_, isStamped) = examine(&page, of: &run, at: index)
        if !isStamped { run.checksum?.update(page.bytes) }
        byteCount =
          isWanted ? try compressor.makeBlob(in: &bytes, slot: slot, target: target) : 0
      }
      blobByteCounts[firstPage + index] = byteCount
      target += byteCount
      slot = slot.upperBound..<slot.upperBound + slot.count
    }
    run.storedByteCount = target - run.bufferStart
  }

  /// Examines every page as `makeBlobs` does, and lends each to `body` with its file and block.
  ///
  /// The input's buffers are released then, as there; this can be done once.
  package mutating func examinePages(
    _ body: (PageFile, _ block: UInt32, RawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    var buffer = exchange(&self.buffer, with: [])  // as in `makeBlobs`
    defer { self.buffer = buffer }
    var firstPage = 0
    for runIndex in runs.indices {
      var run = runs[runIndex]
      for index in 0..<run.pageCount {
        func lend(_ page: inout MutableRawSpan) throws(Failure) {
          _ = examine(&page, of: &run, at: index)
          try body(run.file, run.firstKey.field6 + UInt32(index), page.bytes)
        }
        if let lent = lentPages[firstPage + index] {
          let range = lent.offset..<lent.offset + Self.pageByteCount
          try lenders[lent.lender].withMutableBytes(range) { page throws(Failure) in
            try lend(&page)
          }
        } else {
          let end = run.bufferStart + (index + 1) * run.slotByteCount
          try buffer.withMutableBytes { bytes throws(Failure) in
            var page = bytes._mutatingExtracting(end - Self.pageByteCount..<end)
            try lend(&page)
          }
        }
      }
      firstPage += run.pageCount
      runs[runIndex] = run
    }
    lenders.removeAll(keepingCapacity: true)
  }

  /// Looks at the page at `index` of a run, and gives it an LSN if it needs one; it is summed up
  /// before that then, else that is left to the caller.
  private mutating func examine(
    _ page: inout MutableRawSpan, of run: inout Run, at index: Int
  ) -> (isZero: Bool, isStamped: Bool) {
    guard case .relation(let segment, _) = run.file else { return (false, false) }
    let header = PageHeader(page.bytes)
    let isZero = !header.isInUse && page.bytes.isZero
    let block = run.firstKey.field6 + UInt32(index)
    pageCheck.examine(page.bytes, header, isZero: isZero, of: segment, block: block)
    if run.mayHoldColumns, !run.hasMarkedColumns {
      run.hasMarkedColumns = ColumnMark.isSet(on: page.bytes)
    }
    if header.lsn > run.highestLSN {
      run.highestLSN = header.lsn
      run.highestLSNBlock = block
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

/// What makes of a page what is stored for it: compression, which a batch knows nothing of.
package protocol PageBlobMaker: ~Copyable {
  /// Makes a blob of the value that follows the room for a header in `slot`, and puts it at `target`,
  /// at the slot's start or before it; gives its length.
  mutating func makeBlob(
    in bytes: inout MutableRawSpan, slot: Range<Int>, target: Int
  ) throws(Failure) -> Int

  /// Makes a blob of a value that is elsewhere, at `target`; gives its length.
  mutating func makeBlob(
    of value: RawSpan, in bytes: inout MutableRawSpan, at target: Int
  ) throws(Failure) -> Int

  /// Makes a blob of a page of zeros, at `target`; gives its length.
  mutating func makeBlobOfZeros(
    in bytes: inout MutableRawSpan, at target: Int
  ) throws(Failure) -> Int
}
