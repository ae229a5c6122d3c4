import LayerFormat
import PostgresFormat
import System

/// A timeline on disk or in an object store, as its newest index describes it.
package struct Timeline: Sendable {
  /// A layer that an index names.
  package struct Layer: Sendable {
    /// The keys and LSNs that the layer covers.
    package var name: LayerName
    /// The length, the generation and the shard of the file, as the index says.
    package var metadata: IndexPart.LayerMetadata
    /// The number of the shard that has it.
    package var shard = 0
    /// Comes before the file's name; empty unless there are several shards.
    fileprivate var prefix = ""

    /// The file's name in the timeline's directory.
    package var fileName: String { prefix + name.fileName(generation: metadata.generation) }
  }

  /// The directory of its files.
  package let directory: any ReadableDirectory
  /// The path of the directory, as it was given, or its URL; with shards, without their digits.
  package let path: String
  /// How its keys are spread.
  package let layout: ShardLayout
  /// The generation of the index that was read.
  package let generation: UInt32
  /// The decoded index; with shards that of shard 0.
  package let index: IndexPart
  /// `disk_consistent_lsn` of each shard's index.
  package let ends: [LogSequenceNumber]
  /// Every layer of all indexes: L0s first, then by key, LSN and shard.
  package var layers: [Layer]
  /// Those of the layers that have no file.
  package let missingLayers: [Layer]
  /// Files in the directory that no index names, sorted.
  package let unnamedFiles: [String]

  /// Reads the index of the highest generation in the directory.
  ///
  /// Throws `.cannotOpen` if the directory or its index does not exist, `.damaged` and
  /// `.unsupported` as decoding the index does, `.damaged` if the shards' indexes differ. A malformed
  /// layer name is damage: it never becomes a path.
  package init(_ place: TimelinePlace) throws(Failure) {
    let names = try Self.names(in: place)
    directory = place.directory
    path = place.path
    layout = place.layout
    var shards: [(generation: UInt32, index: IndexPart)] = []
    var layers: [Layer] = []
    var expected: Set<String> = []
    for (shard, prefix) in place.prefixes.enumerated() {
      let own = names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
      guard let generation = own.compactMap(IndexPart.parse(fileName:)).max() else {
        throw Failure(
          .notATimeline,
          "\((prefix.isEmpty ? path : place.directory.path + "/" + prefix).quoted) has no '\(IndexPart.filePrefix)-…'",
          hint: !prefix.isEmpty
            ? Self.unpublishedHint
            : own.contains(where: Self.isLayer)
              ? Self.unfinishedHint : Self.directoryHint)
      }
      let indexName = prefix + IndexPart.fileName(generation: generation)
      let bytes = try place.directory.contents(of: indexName, limit: Self.indexLimit)
      do throws(FormatError) {
        let index = try IndexPart(decoding: bytes)
        layers += try Self.layers(of: index, shard, prefix)
        shards.append((generation, index))
      } catch {
        throw Failure(
          error, in: "index \((place.directory.path + "/" + indexName).quoted)",
          damage: .indexDamaged)
      }
      expected.insert(indexName)
    }
    self.layers = layers.sorted(by: Self.areInOrder)
    (generation, index) = shards[0]
    ends = shards.map(\.index.diskConsistentLSN)
    let present = Set(names)
    missingLayers = self.layers.filter { !present.contains($0.fileName) }
    expected.formUnion(layers.map(\.fileName))
    unnamedFiles = names.filter { !expected.contains($0) }
    for (shard, other) in shards.enumerated().dropFirst() {
      try requireSame(as: other.index, other.generation, ofShard: shard)
    }
  }

  /// Reads the index of the highest generation in a directory; throws likewise.
  package init(_ directory: any ReadableDirectory) throws(Failure) {
    try self.init(TimelinePlace(directory))
  }

  private static func names(in place: TimelinePlace) throws(Failure) -> [String] {
    do throws(Failure) {
      return try place.directory.names()
    } catch {
      let isForbidden = error.code == .inputPermissionDenied
      guard error.hint == nil, isForbidden || !isDirectory(place.path) else { throw error }
      throw Failure(
        error.code, error.message, hint: isForbidden ? Self.rightsHint : Self.directoryHint)
    }
  }

  /// Throws `.damaged` if a shard's index says something else than shard 0's of what all share: all that
  /// an import writes, but a pageserver goes on with each shard for itself.
  private func requireSame(
    as other: IndexPart, _ otherGeneration: UInt32, ofShard shard: Int
  ) throws(Failure) {
    let (own, others) = (index.metadata, other.metadata)
    if isAsImported {
      if generation == otherGeneration && own == others { return }
    } else if own.initdbLSN == others.initdbLSN && own.postgresVersion == others.postgresVersion
      && own.ancestorTimeline == others.ancestorTimeline
    {
      return
    }
    let metadata = other.metadata
    throw Failure(
      .shardsDiffer,
      "\(ShardID(shard, of: layout.count).words) of \(path.quoted) differs from shard 0: LSN \(metadata.initdbLSN) to "
        + "\(metadata.diskConsistentLSN), Postgres \(metadata.postgresVersion), generation "
        + "\(otherGeneration), not LSN \(index.metadata.initdbLSN) to \(index.diskConsistentLSN), "
        + "Postgres \(index.metadata.postgresVersion), generation \(generation)",
      hint: "Import or copy all shards of one import together.")
  }

  /// Reads a timeline on disk.
  package init(path: String) throws(Failure) { try self.init(DiskDirectory(path: path)) }

  /// What to do if a directory is not a timeline's.
  package static let directoryHint =
    "Give the directory of a timeline, DIR/tenants/…/timelines/…; 'import-backup list DIR' shows them."

  /// What to do if a tenant lacks some of its shards.
  package static let missingShardHint =
    "Copy the directories of all shards; of an import with '--only-shards', import the others and run "
    + "'import-backup publish'."

  /// Whether an import has written the file, or is writing it.
  private static func isLayer(_ name: String) -> Bool {
    LayerName.parse(fileName: name) != nil || name.hasSuffix(TimelineDirectory.temporarySuffix)
  }

  private static let unfinishedHint =
    "An import is writing it, or was interrupted: run it again then, with the same '--tenant-id' and "
    + "'--timeline-id', and in a bucket with a higher '--generation' if it was a recovery, or if several "
    + "imports wrote it at once. \(unpublishedHint)"

  /// What to do if shards have no index where a pageserver looks.
  package static let unpublishedHint =
    "If its shards were imported with '--only-shards', run 'import-backup publish' first."

  private static let rightsHint =
    "Only the user who ran the import may read a timeline: run this as that user, or as root."

  /// The longest index that is read: `IndexPart` bounds the layers, to about 150,000, and a layer
  /// takes less than 200 bytes.
  package static let indexLimit = 32 << 20

  private static func layers(
    of index: IndexPart, _ shard: Int, _ prefix: String
  ) throws(FormatError) -> [Layer] {
    var layers: [Layer] = []
    for (text, metadata) in index.layers {
      guard let name = LayerName(text) else {
        throw .damaged("'\(escaped(text.utf8))' is not the name of a layer")
      }
      layers.append(Layer(name: name, metadata: metadata, shard: shard, prefix: prefix))
    }
    return layers
  }

  private static func areInOrder(_ left: Layer, _ right: Layer) -> Bool {
    if left.name.isLevel0 != right.name.isLevel0 { return left.name.isLevel0 }
    let (leftKey, rightKey) = (left.name.keys.lowerBound, right.name.keys.lowerBound)
    if leftKey != rightKey { return leftKey < rightKey }
    let (leftLSN, rightLSN) = (left.name.lsns.lowerBound, right.name.lsns.lowerBound)
    return leftLSN != rightLSN ? leftLSN < rightLSN : left.shard < right.shard
  }

  /// Whether it consists of such layers only as an import writes: no pageserver has added one.
  package var isAsImported: Bool {
    layers.allSatisfy { layer in
      switch layer.name.extent {
      case .image(let lsn): [ImportedLSN.image, ImportedLSN.runningImage].contains(lsn)
      case .delta(let lsns): layer.name.isLevel0 && lsns.lowerBound <= ImportedLSN.image
      }
    }
  }

  /// Opens a layer's file; its size must be the one in the index.
  package func open(_ layer: Layer) throws(Failure) -> LayerFile {
    let file = try LayerFile(layer.fileName, in: directory, name: layer.name)
    guard file.byteCount == layer.metadata.fileSize else {
      throw file.failure(
        "it has \(file.byteCount) bytes, but the index says \(layer.metadata.fileSize)")
    }
    return file
  }
}

extension LayerName {
  /// Whether a pageserver whose data is complete up to `end` throws the layer away.
  package func isInFuture(of end: LogSequenceNumber) -> Bool {
    // An image at `end` and a delta layer up to and including it are the newest that may be.
    lsns.upperBound.rawValue - 1 > end.rawValue
  }
}

/// Whose timeline it is: what all its layers must say.
package struct TimelineIdentity: Equatable {
  /// The tenant's id.
  package var tenant: Identifier
  /// The timeline's id.
  package var timeline: Identifier
}

extension TimelineIdentity {
  /// Reads a path of the form `…/tenants/<tenant>/timelines/<timeline>`; nil for any other.
  package init?(path: String) {
    let names = path.split(separator: "/").suffix(4).map(String.init)
    guard names.count == 4, names[0] == "tenants", names[2] == "timelines",
      let tenant = Identifier(names[1]), let timeline = Identifier(names[3])
    else { return nil }
    self.init(tenant: tenant, timeline: timeline)
  }
}

extension TimelineIdentity {
  /// Takes the ids of the first layer for all, unless the path has them, and throws `.damaged` for
  /// a layer of another.
  package static func check(_ file: LayerFile, against known: inout Self?) throws(Failure) {
    let found = Self(tenant: file.summary.tenant, timeline: file.summary.timeline)
    if let known, known != found {
      throw file.failure("it belongs to \(found), not to \(known)")
    }
    known = found
  }
}

extension TimelineIdentity: CustomStringConvertible {
  /// Both ids in words, for messages.
  package var description: String { "timeline \(timeline) of tenant \(tenant)" }
}
