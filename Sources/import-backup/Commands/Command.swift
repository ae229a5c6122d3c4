import System

/// One command of the program: what it is called, what it takes, and what it does.
///
/// Parsing, help, man page and completions are all made from these declarations.
protocol Command: Sendable {
  static var name: String { get }

  /// What follows the options, as the synopsis shows it: `BACKUP`.
  static var operands: String { get }

  /// One line: lower case, no final period.
  static var summary: String { get }

  /// Paragraphs for the help and the man page, each a few full sentences.
  static var discussion: [String] { get }

  /// The options of this command alone, in the order in which help lists them.
  static var options: [CommandOption<Self>] { get }

  /// The command as it is without any option.
  init()

  /// Takes the words that are no options, and checks that nothing required is missing.
  mutating func take(operands: [String]) throws(Failure)

  /// Does the work and prints its result.
  func run() throws(Failure)
}

extension Command {
  /// What options, in order, this command understands: its own, then those that every command has.
  static var describedOptions: [OptionDescription] {
    options.map(\.description) + OptionDescription.common
  }
}
