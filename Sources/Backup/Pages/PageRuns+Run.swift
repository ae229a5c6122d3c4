import LayerFormat
import PostgresFormat

extension PageRuns {
  /// Pages of one file that are in one batch.
  package struct Run {
    /// What the pages belong to.
    package var file: PageFile
    /// The key of the first page.
    package var firstKey: Key
    /// The number of pages in the run; 0 for a file without pages.
    package var pageCount: Int
    /// Whether the file's last page is in this run, or it has none at all.
    package var endsFile: Bool
    /// Where the run's slots begin, and, once compressed, its blobs.
    var bufferStart: Int
    /// The bytes of all blobs; 0 until they are made.
    package var storedByteCount = 0
    /// The highest LSN of a page, and the block that has it.
    package var highestLSN = LogSequenceNumber(rawValue: 0)
    var highestLSNBlock: UInt32 = 0
    /// The CRC-32C of the pages as they came, if anyone wants to know.
    package var checksum: CRC32C?
    /// Whether the file may be one of `pg_attribute`, and so is looked through for marked columns.
    var mayHoldColumns = false
    /// Whether a column with `ColumnMark` was found.
    var hasMarkedColumns = false

    /// The relation, if marked columns were found in it.
    package var markedRelation: RelationForkID? {
      guard hasMarkedColumns, case .relation(let segment, _) = file else { return nil }
      return segment.relation
    }

    /// Where the run's blobs are in the buffer, back to back.
    package var blobs: Range<Int> { bufferStart..<bufferStart + storedByteCount }

    /// Whether the page at an index is in one of the shards.
    func isWanted(_ index: Int, in shards: ShardSelection) -> Bool {
      guard case .relation(let segment, _) = file else {
        return shards.position(ofShard: 0) != nil
      }
      return shards.position(of: segment.relation, block: firstKey.field6 + UInt32(index)) != nil
    }

    /// The bytes of each slot: one for an image layer has no room for a value's header.
    var slotByteCount: Int {
      file.isInImageLayer
        ? PageRuns.largestSlotByteCount - DeltaValue.imageHeaderByteCount
        : PageRuns.largestSlotByteCount
    }
  }
}

extension SegmentTable {
  /// Adds the next run of pages of the backup, whose pages have been examined; or of changed pages, of
  /// which no run ends its file.
  package mutating func add(_ run: PageRuns.Run) {
    if case .relation(let segment, _) = run.file {
      add(
        segment, blockCount: UInt32(run.pageCount), highestLSN: run.highestLSN,
        block: run.highestLSNBlock, checksum: run.checksum?.value ?? 0,
        isNew: isAtFileStart || segment != last)
    }
    isAtFileStart = run.endsFile
  }
}
