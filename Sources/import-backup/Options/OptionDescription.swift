/// What the help shows about an option.
struct OptionDescription: Sendable {
  /// The long name, without its hyphens.
  let name: String

  /// The short form, one ASCII letter, or nil.
  let letter: Character?

  /// The placeholder for the value in the help (`SIZE`), or nil for an option without a value.
  let placeholder: String?

  /// The values that are allowed; empty if any value is.
  var choices: [String] = []

  /// A phrase: lower case, no final period.
  let help: String

  /// The options of every command. They take effect as soon as they are found.
  static let common = [
    OptionDescription(name: "help", letter: "h", placeholder: nil, help: "show this help"),
    OptionDescription(name: "version", letter: "V", placeholder: nil, help: "show the version"),
  ]

  /// The option as the help lists it: `-o, --output DIR`.
  var usage: String {
    (letter.map { "-\($0), " } ?? "    ") + "--\(name)" + (placeholder.map { " \($0)" } ?? "")
  }
}
