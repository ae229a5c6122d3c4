import LayerFormat

/// A layer that is open, and the key that it is at.
final class LayerSource {
  let layer: Timeline.Layer
  let index: Int
  private(set) var key = Key.minimum
  private var scanner: LayerScanner

  init(_ layer: Timeline.Layer, at index: Int, _ scanner: LayerScanner) {
    self.layer = layer
    self.index = index
    self.scanner = scanner
  }

  /// Looks at the next key; false after the last. The buffer stays as it is.
  func advance() throws(ImportError) -> Bool {
    guard let entry = try scanner.peek() else { return false }
    key = entry.key
    return true
  }

  /// Looks at what stands behind the last value.
  func finish() throws(ImportError) {
    _ = try scanner.next()
  }

  /// Gives back what a long value took, whose bytes are not wanted any more.
  func releaseLongValue() { scanner.releaseLongValue() }

  /// Goes over the next value.
  func skip() throws(ImportError) {
    try scanner.skip()
  }

  /// The next value where it belongs to `key`.
  func take(_ key: Key) throws(ImportError) -> LayerScanner.Value? {
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
