import Operations
import System

/// `inspect`: shows what a backup or a timeline contains.
struct InspectCommand: ReportingCommand {
  static let name = "inspect"
  static let operands = "PATH"
  static let summary = "show what a backup or a timeline contains"
  static let discussion = [
    """
    PATH is a backup that import accepts, with or without --recover-with, or the directory of a \
    timeline: DIR/tenants/TENANT/timelines/TIMELINE; - reads a backup from standard input. A \
    backup is read once, without its pages. If an import would refuse it, the reason is shown, and \
    the exit code is still 0. For a timeline, the newest index and the contents of each layer are \
    shown.
    """
  ]

  static let options: [CommandOption<InspectCommand>] = [
    CommandOption("json", help: "print everything as one JSON object") {
      command, _ in command.printsJSON = true
    },

    CommandOption(
      "svg", value: "FILE", help: "draw the layers of a timeline to FILE; - is standard output"
    ) {
      command, value in command.drawing = value.text
    },

    CommandOption(
      "key", value: "HEX",
      help: "show the value of a key of a timeline, given as 36 hexadecimal digits"
    ) { command, value in command.settings.key = value.text },

    CommandOption(
      "layer", value: "NAME",
      help: "list the entries of a layer, given as its file name or its number in the list"
    ) { command, value in command.settings.layer = value.text },

    CommandOption(
      "strip-components", value: "N",
      help: "strip the first N directories from the names in the tar (default: 0)"
    ) { command, value throws(Failure) in
      command.settings.stripComponents = try value.integer(in: 0...1000)
    },

    .progress, .inputSize, .quiet("show no progress"),
  ]

  var settings = InspectOptions(path: "")
  var printsJSON = false
  var reporting = ReportingOptions()
  var drawing: String?

  mutating func read(operands: [String]) throws(Failure) {
    settings.path = try Operands.single(
      operands, missing: "no backup or timeline given",
      hint: "For example: import-backup inspect backup.tar.zst.")
    if drawing == "" { throw .missingValue(option: "svg", placeholder: "FILE") }
    if drawing == "-" && printsJSON {
      throw Failure(
        .conflictingOptions, "'--svg -' and '--json' both write to standard output")
    }
  }

  func run() throws(Failure) {
    try Operands.requireBackup(at: settings.path)
    Interruption.install()
    let inspection = try ProgressReporter.run(self) { progress, _ throws(Failure) in
      try inspect(settings, progress: progress)
    }
    switch inspection {
    case .backup(let backup):
      guard drawing == nil else {
        throw Failure(.optionNotApplicable, "'--svg' draws a timeline, not a backup")
      }
      try StandardStream.output.write(
        printsJSON ? try ResultObject(Self.self, backup).line() : BackupText.text(backup))
    case .timeline(let timeline):
      if let drawing {
        try LayerMapCaption.map(of: timeline)
          .write(to: drawing == "-" ? .standardOutput : .file(drawing))
      }
      let failure = Self.failure(of: timeline.layers)
      if drawing != "-" {
        try StandardStream.output.write(
          printsJSON
            ? try ResultObject(Self.self, timeline, failure).line() : TimelineText.text(timeline))
      }
      if let failure { throw failure.inResult(printsJSON) }
    }
  }

  /// The error if a layer is damaged, thrown after everything else has been shown.
  private static func failure(of layers: [LayerDescription]) -> Failure? {
    let problems = layers.compactMap(\.problem)
    guard let first = problems.first else { return nil }
    let others =
      problems.count > 1 ? " (and \(Quantity.count(problems.count - 1, "other layer")))" : ""
    return Failure(.layerDamaged, first + others)
  }
}
