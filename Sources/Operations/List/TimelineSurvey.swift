import LayerFormat
import PostgresFormat
import System
import Timeline

/// The files of one timeline, as a survey looks at them: in a directory, or in an object store.
protocol SurveyedFiles {
  /// The path or the URL, for messages.
  var path: String { get }
  /// Whether an import is writing to it.
  func isLocked() -> Bool
  /// The names of everything that is there.
  func fileNames() throws(Failure) -> [String]
  /// The length of a file; nil if there is none of that name.
  func status(of name: String) throws(Failure) -> SurveyedFile?
  /// The whole of a regular file that has at most `limit` bytes.
  func contents(of name: String, limit: Int) throws(Failure) -> [UInt8]
}

/// What a survey has to know of a file.
struct SurveyedFile {
  var kind: MemberKind
  var byteCount: UInt64
}

extension DirectoryHandle: SurveyedFiles {
  func fileNames() throws(Failure) -> [String] { try names().map(Self.text) }

  func status(of name: String) throws(Failure) -> SurveyedFile? {
    try status(of: Self.name(name)).map {
      SurveyedFile(kind: $0.kind, byteCount: $0.byteCount)
    }
  }

  func contents(of name: String, limit: Int) throws(Failure) -> [UInt8] {
    try openFile(Self.name(name)).contents(limit: limit)
  }
}

/// Looks at one timeline's directory: its lock, its newest index, and the files beside that.
struct TimelineSurvey {
  private let directory: any SurveyedFiles
  /// Where its index is while it is not published.
  private let pending: (any SurveyedFiles)?

  init(_ directory: any SurveyedFiles, pending: (any SurveyedFiles)? = nil) {
    self.directory = directory
    self.pending = pending
  }

  /// Fills in what can be found out; throws only what has nothing to do with this timeline.
  func describe(_ timeline: inout ListedTimeline) throws(Failure) {
    do throws(Failure) {
      try examine(&timeline)
    } catch {
      guard TenantWalk.isProblemOfOne(error) else { throw error }
      // What an import that has begun meanwhile has changed is no damage.
      guard !directory.isLocked() else {
        timeline.state = .locked
        return
      }
      let isDamaged = error.exitCode == .damaged || error.exitCode == .unsupported
      timeline.state = isDamaged ? .damaged : .unreadable
      timeline.error = error.message
      timeline.code = error.code.rawValue
    }
  }

  private func examine(_ timeline: inout ListedTimeline) throws(Failure) {
    let isLocked = directory.isLocked()
    if isLocked { timeline.state = .locked }
    let names = try directory.fileNames().sorted()
    var place = directory
    timeline.generation = Self.newestIndex(among: names)
    if timeline.generation == nil, let pending {
      place = pending
      timeline.generation = Self.newestIndex(among: try pending.fileNames())
    }
    guard let generation = timeline.generation else {
      timeline.leftovers = try leftovers(names) { _ in false }
      return
    }
    // Before the index is read: it may be damaged.
    let indexName = IndexPart.fileName(generation: generation)
    timeline.leftovers = try leftovers(names) {
      $0 == indexName || LayerName.parse(fileName: $0) != nil
    }
    let index = try Self.readIndex(indexName, in: place)
    let layers = try layers(of: index)
    timeline.leftovers = try leftovers(names) { $0 == indexName || layers[$0] != nil }
    timeline.postgresVersion = index.metadata.postgresVersion
    timeline.importLSN = index.metadata.initdbLSN.description
    timeline.endLSN = index.diskConsistentLSN.description
    timeline.layerCount = layers.count
    timeline.layerByteCount = layers.values.reduce(0) { $0 &+ $1 }
    timeline.deletedAt = index.deletedAt.map { escaped($0.utf8) }
    let isPublished = place.path == directory.path
    guard !isLocked else {
      guard isPublished, index.deletedAt == nil else { return }
      try requireLayers(layers)
      timeline.state = .replacing
      return
    }
    timeline.state =
      index.deletedAt != nil ? .deleted : isPublished ? .complete : .unpublished
    // A deletion begins with the layers.
    if index.deletedAt == nil { try requireLayers(layers) }
  }

  private static func newestIndex(among names: [String]) -> UInt32? {
    names.compactMap(IndexPart.parse(fileName:)).max()
  }

  private static func readIndex(
    _ name: String, in directory: any SurveyedFiles
  ) throws(Failure) -> IndexPart {
    let path = directory.path + "/" + name
    guard let status = try directory.status(of: name) else {
      throw DirectoryHandle.changed(path)
    }
    guard status.kind != .symbolicLink else { throw SystemCalls.isLink(path) }
    guard status.kind == .file else {
      throw Failure(.indexDamaged, "\(path.quoted) is not a regular file")
    }
    let bytes = try directory.contents(of: name, limit: Timeline.indexLimit)
    do throws(FormatError) {
      return try IndexPart(decoding: bytes)
    } catch {
      throw Failure(error, in: "index \(path.quoted)", damage: .indexDamaged)
    }
  }

  /// The files of the layers that an index names, and their sizes.
  private func layers(of index: IndexPart) throws(Failure) -> [String: UInt64] {
    var layers: [String: UInt64] = [:]
    for (text, metadata) in index.layers {
      guard let name = LayerName(text) else {
        throw Failure(
          .indexDamaged, "the index names \(text.quoted), which is not the name of a layer")
      }
      layers[name.fileName(generation: metadata.generation)] = metadata.fileSize
    }
    return layers
  }

  /// Throws if a layer is not there, or not as long as the index says.
  private func requireLayers(_ layers: [String: UInt64]) throws(Failure) {
    for (name, byteCount) in layers.sorted(by: { $0.key < $1.key }) {
      try Interruption.check()
      guard let status = try directory.status(of: name) else {
        throw Failure(.missingFile, "layer '\(name)' is missing")
      }
      guard status.kind != .symbolicLink else { throw SystemCalls.isLink(name) }
      guard status.kind == .file else {
        throw Failure(.layerDamaged, "layer '\(name)' is not a regular file")
      }
      guard status.byteCount == byteCount else {
        throw Failure(
          .layerDamaged,
          "layer '\(name)' has \(byteWords(status.byteCount)), but the index says \(byteCount)")
      }
    }
  }

  // MARK: Leftovers

  private static let shownLimit = 8

  private func leftovers(
    _ names: [String], where isExpected: (String) -> Bool
  ) throws(Failure) -> [ListedTimeline.Leftover] {
    var leftovers: [ListedTimeline.Leftover.Code: ListedTimeline.Leftover] = [:]
    for name in names where !isExpected(name) {
      let code = Self.code(of: name)
      var leftover = leftovers[code] ?? .init(code: code)
      leftover.fileCount += 1
      leftover.byteCount &+= try directory.status(of: name)?.byteCount ?? 0
      if leftover.names.count < Self.shownLimit { leftover.names.append(escaped(name.utf8)) }
      leftovers[code] = leftover
    }
    return ListedTimeline.Leftover.Code.allCases.compactMap { leftovers[$0] }
  }

  private static func code(of name: String) -> ListedTimeline.Leftover.Code {
    if name.hasSuffix(TimelineDirectory.temporarySuffix) { return .temporaryFile }
    if LayerName.parse(fileName: name) != nil { return .unlistedLayer }
    return IndexPart.parse(fileName: name) != nil ? .olderIndex : .otherFile
  }
}
