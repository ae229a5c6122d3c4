import TestSupport
import Testing

@testable import PostgresFormat

struct MemberDecisionTests {
  private func decide(_ name: String, _ kind: MemberKind = .file) throws -> MemberDecision {
    MemberDecision(try path(name), kind: kind)
  }

  /// Goal: everything that a timeline stores is recognised by its name. Method: one name of each
  /// kind.
  @Test(
    arguments: [
      (
        "base/5/16384_fsm.1",
        .relationSegment(
          RelationSegment(
            databaseID: 5, relationNumber: 16384, fork: .freeSpaceMap, segmentNumber: 1))
      ),
      (
        "global/1262",
        .relationSegment(
          RelationSegment(databaseID: 0, relationNumber: 1262, fork: .main, segmentNumber: 0))
      ),
      ("base/16385/pg_filenode.map", .relationMap(databaseID: 16385)),
      ("global/pg_filenode.map", .relationMap(databaseID: 0)),
      ("PG_VERSION", .versionFile(databaseID: nil)),
      ("base/1/PG_VERSION", .versionFile(databaseID: 1)),
      ("pg_xact/0001", .slruSegment(.transactions, segmentNumber: 1)),
      ("pg_multixact/members/14078", .slruSegment(.multixactMembers, segmentNumber: 0x1_4078)),
      ("pg_multixact/offsets/00AB", .slruSegment(.multixactOffsets, segmentNumber: 0xAB)),
      ("pg_twophase/0000032E", .twoPhase(xid: 0x32E, digitCount: 8)),
      ("pg_twophase/000000010000032E", .twoPhase(xid: 0x1_0000_032E, digitCount: 16)),
      ("pg_stat/pgstat.stat", .statistics),
      ("pg_logical/replorigin_checkpoint", .replicationOrigins),
      ("global/pg_control", .controlFile),
      ("neon.signal", .neonSignal),
      ("zenith.signal", .neonSignal),
      ("backup_label", .backupLabel),
      ("tablespace_map", .tablespaceMap),
    ] as [(String, MemberDecision)])
  func stored(name: String, expected: MemberDecision) throws {
    #expect(try decide(name) == expected)
    for kind in [MemberKind.directory, .symbolicLink, .hardLink, .other] {
      guard case .refused(let error) = try decide(name, kind) else {
        Issue.record("'\(name)' as \(kind) is not refused")
        continue
      }
      #expect(error.code == nil)
      #expect(error.message.hasSuffix(", not a file"))
    }
  }

  /// Goal: the fast path for files of relations decides as the slow one. Method: names of every
  /// form below `base`, and the decision of the code that splits them.
  @Test(arguments: ["5", "16385", "0", "05", "4294967296", "x", ""])
  func relations(database: String) throws {
    let names = [
      "1", "16384", "16384_fsm", "16384_vm.1", "16384_init", "16384.32767", "16384.32768", "016384",
      "16384.0", "16384_foo", "16384_", "t3_16384", "PG_VERSION", "pg_filenode.map", "16384/1", "x",
    ]
    for name in names {
      let whole = try path("base/\(database)/\(name)")
      let below = whole.components[...].dropFirst()
      #expect(
        MemberDecision(whole, kind: .file) == MemberDecision.base(below, .file),
        "\(whole)")
    }
  }

  /// Goal: members that cannot be imported are recognised. Method: tablespaces in every form,
  /// incremental files.
  @Test func tablespacesAndIncrementalBackups() throws {
    for kind in [MemberKind.file, .directory, .symbolicLink] {
      #expect(try decide("pg_tblspc/16400", kind) == .tablespace(name: "16400"))
    }
    #expect(
      try decide("pg_tblspc/16400/PG_15_202209061/5/16401") == .tablespace(name: "16400"))
    #expect(try decide("base/5/INCREMENTAL.16384") == .incremental)
    #expect(try decide("global/INCREMENTAL.1262_vm") == .incremental)
  }

  /// Goal: files are left out for the right reason. Method: names of real data directories.
  @Test(
    arguments: [
      ("pg_wal/000000010000000000000001", .writeAheadLog),
      ("pg_wal/archive_status/000000010000000000000001.done", .writeAheadLog),
      ("pg_wal/summaries/0000000100000000010000280000000001000100.summary", .writeAheadLog),
      ("postgresql.conf", .configuration), ("pg_hba.conf", .configuration),
      ("postgresql.auto.conf.tmp", .configuration), ("standby.signal", .configuration),
      ("recovery.signal", .configuration), ("global/config_exec_params", .configuration),
      ("postmaster.pid", .serverProcess), ("postmaster.opts", .serverProcess),
      ("current_logfiles", .serverProcess),
      ("base/pgsql_tmp/pgsql_tmp123.0", .temporaryFiles),
      ("base/pgsql_tmp/pgsql_tmp123.0.fileset/0.0", .temporaryFiles),
      ("base/5/pgsql_tmp77", .temporaryFiles), ("base/5/pg_filenode.map.tmp", .temporaryFiles),
      ("pg_logical/replorigin_checkpoint.tmp", .temporaryFiles),
      ("pg_stat/pgstat.tmp", .temporaryFiles),
      ("pg_stat_tmp/pgss_query_texts.stat", .temporaryFiles),
      ("pg_dynshmem/mmap.1", .temporaryFiles), ("base/5/t3_16384", .temporaryRelations),
      ("base/5/t12_16384_fsm.1", .temporaryRelations), ("base/5/pg_internal.init", .caches),
      ("base/5/pg_internal.init.123", .caches), ("global/pg_internal.init", .caches),
      ("autoprewarm.blocks", .caches), ("pg_logical/snapshots/0-1A2B.snap", .logicalDecoding),
      ("pg_logical/mappings/map-1-2-3", .logicalDecoding), ("pg_subtrans/0000", .transientState),
      ("pg_notify/0000", .transientState), ("pg_notify/000000000000001", .transientState),
      ("pg_serial/0000", .transientState), ("pg_snapshots/00000003-1", .transientState),
      ("pg_commit_ts/0000", .commitTimestamps), ("pg_stat/global.stat", .version14Statistics),
      ("pg_stat/db_16384.stat", .version14Statistics),
      ("pg_stat/pg_stat_statements.stat", .extensionStatistics),
      ("global/pg_store_plans.stat", .extensionStatistics), ("backup_manifest", .backupManifest),
      ("backup_label.old", .setAside), ("tablespace_map.old", .setAside),
      ("global/pg_control.old", .setAside), ("server.key", .userFiles),
      ("log/postgresql-2026-01-01.log", .userFiles), ("notes", .userFiles), (".bashrc", .userFiles),
      ("core.1234", .userFiles), ("lost+found/#123", .userFiles), ("base/lost+found/x", .userFiles),
      ("pg_log/x/y/z", .userFiles), ("pg_upgrade_output.d/x.log", .userFiles),
      ("Ünïcode", .userFiles),
      ("data/base/5/16384", .userFiles),
    ] as [(String, LeftOutReason)])
  func leftOut(name: String, reason: LeftOutReason) throws {
    #expect(try decide(name) == .leftOut(reason, slot: nil))
  }

  /// Goal: what file systems and desktops leave is left out wherever it is, and is taken for nothing
  /// that Postgres has there. Method: each name in directories of every kind; names that are near.
  @Test(arguments: [
    "._PG_VERSION", "base/._5", "base/5/._16384", "global/._pg_control", "pg_xact/._0000",
    "pg_tblspc/.DS_Store", "pg_twophase/.DS_Store", ".DS_Store", "pg_replslot/.DS_Store",
    "base/.nfs0000000000000001", "pg_wal/.nfs01", "base/1/.fuse_hidden0000000100000001",
    "base/1/@eaDir/112@SynoEAStream", "base/.snapshot/hourly.0/1/112", ".snapshot/base/1/112",
    "log/._today",
  ])
  func litter(name: String) throws {
    #expect(try decide(name) == .leftOut(.litter, slot: nil))
    #expect(try decide(name, .directory) == .leftOut(.litter, slot: nil))
    #expect(MemberDecision.isNotPostgres(path: Array(name.utf8)[...]))
  }

  @Test(arguments: [
    "base/5/.16384", "base/nfs1", "base/5/.hidden", "base/@eaDirs", "base/5/16384._",
    "pg_xact/.snapshots",
  ])
  func notLitter(name: String) throws {
    #expect(try decide(name) == .unexpected)
    #expect(!MemberDecision.isNotPostgres(path: Array(name.utf8)[...]))
  }

  /// Goal: only names that Postgres gives to nothing are taken for files of users.
  @Test func notPostgres() {
    for (name, isUsers) in [
      ("barman_wal/000000010000000000000003", true), ("log/today", true), ("notes.txt", true),
      ("base/lost+found/x", true), ("postgresql.conf", false), ("postmaster.pid", false),
      ("base/5/16384", false), ("base/5/x", false), ("pg_wal/x", false), ("pg_tblspc/1/x", false),
    ] {
      #expect(
        MemberDecision.isNotPostgres(path: Array(name.utf8)[...]) == isUsers, "\(name)")
    }
  }

  /// Goal: every member of a slot's directory has the name of the slot. Method: the directory and
  /// files of a slot, and of one that was being dropped.
  @Test func replicationSlots() throws {
    let slot = MemberDecision.leftOut(.replicationSlots, slot: "downstream")
    #expect(try decide("pg_replslot/downstream", .directory) == slot)
    #expect(try decide("pg_replslot/downstream/state") == slot)
    #expect(try decide("pg_replslot/downstream/xid-800-lsn-0-2000000.spill") == slot)
    #expect(
      try decide("pg_replslot/downstream.tmp/state") == .leftOut(.temporaryFiles, slot: nil))
    #expect(try decide("pg_replslot", .directory) == .directory)
  }

  /// Goal: directories need no value, but those of the user at the top are listed. Method: each.
  @Test func directories() throws {
    for name in [
      "base", "global", "pg_xact", "pg_multixact", "pg_multixact/members", "pg_multixact/offsets",
      "pg_twophase", "pg_logical", "pg_logical/snapshots", "pg_logical/mappings", "pg_stat",
      "pg_tblspc", "pg_wal", "pg_wal/archive_status", "pg_wal/summaries", "pg_commit_ts",
      "pg_stat_tmp", "pg_dynshmem", "pg_subtrans", "pg_notify", "pg_serial", "pg_snapshots",
      "base/5", "base/pgsql_tmp", "base/lost+found", "log/old",
    ] {
      #expect(try decide(name, .directory) == .directory, "\(name)")
    }
    #expect(try decide("log", .directory) == .leftOut(.userFiles, slot: nil))
  }

  /// Goal: links are left out only if their targets would be. Method: directories of both kinds.
  @Test func links() throws {
    for (name, reason): (String, LeftOutReason) in [
      ("pg_wal", .writeAheadLog), ("pg_stat_tmp", .temporaryFiles), ("log", .userFiles),
      ("pg_subtrans", .transientState), ("postgresql.conf", .configuration),
      ("pg_replslot", .replicationSlots), ("log/today", .userFiles),
    ] {
      #expect(try decide(name, .symbolicLink) == .leftOut(reason, slot: nil), "\(name)")
    }
    for name in ["base", "global", "pg_xact", "base/5", "pg_multixact/members", "pg_twophase"] {
      guard case .refused(let error) = try decide(name, .symbolicLink) else {
        Issue.record("a link '\(name)' is not refused")
        continue
      }
      #expect(error.hint?.contains("--dereference") == true)
    }
    for name in ["base", "pg_wal", "base/5", "pg_multixact/offsets"] {
      guard case .refused = try decide(name, .file) else {
        Issue.record("a file '\(name)' is not refused")
        continue
      }
    }
  }

  /// Goal: nothing unknown passes in the directories of Postgres. Method: near misses of stored
  /// names.
  @Test(arguments: [
    "base/5/016384", "base/5/16384.0", "base/5/16384_foo", "base/5/4294967296", "base/05/16384",
    "base/0/16384", "base/4294967296/1", "base/x", "base/5/x/y", "base/5/16384/x",
    "base/PG_VERSION",
    "global/PG_VERSION", "global/x", "global/t3_16384", "global/sub/x", "pg_xact/0000.bak",
    "pg_xact/00000", "pg_xact/a/b", "pg_multixact/0000", "pg_multixact/other/0000",
    "pg_multixact/members/x", "pg_twophase/0000032e", "pg_twophase/32E", "pg_twophase/000000326/x",
    "pg_logical/other", "pg_logical/other/x", "base/5/pg_control", "base/5/PG_VERSION.old",
    "base/5/\u{FF11}",
  ])
  func unexpected(name: String) throws {
    #expect(try decide(name) == .unexpected)
  }

  /// Goal: no name traps, and only the canonical one is stored. Method: names combined at random
  /// from parts of real ones; any that is read as a relation must have the path of the relation.
  @Test func randomNames() throws {
    var generator = SeededGenerator(state: 3)
    let parts = [
      "base", "global", "/", "/", "5", "16384", "_fsm", "_vm", ".", ".1", "0", "pg_xact", "0000",
      "pg_multixact", "members", "pg_twophase", "pg_tblspc", "pg_replslot", ".tmp", "t3_", "x",
      "pg_stat", "pg_logical", "\u{80}", "pgsql_tmp", "pg_wal",
    ]
    for _ in 0..<20_000 {
      let count = Int.random(in: 1...7, using: &generator)
      let name = (0..<count).map { _ in parts.randomElement(using: &generator) ?? "" }.joined()
      guard
        let path = try? [UInt8](name.utf8).withBytes({ bytes throws(FormatError) in
          try MemberPath(bytes)
        })
      else { continue }
      if case .relationSegment(let segment) = MemberDecision(path, kind: .file) {
        #expect(segment.path == path.description)
      }
    }
  }
}
