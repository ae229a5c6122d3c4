import LayerFormat
import PostgresFormat

/// The blobs of small files that are gathered for one L0, in the order of the backup.
///
/// ```
/// runs      key, pages, offset, bytes      40 bytes each, sorted by key when the L0 is written
/// memory    the first blobs, up to a limit
/// spool     the rest, in a file without a name
/// ```
struct ChunkSpool {
  private struct Run {
    var firstKey: Key
    var offset: UInt64
    var byteCount: UInt32
    var pageCount: UInt32
  }

  private let memoryLimit: Int
  private var runs: [Run] = []
  private var memory: [UInt8] = []
  private var spool: OutputFile?
  private var spooled: UInt64 = 0
  private var buffer: [UInt8] = []

  private static let bufferByteCount = 1 << 20
  /// The most runs that one chunk may have: with the L0's index the bound on its memory.
  private static let runLimit = 1 << 17
  private static let pageLimit = 1 << 19

  private(set) var pageCount = 0

  /// Holds up to `memoryLimit` bytes of blobs in memory.
  init(memoryLimit: Int) {
    self.memoryLimit = memoryLimit
    runs.reserveCapacity(Self.runLimit)  // memory that is not used costs nothing, moving it does
  }

  /// The bytes of the blobs that have been gathered.
  var byteCount: UInt64 { UInt64(memory.count) + spooled + UInt64(buffer.count) }

  var isEmpty: Bool { runs.isEmpty }

  /// Whether the index of an L0 with one run more might outgrow its share of the memory.
  var isCrowded: Bool { runs.count >= Self.runLimit || pageCount >= Self.pageLimit }

  /// Whether so many bytes more go to a spool that has not been opened yet.
  func needsSpool(for byteCount: Int) -> Bool {
    spool == nil && memory.count + byteCount > memoryLimit
  }

  /// Takes the file that is to hold what memory does not; its name goes at once.
  mutating func open(spool file: OutputFile) throws(ImportError) {
    try file.unlink()
    spool = file
  }

  /// Adds the blobs of consecutive blocks; opens no spool by itself.
  mutating func append(
    _ blobs: RawSpan, firstKey: Key, pageCount: Int
  ) throws(ImportError) {
    runs.append(
      Run(
        firstKey: firstKey, offset: byteCount, byteCount: UInt32(blobs.byteCount),
        pageCount: UInt32(pageCount)))
    self.pageCount += pageCount
    if spooled == 0 && buffer.isEmpty && memory.count + blobs.byteCount <= memoryLimit {
      memory.append(blobs)
      return
    }
    precondition(spool != nil, "the chunk's memory is full and it has no spool")
    if buffer.count + blobs.byteCount > Self.bufferByteCount { try flush() }
    buffer.append(blobs)
  }

  private mutating func flush() throws(ImportError) {
    try spool?.write(buffer.bytes, at: spooled)
    spooled += UInt64(buffer.count)
    buffer.removeAll(keepingCapacity: true)
  }

  /// Writes every blob, in key order, and empties the chunk.
  mutating func drain(into writer: inout LayerWriter) throws(ImportError) {
    try flush()
    runs.sort { $0.firstKey < $1.firstKey }
    var scratch: [UInt8] = []
    var end = Key.minimum
    for run in runs {
      // Runs overlap where a file stands twice; two of them may also lie in two chunks, so the
      // segment table has the last word on that.
      guard run.firstKey >= end else { throw Self.duplicate(run.firstKey) }
      let start = Int(run.offset)
      let next = start + Int(run.byteCount)
      if next <= memory.count {
        end = try Self.write(run, memory.bytes.extracting(start..<next), to: &writer)
      } else if let spool {
        if scratch.count < Int(run.byteCount) {
          scratch = [UInt8](repeating: 0, count: max(Int(run.byteCount), PageBatch.byteCount))
        }
        try spool.read(
          into: &scratch, count: Int(run.byteCount), at: run.offset - UInt64(memory.count))
        end = try Self.write(run, scratch.bytes.extracting(0..<Int(run.byteCount)), to: &writer)
      }
    }
    runs.removeAll(keepingCapacity: true)
    memory.removeAll(keepingCapacity: true)
    spooled = 0
    pageCount = 0
  }

  private static func duplicate(_ key: Key) -> ImportError {
    guard case .relationBlock(let relation, let block) = key.meaning else {
      return ImportError(.bug, "key \(key) stands twice in one chunk")
    }
    return SegmentTable.duplicate(
      RelationSegment(
        databaseID: relation.databaseID, relationNumber: relation.relationNumber,
        fork: relation.fork, segmentNumber: block / RelationSegment.blockCount))
  }

  /// Appends a run's blobs, and gives the key after its last.
  private static func write(
    _ run: Run, _ blobs: RawSpan, to writer: inout LayerWriter
  ) throws(ImportError) -> Key {
    var offset = 0
    var key = run.firstKey
    for _ in 0..<run.pageCount {
      let end: Int
      do throws(FormatError) {
        let (header, headerByteCount) = try BlobHeader.decode(blobs, at: offset)
        end = offset + headerByteCount + header.byteCount
      } catch {
        throw ImportError(error, in: "spool of small relations")
      }
      try writer.append(blobs.extracting(offset..<end), for: key)
      offset = end
      key = key.next
    }
    return key
  }
}
