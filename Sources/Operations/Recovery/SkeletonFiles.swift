import LayerFormat
import PostgresFormat
import System

/// The main forks of a skeleton, into which pages of the base are put.
///
/// Files are opened from the directory above them, without following links. One that the server has removed
/// or cut meanwhile stays so. Used by one thread at a time.
final class SkeletonFiles {
  private let base: DirectoryHandle
  private let reserve: SpaceReserve
  private var open: (segment: RelationSegment, file: OutputFile?, byteCount: UInt64)?

  /// Those of the copy in a scratch directory.
  init(_ scratch: ScratchDirectory) throws(Failure) {
    base = try DirectoryHandle(path: scratch.data).openDirectory(DirectoryHandle.name("base"))
    reserve = scratch.reserve
  }

  /// The file that a block is in, and where; nil if there is no such file, or the block is behind its end.
  func place(
    of block: UInt32, _ relation: ReplayPlan.Relation
  ) throws(Failure) -> (file: OutputFile, offset: UInt64)? {
    let segment = relation.segment(of: block)
    if open?.segment != segment {
      try close()
      let file = try openFile(segment)
      open = (segment, file, try file?.status().byteCount ?? 0)
    }
    let offset = UInt64(block % RelationSegment.blockCount) * UInt64(PageHeader.pageByteCount)
    guard let open, let file = open.file, offset < open.byteCount else { return nil }
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

  private func openFile(_ segment: RelationSegment) throws(Failure) -> OutputFile? {
    let database = DirectoryHandle.name(String(segment.databaseID))
    do throws(Failure) {
      return try base.openDirectory(database).openFileForChanges(segment.fileName)
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
