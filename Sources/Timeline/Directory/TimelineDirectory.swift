import LayerFormat
import System

/// The directory that an import fills: locked against a second run, and complete or without an
/// index at every moment.
///
/// ```
/// claim      mkdir -p, flock, refuse an index, remove an interrupted run's remains
///            from DIR on, directories are made for their owner alone, and so are all files
/// write      layer-N.import-temp …                     each fsynced when it is finished
/// commit  1  with --force: unlink every old index, fsync the directory, unlink the old layers
///         2  rename the layers to their names, fsync the directory and its parents
///         3  write index_part.json under a temporary name, fsync, rename, fsync the directory
/// abandon    unlink the index and fsync, if it came so far; unlink what else this run wrote;
///            remove the directories that it made
/// ```
///
/// With `--force` the old timeline stays whole until the new one is complete on disk.
/// (Docs/reliability.md)
package final class TimelineDirectory {
  /// Ends the names of files that only a running import knows.
  static let temporarySuffix = ".import-temp"

  /// `DIR/tenants/<tenant>/timelines/<timeline>`.
  package let path: String

  /// Holds the lock.
  private let lock: Descriptor
  /// The directories that this run made.
  private var madeDirectories = MadeDirectories()
  /// What this run wrote and an abandoned one takes away again, but for the index.
  private var writtenPaths: Set<String> = []
  /// The index, once it may have its name.
  private var indexPath: String?
  private var oldIndexes: [String] = []
  /// Whether the directory is final: there is nothing to remove.
  private var isSettled = false

  /// Claims the directory of a timeline, and creates it and its parents if they do not exist.
  ///
  /// Throws `.inUse` when another import works on it, or when it has an index and `force` is
  /// false; `.cannotCreate` when it cannot be made.
  package init(
    output: String, tenant: Identifier, timeline: Identifier, force: Bool
  ) throws(Failure) {
    path = Self.path(output: output, tenant: tenant, timeline: timeline)
    lock = try Self.claim(path, madeDirectories: &madeDirectories)
    do throws(Failure) {
      try prepare(force: force)
    } catch {
      abandon()
      throw error
    }
  }

  deinit {
    if !isSettled { abandon() }
  }

  /// Throws as `init` does if the directory cannot be claimed, and leaves nothing behind.
  package static func requireUsable(
    output: String, tenant: Identifier, timeline: Identifier, force: Bool
  ) throws(Failure) {
    try TimelineDirectory(output: output, tenant: tenant, timeline: timeline, force: force)
      .abandon()
  }

  /// DIR, tenants, the tenant, timelines, the timeline.
  private static let directoriesBelowParent = 5

  private static func path(output: String, tenant: Identifier, timeline: Identifier) -> String {
    var base = output
    while base.count > 1 && base.hasSuffix("/") { base.removeLast() }
    return "\(base == "/" ? "" : base)/tenants/\(tenant)/timelines/\(timeline)"
  }

  /// Creates the directory and its parents, and locks it; removes them again if it fails.
  private static func claim(
    _ path: String, madeDirectories: inout MadeDirectories
  ) throws(Failure) -> Descriptor {
    do throws(Failure) {
      try madeDirectories.make(path, privateCount: directoriesBelowParent)
      return try lock(path)
    } catch {
      // A directory that another import has locked belongs to it, even if this one created it.
      if error.code != .inUse { madeDirectories.remove() }
      throw error
    }
  }

  private static func lock(_ path: String) throws(Failure) -> Descriptor {
    let directory = try SystemCalls.openDirectory(path)
    // An import that fails removes the directories that it made. One that was opened before that and
    // locked after it is nobody's any more, and its name may lead to another by now.
    guard try directory.lock(), try directory.isFile(at: path) else {
      throw Failure(
        .inUse, "another import is writing to timeline directory \(path.quoted)",
        hint: "Wait for it to end, or import with another '--timeline-id'.")
    }
    return directory
  }

  /// Refuses an existing index, and removes the remains of an interrupted run.
  private func prepare(force: Bool) throws(Failure) {
    let names = try SystemCalls.names(in: path)
    oldIndexes = names.filter { $0.hasPrefix(IndexPart.filePrefix) && !Self.isTemporary($0) }
    if let index = oldIndexes.first, !force {
      throw Failure(
        .inUse, "the timeline already exists: \(path.quoted) contains \(index.quoted)",
        hint: "Import with another '--timeline-id', or replace the timeline with '--force'.")
    }
    for name in names where Self.isTemporary(name) || oldIndexes.isEmpty && Self.isLayer(name) {
      try SystemCalls.unlink(path + "/" + name)
    }
  }

  private static func isTemporary(_ name: String) -> Bool { name.hasSuffix(temporarySuffix) }

  private static func isLayer(_ name: String) -> Bool { LayerName.parse(fileName: name) != nil }

  /// Creates a file for this run alone; `name` is any that no other of its files has.
  package func makeTemporaryFile(_ name: String) throws(Failure) -> OutputFile {
    let temporaryPath = path + "/" + name + Self.temporarySuffix
    writtenPaths.insert(temporaryPath)
    return try OutputFile(creating: temporaryPath, mode: 0o600)
  }

  /// Gives finished, durable layers their names, and then writes the index.
  ///
  /// When it throws, `abandon` leaves no index behind. A signal ends it before the index has its
  /// name, or before an old timeline is touched; after that it is done with rather than undone.
  package func commit(_ layers: [FinishedLayer], index: [UInt8], generation: UInt32) throws(Failure)
  {
    try Interruption.check()
    try removeOldTimeline()
    for layer in layers {
      let finalPath = path + "/" + layer.name.fileName(generation: generation)
      writtenPaths.insert(finalPath)
      try SystemCalls.rename(layer.file.path, to: finalPath)
      writtenPaths.remove(layer.file.path)
    }
    try SystemCalls.syncDirectory(path)
    try syncParents()
    let indexName = IndexPart.fileName(generation: generation)
    let file = try makeTemporaryFile(indexName)
    try file.write(index.bytes, at: 0)
    try file.makeDurable()
    if oldIndexes.isEmpty { try Interruption.check() }
    indexPath = path + "/" + indexName
    try SystemCalls.rename(file.path, to: path + "/" + indexName)
    try SystemCalls.syncDirectory(path)
    isSettled = true
  }

  /// Makes the entries durable by which the directory is found: of the directories that this run
  /// made, and of those from DIR on that were there, as an import that made them may have been
  /// killed before it came to this.
  private func syncParents() throws(Failure) {
    let chain = MadeDirectories.chain(to: path)
    let output = chain.count - Self.directoriesBelowParent
    let isNew = Set(madeDirectories.paths)
    for (index, directory) in chain.enumerated().reversed() {
      let parent = SystemCalls.parent(of: directory)
      if index > output || isNew.contains(directory) {
        try SystemCalls.syncDirectory(parent)
      } else {
        // One may be allowed to write to DIR and not to read what holds it.
        if index == output { try? SystemCalls.syncDirectory(parent) }
        return
      }
    }
  }

  private func removeOldTimeline() throws(Failure) {
    guard !oldIndexes.isEmpty else { return }
    for index in oldIndexes { try SystemCalls.unlink(path + "/" + index) }
    try SystemCalls.syncDirectory(path)
    for name in try SystemCalls.names(in: path) where Self.isLayer(name) {
      try SystemCalls.unlink(path + "/" + name)
    }
  }

  /// Takes away what this run wrote, as far as that is possible; an import that has failed has
  /// nothing better to report than its own error.
  ///
  /// Layers go only when it is certain that no index names them, after a power failure as well.
  package func abandon() {
    guard !isSettled else { return }
    do throws(Failure) {
      if let indexPath {
        try SystemCalls.unlink(indexPath)
        try SystemCalls.syncDirectory(path)
      }
      indexPath = nil
      for written in writtenPaths { try? SystemCalls.unlink(written) }
      writtenPaths = []
      madeDirectories.remove()
    } catch {
      isSettled = true  // Nothing more can be done: the timeline is whole, if not durable.
    }
  }
}
