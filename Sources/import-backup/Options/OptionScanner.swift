import CGetopt
import Glibc

/// Splits a command line into options and operands with glibc's `getopt_long`.
///
/// Options and operands may be mixed, `--` ends the options, `--name=value` and `--name value` are
/// the same, and a long name may be abbreviated if it stays unique. Only one scan may run at a
/// time, hence the lock in `OptionParser`: `getopt_long` keeps its state in global variables.
@safe
struct OptionScanner: ~Copyable {
  enum Event: Equatable {
    /// The option at this index, with its value if it takes one.
    case option(Int, value: String?)
    /// The option at this index is the last word, and its value is missing.
    case missingValue(Int)
    /// The option at this index was given a value but takes none.
    case unwantedValue(Int)
    /// A beginning of the name of the option at this index that is refused.
    case refused(Int)
    /// A word, with its hyphens, that is not an option, or is the start of several.
    case unknown(String)
  }

  // Invariant: `words` has `count` C strings, then a null; `longOptions` has an entry for each of
  // `letters`, one for each of `refused`, then an empty one. This struct owns both and all their
  // strings. `getopt_long` only changes the order of `words`.
  private let count: Int
  private let words: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let longOptions: UnsafeMutablePointer<option>
  private let letters: [Character?]
  /// The options of which a beginning is refused.
  private let refused: [Int]
  private let shortOptions: String

  /// The code of the first long option, above the codes of all letters.
  private static let firstLongCode: Int32 = 256

  init(_ arguments: [String], options: [OptionDescription]) {
    count = arguments.count + 1
    unsafe words = .allocate(capacity: count + 1)
    for (index, word) in ([Program.name] + arguments).enumerated() {
      unsafe (words + index).initialize(to: strdup(word))
    }
    unsafe (words + count).initialize(to: nil)

    refused = options.indices.filter { options[$0].refused != nil }
    // A whole name is not taken for the beginning of another.
    let names =
      options.map { ($0.name, $0.placeholder != nil) }
      + refused.map { (options[$0].refused?.name ?? "", true) }
    unsafe longOptions = .allocate(capacity: names.count + 1)
    for (index, (name, takesValue)) in names.enumerated() {
      unsafe (longOptions + index).initialize(
        to: option(
          name: strdup(name), has_arg: takesValue ? required_argument : no_argument, flag: nil,
          val: Self.firstLongCode + Int32(index)))
    }
    unsafe (longOptions + names.count).initialize(to: option())

    letters = options.map(\.letter)
    // A colon at the start makes a missing value distinguishable from an unknown option.
    shortOptions = options.reduce(into: ":") { result, entry in
      guard let letter = entry.letter else { return }
      result += entry.placeholder == nil ? "\(letter)" : "\(letter):"
    }
    getopt_restart()
  }

  deinit {
    for index in 0..<count { unsafe free(words[index]) }
    for index in 0..<letters.count + refused.count {
      unsafe free(UnsafeMutableRawPointer(mutating: longOptions[index].name))
    }
    unsafe words.deallocate()
    unsafe longOptions.deallocate()
  }

  /// The next event, or nil after the last option; then `operands` can be read.
  mutating func next() -> Event? {
    let code = unsafe getopt_long(Int32(count), words, shortOptions, longOptions, nil)
    switch code {
    case -1: return nil
    case Int32(UInt8(ascii: ":")):
      return index(of: getopt_offender()).map { refusal(at: $0) ?? .missingValue($0) }
    case Int32(UInt8(ascii: "?")): return unknown()
    default:
      let value = unsafe getopt_value().map { unsafe String(cString: $0) }
      return index(of: code).map { refusal(at: $0) ?? .option($0, value: value) }
    }
  }

  private func refusal(at index: Int) -> Event? {
    index < letters.count ? nil : .refused(refused[index - letters.count])
  }

  /// The operands, in order. Call this only after `next` has returned nil.
  func operands() -> [String] {
    var operands: [String] = []
    for index in Int(getopt_next_index())..<count { operands.append(word(index)) }
    return operands
  }

  private func unknown() -> Event {
    let offender = getopt_offender()
    let index = Int(getopt_next_index())
    if offender >= Self.firstLongCode { return .unwantedValue(Int(offender - Self.firstLongCode)) }
    // No code: an unknown long option, which is the last word taken.
    if offender == 0 { return .unknown(word(index - 1)) }
    // An ASCII letter. Any other is the first byte of several, and its word is still current.
    guard let byte = UInt8(exactly: offender), byte < 0x80 else { return .unknown(word(index)) }
    return .unknown("-\(Character(Unicode.Scalar(byte)))")
  }

  private func word(_ index: Int) -> String {
    guard index < count, let word = unsafe words[index] else { return "" }
    return unsafe String(cString: word)
  }

  private func index(of code: Int32) -> Int? {
    if code >= Self.firstLongCode { return Int(code - Self.firstLongCode) }
    return UInt8(exactly: code).flatMap { byte in
      letters.firstIndex(of: Character(Unicode.Scalar(byte)))
    }
  }
}
