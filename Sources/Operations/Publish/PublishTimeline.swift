import LayerFormat
import ObjectStore
import PostgresFormat
import System
import Timeline

/// Publishes the indexes of a timeline whose shards were imported on their own.
///
/// `store` says how an object store is reached. Throws as `PendingTimeline` does, and `.usage` for a path
/// that is not a tenant's. If it is interrupted, it can be done again; a timeline that is published already
/// stays as it is.
public func publishTimeline(
  _ path: String, store: StoreOptions = StoreOptions()
) throws(Failure) -> PublishSummary {
  let start = ContinuousClock.now
  try TenantPath.requireNoShard(path)
  guard let place = TenantPath(absolutePlace(path)) else {
    throw Failure(
      .notATimeline, "\(path.quoted) is not the path of a tenant",
      hint: "Give DIR/tenants/TENANT, where DIR is the '--output' of the imports.")
  }
  let timeline = try PendingTimeline(place, store)
  try timeline.publish()
  var summary = PublishSummary(timeline)
  if let weakness = timeline.weakness {
    summary.warnings.append(Warning(.unconditionalStore, weakness))
  }
  if let leftover = timeline.leftover {
    summary.warnings.append(Warning(.remainsNotRemoved, leftover))
  }
  summary.seconds = (ContinuousClock.now - start) / .seconds(1)
  return summary
}

/// What was published.
public struct PublishSummary: Codable, Sendable {
  /// How long it took.
  public var seconds: Double = 0
  /// The path of the timeline, from the root on, which names all its shards.
  public var timelinePath: String
  /// The tenant's id.
  public var tenantID: String
  /// The timeline's id.
  public var timelineID: String
  /// The generation in the names of the layers and the indexes.
  public var generation: UInt32
  /// How many shards the tenant has.
  public var shardCount: Int
  /// How many consecutive blocks of a relation stay on one shard.
  public var stripeSize: Int
  /// How many indexes were published by this run; the others were before.
  public var publishedShardCount: Int
  /// The major version of Postgres.
  public var postgresVersion: Int
  /// The first LSN at which the timeline can be read.
  public var importLSN: String
  /// The LSN where the next WAL record starts.
  public var endLSN: String
  /// How many layers all shards have.
  public var layerCount: Int
  /// The bytes of these layers.
  public var layerByteCount: UInt64
  /// What to look at although the timeline is complete.
  public var warnings: [Warning] = []

  init(_ timeline: PendingTimeline) {
    timelinePath = timeline.path
    tenantID = timeline.tenant.description
    timelineID = timeline.timeline.description
    generation = timeline.generation
    shardCount = timeline.layout.count
    stripeSize = Int(timeline.layout.stripeSize)
    publishedShardCount = timeline.pendingCount
    postgresVersion = timeline.metadata.postgresVersion
    importLSN = timeline.metadata.initdbLSN.description
    endLSN = timeline.metadata.diskConsistentLSN.description
    layerCount = timeline.layerCount
    layerByteCount = timeline.byteCount
  }
}
