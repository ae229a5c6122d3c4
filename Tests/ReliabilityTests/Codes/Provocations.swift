import Foundation
import PostgresFormat
import TestSupport
import Testing

extension Provocation {
  static let commandLine: [Provocation] = [
    .init(.unknownCommand) { try await $0.run(["imprt"]) },
    .init(.unknownOption) { try await $0.run(["a.tar", "--ouput", "b"]) },
    .init(.badOption) { try await $0.run(["a.tar", "-o", "b", "--jobs", "0"]) },
    .init(.missingArgument) { try await $0.run([]) },
    .init(.unexpectedArgument) { try await $0.run(["verify", "a", "b"]) },
    .init(.conflictingOptions) { try await $0.run(["inspect", "a", "--svg", "-"]) },
    .init(.optionNotApplicable) {
      try await $0.importingDirectory(["--strip-components", "1"])
    },
    .init(.urlUnsupported) { try await $0.run(["s3://bucket/backup.tar", "-o", "out"]) },
    .init(.argumentNotUTF8) { try await $0.run([], script: #""$@" -o out $'a\xff.tar'"#) },
    .init(.terminalRefused) {
      try await $0.run(
        [],
        script: #"""
          script -qec "$1 - --output out --json > object 2> error" /dev/null < /dev/null > /dev/null
          code=$?; cat object; cat error >&2; exit $code
          """#)
    },
    .init(.layerNotFound) {
      try await $0.imported()
      return try await $0.run(["inspect", $0.timeline, "--layer", "9999"])
    },
    .init(.unknownUser) { try await $0.recovering(["--recover-as", "no-such-user"]) },
    .init(.recoveryAsRoot) { try await $0.recovering(["--recover-as", "root"]) },
    .init(.userOwnsServer, requiresRoot: true) {
      try SmallBackup.tiny.unpack(into: $0.path + "/data")
      return try await $0.run(
        [
          $0.path + "/data", "--output", $0.output, "--recover-with", "/bin", "--recover-as",
          "nobody",
        ],
        script: """
          cp /bin/sleep postgres; chmod 755 postgres
          setpriv --reuid=nobody --regid=nogroup --clear-groups ./postgres 60 & server=$!
          sleep 0.2; "$@"; code=$?; kill $server; exit $code
          """)
    },
    .init(.notRoot, requiresRoot: true) {
      try SmallBackup.tiny.unpack(into: $0.path + "/data")
      _ = try Shell.output("mkdir", "-m", "777", $0.path + "/scratch")
      return try await $0.run(
        [
          $0.path + "/data", "--output", $0.path + "/scratch/out", "--recover-with", "/bin",
          "--recover-as", "nobody",
        ],
        script: """
          cp -r "${1%/*}" /tmp/import-backup-not-root.$$; p=/tmp/import-backup-not-root.$$/${1##*/}
          shift; setpriv --reuid=65533 --regid=65533 --clear-groups -- "$p" "$@"
          code=$?; rm -r /tmp/import-backup-not-root.$$; exit $code
          """)
    },
    .init(.scratchNotAccessible, requiresRoot: true) {
      _ = try Shell.output("mkdir", "-m", "700", $0.path + "/private")
      return try await $0.recovering(["--scratch", $0.path + "/private"])
    },
  ]

  static let archives: [Provocation] = [
    .init(.backupEmpty) { try await $0.importing([UInt8]()) },
    .init(.backupTruncated) {
      let bytes = SmallBackup.tiny.encoded()
      return try await $0.importing(Array(bytes.prefix(bytes.count / 2)))
    },
    .init(.compressedStreamDamaged) {
      let stream = try await $0.compressed("gzip -c")
      var bytes = stream
      bytes[stream.count / 2] ^= 0x55
      bytes[stream.count - 6] ^= 0x55
      return try await $0.importing(bytes)
    },
    .init(.archiveDamaged) {
      var bytes = SmallBackup.tiny.encoded()
      for offset in 512..<1024 { bytes[offset] = 0x78 }
      return try await $0.importing(bytes)
    },
    .init(.trailingData) {
      try await $0.importing(SmallBackup.tiny.encoded() + Array("garbage".utf8))
    },
    .init(.notATar) { try await $0.importing(Array("This is no tar archive.".utf8)) },
    .init(.unsupportedCompression) { try await $0.importing(Array("BZh91AY&SY".utf8)) },
    .init(.pgDump) { try await $0.importing(Array("PGDMP\u{1}\u{E}".utf8)) },
    .init(.encryptedBackup) { try await $0.importing(Array("age-encryption.org/v1\n".utf8)) },
    .init(.foreignBackup) {
      try await $0.importing { $0.members = [.init("./archive.info", contents: [1])] }
    },
    .init(.upgradedCluster) {
      try await $0.importing {
        $0.members.removeAll { $0.name.hasSuffix("global/pg_control") }
        $0.members.append(.init("./global/pg_control.old", contents: [1]))
      }
    },
    .init(.severalClusters) {
      try await $0.importing { tar in
        tar.members = ["14", "15"].flatMap { directory in
          SmallBackup.tiny.members.map { member in
            var member = member
            member.name = "./\(directory)/" + member.name.trimmingPrefix("./")
            return member
          }
        }
      }
    },
    .init(.compressionWindow) {
      try await $0.importing(try await $0.compressed("zstd --ultra --long=31 -c"))
    },
  ]

  static let members: [Provocation] = [
    .init(.badMemberName) {
      try await $0.importing { $0.members.append(.init("./base/../../etc/passwd")) }
    },
    .init(.wrongFileType) {
      try await $0.importing {
        $0.members.append(.init("./base/5/99999", type: "2", linkTarget: "/etc/passwd"))
      }
    },
    .init(.unexpectedFile) {
      try await $0.importing { $0.members.append(.init("./base/5/unknown")) }
    },
    .init(.duplicateFile) { try await $0.importing { $0.members.append($0["PG_VERSION"]) } },
    .init(.missingFile) { try await $0.importing { $0.remove("PG_VERSION") } },
    .init(.fileTruncated) {
      try await $0.importing {
        $0.members.append(.init("./base/5/99999", contents: .init(repeating: 0, count: 8191)))
      }
    },
    .init(.fileTooLarge) {
      try await $0.importing {
        $0.members.append(.init("./base/5/99999", claimedByteCount: 1 << 30 + 8192))
      }
    },
    .init(.misplacedDataDirectory) {
      try await $0.importing { tar in
        for index in tar.members.indices {
          tar.members[index].name = "data/" + tar.members[index].name
        }
      }
    },
    .init(.missingControlFile) { try await $0.importing { $0.remove("global/pg_control") } },
    .init(.missingTablespace) { scene in
      var tar = SmallBackup.tar
      // The row of pg_global, as one that CREATE TABLESPACE makes.
      var page = tar["global/1213"].contents
      let name = Array("pg_global".utf8)
      let start = page.indices.first { page[$0...].starts(with: name) } ?? 4
      page.replaceSubrange(start - 4..<start, with: SmallBackup.bytesOf(16400))
      page.replaceSubrange(start..<start + name.count, with: Array("archive\0\0".utf8))
      SmallBackup.setChecksum(of: &page, block: 0)
      tar["global/1213"].contents = page
      return try await scene.importing(tar.encoded())
    },
    .init(.versionMismatch) {
      try await $0.importing { $0["PG_VERSION"].contents = Array("16\n".utf8) }
    },
    .init(.controlFileDamaged) {
      try await $0.importing { $0["global/pg_control"].contents[40] ^= 1 }
    },
    .init(.versionFileDamaged) {
      try await $0.importing { $0["PG_VERSION"].contents = Array("fifteen\n".utf8) }
    },
    .init(.relationMapDamaged) {
      try await $0.importing { $0["base/5/pg_filenode.map"].contents[20] ^= 1 }
    },
    .init(.twoPhaseFileDamaged) {
      try await $0.importing {
        $0.members.append(
          .init("./pg_twophase/00000300", contents: .init(repeating: 7, count: 200)))
      }
    },
    .init(.preparedTransactionMismatch) {
      try await $0.importing { tar in
        var bytes = [UInt8](repeating: 0, count: 96)
        bytes.replaceSubrange(0..<4, with: SmallBackup.bytesOf(0x57F9_4534))
        bytes.replaceSubrange(4..<8, with: SmallBackup.bytesOf(100))
        bytes.replaceSubrange(8..<12, with: SmallBackup.bytesOf(700))
        bytes += SmallBackup.bytesOf(CRC32C.checksum(of: bytes.bytes))
        tar.members.append(.init("./pg_twophase/00000300", contents: bytes))
      }
    },
    .init(.replicationOriginsDamaged) {
      try await $0.importing {
        $0["pg_logical/replorigin_checkpoint"].contents = [1, 2, 3]
      }
    },
    .init(.signalFileDamaged) {
      try await $0.importing {
        $0.members.append(.init("./neon.signal", contents: Array("nonsense".utf8)))
      }
    },
    .init(.tablespaceMapDamaged) {
      try await $0.importing {
        $0.members.append(.init("./tablespace_map", contents: Array("nonsense\n".utf8)))
      }
    },
    .init(.pageTooNew) {
      try await $0.importing {
        var page = [UInt8](repeating: 0, count: 8192)
        page.replaceSubrange(4..<8, with: SmallBackup.bytesOf(0x7FFF_AD68))
        page[15] = 0x20
        SmallBackup.setChecksum(of: &page, block: 0)
        $0.members.append(.init("./base/5/99999", contents: page))
      }
    },
    .init(.pageChecksum) {
      try await $0.importing { tar in
        let index = tar.members.firstIndex {
          $0.name.hasPrefix("./base/5/") && $0.contents.count >= 8192
        }
        if let index { tar.members[index].contents[100] ^= 1 }
      }
    },
    .init(.manifestMismatch) {
      try await $0.importing {
        let manifest = try? TestManifest($0).encoded()
        $0["PG_VERSION"].contents = Array("15".utf8)
        $0.members.append(.init("./backup_manifest", contents: manifest ?? []))
      }
    },
    .init(.manifestDamaged) {
      let manifest = try $0.file("manifest", Array("{}".utf8))
      return try await $0.importing(["--manifest", manifest])
    },
    .init(.manifestOfOtherCluster) {
      try await $0.importing {
        var manifest = TestManifest($0)
        manifest.systemIdentifier = 1
        $0.members.append(.init("./backup_manifest", contents: (try? manifest.encoded()) ?? []))
      }
    },
    .init(.manifestUnsupported) {
      let text = "{ \"PostgreSQL-Backup-Manifest-Version\": 9,\n\"Files\": [\n],\n"
      let manifest = try $0.file("manifest", try TestManifest.signed(text))
      return try await $0.importing(["--manifest", manifest])
    },
    .init(.manifestTooLate) {
      try await $0.importing { tar in
        var manifest = TestManifest(tar)
        for index in manifest.files.indices {
          manifest.files[index].algorithm = "SHA256"
          manifest.files[index].checksum = String(repeating: "00", count: 32)
        }
        tar.members.append(
          .init("./backup_manifest", contents: (try? manifest.encoded()) ?? []))
      }
    },
    .init(.smallFilesTooLarge) {
      try await $0.importing {
        $0.members.append(.init("./base/777/PG_VERSION", claimedByteCount: 1 << 30))
      }
    },
    .init(.tooManyHoles) {
      try await $0.run(
        ["backup.tar", "--output", "out"],
        script: "truncate -s 70G hole; tar -cSf backup.tar hole; \"$@\"")
    },
  ]

  static let recoveries: [Provocation] = [
    .init(.backupLabelDamaged) {
      try await $0.recovering {
        $0.members.append(.init("./backup_label", contents: Array("nonsense\n".utf8)))
      }
    },
    .init(.walDamaged) { scene in
      // The segment in which replay begins, of bytes that mean nothing.
      let contents = [UInt8](repeating: 0x5A, count: 1 << 24)
      return try await scene.recovering { tar in
        for timeline in 1...3 {
          let name = "0000000\(timeline)0000000000000002"
          tar.members.append(.init("./pg_wal/" + name, contents: contents))
        }
      }
    },
    .init(.walMissing) {
      try await $0.recovering {
        $0["pg_wal"] = .init("./pg_wal", type: "2", linkTarget: "/no/such/directory")
      }
    },
    .init(.recoveryFailed) {
      try await $0.recovering(["--restore-command", "false", "--assume-snapshot"])
    },
    .init(.recoveryTargetNotReached) {
      try await $0.recovering(
        ["--recovery-target", "immediate", "--restore-command", "false", "--assume-snapshot"],
        program: """
          echo 'FATAL:  recovery ended before configured recovery target was reached' >&2; exit 1
          """)
    },
    .init(.sandboxUnavailable) {
      _ = try await $0.recovering()  // which makes the programs
      return try await $0.run(
        ["data", "--output", "out", "--recover-with", "bin"],
        script: """
          unshare --user --map-root-user bash -c \
            'echo 0 > /proc/sys/user/max_mnt_namespaces; exec "$@"' bash "$@"
          """)
    },
    .init(.tablespaceMoveFailed) { scene in
      // A server that replays, and then cannot be asked which databases there are.
      let after = SmallBackup.withControlFile { $0[32] += 8 }["global/pg_control"].contents
      let control = try scene.file("after", after)
      _ = try Shell.output("mkdir", scene.path + "/space")
      return try await scene.recovering(
        ["--full-copy"],
        program: """
          ! cmp -s '\(control)' "$3/global/pg_control" && cp '\(control)' "$3/global/pg_control"
          """
      ) {
        $0["global/pg_control"] = SmallBackup.tiny["global/pg_control"]
        $0.members.append(
          .init("./pg_tblspc/16400", type: "2", linkTarget: scene.path + "/space"))
      }
    },
    .init(.recoveryTargetInBackup) {
      try await $0.recovering {
        let settings = "recovery_target_time = '2026-01-31 12:00:00+00'\n"
        $0.members.append(.init("./recovery.signal"))
        $0.members.append(.init("./postgresql.auto.conf", contents: Array(settings.utf8)))
      }
    },
    .init(.partsNotCopied) {
      _ = try await $0.importing(["--dry-run"])
      _ = try await $0.recovering(["--full-copy"])
      return try await $0.run([
        $0.backup, $0.backup, "--output", $0.output, "--recover-with", $0.path + "/bin",
        "--trust-backup", "--full-copy",
      ])
    },
    .init(.onlyShardsRecovered) {
      try await $0.recovering(["--shards", "2", "--only-shards", "1"])
    },
    .init(.fullCopyNeeded) { scene in
      var tar = SmallBackup.tiny
      tar.members.append(.init("./tablespace_map", contents: Array("16384 /srv/one\n".utf8)))
      let backup = try scene.file("backup.tar", tar.encoded())
      _ = try await scene.recovering()  // which makes the programs
      return try await scene.run(
        ["-", "--output", "out", "--recover-with", "bin", "--trust-backup"],
        script: "\"$@\" < <(cat '\(backup)')")
    },
    .init(.recoveryNotNeeded) {
      try await $0.recovering {
        $0.members.append(.init("./neon.signal", contents: Array("PREV LSN: none".utf8)))
      }
    },
    .init(.postgresNotFound) {
      try await $0.importingDirectory(["--recover-with", "/no/bin", "--trust-backup"])
    },
    .init(.postgresCannotRun) { try await $0.recovering(says: "not Postgres") },
    .init(.postgresVersionMismatch) {
      try await $0.recovering(says: "postgres (PostgreSQL) 17.5")
    },
  ]

  static let timelines: [Provocation] = [
    .init(.timelineDamaged) {
      try await $0.imported()
      let layer = try FileManager.default.contentsOfDirectory(atPath: $0.timeline)
        .first { $0.contains("__") }
      try FileManager.default.removeItem(atPath: $0.timeline + "/" + (layer ?? ""))
      return try await $0.run(["verify", $0.timeline])
    },
    .init(.timelineDiffers) {
      try await $0.imported()
      var tar = SmallBackup.tiny
      tar["pg_xact/0000"].contents[100] ^= 1
      let other = try $0.file("other.tar", tar.encoded())
      return try await $0.run(["verify", $0.timeline, "--against", other])
    },
    .init(.keyNotFound) {
      try await $0.imported()
      let key = String(repeating: "F", count: 36)
      return try await $0.run(["inspect", $0.timeline, "--key", key])
    },
    .init(.timelineBusy) {
      _ = try Shell.output("mkdir", "-p", $0.timeline)
      return try await $0.importing(
        script: "exec 9< '\($0.timeline)'; flock -n 9; \"$@\" 9<&9")
    },
    .init(.timelineExists) {
      try await $0.imported()
      return try await $0.importing()
    },
    .init(.indexDamaged) {
      try await $0.imported()
      try Data("{}".utf8).write(to: URL(filePath: $0.index))
      return try await $0.run(["verify", $0.timeline])
    },
    .init(.layerDamaged) {
      try await $0.imported()
      let layers = try FileManager.default.contentsOfDirectory(atPath: $0.timeline)
        .filter { $0.contains("__") }
      for layer in layers {
        let path = URL(filePath: $0.timeline + "/" + layer)
        var bytes = try Data(contentsOf: path)
        bytes[3] ^= 0xFF
        try bytes.write(to: path)
      }
      return try await $0.run(["inspect", $0.timeline])
    },
    .init(.timelineInconsistent) {
      try await $0.reading(
        ["export", $0.timeline, "--output", $0.path + "/export.tar"],
        index: #""pg_version":15"#, as: #""pg_version":16"#)
    },
    .init(.timelineDeleted) {
      try await $0.reading(
        ["verify", $0.timeline], index: #""version":15"#,
        as: #""deleted_at":"2026-01-01T00:00:00","version":15"#)
    },
    .init(.timelineShard) {
      try await $0.reading(
        ["verify", $0.timeline], index: #""generation":1"#,
        as: #""generation":1,"shard":"0104""#)
    },
    .init(.shardMissing) {
      try await $0.importedShards()
      try FileManager.default.removeItem(atPath: $0.tenant + "-0102")
      return try await $0.run(["verify", $0.tenant])
    },
    .init(.shardsDiffer) {
      try await $0.importedShards()
      try FileManager.default.removeItem(
        atPath: $0.tenant + "-0102/tenant-manifest-00000001.json")
      return try await $0.run(["verify", $0.tenant])
    },
    .init(.tenantManifestDamaged) {
      try await $0.importedShards()
      try Data("{".utf8).write(
        to: URL(filePath: $0.tenant + "-0102/tenant-manifest-00000001.json"))
      return try await $0.run(["verify", $0.tenant])
    },
    .init(.severalTimelines) {
      try await $0.imported()
      _ = try await $0.importing(["--timeline-id", String(repeating: "3", count: 32)])
      return try await $0.run(["verify", $0.tenant])
    },
    .init(.tenantLayoutDiffers) {
      try await $0.importedShards()
      return try await $0.importing(["--shards", "1"])
    },
    .init(.stripeSizeDiffers) {
      try await $0.importedShards()
      return try await $0.importing(["--shards", "2", "--stripe-size", "7"])
    },
    .init(.timelineBranch) {
      try await $0.reading(
        ["verify", $0.timeline], index: #""ancestor_timeline":null"#,
        as: #""ancestor_timeline":"00000000000000000000000000000001""#)
    },
    .init(.storageFormatUnsupported) {
      try await $0.reading(
        ["verify", $0.timeline], index: #""version":15"#, as: #""version":99"#)
    },
    .init(.notATimeline) { try await $0.run(["verify", $0.path]) },
  ]

  static let places: [Provocation] = [
    .init(.inputNotFound) { try await $0.run(["/no/backup.tar", "-o", "out"]) },
    .init(.inputPermissionDenied) {
      try await $0.importing(
        faults: [Fault(kind: "open", call: .number(1), action: .error(EACCES))],
        under: $0.backup)
    },
    .init(.cannotOpenInput) {
      try await $0.importing(
        faults: [Fault(kind: "open", call: .number(1), action: .error(EMFILE))],
        under: $0.backup)
    },
    .init(.inputOfOtherUser) {
      // Root's own backup may have links to root's files.
      try await $0.recovering(script: "[[ $(id -u) != 0 ]] || chown -hR nobody data; \"$@\"") {
        $0.members.append(.init("./pg_tblspc/16400", type: "2", linkTarget: "/usr"))
      }
    },
    .init(.notADataDirectory) { try await $0.run([$0.path, "-o", $0.output]) },
    .init(.directoryChanged) {
      try await $0.importingDirectory(
        faults: [Fault(kind: "open", call: .from(8), action: .error(ENOENT))])
    },
    .init(.readFailed) {
      try await $0.importing(
        faults: [Fault(kind: "read", call: .number(1), action: .error(EIO))], under: $0.backup)
    },
    .init(.outputExists) {
      try await $0.imported()
      let file = try $0.file("export.tar", [1])
      return try await $0.run(["export", $0.timeline, "--output", file])
    },
    .init(.outputNotFound) {
      try await $0.imported()
      return try await $0.run(["inspect", $0.timeline, "--svg", "/no/such/map.svg"])
    },
    .init(.outputOfOtherUser, requiresRoot: true) {
      _ = try Shell.output("install", "-d", "-o", "nobody", $0.output)
      return try await $0.importing()
    },
    .init(.outputPermissionDenied) {
      try await $0.importing(
        faults: [Fault(kind: "mkdir", call: .number(1), action: .error(EACCES))])
    },
    .init(.cannotCreateOutput) {
      try await $0.importing(
        faults: [Fault(kind: "mkdir", call: .number(1), action: .error(EMLINK))])
    },
    .init(.noSpace) {
      try await $0.importing(
        faults: [Fault(kind: "pwrite", call: .number(1), action: .error(ENOSPC))])
    },
    .init(.writeFailed) {
      try await $0.importing(
        faults: [Fault(kind: "pwrite", call: .number(1), action: .error(EIO))])
    },
    .init(.hungUp) {
      try await $0.importing(
        faults: [Fault(kind: "any", call: .number(2), action: .signal(SIGHUP))])
    },
    .init(.interrupted) {
      try await $0.importing(
        faults: [Fault(kind: "any", call: .number(2), action: .signal(SIGINT))])
    },
    .init(.terminated) {
      try await $0.importing(
        faults: [Fault(kind: "any", call: .number(2), action: .signal(SIGTERM))])
    },
  ]

  static let unsupported: [Provocation] = [
    .init(.runningCluster) {
      try await $0.importing {
        $0.members.append(.init("./backup_label", contents: Array("START WAL".utf8)))
      }
    },
    .init(.uncleanShutdown) { try await $0.importing(control: 16, 6) },
    .init(.standbyCluster) { try await $0.importing(control: 16, 2) },
    .init(.serverRunning) {
      try await $0.importingDirectory(
        script: """
          cd data; sleep 60 & server=$!; cd ..
          printf '%s\\n%s\\n' $server "$PWD/data" > data/postmaster.pid
          "$@"; code=$?; kill $server; exit $code
          """)
    },
    .init(.tablespacesUnsupported) {
      try await $0.importing {
        $0.members.append(.init("./tablespace_map", contents: Array("16400 /x\n".utf8)))
      }
    },
    .init(.incrementalBackup) {
      try await $0.importing {
        $0.members.append(.init("./base/5/INCREMENTAL.16384", contents: [1, 2, 3]))
      }
    },
    .init(.backupTooLarge) { try await $0.importing(["--max-size", "10K"]) },
    .init(.unsupportedVersion) { try await $0.importing(control: 8, 1800) },
    .init(.unsupportedBuild) { try await $0.importing(control: 216, 4096) },
  ]
}

extension CodeScene {
  /// The sound backup, compressed by a program that reads standard input.
  func compressed(_ program: String) async throws -> [UInt8] {
    let plain = try file("plain.tar", SmallBackup.tiny.encoded())
    return try Shell.output("sh", "-c", "\(program) < '\(plain)'")
  }
}
