import LayerFormat
import PostgresFormat
import System
import Timeline

/// Goes from a directory down to the timelines in it.
///
/// ```
/// DIR ─ tenants ─ TENANT[-SHARD] ─ timelines ─ TIMELINE ─ index_part.json-…, layers
/// ```
///
/// It may begin at any of these. Nothing else is entered, and no link.
struct TenantWalk {
  /// What the walk has found.
  private(set) var list: TimelineList

  /// A walk from the directory at this path on.
  init(_ path: String) throws(Failure) {
    list = TimelineList(of: path)
    try enter(try DirectoryHandle(path: path))
  }

  /// Begins at a directory, whose place is known from what is in it, or else from its name.
  private mutating func enter(_ directory: DirectoryHandle) throws(Failure) {
    let path = directory.path
    let parent = SystemCalls.parent(of: path)
    let tenants = try directory.status(of: DirectoryHandle.name("tenants"))?.kind
    if tenants == .directory {
      try enterTenants(try directory.openDirectory(DirectoryHandle.name("tenants")))
    } else if tenants == .symbolicLink {
      list.skip(path + "/tenants", .symbolicLink)
    } else if try directory.status(of: DirectoryHandle.name("timelines")) != nil {
      try enterTenant(directory, TenantName(Self.lastName(of: path)))
    } else if try isTimeline(directory) {
      let tenant = TenantName(Self.lastName(of: SystemCalls.parent(of: parent)))
      try add(directory, tenant, timeline: Identifier(Self.lastName(of: path)))
    } else if Self.lastName(of: path) == "tenants" {
      try enterTenants(directory)
    } else if Self.lastName(of: path) == "timelines" {
      try enterTimelines(directory, TenantName(Self.lastName(of: parent)))
    }
  }

  /// Whether a directory holds an index or layers.
  private func isTimeline(_ directory: DirectoryHandle) throws(Failure) -> Bool {
    try directory.fileNames().contains { name in
      IndexPart.parse(fileName: name) != nil || LayerName.parse(fileName: name) != nil
    }
  }

  // MARK: Levels

  private mutating func enterTenants(_ directory: DirectoryHandle) throws(Failure) {
    try forEachDirectory(in: directory) { walk, tenant, name throws(Failure) in
      guard let id = TenantName(name) else { return false }
      try walk.enterTenant(tenant, id)
      return true
    }
  }

  /// Enters `timelines` of a tenant; what else a pageserver keeps beside it is passed over.
  private mutating func enterTenant(
    _ directory: DirectoryHandle, _ tenant: TenantName?
  ) throws(Failure) {
    let name = DirectoryHandle.name("timelines")
    switch try directory.status(of: name)?.kind {
    case .directory: try enterTimelines(try directory.openDirectory(name), tenant)
    case .symbolicLink: list.skip(directory.path + "/timelines", .symbolicLink)
    default: break
    }
  }

  private mutating func enterTimelines(
    _ directory: DirectoryHandle, _ tenant: TenantName?
  ) throws(Failure) {
    try forEachDirectory(in: directory) { walk, timeline, name throws(Failure) in
      guard let id = Identifier(name) else { return false }
      try walk.add(timeline, tenant, timeline: id)
      return true
    }
  }

  /// Opens every directory in `directory`, in the order of their names; `body` says whether it is
  /// what it should be.
  private mutating func forEachDirectory(
    in directory: DirectoryHandle,
    _ body: (inout Self, DirectoryHandle, _ name: String) throws(Failure) -> Bool
  ) throws(Failure) {
    let names = try directory.names().map { (name: $0, text: DirectoryHandle.text($0)) }
    for (name, text) in names.sorted(by: { $0.text < $1.text }) {
      try Interruption.check()
      let path = directory.path + "/" + text
      do throws(Failure) {
        switch try directory.status(of: name)?.kind {
        case .directory:
          guard try body(&self, try directory.openDirectory(name), text) else {
            list.skip(path, .otherName)
            continue
          }
        case .symbolicLink: list.skip(path, .symbolicLink)
        case nil: break  // It has been removed meanwhile.
        default: list.skip(path, .notADirectory)
        }
      } catch {
        guard Self.isProblemOfOne(error) else { throw error }
        list.skip(path, .unreadable, because: error)
      }
    }
  }

  private mutating func add(
    _ directory: DirectoryHandle, _ tenant: TenantName?, timeline: Identifier?
  ) throws(Failure) {
    var listed = ListedTimeline(directory.path, of: tenant, timeline: timeline)
    try TimelineSurvey(directory, pending: Self.pending(of: directory)).describe(&listed)
    list.timelines.append(listed)
  }

  /// The directory in which an index waits for `publish`; nil if there is none.
  private static func pending(of directory: DirectoryHandle) -> DirectoryHandle? {
    guard let path = OutputPlace.pendingPath(ofTimeline: directory.path) else { return nil }
    return try? DirectoryHandle(path: path)
  }

  /// Whether an error says something of one directory only, so that the walk can go on.
  static func isProblemOfOne(_ error: Failure) -> Bool {
    switch error.exitCode {
    case .damaged, .unsupported, .cannotOpen, .inputOutput: true
    default: false
    }
  }

  private static func lastName(of path: String) -> String {
    String(path.split(separator: "/").last ?? "")
  }
}

/// A tenant, or one shard of it: the name of its directory.
struct TenantName: Equatable {
  var id: Identifier
  var shard: String?

  /// Reads `TENANT` or `TENANT-NNCC`; nil for any other name.
  init?(_ name: String) {
    let parts = name.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count <= 2, let first = parts.first, let id = Identifier(first) else { return nil }
    self.id = id
    guard let shard = parts.dropFirst().first else { return }
    guard shard.utf8.count == 4, UInt32(hexadecimal: Array(shard.utf8)) != nil else { return nil }
    self.shard = String(shard)
  }
}
