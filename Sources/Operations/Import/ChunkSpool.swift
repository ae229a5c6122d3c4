import Backup
import LayerFormat
import PostgresFormat
import System
import Timeline

/// The blobs of small files that are gathered for one L0 of each shard, in the order of the backup.
///
/// ```
/// runs      key, shard, checksum, offset, bytes, pages   40 bytes each, sorted for the L0s
/// memory    the first blobs, up to a limit
/// spool     the rest, in a file without a name
/// ```
///
/// The spool is never synced, and a disk that fails to take it tells nobody: what is read back must
/// have the checksum of what was written.
final class ChunkSpool: @unchecked Sendable {
  // Invariant: a spool belongs to one stage at a time, the one that fills it or the one that drains
  // it; it changes hands through a channel, whose lock orders the accesses.

  private struct Run {
    var firstKey: Key
    var shard: UInt8
    /// The CRC-32C of the blobs if they are in the spool, else 0.
    var checksum: UInt32
    var offset: UInt64
    var byteCount: UInt32
    var pageCount: UInt32

    var endKey: Key { (0..<pageCount).reduce(firstKey) { key, _ in key.next } }
  }

  private let memoryLimit: Int
  private var runs: [Run] = []
  private var memory: [UInt8] = []
  private var spool: OutputFile?
  private var spooled: UInt64 = 0
  private var buffer: [UInt8] = []

  private static let bufferByteCount = 1 << 20
  /// The most runs that one chunk may have, and the most pages of one shard: with an L0's index the
  /// bound on its memory.
  private static let runLimit = 1 << 17
  private static let pageLimit = 1 << 19

  /// What has been gathered for each shard.
  private var shares: [Share]

  private struct Share {
    var pageCount = 0
    var byteCount: UInt64 = 0
  }

  /// Holds up to `memoryLimit` bytes of blobs in memory.
  init(memoryLimit: Int, shardCount: Int = 1) {
    self.memoryLimit = memoryLimit
    shares = Array(repeating: Share(), count: shardCount)
    runs.reserveCapacity(Self.runLimit)  // memory that is not used costs nothing, moving it does
  }

  /// The bytes of the blobs that have been gathered.
  var byteCount: UInt64 { UInt64(memory.count) + spooled + UInt64(buffer.count) }

  var isEmpty: Bool { runs.isEmpty }

  /// Whether a shard has gathered `chunkSize` bytes, or the index of an L0 with one run more might
  /// outgrow its share of the memory.
  func isFull(_ chunkSize: UInt64) -> Bool {
    shares.contains {
      $0.byteCount >= chunkSize || Self.isCrowded(runCount: runs.count, pageCount: $0.pageCount)
    }
  }

  /// The shards for which something has been gathered.
  var shards: [Int] { shares.indices.filter { shares[$0].pageCount > 0 } }

  /// The same of a chunk that has so many runs and pages.
  static func isCrowded(runCount: Int, pageCount: Int) -> Bool {
    runCount >= runLimit || pageCount >= pageLimit
  }

  /// Whether so many bytes more go to a spool that has not been opened yet.
  func needsSpool(for byteCount: Int) -> Bool {
    spool == nil && memory.count + byteCount > memoryLimit
  }

  /// Takes the file that is to hold what memory does not; its name goes at once.
  func open(spool file: OutputFile) throws(Failure) {
    try file.unlink()
    spool = file
  }

  /// Adds the blobs of consecutive blocks; opens no spool by itself.
  func append(
    _ blobs: RawSpan, firstKey: Key, pageCount: Int, shard: Int = 0
  ) throws(Failure) {
    let isKept =
      spooled == 0 && buffer.isEmpty && memory.count + blobs.byteCount <= memoryLimit
    runs.append(
      Run(
        firstKey: firstKey, shard: UInt8(shard), checksum: isKept ? 0 : CRC32C.checksum(of: blobs),
        offset: byteCount,
        byteCount: UInt32(blobs.byteCount), pageCount: UInt32(pageCount)))
    shares[shard].pageCount += pageCount
    shares[shard].byteCount += UInt64(blobs.byteCount)
    if isKept { return memory.append(blobs) }
    precondition(spool != nil, "the chunk's memory is full and it has no spool")
    if buffer.count + blobs.byteCount > Self.bufferByteCount { try flush() }
    buffer.append(blobs)
  }

  private func flush() throws(Failure) {
    do {
      let buffer = buffer  // a span cannot outlive the access to a class' property
      try spool?.write(buffer.bytes, at: spooled)
    }
    spooled += UInt64(buffer.count)
    buffer.removeAll(keepingCapacity: true)
  }

  /// Writes every blob, in key order: those of each of `shards` to the next of `layers`, which
  /// `finish` gets then. Empties the chunk; what it has allocated stays.
  ///
  /// Runs that follow one another in both orders are read and written at once.
  func drain(
    into layers: [ChunkLayer], finish: (FinishedLayer) throws(Failure) -> Void
  ) throws(Failure) {
    try flush()
    runs.sort { ($0.shard, $0.firstKey) < ($1.shard, $1.firstKey) }
    var start = 0
    for layer in layers {
      let shard = runs[start].shard
      let end = runs[start...].firstIndex { $0.shard != shard } ?? runs.count
      var writer = layer.writer
      try writeRuns(start..<end, memory: memory, to: &writer)
      try finish(try writer.finish(as: layer.name))
      start = end
    }
    precondition(start == runs.count, "a shard has runs and no layer")
    runs.removeAll(keepingCapacity: true)
    memory.removeAll(keepingCapacity: true)
    buffer.removeAll(keepingCapacity: true)
    spooled = 0
    for shard in shares.indices { shares[shard] = Share() }
  }

  private func writeRuns(
    _ range: Range<Int>, memory: [UInt8], to writer: inout LayerWriter
  ) throws(Failure) {
    var end = Key.minimum
    var index = range.lowerBound
    while index < range.upperBound {
      let first = runs[index].offset
      var last = first
      let start = index
      repeat {
        // Runs overlap if a file appears twice; two of them may also be in two chunks, so the
        // segment table has the last word on that.
        guard runs[index].firstKey >= end else { throw Self.duplicate(runs[index].firstKey) }
        end = runs[index].endKey
        last += UInt64(runs[index].byteCount)
        index += 1
      } while index < range.upperBound && runs[index].offset == last
        && last - first < Self.bufferByteCount && last != memory.count
      let range = Int(first)..<Int(last)
      if range.upperBound <= memory.count {
        try Self.write(runs[start..<index], memory.bytes.extracting(range), to: &writer)
      } else {
        if buffer.count < range.count {
          buffer = [UInt8](repeating: 0, count: Self.bufferByteCount + PageRuns.byteCount)
        }
        try spool?.read(into: &buffer, count: range.count, at: first - UInt64(memory.count))
        let buffer = buffer
        let blobs = buffer.bytes.extracting(0..<range.count)
        try check(runs[start..<index], blobs)
        try Self.write(runs[start..<index], blobs, to: &writer)
      }
    }
  }

  private static func duplicate(_ key: Key) -> Failure {
    guard case .relationBlock(let relation, let block) = key.meaning else {
      return Failure(.bug, "key \(key) appears twice in one chunk")
    }
    return SegmentTable.duplicate(
      RelationSegment(
        databaseID: relation.databaseID, relationNumber: relation.relationNumber,
        fork: relation.fork, segmentNumber: block / RelationSegment.blockCount))
  }

  /// Checks what was read of the spool.
  private func check(_ runs: ArraySlice<Run>, _ blobs: RawSpan) throws(Failure) {
    var offset = 0
    for run in runs {
      let end = offset + Int(run.byteCount)
      guard CRC32C.checksum(of: blobs.extracting(offset..<end)) == run.checksum else {
        throw Failure(changedAfterWriting: spool?.path ?? "")
      }
      offset = end
    }
  }

  /// Appends the blobs of runs that follow one another.
  private static func write(
    _ runs: ArraySlice<Run>, _ blobs: RawSpan, to writer: inout LayerWriter
  ) throws(Failure) {
    var offset = 0
    for run in runs {
      let end = offset + Int(run.byteCount)
      do throws(FormatError) {
        try writer.addBlobs(
          blobs.extracting(offset..<end), from: run.firstKey, count: Int(run.pageCount))
      } catch {
        throw Failure(error, in: "spool of small relations", damage: .writtenDataChanged)
      }
      offset = end
    }
    try writer.write(blobs)
  }
}
