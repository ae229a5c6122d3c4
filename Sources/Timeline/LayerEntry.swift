import LayerFormat
import PostgresFormat

/// One key of a layer's index.
package struct LayerEntry: Equatable, Sendable {
  package var key: Key
  /// The LSN of a delta layer's value; nil in an image layer.
  package var lsn: LogSequenceNumber?
  /// Where the value's blob begins.
  package var offset: UInt64
  /// Whether the value needs no older one: an image, or a record that initialises its page.
  package var standsAlone: Bool

  /// Takes a leaf's key and value apart.
  package init(_ node: IndexNode, _ index: Int, isImageLayer: Bool) {
    let bytes = node.key(at: index)
    let value = node.value(at: index)
    key = Key(decoding: bytes.bytes)
    if isImageLayer {
      lsn = nil
      offset = value
      standsAlone = true
    } else {
      lsn = LogSequenceNumber(rawValue: bytes.bytes.bigEndian(at: Key.byteCount))
      offset = value >> 1
      standsAlone = value & 1 == 1
    }
  }
}
