import Synchronization
import System

/// Parses a command's arguments according to its table of options.
enum OptionParser {
  /// What the command line asks for.
  enum Outcome<C: Command> {
    case run(C)
    case help
    case version
  }

  /// Applies the options in `arguments` in order, then the variables of `environment` for options
  /// that were not given, then passes on the operands.
  ///
  /// `--help` and `--version` end the parsing: what follows them is ignored. So is an empty variable.
  ///
  /// - Throws: `.usage`.
  static func parse<C: Command>(
    _ type: C.Type, arguments: [String],
    environment: (String) -> String? = { Environment[$0] }
  ) throws(Failure) -> Outcome<C> {
    try scanning.withLock { _ throws(Failure) in
      try scan(type, arguments: arguments, environment)
    }
  }

  /// Whether the options of a command line ask for a JSON object; they may be wrong, as where '--json' has a
  /// value, or the command has no such option.
  static func asksForJSON(_ command: any Command.Type, arguments: [String]) -> Bool {
    scanning.withLock { _ in
      let options = command.describedOptions
      var scanner = OptionScanner(arguments, options: options)
      var asks = false
      while let event = scanner.next() {
        switch event {
        case .option(let index, _), .unwantedValue(let index):
          if options[index].name == "json" { asks = true }
        case .unknown(let word):
          if word == "--json" || word.hasPrefix("--json=") { asks = true }
        case .missingValue, .refused: break
        }
      }
      return asks
    }
  }

  /// Held during a scan: only one may run at a time.
  private static let scanning = Mutex(())

  private static func scan<C: Command>(
    _ type: C.Type, arguments: [String], _ environment: (String) -> String?
  ) throws(Failure) -> Outcome<C> {
    let table = C.options
    let options = C.describedOptions
    var command = C()
    var given: Set<Int> = []
    var scanner = OptionScanner(arguments, options: options)
    while let event = scanner.next() {
      switch event {
      case .option(let index, let value):
        guard index < table.count else {
          return options[index].name == "help" ? .help : .version
        }
        let value = OptionValue(option: options[index].name, text: value ?? "")
        if options[index].takesPath {
          try value.requirePath(mayBeStored: options[index].mayBeStored)
        }
        try table[index].apply(&command, value)
        given.insert(index)
      case .missingValue(let index):
        throw .missingValue(
          option: options[index].name, placeholder: options[index].placeholder ?? "")
      case .unwantedValue(let index):
        throw Failure(.badOption, "option '--\(options[index].name)' takes no value")
      case .refused(let index):
        throw refusal(of: "--" + (options[index].refused?.name ?? ""), options)
      case .unknown(let word):
        throw refusal(of: word, options)
      }
    }
    for index in table.indices where !given.contains(index) {
      guard let variable = options[index].variable, let text = environment(variable), !text.isEmpty
      else { continue }
      let value = OptionValue(option: options[index].name, text: text, variable: variable)
      if options[index].takesPath { try value.requirePath(mayBeStored: options[index].mayBeStored) }
      try table[index].apply(&command, value)
    }
    let operands = scanner.operands()
    if C.operandsArePaths {
      for operand in operands {
        try Operands.requirePath(operand, mayBeStored: C.operandsMayBeStored)
      }
    }
    try command.read(operands: operands)
    return .run(command)
  }

  /// `a, b or c`.
  private static func alternatives(_ words: [String]) -> String {
    let start = words.dropLast().joined(separator: ", ")
    return start + (start.isEmpty ? "" : " or ") + (words.last ?? "")
  }

  /// The error for `word`, which is not an option, or is the start of several.
  private static func refusal(of word: String, _ options: [OptionDescription]) -> Failure {
    guard word.hasPrefix("--") else {
      return Failure(.unknownOption, "unknown option \(word.quoted)")
    }
    let name = String(word.dropFirst(2).prefix { $0 != "=" })
    let begun = options.filter { $0.name.hasPrefix(name) }
    if begun.count == 1, let refused = begun[0].refused {
      return Failure(
        .unknownOption, "unknown option \(("--" + name).quoted)", hint: refused.hint)
    }
    guard begun.isEmpty else {
      return Failure(
        .unknownOption, "option \(("--" + name).quoted) is ambiguous",
        hint: "It could be \(alternatives(begun.map { "'--\($0.name)'" })).")
    }
    let owners = Program.commands.filter { command in
      command.describedOptions.contains { $0.name == name }
    }.map { "'\($0.name)'" }
    let nearest = Suggestion.nearest(to: name, among: options.map(\.name))
    return Failure(
      .unknownOption, "unknown option \(("--" + name).quoted)",
      hint: owners.isEmpty
        ? nearest.map { "Did you mean '--\($0)'?" }
        : "It is an option of \(alternatives(owners)).")
  }
}

extension Failure {
  /// An option whose value is missing or empty.
  static func missingValue(option: String, placeholder: String) -> Failure {
    Failure(.badOption, "option '--\(option)' needs a value: \(placeholder)")
  }

  /// The same error; if the command line is wrong, the hint ends with a pointer to the command's
  /// help.
  func pointing(toHelpOf command: any Command.Type) -> Failure {
    guard exitCode == .usage else { return self }
    let isGeneral = command == ImportCommand.self || command == HelpCommand.self
    let pointer = "See '\(Program.name) \(isGeneral ? "" : command.name + " ")--help'."
    var error = self
    error.hint = hint.map { "\($0) \(pointer)" } ?? pointer
    return error
  }
}

/// Checks of the operands that several commands share.
enum Operands {
  /// Throws if the word is a URL: it would be taken for the path of a directory, `s3:`. One of an object
  /// store is passed if it `mayBeStored`.
  static func requirePath(_ word: String, mayBeStored: Bool = false) throws(Failure) {
    if mayBeStored { try URLScheme.requireBothSlashes(word, "the argument") }
    guard let scheme = URLScheme(of: word), !(mayBeStored && scheme.name == "s3") else { return }
    throw Failure(
      .urlUnsupported, "\(word.quoted) is a URL, not a path",
      hint: mayBeStored ? scheme.hintForTimeline : scheme.hintForInput)
  }

  /// The only operand; without one, throws `missing` with `hint`.
  static func single(
    _ operands: [String], missing: String, hint: String
  ) throws(Failure) -> String {
    guard let operand = operands.first, !operand.isEmpty else {
      throw Failure(.missingArgument, missing, hint: hint)
    }
    guard operands.count == 1 else {
      throw Failure(.unexpectedArgument, "unexpected argument \(operands[1].quoted)")
    }
    return operand
  }

  /// Throws if a word cannot be a part of a backup after the first.
  static func requirePart(_ word: String) throws(Failure) {
    guard !word.isEmpty, word != "-" else {
      throw Failure(
        .unexpectedArgument, "unexpected argument \(word.quoted)",
        hint: "Standard input can only be the first part of a backup.")
    }
  }

  /// Throws if the backup is `-` and standard input is a terminal.
  static func requireBackup(at path: String?) throws(Failure) {
    if path == "-" && StandardStream.isInputTerminal {
      throw Failure(
        .terminalRefused, "standard input is a terminal, not a backup",
        hint: "Pipe the backup in, or give its path instead of '-'.")
    }
  }
}
