/// The control file of a cluster, `global/pg_control`, of Postgres 14 to 17.
///
///     OFFSET SIZE MEANING                     all little-endian
///          0    8 system identifier
///          8    4 control file version
///         12    4 catalog version
///         16    4 state
///         24    8 when the file was written
///         32    8 where the record of the last checkpoint starts
///         40   88 a copy of the last checkpoint
///        136    8 how far an archive recovery must come at least
///        172    4 wal_level
///        180 4x5  max_connections and four other settings
///        204    4 alignment                   the build:
///        208    8 the floating-point number 1234567.0
///        216    4 block size
///        220    4 blocks in a relation segment
///        224    4 WAL block size
///        228    4 WAL segment size
///        232 4x4  name length, index keys, TOAST chunk, large object chunk
///        248    1 8-byte values are passed by value
///        252    4 data checksum version
///        288    4 CRC-32C of the bytes before it
///
/// (Postgres, `src/include/catalog/pg_control.h`.) Check it in this order: `init`, which checks
/// that the version is supported; `requireCleanShutdown`, unless a pageserver made the backup;
/// `validateLayout`.
public struct ControlFile: Sendable {
  /// The length of the file in bytes; zeros follow the CRC.
  public static let byteCount = 8192

  /// The bytes of the file as read.
  public let bytes: [UInt8]

  /// The major version of Postgres.
  public let version: PostgresVersion

  /// Checks the length, the control file version, the CRC and the catalog version, in this order.
  ///
  /// The version comes first because other versions have their CRC at other offsets.
  ///
  /// - Throws: `damaged` or `unsupported`; the message of the latter names the version if it is
  ///   known.
  public init(decoding bytes: RawSpan) throws(FormatError) {
    guard bytes.byteCount == Self.byteCount else {
      throw .damaged(
        "the control file has \(bytes.byteCount) bytes instead of \(Self.byteCount)")
    }
    try Self.requireKnown(controlFileVersion: bytes.littleEndian(at: Offset.version))
    let stored: UInt32 = bytes.littleEndian(at: Offset.checksum)
    guard stored == CRC32C.checksum(of: bytes.extracting(0..<Offset.checksum)) else {
      if Self.hasChecksumElsewhere(bytes) { throw Self.other32Bit }
      throw .damaged("the checksum of the control file does not match its contents")
    }
    let catalogVersion: UInt32 = bytes.littleEndian(at: Offset.catalogVersion)
    guard let version = PostgresVersion(catalogVersion: catalogVersion) else {
      throw Self.unsupported(catalogVersion: catalogVersion)
    }
    let controlFileVersion: UInt32 = bytes.littleEndian(at: Offset.version)
    guard version.controlFileVersion == controlFileVersion else {
      throw .damaged(
        "control file version \(controlFileVersion) is not a version of Postgres "
          + "\(version.rawValue)")
    }
    self.bytes = bytes.array
    self.version = version
  }

  /// Where the fields are in the file. (Postgres, `src/include/catalog/pg_control.h`)
  package enum Offset {
    static let systemIdentifier = 0
    static let version = 8
    static let catalogVersion = 12
    static let state = 16
    static let time = 24
    static let checkPoint = 32
    static let checkpointCopy = 40
    static let minRecoveryPoint = 136
    static let minRecoveryTimeline = 144
    static let walLevel = 172
    static let settings = 180
    static let alignment = 204
    static let floatFormat = 208
    static let blockSize = 216
    static let relationSegmentBlocks = 220
    static let walBlockSize = 224
    static let walSegmentSize = 228
    static let nameLength = 232
    static let indexKeys = 236
    static let toastChunkSize = 240
    static let largeObjectChunkSize = 244
    static let valuesOf8BytesByValue = 248
    static let dataChecksumVersion = 252
    /// Of the CRC-32C of all bytes before it.
    package static let checksum = 288
  }
}

extension ControlFile {
  /// The system identifier of the cluster.
  public var systemIdentifier: UInt64 { bytes.littleEndian(at: Offset.systemIdentifier) }

  /// What the cluster was doing when the file was written.
  public var state: ClusterState {
    ClusterState(rawValue: bytes.littleEndian(at: Offset.state))
  }

  /// When the file was written, in seconds since 1970.
  public var time: Int64 { bytes.littleEndian(at: Offset.time) }

  /// Where the record of the last checkpoint starts; 0 in a backup by a pageserver.
  public var checkPoint: LogSequenceNumber {
    LogSequenceNumber(rawValue: bytes.littleEndian(at: Offset.checkPoint))
  }

  /// The copy of the last checkpoint.
  public var checkpointCopy: Checkpoint {
    let range = Offset.checkpointCopy..<Offset.checkpointCopy + Checkpoint.byteCount
    return Checkpoint(bytes.bytes.extracting(range))
  }

  /// How far WAL has to be replayed before the cluster is consistent; a server in archive recovery
  /// moves it to where it is whenever it writes a changed page.
  public var minRecoveryPoint: LogSequenceNumber {
    LogSequenceNumber(rawValue: bytes.littleEndian(at: Offset.minRecoveryPoint))
  }

  /// The timeline that a server recovers along unless told otherwise: that of the last checkpoint, or
  /// the one on which a standby has replayed more. (Postgres, `xlogrecovery.c`, `InitWalRecovery`)
  public var recoveryTimelineID: UInt32 {
    max(checkpointCopy.timelineID, bytes.littleEndian(at: Offset.minRecoveryTimeline))
  }

  /// The length of a WAL segment in bytes; a power of two only once `validateLayout` has passed.
  public var walSegmentSize: UInt32 { bytes.littleEndian(at: Offset.walSegmentSize) }

  /// The version of the data checksums; 0 if they are off.
  public var dataChecksumVersion: UInt32 { bytes.littleEndian(at: Offset.dataChecksumVersion) }

  /// The cluster's `wal_level`, as in the setting. (`src/include/access/xlog.h`, `WalLevel`)
  public var walLevel: String {
    let level: UInt32 = bytes.littleEndian(at: Offset.walLevel)
    return level == 0 ? "minimal" : level == 1 ? "replica" : "logical"
  }

  /// The minimum settings of a server that starts from this cluster like a hot standby.
  public var settings: [(name: String, value: Int32)] {
    let range = Offset.settings..<Offset.settings + MinimumSettings.byteCount
    return MinimumSettings(decoding: bytes.bytes.extracting(range)).values
  }
}
