import Backup
import LayerFormat
import Pipeline
import PostgresFormat
import System
import Timeline

/// Describes a timeline, its layers one by one.
///
/// A layer that is damaged is described by what is wrong with it. Memory: some hundred bytes a
/// layer, one value, some 150 bytes a relation, and with `layer` some hundred bytes an entry.
struct TimelineInspector {
  private let timeline: Timeline
  private let key: Key?
  /// Which layer's entries are wanted, as an index of the list.
  private let layerIndex: Int?

  /// Reads the index, and checks that what the options ask for can be there.
  init(_ options: InspectOptions) throws(Failure) {
    timeline = try Timeline(try TimelinePlace(at: options.path, options.store))
    key = try Self.key(options.key)
    layerIndex = try Self.index(of: options.layer, in: timeline)
  }

  private static func key(_ text: String?) throws(Failure) -> Key? {
    guard let text else { return nil }
    guard let key = Key(text) else {
      throw Failure(
        .badOption,
        "option '--key' must be \(2 * Key.byteCount) hexadecimal digits, not \(text.quoted)"
      )
    }
    return key
  }

  private static func index(of text: String?, in timeline: Timeline) throws(Failure) -> Int? {
    guard let text else { return nil }
    let indexes = timeline.layers.indices.filter { index in
      let layer = timeline.layers[index]
      return [layer.name.description, layer.fileName, SystemCalls.name(of: layer.fileName)]
        .contains(text)
    }
    if indexes.count > 1 {
      throw Failure(
        .layerNotFound, "\(indexes.count) shards have a layer \(text.quoted)",
        hint:
          "Give its number in the list that 'inspect' shows, or its name with the shard's directory."
      )
    }
    if let index = indexes.first { return index }
    if let number = Int(text), (1...max(1, timeline.layers.count)).contains(number),
      !timeline.layers.isEmpty
    {
      return number - 1
    }
    throw Failure(
      .layerNotFound, "the timeline has no layer \(text.quoted)",
      hint: "Give the number of a layer in the list that 'inspect' shows, or its file name.")
  }

  func describe(_ progress: RunProgress? = nil) throws(Failure) -> TimelineDescription {
    let index = timeline.index
    var description = TimelineDescription(
      timelinePath: absolutePlace(timeline.path), generation: timeline.generation,
      indexVersion: index.version,
      postgresVersion: index.metadata.postgresVersion,
      endLSN: index.diskConsistentLSN.description,
      previousRecordLSN: index.metadata.previousRecordLSN?.description,
      deletedAt: index.deletedAt.map { escaped($0.utf8) },
      ancestorTimelineID: index.metadata.ancestorTimeline,
      ancestorLSN: index.metadata.ancestorLSN.description,
      latestGCCutoffLSN: index.metadata.latestGCCutoffLSN.description,
      importLSN: index.metadata.initdbLSN.description)
    description.unnamedFiles = timeline.unnamedFiles.map { escaped($0.utf8) }
    var identity = TimelineIdentity(path: timeline.path)
    let input = InputProgress()
    progress?.begin(
      .readingLayers, reading: input,
      byteCount: timeline.layers.reduce(0) { $0 &+ $1.metadata.fileSize })
    var tally = RelationTally(ofTimeline: true)
    for (offset, layer) in timeline.layers.enumerated() {
      try Interruption.check()
      progress?.note { layer.fileName }
      description.layers.append(try describe(layer, number: offset + 1, of: &identity, &tally))
      input.addBytesRead(Int(clamping: layer.metadata.fileSize))
    }
    let found = try TimelineRelations(timeline).read(tally)
    description.databases = found.databases
    description.relationCount = found.relationCount
    description.relations = found.relations
    description.tenantID = identity?.tenant.description
    description.timelineID = identity?.timeline.description
    description.totals = Self.totals(of: description.layers)
    if let key { description.key = try KeySearch(timeline, key).run() }
    if let layerIndex { description.layerEntries = try entries(ofLayerAt: layerIndex) }
    return description
  }

  private func describe(
    _ layer: Timeline.Layer, number: Int, of identity: inout TimelineIdentity?,
    _ relations: inout RelationTally
  ) throws(Failure) -> LayerDescription {
    let name = layer.name
    var description = LayerDescription(
      number: number, kind: name.isImage ? .image : name.isLevel0 ? .level0 : .delta,
      name: layer.fileName,
      keyStart: name.keys.lowerBound.description, keyEnd: name.keys.upperBound.description,
      keys: name.keys.words, lsnStart: name.lsns.lowerBound.description,
      lsnEnd: name.isImage ? nil : name.lsns.upperBound.description,
      shard: layer.metadata.shard, byteCount: layer.metadata.fileSize)
    do throws(Failure) {
      let file = try timeline.open(layer)
      try TimelineIdentity.check(file, against: &identity)
      description.contents = try LayerMeasurement.contents(of: file, addingTo: &relations)
    } catch {
      // What stops the reading is no property of the layer.
      guard error.exitCode == .damaged || error.exitCode == .unsupported else { throw error }
      description.code = error.code.rawValue
      description.error = error.message
    }
    return description
  }

  private static func totals(
    of layers: [LayerDescription]
  ) -> [TimelineDescription.Total] {
    LayerDescription.Kind.allCases.compactMap { kind in
      var total = TimelineDescription.Total(kind: kind)
      for layer in layers where layer.kind == kind {
        total.layerCount += 1
        total.layerByteCount &+= layer.byteCount
        if let contents = layer.contents { total.contents.add(contents) }
      }
      return total.layerCount > 0 ? total : nil
    }
  }

  private func entries(ofLayerAt index: Int) throws(Failure) -> LayerEntriesDescription {
    let layer = timeline.layers[index]
    let file = try timeline.open(layer)
    var description = LayerEntriesDescription(
      layerNumber: index + 1, layerName: layer.fileName)
    var reader = try LayerValueReader(file)
    while try reader.next({ stored, value in
      let entry = stored.entry
      description.entries.append(
        LayerEntriesDescription.Entry(
          key: entry.key.description, meaning: entry.key.words, lsn: entry.lsn?.description,
          isRecord: value.content == .record, offset: entry.offset,
          storedByteCount: UInt64(stored.blob.byteCount), plainByteCount: value.bytes.byteCount))
    }) {
      try Interruption.check()
    }
    return description
  }
}
