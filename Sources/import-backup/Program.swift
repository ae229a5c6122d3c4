import CMalloc
import Glibc
import System

/// The program: finds the command, runs it, and turns its errors into messages and exit codes.
@main
enum Program {
  static let name = "import-backup"
  /// Every command; the first is the default, if the first word is not the name of a command.
  static let commands: [any Command.Type] = [
    ImportCommand.self, VerifyCommand.self, InspectCommand.self, ListCommand.self,
    ExportCommand.self, PublishCommand.self, AttachCommand.self, StatusCommand.self,
    HelpCommand.self,
  ]

  /// Runs the command on the process's first thread, and ends with its exit code.
  static func main() {
    _ = ResultFormat.startTime
    StandardStream.secureDescriptors()
    Interruption.catchProgressRequests()
    Interruption.ignoreBrokenPipes()
    // Return pieces of memory of 1 MiB and more to the system when they are released. glibc would
    // keep larger and larger ones: with a million relations, a third of the peak. (mallopt(3))
    _ = mallopt(M_MMAP_THRESHOLD, 1 << 20)
    do throws(Failure) {
      try run(ArgumentVector.current())
    } catch {
      writeObject(of: error)
      let stream = StandardStream.error
      let columns = stream.isTerminal ? stream.textColumns : nil
      let given = GivenCommand(words: CommandLine.arguments)
      stream.writeIfPossible(
        text(of: error, columns: columns, command: error.remedy.flatMap(given.line)))
      exit(error.exitCode.rawValue)
    }
    exit(0)
  }

  /// Writes the failure as a JSON object to standard output, if the command line asks for JSON.
  private static func writeObject(of error: Failure) {
    // What is not UTF-8 is repaired here, as it only has to be read over.
    let (command, arguments) = command(of: Array(CommandLine.arguments.dropFirst()))
    guard !error.isInResult, OptionParser.asksForJSON(command, arguments: arguments),
      let line = try? ResultObject(command, NoContents(), error).line()
    else { return }
    StandardStream.output.writeIfPossible(line)
  }

  /// An `error:` line that ends with the code, one more for each of the first findings, a `hint:`
  /// line if the error has a hint, several if it is longer than `columns`, and the command that
  /// follows it, if there is one, on a line of its own, however long.
  static func text(of error: Failure, columns: Int? = nil, command: String? = nil) -> String {
    var lines = ["error: \(error.message) [\(error.code.rawValue)]"]
    lines += (error.findings?.lines ?? []).map { "error:   \($0)" }
    if let hint = error.hint {
      lines += columns.map { HelpText.hint(hint, columns: $0) } ?? ["hint: \(hint)"]
    }
    if let command { lines.append("  " + command) }
    return lines.map { $0 + "\n" }.joined()
  }

  /// Runs the command given by `arguments`, the words after the program's name.
  private static func run(_ arguments: [String]) throws(Failure) {
    if try runWithoutCommand(arguments) { return }
    let (command, rest) = command(of: arguments)
    if rest.count < arguments.count {
      try run(command, arguments: rest) { HelpText.command(command) }
    } else {
      try refuseMisspelledCommand(arguments.first)
      try run(command, arguments: rest) { HelpText.overview() }
    }
  }

  /// Does what words ask for that are no commands, but mean one: `version`, `--man`,
  /// `--completions`. A file of the first name is a backup.
  private static func runWithoutCommand(_ arguments: [String]) throws(Failure) -> Bool {
    switch arguments.first {
    case "version" where arguments.count == 1 && !SystemCalls.exists("version"):
      try StandardStream.output.write(Version.text())
    case "--man" where arguments.count == 1, "--completions":
      try run(HelpCommand.self, arguments: arguments) { HelpText.command(HelpCommand.self) }
    default: return false
    }
    return true
  }

  /// The command that the words after the program's name are for, and its own arguments.
  private static func command(
    of arguments: [String]
  ) -> (type: any Command.Type, arguments: [String]) {
    guard let word = arguments.first, let command = commands.first(where: { $0.name == word })
    else { return (ImportCommand.self, arguments) }
    return (command, Array(arguments.dropFirst()))
  }

  private static func run<C: Command>(
    _ type: C.Type, arguments: [String], help: () -> String
  ) throws(Failure) {
    do throws(Failure) {
      switch try OptionParser.parse(type, arguments: arguments) {
      case .run(let command): try command.run()
      case .help: try StandardStream.output.write(help())
      case .version: try StandardStream.output.write(Version.text())
      }
    } catch {
      throw error.pointing(toHelpOf: type)
    }
  }

  /// What other programs call the commands.
  private static let synonyms = [
    "info": "inspect", "show": "inspect", "describe": "inspect", "check": "verify",
    "validate": "verify", "compare": "verify", "serve": "attach", "restore": "export",
    "convert": "import",
    "man": "help --man", "completions": "help --completions",
  ]

  /// Throws if the first word is nearly a command, or means one. If a file has that name, it is a
  /// backup.
  private static func refuseMisspelledCommand(_ word: String?) throws(Failure) {
    guard let word, !word.contains(where: { "-./".contains($0) }), !SystemCalls.exists(word),
      let nearest = synonyms[word]
        ?? Suggestion.nearest(to: word, among: commands.map { $0.name })
    else { return }
    throw Failure(
      .unknownCommand, "unknown command \(word.quoted)", hint: "Did you mean '\(nearest)'?"
    ).pointing(toHelpOf: ImportCommand.self)
  }
}

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
        throw Failure(
          .argumentNotUTF8, "argument \(index) is not UTF-8",
          hint: "Rename the file, or make a link to it with a name in UTF-8."
        ).pointing(toHelpOf: ImportCommand.self)
      }
      words.append(word)
    }
    return words
  }
}
