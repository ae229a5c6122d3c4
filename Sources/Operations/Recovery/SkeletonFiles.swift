import LayerFormat
import PostgresFormat
import System

/// The main forks of a skeleton, into which pages of the base are put.
///
/// A relation's files are made when the WAL is seen to name it, before the server gets to that: then nothing
/// that the server does can tell that they were not there before. Most relations are never named, and what has
/// no file takes no time to make, to look at and to remove.
///
/// Files are opened from the directory above them, without following links. One that the server has removed
/// or cut meanwhile stays so. Used by one thread at a time.
final class SkeletonFiles {
  private let base: DirectoryHandle
  private let reserve: SpaceReserve
  private let owner: SystemUser?
  private var open: (segment: RelationSegment, file: OutputFile?, byteCount: UInt64)?

  /// Those of the copy in a scratch directory, in which a server works as `owner`; nil if that is the user
  /// of this process.
  init(_ scratch: ScratchDirectory, owner: SystemUser?) throws(Failure) {
    self.owner = owner
    base = try DirectoryHandle(path: scratch.data).openDirectory(DirectoryHandle.name("base"))
    reserve = scratch.reserve
  }

  /// Gives each relation of which there is a file already.
  func forEachRelation(
    _ body: (ReplayPlan.Relation) throws(Failure) -> Void
  ) throws(Failure) {
    for database in try base.names() {
      guard let id = UInt32(DirectoryHandle.text(database)),
        try base.status(of: database)?.kind == .directory
      else { continue }
      for name in try base.openDirectory(database).names() {
        let bytes = Array(DirectoryHandle.text(name).utf8)
        if let segment = RelationSegment(fileName: bytes[...], databaseID: id),
          segment.fork == .main
        {
          try body(ReplayPlan.Relation(segment))
        }
      }
    }
  }

  /// Whether there is an init fork: then the server makes the main fork from it at the end of its replay, and
  /// fails if there is one that it has not removed at the start. (Postgres, `reinit.c`)
  func hasInitFork(_ relation: ReplayPlan.Relation) throws(Failure) -> Bool {
    let fork = RelationSegment(
      databaseID: relation.databaseID, relationNumber: relation.relationNumber,
      fork: .initialisation, segmentNumber: 0)
    return try openDirectory(relation.databaseID)?
      .status(of: DirectoryHandle.name(fork.fileName)) != nil
  }

  /// Makes the files of a relation, holes of so many blocks; one that is there is made no shorter.
  func make(
    _ relation: ReplayPlan.Relation, _ segments: [(segment: RelationSegment, blockCount: UInt32)]
  ) throws(Failure) {
    try close()  // it may become longer
    guard let directory = try openDirectory(relation.databaseID) else { return }
    for (segment, blockCount) in segments {
      let file = try openFile(segment, in: directory, isNew: true)
      let byteCount = UInt64(blockCount) * UInt64(PageHeader.pageByteCount)
      if let file, try file.status().byteCount < byteCount { try file.setByteCount(byteCount) }
      try file?.close()
    }
  }

  /// The file that a block is in, and where; nil if there is no such file, or the block is behind its end.
  ///
  /// - Parameter isNew: whether a file that is missing is made, and one that is too short gets longer.
  func place(
    of block: UInt32, _ relation: ReplayPlan.Relation, isNew: Bool = false
  ) throws(Failure) -> (file: OutputFile, offset: UInt64)? {
    let segment = relation.segment(of: block)
    if open?.segment != segment {
      try close()
      let directory = try openDirectory(relation.databaseID)
      let file = try directory.flatMap { directory throws(Failure) in
        try openFile(segment, in: directory, isNew: isNew)
      }
      open = (segment, file, try file?.status().byteCount ?? 0)
    }
    let offset = UInt64(block % RelationSegment.blockCount) * UInt64(PageHeader.pageByteCount)
    guard let open, let file = open.file, isNew || offset < open.byteCount else { return nil }
    return (file, offset)
  }

  /// Writes a page of the base as replay has to see it: without the LSN that an import gives to a page that
  /// has none.
  func write(_ page: RawSpan, to file: OutputFile, at offset: UInt64) throws(Failure) {
    try file.write(page, at: offset)
    try reserve.didWrite(page.byteCount)
    if PageHeader(page).lsn == PageHeader.bootstrapLSN {
      try file.write([UInt8](repeating: 0, count: 8).bytes, at: offset)
    }
  }

  private func openFile(
    _ segment: RelationSegment, in directory: DirectoryHandle, isNew: Bool
  ) throws(Failure) -> OutputFile? {
    if let file = try directory.openFileForChanges(segment.fileName) { return file }
    guard isNew else { return nil }
    return try OutputFile(
      creating: segment.fileName, in: directory, mode: 0o600, owner: owner, reserve: reserve)
  }

  private func openDirectory(_ databaseID: UInt32) throws(Failure) -> DirectoryHandle? {
    let database = DirectoryHandle.name(String(databaseID))
    do throws(Failure) {
      return try base.openDirectory(database)
    } catch {
      // The server may remove it at any time.
      guard try base.status(of: database) == nil else { throw error }
      return nil
    }
  }

  /// Closes the file that is open.
  func close() throws(Failure) {
    try open?.file?.close()
    open = nil
  }
}
