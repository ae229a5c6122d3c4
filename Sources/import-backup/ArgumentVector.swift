import System

/// The arguments of the program.
enum ArgumentVector {
  /// The words after the program's name.
  ///
  /// Throws if a word is not UTF-8. `CommandLine.arguments` would repair it, and a file would be
  /// looked up under a name that it does not have.
  static func current() throws(Failure) -> [String] {
    var words: [String] = []
    for index in 1..<max(Int(CommandLine.argc), 1) {
      // Invariant: the kernel gives `argc` strings, each ending in a zero byte, for the whole run.
      guard let pointer = unsafe CommandLine.unsafeArgv[index],
        let word = unsafe String(validatingCString: pointer)
      else {
        throw .usage(
          "argument \(index) is not UTF-8",
          hint: "Rename the file, or make a link to it with a name in UTF-8."
        ).pointing(toHelpOf: ImportCommand.self)
      }
      words.append(word)
    }
    return words
  }
}
