import System

extension Failure {
  /// A wrong command line.
  static func usage(_ message: String, hint: String? = nil) -> Failure {
    Failure(.usage, message, hint: hint)
  }

  /// An option whose value is missing or empty.
  static func missingValue(option: String, placeholder: String) -> Failure {
    .usage("option '--\(option)' needs a value: \(placeholder)")
  }

  /// The same error; if the command line is wrong, the hint ends with a pointer to the command's
  /// help.
  func pointing(toHelpOf command: any Command.Type) -> Failure {
    guard code == .usage else { return self }
    let isGeneral = command == ImportCommand.self || command == HelpCommand.self
    let pointer = "See '\(Program.name) \(isGeneral ? "" : command.name + " ")--help'."
    var error = self
    error.hint = hint.map { "\($0) \(pointer)" } ?? pointer
    return error
  }
}
