/// The completions for bash.
enum Completions {
  /// A script for bash to source: commands, each command's options, directories for a `DIR`,
  /// nothing for any other value, and files for everything else.
  static func text() -> String {
    let cases = Program.commands.map { command in
      "    \(command.name)) options='\(words(command))' ;;"
    }
    let names = Program.commands.map { $0.name }.joined(separator: " ")
    return """
      _import_backup() {
        local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} options
        COMPREPLY=()
        case ${COMP_WORDS[1]} in
      \(cases.joined(separator: "\n"))
          *) options='\(words(ImportCommand.self))' ;;
        esac
        case $previous in
          \(spellings { $0 == "DIR" })) mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
          \(spellings { $0 != "DIR" })) return ;;
        esac
        if [[ $word == -* ]]; then
          mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
        else
          local commands=
          [[ $COMP_CWORD -eq 1 ]] && commands='\(names)'
          mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word"; compgen -f -- "$word")
        fi
      }
      complete -o filenames -F _import_backup \(Program.name)

      """
  }

  private static func words(_ command: any Command.Type) -> String {
    command.describedOptions.map { "--\($0.name)" }.joined(separator: " ")
  }

  /// A shell pattern of the options of all commands whose value `isWanted`.
  private static func spellings(_ isWanted: (String) -> Bool) -> String {
    var spellings: [String] = []
    for option in Program.commands.flatMap({ $0.describedOptions }) {
      guard let placeholder = option.placeholder, isWanted(placeholder) else { continue }
      spellings.append("--\(option.name)")
      if let letter = option.letter { spellings.append("-\(letter)") }
    }
    return spellings.joined(separator: "|")
  }
}
