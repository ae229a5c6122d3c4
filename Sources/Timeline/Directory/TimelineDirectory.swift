import LayerFormat
import System

/// The directory that an import fills: locked against a second run, and complete or without an
/// index at every moment.
///
/// ```
/// claim      mkdir -p, flock, refuse an index, remove an interrupted run's remains
///            from DIR on, directories are made for their owner alone, and so are all files
/// write      layer-N.import-temp …                     each fsynced when it is finished
///            index_part.json-….import-temp             fsynced; then the receipt (`ReceiptFiles`)
/// commit  1  with --force: unlink the old receipts, fsync their directory; unlink every old index,
///            fsync the directory; unlink the old layers
///         2  rename the layers to their names, fsync the directory and its parents
///         3  rename the index, fsync the directory
///         4  rename the receipt
/// abandon    unlink the index and fsync, if it came so far; unlink what else this run wrote;
///            remove the directories that it made
/// ```
///
/// Everything is done by name from the open directory: no link that another process puts in the way
/// leads out of it.
///
/// With `--force` the old timeline stays whole until the new one is complete on disk. A receipt has
/// its name only as long as its timeline has an index.
/// (Docs/reliability.md)
package final class TimelineDirectory {
  /// Ends the names of files that only a running import knows.
  package static let temporarySuffix = ".import-temp"

  /// `DIR/tenants/<tenant>/timelines/<timeline>`.
  package var path: String { directories.timeline.path }

  private var directories: OutputDirectories
  /// The free space that is left on the file system.
  private let reserve: SpaceReserve
  /// The directory itself, which holds the lock.
  private let directory: DirectoryHandle
  /// What the names of the timeline's receipts begin with.
  private let receiptPrefix: String
  private let force: Bool
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
    reserve = SpaceReserve(directory)
    self.owner = SystemUser.ownID == 0 ? owner : nil
    self.force = force
    receiptPrefix = ReceiptName.prefix(tenant: tenant, timeline: timeline)
    // An import that fails removes the directories that it made. One that was opened before that and
    // locked after it is nobody's any more, and its name may lead to another by now. A directory
    // that another import has locked belongs to it, even if this one created it.
    guard try directory.lock(), try directories.isInPlace() else {
      isSettled = true
      throw Self.busy(path)
    }
    do throws(Failure) {
      try prepare()
    } catch {
      abandon()
      throw error
    }
  }

  deinit {
    if !isSettled { abandon() }
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
  private func prepare() throws(Failure) {
    let names = try names()
    oldIndexes = Self.indexes(among: names)
    try Self.requireNoIndex(among: names, of: path, force: force)
    for name in names where Self.isTemporary(name) || oldIndexes.isEmpty && Self.isLayer(name) {
      try remove(name)
    }
    try removeReceipts { oldIndexes.isEmpty || Self.isTemporary($0) }
  }

  /// Removes those receipts of this timeline in `DIR/receipts` whose name `isOld`, and makes that
  /// durable.
  private func removeReceipts(where isOld: (String) -> Bool) throws(Failure) {
    guard let receipts = try directories.existingReceipts() else { return }
    let names = try receipts.names().map(DirectoryHandle.text)
      .filter { $0.hasPrefix(receiptPrefix) && isOld($0) }
    if names.isEmpty { return }
    for name in names.sorted() { try receipts.remove(DirectoryHandle.name(name)) }
    try receipts.sync()
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
    return try OutputFile(
      creating: temporaryName, in: directory, mode: 0o600, owner: owner, reserve: reserve)
  }

  /// Claims the files of the receipt; throws as `ReceiptFiles` does, and `.usage` for a place below
  /// `DIR/tenants`, which a pageserver takes for its own.
  package func makeReceipt(
    _ place: ReceiptPlace, generation: UInt32
  ) throws(Failure) -> ReceiptFiles {
    guard case .file(let path) = place else {
      return try makeReceipt(
        receiptPrefix + generation.hexadecimal(8, uppercase: false) + ".json", attempts: 10)
    }
    try requireOutsideTenants(path)
    let parent = SystemCalls.parent(of: path)
    let directory = try DirectoryHandle(forWritingTo: parent, named: path)
    let name = SystemCalls.name(of: path)
    // Imports of other timelines may have been given the same name.
    let number = UInt64.random(in: .min ... .max).hexadecimal(16, uppercase: false)
    return try ReceiptFiles(
      name, in: directory, path: path, temporarySuffix: ".\(number)" + Self.temporarySuffix,
      replaces: force, owner: nil)
  }

  private func makeReceipt(_ name: String, attempts: Int) throws(Failure) -> ReceiptFiles {
    let directory = try directories.receipts()
    do throws(Failure) {
      return try ReceiptFiles(
        name, in: directory, path: directory.path + "/" + name,
        temporarySuffix: Self.temporarySuffix, replaces: true, owner: owner)
    } catch {
      // An import that fails removes the directory that it made, until it holds something.
      guard attempts > 1, try directories.existingReceipts() == nil else { throw error }
      return try makeReceipt(name, attempts: attempts - 1)
    }
  }

  private func requireOutsideTenants(_ file: String) throws(Failure) {
    // What does not exist shows when the file is created.
    guard let directory = try? SystemCalls.resolved(SystemCalls.parent(of: file)),
      let tenants = try? SystemCalls.resolved(directories.output + "/tenants")
    else { return }
    guard !(directory + "/").hasPrefix(tenants + "/") else {
      throw Failure(
        .badOption, "the receipt \(file.quoted) would be below \(tenants.quoted)",
        hint: "Everything there is copied to a bucket with the timeline. Choose another directory.")
    }
  }

  /// Writes the index under a temporary name, reads it back for its hash, and makes it durable.
  package func writeIndex(_ bytes: [UInt8], generation: UInt32) throws(Failure) -> FinishedIndex {
    let name = IndexPart.fileName(generation: generation)
    let file = try makeTemporaryFile(name)
    try file.write(bytes.bytes, at: 0)
    var hasher = FileHasher()
    let hash = try hasher.hash(file, byteCount: UInt64(bytes.count))
    try file.makeDurable()
    return FinishedIndex(
      file: file, generation: generation,
      digest: FileDigest(name: name, byteCount: UInt64(bytes.count), sha256: hash))
  }

  /// Gives layers and index, all of them durable, their names, the index last; and then the receipt.
  ///
  /// When it throws, `abandon` leaves no index behind, unless nothing but the receipt is missing. A
  /// signal ends it before the index has its name, or before an old timeline is touched; after that
  /// it is done with rather than undone.
  package func commit(
    _ layers: [FinishedLayer], _ index: FinishedIndex, receipt: ReceiptFiles?
  ) throws(Failure) {
    try Interruption.check()
    try removeOldTimeline(receipt)
    for layer in layers {
      let name = layer.name.fileName(generation: index.generation)
      written.insert(name)
      try layer.file.rename(to: name)
      written.remove(layer.file.name)
    }
    try directory.sync()
    try directories.sync()
    if oldIndexes.isEmpty { try Interruption.check() }
    self.index = index.digest.name
    try index.file.rename(to: index.digest.name)
    try directory.sync()
    isSettled = true
    try receipt?.publish(timelinePath: path)
  }

  private func removeOldTimeline(_ receipt: ReceiptFiles?) throws(Failure) {
    guard !oldIndexes.isEmpty else { return }
    try removeReceipts { !Self.isTemporary($0) }
    try receipt?.removeOld()
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

/// An index that is durable, but still has its temporary name. Only `TimelineDirectory` makes one.
package struct FinishedIndex: Sendable {
  /// The file under its temporary name.
  fileprivate let file: OutputFile
  /// The generation that it is written for.
  fileprivate let generation: UInt32
  /// Its name, once it has it, its length, and the SHA-256 of what was read back.
  package let digest: FileDigest
}
