import LayerFormat
import PostgresFormat

/// A member of an exported backup that is no file of pages.
enum ExportMember: Sendable {
  case directory(String, mode: UInt32 = 0o755)
  case file(String, [UInt8])
}

/// What an exported backup holds besides pages.
///
/// ```
/// before the pages   directories, configuration, PG_VERSION, relation maps
/// after them         statistics, two-phase files, origins, signals, pg_control, WAL
/// ```
///
/// `pg_control` comes near the end, so that nobody starts a server from a backup that was cut off.
/// (Docs/format.md, Fullbackups)
struct ExportMembers: Sendable {
  let cluster: Cluster
  let controlFile: ControlFile
  let checkpoint: Checkpoint
  /// The end of the timeline; a WAL record can start there.
  let end: LogSequenceNumber
  let previousRecord: LogSequenceNumber?
  let forPageserver: Bool

  private var version: PostgresVersion { cluster.version }

  /// Databases that have files. A pageserver has directories of databases without any, too.
  private var databases: [Cluster.Database] {
    cluster.databases.filter {
      $0.relationMap != nil || !cluster.relations(ofDatabase: $0.id).isEmpty
    }
  }

  func beforePages() -> [ExportMember] {
    // A server refuses a data directory that others than its owner may look into.
    var members: [ExportMember] = forPageserver ? [] : [.directory("./", mode: 0o700)]
    members += directories.map { .directory($0) }
    members += configuration.map { .file($0, Array($1.utf8)) }
    members.append(.file("PG_VERSION", version.versionFileContents))
    for database in databases {
      let directory = RelationSegment.directory(ofDatabase: database.id)
      if database.id != 0 {
        members.append(.directory(directory))
        members.append(.file("\(directory)/PG_VERSION", version.versionFileContents))
      }
      if let map = database.relationMap {
        members.append(.file("\(directory)/pg_filenode.map", map))
      }
    }
    return members
  }

  func afterPages() -> [ExportMember] {
    var members: [ExportMember] = []
    if let statistics = cluster.statistics {
      members.append(.file(AuxiliaryFile.statisticsPath, statistics))
    }
    for transaction in cluster.preparedTransactions {
      let name = transaction.id.hexadecimal(version.twoPhaseNameDigits)
      members.append(
        .file("pg_twophase/\(name)", TwoPhaseFile.encode(stored: transaction.stored)))
    }
    if !cluster.replicationOrigins.origins.isEmpty {
      members.append(.file("pg_logical/replorigin_checkpoint", cluster.replicationOrigins.encode()))
    }
    return members + (forPageserver ? forPageserverEnd() : forServerEnd())
  }

  /// What a pageserver puts at the end of its own backups.
  private func forPageserverEnd() -> [ExportMember] {
    let signal = previousRecord.map { NeonSignal.previous($0) } ?? .invalid
    var copy = checkpoint
    copy.redo = end
    let segment = segmentBuilder.segment(endingAt: end)
    return [
      .file("neon.signal", signal.encode()), .file("zenith.signal", signal.encode()),
      .file(
        "global/pg_control",
        controlFile.encoded(
          state: .shutDown, checkPoint: LogSequenceNumber(rawValue: 0), checkpointCopy: copy,
          walSegmentSize: WALLayout.pageserverSegmentSize)),
      .file("pg_wal/\(segment.name)", segment.bytes),
    ]
  }

  /// What a server needs to start as after a clean shutdown.
  private func forServerEnd() -> [ExportMember] {
    // Postgres never uses a log's first segment; a cluster with shorter segments may end in what is
    // the first here.
    let least = LogSequenceNumber(rawValue: UInt64(WALLayout.pageserverSegmentSize))
    let start = WALLayout.recordStart(
      atOrAfter: max(end, least), segmentSize: WALLayout.pageserverSegmentSize)
    let copy = checkpoint.forShutdown(at: start)
    let segments = segmentBuilder.segments(holding: copy, at: start)
    return segments.map { .file("pg_wal/\($0.name)", $0.bytes) } + [
      .file(
        "global/pg_control",
        controlFile.encoded(
          state: .shutDown, checkPoint: start, checkpointCopy: copy,
          walSegmentSize: WALLayout.pageserverSegmentSize))
    ]
  }

  private var segmentBuilder: WALSegmentBuilder {
    WALSegmentBuilder(version: version, systemIdentifier: controlFile.systemIdentifier)
  }

  private var directories: [String] {
    DataDirectory.directories.filter { directory in
      switch directory {
      case "pg_wal": !forPageserver
      case "pg_wal/summaries": version >= .v17
      default: true
      }
    }
  }

  private var configuration: [(String, String)] {
    var files = [
      ("pg_hba.conf", ConfigurationFiles.hostBasedAuthentication), ("pg_ident.conf", ""),
      ("postgresql.auto.conf", ""),
    ]
    if !forPageserver {
      let text = ConfigurationFiles.server(
        controlFile, originCount: cluster.replicationOrigins.origins.count)
      files.append(("postgresql.conf", text))
    }
    return files
  }
}

/// The configuration that an exported backup gets: a timeline keeps none of the cluster's own.
enum ConfigurationFiles {
  /// Who may connect: over the socket, the operating system's user of the role's name; over TCP
  /// from this machine, whoever knows the role's password.
  ///
  /// `trust`, which a pageserver's own backup has, would make every local user a superuser of
  /// someone's data.
  static let hostBasedAuthentication = """
    # Written by import-backup. Roles and passwords are those of the exported cluster.
    # TYPE  DATABASE     USER  ADDRESS       METHOD
    local   all          all                 peer
    host    all          all   127.0.0.1/32  scram-sha-256
    host    all          all   ::1/128       scram-sha-256
    local   replication  all                 peer

    """

  /// What the server needs to start: what the control file records, and a slot for each replication
  /// origin and one more, but not fewer than Postgres's default.
  static func server(_ controlFile: ControlFile, originCount: Int) -> String {
    var settings = controlFile.settings.map { ($0.name, Int($0.value)) }
    settings.append(("max_replication_slots", max(10, originCount + 1)))
    return "# Written by import-backup: the settings that the cluster needs to start.\n"
      + settings.map { "\($0.0) = \($0.1)\n" }.joined()
  }
}
