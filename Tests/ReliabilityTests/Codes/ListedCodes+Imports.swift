import Backup
import Foundation
import Operations
import PostgresFormat
import TestSupport

extension ListedCodes {
  /// What an import says of a backup.
  static let imports: [ListedCodes] = [
    .init(
      [
        ChangeCode.dataChecksumsOff, .walSegmentSize, .postgresTimeline, .pagesStamped,
        .unloggedRelationsEmptied, .replicationSlotsLost,
      ]
    ) {
      try await $0.importing { tar in
        tar["global/pg_control"] =
          SmallBackup.withControlFile {
            $0.replaceSubrange(228..<232, with: SmallBackup.bytesOf(1 << 20))
          }["global/pg_control"]
        var page = CodeScene.page
        page.replaceSubrange(0..<8, with: repeatElement(0, count: 8))
        SmallBackup.setChecksum(of: &page, block: 0)
        tar.members += [
          .init("./base/5/99998_init", contents: CodeScene.page),
          .init("./base/5/99999", contents: page),
          .init("./pg_replslot/one/state", contents: [1]),
        ]
      }
    },
    .init([WarningCode.pagesDamaged]) {
      try await $0.importing(["--page-checksums", "warn"]) {
        var page = CodeScene.page
        page[100] ^= 1
        $0.members.append(.init("./base/5/99999", contents: page))
      }
    },
    .init(LeftOutReason.allCases) {
      try await $0.importing { tar in
        for name in [
          "pg_wal/000000010000000000000001", "pg_hba.conf", "postmaster.opts",
          "base/pgsql_tmp/pgsql_tmp123.0", "base/5/t3_16384", "autoprewarm.blocks",
          "pg_replslot/one/state", "pg_logical/snapshots/0-1A2B.snap", "pg_notify/0000",
          "pg_commit_ts/0000", "pg_stat/global.stat", "pg_stat/pg_stat_statements.stat",
          "backup_label.old", "notes", ".DS_Store",
        ] where !tar.members.contains(where: { $0.name == "./" + name }) {
          tar.members.append(.init("./" + name, contents: [1]))
        }
        let statistics = [UInt8](repeating: 0, count: 17 << 20)
        tar.members.append(.init("./pg_stat/pgstat.stat", contents: statistics))
        var manifest = TestManifest(tar)
        manifest.walRanges = [(2, "0/2000028", "0/215AD68")]
        tar.members.append(
          .init("./backup_manifest", contents: (try? manifest.encoded()) ?? []))
      }
    },
    .init(ManifestDifference.Code.allCases) {
      try await $0.importing { tar in
        let manifest = try? TestManifest(tar).encoded()
        tar["PG_VERSION"].contents = Array("15".utf8)
        tar["postgresql.conf"].contents[0] ^= 1
        tar.members.append(.init("./base/5/99999", contents: CodeScene.page))
        tar.members.append(tar["pg_hba.conf"])
        tar.remove("pg_ident.conf")
        tar.members.append(.init("./backup_manifest", contents: manifest ?? []))
      }
    },
    .init(DamagedPage.Code.allCases) {
      try await $0.importing {
        var wrong = CodeScene.page
        wrong[100] ^= 1
        let missing = [UInt8](repeating: 0, count: 8191) + [1]
        var unused = missing
        unused[8] = 1
        $0.members.append(.init("./base/5/99999", contents: wrong + missing + unused))
      }
    },
  ]

  /// What `list` says of directories.
  static let lists: [ListedCodes] = [
    .init(ListedTimeline.Leftover.Code.allCases) { scene in
      try await scene.imported()
      _ = try Shell.output(
        "sh", "-euc",
        """
        touch layer-1.import-temp index_part.json-00000000 notes
        for layer in *__*; do touch "${layer%?}0"; done
        """, directory: scene.timeline)
      return try await scene.run(["list", scene.output])
    },
    .init(TimelineList.Skipped.Code.allCases) { scene in
      try await scene.imported()
      let tenants = scene.output + "/tenants"
      let unreadable = tenants + "/" + String(repeating: "f", count: 32)
      _ = try Shell.output(
        "sh", "-euc", "touch file; ln -s file link; mkdir other '\(unreadable)'", directory: tenants
      )
      return try await scene.run(
        ["list", scene.output],
        faults: [Fault(kind: "open", call: .number(1), action: .error(EACCES))], under: unreadable)
    },
  ]
}

extension CodeScene {
  /// The first page of a relation.
  static let page = Array(
    (SmallBackup.tiny.members.first { $0.name.hasPrefix("./base/5/") && $0.contents.count >= 8192 }?
      .contents ?? []).prefix(8192))
}
