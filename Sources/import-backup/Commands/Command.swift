import System

/// One command of the program: its name, its arguments, and what it does.
///
/// The parser, the help, the man page and the completions all use these declarations.
protocol Command: Sendable {
  static var name: String { get }

  /// The operands, as the synopsis shows them: `BACKUP`.
  static var operands: String { get }

  /// Whether the operands are paths, or `-`; they are not to be URLs then.
  static var operandsArePaths: Bool { get }

  /// Whether an operand that is a path may also be a place in an object store: `s3://…`.
  static var operandsMayBeStored: Bool { get }

  /// One line: lower case, no final period.
  static var summary: String { get }

  /// Paragraphs for the help and the man page, each of a few full sentences.
  static var discussion: [String] { get }

  /// The options of this command alone, in the order of the help.
  static var options: [CommandOption<Self>] { get }

  /// The command without any option.
  init()

  /// Takes the operands, and checks that nothing required is missing.
  mutating func read(operands: [String]) throws(Failure)

  /// Does the work and prints its result.
  func run() throws(Failure)
}

extension Command {
  static var operandsArePaths: Bool { true }
  static var operandsMayBeStored: Bool { false }

  /// All options of this command, in order: its own, then those that every command has.
  static var describedOptions: [OptionDescription] {
    options.map(\.description) + OptionDescription.common
  }
}
