import System

/// The words that the program was started with.
enum ArgumentVector {
  /// The words behind the program's name.
  ///
  /// `CommandLine.arguments` would do, but for its repairing what is not UTF-8: a file would be
  /// looked for under a name that it does not have. Such a word is refused here.
  static func current() throws(Failure) -> [String] {
    var words: [String] = []
    for index in 1..<max(Int(CommandLine.argc), 1) {
      // Invariant: the kernel gives `argc` strings, each ended by a zero byte, for the whole run.
      guard let pointer = unsafe CommandLine.unsafeArgv[index],
        let word = unsafe String(validatingCString: pointer)
      else {
        throw .usage(
          "argument \(index) is not UTF-8",
          hint: "Give the file a name in UTF-8, by a link perhaps."
        ).pointing(toHelpOf: ImportCommand.self)
      }
      words.append(word)
    }
    return words
  }
}
