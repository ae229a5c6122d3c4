/// The man page, in the mdoc macros.
enum ManualPage {
  static func text() -> String {
    var lines = [
      ".Dd \(Program.releaseDate)",
      ".Dt \(Program.name.uppercased()) 1",
      ".Os \(Program.name) \(Program.version)",
      ".Sh NAME",
      ".Nm \(Program.name)",
      ".Nd \(escaped(ImportCommand.summary))",
      ".Sh SYNOPSIS",
    ]
    for command in Program.commands {
      lines += [
        ".Nm",
        command.name == ImportCommand.name ? ".Op Cm \(command.name)" : ".Cm \(command.name)",
        escaped(command.operands), ".Op Ar OPTION ...",
      ]
    }
    lines.append(".Sh DESCRIPTION")
    for command in Program.commands {
      lines += [".Ss \(HelpText.synopsis(command))", escaped(HelpText.sentence(command.summary))]
      for paragraph in command.discussion { lines += [".Pp", escaped(paragraph)] }
      lines += [".Bl -tag -width Ds"]
      for option in command.describedOptions {
        lines += [".It \(heading(option))", escaped(HelpText.sentence(option.help))]
      }
      lines.append(".El")
    }
    lines += [".Sh EXIT STATUS", ".Bl -tag -width Ds"]
    for (code, meaning) in ExitCode.meanings {
      lines += [".It \(code)", escaped(HelpText.sentence(meaning))]
    }
    return (lines + [".El"]).joined(separator: "\n") + "\n"
  }

  private static func heading(_ option: OptionDescription) -> String {
    let value = option.placeholder.map { " Ar \($0)" } ?? ""
    return (option.letter.map { "Fl \($0) , " } ?? "") + "Fl -\(option.name)" + value
  }

  /// `text` with what roff would take for a command escaped.
  private static func escaped(_ text: String) -> String {
    let line = text.replacing("\\", with: "\\e").replacing("-", with: "\\-")
    return line.hasPrefix(".") || line.hasPrefix("'") ? "\\&" + line : line
  }
}
