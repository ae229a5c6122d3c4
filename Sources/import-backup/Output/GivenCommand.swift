import Glibc
import PostgresFormat
import System

/// The command line that was given, to be shown again with a change.
struct GivenCommand {
  /// All words, the program's name first.
  let words: [String]

  /// The command line with the remedy, ready for a shell; nil if the command has no such options, or
  /// reads a backup that it was not given by name.
  func line(with remedy: Remedy) -> String? {
    if !remedy.command.isEmpty {
      return (words.prefix(1) + remedy.command).map(Self.quoted).joined(separator: " ")
    }
    let (type, start) = command
    let options = type.describedOptions
    let names = remedy.options.filter { $0.hasPrefix("--") }.map { String($0.dropFirst(2)) }
    guard names.allSatisfy({ name in options.contains { $0.name == name } }) else { return nil }
    var words = words
    var shell = ""
    if type == VerifyCommand.self, let backup = remedy.backup {
      let name = "--against"
      if let option = words.lastIndex(of: name), option + 1 < words.count {
        words[option + 1] = backup
      } else if let word = words.lastIndex(where: { $0.hasPrefix(name + "=") }) {
        words[word] = name + "=" + backup
      } else {
        return nil
      }
    } else if remedy.backup != nil || !remedy.filter.isEmpty {
      guard type == ImportCommand.self, let place = operand(from: start, options),
        words[place] != "-" || remedy.filter.isEmpty
      else { return nil }
      if !remedy.filter.isEmpty {
        shell = (remedy.filter + [words[place]]).map(Self.quoted).joined(separator: " ") + " | "
        words[place] = "-"
      }
      if let backup = remedy.backup { words[place] = backup }
    }
    var added = remedy.options
    // A value that was given and is to be another one.
    if added.count == 2, let place = words.dropFirst(start).firstIndex(of: added[0]),
      place + 1 < words.count,
      options.contains(where: { "--" + $0.name == added[0] && $0.placeholder != nil })
    {
      words[place + 1] = added[1]
      added = []
    }
    // After `--` there are no options.
    words.insert(contentsOf: added, at: words.contains("--") ? start : words.count)
    return shell + words.map(Self.quoted).joined(separator: " ")
  }

  /// The command, and where its own arguments start.
  private var command: (type: any Command.Type, start: Int) {
    if words.count > 1, let type = Program.commands.first(where: { $0.name == words[1] }) {
      return (type, 2)
    }
    return (ImportCommand.self, 1)
  }

  /// Where the first operand is; the command line is known to be right.
  private func operand(from start: Int, _ options: [OptionDescription]) -> Int? {
    var index = start
    while index < words.count {
      let word = words[index]
      if word == "--" { return index + 1 < words.count ? index + 1 : nil }
      if word == "-" || !word.hasPrefix("-") { return index }
      index += Self.takesNextWord(word, options) ? 2 : 1
    }
    return nil
  }

  /// Whether the value of an option, or of the last of some short ones, is the next word.
  private static func takesNextWord(_ word: String, _ options: [OptionDescription]) -> Bool {
    guard word.hasPrefix("--") else {
      let letters = word.dropFirst()
      let valued = letters.firstIndex { letter in
        options.contains { $0.letter == letter && $0.placeholder != nil }
      }
      return valued.map { letters.index(after: $0) == letters.endIndex } ?? false
    }
    guard !word.contains("=") else { return false }
    let name = word.dropFirst(2)
    let option = options.first { $0.name == name } ?? options.first { $0.name.hasPrefix(name) }
    return option?.placeholder != nil
  }

  /// A word as a shell reads it back, on one line and without side effects on a terminal.
  static func quoted(_ word: String) -> String {
    let isPlain = word.utf8.allSatisfy { byte in
      let character = Character(Unicode.Scalar(byte))
      return byte > 0x7F || character.isLetter || character.isNumber
        || "/._-+:@%=,".utf8.contains(byte)
    }
    // A backslash alone is harmless in quotes.
    guard escaped(word.utf8) == word.replacing("\\", with: "\\\\") else {
      let bytes = word.utf8.map { byte in
        byte < 0x20 || byte > 0x7E || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\\")
          ? "\\x" + byte.hexadecimal(2) : String(UnicodeScalar(byte))
      }
      return "$'" + bytes.joined() + "'"
    }
    return isPlain && !word.isEmpty ? word : "'" + word.replacing("'", with: #"'\''"#) + "'"
  }
}
