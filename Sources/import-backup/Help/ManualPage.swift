import PostgresFormat
import System

/// The man page, in the mdoc macros.
enum ManualPage {
  static func text() -> String {
    var lines = [
      ".Dd \(Version.releaseDate)",
      ".Dt \(Program.name.uppercased()) 1",
      ".Os \(Program.name) \(Version.number)",
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
      for paragraph in command.discussion { lines += [".Pp"] + sentences(paragraph) }
      lines += [".Bl -tag -width Ds"]
      for option in command.describedOptions {
        lines += [".It \(heading(option))"] + sentences(HelpText.sentence(option.help))
      }
      lines.append(".El")
    }
    lines += [".Sh ENVIRONMENT", ".Bl -tag -width Ds"]
    for (name, meaning) in EnvironmentVariable.all {
      lines += [".It Ev \(name)", escaped(HelpText.sentence(meaning))]
    }
    lines += [".El", ".Sh EXIT STATUS", ".Bl -tag -width Ds"]
    for code in ExitCode.allCases {
      lines += [".It \(code.rawValue)", escaped(HelpText.sentence(code.meaning))]
    }
    lines += [".El", ".Sh EXAMPLES"]
    for (purpose, command) in examples {
      lines += [escaped(purpose), ".Bd -literal -offset indent"]
      lines += command.split(separator: "\n").map { escaped(String($0)) } + [".Ed", ".Pp"]
    }
    lines.removeLast()
    lines += [
      ".Sh SEE ALSO", ".Xr pg_basebackup 1 ,", ".Xr pg_ctl 1 ,", ".Xr pg_verifybackup 1 ,",
      ".Xr tar 1",
    ]
    return lines.joined(separator: "\n") + "\n"
  }

  /// The most common uses, in lines that fit a window of 80 columns with what is left of them.
  static let examples = [
    (
      "Import the tar of a cluster that was shut down cleanly:",
      "import-backup backup.tar.zst --output storage"
    ),
    (
      "The same without an intermediate file, from a stopped cluster on another machine:",
      """
      ssh db tar -C /var/lib/postgresql/15/main -cf - . |
        import-backup - --output storage
      """
    ),
    (
      "Import a backup that pg_basebackup took of a running cluster; Postgres replays its WAL:",
      """
      import-backup monday --output storage \\
        --recover-with /usr/lib/postgresql/15/bin
      """
    ),
    (
      "Read a timeline back and compare it with its backup:",
      """
      import-backup verify storage/tenants/TENANT/timelines/TIMELINE \\
        --against backup.tar.zst
      """
    ),
    (
      "Turn a timeline into a backup that Postgres can start from:",
      """
      import-backup export storage/tenants/TENANT/timelines/TIMELINE \\
        --output backup.tar
      """
    ),
    (
      "Take a timeline into service:",
      """
      import-backup attach storage/tenants/TENANT/timelines/TIMELINE \\
        --controller http://HOST:1234
      """
    ),
  ]

  private static func heading(_ option: OptionDescription) -> String {
    let value = option.placeholder.map { " Ar \($0)" } ?? ""
    return (option.letter.map { "Fl \($0) , " } ?? "") + "Fl -\(option.name)" + value
  }

  /// Each sentence on a line of its own, as mdoc wants it.
  private static func sentences(_ text: String) -> [String] {
    text.replacing(". ", with: ".\n").split(separator: "\n").map { escaped(String($0)) }
  }

  /// Escapes what roff would read as a command.
  private static func escaped(_ text: String) -> String {
    let line = text.replacing("\\", with: "\\e").replacing("-", with: "\\-")
    return line.hasPrefix(".") || line.hasPrefix("'") ? "\\&" + line : line
  }
}
