import Foundation
import LayerFormat
import PostgresFormat
import TestSupport
import Testing

@testable import Operations

/// Which relations of a recovered cluster were being made, in the data directories of real clusters.
@Suite struct UnfinishedRelationsTests {
  /// A database of a cluster, whose files can be changed.
  private struct Cluster {
    let version: PostgresVersion
    let directory: TemporaryDirectory
    let databaseID: UInt32
    private let map: [UInt8]

    /// - Parameter databaseID: nil for the last one.
    init(_ version: PostgresVersion, databaseID: UInt32? = nil) throws {
      self.version = version
      directory = try TemporaryDirectory()
      try TestTar(decoding: try Fixture.bytes("clean-\(version.rawValue).tar"))
        .unpack(into: directory.path + "/data")
      let names = try FileManager.default.contentsOfDirectory(atPath: directory.path + "/data/base")
      self.databaseID = try databaseID ?? #require(names.compactMap(UInt32.init).max())
      map = try Array(
        Data(
          contentsOf: URL(
            filePath: "\(directory.path)/data/base/\(self.databaseID)/pg_filenode.map")))
    }

    func path(_ number: UInt32) -> String { "\(directory.path)/data/base/\(databaseID)/\(number)" }

    /// The main forks of the database.
    func forks() throws -> Set<RelationForkID> {
      let names = try FileManager.default.contentsOfDirectory(
        atPath: "\(directory.path)/data/base/\(databaseID)")
      return Set(names.compactMap(UInt32.init).map(fork))
    }

    func fork(_ number: UInt32) -> RelationForkID {
      RelationForkID(databaseID: databaseID, relationNumber: number, fork: .main)
    }

    /// Those of which a page may be newer than anything, or than `end`.
    func unfinished(
      _ forks: Set<RelationForkID>, newerThan end: UInt64 = 0
    ) throws -> Set<RelationForkID> {
      try UnfinishedRelations(in: ClusterFiles(directory.path + "/data"), version)
        .among(forks, newerThan: LogSequenceNumber(rawValue: end))
    }

    /// The number of a mapped catalog's file.
    func catalog(_ oid: UInt32) throws -> UInt32 {
      let number = RelationMapFile.relationNumber(of: oid, in: map.bytes)
      return try #require(number)
    }

    /// Changes every version of the rows of a catalog, given where the row and its columns begin.
    func changeRows(
      of number: UInt32, _ change: (_ file: inout [UInt8], _ row: Int, _ columns: Int) -> Void
    ) throws {
      let url = URL(filePath: path(number))
      var file = try Array(Data(contentsOf: url))
      for page in stride(from: 0, to: file.count, by: 8192) {
        let end = page + Int(file.bytes.littleEndian(at: page + 12, as: UInt16.self))
        for pointer in stride(from: page + 24, to: end, by: 4) {
          let item: UInt32 = file.bytes.littleEndian(at: pointer)
          guard item >> 15 & 3 == 1 else { continue }
          let row = page + Int(item & 0x7FFF)
          change(&file, row, row + Int(file[row + 22]))
        }
      }
      try Data(file).write(to: url)
    }
  }

  /// What a row of `pg_class` says of its maker, and `pg_xact` of that.
  struct State: CustomTestStringConvertible {
    var hints: UInt16 = 0
    var id: UInt32 = 4001
    /// Two bits; nil if there is no such file.
    var bits: UInt8?
    /// Whether the cluster has a prepared transaction, and whether its id is this one.
    var hasPrepared = false
    var isPrepared = false
    /// Whether its file is damaged, so that it may be any.
    var isDamaged = false
    var isUnfinished: Bool

    var testDescription: String {
      "\(hints) \(id) \(bits ?? 9) \(hasPrepared) \(isPrepared) \(isDamaged)"
    }
  }

  private static let versions: [PostgresVersion] = [.v14, .v15, .v16, .v17]

  /// Goal: nothing that a cluster uses was being made. Method: all relations of a database, one that no
  /// row names, and what is not looked at.
  @Test(arguments: versions) func used(version: PostgresVersion) throws {
    let cluster = try Cluster(version)
    let forks = try cluster.forks()
    #expect(forks.count > 200)
    #expect(try cluster.unfinished(forks) == [])
    let other = cluster.fork(99999)
    #expect(try cluster.unfinished(forks.union([other])) == [other])
    let shared = RelationForkID(databaseID: 0, relationNumber: 99999, fork: .main)
    let map = RelationForkID(
      databaseID: cluster.databaseID, relationNumber: 99999, fork: .visibilityMap)
    #expect(try cluster.unfinished([shared, map]) == [shared, map])
    let database = RelationForkID(
      databaseID: 0, relationNumber: 1262, fork: .main)  // pg_database, unless it was rewritten
    #expect(try cluster.unfinished([database]) == [])
    let unknown = RelationForkID(databaseID: 99999, relationNumber: 99999, fork: .main)
    #expect(try cluster.unfinished([unknown]) == [])
  }

  /// Goal: a row counts if its transaction may have committed. Method: the row of a table that every cluster
  /// has and that is not mapped, with each state.
  @Test(arguments: [
    State(hints: 0x0100, bits: 0, isUnfinished: false),
    State(hints: 0x0300, bits: 0, isUnfinished: false),
    State(hints: 0x0200, bits: 1, isUnfinished: true),
    State(bits: 0, isUnfinished: true), State(bits: 0, hasPrepared: true, isUnfinished: true),
    State(bits: 0, hasPrepared: true, isPrepared: true, isUnfinished: false),
    State(bits: 0, hasPrepared: true, isDamaged: true, isUnfinished: false),
    State(bits: 1, isUnfinished: false), State(bits: 2, isUnfinished: true),
    State(bits: 2, hasPrepared: true, isPrepared: true, isUnfinished: true),
    State(bits: 3, isUnfinished: false),
    State(bits: nil, isUnfinished: false), State(id: 2, bits: 0, isUnfinished: false),
    State(id: 1 << 22 | 77, bits: 0, isUnfinished: false),
  ]) func states(state: State) throws {
    let cluster = try Cluster(.v15)
    try cluster.changeRows(of: try cluster.catalog(RelationMapFile.classCatalog)) {
      file, row, columns in
      guard file.bytes.littleEndian(at: columns, as: UInt32.self) == 2619 else { return }
      file.replaceSubrange(row..<row + 4, with: SmallBackup.bytesOf(state.id))
      let hints = file.bytes.littleEndian(at: row + 20, as: UInt16.self) & ~0x0300 | state.hints
      (file[row + 20], file[row + 21]) = (UInt8(truncatingIfNeeded: hints), UInt8(hints >> 8))
    }
    let log = URL(filePath: cluster.directory.path + "/data/pg_xact/0000")
    if let bits = state.bits {
      var bytes = try Array(Data(contentsOf: log))
      bytes[Int(state.id) / 4 % bytes.count] = bits << 2
      try Data(bytes).write(to: log)
    } else {
      try FileManager.default.removeItem(at: log)
    }
    // The cluster has a prepared transaction.
    let directory = URL(filePath: cluster.directory.path + "/data/pg_twophase")
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.path())
    #expect(names.count == 1)
    let prepared = directory.appending(path: names[0])
    try Data().write(to: directory.appending(path: ".nfs0001"))
    if state.isPrepared || state.isDamaged {
      var file = try Array(Data(contentsOf: prepared).dropLast(4))
      file.replaceSubrange(8..<12, with: SmallBackup.bytesOf(state.id ^ (state.isDamaged ? 1 : 0)))
      file = TwoPhaseFile.encode(stored: file)
      if state.isDamaged { file[20] ^= 1 }
      try Data(file).write(to: prepared)
    } else if !state.hasPrepared {
      try FileManager.default.removeItem(at: prepared)
    }
    let table = cluster.fork(2619)  // pg_statistic
    #expect(try cluster.unfinished([table]) == (state.isUnfinished ? [table] : []))
  }

  /// Goal: if a relation has lost its file or its blocks, what has replaced it may be finished. Method: a table
  /// with pages, and an index, where others have none; then its row is of an unlogged one, or deleted.
  @Test func replaced() throws {
    let cluster = try Cluster(.v15)
    let other = cluster.fork(99999)
    func isUnfinished() throws -> Bool { try cluster.unfinished([other]) == [other] }
    for number in [2619, 2696] as [UInt32] {
      let contents = try Data(contentsOf: URL(filePath: cluster.path(number)))
      try Data().write(to: URL(filePath: cluster.path(number)))
      #expect(try !isUnfinished())
      try FileManager.default.removeItem(atPath: cluster.path(number))
      #expect(try !isUnfinished())
      try contents.write(to: URL(filePath: cluster.path(number)))
      #expect(try isUnfinished())
    }
    try FileManager.default.removeItem(atPath: cluster.path(2619))
    let catalog = try cluster.catalog(RelationMapFile.classCatalog)
    func change(_ body: (_ file: inout [UInt8], _ row: Int, _ columns: Int) -> Void) throws {
      try cluster.changeRows(of: catalog) { file, row, columns in
        guard file.bytes.littleEndian(at: columns, as: UInt32.self) == 2619 else { return }
        body(&file, row, columns)
      }
    }
    try change { file, _, columns in file[columns + 114] = UInt8(ascii: "u") }
    #expect(try isUnfinished())
    try change { file, row, columns in
      file[columns + 114] = UInt8(ascii: "p")
      file.replaceSubrange(row + 4..<row + 8, with: SmallBackup.bytesOf(UInt32(700)))
      // As far as the row says, the deleter has neither committed nor rolled back.
      file[row + 21] &= ~0x0C
    }
    let log = URL(filePath: cluster.directory.path + "/data/pg_xact/0000")
    for bits in [1, 2] as [UInt8] {
      var bytes = try Array(Data(contentsOf: log))
      bytes[700 / 4] = bits
      try Data(bytes).write(to: log)
      #expect(try isUnfinished() == (bits == 1), "\(bits)")
    }
  }

  /// Goal: a hash index that grows is told from one whose used pages are newer. Method: a real one in every
  /// version, with the page that Postgres puts to its end when it doubles its buckets, and with what is
  /// different from that.
  @Test(arguments: versions) func growingHash(version: PostgresVersion) throws {
    let cluster = try Cluster(version, databaseID: 16384)
    let (number, whole) = (UInt32(16630), 10)
    let url = URL(filePath: cluster.path(number))
    let file = try Array(Data(contentsOf: url))
    #expect(file.count == whole * 8192)
    #expect(
      HashIndex(firstPage: file.bytes.extracting(first: 8192))?.allocatedBlockCount == UInt64(whole)
    )
    let end: UInt64 = 1 << 32 | 1 << 30
    var last = [UInt8](repeating: 0, count: 8192)
    // LSN, ends of the header and of the free space, the special area, its offset and the page's version.
    last.replaceSubrange(0..<24, with: [2, 0, 0, 0] + [UInt8](repeating: 0, count: 20))
    last.replaceSubrange(12..<20, with: [24, 0, 0xF0, 0x1F, 0xF0, 0x1F, 4, 0x20])
    last.replaceSubrange(
      8176..<8192, with: [UInt8](repeating: 0xFF, count: 12) + [0, 0, 0x80, 0xFF])
    let holes = [UInt8](repeating: 0, count: 7 * 8192)
    func isUnfinished(_ contents: [UInt8]) throws -> Bool {
      try Data(contents).write(to: url)
      return try cluster.unfinished([cluster.fork(number)], newerThan: end) != []
    }
    #expect(try isUnfinished(file + holes + last))
    #expect(try isUnfinished(file + holes + last + holes + holes + last))
    var other = last
    other[8188] = 2  // a bucket's first page
    #expect(try !isUnfinished(file + holes + other))
    other = last
    other[12] = 28  // it has a row
    #expect(try !isUnfinished(file + holes + other))
    // A page behind those it has allocated is in use, so that its first page is older.
    #expect(try !isUnfinished(file + file.suffix(8192) + last))
    // Its last page is newer, be it unused, and so are its others.
    #expect(try !isUnfinished(Array(file.dropLast(8192)) + last + holes + last))
    for block in 0..<whole {
      var newer = file
      newer[block * 8192] = 2
      #expect(try !isUnfinished(newer + holes + last), "\(block)")
    }
    var noIndex = file
    noIndex[24] ^= 1
    #expect(try !isUnfinished(noIndex + holes + last))
    // Another relation has lost its pages.
    try Data().write(to: URL(filePath: cluster.path(2619)))
    #expect(try !isUnfinished(file + holes + last))
  }

  /// Goal: a catalog that does not even name the catalogs proves nothing. Method: one without rows.
  @Test func noRows() throws {
    let cluster = try Cluster(.v15)
    let table = cluster.fork(99999)
    #expect(try cluster.unfinished([table]) == [table])
    let catalog = try cluster.path(cluster.catalog(RelationMapFile.classCatalog))
    try Data().write(to: URL(filePath: catalog))
    #expect(try cluster.unfinished([table]) == [])
  }

  /// Goal: an index counts as long as no row says that it is ready. Method: every version of Postgres, as
  /// the column has another place in 14; an index that has no row.
  @Test(arguments: versions) func indexes(version: PostgresVersion) throws {
    let cluster = try Cluster(version)
    // pg_statistic_relid_att_inh_index
    let index = cluster.fork(2696)
    #expect(try cluster.unfinished([index]) == [])
    try cluster.changeRows(of: IndexRow.catalog) { file, _, columns in
      guard file.bytes.littleEndian(at: columns, as: UInt32.self) == 2696 else { return }
      let ready = columns + (version >= .v15 ? 20 : 19)
      // Valid, not checked, ready, live.
      #expect(file[ready - 2..<ready + 2].map { $0 } == [1, 0, 1, 1])
      file[ready] = 0
    }
    #expect(try cluster.unfinished([index, cluster.fork(2619)]) == [index])
    try cluster.changeRows(of: IndexRow.catalog) { file, _, columns in
      guard file.bytes.littleEndian(at: columns, as: UInt32.self) == 2696 else { return }
      file.replaceSubrange(columns..<columns + 4, with: SmallBackup.bytesOf(UInt32(99999)))
    }
    #expect(try cluster.unfinished([index]) == [])
  }
}
