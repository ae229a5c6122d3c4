import LayerFormat
import ObjectStore
import PostgresFormat
import System
import Timeline

/// Finds the timelines among the keys of a bucket, which come sorted: those of a timeline together.
///
/// ```
/// …/tenants/TENANT[-SHARD]/timelines/TIMELINE/NAME
/// └────────────── a timeline ───────────────┘
/// ```
struct StoredTenantWalk {
  private let client: StoreClient
  private let location: StoreLocation
  private var list: TimelineList
  /// The timeline whose keys are being read.
  private var files: StoredTimelineFiles?
  private var lastSkipped: String?

  /// Reads all keys below a place; throws what keeps them from being listed.
  static func list(
    _ location: StoreLocation, _ options: StoreOptions
  ) throws(Failure) -> TimelineList {
    let client = try StoreClient(location, options)
    var walk = StoredTenantWalk(client)
    try client.list(location.keyPrefix) { object throws(Failure) in
      try Interruption.check()
      try walk.take(object)
    }
    try walk.endTimeline()
    walk.list.timelines.sort { $0.order.lexicographicallyPrecedes($1.order) }
    guard walk.list.timelines.isEmpty, let place = TenantPath(location.description) else {
      return walk.list
    }
    // With shards, nothing begins with the path of a tenant or of its timeline.
    let root = try StoreLocation(place.root)
    try client.list(root.keyPrefix + place.tenant.description + "-") { object throws(Failure) in
      try Interruption.check()
      try walk.take(object)
    }
    try walk.endTimeline()
    walk.list.timelines.removeAll { !place.names($0.tenantID, $0.timelineID) }
    return walk.list
  }

  private init(_ client: StoreClient) {
    self.client = client
    location = client.location
    list = TimelineList(of: client.location.description)
  }

  private mutating func take(_ object: ListedObject) throws(Failure) {
    guard let prefix = timeline(of: object.key) else { return skip(object.key) }
    if files?.prefix != prefix {
      try endTimeline()
      files = StoredTimelineFiles(prefix: prefix, client)
    }
    // What is in a directory below it counts as that directory. Some tools make an object for the
    // timeline's directory itself.
    let rest = object.key.dropFirst(prefix.isEmpty ? 0 : prefix.count + 1)
    let name = String(rest.prefix { $0 != "/" })
    if !name.isEmpty { files?.byteCounts[name, default: 0] += object.byteCount }
  }

  /// What the keys of the timeline begin with that a key belongs to: known from its path, or, of the place
  /// that was given itself, from the name of a file. Nil if it belongs to none.
  private func timeline(of key: String) -> String? {
    let names = Self.names(in: key)
    for (index, name) in names.enumerated().dropLast().dropFirst()
    where names[index - 1] == "timelines" && Identifier(name) != nil {
      let isTenant =
        index < 3 || names[index - 3] != "tenants" || TenantName(names[index - 2]) != nil
      return isTenant ? names[...index].joined(separator: "/") : nil
    }
    if files?.prefix == location.prefix { return location.prefix }
    let rest = String(key.dropFirst(location.keyPrefix.count))
    let isFile = IndexPart.parse(fileName: rest) != nil || LayerName.parse(fileName: rest) != nil
    return isFile ? location.prefix : nil
  }

  private static func names(in key: String) -> [String] {
    key.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
  }

  /// Notes a key that is where a tenant or a timeline should be, once for all that begin so.
  private mutating func skip(_ key: String) {
    let names = Self.names(in: key)
    for (index, name) in names.enumerated().dropFirst() {
      let isWrong =
        switch names[index - 1] {
        case "tenants": TenantName(name) == nil
        case "timelines": Identifier(name) == nil
        default: false
        }
      guard isWrong else { continue }
      let path = "s3://" + location.bucket + "/" + names[...index].joined(separator: "/")
      guard path != lastSkipped else { return }
      lastSkipped = path
      return list.skip(path, index == names.count - 1 ? .notADirectory : .otherName)
    }
  }

  private mutating func endTimeline() throws(Failure) {
    guard let files else { return }
    let identity = files.prefix.split(separator: "/").suffix(3).map(String.init)
    let isNamed = identity.count >= 2 && identity[identity.count - 2] == "timelines"
    let tenant = isNamed && identity.count == 3 ? TenantName(identity[0]) : nil
    var listed = ListedTimeline(
      files.path, of: tenant, timeline: isNamed ? identity.last.flatMap(Identifier.init) : nil)
    try TimelineSurvey(files, pending: try pending(of: files)).describe(&listed)
    list.timelines.append(listed)
    self.files = nil
  }

  /// What waits for `publish`, of a shard that has no index; nil of any other timeline.
  private func pending(of files: StoredTimelineFiles) throws(Failure) -> StoredTimelineFiles? {
    let prefix = OutputPlace.pendingPath(ofTimeline: "/" + files.prefix)?.dropFirst()
    guard let prefix, files.byteCounts.keys.allSatisfy({ IndexPart.parse(fileName: $0) == nil })
    else { return nil }
    var pending = StoredTimelineFiles(prefix: String(prefix), client)
    try client.list(prefix + "/") { object in
      pending.byteCounts[String(object.key.dropFirst(prefix.count + 1))] = object.byteCount
    }
    return pending
  }
}

/// The objects of one timeline.
struct StoredTimelineFiles: SurveyedFiles {
  /// What their keys begin with, without a slash at its end.
  let prefix: String
  /// Their lengths, by name.
  var byteCounts: [String: UInt64] = [:]
  let path: String
  private let client: StoreClient

  init(prefix: String, _ client: StoreClient) {
    self.prefix = prefix
    self.client = client
    path = "s3://" + client.location.bucket + (prefix.isEmpty ? "" : "/" + prefix)
  }

  /// An import to a store has no lock.
  func isLocked() -> Bool { false }

  func fileNames() throws(Failure) -> [String] { Array(byteCounts.keys) }

  func status(of name: String) throws(Failure) -> SurveyedFile? {
    byteCounts[name].map { SurveyedFile(kind: .file, byteCount: $0) }
  }

  func contents(of name: String, limit: Int) throws(Failure) -> [UInt8] {
    try StoredDirectory(client, at: prefix).contents(of: name, limit: limit)
  }
}

extension ListedTimeline {
  /// By the place of its tenant, tenant, shard and timeline; a hyphen comes before the slash in keys.
  fileprivate var order: [String] { [root, tenantID ?? "", shard ?? "", timelineID ?? ""] }
}
