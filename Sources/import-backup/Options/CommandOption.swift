import System

/// A row of a command's table of options: the option's name, its help, and what it sets.
struct CommandOption<C: Sendable>: Sendable {
  typealias Application = @Sendable (inout C, OptionValue) throws(Failure) -> Void

  let description: OptionDescription

  /// Sets what the option is for; the value is empty if the option takes none.
  let apply: Application

  init(
    _ name: String, _ letter: Character? = nil, value placeholder: String? = nil,
    choices: [String] = [], help: String,
    apply: @escaping Application
  ) {
    description = OptionDescription(
      name: name, letter: letter, placeholder: placeholder, choices: choices, help: help)
    self.apply = apply
  }
}
