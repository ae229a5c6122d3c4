import System

/// `help`: shows the help, or writes the man page or the completions for a shell.
struct HelpCommand: Command {
  static let name = "help"
  static let operands = "[COMMAND]"
  static let operandsArePaths = false
  static let summary = "show this help, or the help of a command"
  static let discussion: [String] = []

  static let options: [CommandOption<HelpCommand>] = [
    CommandOption("man", help: "write the man page of all commands") {
      command, _ throws(Failure) in try command.take(.manualPage)
    },
    CommandOption(
      "completions", choices: Completions.Shell.allCases.map(\.rawValue),
      help: "write completions for all commands, for bash, or for zsh if that word "
        + "follows"
    ) {
      command, _ throws(Failure) in try command.take(.completions)
    },
    CommandOption("errors", help: "write the table of all error codes in Markdown") {
      command, _ throws(Failure) in try command.take(.errors)
    },
  ]

  enum Form {
    case text
    case manualPage
    case completions
    case errors
  }

  var form = Form.text
  var shell = Completions.Shell.bash
  var subject: (any Command.Type)?

  private mutating func take(_ form: Form) throws(Failure) {
    guard self.form == .text || self.form == form else {
      throw Failure(
        .conflictingOptions, "'--man', '--completions' and '--errors' cannot be used together")
    }
    self.form = form
  }

  mutating func read(operands: [String]) throws(Failure) {
    guard let word = operands.first else { return }
    guard operands.count == 1 else {
      throw Failure(.unexpectedArgument, "unexpected argument \(operands[1].quoted)")
    }
    switch form {
    case .text: break
    case .manualPage, .errors:
      throw Failure(
        .unexpectedArgument, "'--man' and '--errors' are for all commands, not for one")
    case .completions:
      guard let shell = Completions.Shell(rawValue: word) else {
        throw Failure(
          .unexpectedArgument, "there are no completions for \(word.quoted)",
          hint: "Give 'bash' or 'zsh'.")
      }
      self.shell = shell
      return
    }
    subject = Program.commands.first { $0.name == word }
    guard subject != nil else {
      let nearest = Suggestion.nearest(to: word, among: Program.commands.map { $0.name })
      throw Failure(
        .unknownCommand, "unknown command \(word.quoted)",
        hint: nearest.map { "Did you mean '\($0)'?" })
    }
  }

  func run() throws(Failure) {
    let text =
      switch form {
      case .text: subject.map { HelpText.command($0) } ?? HelpText.overview()
      case .manualPage: ManualPage.text()
      case .completions: Completions.text(for: shell)
      case .errors: ErrorTable.text()
      }
    try StandardStream.output.write(text)
  }
}
