import LayerFormat
import PostgresFormat

/// Every key of a timeline in order, each with the one value that a pageserver would serve for it.
///
/// ```
/// waiting   layers that begin behind the current key, the next one last
/// open      layers that it may be in: every L0, and what covers it of the others
/// ```
///
/// A pageserver searches from the newest layer down and stops at an image layer that covers the key,
/// whether or not it holds it: a value that such a layer hides does not exist. A key that lies in one
/// layer alone, which after an import is every key, costs no search: the layer is followed until
/// another one has something to say.
///
/// Memory: `bufferByteCount`, shared by the open layers, but 64 KiB for each at least.
struct TimelineCursor {
  /// A value as it is stored.
  struct Value: Sendable {
    var key: Key
    var header: BlobHeader
    /// Whether a delta layer's header stands before the value proper.
    var isWrapped: Bool
    var layer: LayerFile
  }

  private struct OpenLayer {
    var file: LayerFile
    var scanner: LayerScanner
    /// The last value that was read, and the LSN that it has.
    var value: LayerScanner.Value?

    /// The LSN of the next value, or of the last one that was read.
    func lsn(of entry: LayerEntry) -> LogSequenceNumber {
      entry.lsn ?? file.name.lsns.lowerBound
    }
  }

  private let timeline: Timeline
  private let layerBufferByteCount: Int
  private var waiting: [Timeline.Layer]
  private var open: [OpenLayer] = []
  /// The layer that is followed, and the key from which on others have something to say.
  private var followed: (index: Int, end: Key)?

  /// The bytes read so far, of values that were wanted.
  private(set) var byteCount: UInt64 = 0

  private static let leastBufferByteCount = 1 << 16

  /// Begins before the first key of the given layers of a timeline, or of all.
  ///
  /// Layers that reach beyond the timeline's end are not looked at, as a pageserver throws them away.
  init(
    _ timeline: Timeline, layers: [Timeline.Layer]? = nil, bufferByteCount: Int = 64 << 20
  ) {
    self.timeline = timeline
    let end = timeline.index.metadata.diskConsistentLSN.rawValue
    waiting = (layers ?? timeline.layers)
      .filter { $0.name.lsns.upperBound.rawValue &- 1 <= end }
      .sorted { $0.name.keys.lowerBound > $1.name.keys.lowerBound }
    let wide = waiting.count { !$0.name.isImage } + 2
    layerBufferByteCount = min(1 << 20, max(Self.leastBufferByteCount, bufferByteCount / wide))
  }

  /// Lends the next value whose key `isWanted`, as it is stored; false after the last.
  ///
  /// Throws `.unsupported` where the value that is wanted is a WAL record, as far as the index tells.
  mutating func next(
    where isWanted: (Key) -> Bool, body: (Value, RawSpan) throws(ImportError) -> Void
  ) throws(ImportError) -> Bool {
    while let index = try nextLayer() {
      guard let key = open[index].scanner.nextEntry?.key else { continue }
      if let followed, followed.index == index, key < followed.end {
        if isWanted(key) {
          try read(from: index)
          try lend(index, body)
          return true
        }
        try open[index].scanner.skip()
      } else if let newest = try resolve(key, isWanted: isWanted(key)) {
        try lend(newest, body)
        return true
      }
    }
    return false
  }

  /// The open layer with the smallest next key, once every layer that may have a smaller one is
  /// open; nil when all are through.
  private mutating func nextLayer() throws(ImportError) -> Int? {
    if let followed, let key = open[followed.index].scanner.nextEntry?.key, key < followed.end {
      return followed.index
    }
    followed = nil
    while true {
      let smallest = smallestKey()
      guard let first = waiting.last, smallest.map({ first.name.keys.lowerBound <= $0.key }) ?? true
      else {
        guard let smallest else { return nil }
        try close(before: smallest.key)
        return follow()
      }
      waiting.removeLast()
      let file = try timeline.open(first)
      let scanner = try LayerScanner(file, bufferByteCount: layerBufferByteCount)
      open.append(OpenLayer(file: file, scanner: scanner))
    }
  }

  private func smallestKey() -> (index: Int, key: Key)? {
    var smallest: (index: Int, key: Key)?
    for index in open.indices {
      guard let key = open[index].scanner.nextEntry?.key else { continue }
      if smallest.map({ key < $0.key }) ?? true { smallest = (index, key) }
    }
    return smallest
  }

  /// Lets go of layers that have no more values and hide no others.
  private mutating func close(before key: Key) throws(ImportError) {
    for index in open.indices.reversed() where open[index].scanner.nextEntry == nil {
      if open[index].file.name.isImage && open[index].file.name.keys.contains(key) { continue }
      // Checks what stands behind the last value.
      _ = try open[index].scanner.next()
      open.remove(at: index)
    }
  }

  /// Finds the layer to take the next key from, and how long it can be followed alone.
  private mutating func follow() -> Int? {
    guard let (index, key) = smallestKey() else { return nil }
    var end = waiting.last?.name.keys.lowerBound ?? .maximum
    for other in open.indices where other != index {
      if open[other].file.name.isImage && open[other].file.name.keys.contains(key) { end = key }
      if let next = open[other].scanner.nextEntry?.key { end = min(end, next) }
    }
    followed = (index, end)
    return index
  }

  /// Reads the newest value of a key that several layers may have; nil where an image layer hides
  /// it, or it is not wanted.
  private mutating func resolve(_ key: Key, isWanted: Bool) throws(ImportError) -> Int? {
    followed = nil
    var newest: (index: Int, lsn: LogSequenceNumber)?
    var newestCover: LogSequenceNumber?
    for index in open.indices {
      if open[index].file.name.isImage, open[index].file.name.keys.contains(key) {
        newestCover = max(
          newestCover ?? open[index].file.name.lsns.lowerBound,
          open[index].file.name.lsns.lowerBound)
      }
      guard open[index].scanner.nextEntry?.key == key else { continue }
      guard isWanted else {
        while open[index].scanner.nextEntry?.key == key { try open[index].scanner.skip() }
        continue
      }
      try read(from: index)
      guard let value = open[index].value else { continue }
      let lsn = open[index].lsn(of: value.entry)
      if newest.map({ lsn > $0.lsn }) ?? true { newest = (index, lsn) }
    }
    guard let newest, newestCover.map({ newest.lsn >= $0 }) ?? true else { return nil }
    return newest.index
  }

  /// Reads the next key's newest value of one layer.
  private mutating func read(from index: Int) throws(ImportError) {
    let key = open[index].scanner.nextEntry?.key
    repeat {
      open[index].value = try open[index].scanner.next()
    } while open[index].scanner.nextEntry?.key == key
    byteCount += UInt64(open[index].value?.range.count ?? 0)
    if let value = open[index].value, !value.entry.standsAlone {
      throw Self.holdsRecords(value.entry.key)
    }
  }

  private func lend(
    _ index: Int, _ body: (Value, RawSpan) throws(ImportError) -> Void
  ) throws(ImportError) {
    guard let value = open[index].value else { return }
    let file = open[index].file
    let buffer = open[index].scanner.buffer  // not copied
    try body(
      Value(
        key: value.entry.key, header: value.header, isWrapped: !file.name.isImage, layer: file),
      buffer.bytes.extracting(value.range))
  }

  /// The refusal of a timeline that a pageserver has written on.
  static func holdsRecords(_ key: Key) -> ImportError {
    ImportError(
      .unsupported,
      "the timeline holds WAL records, which only a pageserver can replay: the first at key \(key)",
      hint: "Attach the timeline to a pageserver and take a fullbackup of it.")
  }
}
