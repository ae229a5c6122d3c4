import System

/// A row of a command's table of options: what it is called, what it is for, and what it sets.
struct CommandOption<C: Sendable>: Sendable {
  typealias Application = @Sendable (inout C, OptionValue) throws(Failure) -> Void

  let description: OptionDescription

  /// Sets what the option stands for; its value is empty where it takes none.
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
