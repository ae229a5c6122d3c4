/// The completions for shells, from the tables of options.
enum Completions {
  /// A shell that there are completions for.
  enum Shell: String, CaseIterable {
    case bash
    case zsh
  }

  /// A script for a shell to source: it completes commands, each command's options, the values that
  /// an option may have, and file names for everything else.
  static func text(for shell: Shell) -> String {
    switch shell {
    case .bash: bash()
    case .zsh: ZshCompletions.text()
    }
  }

  private static func bash() -> String {
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

  /// A line for each option of `command` that a value or one of a few words follows: what to complete
  /// after it.
  private static func values(of command: any Command.Type) -> [String] {
    command.describedOptions.compactMap { option in
      guard option.placeholder != nil || !option.choices.isEmpty else { return nil }
      let spellings = ["--\(option.name)"] + (option.letter.map { ["-\($0)"] } ?? [])
      let pattern = spellings.map { "'\(command.name) \($0)'" }.joined(separator: " | ")
      let action =
        switch Values(of: option) {
        case .directories: "compgen -d"
        case .files: "compgen -f"
        case .users: "compgen -u"
        case .words(let words): "compgen -W '\(words.joined(separator: " "))'"
        case .any: nil
        } as String?
      let reply = action.map { "mapfile -t COMPREPLY < <(\($0) -- \"$word\"); " } ?? ""
      return "    \(pattern)) \(reply)return ;;"
    }
  }
}

extension Completions {
  /// What may come after an option that a value or one of a few words follows.
  enum Values {
    case directories
    case files
    case users
    case words([String])
    case any

    init(of option: OptionDescription) {
      self =
        switch option.placeholder {
        case "DIR", "BINDIR": .directories
        case "FILE", "BACKUP": .files
        case "USER": .users
        default: option.choices.isEmpty ? .any : .words(option.choices)
        }
    }
  }
}
