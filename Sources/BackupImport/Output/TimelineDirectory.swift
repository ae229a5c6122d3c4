import Glibc
import LayerFormat

/// The directory that an import fills: locked against a second run, and complete or without an
/// index at every moment.
///
/// ```
/// claim      mkdir -p, flock, refuse an index, remove an interrupted run's remains
/// write      layer-N.import-temp …                     each fsynced when it is finished
/// commit  1  with --force: unlink every old index, fsync the directory, unlink the old layers
///         2  rename the layers to their names, fsync the directory and its new parents
///         3  write index_part.json under a temporary name, fsync, rename, fsync the directory
/// abandon    unlink what this run wrote, remove the directories that it made
/// ```
///
/// With `--force` the old timeline stays whole until the new one is complete on disk. (Docs/
/// reliability.md)
final class TimelineDirectory {
  /// Ends the names of files that only a running import knows.
  static let temporarySuffix = ".import-temp"

  /// `DIR/tenants/<tenant>/timelines/<timeline>`.
  let path: String

  private let lock: Int32
  /// The directories that this run made, the outermost first.
  private var madeDirectories: [String] = []
  /// Everything that this run wrote and that an abandoned one takes away again.
  private var writtenPaths: Set<String> = []
  private var oldIndexes: [String] = []
  private var isCommitted = false

  /// Claims the directory of a timeline, making it and its parents where they are not there.
  ///
  /// Throws `.inUse` when another import works on it, or when it has an index and `force` is
  /// false; `.cannotCreate` when it cannot be made.
  init(
    output: String, tenant: Identifier, timeline: Identifier, force: Bool
  ) throws(ImportError) {
    path = Self.path(output: output, tenant: tenant, timeline: timeline)
    lock = try Self.claim(path, madeDirectories: &madeDirectories)
    do throws(ImportError) {
      try prepare(force: force)
    } catch {
      abandon()
      throw error
    }
  }

  deinit {
    if !isCommitted { abandon() }
    close(lock)  // and with it the lock
  }

  private static func path(output: String, tenant: Identifier, timeline: Identifier) -> String {
    var base = output
    while base.count > 1 && base.hasSuffix("/") { base.removeLast() }
    return "\(base == "/" ? "" : base)/tenants/\(tenant)/timelines/\(timeline)"
  }

  private static func claim(
    _ path: String, madeDirectories: inout [String]
  ) throws(ImportError) -> Int32 {
    var prefix = path.hasPrefix("/") ? "/" : ""
    for component in path.split(separator: "/") {
      prefix += prefix.isEmpty || prefix.hasSuffix("/") ? component : "/" + component
      if try SystemCalls.makeDirectory(prefix) { madeDirectories.append(prefix) }
    }
    let descriptor = try SystemCalls.open(path, O_RDONLY | O_DIRECTORY)
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let reason = errno
      close(descriptor)
      if reason == EWOULDBLOCK {
        throw ImportError(
          .inUse, "timeline directory '\(path)' is in use by another import",
          hint: "Wait for it to end, or import under another --timeline-id.")
      }
      throw SystemCalls.failure(.lock, path, reason)
    }
    return descriptor
  }

  /// Refuses an index that is there, and clears away what an interrupted run has left.
  private func prepare(force: Bool) throws(ImportError) {
    let names = try SystemCalls.names(in: path)
    oldIndexes = names.filter { $0.hasPrefix(IndexPart.filePrefix) && !Self.isTemporary($0) }
    if let index = oldIndexes.first, !force {
      throw ImportError(
        .inUse, "timeline directory '\(path)' already has an index, '\(index)'",
        hint: "Import under another --timeline-id, or replace the timeline with --force.")
    }
    for name in names where Self.isTemporary(name) || oldIndexes.isEmpty && Self.isLayer(name) {
      try SystemCalls.unlink(path + "/" + name)
    }
  }

  private static func isTemporary(_ name: String) -> Bool { name.hasSuffix(temporarySuffix) }

  private static func isLayer(_ name: String) -> Bool { LayerName.parse(fileName: name) != nil }

  /// Creates a file for this run alone; `name` is any that no other of its files has.
  func makeTemporaryFile(_ name: String) throws(ImportError) -> OutputFile {
    let temporaryPath = path + "/" + name + Self.temporarySuffix
    writtenPaths.insert(temporaryPath)
    return try OutputFile(creating: temporaryPath)
  }

  /// Gives finished, durable layers their names, and then writes the index.
  ///
  /// When it throws, `abandon` leaves no index behind.
  func commit(_ layers: [FinishedLayer], index: [UInt8], generation: UInt32) throws(ImportError) {
    try removeOldTimeline()
    for layer in layers {
      try rename(layer.file.path, to: layer.name.fileName(generation: generation))
    }
    try SystemCalls.syncDirectory(path)
    for directory in madeDirectories.reversed() {
      try SystemCalls.syncDirectory(SystemCalls.parent(of: directory))
    }
    let indexName = IndexPart.fileName(generation: generation)
    let file = try makeTemporaryFile(indexName)
    try file.write(index.bytes, at: 0)
    try file.makeDurable()
    try rename(file.path, to: indexName)
    try SystemCalls.syncDirectory(path)
    isCommitted = true
  }

  private func rename(_ temporaryPath: String, to name: String) throws(ImportError) {
    let finalPath = path + "/" + name
    writtenPaths.insert(finalPath)
    try SystemCalls.rename(temporaryPath, to: finalPath)
    writtenPaths.remove(temporaryPath)
  }

  private func removeOldTimeline() throws(ImportError) {
    guard !oldIndexes.isEmpty else { return }
    for index in oldIndexes { try SystemCalls.unlink(path + "/" + index) }
    try SystemCalls.syncDirectory(path)
    for name in try SystemCalls.names(in: path) where Self.isLayer(name) {
      try SystemCalls.unlink(path + "/" + name)
    }
  }

  /// Takes away what this run wrote, as far as that is possible; an import that has failed has
  /// nothing better to report than its own error.
  func abandon() {
    guard !isCommitted else { return }
    for written in writtenPaths { unsafe _ = Glibc.unlink(written) }
    writtenPaths = []
    for directory in madeDirectories.reversed() { unsafe _ = rmdir(directory) }
    madeDirectories = []
  }
}

/// A layer whose file is complete, under its temporary name still.
struct FinishedLayer: Sendable {
  var name: LayerName
  var file: OutputFile
  /// The file's length in bytes.
  var byteCount: UInt64
}
