import LayerFormat
import PostgresFormat
import System

/// The directories from DIR down to a timeline's, each of them open and made if it was missing.
///
/// ```
/// DIR / tenants / TENANT[-NNCC] / timelines / TIMELINE
///                               / tenant-manifest-GENERATION.json
///     / pending / TENANT-NNCC / TIMELINE           if not all shards are written
///     / receipts                                   if it is asked for
/// ```
///
/// Each is opened from the one above it, without following a link, and belongs to somebody who may
/// change the output: root, the user of this process, or the one who was named. Anybody else could
/// put a link of theirs in the place of a directory.
struct OutputDirectories {
  /// The path of DIR.
  let output: String
  private let owner: SystemUser?
  private let pendingNames: [String]
  /// The outermost first: DIR.
  private var handles: [DirectoryHandle] = []
  /// What this run made on the way to DIR, and DIR itself.
  private var madeAbove = MadeDirectories()
  /// What it made below DIR, the outermost first.
  private var madeBelow: [(parent: DirectoryHandle, name: String)] = []
  /// The tenant's manifest under its temporary name, its directory, and the name that it is to get.
  private var manifest: (file: OutputFile, directory: DirectoryHandle, name: String)?
  /// The manifest that this run published.
  private var madeManifest: (directory: DirectoryHandle, name: String)?

  /// The directory of the timeline.
  var timeline: DirectoryHandle { handles[handles.count - 1] }

  /// Opens them all, and makes what is not there: for its owner alone, but what is above DIR.
  ///
  /// Throws `.cannotCreate` if one cannot be made or opened, or belongs to somebody else; what it
  /// made is removed again then.
  init(_ place: OutputPlace, _ shard: ShardID) throws(Failure) {
    output = place.output
    owner = place.owner
    pendingNames = place.pendingNames(shard)
    do throws(Failure) {
      try madeAbove.make(output, privateCount: 1)
      let root = try DirectoryHandle(forWritingTo: output)
      if let last = madeAbove.paths.last, last == MadeDirectories.chain(to: output).last {
        if let owner { try root.give(to: owner) }
      }
      try Self.requireOwner(of: root, owner)
      handles.append(root)
      for name in place.names(shard) { handles.append(try open(name, in: timeline)) }
    } catch {
      remove()
      throw error
    }
  }

  /// Throws as `init` does for those that exist, and if one that does not exist cannot be made; gives
  /// the timeline's if it exists.
  static func existing(
    _ place: OutputPlace, _ shard: ShardID
  ) throws(Failure) -> DirectoryHandle? {
    let (output, owner) = (place.output, place.owner)
    guard SystemCalls.exists(output) else {
      try SystemCalls.requireWritable(SystemCalls.nearestExisting(output))
      return nil
    }
    var directory = try DirectoryHandle(forWritingTo: output)
    try requireOwner(of: directory, owner)
    for (depth, name) in place.names(shard).enumerated() {
      if depth == 1 { try TenantDirectory.requireLayout(of: place, in: directory) }
      if depth == 2 { try TenantDirectory(directory).requireStripeSize(of: place) }
      guard try directory.status(of: DirectoryHandle.name(name)) != nil else {
        try SystemCalls.requireWritable(directory.path)
        return nil
      }
      directory = try directory.openForWriting(name)
      try requireOwner(of: directory, owner)
    }
    try SystemCalls.requireWritable(directory.path)
    return directory
  }

  /// The directory of receipts; nil if there is none, or something else has its name.
  func existingReceipts() throws(Failure) -> DirectoryHandle? {
    let name = DirectoryHandle.name(ReceiptName.directory)
    guard try handles[0].status(of: name)?.kind == .directory else { return nil }
    let directory = try handles[0].openForWriting(ReceiptName.directory)
    try Self.requireOwner(of: directory, owner)
    return directory
  }

  /// The directory of receipts, which is made if it is missing.
  mutating func receipts() throws(Failure) -> DirectoryHandle {
    try open(ReceiptName.directory, in: handles[0])
  }

  /// The directory for what is not published yet; nil if there is none.
  func existingPending() throws(Failure) -> DirectoryHandle? {
    var directory = handles[0]
    for name in pendingNames {
      guard try directory.status(of: DirectoryHandle.name(name))?.kind == .directory else {
        return nil
      }
      directory = try directory.openForWriting(name)
      try Self.requireOwner(of: directory, owner)
    }
    return directory
  }

  /// The path of that directory.
  var pendingPath: String { ([handles[0].path] + pendingNames).joined(separator: "/") }

  /// The same, which is made if it is missing; its entries are durable.
  mutating func pending() throws(Failure) -> DirectoryHandle {
    var path = [handles[0]]
    for name in pendingNames { path.append(try open(name, in: path[path.count - 1])) }
    for directory in path.reversed() { try directory.sync() }
    return path[path.count - 1]
  }

  private mutating func open(
    _ name: String, in parent: DirectoryHandle
  ) throws(Failure) -> DirectoryHandle {
    let isNew = try parent.makeDirectory(name, mode: 0o700)
    if isNew { madeBelow.append((parent, name)) }
    let directory = try parent.openForWriting(name)
    if isNew, let owner { try directory.give(to: owner) }
    try Self.requireOwner(of: directory, owner)
    return directory
  }

  private static func requireOwner(
    of directory: DirectoryHandle, _ owner: SystemUser?
  ) throws(Failure) {
    let id = try directory.status().owner
    guard ![0, SystemUser.ownID, owner?.id].contains(id) else { return }
    let name = SystemUser(id: id)?.name ?? String(id)
    throw Failure(
      .outputOfOtherUser, "directory \(directory.path.quoted) belongs to user \(name.quoted)",
      hint: "That user could change the timeline while it is written. Choose another directory, or "
        + "allow it with '--output-owner \(name)'.")
  }

  /// Whether the timeline's directory is still the one that its name leads to.
  func isInPlace() throws(Failure) -> Bool {
    let own = try timeline.status()
    let parent = handles[handles.count - 2]
    let name = SystemCalls.name(of: timeline.path)
    return try parent.status(of: DirectoryHandle.name(name))?.isSameFile(as: own) == true
  }

  /// Makes the entries durable by which the timeline's directory is found, the innermost first: also
  /// of directories that were there, as an import that made them may have been killed before it came
  /// to this.
  func sync() throws(Failure) {
    for directory in handles.dropLast().reversed() { try directory.sync() }
    if madeAbove.paths.isEmpty {
      // One may be allowed to write to DIR and not to read what holds it.
      try? SystemCalls.syncDirectory(SystemCalls.parent(of: output))
    } else {
      try madeAbove.sync()
    }
  }

  // MARK: The tenant

  private static let tenantDepth = 2

  /// The path of the timeline's directory from `DIR/tenants` on.
  var pathBelowTenants: String {
    handles[Self.tenantDepth...].map { SystemCalls.name(of: $0.path) }.joined(separator: "/")
  }

  /// Throws `.damaged` if the tenant has another number of shards, or must have another stripe size.
  func requireSameTenant(_ place: OutputPlace) throws(Failure) {
    try TenantDirectory.requireLayout(of: place, in: handles[Self.tenantDepth - 1])
    try TenantDirectory(handles[Self.tenantDepth]).requireStripeSize(of: place)
  }

  /// Removes what an interrupted import of this timeline has left beside it.
  func removeTenantRemains() throws(Failure) {
    try TenantDirectory(handles[Self.tenantDepth])
      .removeRemains(of: SystemCalls.name(of: timeline.path))
  }

  /// Writes the tenant's manifest under a temporary name if there is none. With `isPending` it waits
  /// with the index.
  mutating func writeManifest(
    stripeSize: UInt32, generation: UInt32, isPending: Bool
  ) throws(Failure) {
    let directory = isPending ? try pending() : handles[Self.tenantDepth]
    manifest = try TenantDirectory(directory).writeManifest(
      stripeSize: stripeSize, generation: generation,
      timeline: SystemCalls.name(of: timeline.path),
      owner: SystemUser.ownID == 0 ? owner : nil
    ).map { ($0, directory, TenantManifest.fileName(generation: generation)) }
  }

  /// Gives the manifest its name, and makes that durable. Throws `.damaged` if another import has
  /// written one meanwhile, with another stripe size.
  mutating func publishManifest(_ place: OutputPlace) throws(Failure) {
    if let (file, directory, name) = manifest {
      let isNamed = try file.renameToFree(name)
      manifest = nil
      if isNamed {
        let tenant = handles[Self.tenantDepth]
        madeManifest = (directory, name)
        try directory.sync()
        if directory === tenant { return }
      } else {
        try file.unlink()
      }
    }
    try requireSameTenant(place)
  }

  /// Removes what this run made and what holds nothing, as far as that is possible.
  mutating func remove() {
    try? manifest.take()?.file.unlink()
    for (parent, name) in madeBelow.reversed() {
      // Of a tenant that this run made, unless another import has put a timeline there.
      if let (directory, manifest) = madeManifest, directory.path == parent.path + "/" + name,
        (try? directory.status(of: DirectoryHandle.name("timelines"))) == .some(nil)
      {
        try? directory.remove(DirectoryHandle.name(manifest))
      }
      try? parent.remove(DirectoryHandle.name(name), isDirectory: true)
    }
    madeBelow = []
    madeAbove.remove()
  }
}
