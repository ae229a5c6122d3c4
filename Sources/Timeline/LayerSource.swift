import LayerFormat
import System

/// A layer that is open, and the key that it is at.
final class LayerSource {
  package let layer: Timeline.Layer
  package let index: Int
  package private(set) var key = Key.minimum
  private var scanner: LayerScanner

  package init(_ layer: Timeline.Layer, at index: Int, _ scanner: LayerScanner) {
    self.layer = layer
    self.index = index
    self.scanner = scanner
  }

  /// Looks at the next key; false after the last. The buffer stays as it is.
  package func advance() throws(Failure) -> Bool {
    guard let entry = try scanner.peek() else { return false }
    key = entry.key
    return true
  }

  /// Checks the bytes after the last value.
  package func finish() throws(Failure) {
    _ = try scanner.next()
  }

  /// Gives back what a long value took, whose bytes are not wanted any more.
  func releaseLongValue() { scanner.releaseLongValue() }

  /// Goes over the next value.
  package func skip() throws(Failure) {
    try scanner.skip()
  }

  /// The next value if it belongs to `key`.
  package func take(_ key: Key) throws(Failure) -> LayerScanner.Value? {
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
