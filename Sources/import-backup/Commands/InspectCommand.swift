import Operations
import System

/// `inspect`: what a backup or a timeline is and holds.
struct InspectCommand: Command {
  static let name = "inspect"
  static let operands = "PATH"
  static let summary = "show what a backup or a timeline is and holds"
  static let discussion = [
    """
    PATH is a backup as import takes it, with --recover-with as well, - for one on standard input, \
    or the directory of a timeline: DIR/tenants/TENANT/timelines/TIMELINE. A backup is read once, its pages passed over; \
    where an import would refuse it, the reason is shown, and the exit code is 0 all the same. Of a \
    timeline the newest index is shown, and what each layer holds.
    """
  ]

  static let options: [CommandOption<InspectCommand>] = [
    CommandOption("json", help: "print one JSON object, which holds everything") {
      command, _ in command.printsJSON = true
    },

    CommandOption(
      "svg", value: "FILE", help: "draw a timeline's layers into FILE; - is standard output"
    ) {
      command, value in command.drawing = value.text
    },

    CommandOption(
      "key", value: "HEX",
      help: "show a key's value in a timeline, by the key's 36 hexadecimal digits"
    ) { command, value in command.settings.key = value.text },

    CommandOption(
      "layer", value: "NAME",
      help: "list a layer's entries, by the name of its file or its number in the list of layers"
    ) { command, value in command.settings.layer = value.text },

    CommandOption(
      "strip-components", value: "N",
      help: "drop the first N directories of every name in the tar (default: 0)"
    ) { command, value throws(Failure) in
      command.settings.stripComponents = try value.integer(in: 0...1000)
    },
  ]

  var settings = InspectOptions(path: "")
  var printsJSON = false
  var drawing: String?

  mutating func take(operands: [String]) throws(Failure) {
    settings.path = try Operands.single(
      operands, missing: "neither a backup nor a timeline is given", single: "thing to inspect")
    if drawing == "" { throw .usage("'--svg' wants the name of a file") }
    if drawing == "-" && printsJSON {
      throw .usage("'--svg -' and '--json' both want standard output")
    }
  }

  func run() throws(Failure) {
    try Operands.requireBackup(at: settings.path)
    Interruption.install()
    switch try inspect(settings) {
    case .backup(let backup):
      guard drawing == nil else { throw .usage("'--svg' draws a timeline; this is a backup") }
      try StandardStream.output.write(
        printsJSON ? try SummaryOutput.json(backup) + "\n" : BackupText.text(backup))
    case .timeline(let timeline):
      if let drawing {
        try LayerMapCaption.map(of: timeline)
          .write(to: drawing == "-" ? .standardOutput : .file(drawing))
      }
      if drawing != "-" {
        try StandardStream.output.write(
          printsJSON ? try SummaryOutput.json(timeline) + "\n" : TimelineText.text(timeline))
      }
      try Self.requireReadable(timeline.layers)
    }
  }

  /// Ends in an error where a layer is damaged, once everything else has been shown.
  private static func requireReadable(_ layers: [LayerDescription]) throws(Failure) {
    let problems = layers.compactMap(\.problem)
    guard let first = problems.first else { return }
    let others =
      problems.count > 1 ? " (and \(Quantity.count(problems.count - 1, "other layer")))" : ""
    throw Failure(.damaged, first + others)
  }
}
