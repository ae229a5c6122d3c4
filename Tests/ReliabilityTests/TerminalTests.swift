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
        #expect(run.exitCode == (prefix == "./base/5/" ? 65 : 0), "\(run.error)")
        Self.expectPlain(run.error)
        Self.expectPlain(run.outputText)
      }
    }
  }

  /// Goal: the same for names in the progress line. Method: a terminal from `script`, and a backup
  /// that stops in the contents of that name until the line has shown it.
  @Test func progress() async throws {
    for name in Self.names {
      let pipe = try SlowPipe(
        after: HostileTar.member("x", contents: SlowPipe.contents) { header in
          let bytes = Array("./".utf8) + name
          header.replaceSubrange(0..<bytes.count, with: bytes)
        })
      let run = try await pipe.run(
        ["-", "--output", "out"], then: "until_seen 'waiting for input.*log/'",
        run: """
          { printf 'stty cols 200; exec '; printf '%q ' "$@"; echo '< pipe'; } > run
          TERM=xterm script --quiet --return --flush --command 'bash run' error \
            < /dev/null > /dev/null 3>&-
          """)
      let text = try pipe.error()
      #expect(run.exitCode == 0, "\(text)")
      // Without what `script` itself writes, before and after.
      let lines = text.replacing("\r\u{1B}[K", with: "").replacing("\r\n", with: "\n")
        .split(separator: "\n").filter { !$0.hasPrefix("Script ") }
      Self.expectPlain(lines.joined(separator: "\n"))
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
