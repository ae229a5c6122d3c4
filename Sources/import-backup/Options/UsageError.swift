import System

extension Failure {
  /// A wrong command line.
  static func usage(_ message: String, hint: String? = nil) -> Failure {
    Failure(.usage, message, hint: hint)
  }

  /// The same error; where the command line is wrong, with a pointer to the help of its command
  /// behind the hint.
  func pointing(toHelpOf command: any Command.Type) -> Failure {
    guard code == .usage else { return self }
    let isGeneral = command == ImportCommand.self || command == HelpCommand.self
    let pointer = "See '\(Program.name) \(isGeneral ? "" : command.name + " ")--help'."
    var error = self
    error.hint = hint.map { "\($0) \(pointer)" } ?? pointer
    return error
  }
}
