import LayerFormat
import PostgresFormat
import System

/// The calls of a pageserver. (Neon, `pageserver/src/http/routes.rs`)
package struct Pageserver {
  /// Where it takes calls.
  package let url: ServiceURL
  private let client: ServiceClient

  /// The pageserver at a URL.
  package init(_ url: ServiceURL, _ client: ServiceClient) {
    self.url = url
    self.client = client
  }

  /// What it says of a shard, or of a tenant that is not sharded; nil if that is not attached.
  package func tenant(_ shard: String) throws(Failure) -> AttachedTenant? {
    try client.read(ServiceCall(.get, url, "/v1/tenant/\(shard)"))
  }

  /// Throws `.serviceFailed` if the server is a storage controller: that would make a tenant by the call
  /// with which a pageserver attaches one.
  package func requireNoController() throws(Failure) {
    do throws(Failure) {
      _ = try Controller(url, client).activePageserverCount()
    } catch {
      // A token need not be one for what is not there.
      guard [.serviceFailed, .tokenRefused].contains(error.code) else { throw error }
      return
    }
    throw Failure(
      .serviceFailed, "\(url.description.quoted) is a storage controller, not a pageserver",
      hint: "Give its URL with '--controller', without '--safekeeper'.")
  }

  /// What it says of a timeline; nil if the shard has none of that id, or is not attached.
  package func timeline(
    _ timeline: Identifier, of shard: String
  ) throws(Failure) -> TimelineState? {
    try client.read(timelineCall(timeline, of: shard))
  }

  /// The call of `timeline`.
  package func timelineCall(_ timeline: Identifier, of shard: String) -> ServiceCall {
    ServiceCall(.get, url, "/v1/tenant/\(shard)/timeline/\(timeline)")
  }

  /// Has it read the remote storage again; timelines that it serves go on.
  package func resetCall(_ shard: String) -> ServiceCall {
    ServiceCall(.post, url, "/v1/tenant/\(shard)/reset")
  }

  /// Attaches a tenant, or a shard, at a generation.
  ///
  /// One below that of the files is taken without a word, and the tenant is then empty.
  package func attachCall(_ shard: ShardName, generation: UInt32) -> ServiceCall {
    return ServiceCall(
      .put, url, "/v1/tenant/\(shard.name)/location_config",
      body:
        #"{"mode":"AttachedSingle","generation":\#(generation),\#(shard.fields)"tenant_conf":{}}"#
    )
  }

  /// Makes one of these calls.
  package func perform(_ call: ServiceCall) throws(Failure) -> ServiceAnswer {
    try client.send(call)
  }
}

/// A tenant, or one of its shards, as the service calls it.
package struct ShardName: Sendable, Equatable {
  /// `TENANT`, or `TENANT-NNCC`.
  package let name: String
  /// Which shard it is.
  package let shard: ShardID
  fileprivate let stripeSize: UInt32

  /// A shard of a tenant; the stripe size matters only if there are several.
  package init(tenant: Identifier, _ shard: ShardID, stripeSize: UInt32) {
    name = shard.directoryName(ofTenant: tenant)
    self.shard = shard
    self.stripeSize = stripeSize
  }

  /// The fields that a pageserver must be told of a shard; none of a tenant that is not sharded.
  fileprivate var fields: String {
    guard shard.count > 1 else { return "" }
    return #""shard_number":\#(shard.number),"shard_count":\#(shard.count),"#
      + #""shard_stripe_size":\#(stripeSize),"#
  }
}

/// A tenant, or one of its shards, on a pageserver.
package struct AttachedTenant: Decodable, Sendable {
  /// The generation that it is attached at; nil if the pageserver does not say it.
  package var generation: UInt32?
  private var state: State
  /// The ids of its timelines.
  package var timelines: [String]

  private struct State: Decodable { var slug: String }

  /// Whether it has been loaded, and can be used; until then, it shows no timelines.
  package var isActive: Bool { state.slug == "Active" }
}

/// A timeline on a pageserver.
package struct TimelineState: Decodable, Sendable {
  /// The end of the WAL that the pageserver has: the LSN of the next record.
  package var lastRecordLSN: LogSequenceNumber
  /// The LSN that the timeline begins at.
  package var initdbLSN: LogSequenceNumber
  /// Up to where the remote storage has what came after it was attached; 0/0 if nothing came.
  package var remoteConsistentLSN: LogSequenceNumber?
  /// The major version of Postgres.
  package var postgresVersion: Int
  /// `Active`, `Loading`, `Stopping` or `Broken`.
  package var state: String

  private enum CodingKeys: String, CodingKey {
    case lastRecordLSN = "last_record_lsn"
    case initdbLSN = "initdb_lsn"
    case remoteConsistentLSN = "remote_consistent_lsn"
    case postgresVersion = "pg_version"
    case state
  }

  /// Reads the fields; a state with details is an object of one field, the state.
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    lastRecordLSN = try fields.decode(LogSequenceNumber.self, forKey: .lastRecordLSN)
    initdbLSN = try fields.decode(LogSequenceNumber.self, forKey: .initdbLSN)
    remoteConsistentLSN = try? fields.decode(LogSequenceNumber.self, forKey: .remoteConsistentLSN)
    postgresVersion = try fields.decode(Int.self, forKey: .postgresVersion)
    if let text = try? fields.decode(String.self, forKey: .state) {
      state = text
    } else {
      let details = try fields.decode([String: Ignored].self, forKey: .state)
      state = details.keys.first ?? ""
    }
  }

  /// Whether it is served.
  package var isActive: Bool { state == "Active" }
  /// Whether the pageserver has given it up.
  package var isBroken: Bool { state == "Broken" }
}
