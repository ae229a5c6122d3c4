import PostgresFormat
import Service
import System

/// What `attach` did, or what `status` saw: where a tenant is served, and what is missing.
///
/// A nil field is left out of the object.
public struct AttachSummary: Codable, Sendable {
  /// A shard, or a tenant that is not sharded, on its pageserver.
  public struct Shard: Codable, Sendable {
    /// The shard's number and the shard count, two hexadecimal digits each; nil if not sharded.
    public var shard: String?
    /// The pageserver's id, if a controller gave it.
    public var pageserverID: Int?
    /// Where it serves computes, if a controller said it; else the host of its URL.
    public var host: String
    /// The port of that.
    public var port: Int?
  }

  /// A timeline on a safekeeper.
  public struct Safekeeper: Codable, Sendable {
    /// How it is.
    public enum State: String, Codable, Sendable {
      /// The timeline is there, and begins where it should.
      case ready
      /// It does not have the timeline.
      case missing
      /// It does not answer.
      case unreachable
      /// It does not take the token, so it was not looked at; a controller has made the timeline there.
      case refused
    }

    /// Its id.
    public var id: Int
    /// Where it takes calls.
    public var url: String
    /// How it is.
    public var state: State
    /// The LSN that its WAL begins at.
    public var startLSN: String?

    /// Whether it has the timeline, as it says itself, or else the controller.
    package var hasTimeline: Bool { state == .ready || state == .refused }
  }

  /// A timeline.
  public struct Timeline: Codable, Sendable {
    /// The timeline's id.
    public var timelineID: String
    /// The major version of Postgres.
    public var postgresVersion: Int
    /// The LSN that it begins at.
    public var importLSN: String
    /// The end of the WAL in the files.
    public var endLSN: String
    /// How many L0s the files have, in all shards.
    public var l0LayerCount: Int
    /// What the pageserver says of it, in lower case: `active`; nil if it does not have it.
    public var state: String?
    /// The end of the WAL that the pageserver has, the lowest of all shards.
    public var lastRecordLSN: String?
    /// How many bytes of WAL the remote storage lacks of that.
    public var notUploadedByteCount: UInt64?
    /// The safekeepers that it is to be on, as far as that is known.
    public var safekeepers: [Safekeeper] = []
    /// Whether a compute can use it.
    public var isInService = false
  }

  /// What a run did.
  public enum DoneCode: String, StableCode {
    case tenantAttached = "tenant-attached"
    case storageReadAgain = "storage-read-again"
    case timelineMade = "timeline-made"
    case callUnanswered = "call-unanswered"

    /// What it means, in full sentences.
    public var meaning: String {
      switch self {
      case .tenantAttached: "The tenant, or one of its shards, was attached."
      case .storageReadAgain: "The pageserver of a shard read the remote storage again."
      case .timelineMade:
        "A timeline was made on a safekeeper, or by the controller on several."
      case .callUnanswered:
        "A call got no answer. What came of it was looked at: if it succeeded, 'inPlace' says so."
      }
    }
  }

  /// What is in place, whoever did it.
  public enum InPlaceCode: String, StableCode {
    case tenantAttached = "tenant-attached"
    case timelineActive = "timeline-active"
    case timelineOnSafekeepers = "timeline-on-safekeepers"

    /// What it means, in full sentences.
    public var meaning: String {
      switch self {
      case .tenantAttached: "The tenant, or one of its shards, is attached."
      case .timelineActive:
        "A timeline is active on the pageserver, with the LSNs and the version of the files."
      case .timelineOnSafekeepers: "A timeline is on most of its safekeepers."
      }
    }
  }

  /// How long it took.
  public var seconds: Double = 0
  /// The tenant's directory in the remote storage, of a sharded one without the shard, or its URL.
  public var tenantPath: String
  /// The tenant's id.
  public var tenantID: String
  /// How many shards the tenant has; 1 if it is not sharded.
  public var shardCount: Int
  /// How many consecutive blocks of a relation stay on one shard, if the files say it.
  public var stripeSize: UInt32?
  /// Where it is attached.
  public var shards: [Shard] = []
  /// The timelines that were asked for.
  public var served: [Timeline]
  /// What was done, in its order; empty if nothing had to be.
  public var done: [Notice<DoneCode>] = []
  /// What is in place.
  public var inPlace: [Notice<InPlaceCode>] = []
  /// What has to be looked at although everything is done.
  public var warnings: [Warning] = []

  /// Whether everything that was asked for is in service.
  public var isInService: Bool { served.allSatisfy(\.isInService) }

  init(_ files: TenantFiles) {
    tenantPath = files.path
    tenantID = files.id.description
    shardCount = files.shards.count
    stripeSize = files.stripeSize
    served = files.timelines.map { timeline in
      Timeline(
        timelineID: timeline.id.description, postgresVersion: timeline.postgresVersion,
        importLSN: timeline.importLSN.description, endLSN: timeline.endLSN.description,
        l0LayerCount: timeline.l0LayerCount)
    }
  }
}

extension [AttachSummary.Safekeeper] {
  /// Whether most of them have the timeline, so that a compute can write.
  var areEnough: Bool { count(where: \.hasTimeline) * 2 > count }
}
