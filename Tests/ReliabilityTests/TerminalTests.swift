import Foundation
import TestSupport
import Testing

/// Names from a backup on a terminal: they are shown, and have no effect.
@Suite struct TerminalTests {
  /// Names that clear the screen, set a title, end a line, reverse the text, or are not text.
  private static let names: [[UInt8]] = [
    Array("log/\u{1B}[2J\u{1B}]0;owned\u{7}".utf8), Array("log/a\nerror: b\r".utf8),
    Array("log/\u{202E}gpj.exe".utf8), Array("log/\u{9B}31m".utf8),
    Array("log/".utf8) + [0xFF, 0x9B],
    Array("log/\u{2028}x\u{200B}y".utf8),
  ]

  /// Goal: only printable bytes of a name reach the terminal; invalid text is shown as U+FFFD.
  /// Method: each name, and all of them, in a member that is left out and in one that is refused,
  /// with messages, notes and JSON.
  @Test(arguments: [[], ["--json"]]) func names(more: [String]) async throws {
    for name in Self.names {
      for prefix in ["./", "./base/5/", "/"] {
        let member = HostileTar.member("x") { header in
          let bytes = Array(prefix.utf8) + name
          header.replaceSubrange(0..<bytes.count, with: bytes)
        }
        let scene = try Scene(HostileTar.backup(after: member))
        let run = try await ProgramRun.run(scene.arguments(more).filter { $0 != "--quiet" })
        #expect(run.exitCode == (prefix == "./" ? 0 : 65), "\(run.error)")
        Self.expectPlain(run.error)
        Self.expectPlain(run.outputText)
      }
    }
  }

  /// Goal: the same for names in the progress line. Method: a terminal from `script`, and a backup
  /// that comes slowly enough for the line to show every name.
  @Test func progress() async throws {
    for name in Self.names {
      let member = HostileTar.member("x") { header in
        let bytes = Array("./".utf8) + name
        header.replaceSubrange(0..<bytes.count, with: bytes)
      }
      let scene = try Scene(HostileTar.backup(after: member))
      let run = try await ProgramRun.run(
        scene.arguments().filter { $0 != "--quiet" },
        script: #"TERM=xterm script --quiet --return --command "$*" /dev/null < /dev/null"#,
        environment: try FaultLibrary.environment(
          [Fault(kind: "read", call: .number(1), action: .delay(milliseconds: 150))],
          under: scene.backup))
      #expect(run.exitCode == 0, "\(run.outputText)")
      let erased = run.outputText.replacing("\r\u{1B}[K", with: "").replacing("\r\n", with: "\n")
      Self.expectPlain(erased)
    }
  }

  /// Expects a text without effect on a terminal.
  static func expectPlain(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let isPlain = text.unicodeScalars.allSatisfy { scalar in
      scalar == "\n"
        || ![.control, .format, .lineSeparator].contains(scalar.properties.generalCategory)
    }
    #expect(isPlain, "\(text.debugDescription)", sourceLocation: sourceLocation)
    #expect(!text.contains("\nerror: b"), sourceLocation: sourceLocation)
  }
}
