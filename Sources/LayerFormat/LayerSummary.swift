import PostgresFormat

/// The first page of a layer file.
///
/// ```
/// OFFSET SIZE image layer            OFFSET SIZE delta layer
///      0    2 magic 5A60                  0    2 magic 5A61
///      2    2 format version 3            2    2 format version 3
///      4   16 tenant                      4   16 tenant
///     20   16 timeline                   20   16 timeline
///     36   18 key start                  36   18 key start
///     54   18 key end                    54   18 key end
///     72    8 LSN                        72    8 LSN start
///                                        80    8 LSN end
///     80    4 index start                88    4 index start
///     84    4 index root                 92    4 index root
/// ```
///
/// Big-endian, zeros up to 8192 bytes. (Neon, `image_layer.rs` and `delta_layer.rs`, `Summary`;
/// Docs/format.md, Summary)
public struct LayerSummary: Equatable, Sendable {
  /// The length of the summary, one page, in bytes.
  public static let byteCount = 8192

  static let imageMagic: UInt16 = 0x5A60
  static let deltaMagic: UInt16 = 0x5A61

  /// The version of the storage format that is written and read here.
  public static let formatVersion: UInt16 = 3

  /// The tenant that the layer belongs to.
  public var tenant: Identifier
  /// The timeline that the layer belongs to.
  public var timeline: Identifier
  /// The keys and LSNs that the layer covers, as in the name of its file.
  public var name: LayerName

  /// The number of the first page of the index in the file.
  public var indexStart: UInt32

  /// The block number of the root, counted from the start of the index.
  public var indexRoot: UInt32

  /// A summary of these fields.
  public init(
    tenant: Identifier, timeline: Identifier, name: LayerName, indexStart: UInt32,
    indexRoot: UInt32
  ) {
    self.tenant = tenant
    self.timeline = timeline
    self.name = name
    self.indexStart = indexStart
    self.indexRoot = indexRoot
  }

  /// The 8192 bytes of the summary.
  public func encoded() -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.byteCount)
    bytes.appendBigEndian(name.isImage ? Self.imageMagic : Self.deltaMagic)
    bytes.appendBigEndian(Self.formatVersion)
    tenant.encode(into: &bytes)
    timeline.encode(into: &bytes)
    name.keys.lowerBound.encode(into: &bytes)
    name.keys.upperBound.encode(into: &bytes)
    switch name.extent {
    case .image(let lsn): bytes.appendBigEndian(lsn.rawValue)
    case .delta(let lsns):
      bytes.appendBigEndian(lsns.lowerBound.rawValue)
      bytes.appendBigEndian(lsns.upperBound.rawValue)
    }
    precondition(bytes.count == Offset.indexStart(isImage: name.isImage))
    bytes.appendBigEndian(indexStart)
    bytes.appendBigEndian(indexRoot)
    bytes.append(contentsOf: repeatElement(0, count: Self.byteCount - bytes.count))
    return bytes
  }

  /// Reads a summary from a page of 8192 bytes.
  ///
  /// Throws if the magic, the version or a range is impossible, or the bytes after the fields are
  /// not zero. The caller must check that it agrees with the name of the file.
  public init(decoding page: RawSpan) throws(FormatError) {
    guard page.byteCount == Self.byteCount else {
      throw .damaged("the summary of a layer has \(page.byteCount) bytes, not \(Self.byteCount)")
    }
    let magic: UInt16 = page.bigEndian(at: Offset.magic)
    guard magic == Self.imageMagic || magic == Self.deltaMagic else {
      throw .damaged("\(magic.hexadecimal(4)) is not the magic number of a layer")
    }
    let version: UInt16 = page.bigEndian(at: Offset.version)
    guard version == Self.formatVersion else {
      throw FormatError(
        .storageFormatUnsupported,
        "storage format version \(version) is not supported, only \(Self.formatVersion)")
    }
    tenant = Identifier(decoding: page, at: Offset.tenant)
    timeline = Identifier(decoding: page, at: Offset.timeline)
    let isDelta = magic == Self.deltaMagic
    guard
      let name = LayerName(
        keyStart: Key(decoding: page, at: Offset.keyStart),
        keyEnd: Key(decoding: page, at: Offset.keyEnd),
        lsn: LogSequenceNumber(rawValue: page.bigEndian(at: Offset.lsn)),
        lsnEnd: isDelta ? LogSequenceNumber(rawValue: page.bigEndian(at: Offset.lsnEnd)) : nil)
    else { throw .damaged("the summary's range of keys or LSNs is empty") }
    self.name = name
    let indexOffset = Offset.indexStart(isImage: !isDelta)
    indexStart = page.bigEndian(at: indexOffset)
    indexRoot = page.bigEndian(at: indexOffset + 4)
    for offset in stride(from: indexOffset + 8, to: Self.byteCount, by: 8) {
      guard page.bigEndian(at: offset, as: UInt64.self) == 0 else {
        throw .damaged("the unused bytes of the summary are not zero")
      }
    }
  }

  /// The offsets of the fields, as in the table: each field begins at the end of the one before it.
  private enum Offset {
    static let magic = 0
    static let version = magic + 2
    static let tenant = version + 2
    static let timeline = tenant + Identifier.byteCount
    static let keyStart = timeline + Identifier.byteCount
    static let keyEnd = keyStart + Key.byteCount
    /// The LSN of an image layer, or the first LSN of a delta layer.
    static let lsn = keyEnd + Key.byteCount
    static let lsnEnd = lsn + 8

    static func indexStart(isImage: Bool) -> Int { (isImage ? lsn : lsnEnd) + 8 }
  }
}
