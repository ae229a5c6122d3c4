import LayerFormat
import Timeline

/// Where the pages of a timeline lie, and what its other values are: what is remembered between
/// reading a timeline and comparing it with a backup.
///
/// Blobs lie back to back in the order of the keys, so one entry does for a run of pages in a
/// layer. It is shared, and not changed after the reading. Memory: 40 bytes a run, of which a relation
/// fork has one or a few, and 40 a value.
struct PlacementTable: Sendable {
  /// Pages that follow each other, by key and in their layer.
  struct Run: Sendable {
    var firstKey: Key
    var blockCount: UInt32
    var layerIndex: UInt32
    /// Where the first blob begins in the layer's file.
    var offset: UInt64
  }

  private(set) var runs: [Run] = []
  private(set) var digests: [(key: Key, digest: ValueDigest)] = []
  private var nextKey: Key?

  /// Adds a page; keys must ascend.
  mutating func add(_ value: TimelineCursor.Value) {
    let layerIndex = UInt32(truncatingIfNeeded: value.layerIndex)
    if nextKey == value.key, let last = runs.last, last.layerIndex == layerIndex {
      runs[runs.count - 1].blockCount += 1
    } else {
      runs.append(
        Run(
          firstKey: value.key, blockCount: 1, layerIndex: layerIndex,
          offset: value.stored.entry.offset))
    }
    nextKey = value.key.next
  }

  /// Adds a value that is no page; keys must ascend.
  mutating func add(_ key: Key, _ value: [UInt8]) {
    digests.append((key, ValueDigest(value)))
  }

  /// The run that holds a page, and the page's place in it.
  func find(_ key: Key) -> (run: Int, block: UInt32)? {
    var low = 0
    var high = runs.count
    while low < high {
      let middle = (low + high) / 2
      if runs[middle].firstKey <= key { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    let run = runs[low - 1]
    // A run is within one fork or segment: its keys differ in their last field alone.
    guard key.field6 >= run.firstKey.field6 else { return nil }
    let block = key.field6 - run.firstKey.field6
    guard block < run.blockCount, run.firstKey.advanced(by: block) == key else { return nil }
    return (low - 1, block)
  }

  /// Which of a relation's blocks are in the table.
  func blocks(of relation: RelationForkID, in range: Range<UInt32>) -> [Range<UInt32>] {
    guard !range.isEmpty else { return [] }
    let start = Key(relation, block: range.lowerBound)
    var low = 0
    var high = runs.count
    while low < high {
      let middle = (low + high) / 2
      let last = runs[middle].firstKey.advanced(by: runs[middle].blockCount - 1)
      if last < start { low = middle + 1 } else { high = middle }
    }
    var found: [Range<UInt32>] = []
    for run in runs[low...] {
      guard case .relationBlock(relation, let first) = run.firstKey.meaning else { break }
      let blocks = (first..<first + run.blockCount).clamped(to: range)
      guard !blocks.isEmpty else { break }
      found.append(blocks)
    }
    return found
  }
}

/// How many pages of each run of a `PlacementTable` have been compared. Memory: 4 bytes a run.
struct ComparedCounts: Sendable {
  private var counts: [UInt32]

  /// None yet of this table.
  init(of table: PlacementTable) {
    counts = [UInt32](repeating: 0, count: table.runs.count)
  }

  subscript(run: Int) -> UInt32 { counts[run] }

  mutating func add(_ run: Int) { counts[run] += 1 }

  /// Says of main forks that just those blocks have been compared which these relations have, which come in
  /// the order of their keys.
  mutating func set(mainForksOf relations: [Cluster.Relation], in table: PlacementTable) {
    var next = 0
    for (index, run) in table.runs.enumerated() {
      guard case .relationBlock(let id, let first) = run.firstKey.meaning, id.fork == .main,
        id.databaseID != 0
      else { continue }
      while next < relations.count, relations[next].id < id { next += 1 }
      let isThere = next < relations.count && relations[next].id == id
      let end = isThere ? relations[next].blockCount : 0
      counts[index] = min(end - min(end, first), run.blockCount)
    }
  }
}

/// What is kept of a value: its length, and the value itself if it is short, otherwise its hash.
struct ValueDigest: Equatable, Sendable {
  var byteCount: UInt32
  private var bits: UInt64

  init(_ value: [UInt8]) {
    byteCount = UInt32(truncatingIfNeeded: value.count)
    if value.count <= 8 {
      bits = value.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    } else {
      // With a new key in every process, so that no value is made to collide with another.
      var hasher = Hasher()
      hasher.combine(value)
      bits = UInt64(bitPattern: Int64(hasher.finalize()))
    }
  }

  /// The value in words, for one that is a number of blocks.
  var blockCount: String {
    byteCount == 4 ? "\(bits) \(bits == 1 ? "block" : "blocks")" : "\(byteCount) bytes"
  }
}

extension Key {
  /// The key of a later block of the same fork or segment.
  fileprivate func advanced(by count: UInt32) -> Key {
    Key(field1, field2, field3, field4, field5, field6 &+ count)
  }
}
