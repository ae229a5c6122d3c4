import ObjectStore
import Operations
import System

/// `inspect`: shows what a backup or a timeline contains.
struct InspectCommand: ReportingCommand, StoreCommand {
  static let name = "inspect"
  static let operands = "PATH"
  static let summary = "show what a backup or a timeline contains"
  static let discussion = [
    """
    PATH is a backup that import accepts, with or without --recover-with, or the directory of a \
    timeline: DIR/tenants/TENANT/timelines/TIMELINE; - reads a backup from standard input. A \
    backup is read once, without its pages. If an import would refuse it, the reason is shown, and \
    the exit code is still 0. For a timeline, the newest index, the databases and largest \
    relations, and the contents of each layer are shown. Names are read from the cluster's own \
    catalogs.
    """,
    storeDiscussion,
  ]

  static let options: [CommandOption<InspectCommand>] = [
    CommandOption("json", help: "print everything as one JSON object") {
      command, _ in command.printsJSON = true
    },

    CommandOption(
      "svg", value: "FILE",
      help: "draw the sizes of databases and relations to FILE; - is standard output"
    ) { command, value throws(Failure) in
      command.sizeMap = try value.nonEmpty(placeholder: "FILE")
    },

    CommandOption(
      "svg-layers", value: "FILE",
      help: "draw the layers of a timeline to FILE; - is standard output"
    ) { command, value throws(Failure) in
      command.layerMap = try value.nonEmpty(placeholder: "FILE")
    },

    CommandOption(
      "key", value: "HEX",
      help: "show the value of a key of a timeline, given as 36 hexadecimal digits"
    ) { command, value in command.settings.key = value.text },

    CommandOption(
      "layer", value: "NAME",
      help: "list the entries of a layer, given as its file name or its number in the list"
    ) { command, value in command.settings.layer = value.text },

    .stripComponents(\.settings.stripComponents), .maxSize(\.settings.sizeLimit),

    .endpointURL, .region, .caBundle,

    .progress, .inputSize, .quiet("show no progress"),
  ]

  var settings = InspectOptions(path: "")
  var printsJSON = false
  var reporting = ReportingOptions()
  var sizeMap: String?
  var layerMap: String?

  var store: StoreOptions {
    get { settings.store }
    set { settings.store = newValue }
  }

  mutating func read(operands: [String]) throws(Failure) {
    settings.path = try Operands.single(
      operands, missing: "no backup or timeline given",
      hint: "For example: import-backup inspect backup.tar.zst.")
    try requireUse(ofStoreOptionsFor: settings.path)
    let onOutput = [
      ("'--svg -'", sizeMap == "-"), ("'--svg-layers -'", layerMap == "-"),
      ("'--json'", printsJSON),
    ].filter { $0.1 }.map { $0.0 }
    if onOutput.count > 1 {
      throw Failure(
        .conflictingOptions, "\(onOutput[0]) and \(onOutput[1]) both write to standard output")
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
      guard layerMap == nil else {
        throw Failure(.optionNotApplicable, "'--svg-layers' draws a timeline, not a backup")
      }
      try write(SizeMapText.map(of: backup), to: sizeMap)
      try write(backup, nil) { BackupText.text(backup) }
    case .timeline(let timeline):
      try write(SizeMapText.map(of: timeline), to: sizeMap)
      try write(LayerMapCaption.map(of: timeline), to: layerMap)
      try write(timeline, Self.failure(of: timeline)) { TimelineText.text(timeline) }
    }
  }

  /// Writes a picture if a file for it was given.
  private func write<P: Picture>(
    _ picture: @autoclosure () -> P, to file: String?
  ) throws(Failure) {
    guard let file else { return }
    try picture().write(to: file == "-" ? .standardOutput : .file(file))
  }

  /// Writes what was found, unless a picture goes to standard output, and throws what is wrong with
  /// it.
  private func write(
    _ description: some Encodable, _ failure: Failure?, _ text: () -> String
  ) throws(Failure) {
    if sizeMap != "-" && layerMap != "-" {
      try StandardStream.output.write(
        printsJSON
          ? try ResultObject(Self.self, description, failure).line()
          : text())
    }
    if let failure { throw failure.inResult(printsJSON) }
  }

  /// The error if a layer is damaged, or the key that was asked for does not exist.
  private static func failure(of timeline: TimelineDescription) -> Failure? {
    if let failure = failure(of: timeline.layers) { return failure }
    guard let key = timeline.key, !key.isFound else { return nil }
    return Failure(.keyNotFound, "key '\(key.key)' was not found in any layer")
  }

  private static func failure(of layers: [LayerDescription]) -> Failure? {
    let errors = layers.compactMap(\.error)
    guard let first = errors.first else { return nil }
    let others =
      errors.count > 1 ? " (and \(Quantity.count(errors.count - 1, "other layer")))" : ""
    return Failure(.layerDamaged, first + others)
  }
}
