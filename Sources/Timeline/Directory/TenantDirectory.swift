import LayerFormat
import PostgresFormat
import System

/// What is beside the timelines of a tenant, or of one of its shards.
package struct TenantDirectory {
  private let directory: DirectoryHandle

  init(_ directory: DirectoryHandle) { self.directory = directory }

  /// Throws `.damaged` if the tenant has another number of shards in `tenants`.
  static func requireLayout(
    of place: OutputPlace, in tenants: DirectoryHandle
  ) throws(Failure) {
    for name in try tenants.names().map(DirectoryHandle.text).sorted()
    where isOfOtherLayout(name, place) {
      let directory = try tenants.openDirectory(DirectoryHandle.name(name))
      if try directory.names().isEmpty { continue }
      throw layoutDiffers(place, directory.path)
    }
  }

  /// Whether a directory of `tenants` is of the tenant, but not of its layout.
  static func isOfOtherLayout(_ name: String, _ place: OutputPlace) -> Bool {
    let count = place.layout.count
    let tenant = place.tenant.description
    guard name == tenant || name.hasPrefix(tenant + "-") else { return false }
    return !(0..<count).contains {
      ShardID($0, of: count).directoryName(ofTenant: place.tenant) == name
    }
  }

  static func layoutDiffers(_ place: OutputPlace, _ path: String) -> Failure {
    let count = place.layout.count
    return Failure(
      .tenantLayoutDiffers,
      "tenant \(place.tenant) does not have \(count == 1 ? "one shard" : "\(count) shards"): "
        + "\(path.quoted) exists",
      hint:
        "Import with the '--shards' that the tenant has, or with another '--tenant-id'. If that is what an "
        + "interrupted import has left, remove it.")
  }

  /// The stripe size that the newest manifest says; nil if there is none.
  func stripeSize() throws(Failure) -> UInt32? {
    try Self.stripeSize(
      among: try directory.names().map(DirectoryHandle.text), in: directory.path
    ) { name throws(Failure) in
      try directory.openFile(DirectoryHandle.name(name)).contents(
        limit: TenantManifest.byteCountLimit)
    }
  }

  /// The same of a directory that has these names, and whose files `contents` reads.
  static func stripeSize(
    among names: [String], in path: String,
    _ contents: (_ name: String) throws(Failure) -> [UInt8]
  ) throws(Failure) -> UInt32? {
    try manifest(among: names, in: path, contents)?.servedStripeSize
  }

  private static func manifest(
    among names: [String], in path: String,
    _ contents: (_ name: String) throws(Failure) -> [UInt8]
  ) throws(Failure) -> TenantManifest? {
    guard let generation = names.compactMap(TenantManifest.parse(fileName:)).max() else {
      return nil
    }
    let name = TenantManifest.fileName(generation: generation)
    let bytes = try contents(name)
    do throws(FormatError) {
      return try TenantManifest(decoding: bytes)
    } catch {
      throw Failure(
        error, in: "manifest \((path + "/" + name).quoted)", damage: .tenantManifestDamaged)
    }
  }

  /// The same of a tenant's directory, which need not be a local one.
  static func stripeSize(
    of name: String, in tenants: any ReadableDirectory
  ) throws(Failure) -> UInt32? {
    try manifest(of: name, in: tenants)?.servedStripeSize
  }

  /// The newest manifest of a tenant's directory, which need not be a local one; nil if there is none.
  package static func manifest(
    of name: String, in tenants: any ReadableDirectory
  ) throws(Failure) -> TenantManifest? {
    try manifest(among: try tenants.names(in: name), in: tenants.path + "/" + name) {
      file throws(Failure) in
      try tenants.contents(of: name + "/" + file, limit: TenantManifest.byteCountLimit)
    }
  }

  /// What there is to say of shards whose manifests do not say the stripe size.
  package static func withoutStripeSize(_ shards: [Int], of count: Int, _ path: String) -> String {
    "\(ShardID.words(shards, of: count)) of \(path.quoted) \(shards.count == 1 ? "has" : "have") no "
      + "'\(TenantManifest.filePrefix)-…' with the stripe size"
  }

  /// The stripe size of a tenant's shards, of which each has its own, or nil if no manifest says one; throws
  /// `.damaged` if they differ.
  package static func only(of sizes: [UInt32?], _ path: String) throws(Failure) -> UInt32 {
    let known = sizes.map { $0 ?? TenantManifest.stripeSizeIfUnknown }
    if Set(known).count == 1 { return known[0] }
    let groups = Set(known).sorted().map { size in
      let numbers = known.indices.filter { known[$0] == size }
      return "\(ShardID.words(numbers, of: sizes.count)): \(size) pages"
    }
    let unknown = sizes.indices.filter { sizes[$0] == nil }
    throw Failure(
      .shardsDiffer,
      "the shards of \(path.quoted) have different stripe sizes (\(groups.joined(separator: "; ")))"
        + (unknown.isEmpty
          ? "" : "; \(ShardID.words(unknown, of: sizes.count)) without a tenant-manifest"),
      hint:
        "Copy the manifests of all shards again, or import all of them with the same '--stripe-size'."
    )
  }

  /// Throws `.damaged` if there is a manifest with another stripe size than is required; with shards, no
  /// manifest counts as one if there is a timeline.
  func requireStripeSize(of place: OutputPlace) throws(Failure) {
    try Self.requireStripeSize(of: place, directory.path, stripeSize, hasTimeline: hasTimeline)
  }

  /// The same of a tenant whose newest manifest says `stripeSize`, and which may have a timeline.
  static func requireStripeSize(
    of place: OutputPlace, _ path: String, _ stripeSize: () throws(Failure) -> UInt32?,
    hasTimeline: () throws(Failure) -> Bool
  ) throws(Failure) {
    guard place.requiresStripeSize else { return }
    var found = try stripeSize()
    let isStated = found != nil
    if found == nil, place.layout.isSharded, try hasTimeline() {
      found = TenantManifest.stripeSizeIfUnknown
    }
    guard let found, found != place.layout.stripeSize else { return }
    throw Failure(
      .stripeSizeDiffers,
      "the tenant in \(path.quoted) has a stripe size of \(found) pages, not of "
        + "\(place.layout.stripeSize)"
        + (isStated
          ? "" : ": it has timelines and no tenant-manifest, so that a service takes that"),
      hint: "Import with '--stripe-size \(found)', or with another '--tenant-id'.")
  }

  /// Whether one of its timelines has an index.
  private func hasTimeline() throws(Failure) -> Bool {
    let name = DirectoryHandle.name("timelines")
    guard try directory.status(of: name)?.kind == .directory else { return false }
    let timelines = try directory.openDirectory(name)
    for name in try timelines.names() where try timelines.status(of: name)?.kind == .directory {
      let files = try timelines.openDirectory(name).names().map(DirectoryHandle.text)
      if files.contains(where: { IndexPart.parse(fileName: $0) != nil }) { return true }
    }
    return false
  }

  /// Writes a manifest under a temporary name, and makes it durable; nil if there is one.
  func writeManifest(
    stripeSize: UInt32, generation: UInt32, timeline: String, owner: SystemUser?
  ) throws(Failure) -> OutputFile? {
    let names = try directory.names().map(DirectoryHandle.text)
    if names.contains(where: { TenantManifest.parse(fileName: $0) != nil }) { return nil }
    let file = try OutputFile(
      creating: TenantManifest.fileName(generation: generation) + Self.temporarySuffix(timeline),
      in: directory, mode: 0o600, owner: owner)
    do throws(Failure) {
      try file.write(TenantManifest(stripeSize: stripeSize).encoded().bytes, at: 0)
      try file.makeDurable()
      return file
    } catch {
      try? file.unlink()
      throw error
    }
  }

  /// Ends the names of a manifest's temporary files: imports of other timelines of the tenant may write
  /// theirs.
  private static func temporarySuffix(_ timeline: String) -> String {
    ".\(timeline)" + TimelineDirectory.temporarySuffix
  }

  /// Removes what an interrupted import of a timeline has left here.
  func removeRemains(of timeline: String) throws(Failure) {
    for name in try directory.names()
    where DirectoryHandle.text(name).hasSuffix(Self.temporarySuffix(timeline)) {
      try directory.remove(name)
    }
  }
}
