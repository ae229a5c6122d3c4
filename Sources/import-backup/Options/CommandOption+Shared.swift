import System

/// Options that several commands have, each with where it puts its value.
extension CommandOption {
  /// `--strip-components`, of commands that read a backup.
  static func stripComponents(_ place: WritableKeyPath<C, Int> & Sendable) -> CommandOption {
    CommandOption(
      "strip-components", value: "N",
      help: "strip the first N directories from the names in the tar (default: 0)"
    ) { command, value throws(Failure) in
      command[keyPath: place] = try value.integer(in: 0...1000)
    }
  }

  /// `--max-size`, of commands that read a backup.
  static func maxSize(_ place: WritableKeyPath<C, UInt64?> & Sendable) -> CommandOption {
    CommandOption(
      "max-size", value: "SIZE",
      help: "refuse a backup that unpacks to more than this (default: no limit)"
    ) { command, value throws(Failure) in
      command[keyPath: place] = try value.size(in: 1...UInt64.max)
    }
  }

  /// `--ca-bundle`, of commands that reach an object store or a service.
  static func caBundle(_ place: WritableKeyPath<C, String?> & Sendable) -> CommandOption {
    CommandOption(
      "ca-bundle", value: "FILE",
      help: "certificates of the authorities to trust, in PEM format, instead of the system's"
    ) { command, value throws(Failure) in
      command[keyPath: place] = try value.nonEmpty(placeholder: "FILE")
    }
  }
}
