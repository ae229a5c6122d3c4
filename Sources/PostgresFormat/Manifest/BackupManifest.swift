/// The list of the files of a backup: `backup_manifest`, as `pg_basebackup` writes it.
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
/// (Postgres's documentation, *Backup Manifest Format*; `src/common/parse_manifest.c`.)
public enum BackupManifest {
  /// The name of the manifest at the top of a data directory.
  public static let fileName = "backup_manifest"

  /// The algorithm of the checksum of a file. (`src/include/common/checksum_helper.h`)
  public enum ChecksumAlgorithm: String, CaseIterable, Sendable {
    /// No checksum: only names and lengths can be compared.
    case none = "NONE"
    /// CRC-32C, the default of `pg_basebackup`; four bytes, the lowest first.
    case crc32c = "CRC32C"
    /// SHA-224.
    case sha224 = "SHA224"
    /// SHA-256.
    case sha256 = "SHA256"
    /// SHA-384.
    case sha384 = "SHA384"
    /// SHA-512.
    case sha512 = "SHA512"

    /// The length of a checksum in bytes.
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

    /// Reads a name in upper or lower case.
    init?(_ name: [UInt8]) {
      let name = String(decoding: name, as: UTF8.self).uppercased()
      guard let algorithm = Self(rawValue: name) else { return nil }
      self = algorithm
    }
  }

  /// A file that the backup must contain.
  public struct File: Sendable, Equatable {
    /// The path in the data directory.
    public var path: [UInt8]
    /// The length in bytes.
    public var byteCount: UInt64
    /// The algorithm of the checksum.
    public var algorithm: ChecksumAlgorithm
    /// The checksum, as long as those of the algorithm; a CRC-32C is little-endian.
    public var checksum: [UInt8]
  }

  /// A range of WAL that is needed to make the backup consistent.
  public struct WALRange: Sendable, Equatable {
    /// The Postgres timeline.
    public var timeline: UInt32
    /// The start of the range.
    public var start: LogSequenceNumber
    /// The end of the range.
    public var end: LogSequenceNumber
  }

  /// Whether a file is not in the manifest, or not checked against it: the manifest itself, the
  /// WAL, and files that tools add to a backup or change in it.
  /// (`src/bin/pg_verifybackup/pg_verifybackup.c`, `main`)
  public static func ignores(_ path: [UInt8]) -> Bool {
    path.starts(with: walDirectory) || ignoredPaths.contains(path)
  }

  private static let walDirectory = Array("pg_wal/".utf8)
  /// A short list, so it is searched linearly.
  private static let ignoredPaths = [
    fileName, "pg_wal", "postgresql.auto.conf", "recovery.signal", "standby.signal",
  ].map { Array($0.utf8) }
}
