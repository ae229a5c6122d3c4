/// What a person is told of an option.
struct OptionDescription: Sendable {
  /// The long name, without its hyphens.
  let name: String

  /// The short form, one ASCII letter, or nil.
  let letter: Character?

  /// What stands for the value in help (`SIZE`), or nil for an option that takes none.
  let placeholder: String?

  /// The words that the value may be; empty where it may be others.
  var choices: [String] = []

  /// A phrase: lower case, no final period.
  let help: String

  /// The options of every command. They are acted on as soon as they are met.
  static let common = [
    OptionDescription(name: "help", letter: "h", placeholder: nil, help: "show this help"),
    OptionDescription(name: "version", letter: "V", placeholder: nil, help: "show the version"),
  ]

  /// As help lists it: `-o, --output DIR`.
  var usage: String {
    (letter.map { "-\($0), " } ?? "    ") + "--\(name)" + (placeholder.map { " \($0)" } ?? "")
  }
}
