import System

/// Checks of the operands that several commands share.
enum Operands {
  /// The only operand; without one, throws `missing` with `hint`.
  static func single(
    _ operands: [String], missing: String, hint: String
  ) throws(Failure) -> String {
    guard let operand = operands.first, !operand.isEmpty else {
      throw .usage(missing, hint: hint)
    }
    guard operands.count == 1 else {
      throw .usage("unexpected argument \(operands[1].quoted)")
    }
    return operand
  }

  /// Throws if the backup is `-` and standard input is a terminal.
  static func requireBackup(at path: String?) throws(Failure) {
    if path == "-" && StandardStream.isInputTerminal {
      throw .usage(
        "standard input is a terminal, not a backup",
        hint: "Pipe the backup in, or give its path instead of '-'.")
    }
  }
}
