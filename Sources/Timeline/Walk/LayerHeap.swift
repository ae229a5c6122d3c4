import LayerFormat
import System

/// A layer that is open, and the key that it is at.
final class LayerSource {
  let layer: Timeline.Layer
  let index: Int
  private(set) var key = Key.minimum
  /// Where the source is in the walk: by key, and then by shard.
  var place: (Key, Int) { (key, layer.shard) }
  private var scanner: LayerScanner

  init(_ layer: Timeline.Layer, at index: Int, _ scanner: LayerScanner) {
    self.layer = layer
    self.index = index
    self.scanner = scanner
  }

  /// Looks at the next key; false after the last. The buffer stays as it is.
  func advance() throws(Failure) -> Bool {
    guard let entry = try scanner.peek() else { return false }
    key = entry.key
    return true
  }

  /// Checks the bytes after the last value.
  func finish() throws(Failure) {
    _ = try scanner.next()
  }

  /// Releases the memory of a long value, whose bytes are no longer needed.
  func releaseLongValue() { scanner.releaseLongValue() }

  /// Goes over the next value.
  func skip() throws(Failure) {
    try scanner.skip()
  }

  /// The next value if it belongs to `key`.
  func take(_ key: Key) throws(Failure) -> LayerScanner.Value? {
    guard try scanner.peek()?.key == key else { return nil }
    return try scanner.next()
  }

  func withBuffer<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let buffer = scanner.buffer
    return try body(buffer.bytes)
  }
}

/// The open layers as a binary heap: the layer with the lowest next key is first.
struct LayerHeap {
  private var sources: [LayerSource] = []

  var first: LayerSource? { sources.first }

  mutating func insert(_ source: LayerSource) {
    var index = sources.count
    sources.append(source)
    while index > 0, sources[index].place < sources[(index - 1) / 2].place {
      sources.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  /// Removes the first layer; there must be one.
  mutating func removeFirst() {
    let last = sources.count - 1
    sources.swapAt(0, last)
    sources.removeLast()
    var index = 0
    while 2 * index + 1 < last {
      var child = 2 * index + 1
      if child + 1 < last, sources[child + 1].place < sources[child].place { child += 1 }
      guard sources[child].place < sources[index].place else { return }
      sources.swapAt(index, child)
      index = child
    }
  }
}
