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
/// The reader puts each page behind room for the header of its blob; the compressor shrinks every
/// slot towards the front, so that a run's blobs stand back to back, just as in the file. One
/// buffer serves for both.
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

    /// Where the run's blobs stand in the buffer, back to back.
    var blobs: Range<Int> { bufferStart..<bufferStart + storedByteCount }
  }

  static let pageCapacity = 64
  static let pageByteCount = 8192
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
  }

  // MARK: Reader

  /// Begins a run of pages of a file; the batch must not be full.
  func beginRun(of file: PageFile, at block: UInt32) {
    precondition(!isFull)
    runs.append(
      Run(
        file: file, firstKey: file.key(block: block), pageCount: 0, endsFile: false,
        bufferStart: usedByteCount))
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
  func makeBlobs(with compressor: inout PageCompressor) throws(ImportError) {
    try buffer.withMutableBytes { bytes throws(ImportError) in
      try makeBlobs(in: &bytes, with: &compressor)
    }
  }

  private func makeBlobs(
    in bytes: inout MutableRawSpan, with compressor: inout PageCompressor
  ) throws(ImportError) {
    var page = 0
    for index in runs.indices {
      let slot = slotByteCount(of: runs[index])
      var source = runs[index].bufferStart
      var target = source
      for block in 0..<runs[index].pageCount {
        examinePage(
          in: &bytes, at: source + slot - Self.pageByteCount, run: &runs[index], block: block)
        let byteCount = try compressor.makeBlob(
          in: &bytes, slot: source..<source + slot, target: target)
        blobByteCounts[page] = byteCount
        target += byteCount
        source += slot
        page += 1
      }
      runs[index].storedByteCount = target - runs[index].bufferStart
    }
  }

  /// Examines every page as `makeBlobs` does, and lends each to `body` with its file and block.
  func examinePages(
    _ body: (PageFile, _ block: UInt32, RawSpan) throws(ImportError) -> Void
  ) throws(ImportError) {
    try buffer.withMutableBytes { bytes throws(ImportError) in
      for index in runs.indices {
        let slot = slotByteCount(of: runs[index])
        for block in 0..<runs[index].pageCount {
          let end = runs[index].bufferStart + (block + 1) * slot
          let start = end - Self.pageByteCount
          examinePage(in: &bytes, at: start, run: &runs[index], block: block)
          try body(
            runs[index].file, runs[index].firstKey.field6 + UInt32(block),
            bytes.bytes.extracting(start..<end))
        }
      }
    }
  }

  private func examinePage(
    in bytes: inout MutableRawSpan, at offset: Int, run: inout Run, block: Int
  ) {
    guard case .relation(let segment, _) = run.file else { return }
    let header = PageHeader(bytes.bytes, at: offset)
    pageCheck.examine(
      bytes.bytes.extracting(offset..<offset + Self.pageByteCount), header, of: run, at: block)
    if header.lsn > run.highestLSN {
      run.highestLSN = header.lsn
      run.highestLSNBlock = run.firstKey.field6 + UInt32(block)
    } else if header.lsn.rawValue == 0, segment.fork == .main, header.isInUse {
      // `pd_lsn` is two little-endian halves, the upper one first.
      let lsn = PageHeader.bootstrapLSN.rawValue
      bytes.storeBigEndian(UInt32(truncatingIfNeeded: lsn >> 32).byteSwapped, at: offset)
      bytes.storeBigEndian(UInt32(truncatingIfNeeded: lsn).byteSwapped, at: offset + 4)
      stampedPageCount += 1
    }
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
