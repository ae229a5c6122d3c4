import LayerFormat
import PostgresFormat
import System

/// Every key of a timeline with the value that a pageserver would read, in key order.
///
/// Each value is decompressed and unwrapped where it is asked for, on the caller's thread. Memory:
/// as `TimelineCursor`, and the longest value.
package struct TimelineValues: ~Copyable {
  private var cursor: TimelineCursor
  private var decompressor: BlobDecompressor

  /// Begins before the first key of all layers, or of those given.
  package init(_ timeline: Timeline, layers: [Timeline.Layer]? = nil) throws(Failure) {
    cursor = TimelineCursor(timeline, layers: layers)
    decompressor = try BlobDecompressor()
  }

  /// Lends the next key's value to `body`; false after the last.
  ///
  /// The values of keys that are `unwanted` are gone over without being read. Throws what is wrong
  /// with a layer or a value, and `.unsupported` for a key whose newest value
  /// is a WAL record.
  package mutating func next(
    skipping unwanted: (Key) -> Bool = { _ in false },
    body: (Key, RawSpan) throws(Failure) -> Void
  ) throws(Failure) -> Bool {
    while true {
      try cursor.skip(while: unwanted)
      guard let value = try cursor.next() else { return false }
      guard value.isReachable else { continue }
      try lend(value, to: body)
      return true
    }
  }

  private mutating func lend(
    _ value: TimelineCursor.Value, to body: (Key, RawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    try cursor.withBytes(of: value) { stored throws(Failure) in
      let plain: BlobDecompressor.PlainValue
      do throws(FormatError) {
        plain = try decompressor.plainValue(
          stored, isCompressed: value.stored.header.isCompressed,
          isWrapped: !value.layer.name.isImage, limit: Timeline.valueLimit)
      } catch {
        throw Failure(error, in: "layer '\(value.layer.fileName)': key \(value.key)")
      }
      guard plain.content == .image else {
        throw Failure(needsWAL: value.key)
      }
      if plain.isInBuffer {
        try body(value.key, decompressor.buffer.bytes.extracting(plain.range))
      } else {
        try body(value.key, stored.extracting(plain.range))
      }
    }
  }
}

extension Failure {
  /// The refusal of a timeline that a pageserver has written on.
  package init(needsWAL key: Key) {
    self.init(
      .unsupported, "key \(key) needs WAL replay, which only a pageserver can do",
      hint: "Give a timeline that no pageserver has written to.")
  }
}
