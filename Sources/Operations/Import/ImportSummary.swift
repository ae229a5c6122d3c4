import Backup
import LayerFormat
import PostgresFormat
import Timeline

/// What an import did: everything that the program prints of it, and the JSON object of `--json`.
///
/// Numbers that may pass 2^53 (the system identifier) and LSNs are strings, so that every JSON
/// reader gets them whole.
public struct ImportSummary: Codable, Sendable {
  /// The backup, from the root on; `-` for standard input.
  public var backupPath = ""
  /// `clean shutdown`, `fullbackup`, or `recovered` for one that Postgres recovered.
  public var backupKind = ""
  /// The version of the Postgres that recovered the cluster; nil without recovery.
  public var recoveredBy: String?
  /// Where the recovery ended: the LSN after the last record that was replayed; nil without recovery.
  public var recoveryEndLSN: String?
  /// When the last transaction was committed that was replayed, `2026-01-31 12:00:00.123456+00`; nil
  /// if there was none.
  public var recoveryEndTime: String?
  /// Why a copy without `backup_label` was taken for one of one moment; nil with a label, and after a
  /// clean shutdown.
  public var snapshotCheck: SnapshotCheck?
  /// Relations with pages after the end of the WAL that nothing uses: an index or table that was being made,
  /// or a hash index that was growing.
  public var unfinishedRelationCount = 0
  /// Tablespaces whose contents were moved to the default one, in the order of their oids.
  public var movedTablespaces: [String] = []
  /// The major version, 14 to 17.
  public var postgresVersion = 0
  /// The `system_identifier` of `pg_control`, in decimal.
  public var systemIdentifier = ""

  /// The tenant's id: 32 lower-case hexadecimal digits.
  public var tenantID = ""
  /// The timeline's id: 32 lower-case hexadecimal digits.
  public var timelineID = ""
  /// How many shards the tenant has; 1 if it is not sharded.
  public var shardCount = 1
  /// The numbers of the shards that were written, if their indexes were left to be published.
  public var onlyShards: [Int]?
  /// How many consecutive blocks of a relation stay on one shard; what the tenant's manifest says, if
  /// this import wrote it.
  public var stripeSize = 0
  /// The generation in the names of the layers and the index.
  public var generation: UInt32 = 0
  /// The timeline's directory, from the root on: what a pageserver attaches, or what is copied to a
  /// bucket.
  public var timelinePath = ""
  /// The timeline's index, from the root on: what is copied to a bucket last; nil if none is written.
  public var indexPath: String?
  /// The receipt, from the root on; nil if none is written.
  public var receiptPath: String?

  /// The first LSN at which the timeline can be read, `0/1500028`.
  public var importLSN = ""
  /// The LSN where the next WAL record starts: the timeline's `disk_consistent_lsn`.
  public var endLSN = ""

  /// Databases of the cluster, templates included.
  public var databaseCount = 0
  /// The same databases by name, in the order of their ids.
  public var databases: [DatabaseName] = []
  /// Relation forks' main forks: tables, indexes, sequences, TOAST.
  public var relationCount = 0
  /// Pages of relations and SLRUs stored, 8192 bytes each.
  public var pageCount: UInt64 = 0

  /// Bytes read from the input, compressed as it came.
  public var inputByteCount: UInt64 = 0
  /// Bytes of all layers and the index.
  public var outputByteCount: UInt64 = 0
  /// Every layer file, by name, that begins with the shard's directory if there are several; the hashes are
  /// of the files as they were read back.
  public var layers: [FileDigest] = []
  /// The index file, as it was read back, that of shard 0 if there are several; nil if none is written.
  public var index: FileDigest?
  /// The indexes of the other shards, in their order.
  public var otherIndexes: [FileDigest] = []
  /// What layers small relations came into: `sorted` for image layers, `fake-l0` for L0s.
  public var layout = LayerLayout.level0
  /// Why.
  public var layoutReason = LayoutReason.asked
  /// Image layers written.
  public var imageLayerCount = 0
  /// L0 layers written: those of small relations, if they are not sorted, and one for everything else.
  public var l0LayerCount = 0
  /// How long the import took, a recovery included.
  public var seconds: Double = 0
  /// The most memory in bytes that what is remembered of each relation segment took, which is not
  /// part of `--memory`.
  public var segmentTableByteCount = 0

  /// What to look at although the import is complete.
  public var warnings: [Warning] = []

  /// What the backup's manifest said.
  public var manifest = ManifestSummary(result: .none)
  /// What the cluster's data checksums said, before they were taken off.
  public var pageChecksums = PageChecksumSummary(result: .none)

  /// Pages in use that had no LSN and were given one.
  public var stampedPageCount: UInt64 = 0
  /// Two-phase files that contained their CRC twice; one was removed.
  public var mendedTwoPhaseFileCount = 0
  /// Prepared transactions, each a file in `pg_twophase`; all of them are imported.
  public var preparedTransactionCount = 0
  /// What a compute finds otherwise than the cluster left it.
  public var changes: [Change] = []
  /// Relations with an init fork: they come up empty in a compute, as after a crash.
  public var unloggedRelationCount = 0
  /// Names of replication slots that Neon cannot keep.
  public var lostReplicationSlots: [String] = []
  /// Files that are not stored in the timeline, one entry for each reason.
  public var leftOut: [LeftOutFiles] = []

  /// Names of databases whose `DROP DATABASE` was interrupted, so that no server lets anyone in.
  public var invalidDatabases: [String] = []
  /// Databases with columns that have the option `pg_attver`, which older releases refuse.
  public var markedDatabaseCount = 0
  /// Names in the tar that began with a slash, which was dropped.
  public var absoluteNameCount = 0

  /// The least values of settings that a compute needs to start: name to value.
  public var requiredSettings: [String: Int] = [:]

  /// Why small relations came into layers of one kind.
  public enum LayoutReason: String, Codable, Sendable, CaseIterable {
    /// An option says so.
    case asked = "option"
    /// A directory is read in the order of keys.
    case directory
    /// There are so few L0s that a pageserver leaves them alone.
    case fewLevel0Layers = "few-l0-layers"
    /// There would be so many that a pageserver compacted them.
    case manyLevel0Layers = "many-l0-layers"
  }

  /// A database and its name.
  public struct DatabaseName: Codable, Equatable, Sendable {
    /// The oid.
    public var id: UInt32
    /// The name, control characters escaped; nil if no row of `pg_database` is known to be visible
    /// that says it.
    public var name: String?

    /// The database of this oid.
    public init(id: UInt32, name: String?) {
      self.id = id
      self.name = name
    }
  }

  /// A summary of nothing yet, which the parts of an import fill in.
  public init() {}
}

extension ImportSummary {
  /// What the backup was and held.
  init(
    _ contents: ClusterContents, _ assessment: ClusterAssessment,
    _ relations: [Cluster.Relation]
  ) {
    backupKind = assessment.kind.rawValue
    postgresVersion = assessment.version.rawValue
    systemIdentifier = String(assessment.controlFile.systemIdentifier)
    importLSN = assessment.importLSN.description
    endLSN = assessment.endLSN.description
    databases = contents.databaseNames().map { id, name in
      DatabaseName(id: id, name: name)
    }
    databaseCount = databases.count
    relationCount = relations.count { $0.id.fork == .main }
    unloggedRelationCount = relations.count { $0.id.fork == .initialisation }
    mendedTwoPhaseFileCount = contents.mendedTwoPhaseFileCount
    preparedTransactionCount = contents.twoPhaseFiles.count
    changes = assessment.controlFile.normalised().changes
    lostReplicationSlots = contents.leftOut.slots.sorted()
    leftOut = contents.leftOut.summary
    invalidDatabases = contents.invalidDatabases(assessment.version)
    absoluteNameCount = contents.absoluteNameCount
    for (name, value) in assessment.controlFile.settings { requiredSettings[name] = Int(value) }
    let origins = contents.replicationOrigins?.origins.count ?? 0
    if origins > 0 { requiredSettings["max_replication_slots"] = origins + 1 }
  }
}

extension ImportSummary {
  /// Takes the files of the timeline.
  ///
  /// - Parameters:
  ///   - indexes: the index of each shard.
  ///   - digest: what the import's object says of a layer.
  mutating func take(
    _ layers: [HashedLayer], _ indexes: [FileDigest], digest: (HashedLayer) -> FileDigest
  ) {
    self.layers = layers.map(digest).sorted { $0.name < $1.name }
    index = indexes[0]
    otherIndexes = Array(indexes[1...])
    outputByteCount =
      indexes.reduce(0) { $0 + $1.byteCount } + layers.reduce(0) { $0 + $1.layer.byteCount }
    imageLayerCount = layers.count { $0.layer.name.isImage }
    l0LayerCount = layers.count - imageLayerCount
  }

  /// Lists what to look at, once all other fields are complete.
  mutating func listWarnings(storeWeakness: String?) {
    let count = pageChecksums.damagedPageCount
    if count > 0 {
      warnings.append(
        Warning(
          .pagesDamaged,
          count == 1
            ? "1 page does not match its checksum" : "\(count) pages do not match their checksums"))
    }
    if let storeWeakness { warnings.append(Warning(.unconditionalStore, storeWeakness)) }
  }

  /// Adds what happened before the import of the copy.
  mutating func take(_ cluster: RecoveredCluster) {
    backupKind = "recovered"
    manifest = cluster.manifest
    recoveredBy = cluster.serverVersion
    recoveryEndLSN = cluster.end?.description
    recoveryEndTime = cluster.lastCommit
    snapshotCheck = cluster.snapshotCheck
    movedTablespaces = cluster.movedTablespaces
    absoluteNameCount = cluster.absoluteNameCount
    lostReplicationSlots = Set(lostReplicationSlots).union(cluster.leftOut.slots).sorted()
    var reasons = Dictionary(uniqueKeysWithValues: leftOut.map { ($0.code, $0) })
    for other in cluster.leftOut.summary {
      guard var entry = reasons[other.code] else {
        reasons[other.code] = other
        continue
      }
      entry.fileCount += other.fileCount
      entry.byteCount &+= other.byteCount
      entry.names = Array((other.names + entry.names).prefix(LeftOutTally.namesShown))
      reasons[other.code] = entry
    }
    leftOut = reasons.values.sorted { $0.code < $1.code }
  }

  /// Adds to the changes of the control file those that are counted in other fields; called once,
  /// when the fields are complete.
  mutating func listChanges() {
    func add(_ code: ChangeCode, _ count: UInt64, _ one: String, _ many: String) {
      guard count > 0 else { return }
      changes.append(Change(code, count == 1 ? "1 \(one)" : "\(count) \(many)", count: count))
    }
    add(
      .tablespacesMoved, UInt64(movedTablespaces.count),
      "tablespace moved to the default tablespace", "tablespaces moved to the default tablespace")
    add(
      .pagesStamped, stampedPageCount, "page had no LSN and was given one",
      "pages had no LSN and were given one")
    add(
      .twoPhaseFilesRepaired, UInt64(mendedTwoPhaseFileCount),
      "two-phase file contained its checksum twice",
      "two-phase files contained their checksum twice")
    add(
      .unloggedRelationsEmptied, UInt64(unloggedRelationCount), "unlogged relation will be empty",
      "unlogged relations will be empty")
    add(
      .replicationSlotsLost, UInt64(lostReplicationSlots.count), "replication slot is lost",
      "replication slots are lost")
  }
}
