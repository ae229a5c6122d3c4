import LayerFormat
import PostgresFormat
import System

/// Point lookups: from a key to its entry, from an entry to its blob.
extension LayerFile {
  /// A value as it is stored, with the header before it.
  package struct StoredValue {
    package var header: BlobHeader
    package var headerByteCount: Int
    /// The bytes of the value in the file, compressed or not.
    package var bytes: [UInt8]

    /// The bytes that the value takes in the file, its header included.
    package var blobByteCount: UInt64 { UInt64(headerByteCount + bytes.count) }
  }

  /// The newest entry of a key; nil if the layer has none.
  ///
  /// In a delta layer it is the newest below `end`. Reads one node a level, and checks no more of
  /// the index than the nodes on the way.
  package func entry(
    of key: Key, before end: LogSequenceNumber = LogSequenceNumber(rawValue: .max)
  ) throws(Failure) -> LayerEntry? {
    var bound: [UInt8] = []
    key.encode(into: &bound)
    if !name.isImage {
      guard end.rawValue > 0 else { return nil }
      bound.appendBigEndian(end.rawValue - 1)
    }
    var node = try existingNode(summary.indexRoot)
    while let index = Self.lastIndex(in: node, notAfter: bound) {
      guard node.level > 0 else {
        let entry = LayerEntry(node, index, isImageLayer: name.isImage)
        return entry.key == key ? entry : nil
      }
      let block = node.child(at: index)
      let child = try existingNode(block)
      guard child.level == node.level - 1 else {
        throw failure(
          "index block \(block) of level \(child.level) is below one of level \(node.level)")
      }
      node = child
    }
    return nil
  }

  /// Reads the blob that begins at an offset, which must be before the index.
  package func storedValue(at offset: UInt64) throws(Failure) -> StoredValue {
    let start = UInt64(LayerSummary.byteCount)
    guard offset >= start, offset < indexOffset else {
      throw failure("the index has a value at \(offset), outside the values")
    }
    let room = indexOffset - offset
    var bytes = [UInt8](repeating: 0, count: BlobHeader.longByteCount)
    let count = try read(into: &bytes, count: Int(min(UInt64(bytes.count), room)), at: offset)
    let header: BlobHeader
    let headerByteCount: Int
    do throws(FormatError) {
      (header, headerByteCount) = try BlobHeader.decode(
        bytes.bytes.extracting(0..<count), at: 0)
    } catch {
      throw failure("at \(offset): \(error.message)")
    }
    guard UInt64(headerByteCount + header.byteCount) <= room else {
      throw failure("the value at \(offset) overlaps the index")
    }
    guard header.byteCount <= Timeline.valueLimit else {
      throw failure(
        "the value at \(offset) is stored in \(header.byteCount) bytes, more than "
          + "\(Timeline.valueLimit)")
    }
    bytes = [UInt8](repeating: 0, count: header.byteCount)
    guard
      try read(into: &bytes, count: bytes.count, at: offset + UInt64(headerByteCount))
        == bytes.count
    else { throw failure("it is cut off") }
    return StoredValue(header: header, headerByteCount: headerByteCount, bytes: bytes)
  }

  private func existingNode(_ block: UInt32) throws(Failure) -> IndexNode {
    guard block < indexBlockCount else { throw failure("index block \(block) does not exist") }
    return try node(block)
  }

  /// The position of the last key that is not after `bound`; nil if even the first is.
  private static func lastIndex(in node: IndexNode, notAfter bound: [UInt8]) -> Int? {
    var low = 0
    var high = node.count
    while low < high {
      let middle = (low + high) / 2
      if bound.lexicographicallyPrecedes(node.key(at: middle)) {
        high = middle
      } else {
        low = middle + 1
      }
    }
    return low == 0 ? nil : low - 1
  }
}
