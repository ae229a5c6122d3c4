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

  /// Applies the options in `arguments` in order, then passes on the operands.
  ///
  /// `--help` and `--version` end the parsing: what follows them is ignored.
  ///
  /// - Throws: `.usage`.
  static func parse<C: Command>(
    _ type: C.Type, arguments: [String]
  ) throws(Failure) -> Outcome<C> {
    try scanning.withLock { _ throws(Failure) in try scan(type, arguments: arguments) }
  }

  /// Held during a scan: only one may run at a time.
  private static let scanning = Mutex(())

  private static func scan<C: Command>(
    _ type: C.Type, arguments: [String]
  ) throws(Failure) -> Outcome<C> {
    let table = C.options
    let options = C.describedOptions
    var command = C()
    var scanner = OptionScanner(arguments, options: options)
    while let event = scanner.next() {
      switch event {
      case .option(let index, let value):
        guard index < table.count else {
          return options[index].name == "help" ? .help : .version
        }
        try table[index].apply(
          &command, OptionValue(option: options[index].name, text: value ?? ""))
      case .missingValue(let index):
        throw .missingValue(
          option: options[index].name, placeholder: options[index].placeholder ?? "")
      case .unwantedValue(let index):
        throw .usage("option '--\(options[index].name)' takes no value")
      case .unknown(let word):
        throw refusal(of: word, names: options.map(\.name))
      }
    }
    try command.take(operands: scanner.operands())
    return .run(command)
  }

  /// The error for `word`, which is not an option, or is the start of several.
  private static func refusal(of word: String, names: [String]) -> Failure {
    guard word.hasPrefix("--") else { return .usage("unknown option \(word.quoted)") }
    let name = String(word.dropFirst(2).prefix { $0 != "=" })
    let begun = names.filter { $0.hasPrefix(name) }.map { "'--\($0)'" }
    guard begun.isEmpty else {
      return .usage(
        "option \(("--" + name).quoted) is ambiguous",
        hint: "It could be \(begun.dropLast().joined(separator: ", ")) or \(begun.last ?? "").")
    }
    let nearest = Suggestion.nearest(to: name, among: names)
    return .usage(
      "unknown option \(("--" + name).quoted)", hint: nearest.map { "Did you mean '--\($0)'?" })
  }
}
