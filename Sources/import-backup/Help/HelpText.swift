import System

/// The text of `--help`.
enum HelpText {
  /// The width of the text in columns.
  static let columns = 100

  /// Every command on a line of its own, then the options of the default command.
  static func overview() -> String {
    var lines = ["Usage:"]
    for command in Program.commands { lines.append("  \(synopsis(command))") }
    lines += ["", "Commands:"]
    for command in Program.commands {
      let isDefault = command.name == ImportCommand.name
      lines += entry(
        "  \(command.name)", command.summary + (isDefault ? " (default)" : ""), indent: 12)
    }
    lines += body(ImportCommand.self, optionsOf: " of \(ImportCommand.name)")
    lines += ["", "Exit codes:"]
    for code in ExitCode.allCases {
      lines += entry("  \(code.rawValue)", code.meaning, indent: 12)
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// The usage, description and options of one command.
  static func command(_ command: any Command.Type) -> String {
    let lines = ["Usage: \(synopsis(command))", "", sentence(command.summary)] + body(command)
    return lines.joined(separator: "\n") + "\n"
  }

  /// `import-backup [import] BACKUP --output DIR [OPTION]...`
  static func synopsis(_ command: any Command.Type) -> String {
    let isDefault = command.name == ImportCommand.name
    let name = isDefault ? "[\(command.name)]" : command.name
    return "\(Program.name) \(name) \(command.operands) [OPTION]..."
  }

  /// Breaks `text` into lines of at most `columns`; a longer word gets a line of its own.
  static func wrapped(_ text: String, columns: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if line.isEmpty {
        line = String(word)
      } else if line.count + 1 + word.count <= columns {
        line += " \(word)"
      } else {
        lines.append(line)
        line = String(word)
      }
    }
    return lines + [line]
  }

  /// Turns a phrase into a sentence: a capital letter first, a period last.
  static func sentence(_ phrase: String) -> String {
    phrase.prefix(1).uppercased() + phrase.dropFirst() + "."
  }

  private static func body(_ command: any Command.Type, optionsOf suffix: String = "") -> [String] {
    var lines: [String] = []
    for paragraph in command.discussion {
      lines += [""] + wrapped(paragraph, columns: columns)
    }
    lines += ["", "Options\(suffix):"]
    for option in command.describedOptions {
      lines += entry("  \(option.usage)", option.help, indent: 34)
    }
    return lines
  }

  /// A term, and its meaning next to it.
  private static func entry(_ term: String, _ meaning: String, indent: Int) -> [String] {
    let margin = String(repeating: " ", count: indent)
    let lines = wrapped(meaning, columns: columns - indent).map { margin + $0 }
    return [term + lines[0].dropFirst(term.count)] + lines.dropFirst()
  }
}
