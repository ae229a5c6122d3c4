import Backup
import LayerFormat
import PostgresFormat

/// A file of pages of an exported backup.
struct ExportFile: Sendable {
  /// What the pages are, and the number of the first.
  var pages: PageFile
  var firstBlock: UInt32
  var blockCount: UInt32
  /// The path of the file in the data directory.
  var path: String
  /// Where the same contents lie a second time: an init fork is its relation's main fork too.
  var copyPath: String?

  var byteCount: UInt64 { UInt64(blockCount) * UInt64(PageHeader.pageByteCount) }

  /// The key of a page, counted from the file's first.
  func key(of page: UInt32) -> Key { pages.key(block: firstBlock + page) }
}

extension Cluster {
  /// The files of a fork, in the order of the keys of their pages.
  ///
  /// None for the main fork of an unlogged relation: its init fork takes its place, as after a
  /// crash. For a server to start from, none for its free space map and visibility map either,
  /// which describe pages that no longer exist; a pageserver gives them out.
  func files(ofRelationAt index: Int, forPageserver: Bool) -> [ExportFile] {
    let relation = relations[index]
    if relation.id.fork != .initialisation, relation.id.fork == .main || !forPageserver,
      isUnlogged(at: index)
    {
      return []
    }
    // An empty fork has its first segment, and no other has an empty one.
    let lastBlock = max(relation.blockCount, 1) - 1
    return (0...lastBlock / RelationSegment.blockCount).map { Self.file(relation, segment: $0) }
  }

  /// The file of an SLRU's segment.
  static func file(of segment: SLRUSegment) -> ExportFile {
    ExportFile(
      pages: .slru(segment.kind, segment: segment.number), firstBlock: 0,
      blockCount: segment.blockCount, path: segment.kind.path(ofSegment: segment.number))
  }

  /// Checks that no init fork is too long to be kept in memory until its copy is written; real ones
  /// have a handful of blocks.
  func requireShortInitForks() throws(FormatError) {
    for relation in relations
    where relation.id.fork == .initialisation && relation.blockCount > Self.initForkLimit {
      throw .damaged(
        "'\(relation.id)' has \(relation.blockCount) blocks, too many for an init fork")
    }
  }

  private static let initForkLimit: UInt32 = 2048

  /// Whether the relation of a fork has an init fork, which follows all its others.
  private func isUnlogged(at index: Int) -> Bool {
    let id = relations[index].id
    let forks = relations[index...].lazy.map(\.id).prefix {
      $0.databaseID == id.databaseID && $0.relationNumber == id.relationNumber
    }
    return forks.contains { $0.fork == .initialisation }
  }

  private static func file(_ relation: Relation, segment: UInt32) -> ExportFile {
    var name = RelationSegment(
      databaseID: relation.id.databaseID, relationNumber: relation.id.relationNumber,
      fork: relation.id.fork, segmentNumber: segment)
    let pages = PageFile.relation(name, isInImageLayer: false)
    let firstBlock = segment * RelationSegment.blockCount
    let path = name.path
    name.fork = .main
    return ExportFile(
      pages: pages, firstBlock: firstBlock,
      blockCount: min(relation.blockCount - firstBlock, RelationSegment.blockCount), path: path,
      copyPath: relation.id.fork == .initialisation ? name.path : nil)
  }
}
