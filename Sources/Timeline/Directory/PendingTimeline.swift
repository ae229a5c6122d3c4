import LayerFormat
import PostgresFormat
import System

/// A timeline whose shards were written by several imports, and whose indexes are to be published.
///
/// ```
/// claim    each shard: its directory exists, and is locked; its index, published or below DIR/pending
/// check    no shard is missing; the indexes, the stripe sizes and the control files are the same; every
///          layer is there, of its size
/// publish  each shard: its manifest, if the tenant has none; fsync
///          each shard, 0 last: its index, fsync
/// ```
///
/// It can be interrupted at any moment and done again.
package struct PendingTimeline {
  /// One of the shards.
  private struct Shard {
    let id: ShardID
    let directory: DirectoryHandle
    /// The tenant's directory of the shard.
    let tenant: DirectoryHandle
    /// Where what is not published is; nil if there is nothing.
    let pending: DirectoryHandle?
    let isPublished: Bool
    let generation: UInt32
    let index: IndexPart
  }

  /// Names all shards: `DIR/tenants/TENANT/timelines/TIMELINE`.
  package let path: String
  /// The tenant's id.
  package let tenant: Identifier
  /// The timeline's id.
  package let timeline: Identifier
  /// How the tenant's keys are spread.
  package let layout: ShardLayout
  private let shards: [Shard]

  /// The generation of all indexes.
  package var generation: UInt32 { shards[0].generation }
  /// What all indexes say.
  package var metadata: IndexPart.Metadata { shards[0].index.metadata }
  /// How many layers all shards have.
  package var layerCount: Int { shards.reduce(0) { $0 + $1.index.layers.count } }
  /// The bytes of these layers.
  package var byteCount: UInt64 {
    shards.reduce(0) { $0 + $1.index.layers.values.reduce(0) { $0 + $1.fileSize } }
  }
  /// How many indexes are still to be published.
  package var pendingCount: Int { shards.count { !$0.isPublished } }

  /// Claims and checks the shards of the timeline, or of the only one that a tenant has.
  ///
  /// Throws `.cannotOpen` if there is none, `.damaged` if a shard is missing, or not of the same import
  /// as the others, `.inUse` if an import is writing to one, `.usage` for a tenant of several.
  package init(_ place: TenantPath) throws(Failure) {
    SystemCalls.raiseOpenFileLimit()
    let search = try PendingSearch(place)
    tenant = place.tenant
    timeline = search.timeline
    path = "\(place.root)/\(tenant)/timelines/\(timeline)"
    var shards: [Shard] = []
    var missing: [ShardID] = []
    for number in 0..<search.count {
      let id = ShardID(number, of: search.count)
      if let shard = try Self.shard(id, search) { shards.append(shard) } else { missing.append(id) }
    }
    guard missing.isEmpty else { throw Self.missing(missing, path) }
    self.shards = shards
    layout = ShardLayout(count: search.count, stripeSize: try Self.stripeSize(of: shards, path))
    try requireSame()
    try requireLayers()
  }

  /// A shard and its index; nil if no import has completed it.
  private static func shard(
    _ id: ShardID, _ search: PendingSearch
  ) throws(Failure) -> Shard? {
    let tenantName = id.directoryName(ofTenant: search.tenant)
    guard let tenant = try search.tenants.existing([tenantName]),
      let directory = try tenant.existing(["timelines", search.timeline.description])
    else { return nil }
    guard try directory.lock() else {
      throw Failure(
        .timelineBusy, "an import is writing to timeline directory \(directory.path.quoted)",
        hint: "Wait for it to end, and publish the timeline again.")
    }
    let pending = try search.pending?.existing([tenantName, search.timeline.description])
    let published = try newestIndex(in: directory)
    var newest = published
    if newest == nil, let pending { newest = try newestIndex(in: pending) }
    guard let generation = newest else { return nil }
    let name = IndexPart.fileName(generation: generation)
    let place = published == nil ? pending ?? directory : directory
    let bytes = try place.openFile(DirectoryHandle.name(name)).contents(limit: Timeline.indexLimit)
    do throws(FormatError) {
      return Shard(
        id: id, directory: directory, tenant: tenant, pending: pending,
        isPublished: published != nil, generation: generation,
        index: try IndexPart(decoding: bytes))
    } catch {
      throw Failure(
        error, in: "index \((place.path + "/" + name).quoted)", damage: .indexDamaged)
    }
  }

  private static func missing(_ shards: [ShardID], _ path: String) -> Failure {
    let numbers = shards.map { "\($0.number)" }.joined(separator: ",")
    let (which, are, them) =
      shards.count == 1
      ? ("shard \(shards[0].suffix ?? "")", "is", "it")
      : ("\(shards.count) of \(shards[0].count) shards", "are", "them")
    return Failure(
      .shardMissing, "\(which) of \(path.quoted) \(are) missing: no import has completed \(them)",
      hint: "Import \(them) with '--only-shards \(numbers)', and publish the timeline again.")
  }

  private static func newestIndex(in directory: DirectoryHandle) throws(Failure) -> UInt32? {
    try directory.names().compactMap { IndexPart.parse(fileName: DirectoryHandle.text($0)) }.max()
  }

  // MARK: Checks

  private static func stripeSize(of shards: [Shard], _ path: String) throws(Failure) -> UInt32 {
    var sizes: Set<UInt32> = []
    for shard in shards {
      var size = try TenantDirectory(shard.tenant).stripeSize()
      if size == nil, let pending = shard.pending {
        size = try TenantDirectory(pending).stripeSize()
      }
      sizes.insert(size ?? TenantManifest.stripeSizeIfUnknown)
    }
    return try TenantDirectory.only(of: sizes, path)
  }

  private func requireSame() throws(Failure) {
    var first: [UInt8] = []
    for shard in shards {
      guard shard.generation == generation, shard.index.metadata == metadata else {
        throw differs(shard, "its index has other LSNs, another version or another generation")
      }
      guard
        shard.index.layers.values.allSatisfy({
          $0.shard == shard.id.suffix && $0.generation == generation
        })
      else { throw differs(shard, "its index names layers of another shard or generation") }
      let control = try controlFile(of: shard)
      if shard.id.number == 0 { first = control }
      guard control == first else { throw differs(shard, "its control file is another cluster's") }
    }
  }

  private func differs(_ shard: Shard, _ how: String) -> Failure {
    Failure(
      .shardsDiffer,
      "shard \(shard.id.suffix ?? "") of \(path.quoted) differs from shard 0: \(how)",
      hint: "Import all shards from the same backup, with the same '--generation'.")
  }

  /// The control file that the last L0 of a shard holds.
  private func controlFile(of shard: Shard) throws(Failure) -> [UInt8] {
    let names = shard.index.layers.keys.compactMap { LayerName($0) }.filter(\.isLevel0)
    guard let last = names.max(by: { $0.lsns.lowerBound < $1.lsns.lowerBound }) else {
      throw differs(shard, "it has no L0 layer")
    }
    let file = try LayerFile(
      path: shard.directory.path + "/" + last.fileName(generation: generation), name: last)
    var decoder = try StoredValueDecoder(file)
    guard let value = try decoder.value(of: Key(.controlFile)) else {
      throw file.failure("it has no control file")
    }
    return value
  }

  /// Throws `.damaged` unless every layer is there, of its size.
  private func requireLayers() throws(Failure) {
    for shard in shards {
      for (text, metadata) in shard.index.layers {
        try Interruption.check()
        guard let name = LayerName(text)?.fileName(generation: metadata.generation) else {
          throw Failure(.indexDamaged, "\(text.quoted) is not the name of a layer")
        }
        let status = try shard.directory.status(of: DirectoryHandle.name(name))
        guard status?.kind == .file, status?.byteCount == metadata.fileSize else {
          throw Failure(
            .missingFile,
            "layer \((shard.directory.path + "/" + name).quoted) "
              + (status == nil
                ? "is missing"
                : "does not have the \(metadata.fileSize) bytes that its index says"),
            hint: "Import shard \(shard.id.number) again, and publish the timeline again.")
        }
      }
    }
  }

  // MARK: Publishing

  /// Publishes what is not published yet, shard 0's index last.
  package func publish() throws(Failure) {
    for shard in shards {
      guard let pending = shard.pending else { continue }
      for name in try pending.names() {
        guard TenantManifest.parse(fileName: DirectoryHandle.text(name)) != nil else { continue }
        if try TenantDirectory(shard.tenant).stripeSize() == nil {
          try pending.rename(
            DirectoryHandle.text(name), to: DirectoryHandle.text(name), in: shard.tenant)
        }
      }
      try shard.tenant.sync()
    }
    let name = IndexPart.fileName(generation: generation)
    for shard in shards.reversed() where !shard.isPublished {
      try Interruption.check()
      try shard.pending?.rename(name, to: name, in: shard.directory)
      try shard.directory.sync()
    }
    for shard in shards { removePending(of: shard) }
  }

  /// Removes what is left of a shard that is published, as far as that is possible.
  private func removePending(of shard: Shard) {
    guard let pending = shard.pending, let names = try? pending.names() else { return }
    for name in names { try? pending.remove(name) }
    try? SystemCalls.removeDirectory(pending.path)
    try? SystemCalls.removeDirectory(SystemCalls.parent(of: pending.path))
  }
}

/// Looks for the timeline and the number of its shards.
private struct PendingSearch {
  let tenant: Identifier
  let timeline: Identifier
  let count: Int
  let tenants: DirectoryHandle
  /// `DIR/pending`; nil if there is none.
  let pending: DirectoryHandle?

  init(_ place: TenantPath) throws(Failure) {
    tenant = place.tenant
    tenants = try Failure.ofGivenPath { () throws(Failure) in
      try DirectoryHandle(path: place.root)
    }
    let output = try DirectoryHandle(path: SystemCalls.parent(of: place.root))
    pending = try output.existing(["pending"])
    var counts: Set<Int> = []
    var timelines: Set<String> = []
    for (directory, below) in [(pending, [String]()), (tenants, ["timelines"])] {
      guard let directory else { continue }
      // Once nothing waits, what is published is looked at again.
      if !timelines.isEmpty && place.timeline == nil { break }
      for name in try directory.names().map(DirectoryHandle.text) {
        guard let id = ShardID(name.dropFirst(33)), name.hasPrefix("\(tenant)-"),
          let shard = try directory.existing([name] + below)
        else { continue }
        counts.insert(id.count)
        timelines.formUnion(
          try shard.names().map(DirectoryHandle.text).filter { Identifier($0) != nil })
      }
    }
    guard let count = counts.max() else {
      throw Failure(
        .inputNotFound, "tenant \("\(place.root)/\(tenant)".quoted) has no shards",
        hint: "Give DIR/tenants/TENANT, where DIR is the '--output' of the imports.")
    }
    self.count = count
    if let timeline = place.timeline {
      self.timeline = timeline
    } else {
      timeline = try place.only(of: timelines)
    }
  }
}

extension DirectoryHandle {
  /// Opens a directory below this one; nil if it does not exist.
  fileprivate func existing(_ names: [String]) throws(Failure) -> DirectoryHandle? {
    var directory = self
    for name in names.map(DirectoryHandle.name) {
      guard try directory.status(of: name)?.kind == .directory else { return nil }
      directory = try directory.openDirectory(name)
    }
    return directory
  }
}
