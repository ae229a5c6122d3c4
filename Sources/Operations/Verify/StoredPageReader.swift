import Backup
import LayerFormat
import Pipeline
import PostgresFormat
import System
import Timeline

/// Finds what a timeline has stored for the pages of a backup, in the backup's order.
///
/// The pages of a file follow each other in their layer as well, so most of what is read is read
/// once and in large pieces. Belongs to one stage. Memory: 1 MiB.
struct StoredPageReader {
  private let timeline: Timeline
  private let placements: PlacementTable
  private var layer: (index: UInt32, file: LayerFile)?
  private var buffer = [UInt8](repeating: 0, count: LayerScanner.usualBufferByteCount)
  private var bufferOffset: UInt64 = 0
  private var filledByteCount = 0
  /// The page that the blob at `offset` is of.
  private var position: (run: Int, block: UInt32)?
  private var offset: UInt64 = 0

  init(_ timeline: Timeline, _ placements: PlacementTable) {
    self.timeline = timeline
    self.placements = placements
  }

  /// Takes pages until `backup` ends, and fills the batches of `feed` with them and what is stored.
  mutating func run(
    _ backup: Channel<PageBatch>, into feed: BatchFeed<ComparisonBatch>
  ) throws(Failure) {
    while let pages = try backup.receive() {
      let batch = try feed.open()
      batch.take(pages)
      for run in pages.pages.runs {
        for page in 0..<run.pageCount {
          try append(run.file.key(block: run.firstKey.field6 + UInt32(page)), to: batch)
        }
      }
      try feed.submit()
    }
  }

  private mutating func append(_ key: Key, to batch: ComparisonBatch) throws(Failure) {
    guard let (run, block) = placements.find(key) else { return batch.appendMissing() }
    let file = try open(placements.runs[run].layerIndex)
    if position?.run != run || (position?.block ?? 0) > block {
      position = (run, 0)
      offset = placements.runs[run].offset
    }
    while let passed = position?.block, passed < block {
      _ = try nextBlob(of: file)
      position = (run, passed + 1)
    }
    let (header, range) = try nextBlob(of: file)
    position = (run, block + 1)
    let buffer = buffer
    batch.append(
      buffer.bytes.extracting(range), run: run, isCompressed: header.isCompressed,
      isWrapped: !file.name.isImage)
  }

  private mutating func open(_ index: UInt32) throws(Failure) -> LayerFile {
    if let layer, layer.index == index { return layer.file }
    let file = try timeline.open(timeline.layers[Int(index)])
    layer = (index, file)
    filledByteCount = 0
    position = nil
    return file
  }

  /// The blob at `offset`, whose bytes stand in the buffer then; the offset moves behind it.
  private mutating func nextBlob(
    of file: LayerFile
  ) throws(Failure) -> (header: BlobHeader, range: Range<Int>) {
    try fill(BlobHeader.longByteCount, of: file)
    do throws(FormatError) {
      let (header, headerByteCount) = try BlobHeader.decode(
        buffer.bytes.extracting(0..<filledByteCount), at: Int(offset - bufferOffset))
      let byteCount = headerByteCount + header.byteCount
      // The walk has read it before, so only a file that changes meanwhile comes to this.
      guard byteCount <= buffer.count else { throw .damaged("a page's value is too long") }
      do throws(Failure) { try fill(byteCount, of: file) } catch {
        throw .damaged(error.message)
      }
      let start = Int(offset - bufferOffset)
      guard start + byteCount <= filledByteCount else { throw .damaged("it is cut off") }
      offset += UInt64(byteCount)
      return (header, start + headerByteCount..<start + byteCount)
    } catch {
      throw file.failure(error.message)
    }
  }

  private mutating func fill(_ count: Int, of file: LayerFile) throws(Failure) {
    let end = bufferOffset + UInt64(filledByteCount)
    guard filledByteCount == 0 || offset < bufferOffset || offset + UInt64(count) > end else {
      return
    }
    bufferOffset = offset
    filledByteCount = try file.read(into: &buffer, count: buffer.count, at: offset)
  }
}
