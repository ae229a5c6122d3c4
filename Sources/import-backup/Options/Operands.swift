import Glibc
import System

/// What commands ask of the words that are no options.
enum Operands {
  /// The only operand; `missing` says what is wrong without one, `single` what there is one of.
  static func single(
    _ operands: [String], missing: String, single: String
  ) throws(Failure) -> String {
    guard let operand = operands.first, !operand.isEmpty else { throw .usage(missing) }
    guard operands.count == 1 else {
      throw .usage("there is one \(single), but \(operands[1].quoted) is given as well")
    }
    return operand
  }

  /// Refuses to read a backup from a terminal, where `-` stands for it.
  static func requireBackup(at path: String?) throws(Failure) {
    if path == "-" && isatty(STDIN_FILENO) == 1 {
      throw .usage(
        "standard input is a terminal, not a backup",
        hint: "Pipe the backup in, or give its path instead of '-'.")
    }
  }
}
