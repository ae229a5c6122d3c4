import LayerFormat
import PostgresFormat
import System

/// The calls of a storage controller. (Neon, `storage_controller/src/http.rs`)
package struct Controller {
  /// Where it takes calls.
  package let url: ServiceURL
  private let client: ServiceClient

  /// The controller at a URL.
  package init(_ url: ServiceURL, _ client: ServiceClient) {
    self.url = url
    self.client = client
  }

  // MARK: What it knows

  /// Whether it knows the tenant, attached or not.
  ///
  /// Throws `.serviceFailed` if the server is not a storage controller.
  package func knows(_ tenant: Identifier) throws(Failure) -> Bool {
    struct Tenant: Decodable { var shards: [Ignored] }
    if try client.read(get("/control/v1/tenant/\(tenant)"), as: Tenant.self) != nil { return true }
    // Any other server does not know it either.
    _ = try activePageserverCount()
    return false
  }

  /// How many pageservers have registered with it and answer.
  ///
  /// Throws `.serviceFailed` if the server is not a storage controller: no other has this call.
  package func activePageserverCount() throws(Failure) -> Int {
    struct Node: Decodable { var availability: String }
    let call = get("/control/v1/node")
    guard let nodes = try client.read(call, as: [Node].self) else {
      throw Failure(
        .serviceFailed,
        "\(url.description.quoted) is not a storage controller: \(call.description) was answered with 404",
        hint:
          "Give the URL of the storage controller, or, to 'attach' and 'status', a pageserver's with "
          + "'--pageserver'.")
    }
    return nodes.count { $0.availability == "Active" }
  }

  /// Where the tenant's shards are attached; nil if it does not know the tenant (404), or has not
  /// attached all of them yet (400).
  package func location(of tenant: Identifier) throws(Failure) -> TenantLocation? {
    try client.read(locationCall(tenant), absent: [400, 404])
  }

  /// What the pageserver of the tenant's first shard says of a timeline; nil if it has none.
  package func timeline(
    _ timeline: Identifier, of tenant: Identifier
  ) throws(Failure) -> TimelineState? {
    try client.read(timelineCall(timeline, of: tenant))
  }

  /// The ids of the safekeepers that have the timeline; nil if none were ever chosen for it.
  package func safekeepers(
    of timeline: Identifier, of tenant: Identifier
  ) throws(Failure) -> [Int]? {
    struct Row: Decodable { var sk_set: [Int] }
    return try client.read(safekeepersCall(of: timeline, of: tenant), as: Row.self)?.sk_set
  }

  /// All safekeepers that it knows.
  package func safekeepers() throws(Failure) -> [RegisteredSafekeeper] {
    try client.read(get("/control/v1/safekeeper")) ?? []
  }

  // MARK: Calls

  private func get(_ path: String) -> ServiceCall { ServiceCall(.get, url, path) }

  /// The call of `location`.
  package func locationCall(_ tenant: Identifier) -> ServiceCall {
    get("/debug/v1/tenant/\(tenant)/locate")
  }

  /// The call of `timeline`.
  package func timelineCall(_ timeline: Identifier, of tenant: Identifier) -> ServiceCall {
    get("/v1/tenant/\(tenant)/timeline/\(timeline)")
  }

  /// The call of `safekeepers`.
  package func safekeepersCall(of timeline: Identifier, of tenant: Identifier) -> ServiceCall {
    get("/debug/v1/tenant/\(tenant)/timeline/\(timeline)/locate")
  }

  /// Has a pageserver look for the tenant in the remote storage, and attaches it one generation higher
  /// than the highest that it finds, all shards.
  package func importCall(_ tenant: Identifier) -> ServiceCall {
    ServiceCall(.post, url, "/debug/v1/tenant/\(tenant)/import")
  }

  /// Makes a timeline on the safekeepers from its end LSN on, if the pageserver has it.
  ///
  /// If the pageserver does not have it, this makes a new and empty one of the same id.
  package func creationCall(
    _ timeline: Identifier, of tenant: Identifier, version: Int
  ) -> ServiceCall {
    ServiceCall(
      .post, url, "/v1/tenant/\(tenant)/timeline",
      body: #"{"new_timeline_id":"\#(timeline)","pg_version":\#(version)}"#)
  }

  /// Makes one of these calls.
  package func perform(_ call: ServiceCall) throws(Failure) -> ServiceAnswer {
    try client.send(call)
  }
}

/// A value of which nothing matters but that it is there.
struct Ignored: Decodable {
  init(from decoder: any Decoder) {}
}

/// Where the shards of a tenant are attached.
package struct TenantLocation: Decodable, Sendable {
  /// A shard and its pageserver.
  package struct Shard: Decodable, Sendable {
    /// The tenant's id, and for one shard of several `-NNCC`.
    package var name: String
    /// The id of the pageserver.
    package var pageserverID: Int
    /// Where it serves computes.
    package var host: String
    /// The port of that.
    package var port: Int
    fileprivate var callHost: String
    fileprivate var callPort: Int?
    fileprivate var secureCallPort: Int?

    private enum CodingKeys: String, CodingKey {
      case name = "shard_id"
      case pageserverID = "node_id"
      case host = "listen_pg_addr"
      case port = "listen_pg_port"
      case callHost = "listen_http_addr"
      case callPort = "listen_http_port"
      case secureCallPort = "listen_https_port"
    }

    /// Where the pageserver takes calls, in the way of the controller's URL.
    package func callURL(like controller: ServiceURL) throws(Failure) -> ServiceURL {
      try ServiceURL(
        host: callHost, port: callPort, securePort: secureCallPort, likeThat: controller)
    }
  }

  /// What all shards have in common.
  package struct Parameters: Decodable, Sendable {
    /// How many there are; 0 of a tenant that is not sharded.
    package var count: Int
    /// Pages in a stripe.
    package var stripeSize: Int

    private enum CodingKeys: String, CodingKey {
      case count
      case stripeSize = "stripe_size"
    }
  }

  /// The shards.
  package var shards: [Shard]
  /// What they have in common.
  package var parameters: Parameters

  private enum CodingKeys: String, CodingKey {
    case shards
    case parameters = "shard_params"
  }
}

/// A safekeeper that a controller knows.
package struct RegisteredSafekeeper: Decodable, Sendable {
  /// Its id.
  package var id: Int
  /// Its host.
  package var host: String
  private var port: Int?
  private var securePort: Int?

  private enum CodingKeys: String, CodingKey {
    case id, host
    case port = "http_port"
    case securePort = "https_port"
  }

  /// Where it takes calls, in the way of the controller's URL.
  package func callURL(like controller: ServiceURL) throws(Failure) -> ServiceURL {
    try ServiceURL(host: host, port: port, securePort: securePort, likeThat: controller)
  }
}
