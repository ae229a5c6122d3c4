import Backup
import LayerFormat
import PostgresFormat
import System
import Timeline

/// The blobs of small files that are gathered for L0s, or to be sorted, in the order of the backup.
///
/// ```
/// table     key, shard, checksum, offset, bytes, pages of each run (`RunTable`)
/// memory    the first blobs, up to a limit
/// spool     the rest, in a file without a name
/// ```
///
/// The spool is never synced, and a disk that fails to take it tells nobody: what is read back must
/// have the checksum of what was written.
final class ChunkSpool: @unchecked Sendable {
  // Invariant: a spool belongs to one stage at a time, the one that fills it or the one that drains
  // it; it changes hands through a channel, whose lock orders the accesses.

  typealias Run = RunTable.Run

  private let memoryLimit: Int
  private var table = RunTable()
  private var memory: [UInt8] = []
  private var spool: OutputFile?
  private var spooled: UInt64 = 0
  private var buffer: [UInt8] = []
  /// What has been gathered for each shard.
  private var shares: [Share]

  private struct Share {
    var pageCount = 0
    var byteCount: UInt64 = 0
  }

  private static let bufferByteCount = 1 << 20
  /// The most pages of one shard in a chunk: with the table the bound on the memory of its L0.
  private let pageLimit: Int

  /// Holds up to `memoryLimit` bytes of blobs in memory.
  init(memoryLimit: Int, shardCount: Int = 1) {
    self.memoryLimit = memoryLimit
    pageLimit = Self.pageLimit(shardCount: shardCount)
    shares = Array(repeating: Share(), count: shardCount)
  }

  /// The bytes of the blobs that have been gathered.
  var byteCount: UInt64 { UInt64(memory.count) + spooled + UInt64(buffer.count) }

  var isEmpty: Bool { table.isEmpty }

  /// Whether a shard has gathered `chunkSize` bytes, or the index of an L0 with one run more might
  /// outgrow its share of the memory.
  func isFull(_ chunkSize: UInt64) -> Bool {
    shares.contains {
      $0.byteCount >= chunkSize
        || Self.isCrowded(runCount: table.countInMemory, pageCount: $0.pageCount, pageLimit)
    }
  }

  /// Whether memory holds as many runs as it may.
  var isTableFull: Bool { table.countInMemory >= RunTable.memoryLimit }

  /// The shards for which something has been gathered.
  var shards: [Int] { shares.indices.filter { shares[$0].pageCount > 0 } }

  /// The most pages of one shard in a chunk: fewer of many shards, whose open layers take memory.
  static func pageLimit(shardCount: Int) -> Int { shardCount > 8 ? 1 << 18 : 1 << 19 }

  /// Whether a chunk that has so many runs, and pages of one shard, is full.
  static func isCrowded(runCount: Int, pageCount: Int, _ pageLimit: Int) -> Bool {
    runCount >= RunTable.memoryLimit || pageCount >= pageLimit
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

  /// Moves the table to its file, which `create` makes if there is none.
  func spillTable(_ create: () throws(Failure) -> OutputFile) throws(Failure) {
    try table.spill(create)
  }

  /// Adds the blobs of consecutive blocks; opens no spool by itself.
  func append(
    _ blobs: RawSpan, firstKey: Key, pageCount: Int, shard: Int = 0
  ) throws(Failure) {
    let isKept =
      spooled == 0 && buffer.isEmpty && memory.count + blobs.byteCount <= memoryLimit
    table.append(
      Run(
        firstKey: firstKey, shard: UInt8(shard),
        checksum: isKept ? 0 : CRC32C.checksum(of: blobs), offset: byteCount,
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

  /// Gives every run and its blobs to `body`, in the order of shards and keys, those that follow one
  /// another in the spool as well at once. Empties the spool; what it has allocated stays.
  func drain(_ body: (ArraySlice<Run>, RawSpan) throws(Failure) -> Void) throws(Failure) {
    try flush()
    var group: [Run] = []
    var end = Key.minimum
    var table = exchange(&self.table, with: RunTable())
    try table.drain { run throws(Failure) in
      if let last = group.last {
        if !follows(run, last, group[0].offset) {
          try lend(group, to: body)
          group.removeAll(keepingCapacity: true)
        }
        if run.shard != last.shard { end = Key.minimum }
      }
      // Runs overlap if a file appears twice; two of them may also be in two chunks, so the
      // segment table has the last word on that.
      guard run.firstKey >= end else { throw Self.duplicate(run.firstKey) }
      end = run.endKey
      group.append(run)
    }
    if !group.isEmpty { try lend(group, to: body) }
    self.table = table
    if spooled > 0 { try spool?.setByteCount(0) }
    memory.removeAll(keepingCapacity: true)
    buffer.removeAll(keepingCapacity: true)
    spooled = 0
    for shard in shares.indices { shares[shard] = Share() }
  }

  /// Whether a run can be read with the one before it, and with those from `start` on.
  private func follows(_ run: Run, _ last: Run, _ start: UInt64) -> Bool {
    let end = last.offset + UInt64(last.byteCount)
    return run.shard == last.shard && run.offset == end && end != UInt64(memory.count)
      && end - start < UInt64(Self.bufferByteCount)
  }

  /// Reads the blobs of runs that follow one another.
  private func lend(
    _ runs: [Run], to body: (ArraySlice<Run>, RawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    let first = runs[0].offset
    let byteCount = runs.reduce(0) { $0 + Int($1.byteCount) }
    if Int(first) + byteCount <= memory.count {
      let memory = memory
      try body(runs[...], memory.bytes.extracting(Int(first)..<Int(first) + byteCount))
    } else {
      if buffer.count < byteCount {
        buffer = [UInt8](repeating: 0, count: Self.bufferByteCount + PageRuns.byteCount)
      }
      try spool?.read(into: &buffer, count: byteCount, at: first - UInt64(memory.count))
      let buffer = buffer
      let blobs = buffer.bytes.extracting(0..<byteCount)
      try check(runs, blobs)
      try body(runs[...], blobs)
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
  private func check(_ runs: [Run], _ blobs: RawSpan) throws(Failure) {
    var offset = 0
    for run in runs {
      let end = offset + Int(run.byteCount)
      guard CRC32C.checksum(of: blobs.extracting(offset..<end)) == run.checksum else {
        throw Failure(changedAfterWriting: spool?.path ?? "")
      }
      offset = end
    }
  }
}

extension ChunkSpool {
  /// Writes every blob: those of each shard that has some to the next of `layers`, which `finish` gets
  /// then.
  func drain(
    into layers: [ChunkLayer], finish: (FinishedLayer) throws(Failure) -> Void
  ) throws(Failure) {
    guard var layer = layers.first, var shard = shards.first else { return }
    var rest = layers.dropFirst()
    try drain { runs, blobs throws(Failure) in
      if runs[0].shard != UInt8(shard) {
        try finish(try layer.writer.finish(as: layer.name))
        guard let next = rest.popFirst() else { preconditionFailure("a shard has no layer") }
        layer = next
        shard = Int(runs[0].shard)
      }
      try Self.write(runs, blobs, to: &layer.writer)
    }
    try finish(try layer.writer.finish(as: layer.name))
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
