import LayerFormat
import PostgresFormat
import System

/// Pages of the base that are put into the skeleton as they are read, since they could not be read back.
///
/// Replay finds them there, and afterwards they are taken from there as if it had touched them. Used by one
/// thread at a time. Memory: as two `TouchedTable`s.
final class KeptPages: @unchecked Sendable {
  // Invariant: used by the stage that drains the first pass, and after it by the thread that runs the
  // pipeline.

  /// The blocks that are taken from the skeleton: these, and those that a plan adds.
  let touched: TouchedTable
  private let blocks: TouchedTable
  private let files: SkeletonFiles

  /// None yet, in the skeleton of a scratch directory, whose main forks are `files`.
  init(_ scratch: ScratchDirectory, _ files: SkeletonFiles, memoryLimit: Int) {
    func makeTable(_ name: String) -> TouchedTable {
      TouchedTable(memoryLimit: memoryLimit) { () throws(Failure) in
        try scratch.makeFile(scratch.path + "/" + name)
      }
    }
    touched = makeTable("touched")
    blocks = makeTable("kept")
    self.files = files
  }

  /// Puts a page into the skeleton, where its file is made if it is not there.
  func keep(
    _ page: RawSpan, _ relation: ReplayPlan.Relation, _ block: UInt32
  ) throws(Failure) {
    guard let (file, offset) = try files.place(of: block, relation, isNew: true) else {
      throw Failure(.bug, "block \(block) of '\(relation.segment(of: block).path)' has no file")
    }
    try files.write(page, to: file, at: offset)
    _ = try touched.note(relation, block)
    _ = try blocks.note(relation, block)
  }

  /// Closes the file that is open.
  func close() throws(Failure) { try files.close() }

  /// What a page that was kept is, before the WAL is replayed; nil if it was not kept.
  func page(
    _ relation: ReplayPlan.Relation, _ block: UInt32
  ) throws(Failure) -> TornCopyCheck.Page? {
    guard try blocks.contains(relation, block) else { return nil }
    guard let (file, offset) = try files.place(of: block, relation) else { return .noFile }
    var header = [UInt8](repeating: 0, count: 24)
    try file.read(into: &header, count: header.count, at: offset)
    return .init(PageHeader(header.bytes))
  }
}
