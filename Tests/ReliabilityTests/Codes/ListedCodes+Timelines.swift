import Foundation
import LayerFormat
import Operations
import PostgresFormat
import TestSupport
import Testing

extension ListedCodes {
  /// What the index and the files of a timeline tell.
  static let timelines: [ListedCodes] = [
    .init([FindingCode.layerMissing, .fileUnlisted, .keyMissing]) { _ in
      try await verifying { timeline in
        let path = timeline.path(of: try #require(timeline.layers(areImages: false).last))
        try FileManager.default.moveItem(atPath: path, toPath: timeline.path + "/other")
      }
    },
    .init([FindingCode.layerDamaged, .pageMissing]) { _ in
      try await verifying { timeline in
        let name = try #require(timeline.layers(areImages: true).first)
        try timeline.change(name) { $0.patches.append((4, [0xFF])) }
      }
    },
    .init([FindingCode.layersOverlap, .keyHidden]) { _ in
      // The first image layer is also over the keys that have their values in an older L0.
      try await verifying { timeline in
        let images = timeline.layers(areImages: true)
        try timeline.rename(images[0], over: images[0].keys.lowerBound..<(.maximum))
      }
    },
    .init([FindingCode.layerGap, .valueInconsistent]) {
      try await $0.reading(
        ["verify", $0.timeline], index: #""0/215AD68""#, as: #""0/215AD70""#)
    },
    .init([FindingCode.layerAfterEnd, .layerGap, .keyMissing]) {
      try await $0.reading(
        ["verify", $0.timeline], index: #""0/215AD68""#, as: #""0/215AD60""#)
    },
    .init([FindingCode.indexInconsistent]) {
      try await $0.reading(
        ["verify", $0.timeline], index: #""ancestor_lsn":"0/0""#, as: #""ancestor_lsn":"0/8""#)
    },
  ]

  /// What is wrong with keys and values.
  static let values: [ListedCodes] = [
    value(.keyUnknown) { $0.insert(Key(4, 0, 0, 0, 0, 0), [1]) },
    value(.keyMissing) { $0.remove(at: $0.index { $0 == .checkpoint }) },
    value(.keyUnlisted) {
      let relation = RelationForkID(databaseID: 5, relationNumber: 9, fork: .main)
      $0.insert(Key(.relationSize(relation)), [0, 0, 0, 0])
    },
    value(.keyRepeated) {
      var value = $0[.checkpoint]
      value.lsn = value.lsn.map { LogSequenceNumber(rawValue: $0.rawValue - 8) }
      $0.append(value)
    },
    value(.pageMissing) { $0.aSize.bytes[0] += 1 },
    value(.sizeWrong) { $0.aSize.bytes[0] = 0 },
    value(.listRepeats) {
      let list = $0[.relationDirectory(databaseID: 5)].bytes
      $0[.relationDirectory(databaseID: 5)].bytes = list + list.suffix(5)
      $0[.relationDirectory(databaseID: 5)].bytes[7] += 1
    },
    value(.valueDamaged) { $0.aSize.bytes.removeLast() },
    value(.valueInconsistent) { $0[.relationMap(databaseID: 5)].bytes[100] ^= 1 },
    value(.valueLSN) {
      let lsn = $0[.checkpoint].lsn?.rawValue ?? 0
      $0[.checkpoint].lsn = LogSequenceNumber(rawValue: lsn - 8)
    },
    value(.walRecord) { $0[.relationMap(databaseID: 5)].isRecord = true },
  ]

  static let shards: [ListedCodes] = [
    .init([FindingCode.manifestMissing]) { scene in
      try await scene.importedShards()
      for shard in ["-0002", "-0102"] {
        try FileManager.default.removeItem(
          atPath: scene.tenant + shard + "/tenant-manifest-00000001.json")
      }
      return try await scene.run(["verify", scene.tenant])
    },
    .init([FindingCode.keyInWrongShard, .indexInconsistent, .pageMissing]) { scene in
      _ = try await scene.importing(["--shards", "2", "--stripe-size", "1"])
      let (first, second) = (scene.tenant + "-0002/timelines", scene.tenant + "-0102/timelines")
      _ = try Shell.output("sh", "-euc", "mv \(first) x; mv \(second) \(first); mv x \(second)")
      return try await scene.run(["verify", scene.tenant])
    },
    .init([FindingCode.shardsDiffer]) { scene in
      try await scene.importedShards()
      try FileManager.default.moveItem(atPath: scene.tenant + "-0002", toPath: scene.path + "/kept")
      _ = try await scene.importing(["--shards", "2", "--force"]) {
        $0["global/pg_control"] = SmallBackup.withControlFile { $0[0] ^= 1 }["global/pg_control"]
      }
      try FileManager.default.removeItem(atPath: scene.tenant + "-0002")
      try FileManager.default.moveItem(atPath: scene.path + "/kept", toPath: scene.tenant + "-0002")
      return try await scene.run(["verify", scene.tenant])
    },
  ]

  static let comparisons: [ListedCodes] = [
    .init([FindingCode.otherCluster]) {
      try await $0.comparing {
        $0["global/pg_control"] = SmallBackup.withControlFile { $0[0] ^= 1 }["global/pg_control"]
      }
    },
    .init([FindingCode.laterBackup]) { scene in
      let text = "START WAL LOCATION: 0/2200000 (file 000000010000000000000002)\n"
      _ = try await scene.recovering()  // which makes the programs
      return try await scene.comparing(
        ["--recover-with", scene.path + "/bin", "--trust-backup", "--scratch", scene.path]
      ) {
        $0.members.insert(.init("./backup_label", contents: Array(text.utf8)), at: 0)
      }
    },
    .init([FindingCode.indexDiffers, .valueDiffers]) {
      try await $0.comparing {
        // The checkpoint's position, and its redo's: a segment later. (Postgres, `pg_control.h`)
        $0["global/pg_control"] =
          SmallBackup.withControlFile { file in
            for offset in [32, 40] { file[offset + 3] += 1 }
          }["global/pg_control"]
      }
    },
    .init([FindingCode.pageDiffers]) {
      try await $0.comparing { $0["pg_xact/0000"].contents[100] ^= 1 }
    },
    .init([FindingCode.pageNotInTimeline, .valueNotInTimeline, .valueDiffers]) {
      try await $0.comparing {
        $0.members.append(.init("./base/5/99999", contents: CodeScene.page))
      }
    },
    .init([FindingCode.pageNotInBackup, .valueNotInBackup, .valueDiffers]) {
      try await $0.comparing { tar in
        let index = tar.members.firstIndex { $0.contents.starts(with: CodeScene.page) }
        if let index { tar.members.remove(at: index) }
      }
    },
  ]

  /// One finding, of a change of what the last L0 holds.
  private static func value(
    _ code: FindingCode,
    _ change: @escaping @Sendable (inout [HostileLayer.Value]) -> Void
  ) -> ListedCodes {
    .init([code]) { _ in
      try await verifying { timeline in
        let name = try #require(timeline.layers(areImages: false).last)
        try timeline.change(name) { try $0.changeValues(change) }
      }
    }
  }

  /// Verifies a timeline that was changed.
  private static func verifying(
    _ change: (inout HostileTimeline) throws -> Void
  ) async throws -> ProgramRun {
    var timeline = try await HostileTimeline(Scene.uncompressed)
    try change(&timeline)
    return try await ProgramRun.run(["verify", timeline.path, "--json"])
  }
}

extension CodeScene {
  /// Imports the sound backup, and compares the timeline with a changed one.
  fileprivate func comparing(
    _ more: [String] = [], _ change: (inout TestTar) -> Void
  ) async throws -> ProgramRun {
    try await imported()
    var tar = SmallBackup.tiny
    change(&tar)
    let other = try file("other.tar", tar.encoded())
    return try await run(["verify", timeline, "--against", other] + more)
  }
}
