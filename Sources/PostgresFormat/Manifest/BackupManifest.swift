/// What a backup says about itself: `backup_manifest`, as `pg_basebackup` writes it.
///
/// ```json
/// { "PostgreSQL-Backup-Manifest-Version": 1,
/// "Files": [
/// { "Path": "PG_VERSION", "Size": 3, "Last-Modified": "…", "Checksum-Algorithm": "CRC32C",
///   "Checksum": "8a744722" }, …
/// ],
/// "WAL-Ranges": [
/// { "Timeline": 1, "Start-LSN": "0/3000028", "End-LSN": "0/34982D0" }
/// ],
/// "Manifest-Checksum": "b02bfc24…"}
/// ```
///
/// (Postgres' documentation, *Backup Manifest Format*; `src/common/parse_manifest.c`.)
public enum BackupManifest {
  /// The manifest's name at the top of a data directory.
  public static let fileName = "backup_manifest"

  /// How the contents of a file were summed up. (`src/include/common/checksum_helper.h`)
  public enum ChecksumAlgorithm: String, CaseIterable, Sendable {
    case none = "NONE"
    case crc32c = "CRC32C"
    case sha224 = "SHA224"
    case sha256 = "SHA256"
    case sha384 = "SHA384"
    case sha512 = "SHA512"

    /// The bytes of a checksum.
    public var byteCount: Int {
      switch self {
      case .none: 0
      case .crc32c: 4
      case .sha224: 28
      case .sha256: 32
      case .sha384: 48
      case .sha512: 64
      }
    }

    /// Names are the same in either case.
    init?(_ name: [UInt8]) {
      let name = String(decoding: name, as: UTF8.self).uppercased()
      guard let algorithm = Self(rawValue: name) else { return nil }
      self = algorithm
    }
  }

  /// A file that the backup must hold.
  public struct File: Sendable, Equatable {
    /// Its path in the data directory.
    public var path: [UInt8]
    public var byteCount: UInt64
    public var algorithm: ChecksumAlgorithm
    /// As many bytes as the algorithm makes; a CRC-32C is little-endian.
    public var checksum: [UInt8]
  }

  /// WAL that is needed to make the backup consistent.
  public struct WALRange: Sendable, Equatable {
    public var timeline: UInt32
    public var start: LogSequenceNumber
    public var end: LogSequenceNumber
  }

  /// Whether a manifest says nothing of a file, or what it says does not count: the manifest
  /// itself, the WAL, and what tools put into a backup or change in it.
  /// (`src/bin/pg_verifybackup/pg_verifybackup.c`, `main`)
  public static func ignores(_ path: [UInt8]) -> Bool {
    path.starts(with: walDirectory) || ignoredPaths.contains(path)
  }

  private static let walDirectory = Array("pg_wal/".utf8)
  /// Few enough to be compared with one after the other.
  private static let ignoredPaths = [
    fileName, "pg_wal", "postgresql.auto.conf", "recovery.signal", "standby.signal",
  ].map { Array($0.utf8) }
}
