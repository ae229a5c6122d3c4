import LayerFormat
import PostgresFormat
import System

/// Writes one layer file: values in key order, then the index, then the summary.
///
/// ```
/// page 0     summary, written last
/// page 1 …   blob blob blob …            as they come, back to back
/// page i …   index nodes, the root last  `finish`
///
/// open ── an error ──► failed      every later write or finish throws the first error again
///   └──── `finish` ──► finished    after its summary and its root have been read back
/// ```
///
/// Values must come in ascending order of key: a reader takes a blob's end from the next key's.
package struct LayerWriter {
  /// How many bytes and values a layer may have before it is full.
  package struct Limit {
    /// The layer is full when its blobs have this many bytes.
    package var byteCount: UInt64
    /// The layer is full when it has this many values.
    package var valueCount: Int

    /// A limit of both.
    package init(byteCount: UInt64, valueCount: Int) {
      self.byteCount = byteCount
      self.valueCount = valueCount
    }
  }

  private enum State {
    case open
    case failed(Failure)
    case finished
  }

  private var state = State.open
  private let file: OutputFile
  private let owner: LayerOwner
  private var index: IndexTreeBuilder
  /// Where finished nodes of the index go before the layer is; nil if they stay in memory.
  private let spill: IndexSpill?
  /// The LSN of a delta layer's values, which follows each key in the index; nil in an image layer.
  private let lsn: LogSequenceNumber?
  private let limit: Limit?
  private var buffer: [UInt8] = []
  private var bufferOffset = UInt64(LayerSummary.byteCount)

  private let bufferByteCount: Int
  /// From how many bytes on blobs are written from where they are.
  private var directByteCount: Int { min(64 << 10, bufferByteCount) }

  /// The most that a layer's buffer takes, and the most that a part of its index does.
  package static let bufferLimit = 1 << 20

  /// Begins a layer; `lsn` is that of a delta layer's values, nil for an image layer.
  ///
  /// - Parameters:
  ///   - memory: the bytes that its buffer takes, and, if there is a `spill`, its index as well.
  ///   - spill: takes what is more of the index; used by one layer at a time.
  package init(
    file: OutputFile, of owner: LayerOwner, valuesAt lsn: LogSequenceNumber?, limit: Limit? = nil,
    memory: Int = bufferLimit, spill: IndexSpill? = nil
  ) {
    self.limit = limit
    self.file = file
    self.owner = owner
    self.lsn = lsn
    self.spill = spill
    bufferByteCount = memory
    // One part is filled while another is written.
    index = IndexTreeBuilder(
      ofImageLayer: lsn == nil, pieceByteCount: spill == nil ? Self.bufferLimit : memory / 2)
  }

  /// The offset at which the next blob begins.
  private var offset: UInt64 = UInt64(LayerSummary.byteCount)

  /// How long the file would be if it were finished now, but for the nodes that are open still.
  package var byteCount: UInt64 { offset + UInt64(index.byteCount) }

  /// Whether the layer has reached its limit; never if it has none.
  package var isFull: Bool {
    guard let limit else { return false }
    return byteCount >= limit.byteCount || index.count >= limit.valueCount
  }

  /// Adds one blob, its header included, as the value of `key`.
  package mutating func append(_ blob: RawSpan, for key: Key) throws(Failure) {
    add(key, byteCount: blob.byteCount)
    try write(blob)
  }

  /// Adds a blob of `byteCount` bytes, its header included, as the value of `key`; `write` must
  /// follow with its bytes, those of several blobs at once if they are together.
  package mutating func add(_ key: Key, byteCount: Int) {
    if let lsn {
      index.append(IndexKey(key, at: lsn), value: offset << 1 | 1)
    } else {
      index.append(IndexKey(key), value: offset)
    }
    offset += UInt64(byteCount)
  }

  /// Adds the blobs of consecutive blocks, as `add` does each, until there are no more or the layer
  /// is full; `key` is that of the first, and then of the next.
  ///
  /// Returns how many, and how many bytes those have.
  package mutating func addBlocks(
    from key: inout Key, _ byteCounts: ArraySlice<Int>
  ) -> (count: Int, byteCount: Int) {
    let start = offset
    var count = 0
    for byteCount in byteCounts {
      if isFull { break }
      add(key, byteCount: byteCount)
      key = key.next
      count += 1
    }
    return (count, Int(offset - start))
  }

  /// Adds the blobs of `count` consecutive blocks, which are all that `blobs` holds, as `add` does
  /// each.
  ///
  /// Throws `.damaged` if `blobs` does not hold exactly so many blobs.
  package mutating func addBlobs(
    _ blobs: RawSpan, from firstKey: Key, count: Int
  ) throws(FormatError) {
    var key = firstKey
    var offset = 0
    for _ in 0..<count {
      let blob = try StoredBlob(decoding: blobs, at: offset)
      add(key, byteCount: blob.byteCount)
      offset += blob.byteCount
      key = key.next
    }
    guard offset == blobs.byteCount else {
      throw .damaged("\(count) values end at \(offset), not at \(blobs.byteCount)")
    }
  }

  /// Writes the bytes of blobs that were added.
  package mutating func write(_ blobs: RawSpan) throws(Failure) {
    try latching { writer throws(Failure) in
      if writer.buffer.count + blobs.byteCount > writer.bufferByteCount
        || blobs.byteCount >= writer.directByteCount
      {
        try writer.flush()
      }
      if blobs.byteCount >= writer.directByteCount {
        try Interruption.check()
        try writer.file.write(blobs, at: writer.bufferOffset)
        writer.bufferOffset += UInt64(blobs.byteCount)
      } else {
        if writer.buffer.capacity == 0 { writer.buffer.reserveCapacity(writer.bufferByteCount) }
        writer.buffer.append(blobs)
      }
      for piece in writer.spill == nil ? [] : writer.index.takeFullPieces() {
        try writer.spill?.append(piece.bytes)
      }
    }
  }

  /// Writes what is buffered; as often as this is, a signal is looked for.
  private mutating func flush() throws(Failure) {
    if buffer.isEmpty { return }
    try Interruption.check()
    try file.write(buffer.bytes, at: bufferOffset)
    bufferOffset += UInt64(buffer.count)
    buffer.removeAll(keepingCapacity: true)
  }

  /// Runs `body`, unless the writer has failed before: then throws the first error again.
  private mutating func latching<Result>(
    _ body: (inout Self) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    switch state {
    case .open: break
    case .failed(let error): throw error
    case .finished: preconditionFailure("the layer is finished")
    }
    do throws(Failure) {
      return try body(&self)
    } catch {
      state = .failed(error)
      throw error
    }
  }
}

// MARK: Finishing

extension LayerWriter {
  /// Writes the index and the summary, and reads the summary and the root back. The file is complete
  /// then, but not yet durable.
  ///
  /// Throws `.inputOutput` if the file does not hold what was written.
  package mutating func finish(as name: LayerName) throws(Failure) -> FinishedLayer {
    let layer = try latching { writer throws(Failure) in
      let (summary, byteCount) = try writer.writeIndex(as: name)
      try writer.check(summary, byteCount: byteCount)
      return FinishedLayer(
        name: name, shard: writer.owner.shard.number, file: writer.file, byteCount: byteCount)
    }
    state = .finished
    return layer
  }

  /// Writes everything after the blobs, and then the summary.
  private mutating func writeIndex(
    as name: LayerName
  ) throws(Failure) -> (summary: LayerSummary, byteCount: UInt64) {
    precondition(offset == bufferOffset + UInt64(buffer.count), "blobs were added, not written")
    let page = UInt64(IndexTree.nodeByteCount)
    let padding = Int((page - offset % page) % page)
    buffer.append(contentsOf: repeatElement(0, count: padding))
    try flush()
    let root = index.finish()
    var end = try spill?.drain(into: file, at: bufferOffset) ?? bufferOffset
    for piece in index.pieces {
      try file.write(piece.bytes, at: end)
      end += UInt64(piece.count)
    }
    let summary = LayerSummary(
      tenant: owner.tenant, timeline: owner.timeline, name: name,
      indexStart: UInt32(bufferOffset / page),
      indexRoot: root)
    try file.write(summary.encoded().bytes, at: 0)
    return (summary, end)
  }

  /// Decodes the file's summary and root, with which every read of the layer begins.
  private func check(_ summary: LayerSummary, byteCount: UInt64) throws(Failure) {
    var page = [UInt8](repeating: 0, count: LayerSummary.byteCount)
    try file.read(into: &page, count: page.count, at: 0)
    var root = [UInt8](repeating: 0, count: IndexTree.nodeByteCount)
    try file.read(into: &root, count: root.count, at: byteCount - UInt64(root.count))
    do throws(FormatError) {
      guard try LayerSummary(decoding: page.bytes) == summary else {
        throw .damaged("the summary differs")
      }
      try LayerFile.check(summary, name: summary.name, byteCount: byteCount)
      let node = try IndexNode(
        decoding: root.bytes, keyByteCount: IndexTree.keyByteCount(ofImageLayer: lsn == nil))
      for index in [0, node.count - 1] {
        let key = Key(decoding: node.key(at: index).bytes)
        guard summary.name.keys.contains(key) else {
          throw .damaged("key \(key) is outside the layer's range")
        }
      }
    } catch {
      throw Failure(changedAfterWriting: file.path, error.message)
    }
  }
}

/// Whose layer it is.
package struct LayerOwner: Sendable {
  /// The tenant's id.
  package let tenant: Identifier
  /// The timeline's id.
  package let timeline: Identifier
  /// Which shard of the tenant.
  package let shard: ShardID

  /// A shard of a tenant, or a tenant without shards.
  package init(tenant: Identifier, timeline: Identifier, shard: ShardID = ShardID(0, of: 1)) {
    self.tenant = tenant
    self.timeline = timeline
    self.shard = shard
  }
}

/// A layer whose file is complete, but still has its temporary name. Only `LayerWriter` makes one.
package struct FinishedLayer: Sendable {
  /// The keys and LSNs that the layer covers.
  package let name: LayerName
  /// The number of the shard that it belongs to.
  package let shard: Int
  /// The file under its temporary name, if it has one; complete but perhaps not durable. Its path tells
  /// layers of this run apart.
  package let file: OutputFile
  /// The file's length in bytes.
  package let byteCount: UInt64

  fileprivate init(name: LayerName, shard: Int, file: OutputFile, byteCount: UInt64) {
    self.name = name
    self.shard = shard
    self.file = file
    self.byteCount = byteCount
  }
}
