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
/// Everything is done by name from the open directory: no link that another process puts in the way
/// leads out of it.
///
/// With `--force` the old timeline stays whole until the new one is complete on disk.
/// (Docs/reliability.md)
package final class TimelineDirectory {
  /// Ends the names of files that only a running import knows.
  static let temporarySuffix = ".import-temp"

  /// `DIR/tenants/<tenant>/timelines/<timeline>`.
  package var path: String { directories.timeline.path }

  private var directories: OutputDirectories
  /// The directory itself, which holds the lock.
  private let directory: DirectoryHandle
  /// Whom everything is given to that is made; nil for nobody else.
  private let owner: SystemUser?
  /// The names that this run wrote and an abandoned one takes away again, but for the index.
  private var written: Set<String> = []
  /// The index, once it may have its name.
  private var index: String?
  private var oldIndexes: [String] = []
  /// Whether the directory is final: there is nothing to remove.
  private var isSettled = false

  /// Claims the directory of a timeline, and creates it and its parents if they do not exist.
  ///
  /// - Parameter owner: a user besides root and that of this process who may own directories on the
  ///   way; as root, what is made is given to that user.
  ///
  /// Throws `.inUse` when another import works on it, or when it has an index and `force` is
  /// false; `.cannotCreate` when it cannot be made, or belongs to somebody else.
  package init(
    output: String, tenant: Identifier, timeline: Identifier, force: Bool, owner: SystemUser? = nil
  ) throws(Failure) {
    directories = try OutputDirectories(
      output: Self.base(output), tenant: tenant, timeline: timeline, owner: owner)
    directory = directories.timeline
    self.owner = SystemUser.ownID == 0 ? owner : nil
    // An import that fails removes the directories that it made. One that was opened before that and
    // locked after it is nobody's any more, and its name may lead to another by now. A directory
    // that another import has locked belongs to it, even if this one created it.
    guard try directory.lock(), try directories.isInPlace() else {
      isSettled = true
      throw Self.busy(path)
    }
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
    output: String, tenant: Identifier, timeline: Identifier, force: Bool, owner: SystemUser?
  ) throws(Failure) {
    try TimelineDirectory(
      output: output, tenant: tenant, timeline: timeline, force: force, owner: owner
    ).abandon()
  }

  /// Throws as `init` does if the directory cannot be claimed, as far as that shows without making or
  /// removing anything.
  package static func requireClaimable(
    output: String, tenant: Identifier, timeline: Identifier, force: Bool, owner: SystemUser?
  ) throws(Failure) {
    let existing = try OutputDirectories.existing(
      output: base(output), tenant: tenant, timeline: timeline, owner: owner)
    guard let directory = existing else { return }
    guard try directory.lock() else { throw busy(directory.path) }
    try requireNoIndex(among: try names(in: directory), of: directory.path, force: force)
  }

  /// The path that a timeline's directory would have.
  package static func path(output: String, tenant: Identifier, timeline: Identifier) -> String {
    let base = base(output)
    return "\(base == "/" ? "" : base)/tenants/\(tenant)/timelines/\(timeline)"
  }

  private static func base(_ output: String) -> String {
    var base = output
    while base.count > 1 && base.hasSuffix("/") { base.removeLast() }
    return base
  }

  /// Refuses an existing index, and removes the remains of an interrupted run.
  private func prepare(force: Bool) throws(Failure) {
    let names = try names()
    oldIndexes = Self.indexes(among: names)
    try Self.requireNoIndex(among: names, of: path, force: force)
    for name in names where Self.isTemporary(name) || oldIndexes.isEmpty && Self.isLayer(name) {
      try remove(name)
    }
  }

  private func names() throws(Failure) -> [String] { try Self.names(in: directory) }

  private static func names(in directory: DirectoryHandle) throws(Failure) -> [String] {
    try directory.names().map(DirectoryHandle.text).sorted()
  }

  private static func indexes(among names: [String]) -> [String] {
    names.filter { $0.hasPrefix(IndexPart.filePrefix) && !isTemporary($0) }
  }

  private static func requireNoIndex(
    among names: [String], of path: String, force: Bool
  ) throws(Failure) {
    guard let index = indexes(among: names).first, !force else { return }
    throw Failure(
      .timelineExists, "the timeline already exists: \(path.quoted) contains \(index.quoted)",
      hint: "Import with another '--timeline-id', or replace the timeline with '--force'.")
  }

  private static func busy(_ path: String) -> Failure {
    Failure(
      .timelineBusy, "another import is writing to timeline directory \(path.quoted)",
      hint: "Wait for it to end, or import with another '--timeline-id'.")
  }

  private func remove(_ name: String) throws(Failure) {
    try directory.remove(DirectoryHandle.name(name))
  }

  private static func isTemporary(_ name: String) -> Bool { name.hasSuffix(temporarySuffix) }

  private static func isLayer(_ name: String) -> Bool { LayerName.parse(fileName: name) != nil }

  /// Creates a file for this run alone; `name` is any that no other of its files has.
  package func makeTemporaryFile(_ name: String) throws(Failure) -> OutputFile {
    let temporaryName = name + Self.temporarySuffix
    written.insert(temporaryName)
    return try OutputFile(creating: temporaryName, in: directory, mode: 0o600, owner: owner)
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
      let name = layer.name.fileName(generation: generation)
      written.insert(name)
      try layer.file.rename(to: name)
      written.remove(layer.file.name)
    }
    try directory.sync()
    try directories.sync()
    let name = IndexPart.fileName(generation: generation)
    let file = try makeTemporaryFile(name)
    try file.write(index.bytes, at: 0)
    try file.makeDurable()
    if oldIndexes.isEmpty { try Interruption.check() }
    self.index = name
    try file.rename(to: name)
    try directory.sync()
    isSettled = true
  }

  private func removeOldTimeline() throws(Failure) {
    guard !oldIndexes.isEmpty else { return }
    for index in oldIndexes { try remove(index) }
    try directory.sync()
    for name in try names() where Self.isLayer(name) { try remove(name) }
  }

  /// Takes away what this run wrote, as far as that is possible; an import that has failed has
  /// nothing better to report than its own error.
  ///
  /// Layers go only when it is certain that no index names them, after a power failure as well.
  package func abandon() {
    guard !isSettled else { return }
    do throws(Failure) {
      if let index {
        try remove(index)
        try directory.sync()
      }
      index = nil
      for name in written { try? remove(name) }
      written = []
      directories.remove()
    } catch {
      isSettled = true  // Nothing more can be done: the timeline is whole, if not durable.
    }
  }
}
