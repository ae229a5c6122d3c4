import System

/// What a command is told about its progress.
struct ReportingOptions: Sendable {
  /// How progress is shown; nil if that was not said.
  var progress: ProgressMode?
  /// Whether neither progress nor notes are wanted.
  var isQuiet = false
  /// What was said of the size of an input that comes through a pipe.
  var inputByteCount: UInt64?

  /// The mode for a stream: what was asked for; otherwise nothing if the command is to be quiet, and
  /// a bar on a terminal.
  func mode(on stream: StandardStream) -> ProgressMode {
    switch progress {
    case .auto, nil: !isQuiet && stream.canRewriteLine ? .bar : .none
    case .some(let mode): mode
    }
  }
}

/// A command that takes long enough to show its progress.
protocol ReportingCommand: Command {
  var reporting: ReportingOptions { get set }
}

extension CommandOption where C: ReportingCommand {
  /// `--progress`.
  static var progress: CommandOption {
    CommandOption(
      "progress", value: "MODE", choices: ProgressMode.allCases.map(\.rawValue),
      help: """
        how to show progress on standard error: 'bar' rewrites a line, 'plain' writes one every 10 \
        seconds, 'json' writes events, 'none' nothing (default: 'auto', a bar on a terminal)
        """
    ) { command, value throws(Failure) in
      command.reporting.progress = try value.choice()
    }
  }

  /// `--input-size`, of a command that may read a backup through a pipe.
  static var inputSize: CommandOption {
    CommandOption(
      "input-size", value: "SIZE",
      help: "size of a backup that comes through a pipe, to show how much of it is left"
    ) { command, value throws(Failure) in
      command.reporting.inputByteCount = try value.size(in: 1...UInt64.max)
    }
  }

  /// `--quiet`, with what it leaves out.
  static func quiet(_ help: String) -> CommandOption {
    CommandOption("quiet", "q", help: help) { command, _ in command.reporting.isQuiet = true }
  }
}
