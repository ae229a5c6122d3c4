/// What a record of the write-ahead log begins with.
///
///     OFFSET SIZE MEANING                     all little-endian
///          0    4 length of the record, this header included
///          4    4 transaction id, 0 without one
///          8    8 where the record before starts
///         16    1 info: the upper half is the kind of record, by resource manager
///         17    1 resource manager
///         18    2 zero
///         20    4 CRC-32C of all that follows, then of the 20 bytes before
///
/// (Postgres, `src/include/access/xlogrecord.h`, `XLogRecord`.)
package struct WALRecordHeader: Equatable {
  /// The length of the header.
  package static let byteCount = 24

  /// The longest record that a server can read: it needs memory for it in one piece
  /// (`src/include/utils/memutils.h`, `MaxAllocSize`).
  static let recordLimit = 0x3FFF_FFFF

  var totalByteCount: UInt32
  /// The transaction that wrote the record; 0 if none did.
  package var transactionID: UInt32 = 0
  package var previous: LogSequenceNumber
  var info: UInt8
  var resourceManager: WALResourceManager
  var checksum: UInt32 = 0

  /// The header of a record without a transaction and, as yet, without a checksum.
  package init(
    totalByteCount: UInt32, previous: LogSequenceNumber, info: UInt8,
    resourceManager: WALResourceManager
  ) {
    self.totalByteCount = totalByteCount
    self.previous = previous
    self.info = info
    self.resourceManager = resourceManager
  }

  /// Reads the header of at least 24 bytes of a record.
  package init(decoding record: RawSpan) {
    totalByteCount = record.littleEndian(at: 0)
    transactionID = record.littleEndian(at: 4)
    previous = LogSequenceNumber(rawValue: record.littleEndian(at: 8))
    info = record.littleEndian(at: 16)
    resourceManager = WALResourceManager(rawValue: record.littleEndian(at: 17))
    checksum = record.littleEndian(at: 20)
  }

  /// The record of this header and what follows, with its checksum.
  package func record(holding data: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.byteCount + data.count)
    bytes.appendLittleEndian(totalByteCount)
    bytes.appendLittleEndian(transactionID)
    bytes.appendLittleEndian(previous.rawValue)
    bytes.append(info)
    bytes.append(resourceManager.rawValue)
    bytes.appendLittleEndian(0 as UInt16)
    var checksum = CRC32C()
    checksum.update(data.bytes)
    checksum.update(bytes.bytes)
    bytes.appendLittleEndian(checksum.value)
    return bytes + data
  }

  /// The checksum that a whole record should have.
  @inline(__always)
  package static func checksum(of record: RawSpan) -> UInt32 {
    var checksum = CRC32C()
    checksum.update(record.extracting(byteCount..<record.byteCount))
    checksum.update(record.extracting(0..<20))
    return checksum.value
  }
}

/// The part of Postgres that wrote a record and replays it.
///
/// The numbers are the same in versions 14 to 17; extensions have theirs from 128 on, since 15
/// (Postgres, `src/include/access/rmgrlist.h` and `rmgr.h`).
public struct WALResourceManager: RawRepresentable, Hashable, Sendable {
  /// The number in the record's header, `xl_rmid`.
  public var rawValue: UInt8

  /// The resource manager with this number, which need not exist.
  @inlinable
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// The log itself: checkpoints, segment switches, parameter changes.
  public static let log = Self(rawValue: 0)
  /// The ends of transactions, `RM_XACT_ID`.
  public static let transaction = Self(rawValue: 1)
  /// Creation and truncation of relation files.
  public static let storage = Self(rawValue: 2)
  /// Copies and removals of databases, `RM_DBASE_ID`.
  public static let database = Self(rawValue: 4)
  /// Creation and removal of tablespaces, `RM_TBLSPC_ID`.
  public static let tablespace = Self(rawValue: 5)
  /// Tables: what has no place among the kinds of `heap`, `RM_HEAP2_ID`.
  public static let heap2 = Self(rawValue: 9)
  /// Tables.
  public static let heap = Self(rawValue: 10)
  /// B-trees.
  public static let btree = Self(rawValue: 11)

  /// Whether a server of this version can have written its records.
  @inline(__always)
  func exists(in version: PostgresVersion) -> Bool {
    rawValue <= 21 || (rawValue >= 128 && version >= .v15)
  }
}

/// Kinds of records, the upper half of their info, by resource manager.
///
/// (Postgres, `src/include/catalog/pg_control.h`, `storage_xlog.h`, `src/include/commands/`
/// `dbcommands_xlog.h` and `tablespace.h`.)
enum WALRecordKind {
  static let mask: UInt8 = 0xF0

  enum Log {
    static let shutdownCheckpoint: UInt8 = 0x00
    static let onlineCheckpoint: UInt8 = 0x10
    static let segmentSwitch: UInt8 = 0x40
    static let parameterChange: UInt8 = 0x60
    static let overwrite: UInt8 = 0xD0
  }

  /// The kind is in fewer bits here, as the highest says that there is more than a time.
  enum Transaction {
    static let mask: UInt8 = 0x70
    static let hasMore: UInt8 = 0x80
    /// Commit, abort, and the same of a prepared transaction. (`src/include/access/xact.h`)
    static let ends: [UInt8] = [0x00, 0x20, 0x30, 0x40]
    static let commit: UInt8 = 0x00
  }

  /// (`src/include/access/heapam_xlog.h`)
  enum Heap2 { static let visible: UInt8 = 0x40 }

  enum Storage {
    static let creation: UInt8 = 0x10
    static let truncation: UInt8 = 0x20
  }

  enum Database {
    static let fileCopy: UInt8 = 0x00
    /// It had the number of the second way to copy a database before there was one.
    static func drop(_ version: PostgresVersion) -> UInt8 { version >= .v15 ? 0x20 : 0x10 }
  }

  enum Tablespace { static let creation: UInt8 = 0x00 }
}
