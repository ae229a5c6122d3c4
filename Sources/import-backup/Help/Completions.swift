/// The completions for bash.
enum Completions {
  /// A script for bash to source: it completes commands, each command's options, the values that an
  /// option may have, and file names for everything else.
  static func text() -> String {
    let names = Program.commands.map { $0.name }
    let options = Program.commands.map { command in
      "    \(command.name)) options='\(words(command))' ;;"
    }
    return """
      _import_backup() {
        local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
        local command=${COMP_WORDS[1]} commands='\(names.joined(separator: " "))' options
        COMPREPLY=()
        # bash splits --name=value into three words.
        if [[ $word == '=' ]]; then
          word=
        elif [[ $previous == '=' ]]; then
          previous=${COMP_WORDS[COMP_CWORD-2]}
        fi
        [[ " $commands " == *" $command "* ]] || command=\(ImportCommand.name)
        case "$command $previous" in
      \(Program.commands.flatMap(values).joined(separator: "\n"))
        esac
        case $command in
      \(options.joined(separator: "\n"))
        esac
        if [[ $word == -* ]]; then
          mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
        elif [[ $command == \(HelpCommand.name) && $COMP_CWORD -gt 1 ]]; then
          mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
        else
          [[ $COMP_CWORD -eq 1 ]] || commands=
          mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word"; compgen -f -- "$word")
        fi
      }
      complete -o filenames -F _import_backup \(Program.name)

      """
  }

  private static func words(_ command: any Command.Type) -> String {
    command.describedOptions.map { "--\($0.name)" }.joined(separator: " ")
  }

  /// A line for each option of `command` that takes a value: what to complete after it.
  private static func values(of command: any Command.Type) -> [String] {
    command.describedOptions.compactMap { option in
      guard let placeholder = option.placeholder else { return nil }
      let spellings = ["--\(option.name)"] + (option.letter.map { ["-\($0)"] } ?? [])
      let pattern = spellings.map { "'\(command.name) \($0)'" }.joined(separator: " | ")
      let action =
        switch placeholder {
        case "DIR", "BINDIR": "compgen -d"
        case "FILE", "BACKUP": "compgen -f"
        case "USER": "compgen -u"
        default:
          option.choices.isEmpty ? nil : "compgen -W '\(option.choices.joined(separator: " "))'"
        } as String?
      let reply = action.map { "mapfile -t COMPREPLY < <(\($0) -- \"$word\"); " } ?? ""
      return "    \(pattern)) \(reply)return ;;"
    }
  }
}
