/// The parts of a record of the write-ahead log after its header, as their own headers list them.
///
///     255 u8 length               main data, the last part
///     254 u32 length              main data, the last part
///     253 u16                     replication origin
///     252 u32                     id of the top transaction
///     0 to 32                     block reference: rising numbers
///       u8 fork (lower half) and flags, u16 length of its data
///       0x10: u16 length of the image, u16 bytes before the hole, u8 about the image,
///             u16 length of the hole if the image has one and is compressed
///       unless 0x80: u32 tablespace, u32 database, u32 relation; else those of the reference before
///       u32 block
///
/// (Postgres, `src/include/access/xlogrecord.h`; the checks are those of `DecodeXLogRecord` in
/// `src/backend/access/transam/xlogreader.c`.)
struct WALRecordParts: Sendable {
  private(set) var references: [WALBlockReference] = []
  private(set) var mainDataByteCount = 0

  static let shortMainData: UInt8 = 255
  static let longMainData: UInt8 = 254
  static let origin: UInt8 = 253
  static let topTransaction: UInt8 = 252
  static let lastReference: UInt8 = 32

  private enum ReferenceFlag {
    static let forkMask: UInt8 = 0x0F
    static let hasImage: UInt8 = 0x10
    static let hasData: UInt8 = 0x20
    static let initialisesPage: UInt8 = 0x40
    static let sameRelation: UInt8 = 0x80
  }

  /// The flags of an image: version 15 brought a flag for each kind of compression.
  private struct ImageFlag {
    static let hasHole: UInt8 = 0x01
    var isApplied: UInt8
    var isCompressed: UInt8

    @inline(__always)
    init(_ version: PostgresVersion) {
      isApplied = version >= .v15 ? 0x02 : 0x04
      isCompressed = version >= .v15 ? 0x1C : 0x02
    }
  }

  init() { references.reserveCapacity(Int(Self.lastReference) + 1) }

  /// Reads the parts of a whole record, whose header and checksum have been checked.
  ///
  /// Returns nil, or what keeps them from adding up.
  mutating func decode(_ record: RawSpan, version: PostgresVersion) -> StaticString? {
    references.removeAll(keepingCapacity: true)
    mainDataByteCount = 0
    var offset = WALRecordHeader.byteCount
    var dataByteCount = 0
    while record.byteCount - offset > dataByteCount {
      let id = record.littleEndian(at: offset, as: UInt8.self)
      offset += 1
      let room = record.byteCount - offset
      switch id {
      case Self.shortMainData:
        guard room >= 1 else { return Self.tooShort }
        mainDataByteCount = Int(record.littleEndian(at: offset, as: UInt8.self))
        return offset + 1 + dataByteCount + mainDataByteCount == record.byteCount
          ? nil : Self.tooShort
      case Self.longMainData:
        guard room >= 4 else { return Self.tooShort }
        mainDataByteCount = Int(record.littleEndian(at: offset, as: UInt32.self))
        return offset + 4 + dataByteCount + mainDataByteCount == record.byteCount
          ? nil : Self.tooShort
      case Self.origin: offset += 2
      case Self.topTransaction: offset += 4
      case 0...Self.lastReference:
        if let fault = decodeReference(
          id, record, at: &offset, dataByteCount: &dataByteCount, ImageFlag(version))
        {
          return fault
        }
      default: return "it has a part of unknown kind"
      }
    }
    return record.byteCount - offset == dataByteCount ? nil : Self.tooShort
  }

  private static let tooShort: StaticString = "its parts do not have its length"

  @inline(__always)
  private mutating func decodeReference(
    _ id: UInt8, _ record: RawSpan, at offset: inout Int, dataByteCount: inout Int,
    _ imageFlag: ImageFlag
  ) -> StaticString? {
    guard record.byteCount - offset >= 3 else { return Self.tooShort }
    if let last = references.last, last.id >= id { return "its block references are out of order" }
    let flags: UInt8 = record.littleEndian(at: offset)
    let dataLength: UInt16 = record.littleEndian(at: offset + 1)
    offset += 3
    guard let fork = RelationFork(rawValue: flags & ReferenceFlag.forkMask) else {
      return "it names a fork that does not exist"
    }
    guard (flags & ReferenceFlag.hasData != 0) == (dataLength != 0) else {
      return "a block reference contradicts itself about its data"
    }
    dataByteCount += Int(dataLength)
    var found: WALBlockReference.Flags =
      flags & ReferenceFlag.initialisesPage != 0 ? .initialisesPage : []
    if flags & ReferenceFlag.hasImage != 0 {
      found.insert(.hasImage)
      guard let about = Self.image(record, at: &offset, dataByteCount: &dataByteCount, imageFlag)
      else { return "the lengths of an image are impossible" }
      if about & imageFlag.isApplied != 0 { found.insert(.imageIsApplied) }
    }
    var reference = WALBlockReference(
      tablespaceID: 0, databaseID: 0, relationNumber: 0, block: 0, fork: fork, id: id, flags: found)
    if flags & ReferenceFlag.sameRelation != 0 {
      guard let last = references.last else { return "it names no relation" }
      reference.tablespaceID = last.tablespaceID
      reference.databaseID = last.databaseID
      reference.relationNumber = last.relationNumber
    } else {
      guard record.byteCount - offset >= 12 else { return Self.tooShort }
      reference.tablespaceID = record.littleEndian(at: offset)
      reference.databaseID = record.littleEndian(at: offset + 4)
      reference.relationNumber = record.littleEndian(at: offset + 8)
      offset += 12
    }
    guard record.byteCount - offset >= 4 else { return Self.tooShort }
    reference.block = record.littleEndian(at: offset)
    offset += 4
    references.append(reference)
    return nil
  }

  /// Reads the header of an image; returns what it says about the image, or nil if it is impossible.
  private static func image(
    _ record: RawSpan, at offset: inout Int, dataByteCount: inout Int, _ flag: ImageFlag
  ) -> UInt8? {
    guard record.byteCount - offset >= 5 else { return nil }
    let length = Int(record.littleEndian(at: offset, as: UInt16.self))
    let holeOffset = Int(record.littleEndian(at: offset + 2, as: UInt16.self))
    let about: UInt8 = record.littleEndian(at: offset + 4)
    offset += 5
    let page = PageHeader.pageByteCount
    let isCompressed = about & flag.isCompressed != 0
    let hasHole = about & ImageFlag.hasHole != 0
    var holeLength = isCompressed ? 0 : page - length
    if isCompressed, hasHole {
      guard record.byteCount - offset >= 2 else { return nil }
      holeLength = Int(record.littleEndian(at: offset, as: UInt16.self))
      offset += 2
    }
    guard length < page || (length == page && !isCompressed && !hasHole),
      hasHole
        ? holeOffset > 0 && holeLength > 0 && holeOffset + holeLength <= page
        : holeOffset == 0 && holeLength == 0
    else { return nil }
    dataByteCount += length
    return about
  }
}
