import Foundation
import Operations
import Pipeline
import TestSupport
import Testing

/// Malicious indexes, and other things than files instead of the files of a timeline.
@Suite(.serialized) struct HostileIndexTests {
  /// Goal: every malformed index is an error with a clear message: not JSON, wrong fields, numbers
  /// out of range, endless nesting, names that lead elsewhere, control characters. Method: replace
  /// one thing in the index of a valid timeline.
  @Test(arguments: changes.map(Change.init)) func text(change: Change) async throws {
    let timeline = try await HostileTimeline()
    let text = String(decoding: timeline.index.encoded(), as: UTF8.self)
    let changed = text.replacing(change.old, with: change.new, maxReplacements: 1)
    #expect(changed != text)
    try timeline.writeIndex(Array(changed.utf8))
    try await timeline.expect(.all(change.code), change.testDescription)
  }

  /// The text to replace, its replacement, and the exit code; some have 2 MiB.
  struct Change: Sendable, CustomTestStringConvertible {
    var old: String
    var new: String
    var code: Int32

    var testDescription: String { "\(old) → \(abbreviated(new))" }
  }

  static let layer =
    #""000000000000000000000000000000000000-FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF__0000000000000010"#

  static let changes: [(String, String, Int32)] = [
    // Other fields or types.
    ("{", "", 65), ("{", "[", 65), (#","lineage":{}"#, "", 65), (#","version":15"#, "", 65),
    (#""version":15"#, #""version":16"#, 69), (#""version":15"#, #""version":"15""#, 65),
    (#""layer_metadata":{"#, #""layer_metadata":[{"#, 65),
    (#""metadata_bytes":"#, #""metadata":"#, 65), (#""file_size":"#, #""size":"#, 65),
    (#""pg_version":15"#, #""pg_version":null"#, 65), (#""disk_consistent_lsn":""#, #""x":""#, 65),
    // Numbers.
    (#""version":15"#, #""version":-15"#, 69), (#""version":15"#, #""version":1e999"#, 65),
    (#""version":15"#, #""version":15"# + String(repeating: "0", count: 1000), 65),
    (#""generation":1"#, #""generation":4294967296"#, 65),
    (#""generation":1"#, #""generation":-1"#, 65), (#""generation":1"#, #""generation":1.5"#, 65),
    (#""file_size":"#, #""file_size":18446744073709551616"#, 65),
    (#""file_size":"#, #""file_size":-"#, 65), (#""file_size":"#, #""file_size":1."#, 65),
    (#""0/215AD68""#, #""123456789/0""#, 65), (#""0/215AD68""#, #""-0/215AD68""#, 65),
    (#""0/215AD68""#, #""0/215AD68\u0000""#, 65), (#""0/215AD68""#, #""""#, 65),
    // Nesting, and unknown fields.
    ("{", String(repeating: "[", count: 100_000), 65),
    ("{", #"{"x":"# + String(repeating: "[", count: 100_000), 65),
    ("{", #"{"x":"# + String(repeating: #"{"a":"#, count: 100_000), 65),
    ("{", #"{"x":"# + nested(129) + ",", 65), ("{", #"{"x":"# + nested(100) + ",", 0),
    ("{", #"{"x":["# + String(repeating: "1,", count: 1 << 20) + "1],", 65),
    // The same thing twice.
    (#""version":15"#, #""version":15,"version":15"#, 65),
    (#""file_size":"#, #""file_size":8192,"file_size":"#, 65),
    (#""file_size":"#, #""file_siz\u0065":8192,"file_size":"#, 65),
    (
      #""layer_metadata":{"#,
      #""layer_metadata":{\#(layer)-0000000000000018":{"file_size":1,"generation":1},"#, 65
    ),
    // Names.
    (layer, #""../../../../../../../../etc/passwd"#, 65), (layer, #""/etc/passwd"#, 65),
    (layer, #""..\/..\/etc\/passwd"#, 65), (layer, #""\u001b[2J\u202e"#, 65),
    (layer, "\"\u{9B}31m\u{202E}", 65), (layer, layer.lowercased(), 65), (layer, #"""#, 65),
    (layer, layer.replacing("__", with: "_"), 65), (layer, #""\ud800"#, 65),
    (layer, layer + "0", 65), (layer, layer + #"-0000000000000010"#, 65),
    // Text that appears in messages.
    (#""ancestor_timeline":null"#, #""ancestor_timeline":"\u001b[2J\u202e\u009b""#, 65),
    (#""generation":1"#, #""generation":1,"shard":"\u001b[2J""#, 65),
    (#""generation":1"#, #""generation":1,"shard":"00\u202e""#, 65),
    ("{", #"{"\u001b[2J":1,"#, 65), ("{", "{\"\u{9B}\":1,\"\u{9B}\":2,", 65),
  ]

  private static func nested(_ depth: Int) -> String {
    String(repeating: "[", count: depth - 1) + String(repeating: "]", count: depth - 1)
  }

  /// Goal: a deleted timeline is refused, as a pageserver that finds it continues the deletion; it
  /// can still be inspected.
  @Test func deleted() async throws {
    let timeline = try await HostileTimeline()
    for time in ["2026-11-23T10:00:00.123456", #"\u001b[2J"#] {
      let text = String(decoding: timeline.index.encoded(), as: UTF8.self)
      try timeline.writeIndex(
        Array(text.replacing(#"{"disk"#, with: #"{"deleted_at":"\#(time)","disk"#).utf8))
      let outcomes = try await timeline.expect(
        [
          .verify: [69], .export: [69], .exportForPageserver: [69],
          .inspectWhole: [0], .inspectAsJSON: [0],
        ], message: "was deleted at '")
      for outcome in outcomes where outcome.run.exitCode == 0 {
        #expect(outcome.run.outputText.contains(time.hasPrefix("2026") ? time : #"\u{1B}[2J"#))
      }
    }
    let text = String(decoding: timeline.index.encoded(), as: UTF8.self)
    try timeline.writeIndex(
      Array(text.replacing(#"{"disk"#, with: #"{"deleted_at":null,"disk"#).utf8))
    try await timeline.expect(.all(0))
  }

  /// Goal: an index that is not UTF-8 is refused, as by a pageserver. Method: invalid bytes, a byte
  /// order mark, UTF-16 and UTF-32.
  @Test func encodings() async throws {
    let timeline = try await HostileTimeline()
    let bytes = timeline.index.encoded()
    let text = String(decoding: bytes, as: UTF8.self)
    let units = text.utf16.map { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
    var wrong = [units, units.map { $0.reversed() }, units.map { $0 + [0, 0] }].map {
      $0.flatMap { $0 }
    }
    wrong += [[0xFF, 0xFE] + wrong[0], [0xFE, 0xFF] + wrong[1]]
    wrong += [[0xEF, 0xBB, 0xBF] + bytes, bytes + [0xFF], bytes + [0], [], [0]]
    wrong += [
      Array(text.replacing("lineage", with: "line\u{FF}").utf8).map { $0 == 0xC3 ? 0xFF : $0 }
    ]
    for bytes in wrong {
      try timeline.writeIndex(bytes)
      try await timeline.expect(.all(65), "\(bytes.prefix(8))")
    }
  }

  /// Goal: an index of any size is read in bounded memory. Method: a hole of 1 GiB; 2 MiB
  /// (`IMPORT_BACKUP_SOAK`: 32, the limit) of unknown values, of brackets, of one name.
  @Test func size() async throws {
    let timeline = try await HostileTimeline()
    let sparse = try FileHandle(forWritingTo: URL(filePath: timeline.indexPath))
    try sparse.truncate(atOffset: 1 << 30)
    try sparse.close()
    try await timeline.expect(.all(65), message: "bytes, more than")
    let bytes = Array(timeline.index.encoded().dropLast())
    let room = (Soak.isOn ? 32 << 20 : 2 << 20) - bytes.count - 20
    for (start, filling, end) in [
      (",\"x\":[", "1,", "1]}"), (",\"x\":[", "{},", "{}]}"), (",\"x\":", "[", ""),
      (",\"x\":\"", "y", "\"}"), (",\"", "y", "\":1}"), (",\"", "\\\\", "\":1}"),
    ] {
      let count = room / filling.utf8.count
      let text = start + String(repeating: filling, count: count) + end
      try timeline.writeIndex(bytes + Array(text.utf8))
      try await timeline.expect(
        [.verify: [0, 65]], memoryLimit: Soak.isOn ? 192 : 96, start + filling)
    }
  }

  /// Goal: anything but a regular file is an error at once: the program does not wait, and reads no
  /// device. Method: replace a layer, and the index, by each kind.
  @Test(arguments: [
    "mkdir file", "mkfifo file", "ln -s /dev/zero file", "ln -s file file", "ln -s nothing file",
    "ln -s /dev/tty file", "ln -s . file", "truncate -s 0 file",
    "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"file\")'",
  ])
  func kinds(command: String) async throws {
    let timeline = try await HostileTimeline()
    let name = try #require(timeline.layers(areImages: true).first).fileName(generation: 1)
    _ = try Shell.output(
      "bash", "-ec", "cd '\(timeline.path)'; rm '\(name)'; \(command); mv -n file '\(name)'")
    try await timeline.expect(
      .damagedLayer, message: "'\(timeline.path)/\(name)", layer: name, command)

    let other = try await HostileTimeline()
    _ = try Shell.output(
      "bash", "-ec",
      "cd '\(other.path)'; rm index*; \(command); mv -n file index_part.json-00000001")
    try await other.expect(.all(65), message: "'\(other.indexPath)'", command)
  }

  /// Goal: names in a timeline directory, and its own name, do not affect a terminal.
  @Test func names() async throws {
    let timeline = try await HostileTimeline()
    for name in ["\u{1B}[2J", "a\nerror: b", "\u{202E}gpj"] {
      try Data().write(to: URL(filePath: timeline.path).appending(path: name))
    }
    try await timeline.expect([.verify: [1], .inspect: [0], .inspectAsJSON: [0]])
    let odd = timeline.scene.directory.path + "/\u{1B}[2J\u{202E}"
    try FileManager.default.moveItem(atPath: timeline.path, toPath: odd)
    for arguments in [["verify", odd], ["inspect", odd], ["export", odd]] {
      for index in ["{}", #"{"deleted_at":"","version":15}"#] {
        try index.write(
          toFile: odd + "/index_part.json-00000001", atomically: false, encoding: .utf8)
        let run = try await ProgramRun.run(arguments)
        #expect(run.exitCode == 65)
        TerminalTests.expectPlain(run.error)
      }
    }
  }
}
