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

  private static let shownLimit = 8

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
    return walk.list
  }

  private init(_ client: StoreClient) {
    self.client = client
    location = client.location
    list = TimelineList(
      path: escaped(client.location.description.utf8), timelines: [], skippedCount: 0, skipped: [])
  }

  private mutating func take(_ object: ListedObject) throws(Failure) {
    let slash = object.key.lastIndex(of: "/")
    let parent = slash.map { String(object.key[..<$0]) } ?? ""
    let name = slash.map { String(object.key[object.key.index(after: $0)...]) } ?? object.key
    if files?.prefix != parent {
      try endTimeline()
      guard isTimeline(parent, name) else { return skip(object.key) }
      files = StoredTimelineFiles(prefix: parent, client)
    }
    files?.byteCounts[name] = object.byteCount
  }

  /// Whether keys below `prefix` are of a timeline: by its path, or, of the place that was given itself,
  /// by the name of a file.
  private func isTimeline(_ prefix: String, _ name: String) -> Bool {
    let names = prefix.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    if names.count >= 2, names[names.count - 2] == "timelines", Identifier(names.last ?? "") != nil
    {
      return names.count < 3 || names.count < 4 || names[names.count - 4] != "tenants"
        || TenantName(names[names.count - 3]) != nil
    }
    return prefix == location.prefix
      && (IndexPart.parse(fileName: name) != nil || LayerName.parse(fileName: name) != nil)
  }

  /// Notes a key that is where a tenant or a timeline should be, once for all that begin so.
  private mutating func skip(_ key: String) {
    let names = key.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
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
      list.skippedCount += 1
      guard list.skipped.count < Self.shownLimit else { return }
      list.skipped.append(
        .init(
          path: escaped(path.utf8),
          reason: index == names.count - 1
            ? "it is not a directory" : "it is not named after a tenant or a timeline"))
      return
    }
  }

  private mutating func endTimeline() throws(Failure) {
    guard let files else { return }
    let identity = files.prefix.split(separator: "/").suffix(3).map(String.init)
    let isNamed = identity.count >= 2 && identity[identity.count - 2] == "timelines"
    let tenant = isNamed && identity.count == 3 ? TenantName(identity[0]) : nil
    var listed = ListedTimeline(
      timelinePath: escaped(files.path.utf8), tenantID: tenant?.id.description,
      shard: tenant?.shard,
      timelineID: isNamed ? identity.last.flatMap(Identifier.init)?.description : nil,
      state: .unfinished)
    try TimelineSurvey(files).describe(&listed)
    list.timelines.append(listed)
    self.files = nil
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
