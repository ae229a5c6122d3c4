/// What a configuration file of Postgres says about where a recovery is to end.
///
/// (Postgres, `src/backend/utils/misc/guc-file.l`; `guc_tables.c`, the group `WAL_RECOVERY_TARGET`)
public struct RecoverySettings: Equatable, Sendable {
  /// `restore_command`, and the settings whose names begin with `recovery_target`; an empty one is none.
  public private(set) var values: [String: String] = [:]
  /// The first directive that reads another file, as `include 'recovery.conf'`; nil if there is none.
  public private(set) var include: String?

  /// No settings.
  public init() {}

  /// Reads a file: a line has a name, perhaps `=`, and a value, perhaps in quotes; the last one of a
  /// name counts. Files that it includes are not read, as they may be anywhere.
  public init(decoding bytes: RawSpan) {
    for line in bytes.array.split(separator: UInt8(ascii: "\n")) {
      let text = String(decoding: line, as: UTF8.self).drop { $0 == " " || $0 == "\t" }
      let name = text.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." }.lowercased()
      let isInclude = Self.includes.contains(name)
      guard isInclude || name.hasPrefix("recovery_target") || name == "restore_command" else {
        continue
      }
      var rest = text.dropFirst(name.count).drop { $0 == " " || $0 == "\t" }
      if rest.first == "=" { rest = rest.dropFirst().drop { $0 == " " || $0 == "\t" } }
      let value = Self.value(rest)
      if !isInclude {
        values[name] = value
      } else if include == nil, !value.isEmpty {
        include = "\(name) '\(value)'"
      }
    }
  }

  private static let includes = ["include", "include_if_exists", "include_dir"]

  /// Takes those of a file that is read after this one.
  public mutating func merge(_ later: RecoverySettings) {
    values.merge(later.values) { $1 }
    include = include ?? later.include
  }

  /// The setting that ends a recovery before the end of the WAL; nil if there is none.
  public var target: (name: String, value: String)? {
    for name in Self.targets {
      if let value = values[name], !value.isEmpty { return (name, value) }
    }
    return nil
  }

  private static let targets =
    ["time", "lsn", "xid", "name"].map { "recovery_target_" + $0 } + ["recovery_target"]

  /// The timeline to recover along, if it is not the newest: a word, or a number in decimal.
  ///
  /// Postgres reads a number that begins with 0 as octal, and as hexadecimal after `0x`, and passes over what
  /// follows the digits. (Postgres, `src/backend/access/transam/xlogrecovery.c`,
  /// `check_recovery_target_timeline`, with `strtoul`; tried with 15.20 and 16.14)
  public var timeline: String? {
    let value = values["recovery_target_timeline"] ?? ""
    if value.isEmpty || value == "latest" { return nil }
    let isHexadecimal = value.lowercased().hasPrefix("0x")
    let radix = isHexadecimal ? 16 : value.hasPrefix("0") ? 8 : 10
    let digits = value.dropFirst(isHexadecimal ? 2 : 0)
      .prefix { $0.hexDigitValue.map { $0 < radix } ?? false }
    guard let number = UInt32(digits, radix: radix), number > 0 else { return value }
    return String(number)
  }

  /// Whether a recovery ends before the target, and not just after it.
  public var isExclusive: Bool {
    // As Postgres reads a boolean: any beginning of these words.
    let value = (values["recovery_target_inclusive"] ?? "").lowercased()
    return value == "0"
      || ["off", "false", "no"].contains { !value.isEmpty && value != "o" && $0.hasPrefix(value) }
  }

  /// The command that fetches WAL; nil if there is none.
  public var restoreCommand: String? {
    values["restore_command"].flatMap { $0.isEmpty ? nil : $0 }
  }

  private static func value(_ text: Substring) -> String {
    guard text.first == "'" else {
      return String(text.prefix { !$0.isWhitespace && $0 != "#" })
    }
    var value = ""
    var rest = text.dropFirst()
    while let character = rest.popFirst() {
      if character == "'" {
        // Doubled, or the end.
        guard rest.first == "'" else { break }
        rest = rest.dropFirst()
      } else if character == "\\", let next = rest.popFirst() {
        value.append(next)
        continue
      }
      value.append(character)
    }
    return value
  }
}

/// What a backup's own files say about its recovery: what a server would do that starts in it.
public struct OwnRecoverySettings: Sendable {
  /// Those that have settings, in the order in which a server reads them.
  public static let fileNames = ["postgresql.conf", "postgresql.auto.conf"]

  private var files: [String: RecoverySettings] = [:]
  private var hasSignal = false

  /// Nothing was read yet.
  public init() {}

  /// Takes the contents of the file with this name at the top of the data directory.
  public mutating func take(_ name: String, _ bytes: RawSpan) {
    files[name] = RecoverySettings(decoding: bytes)
  }

  /// Notes that there is a file of this name at the top.
  public mutating func note(_ name: String) {
    if name == "recovery.signal" || name == "standby.signal" { hasSignal = true }
  }

  /// All settings; nil without a signal, for then no server minds them.
  public var settings: RecoverySettings? {
    guard hasSignal else { return nil }
    return Self.fileNames.reduce(into: RecoverySettings()) { all, name in
      if let found = files[name] { all.merge(found) }
    }
  }
}
