/// The completions for zsh, by its `_arguments`. (zshcompsys(1))
enum ZshCompletions {
  /// A script to source after `compinit`, or to be found as `_import-backup` in `fpath`.
  static func text() -> String {
    let names = Program.commands.map { $0.name }
    let descriptions = Program.commands.map { command in
      "    \(quoted("\(command.name):\(command.summary)"))"
    }
    return """
      #compdef \(Program.name)

      _import_backup_commands() {
        local -a commands=(
      \(descriptions.joined(separator: "\n"))
        )
        _describe command commands
      }

      _import_backup_first() {
        _alternative 'commands:command:_import_backup_commands' 'files:file:_files'
      }

      _import_backup() {
        local first=_import_backup_first command=\(ImportCommand.name)
        if (( CURRENT > 2 )) && [[ $words[2] == (\(names.joined(separator: "|"))) ]]; then
          command=$words[2] first=_files
          shift words
          (( CURRENT-- ))
        fi
        case $command in
      \(Program.commands.map(arguments).joined(separator: "\n"))
        esac
      }

      if [[ $funcstack[1] == _import-backup ]]; then
        _import_backup "$@"
      else
        compdef _import_backup \(Program.name)
      fi

      """
  }

  /// A command's branch: its options, then its operands.
  private static func arguments(of command: any Command.Type) -> String {
    let operands =
      command == HelpCommand.self
      ? "'1:command:_import_backup_commands'" : "\"1:file:$first\" '*:file:_files'"
    let specifications = command.describedOptions.map { "      \(specification($0)) \\\n" }
    return """
          \(command.name))
            _arguments -s -S : \\
      \(specifications.joined())      \(operands) ;;
      """
  }

  /// `'(-o --output)'{-o+,--output=}'[help]:DIR:_files -/'`.
  private static func specification(_ option: OptionDescription) -> String {
    let action =
      switch Completions.Values(of: option) {
      case .directories: "_files -/"
      case .files: "_files"
      case .users: "_users"
      case .words(let words): "(\(words.joined(separator: " ")))"
      case .any: " "
      }
    let hasValue = option.placeholder != nil
    // A word that follows an option without a value is completed as if it were one.
    let values =
      hasValue || !option.choices.isEmpty ? ":\(option.placeholder ?? "word"):\(action)" : ""
    let help = option.help.replacing("[", with: "\\[").replacing("]", with: "\\]")
    let rest = quoted("[\(help)]\(values)")
    let long = "--\(option.name)" + (hasValue ? "=" : "")
    guard let letter = option.letter else { return long + rest }
    let short = "-\(letter)" + (hasValue ? "+" : "")
    return "'(-\(letter) --\(option.name))'{\(short),\(long)}\(rest)"
  }

  /// A word for the shell.
  private static func quoted(_ text: String) -> String {
    "'" + text.replacing("'", with: "'\\''") + "'"
  }
}
