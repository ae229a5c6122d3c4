import Backup
import ObjectStore
import Pipeline
import System

/// What an export reads, where it writes, and in which form.
public struct ExportOptions: Sendable {
  /// The timeline's directory: a path, or `s3://BUCKET/PREFIX`.
  public var timeline: String

  /// How the object store is reached that the timeline is in.
  public var store = StoreOptions()

  /// Where the tar goes: a file or standard output.
  public var output: OutputTarget

  /// Give out what a pageserver's `fullbackup` is, rather than what a server starts from.
  public var forPageserver = false

  /// How many batches are decompressed at once; nil for one a processor.
  public var jobs: Int?

  /// Options for a data directory that a server starts from.
  public init(timeline: String, output: OutputTarget) {
    self.timeline = timeline
    self.output = output
  }
}

/// What an export did: everything that the program prints of it, and the JSON object of `--json`.
public struct ExportSummary: Codable, Sendable {
  /// The timeline's directory: its path from the root on, or its URL.
  public var timelinePath = ""
  /// The tenant's id: 32 lower-case hexadecimal digits; nil if the path does not have it.
  public var tenantID: String?
  /// The timeline's id: 32 lower-case hexadecimal digits; nil if the path does not have it.
  public var timelineID: String?
  /// The generation of the index that was read.
  public var generation: UInt32 = 0
  /// The tar, from the root on; `-` for standard output.
  public var backupPath = ""
  /// `clean shutdown`, from which Postgres starts, or `fullbackup`, as a pageserver gives it out.
  public var backupKind = ""

  /// The major version, 14 to 17.
  public var postgresVersion = 0
  /// The `system_identifier` of `pg_control`, in decimal.
  public var systemIdentifier = ""
  /// The `initdb_lsn` of the index, which is the import LSN of an imported timeline.
  public var importLSN = ""
  /// The LSN where the next WAL record starts: the end of the timeline.
  public var endLSN = ""
  /// Databases of the cluster, templates included.
  public var databaseCount = 0
  /// Files in the tar.
  public var fileCount = 0
  /// Pages of relations and SLRUs, 8192 bytes each.
  public var pageCount: UInt64 = 0
  /// The tar's length in bytes.
  public var outputByteCount: UInt64 = 0
  /// Prepared transactions, each a file in `pg_twophase`.
  public var preparedTransactionCount = 0
  /// How long the export took.
  public var seconds: Double = 0
}

/// Exports a timeline: a tar of a data directory, in one pass over its layers after one over their
/// indexes.
///
/// When anything fails, or the program is interrupted, no file is left behind. Throws a
/// `Failure` whose code is the program's exit code. Memory: 1 MiB a batch, four batches a job
/// and eight more; 64 MiB for the open layers' buffers, more if there are over 4,000 L0s; 16 bytes
/// a relation fork.
public func exportTimeline(
  _ options: ExportOptions, progress: RunProgress?
) throws(Failure) -> ExportSummary {
  let start = ContinuousClock.now
  let pipeline = try ExportPipeline(options, progress: progress)
  var summary = try pipeline.run()
  summary.seconds = (ContinuousClock.now - start) / .seconds(1)
  return summary
}
