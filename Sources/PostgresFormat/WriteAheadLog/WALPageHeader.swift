/// What a page of the write-ahead log begins with.
///
///     OFFSET SIZE MEANING                     all little-endian
///          0    2 magic, by version
///          2    2 flags
///          4    4 timeline of Postgres
///          8    8 the page's own address
///         16    4 bytes of the record before that are on this page and the next ones
///         20    4 zero
///         24    8 system identifier           only with the flag for a long header,
///         32    4 segment size                in the first page of a segment
///         36    4 page size
///
/// (Postgres, `src/include/access/xlog_internal.h`, `XLogLongPageHeaderData`.)
package struct WALPageHeader: Equatable {
  /// What a page header says of the page. (Postgres, `xlog_internal.h`, `XLP_*`)
  package struct Flags: OptionSet {
    /// The bits as they are stored.
    package let rawValue: UInt16

    /// Flags of these bits.
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The page begins with the rest of a record.
    static let continuesRecord = Self(rawValue: 1)
    static let isLong = Self(rawValue: 2)
    /// What a backup program may leave out of the page; Postgres itself ignores it.
    static let imagesAreRemovable = Self(rawValue: 4)
    /// The rest of a record that should be here was never written, and never will be.
    static let overwritesRecord = Self(rawValue: 8)
    static let all = Self(rawValue: 15)
  }

  /// What the first page of a segment says besides.
  struct Identity: Equatable {
    var systemIdentifier: UInt64
    var segmentSize: UInt32
    var pageSize = UInt32(WALLayout.pageSize)
  }

  var magic: UInt16
  var flags: Flags
  var timelineID: UInt32
  var address: LogSequenceNumber
  var remainingByteCount: UInt32
  /// Present if the header is long.
  var identity: Identity?

  /// Where the page's contents begin.
  var byteCount: Int { flags.contains(.isLong) ? 40 : 24 }
}

extension WALPageHeader {
  /// Reads the header of a page of at least 40 bytes; whether it makes sense is another question.
  init(decoding page: RawSpan) {
    magic = page.littleEndian(at: 0)
    flags = Flags(rawValue: page.littleEndian(at: 2))
    timelineID = page.littleEndian(at: 4)
    address = LogSequenceNumber(rawValue: page.littleEndian(at: 8))
    remainingByteCount = page.littleEndian(at: 16)
    guard flags.contains(.isLong) else { return }
    identity = Identity(
      systemIdentifier: page.littleEndian(at: 24), segmentSize: page.littleEndian(at: 32),
      pageSize: page.littleEndian(at: 36))
  }

  /// Writes the header at `offset`, where there are zeros.
  func encode(into bytes: inout [UInt8], at offset: Int) {
    bytes.setLittleEndian(magic, at: offset)
    bytes.setLittleEndian(flags.rawValue, at: offset + 2)
    bytes.setLittleEndian(timelineID, at: offset + 4)
    bytes.setLittleEndian(address.rawValue, at: offset + 8)
    bytes.setLittleEndian(remainingByteCount, at: offset + 16)
    guard let identity else { return }
    bytes.setLittleEndian(identity.systemIdentifier, at: offset + 24)
    bytes.setLittleEndian(identity.segmentSize, at: offset + 32)
    bytes.setLittleEndian(identity.pageSize, at: offset + 36)
  }
}

extension WALSegmentName {
  /// The bytes at the beginning of a segment that name the cluster.
  public static let headerByteCount = 40

  /// The cluster that a segment's first page names; nil if it is no such page. Traps if `page` has less
  /// than `headerByteCount` bytes.
  public static func systemIdentifier(inFirstPage page: RawSpan) -> UInt64? {
    let header = WALPageHeader(decoding: page)
    guard PostgresVersion.allCases.contains(where: { $0.walPageMagic == header.magic }) else {
      return nil
    }
    return header.identity?.systemIdentifier
  }

  /// The segment of a cluster that a file's first page belongs to, whatever the file is called; nil if it
  /// is no such page. Traps if `page` has less than `headerByteCount` bytes.
  public init?(firstPage page: RawSpan, of version: PostgresVersion, segmentSize: UInt32) {
    let header = WALPageHeader(decoding: page)
    guard header.magic == version.walPageMagic, header.identity?.segmentSize == segmentSize,
      header.address.rawValue.isMultiple(of: UInt64(segmentSize)), header.address.rawValue < 1 << 63
    else { return nil }
    self.init(
      timelineID: header.timelineID, containing: header.address, segmentSize: segmentSize)
  }
}
