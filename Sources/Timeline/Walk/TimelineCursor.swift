import LayerFormat
import PostgresFormat
import System

/// Walks all layers of a timeline at once in key order, and gives for each key what a pageserver
/// would read: of several shards, what each of them would.
///
/// ```
///   L0  ──●────●──────────────●───►        open from the start: they cover all keys
///   L0  ───●──────●───────────────►
///   image        [●●●●●●]                  opened where the walk reaches them,
///   image                [●●●●]            closed after their last key
///         key by key ──►
/// ```
///
/// A read goes from the newest layer down to the first image layer that covers the key, whether
/// that has it or not (Neon, `LayerMap::select_layer`; Docs/format.md, LSNs). Every value of every
/// layer is passed once, so the strictness of `LayerScanner` reaches every byte. Layers that lie
/// in the future of `disk_consistent_lsn` are left out, as a pageserver throws them away.
///
/// Memory: `bufferMemory` shared out among the layers that are open at once, but 16 KiB each at
/// least, and their index nodes; more only if a value is longer.
package struct TimelineCursor: ~Copyable {
  /// The value that a read of a key ends at, as it is stored.
  package struct Value {
    /// The layer that holds the value.
    package var layer: Timeline.Layer
    /// The layer's place in the timeline's list.
    package var layerIndex: Int
    /// The value's entry in the index of the layer, and its blob.
    package var stored: LayerScanner.Value
    /// Whether a read finds it: false if a newer image layer covers the key without having it.
    package var isReachable: Bool
    /// How many more values the key has, which no read of the newest state comes to.
    package var shadowedCount: Int

    /// The key of the value.
    package var key: Key { stored.entry.key }
  }

  private let timeline: Timeline
  private let bufferByteCount: Int

  /// Layers that the walk has not reached, the next one last.
  private var pending: [(index: Int, layer: Timeline.Layer)]
  private var sources = LayerHeap()
  /// For each shard the image layers that the walk has reached and not passed.
  private var covering: [[LayerName]]
  /// The newest of them, and the first key at which that may be another one; nil when a layer has
  /// joined them.
  private var coverage: [(lsn: LogSequenceNumber?, end: Key)?]
  /// Whether what every shard has is given as often as there are shards.
  private let givesCopies: Bool
  /// Layers whose last value was given, but whose last bytes have not been looked at.
  private var ended: [LayerSource] = []
  /// What went wrong beside a value that was given all the same.
  private var failures: [Failure] = []
  /// Whose layers these are: the path says it, or else the first layer.
  private var identity: TimelineIdentity?
  /// Whose buffer holds the value that was given last.
  private var current: LayerSource?

  private static let bufferMemory = 64 << 20

  /// Begins before the first key of all layers, or of those given; what every shard has is given once,
  /// shard 0's, or with `givesCopies` for each shard in turn.
  package init(
    _ timeline: Timeline, layers: [Timeline.Layer]? = nil, givesCopies: Bool = false
  ) {
    SystemCalls.raiseOpenFileLimit()
    self.timeline = timeline
    self.givesCopies = givesCopies || !timeline.layout.isSharded
    covering = Array(repeating: [], count: timeline.layout.count)
    coverage = Array(repeating: nil, count: timeline.layout.count)
    identity = TimelineIdentity(path: timeline.path)
    let layers = (layers ?? timeline.layers).enumerated().filter {
      !$0.element.name.isInFuture(of: timeline.ends[$0.element.shard])
    }
    pending = layers.map { (index: $0.offset, layer: $0.element) }
      .sorted { $0.layer.name.keys.lowerBound > $1.layer.name.keys.lowerBound }
    let share = Self.bufferMemory / max(1, Self.deepestOverlap(of: layers.map(\.element)))
    bufferByteCount = min(max(share, 16 << 10), BlobReader.usualBufferByteCount)
  }

  /// The most layers that are open at once.
  private static func deepestOverlap(of layers: [Timeline.Layer]) -> Int {
    let starts = layers.map(\.name.keys.lowerBound).sorted()
    let ends = layers.map(\.name.keys.upperBound).sorted()
    var ended = 0
    var deepest = 0
    for (started, start) in starts.enumerated() {
      while ends[ended] <= start { ended += 1 }
      deepest = max(deepest, started + 1 - ended)
    }
    return deepest
  }

  /// The next key's value; nil after the last.
  ///
  /// Throws what is wrong with a layer. That layer is closed then, and the walk can go on without
  /// it: the next call gives what the others have.
  package mutating func next() throws(Failure) -> Value? {
    if let failure = failures.popLast() { throw failure }
    current?.releaseLongValue()
    while let source = ended.popLast() { try source.finish() }
    try skipCopies()
    guard let (key, shard) = sources.first?.place else { return nil }
    let imageLSN = newestImage(over: key, in: shard)
    var newest: Value?
    var newestLSN = LogSequenceNumber(rawValue: 0)
    var count = 0
    var holder: LayerSource?
    while let source = sources.first, source.place == (key, shard) {
      sources.removeFirst()
      do throws(Failure) {
        while let stored = try source.take(key) {
          count += 1
          let lsn = stored.entry.lsn ?? source.layer.name.lsns.lowerBound
          let isReachable =
            imageLSN.map { source.layer.name.isImage ? lsn >= $0 : lsn > $0 } ?? true
          guard newest == nil || lsn >= newestLSN && isReachable else {
            if holder !== source { source.releaseLongValue() }
            continue
          }
          if holder !== source { holder?.releaseLongValue() }
          newest = Value(
            layer: source.layer, layerIndex: source.index, stored: stored, isReachable: isReachable,
            shadowedCount: 0)
          newestLSN = lsn
          holder = source
        }
        try advance(source)
      } catch {
        failures.append(error)
        // The layer's buffer no longer has the value.
        if holder === source {
          holder = nil
          newest = nil
        }
      }
    }
    current = holder
    newest?.shadowedCount = count - 1
    guard let newest else {
      if let failure = failures.popLast() { throw failure }
      return try next()
    }
    return newest
  }

  /// The newest image layer of a shard that covers a key, which is not before that of the last call.
  private mutating func newestImage(over key: Key, in shard: Int) -> LogSequenceNumber? {
    if let coverage = coverage[shard], key < coverage.end { return coverage.lsn }
    covering[shard].removeAll { $0.keys.upperBound <= key }
    let lsn = covering[shard].map(\.lsns.lowerBound).max()
    coverage[shard] = (lsn, covering[shard].map(\.keys.upperBound).min() ?? .maximum)
    return lsn
  }

  /// Goes over the keys that come next as long as they are `unwanted`, without reading their
  /// values.
  package mutating func skip(while unwanted: (Key) -> Bool) throws(Failure) {
    while true {
      try Interruption.check()
      try skipCopies()
      guard let source = sources.first, unwanted(source.key) else { return }
      try skipFirst()
    }
  }

  /// Opens the layers that the walk has come to, and goes over what shard 0 has given already.
  private mutating func skipCopies() throws(Failure) {
    try openReachedLayers()
    guard !givesCopies else { return }
    while let (key, shard) = sources.first?.place, shard > 0,
      timeline.layout.owner(of: key.meaning) == .every
    {
      try Interruption.check()
      try skipFirst()
      try openReachedLayers()
    }
  }

  /// Goes over the first value without reading it; there must be one.
  private mutating func skipFirst() throws(Failure) {
    guard let source = sources.first else { return }
    sources.removeFirst()
    try source.skip()
    try advance(source)
  }

  /// Lends the stored bytes of the value that `next` gave last, without the blob's header.
  package func withBytes<Result, Failure: Error>(
    of value: Value, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    guard let current else { preconditionFailure("there is no value before the first") }
    return try current.withBuffer { buffer throws(Failure) in
      try body(buffer.extracting(value.stored.blob.range))
    }
  }

  private mutating func openReachedLayers() throws(Failure) {
    while let (index, layer) = pending.last {
      if let key = sources.first?.key, layer.name.keys.lowerBound > key { return }
      try Interruption.check()
      pending.removeLast()
      if layer.name.isImage {
        covering[layer.shard].append(layer.name)
        coverage[layer.shard] = nil
      }
      let file = try timeline.open(layer)
      try TimelineIdentity.check(file, against: &identity)
      let scanner = try LayerScanner(file, bufferByteCount: bufferByteCount)
      try advance(LayerSource(layer, at: index, scanner))
    }
  }

  private mutating func advance(_ source: LayerSource) throws(Failure) {
    if try source.advance() { sources.insert(source) } else { ended.append(source) }
  }
}
