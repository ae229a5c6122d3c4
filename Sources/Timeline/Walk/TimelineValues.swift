import LayerFormat
import PostgresFormat
import System

/// Every key of a timeline with the value that a pageserver would read, in key order.
///
/// Each value is decompressed and unwrapped where it is asked for, on the caller's thread. Memory:
/// as `TimelineCursor`, and the longest value.
package struct TimelineValues: ~Copyable {
  private var cursor: TimelineCursor
  private var decoder: BlobDecoder

  /// Begins before the first key of all layers, or of those given.
  package init(_ timeline: Timeline, layers: [Timeline.Layer]? = nil) throws(Failure) {
    cursor = TimelineCursor(timeline, layers: layers)
    decoder = try BlobDecoder()
  }

  /// Lends the next key's value to `body`; false after the last.
  ///
  /// The values of keys that are `unwanted` are skipped without being read. Throws what is wrong
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
      try Self.lend(value, of: cursor, with: &decoder, to: body)
      return true
    }
  }

  private static func lend(
    _ value: TimelineCursor.Value, of cursor: borrowing TimelineCursor,
    with decoder: inout BlobDecoder, to body: (Key, RawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    try cursor.withBytes(of: value) { stored throws(Failure) in
      let decoded: DecodedValue
      do throws(FormatError) {
        decoded = try decoder.decode(
          stored, isCompressed: value.stored.blob.header.isCompressed,
          isWrapped: !value.layer.name.isImage, limit: BlobDecoder.valueLimit)
      } catch {
        throw Failure(
          error, in: "layer '\(value.layer.fileName)': key \(value.key)", damage: .layerDamaged)
      }
      guard decoded.content == .image else { throw Failure(needsWAL: value.key) }
      try body(value.key, decoded.bytes)
    }
  }
}

extension Failure {
  /// The refusal of a timeline that a pageserver has written on.
  package init(needsWAL key: Key) {
    self.init(
      .needsWALReplay, "key \(key) needs WAL replay, which only a pageserver can do",
      hint: "Give a timeline that no pageserver has written to.")
  }
}
