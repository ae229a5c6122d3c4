import LayerFormat
import PostgresFormat

extension HostileLayer {
  /// A value of a layer whose values are not compressed.
  struct Value {
    var key: Key
    /// Nil in an image layer.
    var lsn: LogSequenceNumber?
    var bytes: [UInt8]
    var isRecord = false
  }

  /// Changes the values of a layer without compression, which then come in the order of their keys, in an
  /// index of one leaf.
  mutating func changeValues(_ change: (inout [Value]) throws -> Void) throws {
    var values = try entries.map { entry in
      let offset = Int(offset(of: entry)) - 8192
      let (header, headerByteCount) = try BlobHeader.decode(blobs.bytes, at: offset)
      let bytes = blobs[(offset + headerByteCount)...].prefix(header.byteCount)
      return Value(
        key: Key(decoding: entry.key.bytes),
        lsn: isDelta
          ? LogSequenceNumber(rawValue: entry.key.bytes.bigEndian(at: Key.byteCount)) : nil,
        bytes: Array(isDelta ? bytes.dropFirst(DeltaValue.imageHeaderByteCount) : bytes))
    }
    try change(&values)
    values.sort { ($0.key, $0.lsn?.rawValue ?? 0) < ($1.key, $1.lsn?.rawValue ?? 0) }
    blobs = []
    nodes = [leaf(values.map { append($0) })]
    blobs += [UInt8](repeating: 0, count: (8192 - blobs.count % 8192) % 8192)
  }

  /// Adds a blob, and gives the entry that leads to it.
  private mutating func append(_ value: Value) -> Entry {
    var blob: [UInt8] = []
    if value.isRecord { blob = [0, 0, 0, 1] }
    if isDelta && !value.isRecord {
      DeltaValue.encodeImageHeader(byteCount: value.bytes.count, into: &blob)
    }
    blob += value.bytes
    let entryValue = self.value(at: UInt64(8192 + blobs.count))
    BlobHeader(byteCount: blob.count, isCompressed: false).encode(into: &blobs)
    blobs += blob
    var key: [UInt8] = []
    value.key.encode(into: &key)
    if let lsn = value.lsn { key.appendBigEndian(lsn.rawValue) }
    return Entry(key: key, value: entryValue)
  }
}

extension [HostileLayer.Value] {
  /// The first value whose meaning is so; there must be one.
  func index(_ isMeant: (KeyMeaning) -> Bool) -> Int {
    guard let index = firstIndex(where: { $0.key.meaning.map(isMeant) == true }) else {
      preconditionFailure("the layer has no such value")
    }
    return index
  }

  /// The value of a key.
  subscript(_ meaning: KeyMeaning) -> HostileLayer.Value {
    get { self[index { $0 == meaning }] }
    set { self[index { $0 == meaning }] = newValue }
  }

  /// The size of a relation of some pages.
  var aSize: HostileLayer.Value {
    get { self[sizeIndex] }
    set { self[sizeIndex] = newValue }
  }

  private var sizeIndex: Int {
    index { if case .relationSize = $0 { true } else { false } }
  }

  /// Adds a value at the LSN of the last one.
  mutating func insert(_ key: Key, _ bytes: [UInt8]) {
    append(.init(key: key, lsn: self[count - 1].lsn, bytes: bytes))
  }
}
