import System

/// What the help shows about an option.
struct OptionDescription: Sendable {
  /// The long name, without its hyphens.
  let name: String

  /// The short form, one ASCII letter, or nil.
  let letter: Character?

  /// The placeholder for the value in the help (`SIZE`), or nil for an option without a value.
  let placeholder: String?

  /// The values that are allowed, empty if any value is; of an option without a value, the words that
  /// may follow it.
  var choices: [String] = []

  /// The environment variable that gives the option's value if the option is not given.
  var variable: String?

  /// Whether a path may also be a place in an object store: `s3://…`.
  var mayBeStored = false

  /// A longer option's beginning that is not taken for it, and why: what follows it would be a secret.
  var refused: (name: String, hint: String)?

  /// A phrase: lower case, no final period.
  let help: String

  /// The options of every command. They take effect as soon as they are found.
  static let common = [
    OptionDescription(name: "help", letter: "h", placeholder: nil, help: "show this help"),
    OptionDescription(name: "version", letter: "V", placeholder: nil, help: "show the version"),
  ]

  /// Whether the value is the path of a file or a directory.
  var takesPath: Bool {
    placeholder.map { ["DIR", "BINDIR", "FILE", "BACKUP"].contains($0) } ?? false
  }

  /// The option as the help lists it: `-o, --output DIR`.
  var usage: String {
    (letter.map { "-\($0), " } ?? "    ") + "--\(name)" + (placeholder.map { " \($0)" } ?? "")
  }
}

/// A row of a command's table of options: the option's name, its help, and what it sets.
struct CommandOption<C: Sendable>: Sendable {
  typealias Application = @Sendable (inout C, OptionValue) throws(Failure) -> Void

  let description: OptionDescription

  /// Sets what the option is for; the value is empty if the option takes none.
  let apply: Application

  init(
    _ name: String, _ letter: Character? = nil, value placeholder: String? = nil,
    choices: [String] = [], variable: String? = nil, mayBeStored: Bool = false,
    refused: (name: String, hint: String)? = nil, help: String, apply: @escaping Application
  ) {
    description = OptionDescription(
      name: name, letter: letter, placeholder: placeholder, choices: choices, variable: variable,
      mayBeStored: mayBeStored, refused: refused, help: help)
    self.apply = apply
  }
}
