import Foundation
import LayerFormat
import PostgresFormat

/// A timeline of layers made by hand, also with records among their values.
public final class TimelineSample {
  /// What a layer holds for a key at an LSN.
  public enum Value {
    /// A whole value, such as a page.
    case image([UInt8])
    /// A WAL record; `standsAlone` if it initialises its page.
    case record([UInt8], standsAlone: Bool)
  }

  /// The directory that the layers and the index are written to.
  public let directory: TemporaryDirectory
  private var layers: [String: IndexPart.LayerMetadata] = [:]
  private let identifier = Identifier.random()

  /// A timeline without layers, in a new temporary directory.
  public init() throws { directory = try TemporaryDirectory() }

  /// Adds a layer; `values` are in the order of its index.
  public func add(
    _ name: LayerName, _ values: [(key: Key, lsn: UInt64, value: Value)]
  ) throws {
    var blobs: [UInt8] = []
    var tree = IndexTreeBuilder(ofImageLayer: name.isImage)
    for (key, lsn, value) in values {
      let offset = UInt64(LayerSummary.byteCount + blobs.count)
      var bytes: [UInt8] = []
      var standsAlone = true
      switch value {
      case .image(let image):
        if !name.isImage { DeltaValue.encodeImageHeader(byteCount: image.count, into: &bytes) }
        bytes += image
      case .record(let record, let initialises):
        bytes = [0, 0, 0, 1] + record
        standsAlone = initialises
      }
      BlobHeader(byteCount: bytes.count, isCompressed: false).encode(into: &blobs)
      blobs += bytes
      let treeKey =
        name.isImage ? IndexKey(key) : IndexKey(key, at: LogSequenceNumber(rawValue: lsn))
      tree.append(treeKey, value: name.isImage ? offset : offset << 1 | (standsAlone ? 1 : 0))
    }
    blobs += [UInt8](repeating: 0, count: (8192 - blobs.count % 8192) % 8192)
    let root = tree.finish()
    let summary = LayerSummary(
      tenant: identifier, timeline: identifier, name: name,
      indexStart: UInt32(1 + blobs.count / 8192), indexRoot: root)
    let bytes = summary.encoded() + blobs + tree.pieces.joined()
    let path = directory.path + "/" + name.fileName(generation: 1)
    try Data(bytes).write(to: URL(filePath: path))
    layers[name.description] = IndexPart.LayerMetadata(
      fileSize: UInt64(bytes.count), generation: 1)
  }

  /// Writes the index of the added layers.
  public func finish(end: UInt64) throws {
    let index = IndexPart(
      layers: layers,
      metadata: IndexPart.Metadata(
        importLSN: LogSequenceNumber(rawValue: end), endLSN: LogSequenceNumber(rawValue: end),
        previousRecordLSN: nil, postgresVersion: 17))
    try Data(index.encoded()).write(
      to: URL(filePath: directory.path + "/" + IndexPart.fileName(generation: 1)))
  }

  /// The LSNs of a delta layer, from numbers.
  public static func lsns(_ range: Range<UInt64>) -> LayerName.Extent {
    .delta(
      LogSequenceNumber(
        rawValue: range.lowerBound)..<LogSequenceNumber(
          rawValue: range.upperBound))
  }

  /// A page of 8192 bytes that all are `byte`.
  public static func page(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 8192) }
}
