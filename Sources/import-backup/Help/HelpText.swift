import System

/// The text of `--help`.
enum HelpText {
  /// The width of the text in columns: that of the terminal, but at most what is read easily.
  static var columns: Int { min(StandardStream.output.textColumns, 100) }

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
    lines += ["", "Environment:"]
    for (variable, meaning) in EnvironmentVariable.all {
      lines += entry("  \(variable)", meaning, indent: 34)
    }
    lines += ["", "Exit codes:"]
    for code in ExitCode.allCases {
      lines += entry("  \(code.rawValue)", code.meaning, indent: 12)
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// The usage, description and options of one command.
  static func command(_ command: any Command.Type) -> String {
    let summary = wrapped(sentence(command.summary), columns: columns)
    let lines = ["Usage: \(synopsis(command))", ""] + summary + body(command)
    return lines.joined(separator: "\n") + "\n"
  }

  /// `import-backup [import] BACKUP --output DIR [OPTION]...`
  static func synopsis(_ command: any Command.Type) -> String {
    let isDefault = command.name == ImportCommand.name
    let name = isDefault ? "[\(command.name)]" : command.name
    return "\(Program.name) \(name) \(command.operands) [OPTION]..."
  }

  /// Breaks `text` into lines of at most `columns`; a longer word gets a line of its own.
  ///
  /// What is in quotes is one word. A command of this program after a colon gets a line of its own,
  /// with all that follows it: it is there to be copied.
  static func wrapped(_ text: String, columns: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in words(of: text) {
      if line.isEmpty {
        line = word
      } else if line.count + 1 + word.count <= columns && !isCommand(word) {
        line += " \(word)"
      } else {
        lines.append(line)
        line = word
      }
    }
    return lines + [line]
  }

  private static func isCommand(_ word: String) -> Bool { word.hasPrefix(Program.name + " ") }

  /// What is between spaces, with what is in quotes in one piece, and a command with its arguments.
  private static func words(of text: String) -> [String] {
    var words: [String] = []
    var isOpen = false
    var isCommand = false
    for part in text.split(separator: " ") {
      if let last = words.indices.last, isOpen || isCommand {
        words[last] += " \(part)"
      } else {
        isCommand = part == Program.name && words.last?.hasSuffix(":") == true
        words.append(String(part))
        isOpen = part.hasPrefix("'")
      }
      // A quote that closes is followed by punctuation or nothing.
      if isOpen, part.dropFirst(part.hasPrefix("'") ? 1 : 0).contains("'") { isOpen = false }
    }
    return words
  }

  /// The lines of a hint: its first paragraph is wrapped, and what follows is left as it is.
  static func hint(_ hint: String, columns: Int) -> [String] {
    let lines = "hint: \(hint)".split(separator: "\n", omittingEmptySubsequences: false)
    return wrapped(String(lines[0]), columns: columns) + lines.dropFirst().map(String.init)
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

  /// How wide a column of meanings is at least; if it would be narrower, they are below their terms.
  private static let leastMeaningWidth = 40

  /// A term, and its meaning next to it, or below it.
  private static func entry(_ term: String, _ meaning: String, indent: Int) -> [String] {
    guard columns - indent >= leastMeaningWidth else {
      return [term] + wrapped(meaning, columns: columns - 8).map { "        " + $0 }
    }
    let margin = String(repeating: " ", count: indent)
    let lines = wrapped(meaning, columns: columns - indent).map { margin + $0 }
    guard term.count < indent else { return [term] + lines }
    return [term + lines[0].dropFirst(term.count)] + lines.dropFirst()
  }
}

/// The environment variables that the program looks at, for the help and the man page.
enum EnvironmentVariable {
  /// First the defaults of options, then the others.
  static let all: [(name: String, meaning: String)] =
    ofOptions + [
      (
        ServiceArguments.tokenVariable,
        "bearer token for the service, if --token-file is not given"
      ),
      ("COLUMNS", "width of help and of what inspect shows (default: that of the terminal, or 80)"),
      ("TERM", "no progress is shown on a terminal of the type 'dumb'"),
    ]

  /// Each once, whatever commands have the option.
  private static var ofOptions: [(name: String, meaning: String)] {
    var variables: [(name: String, meaning: String)] = []
    for command in Program.commands {
      for option in command.describedOptions {
        guard let name = option.variable, !variables.contains(where: { $0.name == name }) else {
          continue
        }
        variables.append((name, "value of --\(option.name), if that option is not given"))
      }
    }
    return variables
  }
}
