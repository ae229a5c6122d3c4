import Backup
import System

/// What a backup is and holds, whether it can be imported or not, as `inspect` shows it.
///
/// Numbers that may pass 2^53 and LSNs are strings, so that every JSON reader gets them whole; a
/// nil field is left out of the object: it is not known.
public struct BackupDescription: Codable, Sendable {
  /// Why an import would refuse the backup: the error that it would end with.
  public struct Refusal: Codable, Sendable, Equatable {
    /// What keeps it from being imported.
    public var code: String
    /// The exit code.
    public var exitCode: Int32
    /// The error in words: one line, lower case, no final period.
    public var error: String
    /// What to do about it, in full sentences; nil if there is nothing to do.
    public var hint: String?
  }

  /// Tells this object from that of a timeline.
  public var subject = "backup"

  /// How long the inspection took.
  public var seconds: Double = 0

  /// The backup, from the root on; `-` for standard input.
  public var backupPath = ""
  /// Whether it is a data directory and not a tar of one.
  public var isDirectory = false
  /// `clean shutdown`, `fullbackup`, `running cluster`, `standby`, `incremental backup` or
  /// `unknown`.
  public var backupKind = ""
  /// Whether an import without a recovery would take it, as far as that shows without looking at pages.
  public var isImportable = false
  /// Why an import would refuse it; nil if it would not.
  public var refusal: Refusal?

  /// The major version.
  public var postgresVersion: Int?
  /// The `system_identifier` of `pg_control`, in decimal.
  public var systemIdentifier: String?
  /// As `pg_controldata` words it: `shut down`, `in production`.
  public var state: String?
  /// The `catalog_version_no` of `pg_control`, as 202406281.
  public var catalogVersion: UInt32?
  /// The `pg_control_version` of `pg_control`: 1300, or 1700 from Postgres 17 on.
  public var controlFileVersion: UInt32?
  /// Whether the pages have checksums: `data_checksum_version` of `pg_control` is not 0.
  public var hasDataChecksums: Bool?
  /// The size of a WAL segment in bytes, `xlog_seg_size` of `pg_control`.
  public var walSegmentByteCount: UInt32?
  /// The timeline of Postgres, not of Neon, that the last checkpoint belongs to.
  public var postgresTimeline: UInt32?
  /// Where the last checkpoint's record begins; 0/0 in a fullbackup.
  public var checkpointLSN: String?

  /// The LSN at which an import would make the timeline readable.
  public var importLSN: String?
  /// The LSN where the next WAL record starts.
  public var endLSN: String?
  /// Where the last record before `endLSN` starts; nil also if a fullbackup does not say.
  public var previousRecordLSN: String?

  /// Files of the cluster, links and other things that are no directories among them.
  public var fileCount = 0
  /// Bytes of all files together, unpacked.
  public var byteCount: UInt64 = 0
  /// Bytes of the tar as it came, compressed if it is; of a data directory, of all its files.
  public var inputByteCount: UInt64 = 0
  /// Whether the input is a compressed stream; false for a directory.
  public var isCompressed = false

  /// In the order of their ids, the shared relations first.
  public var databases: [DatabaseSize] = []
  /// Relations with a main fork.
  public var relationCount = 0
  /// Relations with an init fork, which come up empty in a compute.
  public var unloggedRelationCount = 0
  /// The largest relations, 100 at most, the largest first.
  public var relations: [RelationSize] = []

  /// Prepared transactions, each a file in `pg_twophase`.
  public var preparedTransactionCount = 0
  /// Replication origins in `pg_logical/replorigin_checkpoint`.
  public var replicationOriginCount = 0
  /// Names of replication slots, sorted, which Neon cannot keep.
  public var lostReplicationSlots: [String] = []
  /// What an import leaves out, a reason each.
  public var leftOut: [LeftOutFiles] = []

  /// A description of nothing yet, which an inspection fills in.
  public init() {}
}
