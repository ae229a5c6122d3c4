import Foundation
import LayerFormat
import PostgresFormat
import TestSupport
import Testing

extension Provocation {
  /// What the machine, a server or a pageserver has done, and cannot be asked for.
  static let machine: [Provocation] = [
    .init(.resourceLimit) {
      try await $0.importing(
        faults: [Fault(kind: "thread", call: .number(1), action: .error(EAGAIN))], under: "")
    },
    .init(.outOfMemory) {
      try await $0.importing(
        faults: [Fault(kind: "memory", call: .number(1), action: .error(ENOMEM))], under: "")
    },
    .init(.decompressionMemory) { scene in
      try await scene.importing(
        try await scene.compressed("zstd -c"),
        faults: [Fault(kind: "window", call: .number(1), action: .error(ENOMEM))], under: "")
    },
    .init(.writtenDataChanged) {
      try await $0.importing(faults: [Fault(kind: "pread", call: .from(1), action: .flip)])
    },
    .init(.needsWALReplay) { scene in
      var timeline = try await HostileTimeline(Scene.uncompressed)
      let name = try #require(timeline.layers(areImages: false).last)
      try timeline.change(name) {
        try $0.changeValues { $0[.relationMap(databaseID: 5)].isRecord = true }
      }
      return try await scene.run(["export", timeline.path, "--output", scene.output])
    },
    .init(.restoreCommandFailed) {
      try await $0.recovering(
        ["--restore-command", "kill $$", "--assume-snapshot"],
        program: CodeScene.asksForWAL)
    },
  ]
}

extension CodeScene {
  /// A server that asks for a file of the archive, and then gives up.
  static let asksForWAL = """
    echo 00000002.history 000000010000000000000001 > "${3%/*}/channel/requests"
    read -r answer < "${3%/*}/channel/answers"; exit 1
    """
}
