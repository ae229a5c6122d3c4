import PostgresFormat
import System

/// Looks up files of a data directory, by their paths from its top.
///
/// Each is opened from the directory above it, without following links.
struct ClusterFiles: RelationPages {
  private let top: DirectoryHandle

  /// The one at a path.
  init(_ path: String) throws(Failure) { top = try DirectoryHandle(path: path) }

  /// A regular file, opened; nil if there is none.
  func file(_ path: String) throws(Failure) -> InputFile? {
    var names = path.split(separator: "/").map { DirectoryHandle.name(String($0)) }
    let last = names.removeLast()
    guard let directory = try directory(names), try directory.status(of: last)?.kind == .file
    else { return nil }
    return try directory.openFile(last)
  }

  /// The names in a directory; none if it is not there.
  func names(in directory: String) throws(Failure) -> [String] {
    try self.directory([DirectoryHandle.name(directory)])?.names().map(DirectoryHandle.text) ?? []
  }

  private func directory(_ names: [DirectoryHandle.Name]) throws(Failure) -> DirectoryHandle? {
    var directory = top
    for name in names {
      guard try directory.status(of: name)?.kind == .directory else { return nil }
      directory = try directory.openDirectory(name)
    }
    return directory
  }

  /// The relation map of a database, 0 for the shared relations, unchecked; nil if there is none.
  func relationMap(ofDatabase id: UInt32) throws(Failure) -> [UInt8]? {
    try file(RelationSegment.directory(ofDatabase: id) + "/pg_filenode.map")?
      .beginning(upTo: 1 << 10)
  }

  func hasBlocks(_ relation: ReplayPlan.Relation) throws(Failure) -> Bool? {
    guard let file = try file(relation.segment(of: 0).path) else { return nil }
    return try file.status().byteCount > 0
  }

  func readPages(
    of relation: ReplayPlan.Relation, while body: (RawSpan) throws(Failure) -> Bool
  ) throws(Failure) {
    try readPages(of: relation, replace: { _, _ throws(Failure) in }, while: body)
  }

  /// The same, of pages that are not all right in their files.
  ///
  /// - Parameter replace: changes the page of a block to the right one.
  func readPages(
    of relation: ReplayPlan.Relation,
    replace: (_ block: UInt32, _ page: inout [UInt8]) throws(Failure) -> Void,
    while body: (RawSpan) throws(Failure) -> Bool
  ) throws(Failure) {
    var page = [UInt8](repeating: 0, count: PageHeader.pageByteCount)
    var block: UInt32 = 0
    while let file = try file(relation.segment(of: block).path) {
      var offset: UInt64 = 0
      while try file.read(into: &page, at: offset) == page.count {
        try Interruption.check()
        try replace(block, &page)
        guard try body(page.bytes) else { return }
        offset += UInt64(page.count)
        block += 1
      }
      guard block.isMultiple(of: RelationSegment.blockCount), offset > 0 else { return }
    }
  }
}
