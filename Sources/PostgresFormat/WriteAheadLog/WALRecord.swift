/// A record of the write-ahead log, whole and checked, lent for the time of a call.
///
///     24 header │ headers of references │ header of main data │ references' images, data │ main data
///
/// (Postgres, `src/include/access/xlogrecord.h`.)
public struct WALRecord: ~Escapable {
  /// Where the record starts.
  public let start: LogSequenceNumber

  /// Where the next record starts, or the header of the page that it starts on: the LSN of pages
  /// that this record changed. After a segment switch the start of the next segment.
  public let end: LogSequenceNumber

  /// The version of Postgres that wrote the record.
  public let version: PostgresVersion

  /// All bytes of the record, the header first.
  public let bytes: RawSpan

  /// The blocks that the record names, in the order of their numbers.
  public let references: Span<WALBlockReference>

  private let mainDataByteCount: Int

  @_lifetime(copy bytes, copy references)
  init(
    start: LogSequenceNumber, end: LogSequenceNumber, version: PostgresVersion, bytes: RawSpan,
    references: Span<WALBlockReference>, mainDataByteCount: Int
  ) {
    self.start = start
    self.end = end
    self.version = version
    self.bytes = bytes
    self.references = references
    self.mainDataByteCount = mainDataByteCount
  }

  /// The id of the transaction, the lower half; 0 for a record without one.
  public var transactionID: UInt32 { bytes.littleEndian(at: 4) }

  /// Kind of record and flags.
  public var info: UInt8 { bytes.littleEndian(at: 16) }

  /// The kind of record alone, by resource manager (`src/include/access/xlogrecord.h`,
  /// `XLR_RMGR_INFO_MASK`).
  public var kind: UInt8 { info & WALRecordKind.mask }

  /// The part of Postgres that wrote the record, which gives `kind` its meaning.
  public var resourceManager: WALResourceManager {
    WALResourceManager(rawValue: bytes.littleEndian(at: 17))
  }

  /// The data that belongs to no block.
  public var mainData: RawSpan {
    @_lifetime(copy self)
    get { bytes.extracting(bytes.byteCount - mainDataByteCount..<bytes.byteCount) }
  }

  /// Whether the pages of all blocks of main forks that the record names have its end as their LSN
  /// from then on, or a later one.
  ///
  /// True for changes of tables and B-trees, but for a page's being marked as all visible. Not every
  /// record gives its pages an LSN: with an image for a hint, it may be that of another image at the same
  /// time; a hash index names pages that it only locks; and a page that is logged on its own, as when
  /// an index is built, is written to its file later, past the checkpoints. (Postgres, `bufmgr.c`,
  /// `MarkBufferDirtyHint`; `hashovfl.c`; `heapam.c`, `log_heap_visible`; `xloginsert.c`, `log_newpage`)
  public var setsPageLSNs: Bool {
    switch resourceManager {
    case .heap, .btree: true
    case .heap2: kind & 0x70 != WALRecordKind.Heap2.visible
    default: false
    }
  }
}
