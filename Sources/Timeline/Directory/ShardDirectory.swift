import LayerFormat
import PostgresFormat
import System

/// The directory of one shard's timeline, or of an unsharded one: locked against a second run.
///
/// `TimelineDirectory` says when what is done. Everything is done by name from the open directory: no
/// link that another process puts in the way leads out of it.
final class ShardDirectory {
  /// Which shard it is.
  let shard: ShardID
  /// `DIR/tenants/<tenant>[-NNCC]/timelines/<timeline>`.
  var path: String { directories.timeline.path }

  var directories: OutputDirectories
  /// The free space that is left on the file system.
  private let reserve: SpaceReserve
  /// The directory itself, which holds the lock.
  private let directory: DirectoryHandle
  /// Whom everything is given to that is made; nil for nobody else.
  private let owner: SystemUser?
  /// The names that this run wrote and an abandoned one takes away again, but for the index.
  private var written: Set<String> = []
  /// The index and its directory, once it may have its name.
  private var index: (directory: DirectoryHandle, name: String)?
  /// The indexes of the timeline that is to be replaced.
  private(set) var oldIndexes: [String] = []
  /// Whether the directory is final: there is nothing to remove.
  private(set) var isSettled = false

  /// Claims the directory, and creates it and its parents if they do not exist.
  ///
  /// Throws `.inUse` when another import works on it; `.cannotCreate` when it cannot be made, or
  /// belongs to somebody else.
  init(_ place: OutputPlace, _ shard: ShardID) throws(Failure) {
    self.shard = shard
    directories = try OutputDirectories(place, shard)
    directory = directories.timeline
    reserve = SpaceReserve(directory, option: "--output")
    owner = SystemUser.ownID == 0 ? place.owner : nil
    // An import that fails removes the directories that it made. One that was opened before that and
    // locked after it is nobody's any more, and its name may lead to another by now. A directory
    // that another import has locked belongs to it, even if this one created it.
    guard try directory.lock(), try directories.isInPlace() else {
      isSettled = true
      throw Self.busy(path)
    }
    do throws(Failure) {
      oldIndexes = Self.indexes(among: try names())
    } catch {
      abandon()
      throw error
    }
  }

  // Also of one that could not be claimed.
  deinit { abandon() }

  static func busy(_ path: String) -> Failure {
    Failure(
      .timelineBusy, "another import is writing to timeline directory \(path.quoted)",
      hint: "Wait for it to end, or import with another '--timeline-id'.")
  }

  // MARK: What is there

  private func names() throws(Failure) -> [String] { try Self.names(in: directory) }

  static func names(in directory: DirectoryHandle) throws(Failure) -> [String] {
    try directory.names().map(DirectoryHandle.text).sorted()
  }

  static func indexes(among names: [String]) -> [String] {
    names.filter { $0.hasPrefix(IndexPart.filePrefix) && !isTemporary($0) }
  }

  private static func isTemporary(_ name: String) -> Bool {
    name.hasSuffix(TimelineDirectory.temporarySuffix)
  }

  private static func isLayer(_ name: String) -> Bool { LayerName.parse(fileName: name) != nil }

  /// Whether a run has written its index, and not given it its name.
  func hasTemporaryIndex() throws(Failure) -> Bool {
    try names().contains { $0.hasPrefix(IndexPart.filePrefix) && Self.isTemporary($0) }
  }

  /// Removes what an earlier run has left to be published, and makes that durable.
  func removePending() throws(Failure) {
    guard let pending = try directories.existingPending() else { return }
    for name in try pending.names() { try pending.remove(name) }
    try pending.sync()
  }

  /// Removes the remains of an interrupted run.
  func removeRemains() throws(Failure) {
    for name in try names() where Self.isTemporary(name) || oldIndexes.isEmpty && Self.isLayer(name)
    {
      try remove(name)
    }
    try directories.removeTenantRemains()
  }

  /// Removes the indexes that are there, and makes that durable.
  func removeIndexes() throws(Failure) {
    guard !oldIndexes.isEmpty else { return }
    for index in oldIndexes { try remove(index) }
    try directory.sync()
    oldIndexes = []
  }

  /// Removes all layers; no index may name them.
  func removeLayers() throws(Failure) {
    for name in try names() where Self.isLayer(name) { try remove(name) }
  }

  private func remove(_ name: String) throws(Failure) {
    try directory.remove(DirectoryHandle.name(name))
  }

  // MARK: What is written

  /// Creates a file for this run alone; `name` is any that no other of its files has.
  func makeTemporaryFile(_ name: String) throws(Failure) -> OutputFile {
    let temporaryName = name + TimelineDirectory.temporarySuffix
    written.insert(temporaryName)
    return try OutputFile(
      creating: temporaryName, in: directory, mode: 0o600, owner: owner, reserve: reserve)
  }

  /// Gives layers their names, and makes those durable, and what leads to the directory.
  func publish(_ layers: [FinishedLayer], generation: UInt32) throws(Failure) {
    for layer in layers {
      let name = layer.name.fileName(generation: generation)
      written.insert(name)
      try layer.file.rename(to: name)
      written.remove(layer.file.name)
    }
    try directory.sync()
    try directories.sync()
  }

  /// Gives the index its name, in the directory for what is to be published if it `isPending`.
  func publish(_ index: FinishedIndex, isPending: Bool) throws(Failure) {
    let target = isPending ? try directories.pending() : directory
    guard case .file(let file) = index.contents else {
      preconditionFailure("a directory's index is a file")
    }
    self.index = (target, index.fileName)
    try file.rename(to: index.fileName, in: target)
    try target.sync()
  }

  /// Says that what is there is final.
  func settle() { isSettled = true }

  /// Gives the index that this run may have published its temporary name again, and makes that
  /// durable; false if that is not possible.
  func withdrawIndex() -> Bool {
    guard !isSettled, let (target, name) = index else { return true }
    do throws(Failure) {
      if try target.status(of: DirectoryHandle.name(name)) != nil {
        let temporaryName = name + TimelineDirectory.temporarySuffix
        try target.rename(name, to: temporaryName, in: directory)
        written.insert(temporaryName)
        try target.sync()
      }
      index = nil
      return true
    } catch {
      return false
    }
  }

  /// Removes the index that this run may have published, and makes that durable; false if that is not
  /// possible.
  func removeIndex() -> Bool {
    guard !isSettled, let (target, name) = index else { return true }
    do throws(Failure) {
      try target.remove(DirectoryHandle.name(name))
      try target.sync()
      index = nil
      return true
    } catch {
      isSettled = true  // The shard is whole, if not durable.
      return false
    }
  }

  /// Takes away what this run wrote, as far as that is possible.
  ///
  /// Layers go only when it is certain that no index names them, after a power failure as well.
  func abandon() {
    guard !isSettled else { return }
    isSettled = true
    for name in written { try? remove(name) }
    written = []
    directories.remove()
  }
}
